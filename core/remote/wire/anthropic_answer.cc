// Messages, as answers (docs/services.md 14): event streams and whole bodies. Unknown events and
// blocks are passed over.
#include <algorithm>
#include <map>

#include "core/base/ascii.h"
#include "core/base/status.h"
#include "core/json/lenient_json.h"
#include "core/remote/wire/answer_events.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {
namespace {

constexpr size_t kMaxBlocks = 4096;
constexpr std::string_view kNoInput = "{}";

Json Text(std::string_view text) {
  Json json;
  json.kind = Json::Kind::kString;
  json.text = text;
  return json;
}

// {"type": "thinking", "thinking": .., "signature": ..}
Json ThinkingBlock(std::string_view thinking, std::string_view signature) {
  Json block;
  block.kind = Json::Kind::kObject;
  block.members.emplace_back("type", Text("thinking"));
  block.members.emplace_back("thinking", Text(thinking));
  block.members.emplace_back("signature", Text(signature));
  return block;
}

class Decoder final : public WireDecoder {
 public:
  Decoder(const Request& request, const WirePlan& plan) : events_(request, plan) {
    details_.kind = Json::Kind::kArray;
  }

  void Push(std::string_view event, std::string_view data, std::vector<Event>* out) override;
  void Whole(std::string_view body, std::vector<Event>* out) override;
  void End(std::vector<Event>* out) override;

 private:
  enum class BlockKind : uint8_t { kOther, kThinking, kToolUse };
  struct Block {
    BlockKind kind = BlockKind::kOther;
    size_t call = 0;    // kToolUse
    std::string input;  // kToolUse: what its start said
    std::string thinking, signature;
  };

  void ReadHead(const Json& message);
  void ReadUsage(const Json& usage);
  void StartBlock(int64_t index, const Json& content);
  void ExtendBlock(int64_t index, const Json& delta);
  void StopBlock(int64_t index);

