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

# (LuaRocks reads the file that LUAROCKS_CONFIG names besides its own.)
trial_environment() {
  need luarocks lua5.4
  export LUAROCKS_CONFIG=$TRIAL/luarocks.lua
  cat >"$LUAROCKS_CONFIG" <<TEXT
rocks_trees = { { name = "trial", root = "$TRIAL/rocks" } }
variables = {
  FINBACK_DIR = "$(pkg-config --variable=prefix finback)",
  FINBACK_LIBDIR = "$(pkg-config --variable=libdir finback)",
}
TEXT
  export LUA_PATH="$TRIAL/rocks/share/lua/5.4/?.lua;;" LUA_CPATH="$TRIAL/rocks/lib/lua/5.4/?.so;;"
}

try_package() {
  cp "$SOURCE/lua/smoke_test.lua" "$SOURCE/lua/example.lua" .
  lua5.4 smoke_test.lua
  lua5.4 example.lua | grep krill
}
