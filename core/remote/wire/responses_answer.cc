// Responses, as answers (docs/services.md 15): event streams and whole bodies. What deltas did not
// bring is taken from the finished items, and what those did not from the finished response.
#include <algorithm>
#include <map>

#include "core/base/ascii.h"
#include "core/base/status.h"
#include "core/json/lenient_json.h"
#include "core/remote/transport/error_body.h"
#include "core/remote/wire/answer_events.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {
namespace {

constexpr size_t kMaxItems = 4096;

class Decoder final : public WireDecoder {
 public:
  Decoder(const Request& request, const WirePlan& plan)
      : events_(request, plan), wants_logprobs_(request.top_logprobs >= 0) {
    details_.kind = Json::Kind::kArray;
  }

  void Push(std::string_view event, std::string_view data, std::vector<Event>* out) override;
  void Whole(std::string_view body, std::vector<Event>* out) override;
  void End(std::vector<Event>* out) override;

 private:
  // What is known of an item of the output, by its index there.
  struct Item {
    std::string_view delta;  // which kind of delta brought its text; "": none did
    bool has_call = false, done = false;
    size_t call = 0;
  };

  Item* Find(const Json& event);
  void AddText(std::string_view type, const Json& event);
  void ExtendCall(Item* item, const Json& event);
  void FinishArguments(Item* item, const Json& event);
  void AddItem(const Json& json, Item* item);
  void FinishItem(const Json& json, Item* item);
  void ReadResponse(const Json& response);
  void FinishResponse(const Json& response, std::string_view said);
  void ReadUsage(const Json& usage);
  void ReadLogprobs(const Json& owner);

