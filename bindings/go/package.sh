# shellcheck shell=bash
# A Go module that needs no SWIG; cgo compiles it where it is used.
build_package() {
  need go "${CXX:-c++}"
  local name=finback-go-$VERSION
  cp -r "$SOURCE/go/module" "$name"
  wrap "$name/internal/native" -go -cgo -intgosize 64 -package native -module native
  cp "$SOURCE/../LICENSE" "$name"
  tar -czf "$OUTPUT/$name.tar.gz" "$name"
}

trial_environment() {
  need go
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir finback)
  GOCACHE=$(env "HOME=$USER_HOME" go env GOCACHE)
  export LD_LIBRARY_PATH GOCACHE GOPROXY=off GOTOOLCHAIN=local
}

try_package() {
  cd "finback-go-$VERSION" || return
  go vet . ./example
  go test -v -count=1 .
  go run ./example | grep krill
}
