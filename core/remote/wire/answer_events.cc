#include "core/remote/wire/answer_events.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/engine/call_check.h"
#include "core/json/json_writer.h"
#include "core/json/lenient_json.h"
#include "core/remote/transport/error_body.h"

namespace finback {
namespace {

// Beyond these an answer is an attack or an accident.
constexpr size_t kMaxCalls = 1024;
constexpr size_t kMaxArgumentBytes = 64u << 20;
constexpr size_t kShownBodyBytes = 16u << 10;

// What services call the reasons that we call otherwise.
struct ReasonName {
  const char* raw;
  FinishReason reason;
};
constexpr ReasonName kReasons[] = {{"eos", FinishReason::kStop},
                                   {"eos_token", FinishReason::kStop},
                                   {"end_turn", FinishReason::kStop},
                                   {"stop_sequence", FinishReason::kStop},
                                   {"completed", FinishReason::kStop},
                                   {"max_tokens", FinishReason::kLength},
                                   {"max_output_tokens", FinishReason::kLength},
                                   {"model_length", FinishReason::kLength},
                                   {"model_context_window_exceeded", FinishReason::kLength},
                                   {"tool_call", FinishReason::kToolCalls},
                                   {"function_call", FinishReason::kToolCalls},
                                   {"tool_use", FinishReason::kToolCalls},
                                   {"incomplete", FinishReason::kOther},
                                   {"safety", FinishReason::kContentFilter},
                                   {"refusal", FinishReason::kContentFilter}};

// How services say that there is no reason yet.
constexpr std::string_view kNoReasons[] = {"", "null", "none", "undefined"};

// Reasons that mean a failure although the status was 200: what came is no complete answer.
struct ReasonFailure {
  const char* raw;
  FailureKind kind;
};
constexpr ReasonFailure kFailures[] = {{"insufficient_system_resource", FailureKind::kResource},
                                       {"aborted", FailureKind::kResource},
                                       {"abort", FailureKind::kResource},
                                       {"error", FailureKind::kServer}};

// Nothing for a word that is none of these.
std::optional<FinishReason> FindReason(std::string_view raw) {
  const std::string word = LowerAscii(Trimmed(raw));
  for (const ReasonName& row : kReasons) {
    if (word == row.raw) return row.reason;
  }
  return FindFinishReason(word);
}

size_t CountCalls(const Request& request) {
  size_t count = 0;
  for (const Message& message : request.messages) count += message.tool_calls.size();
  return count;
}

bool Offers(const WirePlan& plan) {
  return plan.offer_tools && plan.provider->rescue == Rescue::kParse;
}

std::pair<std::string, float> ReadToken(const Json& token) {
  std::string text(FindText(token, "token"));
  if (const Json* bytes = FindArray(token, "bytes")) {
    std::string spelled;
    for (const Json& byte : bytes->items) spelled += static_cast<char>(byte.Integer(0) & 0xFF);
    if (!spelled.empty()) text = std::move(spelled);
  }
  const Json* logprob = FindValue(token, "logprob");
  return {std::move(text), logprob != nullptr ? static_cast<float>(logprob->number) : 0.0f};
}

int32_t TokenId(const Json& token) {
  const int64_t id = FindCount(token, "id");
  return id >= 0 && id <= INT32_MAX ? static_cast<int32_t>(id) : -1;
}

}  // namespace

AnswerEvents::AnswerEvents(const Request& request, const WirePlan& plan)
    : provider_(plan.provider),
      model_(plan.model),
      max_tokens_(plan.max_tokens),
      may_be_empty_(!request.is_chat || !request.stop.empty()),
      keeps_calls_(Offers(plan)),
      tools_(request.tools),
      think_(plan.thinking),
      next_id_(CountCalls(request)) {
  if (provider_->rescue != Rescue::kOff && request.is_chat) rescue_.emplace();
  for (const Message& message : request.messages) {
    for (const ToolCall& call : message.tool_calls) ids_.insert(call.id);
  }
  for (const Json& tool : tools_) names_.emplace_back(FindText(tool, "name"));
}

Event* AnswerEvents::Add(EventKind kind) {
  Event* event = &out_->emplace_back();
  event->kind = kind;
  return event;
}

void AnswerEvents::Notice(std::string_view code, std::string_view message) {
  Add(EventKind::kNotice)->text = NoticeText(code, message);
}

std::vector<TokenLogprob>* AnswerEvents::Pending(EventKind kind) {
  return kind == EventKind::kReasoning ? &reasoning_logprobs_ : &content_logprobs_;
}

void AnswerEvents::AddLogprob(EventKind kind, TokenLogprob token) {
  Pending(kind)->push_back(std::move(token));
}

void AnswerEvents::AddLogprobs(EventKind kind, std::span<const Json> tokens) {
  for (const Json& item : tokens) {
    TokenLogprob token;
    token.id = TokenId(item);
    std::tie(token.text, token.logprob) = ReadToken(item);
    const Json* top = FindArray(item, "top_logprobs");
    for (size_t i = 0; top != nullptr && i < top->items.size(); ++i) {
      auto [text, logprob] = ReadToken(top->items[i]);
      token.top.push_back({TokenId(top->items[i]), logprob, std::move(text)});
    }
    AddLogprob(kind, std::move(token));
  }
}

void AnswerEvents::Text(EventKind kind, std::string_view text) {
  if (text.empty()) return;
  CountPiece();
  if (!rescue_) return Deliver(kind, text);
  think_.Push(kind, text, &thought_);
  DeliverThought(kind);
}

// `kind`: what the service called it.
void AnswerEvents::DeliverThought(EventKind kind) {
  for (const ThinkTags::Text& piece : thought_) {
    // The tokens of what turns out to be reasoning go with it.
    if (piece.kind != kind && Pending(piece.kind)->empty()) {
      Pending(piece.kind)->swap(*Pending(kind));
    }
    Rescue(piece);
  }
  thought_.clear();
}

void AnswerEvents::Rescue(const ThinkTags::Text& piece) {
  if (!piece.ends_reasoning) {
    rescue_->Push(piece.kind, piece.text, &rescued_);
    return DeliverRescued();
  }
  rescue_->Finish(&rescued_);
  DeliverRescued();
  Notice("reasoning_in_content", "what was told as content until here is the reasoning");
  Deliver(piece.kind, piece.text);
  out_->back().ends_reasoning = has_reasoning_ = true;
  has_content_ = false;
}

void AnswerEvents::DeliverRescued() {
  for (const MarkupFilter::Text& piece : rescued_) Deliver(piece.kind, piece.text);
  rescued_.clear();
}

void AnswerEvents::Deliver(EventKind kind, std::string_view text) {
  Event* event = Add(kind);
  event->text = text;
  event->logprobs.swap(*Pending(kind));
  (kind == EventKind::kReasoning ? has_reasoning_ : has_content_) = true;
}

size_t AnswerEvents::AddCall() {
  if (calls_.size() >= kMaxCalls) {
    Fail(FailureKind::kTransport, Format("sent more than %zu tool calls", kMaxCalls));
  }
  calls_.emplace_back();
  return calls_.size() - 1;
}

void AnswerEvents::ExtendCall(size_t index, std::string_view id, std::string_view name,
                              std::string_view arguments) {
  Call& call = calls_[index];
  if (call.ended) return;
  if (!arguments.empty()) CountPiece();
  argument_bytes_ += arguments.size();
  if (argument_bytes_ > kMaxArgumentBytes) {
    Fail(FailureKind::kTransport,
         Format("sent tool arguments of more than %zu bytes", kMaxArgumentBytes));
  }
  call.arguments.Add(arguments);
  if (call.tool_index >= 0) {
    if (!arguments.empty()) AddOf(call, EventKind::kToolArguments)->text = arguments;
    return;
  }
  if (call.id.empty()) call.id = Trimmed(id);
  call.name = JoinName(call.name, Trimmed(name), names_);
  const bool whole = FindTool(tools_, call.name) != nullptr && !call.arguments.empty();
  if (!call.name.empty() && (whole || !MayGrow(call.name, names_))) BeginCall(&call);
}

void AnswerEvents::SayArguments(size_t index, std::string_view arguments) {
  Call& call = calls_[index];
  if (call.arguments.empty()) return ExtendCall(index, "", "", arguments);
  argument_bytes_ += arguments.size();
  call.arguments.SetWhole(arguments);
}

bool AnswerEvents::GoesOnWith(size_t index, std::string_view name) const {
  const Call& call = calls_[index];
  const std::string joined = JoinName(call.name, Trimmed(name), names_);
  return call.tool_index < 0 && (MayGrow(joined, names_) || FindTool(tools_, joined) != nullptr);
}

std::string AnswerEvents::ArgumentsText(const Json* arguments) {
  if (arguments == nullptr || arguments->IsNull()) return "";
  return arguments->IsString() ? arguments->text : JsonText(*arguments);
}

// An id that no other call of the conversation has.
std::string AnswerEvents::FreshId(std::string_view wanted) {
  std::string id(wanted);
  while (id.empty() || ids_.find(id) != ids_.end()) id = Format("call_%zu", next_id_++);
  ids_.insert(id);
  return id;
}

void AnswerEvents::BeginCall(Call* call) {
  call->id = FreshId(call->id);
  call->tool_index = begun_++;
  AddOf(*call, EventKind::kToolCall);
  if (call->arguments.empty()) return;
  AddOf(*call, EventKind::kToolArguments)->text = call->arguments.text();
}

Event* AnswerEvents::AddOf(const Call& call, EventKind kind) {
  Event* event = Add(kind);
  event->tool_index = call.tool_index;
  event->tool_id = call.id;
  event->tool_name = call.name;
  return event;
}

void AnswerEvents::EndCall(size_t index, bool cut) {
  Call& call = calls_[index];
  if (call.ended) return;
  if (call.may_be_bare && !cut) ExtendCall(index, "", "", call.arguments.empty() ? "{}" : "");
  call.ended = true;
  if (call.tool_index < 0) {
    if (call.id.empty() && call.name.empty() && call.arguments.empty()) return;  // nothing
    if (call.name.empty()) Notice("tool_name_missing", "the service named no tool for a call");
    BeginCall(&call);
  }
  const std::string arguments = CheckArguments(call, cut);
  AddOf(call, EventKind::kToolCallEnd)->text = arguments;
}

std::string AnswerEvents::CheckArguments(const Call& call, bool cut) {
  EndedCall ended{.name = call.name, .said = call.arguments.text(), .cut = cut};
  ended.tool_index = call.tool_index;
  ended.meant = call.arguments.Meant(&ended.how);
  const Json* tool = FindTool(tools_, call.name);
  std::string notice;
  std::string arguments = CheckedArguments(ended, tool, &notice);
  if (!notice.empty()) Add(EventKind::kNotice)->text = notice;
  if (tool == nullptr && !call.name.empty()) {
    Add(EventKind::kNotice)->text = ToolUnknown(ended, "service");
  }
  return arguments;
}

// Whether the service parsed this call as well.
bool AnswerEvents::IsServed(const ToolCall& rescued, std::set<size_t>* taken) const {
  Json ours, theirs;
  for (size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    if (call.name != rescued.name || taken->count(i) > 0) continue;
    const bool same =
        call.arguments.text() == rescued.arguments ||
        (ParseLenientJson(call.arguments.text(), &theirs, nullptr) &&
         ParseLenientJson(rescued.arguments, &ours, nullptr) && SameJson(ours, theirs));
    if (!same) continue;
    taken->insert(i);
    return true;
  }
  return false;
}

void AnswerEvents::AddRescuedCalls() {
  const std::vector<ToolCall> rescued = rescue_->calls();
  if (rescue_->begun() == 0) return;
  if (!keeps_calls_) return Notice("markup_removed", "tool markup in the text was removed");
  if (rescue_->begun() > rescued.size()) {
    Notice("markup_removed", "a tool call in the text has no end and was removed");
  }
  std::set<size_t> taken;
  std::vector<const ToolCall*> missed;
  for (const ToolCall& call : rescued) {
    if (!IsServed(call, &taken)) missed.push_back(&call);
  }
  if (missed.empty()) return;
  Notice("markup_rescued", missed.size() == 1
                               ? "a tool call was found in the text"
                               : Format("%zu tool calls were found in the text", missed.size()));
  for (const ToolCall* call : missed) {
    const size_t index = AddCall();
    ExtendCall(index, "", call->name, call->arguments);
    EndCall(index);
  }
}

void AnswerEvents::EndAll(bool cut) {
  if (rescue_) {
    think_.Finish(&thought_);
    DeliverThought(EventKind::kContent);
    rescue_->Finish(&rescued_);
    DeliverRescued();
  }
  // Of tokens without text behind the last one, such as the end of the answer.
  for (const EventKind kind : {EventKind::kReasoning, EventKind::kContent}) {
    const bool has_text = kind == EventKind::kReasoning ? has_reasoning_ : has_content_;
    if (has_text && !Pending(kind)->empty()) Deliver(kind, "");
  }
  for (size_t i = 0; i < calls_.size(); ++i) EndCall(i, cut && i + 1 == calls_.size());
  if (rescue_) AddRescuedCalls();
  rescue_.reset();
}

void AnswerEvents::CountPiece() {
  if (over_) return;
  ++pieces_;
  if (has_reason_) early_ = late_ = true;
}

void AnswerEvents::TakeReason(std::string_view raw, WireResponse* response) {
  const std::string word = LowerAscii(Trimmed(raw));
  if (std::find(std::begin(kNoReasons), std::end(kNoReasons), word) != std::end(kNoReasons)) return;
  // A plain stop at the very end does not take back what was said before.
  const bool plain = FindReason(word) == FinishReason::kStop;
  if (!has_reason_ || !plain) response->finish_reason = raw;
  for (const ReasonFailure& row : kFailures) {
    if (word == row.raw) Fail(row.kind, Format("ended the answer with \"%s\"", row.raw));
  }
  has_reason_ = response->finished = true;
  if (pieces_ == pieces_before_) late_ = false;
}

FinishReason AnswerEvents::ReasonOf(const WireResponse& response) const {
  if (has_reason_) return FindReason(response.finish_reason).value_or(FinishReason::kOther);
  const bool full =
      response.has_usage && max_tokens_ > 0 && response.usage.completion_tokens >= max_tokens_;
  return full ? FinishReason::kLength : FinishReason::kStop;
}

bool AnswerEvents::IsCut(const WireResponse& response) const {
  const FinishReason reason = ReasonOf(response);
  return reason == FinishReason::kLength || reason == FinishReason::kContentFilter;
}

void AnswerEvents::Finish(const WireResponse& response) {
  // Where pieces follow reasons, only the format's own end is one.
  const bool unfinished = !response.finished || late_;
  if (unfinished && complaint_) FailWith(*complaint_);
  if (unfinished && !response.closed) {
    Fail(FailureKind::kTransport, "broke off within the answer");
  }
  EndAll(IsCut(response));
  FinishReason reason = ReasonOf(response);
  // Hosts say "stop" for calls, or "tool_calls" for none.
  if (reason == FinishReason::kStop && begun_ > 0) reason = FinishReason::kToolCalls;
  if (reason == FinishReason::kToolCalls && begun_ == 0) reason = FinishReason::kStop;
  const bool empty = !has_content_ && begun_ == 0;
  const bool may_be_empty = may_be_empty_ && has_reason_;
  if (empty && !has_reasoning_ && reason == FinishReason::kStop && !may_be_empty) {
    Fail(FailureKind::kEmptyResponse, "gave an empty answer");
  }
  if (!has_reason_) {
    Notice("finish_missing", "the service ended the answer without a finish reason");
  } else if (early_) {
    Notice("finish_early", "the service gave a finish reason before its last text");
  }
  if (has_reason_ && !FindReason(response.finish_reason)) {
    Notice("finish_unknown",
           Format("\"%s\" is no known finish reason", response.finish_reason.c_str()));
  }
  if (empty && has_reasoning_) {
    const bool cut = reason == FinishReason::kLength;
    Notice(cut ? "truncated_in_reasoning" : "reasoning_only",
           cut ? "max_tokens ran out within the reasoning: raise it, or lower the effort"
               : "the answer ended with the reasoning");
  }
  Event* event = Add(EventKind::kFinish);
  event->finish_reason = reason;
  event->usage = response.usage;
}

void AnswerEvents::FailWith(const Json& error) const { Throw(ClassifyErrorObject(error, {})); }

void AnswerEvents::Throw(Failure failure) const {
  if (failure.http_status == 0) failure.http_status = 200;
  failure.provider = provider_->name;
  failure.model = model_;
  ThrowFailure(failure);
}

Json AnswerEvents::ParseObject(std::string_view text) const {
  text = Trimmed(text);  // blank lines come while a request is queued
  if (text.empty()) Fail(FailureKind::kTransport, "sent an empty body");
  Json json;
  std::string reason;
  if (!ParseLenientJson(text, &json, &reason)) {
    // What begins as JSON was cut: its words are the answer's.
    if (text.starts_with('{') || text.starts_with('[')) {
      Fail(FailureKind::kTransport, "sent no valid " + reason, text);
    }
    Throw(ClassifyNoAnswer(text));
  }
  if (json.IsArray() && !json.items.empty() && json.items[0].IsObject()) {
    json = Json(std::move(json.items[0]));
  }
  if (json.IsString()) Throw(ClassifyNoAnswer(json.text));
  if (!json.IsObject()) {
    Fail(FailureKind::kTransport, Format("sent %s, not an object", KindName(json)), text);
  }
  return json;
}

const Json& AnswerEvents::Opened(const Json& document, std::string_view member) {
  if (document.Find(member) != nullptr) return document;
  for (const char* envelope : {"data", "result", "response"}) {
    const Json* inner = FindObject(document, envelope);
    if (inner != nullptr && inner->Find(member) != nullptr) return *inner;
  }
  return document;
}

void AnswerEvents::CheckError(const Json& document, std::string_view member, bool whole) {
  const Json* answer = Opened(document, member).Find(member);
  const bool has_answer = answer != nullptr && !(answer->items.empty() && answer->members.empty());
  if (has_answer && document.Find("error") == nullptr) return;  // most of the time
  const ErrorSign sign = FindErrorSign(document);
  if (sign == ErrorSign::kNames) FailWith(document);
  if (has_answer || sign == ErrorSign::kNone) return;
  if (whole || sign == ErrorSign::kSays) FailWith(document);
  complaint_ = document;
}

void AnswerEvents::Fail(FailureKind kind, const std::string& what, std::string_view body) const {
  Failure failure;
  failure.kind = kind;
  failure.message = "the service " + what;
  failure.retryable = true;
  failure.body = Redact(CutUtf8(body, kShownBodyBytes));
  Throw(std::move(failure));
}

}  // namespace finback
