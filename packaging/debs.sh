#!/usr/bin/env bash
# Builds the Debian packages from this tree without a network, checks and installs them, and tests what was
# installed: on this machine, or with --clean-room in a fresh Debian of its own. `./dev package` calls it;
# everything is left in the folder given.
#
# usage: packaging/debs.sh FOLDER [--clean-room]
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
FOLDER=$(realpath -m "$1")
readonly FOLDER
readonly WHERE=${2:-}

say() { printf 'packages: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

as_root() {
  if [ "$EUID" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# ---- the source tree -----------------------------------------------------------------------------

# What is tracked or about to be; in a released archive, everything but what was built.
project_files() {
  if [ -e "$ROOT/.git" ]; then
    git -c safe.directory='*' -C "$ROOT" ls-files -z --cached --others --exclude-standard
  else
    find "$ROOT" -path "$ROOT/build*" -prune -o -type f -printf '%P\0'
  fi
}

# A tree as Debian wants it: the sources, packed as they are, and packaging/debian once more at the root.
stage() {
  local version=$1 tree=$2 stamp
  rm -rf "$FOLDER"
  mkdir -p "$tree"
  # (A file that is deleted but still tracked cannot be read.)
  project_files | tar -C "$ROOT" --null --no-recursion --ignore-failed-read -T - -c | tar -C "$tree" -x
  stamp=$(dpkg-parsechangelog -l "$tree/packaging/debian/changelog" -S Timestamp)
  tar -C "$FOLDER" --sort=name --owner=0 --group=0 --mtime="@$stamp" \
    -czf "$FOLDER/finback_$version.orig.tar.gz" "${tree##*/}"
  cp -a "$tree/packaging/debian" "$tree/debian"
}

# ---- building and checking -----------------------------------------------------------------------

# Runs a command with nothing but an unconfigured loopback, to show that the build downloads nothing.
without_network() {
  if unshare --net true 2>/dev/null; then
    unshare --net "$@"
  elif unshare --map-current-user --net true 2>/dev/null; then
    unshare --map-current-user --net "$@"
  else
    say "no right to cut the network off (unshare): building with it"
    "$@"
  fi
}

build() {
  local tree=$1
  # Packages of debug symbols take half the time, and would be installed below.
  export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} noautodbgsym"
  say "building source and binary packages, without network; log in $FOLDER/build.log"
  (cd "$tree" && without_network dpkg-buildpackage -us -uc) >"$FOLDER/build.log" 2>&1 || {
    tail -n 60 "$FOLDER/build.log" >&2
    fail "dpkg-buildpackage failed"
  }
  grep -E '^[0-9]+% tests passed' "$FOLDER/build.log" | sort | uniq -c >&2 || true
}

check() {
  local changes=$1 tree=$2
  say "lintian, with errors and warnings fatal"
  lintian --pedantic --display-info --fail-on error,warning "$changes" >"$FOLDER/lintian.log" 2>&1 || {
    cat "$FOLDER/lintian.log" >&2
    fail "lintian found errors or warnings"
  }
  cat "$FOLDER/lintian.log" >&2
  say "blhc: hardening flags on every line of the build log"
  blhc --all "$FOLDER/build.log" >&2 || fail "blhc: hardening flags are missing"
  say "hardening-check: what the linker made"
  hardening-check --nocfprotection "$tree"/debian/finback/usr/bin/finback \
    "$tree"/debian/libfinback0/usr/lib/*/libfinback.so.0 >&2 || fail "hardening-check: not hardened"
}

# ---- installing and testing ----------------------------------------------------------------------

install_packages() {
  local packages=("$FOLDER"/*.deb)
  say "installing on this machine: $(cd "$FOLDER" && echo ./*.deb)"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    --reinstall --allow-downgrades -o DPkg::Lock::Timeout=300 "${packages[@]}" >"$FOLDER/install.log" 2>&1 </dev/null || {
    cat "$FOLDER/install.log" >&2
    fail "the packages could not be installed"
  }
}

test_packages() {
  local result=0
  say "autopkgtest against the installed packages (a few minutes); log in $FOLDER/autopkgtest.log"
  as_root autopkgtest --no-built-binaries --output-dir="$FOLDER/autopkgtest" "$FOLDER/source" -- null \
    >"$FOLDER/autopkgtest.log" 2>&1 </dev/null || result=$?
  as_root chown -R --reference="$FOLDER" "$FOLDER/autopkgtest"
  if [ "$result" -ne 0 ]; then
    tail -n 80 "$FOLDER/autopkgtest.log" >&2
    fail "autopkgtest failed ($result)"
  fi
  cat "$FOLDER/autopkgtest/summary" >&2
  say "first steps of an ordinary user"
  if [ "$EUID" -eq 0 ]; then
    setpriv --reuid=nobody --regid=nogroup --clear-groups sh -c "$(cat "$ROOT/packaging/first_steps.sh")"
  else
    "$ROOT/packaging/first_steps.sh"
  fi
}

main() {
  local version tree
  version=$(sed -n 's/^project(finback VERSION \([0-9.]*\).*/\1/p' "$ROOT/CMakeLists.txt")
  tree=$FOLDER/finback-$version
  case $(dpkg-parsechangelog -l "$ROOT/packaging/debian/changelog" -S Version) in
    "$version"-*) ;;
    *) fail "packaging/debian/changelog is not about version $version of CMakeLists.txt: add an entry" ;;
  esac
  stage "$version" "$tree"
  build "$tree"
  check "$(echo "$FOLDER"/*.changes)" "$tree"
  # The tests come from the source package, as they would elsewhere.
  dpkg-source --no-check -x "$FOLDER"/*.dsc "$FOLDER/source" >"$FOLDER/unpack.log"
  if [ "$WHERE" = --clean-room ]; then
    as_root "$ROOT/packaging/clean_room.sh" "$FOLDER"
  else
    install_packages
    test_packages
  fi
  (cd "$FOLDER" && printf '%s\n' *.deb *.dsc)
}

main
