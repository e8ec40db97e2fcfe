# frozen_string_literal: true

require "mkmf"

abort "finback: pkg-config does not know the library; install libfinback-dev, or set PKG_CONFIG_PATH" \
  unless pkg_config("finback")

# A library outside the linker's own folders is found again where it was found now.
libdir = pkg_config("finback", "variable=libdir")
$LDFLAGS << " -Wl,-rpath,#{libdir}" unless libdir.start_with?("/usr/lib")
$CXXFLAGS << " -std=c++17 -Wno-deprecated-declarations"
create_makefile("finback/finback")
