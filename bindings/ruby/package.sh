# shellcheck shell=bash
# A gem that compiles itself: finback-VERSION.gem.
build_package() {
  need ruby gem
  wrap ext/finback -ruby -w801 -module finback
  mkdir lib
  cp "$SOURCE/ruby/extconf.rb" ext/finback
  cp "$SOURCE/ruby/finback.rb" lib
  cp "$SOURCE/ruby/example.rb" "$SOURCE/ruby/finback.gemspec" "$SOURCE/../LICENSE" .
  FINBACK_VERSION=$VERSION gem build --silent finback.gemspec --output "$OUTPUT/finback-$VERSION.gem" 2>/dev/null
}

trial_environment() {
  need ruby gem make
  GEM_PATH=$TRIAL/gems:$(gem environment path)
  export GEM_PATH GEM_HOME=$TRIAL/gems
  unset RUBYLIB
}

try_package() {
  cp "$SOURCE/ruby/smoke_test.rb" .
  ruby smoke_test.rb
  ruby "$TRIAL/gems/gems/finback-$VERSION/example.rb" | grep krill
}
