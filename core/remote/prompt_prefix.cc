#include "core/remote/prompt_prefix.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/status.h"

namespace finback {
namespace {

// Members that say how to generate, not from what.
constexpr std::string_view kOutsidePrompt[] = {
    "frequency_penalty",
    "include",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "min_p",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "repetition_penalty",
    "seed",
    "stop",
    "stop_sequences",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "top_k",
    "top_logprobs",
    "top_p",
};
// Lists that are the conversation, in the wire formats' spellings.
constexpr std::string_view kConversations[] = {"messages", "input"};
// Lists whose items are told apart.
constexpr std::string_view kItemized[] = {"tools", "system"};

template <size_t kSize>
bool Contains(const std::string_view (&names)[kSize], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// FNV-1a: not against attackers, only against chance.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// Finds where values of a JSON text begin and end, without judging them.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // Takes `wanted` after white space.
  bool Take(char wanted) {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool String(std::string_view* inside) {
    if (!Take('"')) return false;
    const size_t begin = at_;
    for (;;) {
      at_ = text_.find_first_of("\"\\", at_);
      if (at_ == text_.npos) return Stop();
      if (text_[at_] == '"') break;
      at_ += 2;
      if (at_ > text_.size()) return Stop();
    }
    *inside = text_.substr(begin, at_++ - begin);
    return true;
  }

  // A value of any kind, as spelled.
  bool Value(std::string_view* value) {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    const size_t begin = at_;
    size_t depth = 0;
    do {
      const size_t next = text_.find_first_of(depth == 0 ? "\"[]{}, \t\r\n" : "\"[]{}", at_);
      if (next == text_.npos) return Stop();
      at_ = next;
      const char c = text_[at_];
      if (c == '"') {
        std::string_view inside;
        if (!String(&inside)) return false;
      } else if (c == '[' || c == '{') {
        ++depth;
        ++at_;
      } else if (depth == 0) {
        break;  // the end of a number or a word
      } else {
        --depth;
        ++at_;
      }
    } while (depth > 0);
    *value = text_.substr(begin, at_ - begin);
    return !value->empty();
  }

 private:
  bool Stop() {
    at_ = text_.size();
    return false;
  }

  std::string_view text_;
  size_t at_ = 0;
};

bool SplitList(std::string_view list, std::vector<std::string_view>* items) {
  Scanner scanner(list);
  if (!scanner.Take('[')) return false;
  if (scanner.Take(']')) return true;
  do {
    if (!scanner.Value(&items->emplace_back())) return false;
  } while (scanner.Take(','));
  return scanner.Take(']');
}

}  // namespace

// A request taken apart; views into its text.
struct PromptPrefix::Body {
  std::string_view text, list = "messages";
  std::vector<std::pair<std::string, std::string_view>> settings;
  std::vector<std::string_view> messages;

  bool Parse(std::string_view body) {
    text = body;
    Scanner scanner(body);
    if (!scanner.Take('{')) return false;
    if (scanner.Take('}')) return true;
    do {
      std::string_view name, value;
      if (!scanner.String(&name) || !scanner.Take(':') || !scanner.Value(&value)) return false;
      if (!Contains(kOutsidePrompt, name) && !Add(name, value)) return false;
    } while (scanner.Take(','));
    return scanner.Take('}') && settings.size() <= kMaxSettings;
  }

  bool Add(std::string_view name, std::string_view value) {
    const bool is_list = value.front() == '[';
    if (is_list && Contains(kConversations, name)) {
      list = name;
      return SplitList(value, &messages);
    }
    std::vector<std::string_view> items;
    if (is_list && Contains(kItemized, name)) {
      if (!SplitList(value, &items)) return false;
    }
    if (items.empty() || items.size() > kMaxSettings / 2) {
      settings.emplace_back(name, value);
      return true;
    }
    for (size_t i = 0; i < items.size(); ++i) {
      settings.emplace_back(Format("%.*s[%zu]", static_cast<int>(name.size()), name.data(), i),
                            items[i]);
    }
    return true;
  }

