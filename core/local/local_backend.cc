#include "core/local/local_backend.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <mutex>
#include <new>
#include <optional>

#include "core/base/file_map.h"
#include "core/base/machine_memory.h"
#include "core/base/process.h"
#include "core/base/processors.h"
#include "core/base/status.h"
#include "core/checkpoint/settings/generation_config.h"
#include "core/checkpoint/verify.h"
#include "core/kernels/isa.h"
#include "core/local/cache/disk_cache.h"
#include "core/local/checkpoint_folder.h"
#include "core/local/choices.h"
#include "core/local/isa_limit.h"
#include "core/local/local_stream.h"
#include "core/local/model_info.h"
#include "core/local/prompt.h"
#include "core/local/sampling_plan.h"
#include "core/local/sessions/session.h"
#include "core/local/together/scheduler.h"
#include "core/network/memory/memory_budget.h"
#include "core/network/model.h"
#include "core/tokenizer/tokenizer.h"
#include "core/tokenizer/tokenizer_file.h"

namespace finback {
namespace {

// Ids of some two million tokens that were sampled.
constexpr uint64_t kAnswerBytes = 8u << 20;

class LocalSequence final : public TokenSequence {
 public:
  LocalSequence(Scheduler* scheduler, const SessionShape& shape, MemoryBudget* budget)
      : scheduler_(scheduler),
        shape_(shape),
        budget_(budget),
        reservation_(budget, PlanOf(scheduler->model(), shape).empty, "a sequence"),
        sequence_(scheduler->model(), shape.context_tokens, shape.chunk_tokens, budget) {
    if (shape.restore_points != 0) {
      sequence_.KeepCheckpoints(kMostCheckpoints, PlanOf(scheduler->model(), shape).full);
    }
  }
  ~LocalSequence() override { scheduler_->Leave(sequence_); }

  void Evaluate(std::span<const int32_t> ids, Rows rows, float* logits) override {
    EvaluateControl control;
    control.cancel = &cancelled_;
    const LogitRows wanted = Chosen(kLogitRows, rows);
    // A cancel that came before the call stops it too; either way it is used up.
    struct Clear {
      std::atomic<bool>* flag;
      ~Clear() { flag->store(false, std::memory_order_relaxed); }
    } const clear{&cancelled_};
    if (cancelled_.load(std::memory_order_relaxed)) {
      throw Error(Code::kCancelled, "the evaluation was cancelled");
    }
    scheduler_->Evaluate({&sequence_, ids, wanted, logits}, control);
  }
  int64_t position() const override { return sequence_.position(); }
  int64_t context_tokens() const override { return shape_.context_tokens; }
  int32_t vocab() const override { return scheduler_->model().config().vocab; }
  void RollBack(int64_t tokens) override { scheduler_->RollBack(&sequence_, tokens); }
  std::unique_ptr<TokenSequence> Fork() const override {
    auto fork = std::make_unique<LocalSequence>(scheduler_, shape_, budget_);
    fork->sequence_.CopyFrom(sequence_);
    return fork;
  }
  std::vector<uint8_t> Snapshot() const override { return sequence_.Snapshot(); }
  void Restore(std::span<const uint8_t> bytes) override { sequence_.Restore(bytes); }
  void Cancel() noexcept override { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  static Sequence::Plan PlanOf(const Model& model, const SessionShape& shape) {
    return Sequence::PlanOf(model.config(), model.precision(), shape.context_tokens,
                            shape.chunk_tokens);
  }

  Scheduler* scheduler_;
  const SessionShape shape_;
  MemoryBudget* budget_;
  Reservation reservation_;
  Sequence sequence_;
  std::atomic<bool> cancelled_{false};
};

class LocalBackend final : public Backend {
 public:
  explicit LocalBackend(const EngineOptions& options);

  std::unique_ptr<Stream> Start(Request request) override;
  std::unique_ptr<Session> NewSession() override;
  std::string Info() override;
  void Verify(const std::string* sha256_list) override;
  std::vector<int32_t> Tokenize(std::string_view text, SpecialTokens special) override;
  std::string Detokenize(std::span<const int32_t> ids) override;
  std::string EncodeText(const Request& request) override;
  std::vector<int32_t> EncodeTokens(const Request& request) override;
  std::unique_ptr<TokenSequence> NewSequence() override;

