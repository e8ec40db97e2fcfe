// One answer's drafts: what may follow, to be evaluated behind the token that is sampled already,
// and which of it was sampled then. Drafts are proposals: tokens are sampled from the rows that a
// step without drafts would have given, one after the other, so that they change nothing but the
// time. Owned by a stream; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/buffer.h"
#include "core/local/drafts/account.h"
#include "core/local/drafts/draft_sources.h"
#include "core/local/drafts/lookup.h"
#include "core/local/drafts/shared_account.h"
#include "core/network/draft/draft_block.h"
#include "core/network/evaluator.h"
#include "core/network/memory/memory_budget.h"
#include "core/network/model.h"

namespace finback {

class Drafter {
 public:
  // Memory is charged to the budget; a source without room there, or that the model does not have,
  // is left out. Throws std::bad_alloc.
  Drafter(const Model& model, DraftSources sources, MemoryBudget* budget, SharedAccount* shared);
  ~Drafter();

  // Before the prompt is evaluated, which stays where it is, and which an answer of at most so many
  // tokens follows. Then, before and after each segment of it is evaluated, the last token in one
  // of its own: where logits go, and what the block wants to know.
  void Begin(std::span<const int32_t> prompt, size_t most_answer);
  void Watch(size_t position, Segment* segment);
  void Watched(size_t position, const Segment& segment);

  // `next` was sampled, and is not evaluated: what to evaluate at `position`, `next` first, then at
  // most `most` drafts. WithoutDrafts() replaces it; Done() says that it was done, in so many ns.
  Segment Propose(int32_t next, size_t position, size_t most);
  Segment WithoutDrafts();
  void Done(double ns);

  // `id` was sampled from the present row. True if it is what was evaluated next, whose row is the
  // present one now.
  bool Follow(int32_t id);
  // The present row's; null: where whoever evaluates has them.
  float* logits();
  size_t proposed() const { return batch_.size() - 1; }

 private:
  // Steps without asking the block after which it is told of nothing until it is asked again.
  static constexpr size_t kInUse = 32;
  enum class Open : uint8_t { kYes, kNo };  // nothing more is sampled: the answer is over
  size_t RowsToWatch(size_t position, size_t count) const;
  void Learn(int32_t id);
  void GrowLookup();
  void TakeRows(int32_t next);
  void ShowUnseen();
  void AskBlock(std::span<int32_t> out);
  void Draft(size_t most);
  void Close(Open open);
  Segment SegmentOf(LogitRows rows);

  const Model& model_;
  MemoryBudget* const budget_;
  SharedAccount* const shared_;
  Account account_;
  Reservation reservation_, lookup_reservation_, block_reservation_, tail_reservation_;
  std::span<const int32_t> prompt_;
  size_t most_answer_ = 0, answer_room_ = 0;

  std::unique_ptr<Lookup> lookup_;  // null: not used
  bool learnt_ = false;             // it knows the prompt

  std::unique_ptr<DraftBlock> block_;  // null: not used
  Buffer<float> tail_;                 // final streams of the prompt's last tokens
  // Of tokens that the block does not know, at unseen_position_ and on, then of the batch.
  Buffer<float> streams_;
  std::vector<int32_t> unseen_;  // the tokens after the former
  size_t unseen_position_ = 0;
  bool rows_kept_ = false;  // the batch's, too
  size_t unused_ = kInUse;  // steps since the block was asked, or more

  Buffer<float> logits_;        // [kMostDrafts + 1, vocab]
  std::vector<int32_t> batch_;  // what is evaluated: a token that was sampled, then drafts
  size_t position_ = 0, row_ = 0;
  Evidence evidence_ = Evidence::kMatch2;  // of its drafts
  bool open_ = false;                      // what became of them is not told yet
};

}  // namespace finback
