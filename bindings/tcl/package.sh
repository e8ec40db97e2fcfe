# shellcheck shell=bash
# Sources with a Makefile: finback-tcl-VERSION.tar.gz.
build_package() {
  need tclsh make "${CXX:-c++}"
  grep -q "^package provide finback $VERSION\$" "$SOURCE/tcl/finback.tcl" ||
    fail "finback.tcl: not version $VERSION"
  local name=finback-tcl-$VERSION
  wrap "$name" -tcl8 -namespace -module finback_native
  cp "$SOURCE"/tcl/{finback,pkgIndex,example}.tcl "$SOURCE/tcl/Makefile" "$SOURCE/../LICENSE" "$name"
  tar -czf "$OUTPUT/$name.tar.gz" "$name"
}

trial_environment() {
  export DESTDIR=$TRIAL/installed TCLLIBPATH=$TRIAL/installed/usr/local/lib/tcltk
}

try_package() {
  cp "$SOURCE/tcl/smoke_test.tcl" "$SOURCE/tcl/example.tcl" .
  rm -r "finback-tcl-$VERSION"
  tclsh smoke_test.tcl
  tclsh example.tcl | grep krill
}