  AnswerEvents events_;
  const bool wants_logprobs_;
  bool done_ = false;  // as Chat Completions end
  std::map<int64_t, Item> items_;
  std::vector<std::string> ids_;  // of items without an index
  Json details_;
};

void Decoder::Push(std::string_view event, std::string_view data, std::vector<Event>* out) {
  events_.Begin(out);
  data = Trimmed(data);
  done_ = done_ || data == "[DONE]";
  if (data.empty() || data == "[DONE]") return;
  const Json json = events_.ParseObject(data);
  std::string_view type = FindText(json, "type");
  if (type.empty()) type = event;
  if (type == "error" || event == "error") events_.FailWith(json);
  if (!type.starts_with("response.")) events_.CheckError(json, "response", false);
  const Json* response = FindObject(json, "response");
  if (response != nullptr) {
    ReadResponse(*response);
    const bool over =
        type == "response.completed" || type == "response.incomplete" || type == "response.failed";
    if (over) FinishResponse(*response, type.substr(type.find('.') + 1));
    return;
  }
  const Json* item = FindObject(json, "item");
  if (item != nullptr && type == "response.output_item.added") {
    AddItem(*item, Find(json));
  } else if (item != nullptr && type == "response.output_item.done") {
    FinishItem(*item, Find(json));
  } else if (type == "response.function_call_arguments.delta") {
    ExtendCall(Find(json), json);
  } else if (type == "response.function_call_arguments.done") {
    FinishArguments(Find(json), json);
  } else {
    AddText(type, json);
  }
}

void Decoder::Whole(std::string_view body, std::vector<Event>* out) {
  events_.Begin(out);
  events_.HoldAll();
  const Json document = events_.ParseObject(body);
  events_.CheckError(document, "output", true);
  const Json& json = AnswerEvents::Opened(document, "output");
  if (FindArray(json, "output") == nullptr) {
    events_.Fail(FailureKind::kTransport, "sent a body without output", body);
  }
  ReadResponse(json);
  FinishResponse(json, "completed");
}

void Decoder::End(std::vector<Event>* out) {
  events_.BeginEnd(out);
  response_.closed = response_.closed || done_;
  if (!details_.items.empty()) response_.reasoning_details = JsonText(details_);
  events_.Finish(response_);
}

// By its index, or by its id (below zero) where a gateway leaves that out.
Decoder::Item* Decoder::Find(const Json& event) {
  int64_t index = FindCount(event, "output_index");
  if (index < 0) {
    const Json* json = FindObject(event, "item");
    const std::string_view id =
        json != nullptr ? FindText(*json, "id") : FindText(event, "item_id");
    const auto known = std::find(ids_.begin(), ids_.end(), id);
    index = -1 - (known - ids_.begin());
    if (known == ids_.end()) ids_.emplace_back(id);
  }
  Item* item = &items_[index];
  if (items_.size() > kMaxItems) {
    events_.Fail(FailureKind::kTransport, Format("sent more than %zu output items", kMaxItems));
  }
  return item;
}

// Reasoning may come as text, as a summary, or as both: the first kind of an item is its text.
void Decoder::AddText(std::string_view type, const Json& event) {
  static constexpr struct {
    std::string_view type;
    EventKind kind;
  } kDeltas[] = {{"response.reasoning_text.delta", EventKind::kReasoning},
                 {"response.reasoning_summary_text.delta", EventKind::kReasoning},
                 {"response.output_text.delta", EventKind::kContent},
                 {"response.refusal.delta", EventKind::kContent}};
  for (const auto& row : kDeltas) {
    if (type != row.type) continue;
    const std::string_view text = FindText(event, "delta");
    if (text.empty()) return;
    Item* item = Find(event);
    const bool other = !item->delta.empty() && item->delta != row.type;
    if (item->done || (other && row.kind == EventKind::kReasoning)) return;
    item->delta = row.type;
    ReadLogprobs(event);
    events_.Text(row.kind, text);
  }
}

void Decoder::AddItem(const Json& json, Item* item) {
  if (FindText(json, "type") != "function_call" || item->has_call) return;
  item->has_call = true;
  item->call = events_.AddCall();
  events_.ExtendCall(item->call, FindText(json, "call_id"), FindText(json, "name"),
                     AnswerEvents::ArgumentsText(json.Find("arguments")));
}

void Decoder::ExtendCall(Item* item, const Json& event) {
  if (item->has_call) events_.ExtendCall(item->call, "", "", FindText(event, "delta"));
}

void Decoder::FinishArguments(Item* item, const Json& event) {
  if (!item->has_call) return;
  events_.SayArguments(item->call, AnswerEvents::ArgumentsText(event.Find("arguments")));
}

void Decoder::FinishItem(const Json& json, Item* item) {
  if (item->done) return;
  item->done = true;
  const std::string_view type = FindText(json, "type");
  if (type == "function_call") {
    AddItem(json, item);
    events_.ExtendCall(item->call, FindText(json, "call_id"), FindText(json, "name"), "");
    FinishArguments(item, json);
    // Of a call without arguments it is not known yet whether they are missing.
    if (!events_.ArgumentsOf(item->call).empty()) events_.EndCall(item->call);
    return;
  }
  if (type == "reasoning") details_.items.push_back(json);
  if (!item->delta.empty() || (type != "reasoning" && type != "message")) return;
  const EventKind kind = type == "reasoning" ? EventKind::kReasoning : EventKind::kContent;
  const Json* parts = FindArray(json, "content");
  if (parts == nullptr || parts->items.empty()) parts = FindArray(json, "summary");
  for (size_t i = 0; parts != nullptr && i < parts->items.size(); ++i) {
    const Json& part = parts->items[i];
    const std::string_view text = FindText(part, "text");
    ReadLogprobs(part);
    events_.Text(kind, text.empty() ? FindText(part, "refusal") : text);
  }
}

void Decoder::ReadResponse(const Json& response) {
  const std::string_view id = FindText(response, "id"), model = FindText(response, "model");
  if (!id.empty()) response_.id = id;
  if (!model.empty()) response_.model = model;
  if (const Json* usage = FindObject(response, "usage")) ReadUsage(*usage);
}

// `said`: the status where the response does not name its own.
void Decoder::FinishResponse(const Json& response, std::string_view said) {
  std::string_view status = FindText(response, "status");
  if (status.empty() || status == "null") status = said;
  if (status == "failed" || status == "cancelled") {
    response_.finish_reason = status;
    if (FindErrorSign(response) == ErrorSign::kNames) events_.FailWith(response);
    events_.Fail(FailureKind::kServer, "ended the answer as " + std::string(status));
  }
  const Json* output = ids_.empty() ? FindArray(response, "output") : nullptr;
  for (size_t i = 0; output != nullptr && i < output->items.size(); ++i) {
    FinishItem(output->items[i], &items_[static_cast<int64_t>(i)]);
  }
  const Json* details = FindObject(response, "incomplete_details");
  const std::string_view reason = details != nullptr ? FindText(*details, "reason") : "";
  response_.closed = true;
  events_.TakeReason(reason.empty() ? status : reason, &response_);
}

void Decoder::ReadUsage(const Json& usage) {
  const Json none;
  const Json* input = FindObject(usage, "input_tokens_details");
  const Json* output = FindObject(usage, "output_tokens_details");
  const auto count = [](const Json& object, const char* name) {
    return std::max<int64_t>(FindCount(object, name), 0);
  };
  Usage& to = response_.usage;
  response_.has_usage = true;
  to.prompt_tokens = count(usage, "input_tokens");
  to.completion_tokens = count(usage, "output_tokens");
  to.cached_tokens = count(input != nullptr ? *input : none, "cached_tokens");
  to.cached_tokens = std::min(to.cached_tokens, to.prompt_tokens);
  to.reasoning_tokens = count(output != nullptr ? *output : none, "reasoning_tokens");
}

void Decoder::ReadLogprobs(const Json& owner) {
  const Json* list = wants_logprobs_ ? FindArray(owner, "logprobs") : nullptr;
  if (list != nullptr) events_.AddLogprobs(EventKind::kContent, list->items);
}

}  // namespace

std::unique_ptr<WireDecoder> DecodeResponses(const Request& request, const WirePlan& plan) {
  return std::make_unique<Decoder>(request, plan);
}

}  // namespace finback
