#!/usr/bin/env bash
# Installs the packages that debs.sh left in FOLDER into a fresh Debian, where nothing is installed that they do not ask
# for, and runs their tests there; then a user's first steps. Needs root, and the right to mount and to chroot.
# The fresh system is kept as a tar file in ~/.cache/finback, or FINBACK_CACHE.
#
# usage: packaging/clean_room.sh FOLDER
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
FOLDER=$(realpath "$1")
readonly FOLDER
readonly RELEASE=bookworm

# Mounts of its own, so that none is left behind whatever happens.
if [ -z "${FINBACK_IN_CLEAN_ROOM:-}" ]; then
  FINBACK_IN_CLEAN_ROOM=1 exec unshare --mount --propagation private "$HERE/${0##*/}" "$FOLDER"
fi

CACHE=${FINBACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/finback}
readonly CACHE
IMAGE=$CACHE/$RELEASE-$(dpkg --print-architecture).tar
readonly IMAGE
# Nothing of the environment goes in, but what the network may need.
readonly CLEAN=(env -i "PATH=/usr/sbin:/usr/bin:/sbin:/bin" "HOME=/nonexistent" "LC_ALL=C.UTF-8"
  "http_proxy=${http_proxy:-}" "DEBIAN_FRONTEND=noninteractive")
ROOM=$(mktemp -d /var/tmp/finback-room.XXXXXX)
readonly ROOM

say() { printf 'clean room: %s\n' "$*" >&2; }
logged() {
  local log=$FOLDER/$1
  shift
  "$@" >"$log" 2>&1 </dev/null || {
    tail -n 60 "$log" >&2
    say "failed: $*"
    exit 1
  }
}
leave() {
  umount "$ROOM/proc" 2>/dev/null || true
  rm -rf --one-file-system "$ROOM"
}
trap leave EXIT

if [ ! -f "$IMAGE" ]; then
  say "debootstrap of $RELEASE, kept as $IMAGE"
  mkdir -p "$CACHE"
  logged debootstrap.log debootstrap --variant=minbase "$RELEASE" "$ROOM"
  tar -C "$ROOM" -cf "$IMAGE.part" .
  mv "$IMAGE.part" "$IMAGE"
else
  tar -C "$ROOM" -xf "$IMAGE"
fi
# The packages may have been built with a security update, and then depend on it.
cat >"$ROOM/etc/apt/sources.list" <<TEXT
deb http://deb.debian.org/debian $RELEASE main
deb http://deb.debian.org/debian $RELEASE-updates main
deb http://deb.debian.org/debian-security $RELEASE-security main
TEXT
# Nothing of this outlives a crash of the machine.
echo force-unsafe-io >"$ROOM/etc/dpkg/dpkg.cfg.d/clean-room"
mount -t proc proc "$ROOM/proc"

say "autopkgtest in $ROOM"
rm -rf "$FOLDER/clean-room"
logged clean-room.log "${CLEAN[@]}" autopkgtest --no-built-binaries --apt-upgrade --output-dir="$FOLDER/clean-room" \
  "$FOLDER"/*.deb "$FOLDER/source" -- chroot "$ROOM"
cat "$FOLDER/clean-room/summary" >&2

say "first steps of an ordinary user"
cp "$FOLDER"/*.deb "$HERE/first_steps.sh" "$ROOM/tmp"
logged clean-room-install.log "${CLEAN[@]}" chroot "$ROOM" sh -c \
  'apt-get install -q -y --no-install-recommends /tmp/*.deb gcc libc6-dev pkg-config'
"${CLEAN[@]}" chroot --userspec=nobody:nogroup "$ROOM" /tmp/first_steps.sh
