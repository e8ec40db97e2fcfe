// Chat Completions and plain completions as answers: chunks and whole bodies, of every dialect that
// docs/services.md 5, 6, 17 and 18 list.
#include <algorithm>
#include <optional>

#include "core/base/ascii.h"
#include "core/base/status.h"
#include "core/json/chunk_template.h"
#include "core/json/lenient_json.h"
#include "core/remote/money/dollars.h"
#include "core/remote/wire/answer_events.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {
namespace {

constexpr std::string_view kDone = "[DONE]";
constexpr std::string_view kAnswer = "choices";
constexpr std::string_view kDetailsField = "reasoning_details";
constexpr size_t kMaxDetails = 4096;

// In quotes and in small letters too, as gateways write it.
bool IsDone(std::string_view data) {
  if (data.size() == kDone.size() + 2 && data.front() == '"') data = data.substr(1, kDone.size());
  return data.size() == kDone.size() && (data == kDone || LowerAscii(data) == "[done]");
}

// The text of a reasoning detail: "" for those that are encrypted.
std::string_view DetailText(const Json& detail) {
  const std::string_view text = FindText(detail, "text");
  return text.empty() ? FindText(detail, "summary") : text;
}

// What later pieces add: text goes on, anything else is replaced.
void ExtendDetail(const Json& piece, Json* whole) {
  for (const auto& [name, value] : piece.members) {
    if (value.IsNull()) continue;
    Json* known = nullptr;
    for (auto& [other, member] : whole->members) {
      if (other == name) known = &member;
    }
    const bool is_text = name == "text" || name == "summary";
    if (known == nullptr) {
      whole->members.emplace_back(name, value);
    } else if (is_text && known->IsString() && value.IsString()) {
      known->text += value.text;
    } else {
      *known = value;
    }
  }
}

bool BothSay(const Json& a, const Json& b, const char* name) {
  const Json *left = FindValue(a, name), *right = FindValue(b, name);
  return left != nullptr && right != nullptr && SameJson(*left, *right);
}

bool Differ(const Json& a, const Json& b, const char* name) {
  const Json *left = FindValue(a, name), *right = FindValue(b, name);
  return left != nullptr && right != nullptr && !SameJson(*left, *right);
}

// How many tokens at the beginning of the list are the reasoning's, the tag behind it included.
size_t CountTokens(const Json& list, std::string_view reasoning) {
  size_t bytes = 0, by_bytes = list.items.size();
  for (size_t i = 0; i < list.items.size(); ++i) {
    const std::string_view token = FindText(list.items[i], "token");
    if (Trimmed(token) == "</think>") return i + 1;
    if (bytes >= reasoning.size()) by_bytes = std::min(by_bytes, i);
    bytes += token.size();
  }
  return by_bytes;
}

class Decoder final : public WireDecoder {
 public:
  Decoder(const Request& request, const WirePlan& plan)
      : events_(request, plan),
        provider_(*plan.provider),
        wants_logprobs_(request.top_logprobs >= 0) {
    details_.kind = Json::Kind::kArray;
  }

  void Push(std::string_view event, std::string_view data, std::vector<Event>* out) override;
  void Whole(std::string_view body, std::vector<Event>* out) override;
  void End(std::vector<Event>* out) override;

 private:
  struct Fragment {
    std::string_view id, name;
    std::string arguments;
    int64_t index = 0;
    bool numbered = false;
  };
  struct Slot {
    int64_t index = 0;  // the service's
    std::string id;     // as the service said it
    size_t call = 0;
  };

  void CheckError(std::string_view event, const Json& document);
  void ReadHead(const Json& body);
  void ReadUsage(const Json& body);
  int64_t PromptTokens(int64_t total, int64_t hit, int64_t miss);
  void ReadTimings(const Json& timings);
  void ReadCost(const Json& usage);
  const Json* FirstChoice(const Json& body);
  void ReadChoice(const Json& choice, const Json& delta);
  std::string FindReasoning(const Json& delta);
  void ReadDetails(const Json& list);
  void ReadContent(const Json& delta);
  void AddText(EventKind kind, std::string_view field, std::string_view text);
  void ReadToolCalls(const Json& delta);
  void ReadToolCall(const Json& json, size_t position, size_t count);
  size_t FindCall(const Fragment& fragment);
  bool Continues(const Slot& slot, const Fragment& fragment) const;
  void ReadLogprobs(const Json& logprobs, std::string_view reasoning, const Json& delta);
  void ReadPlainLogprobs(const Json& logprobs);
  void ReadFinish(const Json& choice);

