#!/usr/bin/env bash
# aarch64_root.sh FOLDER: Debian's arm64 libraries that Finback and its tests stand on, unpacked into FOLDER/root, for
# cross-compiling with cmake/aarch64.cmake. Nothing is installed on this machine, and no root is needed.
set -euo pipefail

FOLDER=$(realpath --canonicalize-missing "${1:?folder}") # apt takes other paths for some of its own
readonly FOLDER
readonly ROOT=$FOLDER/root
# With what they depend on; headers alone come without.
readonly LIBRARIES=(libc6-dev libstdc++-12-dev libpcre2-dev libssl-dev libcurl4-openssl-dev libsqlite3-dev
  libgtest-dev libedit-dev)
readonly HEADERS=(nlohmann-json3-dev libxxhash-dev libvalijson-dev libcli11-dev)

mkdir -p "$FOLDER"/{lists,archives}/partial
: >"$FOLDER/status" # nothing counts as installed
arm64_apt() {
  apt-get -q -o Dir::State::status="$FOLDER/status" -o Dir::State::Lists="$FOLDER/lists" \
    -o Dir::Cache::Archives="$FOLDER/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User="$(id -un)" \
    -o Debug::NoLocking=1 "$@" </dev/null
}
arm64_apt update
arm64_apt install -y --download-only --no-install-recommends "${LIBRARIES[@]}"
(cd "$FOLDER/archives" && arm64_apt download "${HEADERS[@]}")

rm -rf "$ROOT"
for merged in lib bin sbin; do
  mkdir -p "$ROOT/usr/$merged"
  ln -s "usr/$merged" "$ROOT/$merged"
done
for package in "$FOLDER"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar --extract --directory "$ROOT" --keep-directory-symlink --no-same-owner
done
printf '%s\n' "${LIBRARIES[@]}" "${HEADERS[@]}" >"$FOLDER/complete"