  std::unique_ptr<Stream> StartIn(SessionState* session, const Request& request);
  AnswerPlan Plan(const Request& request);

 private:
  void TakeNotes();
  std::vector<int32_t> EosIds(const Tokenizer& tokenizer) const;
  const PromptTokenizer& prompts();
  const PromptTokenizer& ChatPrompts();  // the same, with all marks of the prompt format
  PromptRules rules() const;
  SchedulerShape scheduler_shape() const;
  Scheduler* scheduler();  // there as long as the engine is
  EncodedPrompt Encode(const Request& request) const;
  std::vector<int32_t> CompletionTokens(const Request& request);
  std::unique_ptr<Stream> MakeStream(AnswerPlan plan, SessionState* session,
                                     std::unique_ptr<SessionState> own);

  const EngineOptions options_;
  MemoryBudget budget_;
  Reservation copied_weights_;
  const std::unique_ptr<Model> model_;
  Conversations conversations_;
  const GenerationConfig generation_;
  std::vector<std::string> notes_;    // what was ignored or looks wrong in the folder
  std::unique_ptr<DiskCache> cache_;  // null: there is none
  std::unique_ptr<WrittenAnswers> answers_;
  SessionShape shape_;
  DraftSources drafts_;
  // Under lock_: what a fork() left half done or in use by a thread of the parent is made anew.
  void ForgetParent();

  ForkMutex lock_;  // of all below
  uint64_t process_ = ProcessGeneration();
  std::unique_ptr<PromptTokenizer> prompts_;
  std::vector<int32_t> eos_ids_;  // set with it, as what follows
  std::string missing_markup_;
  Reservation scratch_;  // of the scheduler, made when something is to be computed first
  std::unique_ptr<Scheduler> scheduler_;
  SharedAccount draft_account_;
};

class LocalSession final : public Session {
 public:
  LocalSession(LocalBackend* backend, std::unique_ptr<SessionState> state)
      : backend_(backend), state_(std::move(state)) {}
  std::unique_ptr<Stream> Start(Request request) override {
    return backend_->StartIn(state_.get(), request);
  }

