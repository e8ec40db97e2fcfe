#include <cstring>
#include <string>

#include "capi/backends.h"
#include "capi/boundary.h"

#define FINBACK_TEXT_(x) #x
#define FINBACK_TEXT(x) FINBACK_TEXT_(x)

using finback::Guard;

const char* finback_version(void) {
  return FINBACK_TEXT(FINBACK_VERSION_MAJOR) "." FINBACK_TEXT(
      FINBACK_VERSION_MINOR) "." FINBACK_TEXT(FINBACK_VERSION_PATCH);
}

const char* finback_build_info(void) {
  // A plain array: made once, valid forever, nothing to destroy.
  struct Text {
    char data[1024];
  };
  return Guard<const char*>("{}", []() -> const char* {
    static const Text text = [] {
      Text made{};
      const std::string json = finback::BuildInfoJson();
      if (json.size() >= sizeof made.data) {
        throw finback::Error(finback::Code::kInternal, "build information is too long");
      }
      memcpy(made.data, json.data(), json.size());
      return made;
    }();
    return text.data;
  });
}
