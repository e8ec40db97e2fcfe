# shellcheck shell=bash
# A Maven repository with the jar, which holds the native library of this machine's kind and krill.
build_package() {
  need javac jar java "${CXX:-c++}"
  local home native classes=$STAGE/classes
  home=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
  native=classes/finback/native/linux-$(uname -m)
  wrap wrapped -java -package finback -module Finback
  mkdir -p "$native/lib" "$native/share/finback/krill"
  javac --release 17 -Xlint:all,-cast -d "$classes" "$SOURCE"/java/src/main/java/finback/*.java wrapped/*.java
  native_library "$native/lib/libfinback_java.so" wrapped/finback_wrap.cxx "-I$home/include" "-I$home/include/linux"
  cp "$(pkg-config --variable=datadir finback)"/finback/krill/* "$native/share/finback/krill"
  (cd "$native" && find lib share -type f | sort >files)

  local name=finback-$VERSION meta=classes/META-INF/maven/finback/finback
  local repository=$OUTPUT/maven/finback/finback/$VERSION
  mkdir -p "$meta" "$repository"
  sed "s/@VERSION@/$VERSION/" "$SOURCE/java/pom.xml" >"$meta/pom.xml"
  printf 'groupId=finback\nartifactId=finback\nversion=%s\n' "$VERSION" >"$meta/pom.properties"
  cp "$SOURCE/../LICENSE" classes/META-INF
  printf 'Automatic-Module-Name: finback\nImplementation-Version: %s\n' "$VERSION" >manifest
  jar --create --file "$repository/$name.jar" --manifest manifest -C classes .
  mkdir -p sources/finback
  cp "$SOURCE"/java/src/main/java/finback/*.java wrapped/*.java sources/finback
  jar --create --file "$repository/$name-sources.jar" -C sources .
  cp "$meta/pom.xml" "$repository/$name.pom"
}

trial_environment() {
  need java
  mkdir "$TRIAL/temporary"
}

try_package() {
  local jar=$TRIAL/maven/finback/finback/$VERSION/finback-$VERSION.jar left
  cp "$SOURCE/java/SmokeTest.java" "$SOURCE/java/Example.java" .
  javac -cp "$jar" -d classes SmokeTest.java
  java -Xcheck:jni "-Djava.io.tmpdir=$TRIAL/temporary" -cp "$jar:classes" SmokeTest
  java "-Djava.io.tmpdir=$TRIAL/temporary" -cp "$jar" Example.java | grep krill
  left=$(ls temporary)
  [ -z "$left" ] || fail "left behind in the temporary folder: $left"
}
