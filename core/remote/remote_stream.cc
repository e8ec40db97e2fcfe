#include "core/remote/remote_stream.h"

#include <algorithm>
#include <utility>

#include "core/base/status.h"
#include "core/engine/object_check.h"

namespace finback {
namespace {

// What a program has seen cannot be taken back; blank text before a JSON value is held instead.
bool IsAnswer(EventKind kind) {
  return kind != EventKind::kNotice && kind != EventKind::kProgress && kind != EventKind::kNone;
}

// Where a service takes no name: of the tools the named one is offered alone, and a call demanded.
void OfferNamedToolAlone(Request* request) {
  std::erase_if(request->tools, [&](const Json& tool) {
    const Json* name = tool.Find("name");
    return name == nullptr || name->text != request->tool_name;
  });
  request->tool_choice = ToolChoice::kRequired;
}

// The fields that a translated model name stands for, unless the request says otherwise.
void ApplyTranslation(const std::string& fields, Request* request) {
  const Json object = ParseJson(fields, "the model table");
  const Json* thinking = object.Find("thinking");
  const Json* type = thinking != nullptr ? thinking->Find("type") : nullptr;
  if (type != nullptr && request->thinking == Toggle::kDefault) {
    request->thinking = type->text == "disabled" ? Toggle::kOff : Toggle::kOn;
  }
  const Json* effort = object.Find("reasoning_effort");
  if (effort != nullptr && request->effort == Effort::kDefault) {
    request->effort = FindEffort(effort->text).value_or(Effort::kHigh);
  }
}

void AddUsage(const Usage& more, Usage* sum) {
  sum->prompt_tokens += more.prompt_tokens;
  sum->cached_tokens += more.cached_tokens;
  sum->completion_tokens += more.completion_tokens;
  sum->reasoning_tokens += more.reasoning_tokens;
  sum->cache_write_tokens += more.cache_write_tokens;
}

}  // namespace

RemoteStream::RemoteStream(Client* client, Request request,
                           std::shared_ptr<Conversation> conversation)
    : client_(*client), request_(std::move(request)), conversation_(std::move(conversation)) {
  if (request_.response_format == ResponseFormat::kJsonSchema) {
    schema_.emplace(*request_.format.Find("json_schema")->Find("schema"));
  }
  order_ = client_.router().Order(request_);
  Shape();
}

void RemoteStream::Shape() {
  shaped_.reset();
  if (schema_) {
    const ServiceTarget& target = client_.targets()[order_[place_]];
    route_ = ChooseSchemaRoute(request_, target.main.provider,
                               target.responses ? &target.responses->provider : nullptr);
    const bool as_it_is = route_ == SchemaRoute::kNative || route_ == SchemaRoute::kResponses;
    if (!as_it_is) ShapeRequest(route_, Reshape());
  }
  if (asked().tool_choice == ToolChoice::kNamed && !endpoint().provider.supports.named_tool) {
    OfferNamedToolAlone(Reshape());
  }
  if (LacksJsonWord(asked())) AppendJsonWord(Reshape());
  if (!endpoint().with.empty()) ApplyTranslation(endpoint().with, Reshape());
}

Request* RemoteStream::Reshape() {
  if (!shaped_) shaped_ = request_;
  return &*shaped_;
}

const Endpoint& RemoteStream::endpoint() const {
  const ServiceTarget& target = client_.targets()[order_[place_]];
  const bool responses = schema_ && route_ == SchemaRoute::kResponses && target.responses;
  return responses ? *target.responses : target.main;
}

bool RemoteStream::Step(Event* event) {
  while (true) {
    if (cancellation_.cancelled() && next_ < queue_.size()) DropQueue();
    if (next_ < queue_.size()) {
      std::swap(*event, queue_[next_++]);
      delivered_ |= IsAnswer(event->kind);
      return true;
    }
    queue_.clear();
    next_ = 0;
    if (error_) throw *error_;
    if (over_) return false;
    try {
      Advance();
    } catch (const Error& error) {
      Recover(error);
    }
  }
}

// Of a cancelled stream nothing more is wanted, though it may have come already, to its very end.
void RemoteStream::DropQueue() {
  queue_.clear();
  next_ = 0;
  if (!over_ || error_) return;
  Failure failure = MakeFailure(FailureKind::kCancelled, "");
  failure.provider = endpoint().provider.name;
  failure.model = endpoint().model;
  Give(failure);
}

void RemoteStream::Advance() {
  cancellation_.Check();
  arrived_.clear();
  bool more = true;
  if (exchange_ == nullptr) {
    ++exchanges_;
    exchange_ = std::make_unique<Exchange>(&client_, endpoint(), exchanges_, conversation_.get(),
                                           &cancellation_);
    exchange_->Send(asked(), left_out_, &arrived_);
  } else {
    more = exchange_->Read(&arrived_);
  }
  Route(&arrived_);
  if (!more) Conclude();
}

// Events go to the caller, but for what must be judged first: the text of an answer that should fit
// a schema, and the end of it.
void RemoteStream::Route(std::vector<Event>* events) {
  if (schema_ && route_ == SchemaRoute::kStrictTool) tool_answer_.Turn(events);
  for (Event& event : *events) {
    if (event.kind == EventKind::kContent) Watch(&event);
    if (event.kind == EventKind::kFinish) JudgeObject(event.finish_reason);
    const EventKind kind = std::exchange(event.kind, EventKind::kNone);  // it is taken
    if (kind == EventKind::kNone) continue;
    if (kind == EventKind::kNotice && !notices_.insert(event.text).second) continue;
    std::vector<Event>& out = schema_ && kind == EventKind::kFinish ? withheld_ : queue_;
    out.push_back(std::move(event));
    out.back().kind = kind;
  }
}

void RemoteStream::Watch(Event* event) {
  if (request_.response_format == ResponseFormat::kText) return;
  if (!watch_.Push(event->text)) {
    ThrowFailure(MakeFailure(FailureKind::kEmptyResponse, "the answer is white space without end"));
  }
  if (schema_) event->kind = EventKind::kNone;  // delivered once it fits
}

// One that was asked for by words alone is told as it came, whatever it is.
void RemoteStream::JudgeObject(FinishReason reason) {
  if (request_.response_format != ResponseFormat::kJsonObject) return;
  if (!request_.messages.empty() && request_.messages.back().without_eos) return;  // it goes on
  std::string notice = NoObjectNotice(watch_.text(), reason);
  if (!notice.empty()) queue_.push_back(NoticeEvent(std::move(notice)));
}

bool RemoteStream::Withheld(FinishReason reason) const {
  return std::any_of(withheld_.begin(), withheld_.end(),
                     [&](const Event& event) { return event.finish_reason == reason; });
}

void RemoteStream::EndWith(const std::string& content) {
  if (!content.empty()) {
    Event event;
    event.kind = EventKind::kContent;
    event.text = content;
    queue_.push_back(std::move(event));
  }
  std::move(withheld_.begin(), withheld_.end(), std::back_inserter(queue_));
  client_.router().ReportSuccess(order_[place_]);
  over_ = true;
}

// The exchange ended well; whether the answer did is judged here.
void RemoteStream::Conclude() {
  if (!schema_) return EndWith("");
  const bool said = watch_.text().find_first_not_of(" \t\r\n") != std::string::npos;
  // The model may call tools before it answers; and what was cut short has its own name.
  if (Withheld(FinishReason::kToolCalls) && !said) return EndWith("");
  if (Withheld(FinishReason::kLength)) {
    Notice("truncated", "max_tokens ended the answer before it could fit the schema");
    return EndWith(watch_.text());
  }
  const JsonAnswer judged = watch_.Judge(&*schema_);
  if (judged.problem.empty()) return EndWith(judged.value);
  if (schema_repairs_ >= client_.options().schema_repairs) {
    ThrowFailure(SchemaFailure(watch_.text(), judged.problem, schema_repairs_));
  }
  ++schema_repairs_;
  Notice("schema_repair", judged.problem);
  RepairRequest(watch_.text(), judged.problem, Reshape());
  AddUsage(exchange_->usage(), &earlier_);
  Forget();
}

void RemoteStream::Forget() {
  exchange_.reset();
  arrived_.clear();
  withheld_.clear();
  watch_ = JsonWatch();
  tool_answer_ = ToolAnswer();
}

void RemoteStream::Recover(const Error& error) {
  Failure failure = FailureOf(error);
  failure.provider = endpoint().provider.name;
  failure.model = endpoint().model;
  client_.ExplainKey(endpoint(), &failure);
  RedactFailure(client_.secrets(), &failure);
  if (exchange_ != nullptr) exchange_->Fail(failure);
  if (cancellation_.cancelled()) failure.kind = FailureKind::kCancelled;
  const bool final =
      failure.kind == FailureKind::kCancelled || failure.kind == FailureKind::kSchema;
  if (!final && TryAgain(&failure)) return;
  const bool told = first_.empty() || failure.kind == FailureKind::kCancelled ||
                    first_.ends_with(": " + failure.message);
  if (!told) {
    failure.first = first_;
    failure.message += " (the first failure was " + first_ + ")";
  }
  Give(failure);
}

// True: another exchange is to be begun, and what the failed one brought is forgotten.
bool RemoteStream::TryAgain(Failure* failure) {
  const bool repaired = !delivered_ && RepairRequestOnce(*failure);
  if (!repaired) {
    const RetryDecision decision = client_.retry().Decide(
        *failure, retries_, delivered_ ? Delivered::kSome : Delivered::kNothing);
    if (decision.retry) {
      ++retries_;
      NoteFirst(*failure);
      client_.Log(LogLevel::kWarning, failure->message + "; trying again");
      if (!cancellation_.Sleep(decision.wait_ms)) {
        *failure = MakeFailure(FailureKind::kCancelled, "");
        return false;
      }
    } else {
      client_.Log(LogLevel::kInformation,
                  failure->message + "; not tried again: " + decision.reason);
      client_.router().ReportFailure(order_[place_], *failure);
      const size_t next = NextPlace(*failure);
      if (next == order_.size()) return false;
      client_.Log(LogLevel::kWarning, failure->message + "; trying the next model");
      NoteFirst(*failure);
      BeginTarget(next);
    }
  }
  Forget();
  return true;
}

// A crash is followed by refusals to connect, which say nothing of it.
void RemoteStream::NoteFirst(const Failure& failure) {
  if (first_.empty()) first_ = failure.provider + ":" + failure.model + ": " + failure.message;
}

// The end: first what came before the failure, then, ever after, the failure.
void RemoteStream::Give(const Failure& failure) {
  if (!schema_) {
    for (Event& event : arrived_) {
      const bool told = event.kind == EventKind::kNone || event.kind == EventKind::kFinish;
      if (!told) queue_.push_back(std::move(event));
    }
  }
  arrived_.clear();
  try {
    ThrowFailure(failure);
  } catch (const Error& thrown) {
    error_ = thrown;
  }
}

// What the services' own rules let us put right, once each (docs/services.md 7.4).
bool RemoteStream::RepairRequestOnce(const Failure& failure) {
  if (failure.kind == FailureKind::kReasoningChain && !chain_repaired_) {
    chain_repaired_ = true;
    Reshape()->thinking = Toggle::kOff;
    Notice("reasoning_chain_broken",
           "earlier reasoning is missing or changed: this turn is answered without thinking");
    return true;
  }
  if (RefusesThinkingFields(failure) && !left_out_.thinking) {
    left_out_.thinking = true;
    Notice("field_left_out", "thinking: the service refused the fields for it; asked without them");
    return true;
  }
  return !limit_repaired_ && RepairMaxTokens(failure);
}

bool RemoteStream::RepairMaxTokens(const Failure& failure) {
  const std::optional<int64_t> room =
      exchange_ != nullptr ? exchange_->RoomAfter(failure) : std::nullopt;
  if (!room) return false;
  limit_repaired_ = true;
  if (*room > 0) {
    Reshape()->max_tokens = *room;
    Notice("max_tokens_reduced", Format("max_tokens is now %lld, the most that the model takes",
                                        static_cast<long long>(*room)));
  } else {
    left_out_.max_tokens = true;
    Notice("max_tokens_reduced", "max_tokens was more than the service has; asked without it");
  }
  return true;
}

size_t RemoteStream::NextPlace(const Failure& failure) const {
  if (delivered_ || !client_.router().TryNext(failure)) return order_.size();
  return client_.router().Next(order_, place_, failure);
}

void RemoteStream::BeginTarget(size_t place) {
  place_ = place;
  retries_ = 0;
  chain_repaired_ = limit_repaired_ = false;
  left_out_ = {};
  Shape();
  Notice("other_target", "now asking " + endpoint().provider.name + ":" + endpoint().model);
}

void RemoteStream::Notice(std::string_view code, const std::string& message) {
  queue_.push_back(NoticeEvent(NoticeText(code, message)));
}

const ServiceAnswer* RemoteStream::service() const {
  if (exchange_ != nullptr) exchange_->Describe(&answer_);
  return &answer_;
}

Usage RemoteStream::usage() const {
  Usage sum = earlier_;
  if (exchange_ != nullptr) AddUsage(exchange_->usage(), &sum);
  return sum;
}

}  // namespace finback
