// The token ids that were sampled for what a model wrote, found again by its text: an answer that
// comes back, unchanged or spelled in another way, is encoded as it was written. Texts that nobody
// has sampled are never found, and ids that are markup only where the text is a call's. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/process.h"
#include "core/chat/messages.h"
#include "core/local/cache/disk_cache.h"
#include "core/network/memory/memory_budget.h"
#include "core/tokenizer/tokenizer.h"

namespace finback {

// Of the reasoning, or of content and calls: the same for the same text, with other blanks around
// it, and for calls whose arguments are the same JSON in another spelling or order.
using WrittenKey = std::array<uint8_t, 32>;
WrittenKey ReasoningKey(std::string_view reasoning);
WrittenKey AnswerKey(std::string_view content, const std::vector<ToolCall>& calls);

// An answer while it is written, and what it was read as.
struct WrittenAnswer {
  bool thinking = false;  // it begins inside reasoning
  std::vector<int32_t> ids;
  std::string reasoning, content;
  std::vector<ToolCall> calls;
  bool is_odd = false;  // read in a way that its rendering would not show
};

class WrittenAnswers {
 public:
  // Keeps at most so many bytes, of the budget; what was used least recently goes. What is not
  // there is looked for in `disk`, if there is one. Both outlive it.
  WrittenAnswers(uint64_t most_bytes, MemoryBudget* budget, DiskCache* disk);

  // What is to be found again. Puts off writing to the disk, which takes time, to KeepOnDisk().
  struct Record {
    WrittenKey key{};
    std::vector<int32_t> ids;
  };
  std::vector<Record> Remember(const WrittenAnswer& answer, const Tokenizer& tokenizer);
  void KeepOnDisk(std::span<const Record> records) noexcept;
  std::optional<std::vector<int32_t>> Find(const WrittenKey& key, const Tokenizer& tokenizer);

  // Bytes of any origin: nothing for what is not Serialize()'s, or has ids that no answer has.
  static std::vector<uint8_t> Serialize(std::span<const int32_t> ids);
  static std::optional<std::vector<int32_t>> Parse(std::span<const uint8_t> bytes,
                                                   const Tokenizer& tokenizer);

  uint64_t bytes();

 private:
  struct Entry {
    Record record;
    Reservation charged;
  };
  using List = std::list<Entry>;  // the most recently used first
  using Index = std::map<WrittenKey, List::iterator>;

  void ForgetParent();
  void Put(Record record);

  const uint64_t most_bytes_;
  MemoryBudget* const budget_;
  DiskCache* const disk_;
  ForkMutex mutex_;  // of all below
  List list_;
  Index index_;
  uint64_t bytes_ = 0;
};

}  // namespace finback
