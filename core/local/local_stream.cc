#include "core/local/local_stream.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>

#include "core/base/contains.h"
#include "core/base/random.h"
#include "core/base/status.h"

namespace finback {
namespace {

constexpr size_t kQueueSlots = 16;
constexpr size_t kTextBytes = 256;  // reserved: more than any token's text, with what was held back

// Unique within a conversation, whose prompts grow, and the same for the same seed and prompt.
uint64_t CallSeed(const AnswerPlan& plan) {
  return plan.sampling.seed ^ (static_cast<uint64_t>(plan.ids.size()) * kSplitMixStep);
}

// What others begin with, too, if it is long enough to be worth a mark of its own.
int64_t HeadTokens(const AnswerPlan& plan) {
  size_t tokens = 0;
  for (const PromptPart& part : plan.parts) {
    if (part.is_head) tokens = part.end;
  }
  return tokens < kCheckpointTokens || tokens >= plan.ids.size() ? 0 : static_cast<int64_t>(tokens);
}

// Where others may go on: behind what they begin with, too, behind the last messages, and before
// the last id, which opens or skips reasoning and is what a later rendering may change.
std::vector<WantedCheckpoint> WantedPlaces(const AnswerPlan& plan) {
  std::vector<WantedCheckpoint> wanted;
  const size_t last = plan.ids.size() - 1;
  for (const PromptPart& part : plan.parts) {
    if (part.end == 0 || part.end >= last) continue;
    wanted.push_back({part.end, part.is_head ? CheckpointKind::kHead : CheckpointKind::kEnd});
  }
  wanted.push_back({last, CheckpointKind::kEnd});
  // Of many ends only the last ones stay.
  size_t ends = 0;
  for (size_t i = wanted.size(); i-- > 0;) {
    if (wanted[i].kind != CheckpointKind::kEnd) continue;
    if (ends++ < static_cast<size_t>(plan.restore_points)) continue;
    wanted.erase(wanted.begin() + static_cast<ptrdiff_t>(i));
  }
  return wanted;
}

size_t MostAnswer(const AnswerPlan& plan, int64_t context_tokens) {
  const int64_t room = context_tokens - static_cast<int64_t>(plan.ids.size()) + 1;
  return static_cast<size_t>(plan.max_tokens < 0 ? room : std::min(room, plan.max_tokens));
}

double NsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

LocalStream::LocalStream(const AnswerContext& context, AnswerPlan plan, SessionState* session,
                         std::unique_ptr<SessionState> own)
    : context_(context),
      plan_(std::move(plan)),
      own_(std::move(own)),
      session_(nullptr),
      drafter_(context.model, context.drafts, context.budget, context.draft_account),
      detokenizer_(&context.tokenizer),
      queue_(kQueueSlots),
      reader_(std::move(plan_.reading), CallSeed(plan_), &queue_) {
  sampler_.Configure(plan_.sampling, context.model.config().vocab);
  drafter_.Begin(plan_.ids, MostAnswer(plan_, session->sequence().context_tokens()));
  if (plan_.top_logprobs >= 0) logprobs_.resize(static_cast<size_t>(plan_.top_logprobs) + 1);
  text_.reserve(kTextBytes);
  if (plan_.remember) ReserveAnswer();
  usage_.prompt_tokens = static_cast<int64_t>(plan_.ids.size());
  for (const std::string& notice : plan_.notices) {
    if (!notice.empty()) queue_.Push(EventKind::kNotice)->text = notice;
  }
  session_ = session;  // last: a constructor that throws leaves the session to its caller
}

// So that no step need do so. Memory that is not used is not taken either.
void LocalStream::ReserveAnswer() {
  constexpr size_t kMostTokens = 1u << 16, kBytesOfToken = 8;
  size_t tokens = static_cast<size_t>(context_.model.config().max_position);
  if (plan_.max_tokens >= 0) tokens = std::min(tokens, static_cast<size_t>(plan_.max_tokens));
  tokens = std::min(tokens, kMostTokens);
  written_.thinking = reader_.in_reasoning();
  written_.ids.reserve(tokens);
  written_.content.reserve(tokens * kBytesOfToken);
  if (written_.thinking) written_.reasoning.reserve(tokens * kBytesOfToken);
}

LocalStream::~LocalStream() {
  End();
  KeepOnDisk();
}

void LocalStream::End() noexcept {
  if (session_ != nullptr) DropDrafts();
  phase_ = Phase::kOver;
  if (session_ == nullptr) return;
  SharedMark mark = session_->Keep(SessionState::Stream::kOver);
  if (context_.cache != nullptr) leaving_ = std::move(mark);
  session_->End();
  session_ = nullptr;
  own_.reset();
}

void LocalStream::KeepOnDisk() noexcept {
  if (leaving_ != nullptr) context_.cache->Keep(*leaving_);
  leaving_ = nullptr;
  if (!records_.empty()) context_.answers->KeepOnDisk(records_);
  records_.clear();
}

bool LocalStream::Step(Event* event) {
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  try {
    while (queue_.empty()) {
      if (phase_ == Phase::kOver) {
        KeepOnDisk();
        return false;
      }
      if (cancelled_.load(std::memory_order_relaxed)) {
        throw Error(Code::kCancelled, "the answer was cancelled");
      }
      Advance();
    }
  } catch (const std::exception&) {
    failure_ = std::current_exception();
    End();
    throw;
  }
  queue_.Pop(event);
  if (plan_.remember) {
    try {
      Collect(*event);
    } catch (const std::exception&) {  // it is encoded anew then
      written_.is_odd = true;
    }
  }
  return true;
}

// What the answer is told as is what comes back.
void LocalStream::Collect(const Event& event) {
  written_.is_odd = written_.is_odd || event.ends_reasoning;
  switch (event.kind) {
    case EventKind::kReasoning:
      written_.reasoning += event.text;
      break;
    case EventKind::kContent:
      written_.content += event.text;
      break;
    case EventKind::kToolCall:
      ++open_calls_;
      break;
    case EventKind::kToolCallEnd:
      --open_calls_;
      written_.calls.push_back({event.tool_id, event.tool_name, event.text});
      break;
    case EventKind::kFinish:
      written_.is_odd = written_.is_odd || open_calls_ != 0;
      records_ = context_.answers->Remember(written_, context_.tokenizer);
      break;
    default:
      break;
  }
}

void LocalStream::Advance() {
  switch (phase_) {
    case Phase::kRewind:
      Rewind();
      break;
    case Phase::kPrefill:
      Prefill();
      break;
    case Phase::kDecode:
      Decode();
      break;
    case Phase::kOver:
      break;
  }
}

void LocalStream::RestoreFromDisk() {
  // To compute fewer takes no longer than to look.
  constexpr int64_t kLeast = 16;
  if (context_.cache == nullptr) return;
  if (usage_.prompt_tokens - usage_.cached_tokens < kLeast) return;
  const int64_t position = session_->Restore(plan_.ids, *context_.cache);
  usage_.disk_tokens = position - usage_.cached_tokens;
  usage_.cached_tokens = position;
}

void LocalStream::Rewind() {
  const Reuse reuse = session_->Rewind(plan_.ids, WantedPlaces(plan_));
  usage_.cached_tokens = reuse.tokens;
  RestoreFromDisk();
  if (context_.log) LogReuse(reuse);
  phase_ = Phase::kPrefill;
}

// Says nothing of what the prompt says.
void LocalStream::LogReuse(const Reuse& reuse) const {
  static constexpr const char* kSources[] = {"nothing that is kept", "its own session",
                                             "a kept conversation", "a running conversation"};
  std::string line =
      Format("prompt of %" PRId64 " tokens: %" PRId64 " were there, from %s", usage_.prompt_tokens,
             usage_.cached_tokens, kSources[static_cast<size_t>(reuse.source)]);
  if (usage_.disk_tokens > 0) line += Format(" and %" PRId64 " from the disk", usage_.disk_tokens);
  if (reuse.nearest > 0 && reuse.nearest + 1 < usage_.prompt_tokens) {
    const auto part = std::find_if(
        plan_.parts.begin(), plan_.parts.end(),
        [&](const PromptPart& one) { return one.end > static_cast<size_t>(reuse.nearest); });
    line += Format("; the nearest that is in memory differs from token %" PRId64, reuse.nearest);
    if (part != plan_.parts.end()) line += ", in " + part->name;
  }
  context_.log(LogLevel::kInformation, line.c_str());
}

void LocalStream::Evaluate(const Segment& segment, EvaluateControl control) {
  control.cancel = &cancelled_;
  session_->Evaluate(segment, control);
}

void LocalStream::EvaluatePrompt(std::span<const int32_t> ids, LogitRows rows, int64_t done) {
  EvaluateControl control;
  // Two words of captures: small enough for the function object to hold without allocating.
  struct Report {
    const LocalStream* stream;
    int64_t before;
  } report{this, done};
  if (context_.progress) {
    control.progress = [report](int64_t now, int64_t) {
      return report.stream->context_.progress(
          "prefill", static_cast<uint64_t>(report.before + now),
          static_cast<uint64_t>(report.stream->usage_.prompt_tokens));
    };
  }
  Segment segment{nullptr, ids, rows};
  drafter_.Watch(static_cast<size_t>(done), &segment);
  Evaluate(segment, std::move(control));
  drafter_.Watched(static_cast<size_t>(done), segment);
}

void LocalStream::Prefill() {
  const std::span<const int32_t> ids = plan_.ids;
  const int64_t total = usage_.prompt_tokens;
  const int64_t position = session_->sequence().position();
  const int64_t left = total - 1 - position;
  if (left > 0) {
    int64_t count = left;
    if (plan_.progress_events) count = std::min<int64_t>(left, plan_.chunk_tokens);
    const int64_t head = HeadTokens(plan_) - position;
    if (head > 0) count = std::min(count, head);
    EvaluatePrompt(ids.subspan(static_cast<size_t>(position), static_cast<size_t>(count)),
                   LogitRows::kNone, position);
    // Others that begin alike need not wait for the rest.
    if (count == head) session_->Keep(SessionState::Stream::kRuns);
  } else {
    if (reader_.is_chat()) session_->Keep(SessionState::Stream::kRuns);
    EvaluatePrompt(ids.last(1), LogitRows::kLast, position);
    phase_ = Phase::kDecode;
  }
  if (plan_.progress_events) {
    Event* event = queue_.Push(EventKind::kProgress);
    event->progress_done = session_->sequence().position();
    event->progress_total = total;
  }
}

// Tokens that are in memory when the next one is sampled, if there are no drafts: all but the one
// that was sampled last.
int64_t LocalStream::Evaluated() const {
  return usage_.prompt_tokens + std::max<int64_t>(0, usage_.completion_tokens - 1);
}

// As many as can be sampled after the next token, and taken back for nothing.
size_t LocalStream::MostDrafts() const {
  const int64_t context = session_->sequence().context_tokens();
  int64_t most = std::min<int64_t>(context - Evaluated(), plan_.chunk_tokens) - 1;
  if (plan_.max_tokens >= 0) most = std::min(most, plan_.max_tokens - usage_.completion_tokens - 1);
  return static_cast<size_t>(std::clamp<int64_t>(most, 0, kMostDrafts));
}

// Forgets drafts that were not sampled.
void LocalStream::DropDrafts() {
  Sequence& memory = session_->sequence();
  if (phase_ == Phase::kDecode && memory.position() > Evaluated()) {
    memory.RollBack(memory.position() - Evaluated());
  }
}

void LocalStream::EvaluateNext() {
  DropDrafts();
  const size_t position = static_cast<size_t>(Evaluated());
  const Segment segment = drafter_.Propose(next_id_, position, MostDrafts());
  const auto begin = std::chrono::steady_clock::now();
  try {
    Evaluate(segment);
  } catch (const Error& error) {  // what would do without drafts must not fail for them
    if (error.code() != Code::kBudget || drafter_.proposed() == 0) throw;
    Evaluate(drafter_.WithoutDrafts());
  }
  drafter_.Done(NsSince(begin));
  usage_.proposed_tokens += static_cast<int64_t>(drafter_.proposed());
}

std::span<float> LocalStream::logits() {
  float* row = drafter_.logits();
  return row == nullptr ? session_->logits() : std::span<float>(row, session_->logits().size());
}

void LocalStream::Decode() {
  if (next_id_ >= 0) {
    if (drafter_.Follow(next_id_)) {
      ++usage_.accepted_tokens;
    } else {
      EvaluateNext();
    }
    next_id_ = -1;
  }
  const int32_t id = sampler_.Sample(logits());
  ++usage_.completion_tokens;
  if (reader_.in_reasoning()) ++usage_.reasoning_tokens;
  if (Contains(context_.eos_ids, id)) {
    Finish(FinishReason::kStop);
    return;
  }
  if (plan_.top_logprobs >= 0) RecordLogprobs(id);
  if (plan_.remember) written_.ids.push_back(id);
  text_.clear();
  detokenizer_.Push(id, &text_);
  reader_.Push(text_);
  if (reader_.over()) {
    Finish(FinishReason::kStop);
  } else if (usage_.completion_tokens == plan_.max_tokens ||
             Evaluated() == session_->sequence().context_tokens()) {
    Finish(FinishReason::kLength);
  } else {
    next_id_ = id;
  }
}

void LocalStream::RecordLogprobs(int32_t id) {
  const Tokenizer& tokenizer = context_.tokenizer;
  const int32_t top = std::min(plan_.top_logprobs, context_.model.config().vocab);
  sampler_.Logprobs(logits(), id, top, logprobs_);
  TokenLogprob token;
  token.id = id;
  token.logprob = static_cast<float>(logprobs_[0].logprob);
  token.text = tokenizer.Bytes(id);
  for (int32_t i = 1; i <= top; ++i) {
    const Logprob& other = logprobs_[static_cast<size_t>(i)];
    token.top.push_back(
        {other.id, static_cast<float>(other.logprob), std::string(tokenizer.Bytes(other.id))});
  }
  reader_.AddLogprob(std::move(token));
}

void LocalStream::Finish(FinishReason reason) {
  DropDrafts();
  text_.clear();
  detokenizer_.Finish(&text_);
  reason = reader_.Finish(text_, reason);
  Event* event = queue_.Push(EventKind::kFinish);
  event->finish_reason = reason;
  event->usage = usage_;
  End();
}

}  // namespace finback
