// What services say of errors, in all the shapes that bodies and events of them have been seen in
// (docs/services.md 13.1). Nothing here throws for what it reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/json/json.h"

namespace finback {

struct ErrorText {
  std::string message, type, code, request_id;
  int status = 0;  // of HTTP, where a code is one
  int64_t limit = -1, requested = -1;
};

// The words of a JSON document that is an error, or has one in it.
ErrorText ReadError(const Json& document);
// The same of a body: JSON, perhaps behind keep-alive lines or the "data:" of an event; the title
// of a page; plain text.
ErrorText ReadErrorBody(std::string_view body);

// What of a document that came with status 200 says that it is an error.
enum class ErrorSign : uint8_t {
  kNone,
  kWords,  // only that it has a message
  kSays,   // a code, a flag or a field of errors
  kNames,  // an error by its name, whatever stands beside it
};
ErrorSign FindErrorSign(const Json& document);

// The HTTP status that an error inside a 200 would have had, by its type, code or words.
int StatusOfError(const ErrorText& text);
// The status that words of an error stand for; 0: none.
int StatusOfWords(std::string_view text);
// The digits after the first `words` of `text` that are followed by some, with or without commas;
// -1: none.
int64_t NumberAfter(std::string_view text, std::string_view words);

}  // namespace finback
