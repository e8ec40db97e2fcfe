// Plays tests/golden/remote: a request must be sent as wire.json says, and what the service answers
// must become the events of events.jsonl, however its bytes arrive. A case may bring its provider,
// as a user's providers_file does: that row and the folder are all that a new provider takes.
// errors.jsonl has what a service refuses with: a status and a body, in a 200 as an event amid the
// answer, and the failure that it becomes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/remote/transport/failure.h"
#include "core/remote/transport/sse.h"
#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

using OrderedJson = nlohmann::ordered_json;
namespace fs = std::filesystem;

const fs::path kFolder = fs::path(FINBACK_SOURCE_DIR) / "tests/golden/remote";

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (fs::exists(entry.path() / "wire.json")) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

OrderedJson Logprobs(const std::vector<TokenLogprob>& tokens) {
  OrderedJson list = OrderedJson::array();
  for (const TokenLogprob& token : tokens) {
    OrderedJson top = OrderedJson::array();
    for (const auto& other : token.top) top.push_back({other.text, other.logprob});
    list.push_back({token.text, token.logprob, top});
  }
  return list;
}

OrderedJson Line(const Event& event) {
  OrderedJson line;
  switch (event.kind) {
    case EventKind::kReasoning:
    case EventKind::kContent:
      line[event.kind == EventKind::kReasoning ? "reasoning" : "content"] = event.text;
      if (!event.logprobs.empty()) line["logprobs"] = Logprobs(event.logprobs);
      break;
    case EventKind::kToolCall:
      line["tool_call"] = event.tool_index;
      line["id"] = event.tool_id;
      line["name"] = event.tool_name;
      break;
    case EventKind::kToolArguments:
    case EventKind::kToolCallEnd:
      line[event.kind == EventKind::kToolArguments ? "arguments" : "tool_call_end"] =
          event.tool_index;
      line["text"] = event.text;
      break;
    case EventKind::kFinish:
      line["finish"] = FinishReasonName(event.finish_reason);
      line["prompt_tokens"] = event.usage.prompt_tokens;
      line["cached_tokens"] = event.usage.cached_tokens;
      line["completion_tokens"] = event.usage.completion_tokens;
      line["reasoning_tokens"] = event.usage.reasoning_tokens;
      if (event.usage.cache_write_tokens > 0) {
        line["cache_write_tokens"] = event.usage.cache_write_tokens;
      }
      if (event.usage.reported_cost_pico >= 0) line["cost_pico"] = event.usage.reported_cost_pico;
      break;
    case EventKind::kNotice:
      line["notice"] = OrderedJson::parse(event.text)["code"];
      break;
    default:
      line["kind"] = static_cast<int>(event.kind);
  }
  return line;
}

OrderedJson Line(const WireResponse& response) {
  OrderedJson line;
  line["id"] = response.id;
  line["model"] = response.model;
  line["fingerprint"] = response.fingerprint;
  line["finish_reason"] = response.finish_reason;
  line["closed"] = response.closed;
  if (!response.reasoning_details.empty()) {
    line["reasoning_details"] = OrderedJson::parse(response.reasoning_details);
  }
  return {{"response", line}};
}

std::string Lines(const std::vector<Event>& events, const WireResponse& response) {
  std::string lines;
  for (const Event& event : events) lines += Line(event).dump() + "\n";
  return lines + Line(response).dump() + "\n";
}

std::string Normalized(const std::string& jsonl) {
  std::istringstream stream(jsonl);
  std::string lines, line;
  while (std::getline(stream, line)) lines += OrderedJson::parse(line).dump() + "\n";
  return lines;
}

class Golden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string json = Read(folder_ / "request.json");
    const bool plain = OrderedJson::parse(json).contains("prompt");
    request_ = plain ? ParseCompletionRequest(json) : ParseChatRequest(json);
    policy_.stream = fs::exists(folder_ / "response.sse");
  }

  std::string Streamed(const std::string& bytes, size_t piece) {
    const auto decoder = Decoder(request_, policy_, table_);
    SseParser parser;
    std::vector<Event> events;
    for (size_t i = 0; i < bytes.size(); i += piece) {
      parser.Push(std::string_view(bytes).substr(i, piece));
      std::string_view event, data;
      while (parser.Next(&event, &data)) decoder->Push(event, data, &events);
    }
    decoder->End(&events);
    return Lines(events, decoder->response());
  }

  std::string Whole(const std::string& body) {
    const auto decoder = Decoder(request_, policy_, table_);
    std::vector<Event> events;
    decoder->Whole(body, &events);
    decoder->End(&events);
    return Lines(events, decoder->response());
  }

  const fs::path folder_ = kFolder / GetParam();
  const ProviderTable table_ = ProviderTable::Load(Read(folder_ / "providers.json"));
  Request request_;
  WirePolicy policy_;
};

