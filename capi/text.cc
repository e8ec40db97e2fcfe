#include <memory>
#include <string>

#include "capi/boundary.h"
#include "capi/handles.h"
#include "core/base/utf8.h"
#include "core/chat/chat_encoding.h"
#include "core/chat/completion_parser.h"
#include "core/engine/answer_json.h"
#include "core/engine/request.h"
#include "core/engine/think_tags.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/service_rules/service_problems.h"

using finback::Code;
using finback::Guard;
using finback::Require;

namespace {

std::string_view CheckedText(const char* text, size_t size) {
  if (size > 0) Require(text, "text");
  const std::string_view view(size > 0 ? text : "", size);
  const size_t bad = finback::FindInvalidUtf8(view);
  if (bad != finback::kValidUtf8) {
    finback::Throw(Code::kInvalidArgument, "text: invalid UTF-8 at byte %zu", bad);
  }
  return view;
}

// Whether it is a request that is to be judged, not encoded.
bool IsCheck(const finback::Json& document) {
  return document.IsObject() && finback::JsonFields(document, "").Bool("check_service", false);
}

}  // namespace

finback_text* finback_encode_messages(const char* json) {
  return Guard<finback_text*>(nullptr, [&] {
    const finback::Json document =
        finback::ParseJson(&Require(json, "json"), finback::JsonSource{});
    auto text = std::make_unique<finback_text>();
    if (IsCheck(document)) {
      text->text = finback::ServiceProblemsJson(finback::FindServiceProblems(document));
    } else {
      const finback::EncodeRequest request = finback::ParseEncodeRequest(document);
      text->text = finback::EncodeChat(request.messages, request.context, request.options).Text();
    }
    return text.release();
  });
}

finback_text* finback_parse_completion(const char* text, size_t size, int32_t thinking,
                                       int32_t strict) {
  return Guard<finback_text*>(nullptr, [&] {
    const std::string_view view = CheckedText(text, size);
    const auto mode =
        thinking != 0 ? finback::ThinkingMode::kThinking : finback::ThinkingMode::kChat;
    finback::ParsedCompletion parsed = strict != 0 ? finback::ParseCompletion(view, mode)
                                                   : finback::ParseCompletionTolerantly(view, mode);
    if (strict == 0) finback::PartThinkTags(mode, &parsed);
    auto out = std::make_unique<finback_text>();
    out->text = finback::MessageJson(parsed, finback::MessageForm::kParsed);
    return out.release();
  });
}

finback_text* finback_json_string(const char* text, size_t size) {
  return Guard<finback_text*>(nullptr, [&] {
    auto out = std::make_unique<finback_text>();
    finback::AppendJsonString(CheckedText(text, size), &out->text);
    return out.release();
  });
}

const char* finback_text_data(const finback_text* self) {
  return Guard<const char*>("", [&] { return Require(self, "self").text.c_str(); });
}

size_t finback_text_size(const finback_text* self) {
  return Guard<size_t>(0, [&] { return Require(self, "self").text.size(); });
}

void finback_text_free(finback_text* self) { delete self; }
