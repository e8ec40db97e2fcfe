#include "core/local/prompt.h"

#include <algorithm>
#include <functional>

#include "core/base/status.h"
#include "core/chat/wire_strings.h"
#include "core/engine/event.h"
#include "core/engine/request_tools.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

// The text that opens the prompt for an effort, by the checkpoint's ladder. Each ladder's first
// step has none; "low" on the preview's ladder and anything between steps goes to the nearest.
EffortPrefix PrefixFor(Effort effort, EffortLadder ladder) {
  const bool preview = ladder == EffortLadder::kPreview;
  switch (effort) {
    case Effort::kLow:
      return EffortPrefix::kNone;
    case Effort::kDefault:
    case Effort::kHigh:
      return preview ? EffortPrefix::kNone : EffortPrefix::kMax;
    case Effort::kMax:
      return preview ? EffortPrefix::kMax : EffortPrefix::kBeyondMax;
  }
  return EffortPrefix::kNone;
}

// Images and documents are shown as what could not be read; of anything else the model would know
// nothing at all.
void RequireShown(const Message& message) {
  for (size_t i = 0; i < message.parts.size(); ++i) {
    const Json* type = message.parts[i].Find("type");
    if (type == nullptr || type->text == "text" || !UnreadPart(type->text).empty()) continue;
    FailAt(Format("%s.content[%zu].type", message.path.c_str(), i),
           "\"" + Shown(type->text) + "\" is not supported; only \"text\" parts can be read");
  }
}

bool IsPrefix(const Message& message) {
  return message.role == Role::kAssistant && message.without_eos;
}

bool HasText(const Message& message) {
  return !message.content.empty() || !message.tool_calls.empty();
}

void RequireChat(const Request& request) {
  for (const Message& message : request.messages) RequireShown(message);
  for (size_t i = 0; i < request.tools.size(); ++i) {
    const Json* strict = request.tools[i].Find("strict");
    if (strict == nullptr || !strict->boolean) continue;
    FailAt(Format("tools[%zu].function.strict", i), "is not supported");
  }
  if (request.tool_choice == ToolChoice::kNamed) {
    FailAt("tool_choice", "a named tool cannot be forced; must be \"auto\" or \"none\"");
  }
  if (request.tool_choice == ToolChoice::kRequired) {
    FailAt("tool_choice", "\"required\" is not supported; must be \"auto\" or \"none\"");
  }
  if (request.response_format == ResponseFormat::kJsonSchema) {
    FailAt("response_format.type",
           "\"json_schema\" is not supported; must be \"text\" or \"json_object\"");
  }
  if (!request.parallel_tool_calls) FailAt("parallel_tool_calls", "cannot be turned off");
}

// Those of the prompt format's marks that `has` does not know, separated by commas.
std::string MarksWithout(const std::function<bool(std::string_view)>& has) {
  std::string missing;
  for (const std::string_view mark : {wire::kBos, wire::kEos, wire::kUser, wire::kAssistant,
                                      wire::kThinkOpen, wire::kThinkClose, wire::kDsml}) {
    if (has(mark)) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(mark);
  }
  return missing;
}

// As JSON in ASCII spells it. Characters of marks are ASCII or have three bytes.
std::string Escaped(std::string_view mark) {
  std::string escaped;
  for (size_t i = 0; i < mark.size(); ++i) {
    const auto bits = [&](size_t at, unsigned mask) {
      return static_cast<unsigned>(static_cast<unsigned char>(mark[at])) & mask;
    };
    if (bits(i, 0x80) == 0) {
      escaped += mark[i];
    } else {
      const unsigned point = bits(i, 0xF) << 12 | bits(i + 1, 0x3F) << 6 | bits(i + 2, 0x3F);
      escaped += Format("\\u%04x", point);
      i += 2;
    }
  }
  return escaped;
}

}  // namespace

void RequireInProcess(const Request& request) {
  if (!request.extra_body.empty()) {
    FailAt("extra_body." + Shown(request.extra_body[0].first),
           "is not known to models in this process; extra_body is for services, leave it out");
  }
  if (request.echo) FailAt("echo", "is not supported");
  if (request.has_suffix) FailAt("suffix", "is not supported");
  if (request.is_chat) RequireChat(request);
}