TEST_P(Golden, IsSentAsTheServiceExpects) {
  const WirePlan plan = Plan(request_, policy_, table_);
  const WireCall call = CodecOf(*plan.provider).encode(request_, plan);
  const bool beta = GetParam() == "openai-deepseek-fim";
  EXPECT_EQ(plan.beta, beta);
  const std::string& format = plan.provider->wire_format;
  const char* path = format == "anthropic"   ? "/v1/messages"
                     : format == "responses" ? "/responses"
                     : request_.is_chat      ? "/chat/completions"
                                             : "/completions";
  EXPECT_EQ(call.path, path);
  EXPECT_EQ(OrderedJson::parse(call.body).dump(1),
            OrderedJson::parse(Read(folder_ / "wire.json")).dump(1));
  EXPECT_EQ(call.body, CodecOf(*plan.provider).encode(request_, plan).body);
}

TEST_P(Golden, IsUnderstoodHoweverItsBytesArrive) {
  const std::string expected = Normalized(Read(folder_ / "events.jsonl"));
  if (!policy_.stream) {
    EXPECT_EQ(Whole(Read(folder_ / "response.json")), expected);
    return;
  }
  const std::string bytes = Read(folder_ / "response.sse");
  EXPECT_EQ(Streamed(bytes, bytes.size()), expected);
  EXPECT_EQ(Streamed(bytes, 1), expected);
}

TEST_P(Golden, IsNeverTakenForCompleteWhenCutOff) {
  if (!policy_.stream) {
    const std::string body = Read(folder_ / "response.json");
    const size_t end = body.find_last_of('}');
    for (size_t cut = 0; cut <= end; cut += 7) {
      const Json details = FailureOf([&] { Whole(body.substr(0, cut)); });
      EXPECT_EQ(FailureText(details, "kind"), "transport") << cut;
    }
    return;
  }
  // Up to the event that tells why the answer ended.
  const std::string bytes = Read(folder_ / "response.sse");
  size_t end = std::min(
      {bytes.find("\"finish_reason\":\"stop\""), bytes.find("message_delta"),
       bytes.find("\"finish_reason\":\"tool_calls\""), bytes.find("\"finish_reason\":\"length\""),
       bytes.find("\"finish_reason\":\"eos\""), bytes.find("response.completed")});
  ASSERT_NE(end, std::string::npos);
  for (size_t cut = 0; cut <= end; cut += 11) {
    const Json details = FailureOf([&] { Streamed(bytes.substr(0, cut), bytes.size()); });
    EXPECT_EQ(FailureText(details, "kind"), "transport") << cut;
    EXPECT_EQ(FailureText(details, "retryable"), "true") << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Remote, Golden, testing::ValuesIn(Cases()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

Json FailureOfLine(const OrderedJson& line) {
  const std::string body = line["body"].dump();
  if (line["status"] != 200) {
    return FailureOf([&] { ThrowFailure(ClassifyResponse(line["status"], {}, body)); });
  }
  const auto decoder = Decoder(Ask("vllm:m"));
  std::vector<Event> events;
  decoder->Push("", R"({"choices": [{"index": 0, "delta": {"content": "a"}}]})", &events);
  return FailureOf([&] { decoder->Push("", body, &events); });
}

TEST(GoldenErrors, BecomeFailuresWithTheWordsOfTheService) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    std::istringstream lines(Read(entry.path() / "errors.jsonl"));
    for (std::string text; std::getline(lines, text); ++count) {
      const OrderedJson line = OrderedJson::parse(text);
      const Json details = FailureOfLine(line);
      EXPECT_EQ(FailureText(details, "kind"), line["kind"]) << text;
      EXPECT_NE(FailureText(details, "message").find(line.value("says", "")), std::string::npos)
          << FailureText(details, "message");
      EXPECT_EQ(FailureText(details, "limit"), line.contains("limit") ? line["limit"].dump() : "");
    }
  }
  EXPECT_GE(count, 9u);
}

TEST(GoldenFolder, HasCasesOfEveryFormat) {
  std::string formats;
  for (const std::string& name : Cases()) formats += name.substr(0, name.find('-')) + " ";
#define FINBACK_WIRE_FORMAT(name, Name) \
  EXPECT_NE(formats.find(#name " "), std::string::npos) << #name;
#include "core/remote/catalog/wire_formats.inc"
#undef FINBACK_WIRE_FORMAT
}

TEST(GoldenFolder, HasAProviderThatIsNoneOfOurs) {
  size_t made_up = 0;
  for (const std::string& name : Cases()) {
    const std::string rows = Read(kFolder / name / "providers.json");
    if (rows.empty()) continue;
    const std::string model = OrderedJson::parse(Read(kFolder / name / "request.json"))["model"];
    EXPECT_EQ(Providers().Find(ModelName(model).provider), nullptr) << name;
    ++made_up;
  }
  EXPECT_GT(made_up, 0u);
}

}  // namespace
}  // namespace finback
