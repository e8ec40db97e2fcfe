// Why a service's context cache can miss: the first place where a conversation's next request stops
// repeating the one before. Looks at the serialised JSON, because that is what the service sees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finback {

struct PrefixBreak {
  enum class Kind : uint8_t { kChanged, kAdded, kRemoved };
  Kind kind = Kind::kChanged;
  std::string path;    // "messages[3]", "tools[0]", "reasoning_effort"
  size_t byte = 0;     // of the new body: the first that differs, or where the removed would follow
  bool exact = true;   // false: the difference is at `byte` or later in what `path` names
  size_t matched = 0;  // bytes of the earlier messages that are repeated
  size_t lost = 0;     // bytes of them that are not
};

// The last request of one conversation, in bounded memory: its beginning as text, and a hash of
// every part. One thread at a time.
class PromptPrefix {
 public:
  static constexpr size_t kKeptBytes = 256u << 10;
  static constexpr size_t kMaxMessages = 8192;
  static constexpr size_t kMaxSettings = 512;

  // Compares a request's body with the one before, which it replaces. Nothing: all that was sent
  // before is repeated in its order, or there was nothing before. Members of the body that do not
  // reach the prompt (max_tokens, stream, ...) may change.
  std::optional<PrefixBreak> Next(std::string_view body);
  // The next request begins anew, as after a compaction.
  void Forget();

 private:
  struct Part {
    uint64_t hash = 0;
    size_t size = 0;
    size_t kept_at = 0;  // its place in kept_, as much of it as is there
  };
  struct Body;

  Part Keep(std::string_view text);
  void Remember(const Body& body);
  std::optional<PrefixBreak> CompareSettings(const Body& body) const;
  std::optional<PrefixBreak> CompareMessages(const Body& body) const;
  void Locate(const Part& before, std::string_view now, PrefixBreak* found) const;

  std::map<std::string, Part, std::less<>> settings_;  // by path: all but the messages
  std::vector<Part> messages_;                         // the last is for all from there on
  size_t message_count_ = 0;
  std::string kept_;
  bool has_request_ = false;
};

}  // namespace finback
