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

try_package() {
  local name=finback-go-$VERSION
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir finback)
  export LD_LIBRARY_PATH GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod
  tar -xzf "$OUTPUT/$name.tar.gz"
  (cd "$name" && go vet . ./example && go test -v -count=1 .)
  # A program of its own that uses it.
  mkdir program
  cp "$name/example/main.go" program
  rm -r "$name/example"
  cd program || return
  go mod init program
  go mod edit -require=finback@v0.0.0 "-replace=finback=$TRIAL/$name"
  go run . | grep krill
}
