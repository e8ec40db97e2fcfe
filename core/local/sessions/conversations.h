// What is kept of conversations, for any prompt to go on from: marks, which never change, so that
// streams share what they hold while others run. Of too many those go that would save least.
// Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/process.h"
#include "core/network/memory/memory_budget.h"
#include "core/network/sequence.h"

namespace finback {

struct ConversationLimits {
  size_t most = 0;         // conversations
  uint64_t most_used = 0;  // of the budget, before they give way; 0: where it ends
};

using SharedMark = std::shared_ptr<const SequenceMark>;

class Conversations {
 public:
  // Gives way where the budget is short. The budget outlives it.
  Conversations(MemoryBudget* budget, const ConversationLimits& limits);
  ~Conversations();

  struct Found {
    SharedMark mark;       // null: there is none to go on from
    size_t tokens = 0;     // that it can go back to and `ids` begins with: the most of any
    size_t nearest = 0;    // that some conversation begins with, too
    bool running = false;  // its stream is not over
  };
  Found Find(std::span<const int32_t> ids);

  // Whose it is: nothing of it stays once that is gone. An address, never read.
  using Owner = const void*;
  // Takes the place of those that it goes on from whole. `charged` is for Sequence::MarkBytes().
  // Returns the mark, kept or not; null where there is no memory.
  struct Keeping {
    Owner owner = nullptr;  // null: nobody's
    bool running = false;
    uint64_t whole_bytes = 0;  // with what is shared
  };
  SharedMark Keep(SequenceMark mark, Reservation charged, const Keeping& keeping) noexcept;
  void Forget(Owner owner) noexcept;

  // Lets go of the one that would save least: the tokens that nobody else has, times how often
  // prompts have gone on from it, by how many have come since, and by the bytes that it alone
  // holds. (Where there are too many, bytes do not count.) What goes on from a part of one takes
  // that part of its uses along. False: there is none.
  bool GiveWay() noexcept;

  size_t size();

 private:
  struct Conversation {
    SharedMark mark;
    Reservation charged;
    Keeping keeping;
    uint64_t last_use = 0;
    double uses = 1;
  };
  using List = std::vector<Conversation>;

  void ForgetParent();
  enum class Scarce : uint8_t { kPlaces, kBytes };
  size_t LeastUseful(Scarce scarce, size_t spared) const;
  double Usefulness(Scarce scarce, size_t index) const;

  MemoryBudget* const budget_;
  const ConversationLimits limits_;
  ForkMutex mutex_;  // of all below
  List list_;
  uint64_t prompts_ = 0;
};

}  // namespace finback
