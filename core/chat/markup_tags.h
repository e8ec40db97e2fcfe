// The tags of the tool markup, read from text that is still arriving: first as published, then with
// attributes in any order, in either quotes or none, with others beside them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/chat/literal.h"

namespace finback {

inline constexpr size_t kLongestTag = 1024;  // a header that is not complete by then is text
inline constexpr std::string_view kTagStart = "<\uFF5CDSML\uFF5C";
inline constexpr std::string_view kTagClose = "</\uFF5CDSML\uFF5C";

// How models and services have called the block, in all their versions.
inline constexpr std::string_view kBlockWords[] = {"tool_calls", "calls", "toolcalls",
                                                   "function_calls"};
bool IsBlockWord(std::string_view word);

// One or two bars at `*i`: the fullwidth ones of the published markup, or what gateways make of
// them.
Match Bars(std::string_view text, size_t* i);

// Behind the blanks at `begin`.
size_t SkipSpace(std::string_view text, size_t begin);

// `\s*>` at `*i`.
Match Bracket(std::string_view text, size_t* i);

enum class ValueKind : uint8_t { kText, kJson, kEither };

struct TagHeader {
  std::string name;
  ValueKind kind = ValueKind::kEither;  // of a parameter: its attribute `string`
  bool is_closed = false;               // `/>`
  size_t end = 0;                       // behind the bracket
};

// What must follow the header of an invoke.
enum class InvokeBody : uint8_t { kMarkup, kAny };

// Of the text at hand.
enum class Rest : uint8_t { kMayCome, kNone };

// Both read from behind the word.
Match ReadInvokeHeader(std::string_view text, InvokeBody body, Rest rest, TagHeader* header);
Match ReadParameterHeader(std::string_view text, TagHeader* header);

}  // namespace finback