  // What Part `index` covers when `count` messages are looked at.
  std::string_view Message(size_t index, size_t count) const {
    const std::string_view first = messages[index];
    if (index + 1 < kMaxMessages) return first;
    const std::string_view last = messages[count - 1];
    return {first.data(), static_cast<size_t>(last.data() + last.size() - first.data())};
  }
  size_t Offset(std::string_view part) const {
    return static_cast<size_t>(part.data() - text.data());
  }
  std::string MessagePath(size_t index) const {
    return Format("%.*s[%zu]", static_cast<int>(list.size()), list.data(), index);
  }
};

void PromptPrefix::Forget() {
  settings_.clear();
  messages_.clear();
  message_count_ = 0;
  kept_.clear();
  has_request_ = false;
}

PromptPrefix::Part PromptPrefix::Keep(std::string_view text) {
  const Part part = {Hash(text), text.size(), kept_.size()};
  kept_ += text.substr(0, kKeptBytes - kept_.size());
  return part;
}

void PromptPrefix::Remember(const Body& body) {
  Forget();
  has_request_ = true;
  for (const auto& [path, text] : body.settings) settings_.insert_or_assign(path, Keep(text));
  message_count_ = body.messages.size();
  const size_t parts = std::min(message_count_, kMaxMessages);
  messages_.reserve(parts);
  for (size_t i = 0; i < parts; ++i) messages_.push_back(Keep(body.Message(i, message_count_)));
}

void PromptPrefix::Locate(const Part& before, std::string_view now, PrefixBreak* found) const {
  const std::string_view kept = std::string_view(kept_).substr(before.kept_at, before.size);
  const auto differs = std::mismatch(kept.begin(), kept.end(), now.begin(), now.end());
  const size_t same = static_cast<size_t>(differs.first - kept.begin());
  found->exact = same < kept.size() || kept.size() == before.size;
  found->byte += same;
  found->matched += same;
}

std::optional<PrefixBreak> PromptPrefix::CompareSettings(const Body& body) const {
  PrefixBreak found;
  for (const auto& [path, text] : body.settings) {
    const auto before = settings_.find(path);
    found.path = path;
    found.byte = body.Offset(text);
    if (before == settings_.end()) {
      found.kind = PrefixBreak::Kind::kAdded;
      return found;
    }
    if (before->second.size != text.size() || before->second.hash != Hash(text)) {
      Locate(before->second, text, &found);
      found.matched = 0;  // settings come before the messages in a prompt
      return found;
    }
  }
  for (const auto& [path, part] : settings_) {
    const bool is_there =
        std::any_of(body.settings.begin(), body.settings.end(),
                    [&path = path](const auto& now) { return now.first == path; });
    if (is_there) continue;
    found.kind = PrefixBreak::Kind::kRemoved;
    found.path = path;
    found.byte = body.text.size();
    return found;
  }
  return std::nullopt;
}

std::optional<PrefixBreak> PromptPrefix::CompareMessages(const Body& body) const {
  PrefixBreak found;
  const size_t count = std::min(message_count_, body.messages.size());
  const size_t parts = std::min(count, kMaxMessages);
  for (size_t i = 0; i < parts; ++i) {
    const std::string_view now = body.Message(i, count);
    if (messages_[i].size != now.size() || messages_[i].hash != Hash(now)) {
      found.path = body.MessagePath(i);
      found.byte = body.Offset(now);
      Locate(messages_[i], now, &found);
      return found;
    }
    found.matched += now.size();
    found.byte = body.Offset(now) + now.size();
  }
  if (count == message_count_) return std::nullopt;
  if (count == 0) found.byte = body.text.size();
  found.kind = PrefixBreak::Kind::kRemoved;
  found.path = body.MessagePath(count);
  return found;
}

std::optional<PrefixBreak> PromptPrefix::Next(std::string_view text) {
  Body body;
  if (!body.Parse(text)) {
    Forget();
    return std::nullopt;
  }
  std::optional<PrefixBreak> found;
  if (has_request_) {
    found = CompareSettings(body);
    if (!found) found = CompareMessages(body);
  }
  if (found) {
    const size_t earlier =
        std::accumulate(messages_.begin(), messages_.end(), size_t{0},
                        [](size_t sum, const Part& part) { return sum + part.size; });
    found->lost = earlier - std::min(earlier, found->matched);
  }
  Remember(body);
  return found;
}

}  // namespace finback