std::string LeftOutInProcess(const Request& request) {
  std::string names;
  for (const auto& [name, value] : request.service_fields) {
    if (name == "stream_options") continue;  // the usage always comes
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return "";
  return NoticeText("field_left_out", names + ": says nothing to a model in this process");
}

std::vector<PromptMessage> PromptMessages(const Request& request) {
  std::vector<PromptMessage> messages(request.messages.begin(), request.messages.end());
  if (request.tool_choice != ToolChoice::kNone) PlaceTools(request.tools, &messages);
  if (request.response_format != ResponseFormat::kText) {
    PlaceResponseFormat(request.format, &messages);
  }
  return messages;
}

std::vector<Json> OfferedTools(const std::vector<PromptMessage>& messages) {
  std::vector<Json> tools;
  for (const PromptMessage& message : messages) {
    tools.insert(tools.end(), message.tools.begin(), message.tools.end());
  }
  return tools;
}

std::string UnreadParts(const Request& request) {
  UnknownMembers parts;
  for (const Message& message : request.messages) {
    for (size_t i = 0; i < message.parts.size(); ++i) {
      const Json* type = message.parts[i].Find("type");
      if (type == nullptr || type->text == "text") continue;
      if (parts.paths.size() < UnknownMembers::kMostPaths) {
        parts.paths.push_back(Format("%s.content[%zu]", message.path.c_str(), i));
      }
      ++parts.count;
    }
  }
  if (parts.count == 0) return "";
  return NoticeText("parts_unread",
                    "this model reads text alone and is told that there is "
                    "something else: " +
                        parts.Listed());
}

EncodeOptions ChatOptions(const Request& request, const PromptRules& rules) {
  const bool thinking =
      request.thinking == Toggle::kDefault ? rules.thinking : request.thinking == Toggle::kOn;
  EncodeOptions options;
  options.dialect = PromptDialect::kServed;
  options.thinking = thinking ? ThinkingMode::kThinking : ThinkingMode::kChat;
  options.effort = thinking ? PrefixFor(request.effort, rules.ladder) : EffortPrefix::kNone;
  options.drop_thinking = request.drop_thinking;
  options.trust_all =
      request.trust_all == Toggle::kDefault ? rules.trust_all : request.trust_all == Toggle::kOn;
  return options;
}

ThinkingMode AnswerMode(const Request& request, const EncodeOptions& options) {
  if (options.thinking == ThinkingMode::kChat || request.messages.empty()) {
    return ThinkingMode::kChat;
  }
  const Message& last = request.messages.back();
  // A continued answer is past its reasoning once it has a text, and tasks have none.
  const bool has_begun = IsPrefix(last) && HasText(last);
  return has_begun || !last.task.empty() ? ThinkingMode::kChat : ThinkingMode::kThinking;
}

bool GoesOn(const Request& request) {
  if (request.messages.empty() || !IsPrefix(request.messages.back())) return false;
  const Message& last = request.messages.back();
  return HasText(last) || !last.reasoning_content.empty();
}

std::string MissingMarkup(const Tokenizer& tokenizer) {
  return MarksWithout([&](std::string_view mark) {
    const int32_t id = tokenizer.FindToken(mark);
    return id >= 0 && tokenizer.IsAdded(id);
  });
}

std::string UnspelledMarkup(std::string_view file) {
  return MarksWithout([&](std::string_view mark) {
    return file.find(mark) != std::string_view::npos ||
           file.find(Escaped(mark)) != std::string_view::npos;
  });
}

PromptTokenizer::PromptTokenizer(std::unique_ptr<Tokenizer> tokenizer, int32_t vocab)
    : tokenizer_(std::move(tokenizer)) {
  for (int32_t id = 0; id < std::min(tokenizer_->size(), vocab); ++id) {
    if (tokenizer_->IsAdded(id)) added_.Add(std::string(tokenizer_->Bytes(id)), id);
  }
  added_.Finish();
}

namespace {

// Where parts of the text end in tokens, told as the text is cut into pieces.
class PartEnds {
 public:
  PartEnds(const Tokenizer& tokenizer, const std::vector<PromptPart>& parts)
      : tokenizer_(tokenizer), parts_(parts) {}

  // So many bytes became the ids from `first` on.
  void Add(size_t bytes, const std::vector<int32_t>& ids, size_t first) {
    for (; next_ < parts_.size() && parts_[next_].end <= bytes_ + bytes; ++next_) {
      size_t token = first;
      if (parts_[next_].end == bytes_ + bytes) {
        token = ids.size();
      } else {
        size_t at = bytes_;
        while (token < ids.size()) {
          at += tokenizer_.Bytes(ids[token]).size();
          if (at > parts_[next_].end) break;
          ++token;
        }
      }
      if (!ends_.empty() && ends_.back().end == token) continue;
      ends_.push_back(parts_[next_]);
      ends_.back().end = token;
    }
    bytes_ += bytes;
  }
  std::vector<PromptPart> Take() { return std::move(ends_); }

 private:
  const Tokenizer& tokenizer_;
  const std::vector<PromptPart>& parts_;
  std::vector<PromptPart> ends_;
  size_t next_ = 0, bytes_ = 0;
};

}  // namespace

TokenizedPrompt PromptTokenizer::Encode(const EncodedPrompt& prompt) const {
  std::vector<int32_t> ids;
  PartEnds ends(*tokenizer_, prompt.parts);
  std::string piece;
  bool plain = true;  // nothing untrusted in the piece
  const auto flush = [&] {
    if (!piece.empty()) {
      const size_t first = ids.size();
      tokenizer_->Encode(piece, plain ? AddedTokens::kRecognize : AddedTokens::kIgnore, &ids);
      ends.Add(piece.size(), ids, first);
    }
    piece.clear();
    plain = true;
  };
  for (const PromptSpan& span : prompt.spans) {
    if (!span.ids.empty()) {
      flush();
      ids.insert(ids.end(), span.ids.begin(), span.ids.end());
      ends.Add(span.text.size(), ids, ids.size() - span.ids.size());
      continue;
    }
    if (!span.trusted) {
      piece += span.text;
      plain = plain && span.text.empty();
      continue;
    }
    size_t done = 0;
    AddedTokenMatcher::Match match;
    while (!added_.empty() && added_.Find(span.text, done, &match)) {
      piece.append(span.text, done, match.begin - done);
      flush();
      ids.push_back(match.id);
      ends.Add(match.end - match.begin, ids, ids.size() - 1);
      done = match.end;
    }
    piece.append(span.text, done, std::string::npos);
  }
  flush();
  return {std::move(ids), ends.Take()};
}

}  // namespace finback
