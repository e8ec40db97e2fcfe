# shellcheck shell=bash
# An npm package with the native library and krill inside, for every Node from 18 on.
# FINBACK_NODE_INCLUDES: folders of node_api.h and napi.h; without it npm fetches them.
build_package() {
  need node npm "${CXX:-c++}"
  local folder native flags=() include
  native=package/native/$(node -p "process.platform + '-' + process.arch")
  mkdir -p "$native/lib" "$native/share/finback/krill"
  cp "$SOURCE"/node/{package.json,index.js,index.d.ts,example.js} "$SOURCE/../LICENSE" package
  grep -q "\"version\": \"$VERSION\"" package/package.json || fail "package.json: not version $VERSION"
  if [ -z "${FINBACK_NODE_INCLUDES:-}" ]; then
    cp package/package.json .
    npm install --silent --no-package-lock --ignore-scripts
    FINBACK_NODE_INCLUDES="node_modules/node-api-headers/include node_modules/node-addon-api"
  fi
  read -ra folder <<<"$FINBACK_NODE_INCLUDES"
  for include in "${folder[@]}"; do
    flags+=(-isystem "$include")
  done
  native_library "$native/lib/finback.node" "$SOURCE/node/finback.cc" \
    "-I$SOURCE/.." -DNAPI_VERSION=8 -DNAPI_CPP_EXCEPTIONS "${flags[@]}"
  # The library looks for krill beside its own folder.
  cp "$(pkg-config --variable=datadir finback)"/finback/krill/* "$native/share/finback/krill"
  (cd package && npm pack --silent --pack-destination "$OUTPUT")
}

trial_environment() {
  export NPM_CONFIG_OFFLINE=true NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false
}

try_package() {
  cd whales || return
  cp "$SOURCE/node/smoke_test.js" .
  node --test smoke_test.js
  node node_modules/finback/example.js | grep krill
}