  AnswerEvents events_;
  const std::string name_;           // of the provider
  std::map<int64_t, Block> blocks_;  // that are open
  size_t started_ = 0;
  bool done_ = false;  // as Chat Completions end
  Json details_;
  // As last said; -1: never.
  int64_t input_ = -1, output_ = -1, cache_read_ = -1, cache_write_ = -1, total_ = -1;
};

void Decoder::Push(std::string_view event, std::string_view data, std::vector<Event>* out) {
  events_.Begin(out);
  data = Trimmed(data);
  done_ = done_ || data == "[DONE]";
  if (data.empty() || data == "[DONE]") return;
  const Json json = events_.ParseObject(data);
  const std::string_view named = FindText(json, "type");
  const std::string_view type = named.empty() ? event : named;
  if (type == "error" || event == "error") events_.FailWith(json);
  const bool is_ours = type.starts_with("content_block_") || type.starts_with("message_");
  if (!is_ours || json.Find("error") != nullptr) events_.CheckError(json, "type", false);
  const int64_t index = FindCount(json, "index");
  const Json none;
  const auto member = [&](const char* name) -> const Json& {
    const Json* found = FindObject(json, name);
    return found != nullptr ? *found : none;
  };
  if (type == "message_start") {
    ReadHead(member("message"));
  } else if (type == "content_block_start") {
    StartBlock(index, member("content_block"));
  } else if (type == "content_block_delta") {
    ExtendBlock(index, member("delta"));
  } else if (type == "content_block_stop") {
    StopBlock(index);
  } else if (type == "message_delta") {
    ReadUsage(member("usage"));
    events_.TakeReason(FindText(member("delta"), "stop_reason"), &response_);
  } else if (type == "message_stop") {
    response_.closed = true;
  }
}

void Decoder::Whole(std::string_view body, std::vector<Event>* out) {
  events_.Begin(out);
  events_.HoldAll();
  const Json document = events_.ParseObject(body);
  events_.CheckError(document, "content", true);
  const Json& json = AnswerEvents::Opened(document, "content");
  const Json* content = FindArray(json, "content");
  if (content == nullptr) {
    events_.Fail(FailureKind::kTransport, "sent a body without content", body);
  }
  ReadHead(json);
  for (size_t i = 0; i < content->items.size(); ++i) {
    StartBlock(static_cast<int64_t>(i), content->items[i]);
    StopBlock(static_cast<int64_t>(i));
  }
  events_.TakeReason(FindText(json, "stop_reason"), &response_);
  response_.finished = response_.closed = true;
}

void Decoder::End(std::vector<Event>* out) {
  events_.BeginEnd(out);
  response_.closed = response_.closed || done_;
  while (!blocks_.empty()) StopBlock(blocks_.begin()->first);
  if (input_ >= 0 && response_.usage.prompt_tokens != input_ && total_ < 0) {
    events_.Notice("usage_assumed", "usage: input_tokens is taken to leave out cached tokens");
  }
  if (!details_.items.empty()) response_.reasoning_details = JsonText(details_);
  events_.Finish(response_);
}

void Decoder::ReadHead(const Json& message) {
  response_.id = FindText(message, "id");
  response_.model = FindText(message, "model");
  if (const Json* usage = FindObject(message, "usage")) ReadUsage(*usage);
}

// Input tokens leave out those that the cache had or took, unless the total says otherwise.
void Decoder::ReadUsage(const Json& usage) {
  const struct {
    const char* name;
    int64_t* value;
  } kCounts[] = {{"input_tokens", &input_},
                 {"output_tokens", &output_},
                 {"cache_read_input_tokens", &cache_read_},
                 {"cache_creation_input_tokens", &cache_write_},
                 {"total_tokens", &total_}};
  for (const auto& [name, value] : kCounts) {
    const int64_t count = FindCount(usage, name);
    if (count < 0) continue;
    *value = count;
    response_.has_usage = true;
  }
  Usage& to = response_.usage;
  const int64_t input = std::max<int64_t>(input_, 0), output = std::max<int64_t>(output_, 0);
  to.cached_tokens = std::max<int64_t>(cache_read_, 0);
  to.cache_write_tokens = std::max<int64_t>(cache_write_, 0);
  const int64_t cache = to.cached_tokens + to.cache_write_tokens;
  const bool includes_cache = total_ >= 0 && total_ == input + output && input >= cache;
  to.prompt_tokens = includes_cache ? input : input + cache;
  to.completion_tokens = output;
  if (const Json* details = FindObject(usage, "output_tokens_details")) {
    to.reasoning_tokens = std::max<int64_t>(FindCount(*details, "reasoning_tokens"), 0);
  }
}

void Decoder::StartBlock(int64_t index, const Json& content) {
  StopBlock(index);  // a repeated index is a new block
  if (++started_ > kMaxBlocks) {
    events_.Fail(FailureKind::kTransport, Format("sent more than %zu content blocks", kMaxBlocks));
  }
  Block& block = blocks_[index];
  const std::string_view type = FindText(content, "type");
  if (type == "text") {
    events_.Text(EventKind::kContent, FindText(content, "text"));
  } else if (type == "thinking") {
    block.kind = BlockKind::kThinking;
    block.thinking = FindText(content, "thinking");
    block.signature = FindText(content, "signature");
    events_.Text(EventKind::kReasoning, block.thinking);
  } else if (type == "redacted_thinking") {
    details_.items.push_back(content);
  } else if (type == "tool_use") {
    block.kind = BlockKind::kToolUse;
    block.call = events_.AddCall();
    block.input = AnswerEvents::ArgumentsText(content.Find("input"));
    events_.ExtendCall(block.call, FindText(content, "id"), FindText(content, "name"), "");
  }
}

void Decoder::ExtendBlock(int64_t index, const Json& delta) {
  const std::string_view type = FindText(delta, "type");
  if (type == "text_delta") return events_.Text(EventKind::kContent, FindText(delta, "text"));
  const auto found = blocks_.find(index);
  Block* block = found != blocks_.end() ? &found->second : nullptr;
  if (type == "thinking_delta") {
    const std::string_view text = FindText(delta, "thinking");
    if (block != nullptr) block->thinking += text;
    events_.Text(EventKind::kReasoning, text);
  } else if (type == "signature_delta") {
    if (block != nullptr) block->signature += FindText(delta, "signature");
  } else if (type == "input_json_delta" && block != nullptr && block->kind == BlockKind::kToolUse) {
    events_.ExtendCall(block->call, "", "",
                       AnswerEvents::ArgumentsText(delta.Find("partial_json")));
  }
}

void Decoder::StopBlock(int64_t index) {
  const auto found = blocks_.find(index);
  if (found == blocks_.end()) return;
  const Block block = std::move(found->second);
  blocks_.erase(found);
  if (block.kind == BlockKind::kThinking) {
    details_.items.push_back(ThinkingBlock(block.thinking, block.signature));
  } else if (block.kind == BlockKind::kToolUse) {
    // The start says {} when deltas follow; it is all there is when none do.
    if (events_.ArgumentsOf(block.call).empty()) {
      // Whether that is all of it, or its deltas are missing, is known at the end.
      if (block.input == kNoInput) return events_.AllowNoArguments(block.call);
      events_.ExtendCall(block.call, "", "", block.input);
    } else if (block.input != kNoInput) {
      events_.SayArguments(block.call, block.input);
    }
    events_.EndCall(block.call);
  }
}

}  // namespace

std::unique_ptr<WireDecoder> DecodeAnthropic(const Request& request, const WirePlan& plan) {
  return std::make_unique<Decoder>(request, plan);
}

}  // namespace finback
