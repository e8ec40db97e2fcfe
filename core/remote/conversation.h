// What is remembered of a conversation at a service: its name in the ledger, and how far its
// requests repeat each other, because that is what the service's cache goes by.
#pragma once

#include <string>
#include <string_view>

#include "core/base/process.h"
#include "core/remote/prompt_prefix.h"

namespace finback {

class Conversation {
 public:
  Conversation();  // with a name of its own

  const std::string& id() const { return id_; }

  // Before a request is sent: "" or, in words, where it stops repeating the one before.
  std::string Compare(std::string_view body);

 private:
  std::string id_;
  ForkMutex mutex_;
  PromptPrefix prefix_;
};

}  // namespace finback
