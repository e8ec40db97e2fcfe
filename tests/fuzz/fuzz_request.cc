// Requests of every kind: hostile JSON must end in an Error that names something,
// never in anything else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/engine/request.h"
#include "core/json/json_fields.h"
#include "core/service_rules/service_problems.h"

namespace {

template <typename Parse>
void Try(Parse parse, std::string_view json) {
  try {
    parse(json);
  } catch (const finback::Error& error) {
    if (error.code() != finback::Code::kInvalidRequest || error.what()[0] == '\0') __builtin_trap();
    if (finback::FindInvalidUtf8(error.what()) != finback::kValidUtf8) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // The first byte chooses the kind.
  const std::string_view json(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      Try(
          [](std::string_view text) {
            finback::FindServiceProblems(finback::ParseJson(text, finback::JsonSource{}));
            const finback::Request request = finback::ParseChatRequest(text);
            finback::EncodeChat({request.messages.begin(), request.messages.end()}, {}, {});
          },
          json);
      break;
    case 1:
      Try([](std::string_view text) { finback::ParseCompletionRequest(text); }, json);
      break;
    default:
      Try(
          [](std::string_view text) {
            const finback::EncodeRequest request = finback::ParseEncodeRequest(text);
            finback::EncodeChat(request.messages, request.context, request.options);
          },
          json);
  }
  return 0;
}
