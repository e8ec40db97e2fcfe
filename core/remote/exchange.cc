#include "core/remote/exchange.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/json/lenient_json.h"
#include "core/remote/answer_room.h"
#include "core/remote/wire/wire_request.h"

namespace finback {
namespace {

constexpr size_t kMaxWholeBytes = 256u << 20;
constexpr size_t kMaxErrorBytes = 1u << 20;
constexpr size_t kMaxTailBytes = 16u << 10;
// Characters per token, for what is reserved before a service has counted: it errs on the dear
// side (docs/services.md 2.3).
constexpr int64_t kCharactersPerToken = 3;
// The end of a body may come after its last event; longer than this is slower than to connect anew.
constexpr int64_t kTrailingMs = 50;

bool IsText(EventKind kind) {
  return kind == EventKind::kReasoning || kind == EventKind::kContent ||
         kind == EventKind::kToolArguments;
}

WirePolicy PolicyOf(const Client& client) {
  const ServiceOptions& options = client.options();
  WirePolicy policy;
  policy.effort_ladder = client.effort_ladder();
  policy.force_tool_disables_thinking = options.forced_tools == ForcedTools::kDisableThinking;
  policy.replay = options.replay_reasoning;
  policy.stream = options.stream;
  return policy;
}

const std::string& PriceId(const Endpoint& endpoint) {
  return endpoint.entry.price_id.empty() ? endpoint.model : endpoint.entry.price_id;
}

// What stands behind the last line of an event, if it begins as an object or a page: an error of a
// gateway's that did not know of the stream any more.
std::string_view BehindEvents(std::string_view text) {
  const size_t last = text.rfind("\ndata:");  // not found: it is the first line
  const size_t at = text.find_first_of("\r\n", last == std::string_view::npos ? 0 : last + 1);
  const std::string_view rest = Trimmed(text.substr(std::min(at, text.size())));
  return rest.empty() || std::string_view("{[<").find(rest[0]) == std::string_view::npos ? ""
                                                                                         : rest;
}

}  // namespace

Exchange::Exchange(Client* client, const Endpoint& endpoint, int32_t number,
                   Conversation* conversation, Cancellation* cancellation)
    : client_(*client),
      endpoint_(endpoint),
      number_(number),
      conversation_(conversation),
      cancellation_(*cancellation) {}

Exchange::~Exchange() {
  cancellation_.Attach(nullptr);
  if (ledger_id_ == 0) return;
  try {
    Book([this](Ledger* ledger) { ledger->Estimate(ledger_id_, MakeOutcome()); });
  } catch (const std::exception& error) {
    client_.Log(LogLevel::kError, error.what());
  }
}

void Exchange::Send(const Request& request, const LeftOut& left_out, std::vector<Event>* events) {
  WirePolicy policy = PolicyOf(client_);
  policy.left_out = left_out;
  plan_ = PlanWire(request, endpoint_.provider, endpoint_.entry, endpoint_.model, policy);
  if (!endpoint_.notice.empty())
    events->push_back(NoticeEvent(NoticeText("model_translated", endpoint_.notice)));
  for (const std::string& notice : plan_.notices) events->push_back(NoticeEvent(notice));
  const WireCodec& codec = CodecOf(endpoint_.provider);
  WireCall call = codec.encode(request, plan_);
  call.body = WithExtraBody(request, std::move(call.body));
  decoder_ = codec.decoder(request, plan_);
  if (conversation_ != nullptr && number_ == 1) {
    const std::string broken = conversation_->Compare(call.body);
    if (!broken.empty()) {
      events->push_back(NoticeEvent(NoticeText("cache_prefix_changed", broken)));
    }
  }
  ConcurrencyLimiter::Wait wait;
  wait.cancelled = &cancellation_.flag();
  lease_ = client_.limiter().Acquire(endpoint_.key_label, endpoint_.model,
                                     client_.Ceiling(endpoint_), wait);
  Reserve(call);
  Open(std::move(call));
}

void Exchange::Reserve(const WireCall& call) {
  sent_ms_ = UnixMs();
  prompt_estimate_ = static_cast<int64_t>(call.body.size()) / kCharactersPerToken + 1;
  if (client_.ledger() == nullptr) return;
  Attempt row;
  row.conversation = conversation_ != nullptr ? conversation_->id() : "";
  row.key_label = endpoint_.key_label;
  row.provider = endpoint_.provider.name;
  row.model = endpoint_.model;
  row.price_provider = PriceProvider();
  row.price_model = PriceId(endpoint_);
  row.user = client_.options().ledger_user;
  row.tag = client_.options().ledger_tag;
  row.number = number_;
  row.sent_ms = sent_ms_;
  const auto worst_case = [&](int64_t max_tokens) {
    return client_.prices()
        .WorstCaseOf(row.price_provider, row.price_model, sent_ms_, prompt_estimate_, max_tokens)
        .pico;
  };
  row.reserve_pico = worst_case(plan_.max_tokens);
  row.prompt_pico = worst_case(0);
  row.most_tokens = plan_.max_tokens;
  ledger_id_ = client_.ledger()->Begin(row);
}

void Exchange::Open(WireCall call) {
  HttpRequest http;
  const Provider& provider = endpoint_.provider;
  path_ = call.path;
  http.url = (plan_.beta ? provider.beta_url : provider.base_url) + path_;
  http.headers =
      client_.Headers(endpoint_, plan_.stream ? "text/event-stream" : "application/json");
  http.body = std::move(call.body);
  http.timeouts = client_.timeouts();
  if (client_.recorder() != nullptr) recording_ = client_.recorder()->Start(http);
  transfer_ = client_.http().Start(std::move(http));
  cancellation_.Attach(transfer_.get());
}

void Exchange::CheckStatus() {
  status_ = transfer_->Status();
  const HeaderList& headers = transfer_->headers();
  request_id_ = Safe(RequestIdOf(headers));
  if (recording_ != nullptr) recording_->Response(status_, headers);
  if (status_ >= 200 && status_ < 300) {
    return;
  }
  std::string body;
  const Provider& provider = endpoint_.provider;
  const Failure failure = client_.Refusal(
      transfer_.get(), plan_.beta ? provider.beta_url : provider.base_url, path_, &body);
  if (recording_ != nullptr) recording_->Bytes(body);
  ThrowFailure(failure);
}

// What a service sends is told by its first character, because content types lie: an object is an
// answer in one piece, also when a stream was asked for, and when the header says that it is one.
void Exchange::Take(std::string_view bytes, std::vector<Event>* events) {
  if (body_ == Body::kUnknown) {
    const size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return;  // blank lines say that we are still waited for
    body_ = bytes[first] == '{' || bytes[first] == '[' || bytes[first] == '<' ? Body::kWhole
                                                                              : Body::kEvents;
  }
  if (body_ == Body::kWhole) {
    whole_ += bytes;
    if (whole_.size() > kMaxWholeBytes) {
      ThrowFailure(MakeFailure(FailureKind::kTransport, "an answer of more than 256 MiB"));
    }
    return;
  }
  if (!has_events_ && whole_.size() < kMaxErrorBytes) whole_ += bytes;
  tail_ += bytes;
  if (tail_.size() > 2 * kMaxTailBytes) tail_.erase(0, tail_.size() - kMaxTailBytes);
  sse_.Push(bytes);
  std::string_view name, data;
  while (sse_.Next(&name, &data)) {
    has_events_ = true;
    decoder_->Push(name, data, events);
  }
}

// An event's data, and where lines were ended once and not twice, each line's.
void Exchange::PushAtEnd(std::string_view name, std::string_view data, std::vector<Event>* events) {
  Json json;
  const auto whole = [&](std::string_view text) {
    return text == "[DONE]" || ParseLenientJson(text, &json, nullptr);
  };
  if (whole(data)) return decoder_->Push(name, data, events);
  while (data.find('\n') != std::string_view::npos) {
    const std::string_view line = data.substr(0, data.find('\n'));
    data.remove_prefix(line.size() + 1);
    if (whole(line)) decoder_->Push(name, line, events);
  }
  if (whole(data)) decoder_->Push(name, data, events);
}

// The end of the body: its last event may lack its blank line, and what has no event at all is
// whatever the service wanted to say.
void Exchange::TakeEnd(std::vector<Event>* events) {
  if (body_ == Body::kWhole) return decoder_->Whole(whole_, events);
  sse_.Push("\n\n");
  std::string_view name, data;
  while (sse_.Next(&name, &data)) {
    has_events_ = true;
    PushAtEnd(name, data, events);
  }
  const WireResponse& response = decoder_->response();
  const std::string_view rest = BehindEvents(tail_);
  if (has_events_ && !rest.empty() && !response.finished && !response.closed) {
    if (rest[0] == '<') ThrowFailure(ClassifyNoAnswer(rest));
    decoder_->Push("", rest, events);
  }
  const std::string_view text = Trimmed(whole_);
  if (text.empty() && !has_events_) return decoder_->Whole(text, events);
  const size_t field = text.find_first_of(":\r\n");
  constexpr std::string_view kFields[] = {"", "data", "event", "id", "retry"};
  const bool is_stream = has_events_ || std::find(std::begin(kFields), std::end(kFields),
                                                  text.substr(0, field)) != std::end(kFields);
  if (!is_stream) decoder_->Whole(text, events);
}

// Behind a finish reason the end of a connection is an end, in whatever way it comes.
bool Exchange::ReadBytes() {
  try {
    return transfer_->Read(&bytes_);
  } catch (const Error& error) {
    const FailureKind kind = FailureOf(error).kind;
    const bool ends = kind == FailureKind::kTransport || kind == FailureKind::kTimeout;
    if (!ends || decoder_ == nullptr || !decoder_->response().finished) throw;
    client_.Log(LogLevel::kWarning, error.what());
    return false;
  }
}

bool Exchange::Read(std::vector<Event>* events) {
  const size_t from = events->size();
  if (status_ == 0) CheckStatus();
  bytes_.clear();
  const bool more = ReadBytes();
  if (recording_ != nullptr) recording_->Bytes(bytes_);
  if (!bytes_.empty()) Take(bytes_, events);
  // What follows the format's own end is of no interest, and some connections are kept open.
  if (!more || decoder_->response().closed) {
    if (!decoder_->response().closed) TakeEnd(events);
    decoder_->End(events);
    CheckModel(from, events);
    NoteProgress(*events, from);
    End();
    return false;
  }
  CheckModel(from, events);
  NoteProgress(*events, from);
  return true;
}

void Exchange::NoteProgress(const std::vector<Event>& events, size_t from) {
  bool token = false;
  for (size_t i = from; i < events.size(); ++i) {
    const Event& event = events[i];
    if (recording_ != nullptr) recording_->Add(event);
    token |= event.kind != EventKind::kNotice;
    if (!IsText(event.kind)) continue;
    const int64_t size = static_cast<int64_t>(event.text.size());
    output_characters_ += size;
    if (event.kind == EventKind::kReasoning) reasoning_characters_ += size;
  }
  if (token) transfer_->TokenSeen();
  if (ledger_id_ == 0 || !token) return;
  const Cost cost = CostOf(usage(), UnixMs());
  if (!cost.known) return;
  Book([&](Ledger* ledger) {
    if (const auto excess = ledger->Running(ledger_id_, cost.pico)) {
      excess->Throw(endpoint_.provider.name, endpoint_.model);
    }
  });
}

// Gateways have been seen to answer with another model than the one that is paid for. That is said
// before what it answered: nothing may follow the end of an answer.
void Exchange::CheckModel(size_t place, std::vector<Event>* events) {
  const std::string& served = decoder_->response().model;
  if (checked_model_ || served.empty()) return;
  checked_model_ = true;
  if (served == endpoint_.model) return;
  events->insert(events->begin() + static_cast<std::ptrdiff_t>(place),
                 NoticeEvent(NoticeText("other_model", "asked for " + endpoint_.model +
                                                           ", answered by " + Safe(served))));
}

std::optional<int64_t> Exchange::RoomAfter(const Failure& failure) const {
  if (plan_.provider == nullptr || !plan_.send_max_tokens) return std::nullopt;
  const bool needed = CodecOf(*plan_.provider).words.needs_max_tokens;
  return RoomForAnswer(failure, plan_.max_tokens, needed ? prompt_estimate_ : -1);
}

Usage Exchange::usage() const {
  if (decoder_ != nullptr && decoder_->response().has_usage) return decoder_->response().usage;
  Usage estimate;
  estimate.prompt_tokens = prompt_estimate_;
  estimate.completion_tokens = (output_characters_ + kCharactersPerToken - 1) / kCharactersPerToken;
  estimate.reasoning_tokens = reasoning_characters_ / kCharactersPerToken;
  return estimate;
}

std::string_view Exchange::PriceProvider() const {
  return client_.prices().KeyOf(endpoint_.provider.name, endpoint_.provider.prices,
                                PriceId(endpoint_), sent_ms_);
}

Cost Exchange::CostOf(const Usage& usage, int64_t ended_ms) const {
  return client_.prices().PriceOf(usage, PriceProvider(), PriceId(endpoint_), sent_ms_, ended_ms);
}

Outcome Exchange::MakeOutcome() const {
  Outcome outcome;
  outcome.usage = usage();
  outcome.ended_ms = UnixMs();
  outcome.http_status = status_;
  outcome.request_id = request_id_;
  if (decoder_ != nullptr) {
    outcome.model_served = Safe(decoder_->response().model);
    outcome.fingerprint = Safe(decoder_->response().fingerprint);
  }
  outcome.cost = CostOf(outcome.usage, outcome.ended_ms);
  return outcome;
}

// Not with the stream, which a program may keep for long: a service would go on generating.
void Exchange::CloseTransfer() {
  cancellation_.Attach(nullptr);
  transfer_.reset();
}

void Exchange::End() {
  transfer_->Finish(kTrailingMs);
  CloseTransfer();
  const Outcome outcome = MakeOutcome();
  cost_ = outcome.cost;
  settled_ = true;
  estimated_ = !decoder_->response().has_usage;
  if (recording_ != nullptr) recording_->Close();
  if (ledger_id_ != 0) {
    const int64_t id = std::exchange(ledger_id_, 0);
    Book([&](Ledger* ledger) {
      estimated_ ? ledger->Estimate(id, outcome) : ledger->Settle(id, outcome);
    });
  }
  lease_.Succeeded();
  lease_.Release();
}

void Exchange::Fail(const Failure& failure) {
  CloseTransfer();
  if (failure.kind == FailureKind::kRateLimit && lease_) lease_.Limited(failure.limit);
  lease_.Release();
  if (ledger_id_ == 0) return;
  const int64_t id = std::exchange(ledger_id_, 0);
  Outcome outcome = MakeOutcome();
  outcome.failure = FailureName(failure.kind);
  if (failure.http_status != 0) outcome.http_status = failure.http_status;
  if (outcome.request_id.empty()) outcome.request_id = failure.request_id;
  Book([&](Ledger* ledger) {
    if (decoder_ != nullptr && decoder_->response().has_usage) {
      ledger->Settle(id, outcome);  // it failed, and told what that costs
    } else if (output_characters_ == 0) {
      ledger->Fail(id, outcome);  // nothing was generated, as far as is known
    } else {
      ledger->Estimate(id, outcome);
    }
  });
}

std::string Exchange::Safe(std::string_view text) const { return Redact(text, client_.secrets()); }

// A ledger that cannot be written must not cost an answer that is paid for already.
void Exchange::Book(const std::function<void(Ledger*)>& entry) {
  try {
    entry(client_.ledger());
  } catch (const Error& error) {
    if (error.code() != Code::kIo) throw;
    client_.Log(LogLevel::kError, error.what());
  }
}

void Exchange::Describe(ServiceAnswer* answer) const {
  answer->provider = endpoint_.provider.name;
  answer->attempts = number_;
  if (decoder_ == nullptr) return;
  const WireResponse& response = decoder_->response();
  answer->id = Safe(response.id);
  answer->model = response.model.empty() ? endpoint_.model : Safe(response.model);
  answer->fingerprint = Safe(response.fingerprint);
  answer->reasoning_details = response.reasoning_details;
  answer->tariff = cost_.tariff;
  const int64_t reported = response.usage.reported_cost_pico;
  if (response.has_usage && reported >= 0) {
    answer->cost_pico = reported;
    answer->cost_source = CostSource::kReported;
  } else if (settled_ && cost_.known) {
    answer->cost_pico = cost_.pico;
    answer->cost_source = estimated_ ? CostSource::kEstimated : CostSource::kTable;
  } else {
    answer->cost_source = CostSource::kUnknown;
  }
}

}  // namespace finback
