# shellcheck shell=bash
# A rock that compiles itself: finback-VERSION-1.src.rock.
build_package() {
  need luarocks lua5.4 zip unzip
  local name=finback-$VERSION
  wrap "$name" -lua -module finback_native
  cp "$SOURCE/lua/finback.lua" "$SOURCE/lua/example.lua" "$SOURCE/../LICENSE" "$name"
  tar -czf "$name.tar.gz" "$name"
  sed "s/@VERSION@/$VERSION/g" "$SOURCE/lua/finback.rockspec.in" >"$name-1.rockspec"
  rm -f "$OUTPUT/$name-1.src.rock"
  zip --quiet "$OUTPUT/$name-1.src.rock" "$name-1.rockspec" "$name.tar.gz"
}

try_package() {
  local prefix
  prefix=$(pkg-config --variable=prefix finback)
  luarocks --lua-version 5.4 --tree "$TRIAL/rocks" install "$OUTPUT/finback-$VERSION-1.src.rock" \
    "FINBACK_DIR=$prefix" "FINBACK_LIBDIR=$(pkg-config --variable=libdir finback)" >&2
  cp "$SOURCE/lua/smoke_test.lua" "$SOURCE/lua/example.lua" "$TRIAL"
  export LUA_PATH="$TRIAL/rocks/share/lua/5.4/?.lua" LUA_CPATH="$TRIAL/rocks/lib/lua/5.4/?.so"
  lua5.4 smoke_test.lua
  lua5.4 example.lua | grep krill
}
