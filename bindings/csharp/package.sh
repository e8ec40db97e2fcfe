# shellcheck shell=bash
# A project that `dotnet pack` or `nuget pack` makes the NuGet package of, compiled for Mono already.
build_package() {
  need mcs "${CXX:-c++}"
  local rid name=Finback-$VERSION
  rid=linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
  local runtime=$name/runtimes/$rid
  mkdir -p "$name/src" "$name/lib/net46" "$runtime/native" "$runtime/share/finback/krill"
  wrap wrapped -csharp -namespace Finback -dllimport finback_csharp -module Library
  cp wrapped/*.cs "$SOURCE"/csharp/src/*.cs "$name/src"
  native_library "$runtime/native/libfinback_csharp.so" wrapped/finback_wrap.cxx
  # The library looks for krill beside its own folder.
  cp "$(pkg-config --variable=datadir finback)"/finback/krill/* "$runtime/share/finback/krill"
  sed "s/@VERSION@/$VERSION/" "$SOURCE/csharp/Finback.csproj" >"$name/Finback.csproj"
  sed "s/@VERSION@/$VERSION/" "$SOURCE/csharp/Finback.nuspec" >"$name/Finback.nuspec"
  cp "$SOURCE/csharp/Example.cs" "$SOURCE/../LICENSE" "$name"
  mcs -langversion:6 -target:library -out:"$name/lib/net46/Finback.dll" "$name"/src/*.cs
  tar -czf "$OUTPUT/finback-csharp-$VERSION.tar.gz" "$name"
}

trial_environment() {
  need mono
}

try_package() {
  # As NuGet lays an application out: the assembly here, the native libraries where the loader is told.
  cp "Finback-$VERSION"/lib/net46/Finback.dll "$SOURCE/csharp/SmokeTest.cs" .
  local native
  native=$(echo "$TRIAL/Finback-$VERSION"/runtimes/*/native)
  mcs -langversion:6 -r:Finback.dll -r:System.Core.dll SmokeTest.cs
  mcs -langversion:6 -r:Finback.dll -out:Example.exe "Finback-$VERSION/Example.cs"
  LD_LIBRARY_PATH=$native mono --debug SmokeTest.exe
  LD_LIBRARY_PATH=$native mono Example.exe | grep krill
}
