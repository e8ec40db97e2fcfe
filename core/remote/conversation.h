// What is remembered of a conversation at a service: its name in the ledger, and how far its
// requests repeat each other, because that is what the service's cache goes by.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "core/remote/prompt_prefix.h"

namespace finback {

class Conversation {
 public:
  Conversation();  // with a name of its own

  const std::string& id() const { return id_; }

  // Before a request is sent: "" or, in words, where it stops repeating the one before.
  std::string Compare(std::string_view body);

  // After an answer.
  void Count(int64_t prompt_tokens, int64_t cached_tokens);
  // Of all prompts so far; -1 without any.
  double CacheHitRatio() const;

 private:
  std::string id_;
  mutable std::mutex mutex_;
  PromptPrefix prefix_;
  int64_t prompt_tokens_ = 0, cached_tokens_ = 0;
};

}  // namespace finback