  AnswerEvents events_;
  const Provider& provider_;
  const bool wants_logprobs_;
  int64_t answer_ = -1;  // the number of the one that is told; -1: none came yet
  bool whole_ = false, dropped_answers_ = false, usage_noticed_ = false;
  std::string_view reasoning_field_;  // the one that this response uses; "": none came yet
  Json details_;

  // What a chunk brought: its text, and whether something stood beside it that has an effect each
  // time. What has one only at first (ids, usage) does not count.
  struct ChunkText {
    EventKind kind = EventKind::kNone;
    std::string_view field;
    std::string text;
    int count = 0;
    bool beside = false;
  };
  ChunkText text_;
  ChunkTemplate template_;
  EventKind template_kind_ = EventKind::kNone;

  std::vector<Slot> slots_;
};

void Decoder::Push(std::string_view event, std::string_view data, std::vector<Event>* out) {
  events_.Begin(out);
  data = Trimmed(data);
  if (data.empty() || response_.closed) return;
  if (event.empty() && !wants_logprobs_) {
    if (const std::optional<std::string_view> text = template_.Match(data)) {
      return events_.Text(template_kind_, *text);
    }
  }
  if (IsDone(data)) {
    response_.closed = true;
    return;
  }
  const Json document = events_.ParseObject(data);
  CheckError(event, document);
  const Json& body = AnswerEvents::Opened(document, kAnswer);
  text_ = {};
  ReadHead(body);
  ReadUsage(body);
  const Json* choice = FirstChoice(body);
  if (choice == nullptr) return;
  const Json* delta = FindObject(*choice, "delta");
  if (delta == nullptr) delta = FindObject(*choice, "message");
  ReadChoice(*choice, delta != nullptr ? *delta : *choice);
  ReadFinish(*choice);
  const bool alone = text_.count == 1 && !text_.beside;
  if (alone && template_.Learn(data, text_.field, text_.text)) template_kind_ = text_.kind;
}

void Decoder::Whole(std::string_view body, std::vector<Event>* out) {
  events_.Begin(out);
  events_.HoldAll();
  whole_ = true;
  const Json document = events_.ParseObject(body);
  CheckError("", document);
  const Json& json = AnswerEvents::Opened(document, kAnswer);
  ReadHead(json);
  ReadUsage(json);
  const Json* choice = FirstChoice(json);
  if (choice == nullptr) {
    events_.Fail(FailureKind::kTransport, "sent a body without choices", body);
  }
  const Json* message = FindObject(*choice, "message");
  ReadChoice(*choice, message != nullptr ? *message : *choice);
  ReadFinish(*choice);
  response_.finished = response_.closed = true;  // the body is complete, whatever it says
}

void Decoder::End(std::vector<Event>* out) {
  events_.BeginEnd(out);
  if (!details_.items.empty()) response_.reasoning_details = JsonText(details_);
  events_.Finish(response_);
}

// An error may stand in a choice, or be an event of that name.
void Decoder::CheckError(std::string_view event, const Json& document) {
  if (event == "error") events_.FailWith(document);
  events_.CheckError(document, kAnswer, whole_);
  const Json* choices = FindArray(document, kAnswer);
  for (size_t i = 0; choices != nullptr && i < choices->items.size(); ++i) {
    const Json& choice = choices->items[i];
    if (FindObject(choice, "error") != nullptr) events_.FailWith(choice);
  }
}

void Decoder::ReadHead(const Json& body) {
  const struct {
    const char* name;
    std::string* value;
  } kHead[] = {{"id", &response_.id},
               {"model", &response_.model},
               {"system_fingerprint", &response_.fingerprint}};
  for (const auto& [name, value] : kHead) {
    const std::string_view text = FindText(body, name);
    if (!text.empty() && *value != text) *value = text;
  }
}

void Decoder::ReadUsage(const Json& body) {
  const Json* usage = FindObject(body, "usage");
  const Json* choices = FindArray(body, "choices");
  if (usage == nullptr && choices != nullptr && !choices->items.empty()) {
    usage = FindObject(choices->items[0], "usage");
  }
  if (usage != nullptr) {
    const Json none;
    const Json* prompt = FindObject(*usage, "prompt_tokens_details");
    const Json* completion = FindObject(*usage, "completion_tokens_details");
    prompt = prompt != nullptr ? prompt : &none;
    completion = completion != nullptr ? completion : &none;
    const int64_t hit = FindCount(*usage, "prompt_cache_hit_tokens");
    const int64_t miss = FindCount(*usage, "prompt_cache_miss_tokens");
    const int64_t cached = FindCount(*prompt, "cached_tokens");
    const int64_t reasoning = FindCount(*completion, "reasoning_tokens");
    Usage& to = response_.usage;
    response_.has_usage = true;
    to.cached_tokens = std::max<int64_t>(hit >= 0 ? hit : cached, 0);
    to.prompt_tokens = PromptTokens(FindCount(*usage, "prompt_tokens"), hit, miss);
    to.completion_tokens = std::max<int64_t>(FindCount(*usage, "completion_tokens"), 0);
    to.reasoning_tokens =
        std::max<int64_t>(reasoning >= 0 ? reasoning : FindCount(*usage, "reasoning_tokens"), 0);
    to.cache_write_tokens = std::max<int64_t>(FindCount(*prompt, "cache_write_tokens"), 0);
    ReadCost(*usage);
  }
  if (const Json* timings = FindObject(body, "timings")) ReadTimings(*timings);
}

// Hits and misses are what is billed.
int64_t Decoder::PromptTokens(int64_t total, int64_t hit, int64_t miss) {
  const int64_t sum = std::max<int64_t>(hit, 0) + std::max<int64_t>(miss, 0);
  if (hit < 0 || miss < 0 || sum == 0) return std::max(total, sum);
  if (total >= 0 && total != sum && !usage_noticed_) {
    usage_noticed_ = true;
    events_.Notice("usage_disagrees",
                   "usage: prompt_tokens is not the sum of cache hits and misses");
  }
  return sum;
}

// llama-server counts what its cache saved beside the usage.
void Decoder::ReadTimings(const Json& timings) {
  const int64_t cached = FindCount(timings, "cache_n"), prompt = FindCount(timings, "prompt_n");
  const int64_t predicted = FindCount(timings, "predicted_n");
  Usage& usage = response_.usage;
  if (!response_.has_usage && prompt >= 0 && predicted >= 0) {
    usage.prompt_tokens = prompt + std::max<int64_t>(cached, 0);
    usage.completion_tokens = predicted;
    response_.has_usage = true;
  }
  if (usage.cached_tokens == 0 && cached > 0) {
    usage.cached_tokens = std::min(cached, usage.prompt_tokens);
  }
}

void Decoder::ReadCost(const Json& usage) {
  if (provider_.cost_field.empty()) return;
  const Json* cost = FindValue(usage, provider_.cost_field);
  if (cost == nullptr || !(cost->IsNumber() || cost->IsString())) return;
  const std::optional<int64_t> pico = ParseDollars(Trimmed(cost->text));
  if (pico && *pico >= 0) response_.usage.reported_cost_pico = *pico;
}

// Events tell of one answer, the lowest number of the first list; others, if they were asked for,
// are left out and said to be.
const Json* Decoder::FirstChoice(const Json& body) {
  const Json* choices = FindArray(body, kAnswer);
  const Json* first = nullptr;
  const auto number = [](const Json& choice) {
    return std::max<int64_t>(FindCount(choice, "index"), 0);
  };
  const bool numbered = answer_ >= 0;
  for (size_t i = 0; choices != nullptr && !numbered && i < choices->items.size(); ++i) {
    if (!choices->items[i].IsObject()) continue;
    const int64_t index = number(choices->items[i]);
    answer_ = answer_ < 0 ? index : std::min(answer_, index);
  }
  for (size_t i = 0; choices != nullptr && i < choices->items.size(); ++i) {
    const Json& choice = choices->items[i];
    if (first == nullptr && number(choice) == answer_) {
      first = &choice;
    } else if (!dropped_answers_) {
      dropped_answers_ = true;
      events_.Notice("answers_dropped", "the service gave several answers; only one is told");
    }
  }
  return first != nullptr && first->IsObject() ? first : nullptr;
}

void Decoder::ReadChoice(const Json& choice, const Json& delta) {
  if (const Json* list = FindArray(delta, kDetailsField)) ReadDetails(*list);
  const std::string reasoning = FindReasoning(delta);
  const Json* logprobs = wants_logprobs_ ? FindObject(choice, "logprobs") : nullptr;
  if (logprobs != nullptr) ReadLogprobs(*logprobs, reasoning, delta);
  AddText(EventKind::kReasoning, reasoning_field_, reasoning);
  ReadContent(delta);
  ReadToolCalls(delta);
}

// One field per response: gateways send the same reasoning in two, and not always together.
std::string Decoder::FindReasoning(const Json& delta) {
  for (const std::string& field : provider_.reasoning_in) {
    if (!reasoning_field_.empty() && reasoning_field_ != field) continue;
    const Json* value = FindValue(delta, field);
    if (value == nullptr) continue;
    std::string text = value->text;
    if (!value->IsString()) text.clear();
    for (const Json& item : value->items) text += DetailText(item);
    if (text.empty()) continue;
    reasoning_field_ = field;
    return text;
  }
  return "";
}

void Decoder::ReadDetails(const Json& list) {
  for (const Json& piece : list.items) {
    text_.beside = true;
    if (!piece.IsObject()) continue;
    // Pieces of one detail share its type and its index or id; the last of them is at the end.
    Json* last = details_.items.empty() ? nullptr : &details_.items.back();
    for (Json& known : details_.items) {
      if (FindValue(piece, "index") != nullptr && BothSay(known, piece, "index")) {
        last = &known;
      }
    }
    const bool extends = !whole_ && last != nullptr && BothSay(*last, piece, "type") &&
                         !Differ(*last, piece, "index") && !Differ(*last, piece, "id") &&
                         FindText(piece, "type") != "reasoning.encrypted";
    if (extends) {
      ExtendDetail(piece, last);
    } else if (details_.items.size() >= kMaxDetails) {
      events_.Fail(FailureKind::kTransport, "sent too many reasoning details");
    } else {
      details_.items.push_back(piece);
    }
  }
}

// What a service says instead of an answer is the answer: nobody should get an empty one.
void Decoder::ReadContent(const Json& delta) {
  AddText(EventKind::kContent, "refusal", FindText(delta, "refusal"));
  const char* field = "content";
  const Json* content = FindValue(delta, field);
  if (content == nullptr) content = FindValue(delta, field = "text");  // a plain completion
  if (content == nullptr) return;
  if (content->IsString()) AddText(EventKind::kContent, field, content->text);
  for (const Json& part : content->items) {
    AddText(EventKind::kContent, "text", FindText(part, "text"));
    AddText(EventKind::kContent, "refusal", FindText(part, "refusal"));
  }
}

void Decoder::AddText(EventKind kind, std::string_view field, std::string_view text) {
  if (text.empty()) return;
  text_.kind = kind;
  text_.field = field;
  text_.text = text;
  ++text_.count;
  events_.Text(kind, text);
}

void Decoder::ReadToolCalls(const Json& delta) {
  const Json* list = FindArray(delta, "tool_calls");
  for (size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
    const Json& fragment = list->items[i];
    text_.beside = true;
    if (fragment.IsObject()) ReadToolCall(fragment, i, list->items.size());
  }
  // The form before there were several.
  const Json* function = FindObject(delta, "function_call");
  if (function == nullptr || (list != nullptr && !list->items.empty())) return;
  Json fragment;
  fragment.kind = Json::Kind::kObject;
  fragment.members.emplace_back("function", *function);
  text_.beside = true;
  ReadToolCall(fragment, 0, 1);
}

void Decoder::ReadToolCall(const Json& json, size_t position, size_t count) {
  const Json none;
  const Json* function = FindObject(json, "function");
  if (function == nullptr) function = &none;
  Fragment fragment;
  fragment.id = Trimmed(FindText(json, "id"));
  fragment.name = FindText(*function, "name");
  fragment.arguments = AnswerEvents::ArgumentsText(function->Find("arguments"));
  fragment.index = FindCount(json, "index");
  fragment.numbered = fragment.index >= 0 || count > 1;  // several in order are as good as numbered
  if (fragment.index < 0) fragment.index = static_cast<int64_t>(position);
  events_.ExtendCall(FindCall(fragment), fragment.id, fragment.name, fragment.arguments);
}

// The call that a fragment belongs to. It says so by its index; without one, by its id; without
// that it goes on with the last. In a whole body everything is another call.
size_t Decoder::FindCall(const Fragment& fragment) {
  Slot* found = nullptr;
  for (Slot& slot : slots_) {
    const bool same_id = !fragment.id.empty() && slot.id == fragment.id;
    if (fragment.numbered ? slot.index == fragment.index : same_id) found = &slot;
  }
  if (found == nullptr && !fragment.numbered && !slots_.empty()) found = &slots_.back();
  if (!whole_ && found != nullptr && Continues(*found, fragment)) {
    if (found->id.empty()) found->id = fragment.id;
    return found->call;
  }
  slots_.push_back({fragment.index, std::string(fragment.id), events_.AddCall()});
  return slots_.back().call;
}

// Some number all calls alike, some give each fragment another id, some name the tool every time. A
// call with whole arguments is over; the same again is no other call.
bool Decoder::Continues(const Slot& slot, const Fragment& fragment) const {
  const bool same_id = !fragment.id.empty() && slot.id == fragment.id;
  if (fragment.name.empty() || same_id) return true;
  const bool other_id = !fragment.id.empty() && !slot.id.empty();
  const CallArguments& arguments = events_.ArgumentsOf(slot.call);
  const bool same_name = events_.NameOf(slot.call) == Trimmed(fragment.name);
  if (arguments.IsObject()) {
    const bool same = fragment.arguments.empty() || fragment.arguments == arguments.text();
    return !other_id && fragment.numbered && same_name && same;
  }
  if (fragment.numbered ? !other_id || same_name : !other_id && same_name) return true;
  return events_.GoesOnWith(slot.call, fragment.name);
}

// vLLM lists the tokens of reasoning as those of content: they belong to what they came with.
void Decoder::ReadLogprobs(const Json& logprobs, std::string_view reasoning, const Json& delta) {
  if (FindArray(logprobs, "tokens") != nullptr) return ReadPlainLogprobs(logprobs);
  const Json* own = FindArray(logprobs, "reasoning_content");
  if (own == nullptr) own = FindArray(logprobs, "reasoning");
  if (own != nullptr) events_.AddLogprobs(EventKind::kReasoning, own->items);
  const Json* list = FindArray(logprobs, "content");
  if (list == nullptr) return;
  const std::span<const Json> tokens = list->items;
  const bool has_own = own != nullptr && !own->items.empty();
  const bool alone = !whole_ && FindText(delta, "content").empty();
  const size_t count = has_own || reasoning.empty() ? 0
                       : alone                      ? tokens.size()
                                                    : CountTokens(*list, reasoning);
  events_.AddLogprobs(EventKind::kReasoning, tokens.first(count));
  events_.AddLogprobs(EventKind::kContent, tokens.subspan(count));
}

// The lists of a plain completion.
void Decoder::ReadPlainLogprobs(const Json& logprobs) {
  const Json* tokens = FindArray(logprobs, "tokens");
  const Json* values = FindArray(logprobs, "token_logprobs");
  const Json* top = FindArray(logprobs, "top_logprobs");
  for (size_t i = 0; i < tokens->items.size(); ++i) {
    TokenLogprob token;
    token.id = -1;
    token.text = tokens->items[i].text;
    if (values != nullptr && i < values->items.size()) {
      token.logprob = static_cast<float>(values->items[i].number);
    }
    if (top != nullptr && i < top->items.size()) {
      for (const auto& [text, value] : top->items[i].members) {
        token.top.push_back({-1, static_cast<float>(value.number), text});
      }
    }
    events_.AddLogprob(EventKind::kContent, std::move(token));
  }
}

void Decoder::ReadFinish(const Json& choice) {
  events_.TakeReason(FindText(choice, "finish_reason"), &response_);
  text_.beside = text_.beside || response_.finished;
}

}  // namespace

std::unique_ptr<WireDecoder> DecodeOpenAi(const Request& request, const WirePlan& plan) {
  return std::make_unique<Decoder>(request, plan);
}

}  // namespace finback
