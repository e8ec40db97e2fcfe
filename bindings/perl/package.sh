# shellcheck shell=bash
# A CPAN distribution: Finback-VERSION.tar.gz.
build_package() {
  need perl make "${CXX:-c++}"
  grep -q "^our \$VERSION = '$VERSION';" "$SOURCE/perl/methods.pl" || fail "methods.pl: not version $VERSION"
  wrap . -perl5 -w314 -module Finback
  mkdir lib t
  mv Finback.pm lib
  cp "$SOURCE/perl/Finback.pod" lib
  cp "$SOURCE/perl/Makefile.PL" "$SOURCE/perl/example.pl" "$SOURCE/../LICENSE" .
  cp "$SOURCE/perl/smoke.t" t
  printf '%s\n' MANIFEST Makefile.PL LICENSE classes.h finback_wrap.cxx example.pl lib/Finback.pm \
    lib/Finback.pod t/smoke.t >MANIFEST
  perl Makefile.PL >/dev/null
  make --silent dist >/dev/null
  cp "Finback-$VERSION.tar.gz" "$OUTPUT"
}

trial_environment() {
  export PERL_MM_OPT=INSTALL_BASE=$TRIAL/installed PERL5LIB=$TRIAL/installed/lib/perl5
}

try_package() {
  cp "Finback-$VERSION/example.pl" "Finback-$VERSION/t/smoke.t" .
  rm -r "Finback-$VERSION"
  perl smoke.t
  perl example.pl | grep krill
}