 private:
  LocalBackend* backend_;
  std::unique_ptr<SessionState> state_;
};

// `action` is what the bytes are needed for, `instead` what can be done without them.
void RequireMemory(uint64_t bytes, const char* action, const char* instead) {
  const std::optional<MachineMemory> memory = AvailableMemory();
  if (!memory.has_value() || bytes <= static_cast<uint64_t>(memory->available_bytes)) return;
  Throw(Code::kBudget,
        "the weights need %" PRIu64 " bytes to be %s, and %" PRId64
        " are available%s: open "
        "them with %s",
        bytes, action, memory->available_bytes,
        memory->limited ? " within this process's memory limit" : "", instead);
}

// What there is for sequences and scratch, at most; 0: nobody knows.
uint64_t MemoryFor(uint64_t budget_bytes) {
  const std::optional<MachineMemory> memory = AvailableMemory();
  if (!memory) return budget_bytes;
  const uint64_t left = static_cast<uint64_t>(std::max<int64_t>(0, memory->available_bytes));
  return budget_bytes == 0 ? left : std::min(left, budget_bytes);
}

// What is kept beside what computes: all that the budget leaves; without one a part of what there
// is, and none of what mapped weights are read into.
ConversationLimits LimitsOf(const EngineOptions& options, const Model& model, uint64_t used) {
  ConversationLimits limits;
  limits.most = static_cast<size_t>(options.kept_conversations);
  if (options.memory_budget_bytes != 0) return limits;
  const uint64_t there = MemoryFor(0);
  const uint64_t mapped =
      options.weights == WeightsChoice::kMapped ? model.weights().total_bytes() : 0;
  limits.most_used = used + std::max((there - std::min(there, mapped)) / 4, there / 16) + 1;
  return limits;
}

// `copied` reserves what copied weights take.
std::unique_ptr<Model> OpenModel(const EngineOptions& options, MemoryBudget* budget,
                                 Reservation* copied) {
  const auto report = [&options](uint64_t done, uint64_t total) {
    if (options.progress && !options.progress("load", done, total)) {
      throw Error(Code::kCancelled, "opening was cancelled by the progress callback");
    }
  };
  report(0, 1);
  RequireCheckpointFolder(options.model);
  ModelOptions model_options;
  model_options.precision = Chosen(kPrecisions, options.precision);
  // More threads than processors wait for each other, and results are the same.
  const int processors = AvailableProcessors();
  model_options.threads = options.threads > 0 ? std::min(options.threads, processors) : processors;
  if (options.weights == WeightsChoice::kCopied) {
    model_options.weights.copy = [&](uint64_t done, uint64_t total) {
      if (done == 0) {
        *copied = Reservation(budget, total, "the copy of the weights");
        RequireMemory(total, "copied", "weights=mapped");
      }
      if (done < total) report(done, total);
    };
  }
  auto model = Model::Open(options.model, model_options);
  model->weights().CheckSamples();
  const uint64_t bytes = model->weights().total_bytes();
  if (options.prefault && options.weights == WeightsChoice::kMapped) {
    RequireMemory(bytes, "read into memory", "prefault=0");
    model->weights().Prefault([&report](uint64_t done, uint64_t total) {
      if (done < total) report(done, total);
    });
  }
  report(bytes, bytes);
  return model;
}

LocalBackend::LocalBackend(const EngineOptions& options)
    : options_(options),
      budget_(options.memory_budget_bytes),
      model_(OpenModel(options, &budget_, &copied_weights_)),
      conversations_(&budget_, LimitsOf(options, *model_, budget_.used())),
      generation_(LoadGenerationConfig(options.model, model_->config().vocab)) {
  const int64_t limit = model_->config().max_position;
  if (options.context_tokens > limit) {
    Throw(Code::kInvalidArgument,
          "option context_tokens: %" PRId64 " is more than the model's limit of %" PRId64,
          options.context_tokens, limit);
  }
  shape_.context_tokens =
      options.context_tokens > 0 ? options.context_tokens : std::min(limit, kDefaultContextTokens);
  shape_.chunk_tokens = options.chunk_tokens > 0
                            ? options.chunk_tokens
                            : ChooseChunkTokens(*model_, shape_.context_tokens,
                                                MemoryFor(options.memory_budget_bytes));
  shape_.restore_points = options.restore_points;
  drafts_ = ChooseDrafts(*model_, options.draft);
  TakeNotes();
  if (!options_.cache_folder.empty()) {
    cache_ = std::make_unique<DiskCache>(
        *model_, DiskCacheOptions{options_.cache_folder, options_.cache_bytes, options_.log});
  }
  answers_ = std::make_unique<WrittenAnswers>(kAnswerBytes, &budget_, cache_.get());
  if (options_.log) {
    options_.log(
        LogLevel::kInformation,
        Format("opened %s: %zu tensors, %" PRIu64 " bytes, kernels %s", options_.model.c_str(),
               model_->weights().tensors().size(), model_->weights().total_bytes(), LocalIsa())
            .c_str());
    for (const std::string& note : notes_) options_.log(LogLevel::kWarning, note.c_str());
  }
}

// What the tokenizer that text will need lacks, by its file alone: engines for token ids do not
// load it. A file that cannot be read or is no JSON is told of when text comes.
std::string TokenizerNote(const std::string& path) {
  std::string file;
  try {
    file = ReadFile(path, TokenizerFile::kMaxBytes);
  } catch (const Error&) {
    return "";
  }
  const std::string missing = file.starts_with('{') ? UnspelledMarkup(file) : "";
  if (missing.empty()) return "";
  return "tokenizer.json: has no " + missing + ": it is another model's, and chats are refused";
}

void LocalBackend::TakeNotes() {
  for (const std::string& note : model_->config().notes) notes_.push_back("config.json: " + note);
  for (const std::string& note : generation_.notes) {
    notes_.push_back("generation_config.json: " + note);
  }
  if (model_->config().foreign_drafts) {
    notes_.push_back("draft blocks (mtp.*) are of another design or have no schedule: not run");
  }
  if (std::string note = TokenizerNote(options_.model + "/tokenizer.json"); !note.empty()) {
    notes_.push_back(std::move(note));
  }
}

// Every end that any file of the checkpoint names: the configuration's, the generation
// configuration's and the tokenizer's.
std::vector<int32_t> LocalBackend::EosIds(const Tokenizer& tokenizer) const {
  std::vector<int32_t> ids = model_->config().eos_ids;
  ids.insert(ids.end(), generation_.eos_ids.begin(), generation_.eos_ids.end());
  std::vector<std::string> ignored;
  const std::string text = LoadEosToken(options_.model, &ignored);
  const int32_t id = text.empty() ? -1 : tokenizer.FindToken(text);
  if (id >= 0 && tokenizer.IsAdded(id)) ids.push_back(id);
  return ids;
}

void LocalBackend::ForgetParent() {
  const bool orphaned = lock_.TakeOrphaned();
  if (process_ == ProcessGeneration()) return;
  process_ = ProcessGeneration();
  // Nobody knows what state it is in, so it is never freed.
  if (orphaned) {
    static_cast<void>(prompts_.release());
    new (&eos_ids_) std::vector<int32_t>();
    new (&missing_markup_) std::string();
    static_cast<void>(scheduler_.release());
    new (&scratch_) Reservation();
  }
}

const PromptTokenizer& LocalBackend::prompts() {
  const std::lock_guard<ForkMutex> guard(lock_);
  ForgetParent();
  if (prompts_ == nullptr) {
    const std::string path = options_.model + "/tokenizer.json";
    if (struct stat info; stat(path.c_str(), &info) != 0 && errno == ENOENT) {
      Throw(Code::kNotFound,
            "%s: not found, and text needs it: download it from the model's page into this folder",
            path.c_str());
    }
    auto tokenizer = Tokenizer::Load(options_.model);
    const int32_t vocab = model_->config().vocab;
    for (int32_t id = vocab; id < tokenizer->size(); ++id) {
      // A pad token that someone added is never used; a token of the vocabulary would be.
      if (tokenizer->Bytes(id).empty() || tokenizer->IsAdded(id)) continue;
      Throw(Code::kCheckpoint,
            "%s/tokenizer.json: ids up to %d, but vocab_size is %d: it is another model's",
            options_.model.c_str(), tokenizer->size() - 1, vocab);
    }
    missing_markup_ = MissingMarkup(*tokenizer);
    eos_ids_ = EosIds(*tokenizer);
    prompts_ = std::make_unique<PromptTokenizer>(std::move(tokenizer), vocab);
  }
  return *prompts_;
}

const PromptTokenizer& LocalBackend::ChatPrompts() {
  const PromptTokenizer& prompts = this->prompts();
  if (!missing_markup_.empty()) {
    Throw(
        Code::kCheckpoint,
        "%s/tokenizer.json: no token of its own for %s: this is not DeepSeek-V4's tokenizer, a "
        "chat's roles would be read as plain text (take tokenizer.json from the model's page; plain "
        "completions and token ids do without)",
        options_.model.c_str(), missing_markup_.c_str());
  }
  return prompts;
}

PromptRules LocalBackend::rules() const {
  PromptRules rules;
  rules.ladder = Chosen(kLadders, options_.effort_ladder).value_or(model_->config().effort_ladder);
  rules.thinking = generation_.has_thinking ? generation_.thinking : true;
  rules.trust_all = options_.trust_all;
  return rules;
}

EncodedPrompt LocalBackend::Encode(const Request& request) const {
  RequireInProcess(request);
  return EncodeChat(PromptMessages(request), {}, ChatOptions(request, rules()));
}

std::vector<int32_t> LocalBackend::CompletionTokens(const Request& request) {
  const PromptTokenizer& prompts = this->prompts();
  std::vector<int32_t> ids = prompts.Encode({{request.prompt, request.recognize_special}});
  const int32_t bos = model_->config().bos_id;
  const bool missing = ids.empty() || ids.front() != bos;
  if (request.add_bos == Toggle::kOn || (request.add_bos == Toggle::kDefault && missing)) {
    ids.insert(ids.begin(), bos);
  }
  if (ids.empty()) throw Error(Code::kInvalidRequest, "prompt: must not be empty");
  return ids;
}

AnswerPlan LocalBackend::Plan(const Request& request) {
  RequireInProcess(request);
  model_->weights().CheckFiles();
  AnswerPlan plan;
  plan.max_tokens = request.max_tokens;
  AnswerKind kind;
  if (request.is_chat) {
    EncodeOptions options = ChatOptions(request, rules());
    const std::vector<PromptMessage> messages = PromptMessages(request);
    plan.reading.parsing = AnswerMode(request, options);
    plan.reading.goes_on = GoesOn(request);
    plan.reading.object =
        request.response_format == ResponseFormat::kJsonObject && !plan.reading.goes_on;
    plan.reading.tools = OfferedTools(messages);
    plan.notices.push_back(UnreadParts(request));
    kind.thinking = options.thinking == ThinkingMode::kThinking;
    kind.tools = !plan.reading.tools.empty();
    if (plan.max_tokens < 0) plan.max_tokens = DefaultMaxTokens(kind.thinking, request.effort);
    const PromptTokenizer& prompts = ChatPrompts();
    const auto find = [&](const WrittenKey& key) {
      return answers_->Find(key, prompts.tokenizer()).value_or(SampledIds());
    };
    const SampledText sampled{
        [&](const std::string& reasoning) { return find(ReasoningKey(reasoning)); },
        [&](const PromptMessage& answer) {
          return find(AnswerKey(answer.content, answer.tool_calls));
        }};
    options.sampled = &sampled;
    TokenizedPrompt prompt = prompts.Encode(EncodeChat(messages, {}, options));
    plan.remember = !plan.reading.goes_on;
    plan.ids = std::move(prompt.ids);
    plan.parts = std::move(prompt.parts);
  } else {
    plan.ids = CompletionTokens(request);
  }
  plan.sampling = PlanSampling(request, generation_, kind, model_->config().vocab);
  if (static_cast<int64_t>(plan.ids.size()) > shape_.context_tokens) {
    Throw(Code::kContextFull,
          "the prompt has %zu tokens, context_tokens is %" PRId64 " (the model's limit is %" PRId64
          ")",
          plan.ids.size(), shape_.context_tokens, model_->config().max_position);
  }
  plan.reading.stop = request.stop;
  plan.notices.push_back(LeftOutInProcess(request));
  plan.top_logprobs = request.top_logprobs;
  plan.chunk_tokens = shape_.chunk_tokens;
  plan.progress_events = request.progress_events;
  plan.restore_points = shape_.restore_points;
  return plan;
}

std::unique_ptr<Stream> LocalBackend::MakeStream(AnswerPlan plan, SessionState* session,
                                                 std::unique_ptr<SessionState> own) {
  struct EndOnFailure {
    SessionState* session;
    ~EndOnFailure() {
      if (session != nullptr) session->End();
    }
  } guard{own == nullptr ? session : nullptr};  // its own goes with the stream
  const AnswerContext context{*model_,      prompts().tokenizer(), options_.progress, eos_ids_,
                              options_.log, answers_.get(),        cache_.get(),      drafts_,
                              &budget_,     &draft_account_};
  auto stream = std::make_unique<LocalStream>(context, std::move(plan), session, std::move(own));
  guard.session = nullptr;
  return stream;
}

std::unique_ptr<Stream> LocalBackend::StartIn(SessionState* session, const Request& request) {
  AnswerPlan plan = Plan(request);
  if (!session->TryBegin()) {
    Throw(Code::kInvalidArgument, "the session is busy: its previous stream is not over");
  }
  return MakeStream(std::move(plan), session, nullptr);
}

std::unique_ptr<Stream> LocalBackend::Start(Request request) {
  AnswerPlan plan = Plan(request);
  auto own = std::make_unique<SessionState>(scheduler(), shape_, &budget_, &conversations_,
                                            SessionState::Leaves::kForAnybody);
  own->TryBegin();
  SessionState* session = own.get();
  return MakeStream(std::move(plan), session, std::move(own));
}

SchedulerShape LocalBackend::scheduler_shape() const {
  return {.context_tokens = shape_.context_tokens,
          .chunk_tokens = shape_.chunk_tokens,
          .most_together = options_.most_together,
          .prefill_pause_ms = options_.prefill_pause_ms};
}

Scheduler* LocalBackend::scheduler() {
  const std::lock_guard<ForkMutex> guard(lock_);
  ForgetParent();
  if (scheduler_ == nullptr) {
    const SchedulerShape shape = scheduler_shape();
    Reservation scratch(&budget_, Scheduler::PlanBytes(*model_, shape),
                        "the working memory of an engine");
    scheduler_ = std::make_unique<Scheduler>(*model_, shape);
    scratch_ = std::move(scratch);
  }
  return scheduler_.get();
}

std::unique_ptr<Session> LocalBackend::NewSession() {
  return std::make_unique<LocalSession>(
      this, std::make_unique<SessionState>(scheduler(), shape_, &budget_, &conversations_));
}

std::string LocalBackend::Info() {
  return ModelInfoJson({*model_, generation_, rules().ladder, shape_.context_tokens,
                        shape_.chunk_tokens,
                        Sequence::PlanBytes(model_->config(), model_->precision(),
                                            shape_.context_tokens, shape_.chunk_tokens),
                        Scheduler::PlanBytes(*model_, scheduler_shape()), budget_.limit(),
                        options_.weights == WeightsChoice::kCopied, notes_});
}

void LocalBackend::Verify(const std::string* sha256_list) {
  const auto report = [this](uint64_t done, uint64_t total) {
    return !options_.progress || options_.progress("verify", done, total);
  };
  if (sha256_list != nullptr) VerifySha256(model_->weights(), *sha256_list, report);
  model_->weights().VerifyAll(report);
  struct stat info;
  if (stat((options_.model + "/tokenizer.json").c_str(), &info) == 0) ChatPrompts();
}

std::vector<int32_t> LocalBackend::Tokenize(std::string_view text, SpecialTokens special) {
  std::vector<int32_t> ids;
  prompts().tokenizer().Encode(text, Chosen(kSpecialTokens, special), &ids);
  return ids;
}

std::string LocalBackend::Detokenize(std::span<const int32_t> ids) {
  const Tokenizer& tokenizer = prompts().tokenizer();
  for (size_t i = 0; i < ids.size(); ++i) {
    if (tokenizer.Bytes(ids[i]).empty()) {
      Throw(Code::kInvalidArgument, "ids[%zu]: the tokenizer has no token %d", i, ids[i]);
    }
  }
  return tokenizer.Decode(std::vector<int32_t>(ids.begin(), ids.end()));
}

std::string LocalBackend::EncodeText(const Request& request) { return Encode(request).Text(); }

std::vector<int32_t> LocalBackend::EncodeTokens(const Request& request) {
  return ChatPrompts().Encode(Encode(request).spans);
}

std::unique_ptr<TokenSequence> LocalBackend::NewSequence() {
  return std::make_unique<LocalSequence>(scheduler(), shape_, &budget_);
}

}  // namespace

std::shared_ptr<Backend> OpenLocalBackend(const EngineOptions& options) {
  CheckIsaLimit();
  return std::make_shared<LocalBackend>(options);
}

std::vector<const char*> LocalIsasCompiled() {
  std::vector<const char*> names;
  for (const IsaTier& tier : IsaTiers()) names.push_back(tier.name);
  return names;
}
const char* LocalIsa() { return IsaName(ActiveIsa()); }
std::vector<const char*> LocalIsasHere() { return IsasHere(); }
std::string LocalIsaReason() { return IsaReason(ActiveIsa(), IsaLimit()); }

}  // namespace finback
