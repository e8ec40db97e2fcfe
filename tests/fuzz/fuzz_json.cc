// ParseJson on any bytes, in both modes: what it accepts must survive being spelled and read again.
#include <stddef.h>
#include <stdint.h>

#include <string>

#include "core/base/utf8.h"
#include "core/json/json.h"

namespace {

void Check(std::string_view text, finback::JsonNumbers numbers) {
  finback::Json json;
  try {
    json = finback::ParseJson(text, "fuzz", numbers);
  } catch (const finback::Error& error) {
    if (finback::FindInvalidUtf8(error.what()) != finback::kValidUtf8) __builtin_trap();
    return;
  }
  std::string once, twice;
  finback::AppendPythonJson(json, &once);
  if (finback::FindInvalidUtf8(once) != finback::kValidUtf8) __builtin_trap();
  finback::AppendPythonJson(finback::ParseJson(once, "again", numbers), &twice);
  if (once != twice) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Check(text, finback::JsonNumbers::kStrict);
  Check(text, finback::JsonNumbers::kPython);
  return 0;
}
