#include "core/local/drafts/drafter.h"

#include <algorithm>
#include <chrono>
#include <new>

namespace finback {
namespace {

// Room for so much of an answer is taken at once, and twice as much each time that it is full.
constexpr size_t kAnswerRoom = 2048;
constexpr size_t kShortestMatch = 2;  // one token says too little of what comes next
// Rows that the block has not seen are kept for it, and shown to it while it is in use.
constexpr size_t kUnseen = DraftBlock::kRows;

double Now() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Drafter::Drafter(const Model& model, DraftSources sources, MemoryBudget* budget,
                 SharedAccount* shared)
    : model_(model), budget_(budget), shared_(shared), account_(shared->Load()) {
  account_.BeginAnswer();
  batch_.reserve(kMostDrafts + 1);
  batch_.push_back(-1);
  if (!sources.any()) return;
  const size_t logits = (kMostDrafts + 1) * static_cast<size_t>(model.config().vocab);
  reservation_ = Reservation::Try(budget, logits * sizeof(float));
  if (!reservation_.taken()) return;
  logits_.Allocate(logits);
  if (sources.lookup) lookup_ = std::make_unique<Lookup>();
  if (sources.block && DraftBlock::IsIn(model)) {
    const size_t rows = kUnseen + kMostDrafts + 1;
    const size_t floats = rows * model.compute().sizes.residual();
    block_reservation_ =
        Reservation::Try(budget, DraftBlock::PlanBytes(model) + floats * sizeof(float));
    if (!block_reservation_.taken()) return;
    streams_.Allocate(floats);
    unseen_.reserve(rows);
    block_ = std::make_unique<DraftBlock>(model);
  }
}

Drafter::~Drafter() {
  Close(Open::kYes);
  if (lookup_ != nullptr || block_ != nullptr) shared_->Store(account_);
}

void Drafter::Begin(std::span<const int32_t> prompt, size_t most_answer) {
  prompt_ = prompt;
  most_answer_ = most_answer;
  answer_room_ = kAnswerRoom;
}

// The last rows of the prompt, but for its last token, are remembered: as many as its window has.
size_t Drafter::RowsToWatch(size_t position, size_t count) const {
  const size_t window = static_cast<size_t>(model_.config().window);
  const size_t end = prompt_.size(), first = end - std::min(end, window);
  return position + count - std::clamp(first, position, position + count);
}

void Drafter::Watch(size_t position, Segment* segment) {
  if (logits_.size() != 0) segment->logits = logits_.data();
  if (block_ == nullptr) return;
  const size_t rows = RowsToWatch(position, segment->ids.size());
  const size_t floats = rows * model_.compute().sizes.residual();
  if (rows == 0) return;
  if (position + rows == prompt_.size() &&
      rows == 1) {  // the last token alone: nothing follows yet
    segment->stream_rows = 1;
    segment->streams = streams_.data();
    return;
  }
  if (tail_.size() < floats) {
    tail_reservation_ = Reservation::Try(budget_, floats * sizeof(float));
    if (!tail_reservation_.taken()) return;
    tail_.Allocate(floats);
  }
  segment->stream_rows = rows;
  segment->streams = tail_.data();
}

void Drafter::Watched(size_t position, const Segment& segment) {
  if (block_ == nullptr || segment.stream_rows == 0) return;
  const size_t end = position + segment.ids.size(), first = end - segment.stream_rows;
  unseen_position_ = first;
  rows_kept_ = segment.streams == streams_.data();
  if (rows_kept_) return;
  block_->Remember(first, tail_.data(), prompt_.subspan(first + 1, segment.stream_rows));
  unseen_position_ = end;
}

void Drafter::GrowLookup() {
  const size_t known = prompt_.size() + std::min(most_answer_, answer_room_);
  Reservation more = Reservation::Try(budget_, Lookup::PlanBytes(known));
  try {
    if (known > Lookup::kMostTokens || !more.taken()) throw std::bad_alloc();
    lookup_->Reserve(known);
    lookup_reservation_ = std::move(more);
    answer_room_ *= 2;
  } catch (const std::bad_alloc&) {  // it can do without
    lookup_.reset();
    lookup_reservation_ = Reservation();
  }
}

void Drafter::Learn(int32_t id) {
  if (lookup_ == nullptr) return;
  if (lookup_->room() == 0) GrowLookup();
  if (lookup_ != nullptr) lookup_->Append(id);
}

// The rows that were sampled from, of the batch before `next`, come to what the block has not seen.
void Drafter::TakeRows(int32_t next) {
  if (block_ == nullptr) return;
  if (!rows_kept_) {
    unseen_.clear();
    return;
  }
  unseen_.insert(unseen_.end(), batch_.begin() + 1, batch_.begin() + 1 + static_cast<long>(row_));
  unseen_.push_back(next);
}

void Drafter::ShowUnseen() {
  if (unused_ < kInUse) block_->Remember(unseen_position_, streams_.data(), unseen_);
  unseen_.clear();
}

void Drafter::AskBlock(std::span<int32_t> out) {
  const double begin = Now();
  block_->Guess(unseen_position_, streams_.data(), unseen_, out);
  unseen_.clear();
  account_.Guessed(out.size(), Now() - begin);
  unused_ = 0;
}

// Puts drafts behind `next`, the batch's first.
void Drafter::Draft(size_t most) {
  if (most == 0 || account_.MustMeasure()) return;
  Account::Choice match, guess;
  Evidence of_match = Evidence::kMatch2;
  if (lookup_ != nullptr && lookup_->matched() >= kShortestMatch) {
    of_match = EvidenceOfMatch(lookup_->matched());
    match = account_.Choose(of_match, most);
  }
  if (block_ != nullptr && !unseen_.empty()) guess = account_.Choose(Evidence::kBlock, most);
  const bool by_block = guess.tokens > 0 && (match.tokens == 0 || guess.gain > match.gain);
  evidence_ = by_block ? Evidence::kBlock : of_match;
  batch_.resize(1 + (by_block ? guess.tokens : match.tokens));
  const std::span<int32_t> drafts = std::span<int32_t>(batch_).subspan(1);
  if (drafts.empty()) return;
  if (by_block) {
    AskBlock(drafts);
  } else {
    lookup_->Propose(drafts);
  }
}

Segment Drafter::Propose(int32_t next, size_t position, size_t most) {
  position_ = position;
  if (lookup_ == nullptr && block_ == nullptr) {
    batch_[0] = next;
    return SegmentOf(LogitRows::kLast);
  }
  if (!learnt_) {
    learnt_ = true;
    for (const int32_t id : prompt_) Learn(id);
  }
  TakeRows(next);
  Close(Open::kNo);
  Learn(next);
  batch_.assign(1, next);
  row_ = 0;
  ++unused_;
  Draft(std::min(most, kMostDrafts));
  return SegmentOf(LogitRows::kAll);
}

Segment Drafter::WithoutDrafts() {
  batch_.resize(1);
  return SegmentOf(LogitRows::kAll);
}

Segment Drafter::SegmentOf(LogitRows rows) {
  Segment segment{nullptr, batch_, rows, logits_.data()};
  rows_kept_ = false;
  if (block_ == nullptr) return segment;
  if (unseen_.size() >= kUnseen) ShowUnseen();
  const size_t residual = model_.compute().sizes.residual();
  if (unseen_.empty()) unseen_position_ = position_;
  segment.stream_rows = batch_.size();
  segment.streams = streams_.data() + unseen_.size() * residual;
  return segment;
}

void Drafter::Done(double ns) {
  account_.Step(batch_.size(), ns);
  open_ = batch_.size() > 1;
  rows_kept_ = block_ != nullptr;
}

bool Drafter::Follow(int32_t id) {
  if (row_ + 1 == batch_.size() || batch_[row_ + 1] != id) return false;
  ++row_;
  Learn(id);
  return true;
}

void Drafter::Close(Open open) {
  if (!open_) return;
  open_ = false;
  account_.Verified(evidence_, batch_.size() - 1, row_, open == Open::kYes);
}

float* Drafter::logits() {
  if (logits_.size() == 0) return nullptr;
  return logits_.data() + row_ * static_cast<size_t>(model_.config().vocab);
}

}  // namespace finback
