#!/usr/bin/env bash
# Installs a wheel into a fresh Debian that has Python and the libraries that the wheel names, and no compiler; runs the
# Python example of README.md there, as nobody. Needs root, and the right to mount and to chroot. The fresh system is
# kept as a tar file in ~/.cache/finback, or FINBACK_CACHE.
#
# usage: tests/python/clean_room.sh WHEEL
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
WHEEL=$(realpath "$1")
readonly WHEEL
readonly RELEASE=bookworm LIBRARIES="libcurl4 libedit2 libpcre2-8-0 libsqlite3-0 libssl3"

# Mounts of its own, so that none is left behind whatever happens.
if [ -z "${FINBACK_IN_CLEAN_ROOM:-}" ]; then
  FINBACK_IN_CLEAN_ROOM=1 exec unshare --mount --propagation private "$HERE/${0##*/}" "$WHEEL"
fi

CACHE=${FINBACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/finback}
readonly CACHE
IMAGE=$CACHE/$RELEASE-$(dpkg --print-architecture).tar
readonly IMAGE
ROOM=$(mktemp -d /var/tmp/finback-room.XXXXXX)
readonly ROOM

leave() {
  umount "$ROOM/proc" 2>/dev/null || true
  rm -rf --one-file-system "$ROOM"
}
trap leave EXIT

if [ ! -f "$IMAGE" ]; then
  mkdir -p "$CACHE"
  debootstrap --variant=minbase "$RELEASE" "$ROOM" >&2
  tar -C "$ROOM" -cf "$IMAGE.part" .
  mv "$IMAGE.part" "$IMAGE"
else
  tar -C "$ROOM" -xf "$IMAGE"
fi
mount -t proc proc "$ROOM/proc"
inside() { chroot "$ROOM" env DEBIAN_FRONTEND=noninteractive "$@" </dev/null; }
user() { chroot --userspec=nobody:nogroup "$ROOM" env -i PATH=/usr/bin:/bin HOME=/tmp "$@" </dev/null; }

inside apt-get update -q >&2
# Without the libraries first: what the import says then must name them.
inside apt-get install -q -y --no-install-recommends python3-venv >&2
cp "$WHEEL" "$ROOM/tmp"
user python3 -m venv /tmp/venv
user /tmp/venv/bin/pip install -q --no-index "/tmp/${WHEEL##*/}" >&2
user /tmp/venv/bin/python -c 'import finback' 2>"$ROOM/tmp/refused" && { echo "imported without its libraries" >&2; exit 1; }
grep -q "apt-get install --no-install-recommends $LIBRARIES" "$ROOM/tmp/refused"
# A list of packages.
# shellcheck disable=SC2086
inside apt-get install -q -y --no-install-recommends $LIBRARIES >&2
for compiler in cc gcc g++ c++ clang cmake make; do
  if inside sh -c "command -v $compiler" >&2; then
    echo "there is a compiler: $compiler" >&2
    exit 1
  fi
done
awk "/^\`\`\`python\$/ {on = 1; next} /^\`\`\`\$/ {on = 0} on" "$HERE/../../README.md" >"$ROOM/tmp/answer.py"
user /tmp/venv/bin/python /tmp/answer.py
user /tmp/venv/bin/python -m finback chat "What is 17 + 25?"
user /tmp/venv/bin/finback chat "What is 17 + 25?"
