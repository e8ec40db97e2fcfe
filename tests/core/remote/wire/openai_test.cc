#include <gtest/gtest.h>

#include <random>

#include "core/json/json_writer.h"
#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

constexpr const char* kFlash = "deepseek:deepseek-flash";

OrderedJson Sent(const Request& request, const WirePolicy& policy = {}) {
  return OrderedJson::parse(Encoded(request, policy));
}

OrderedJson SentMessage(const std::string& model, const std::string& message,
                        const std::string& fields = "", const WirePolicy& policy = {}) {
  const Request request = ParseChatRequest("{\"model\": \"" + model + "\", \"messages\": [" +
                                           message + ", {\"role\": \"user\", \"content\": \"x\"}]" +
                                           (fields.empty() ? "" : ", " + fields) + "}");
  return Sent(request, policy)["messages"][0];
}

TEST(OpenAiRequest, SwitchesThinkingInEachStyle) {
  const struct {
    const char *model, *fields, *sent;
  } kRows[] = {
      {kFlash, "", R"({"thinking": {"type": "enabled"}, "reasoning_effort": "high"})"},
      {kFlash, "\"reasoning_effort\": \"none\"", R"({"thinking": {"type": "disabled"}})"},
      {kFlash, R"("reasoning_effort": "xhigh")",
       R"({"thinking": {"type": "enabled"}, "reasoning_effort": "high"})"},
      {"deepinfra:m", "", R"({"reasoning_effort": "high"})"},
      {"deepinfra:m", R"("thinking": {"type": "disabled"})", R"({"reasoning_effort": "none"})"},
      {"fireworks:m", R"("reasoning_effort": "max")", R"({"reasoning_effort": "xhigh"})"},
      {"openrouter:m", R"("reasoning_effort": "max")", R"({"reasoning": {"effort": "max"}})"},
      {"openrouter:m", R"("reasoning_effort": "none")", R"({"reasoning": {"effort": "none"}})"},
      {"together:m", R"("reasoning_effort": "none")", R"({"reasoning": {"enabled": false}})"},
      {"vllm:m", "", R"({"chat_template_kwargs": {"thinking": true, "reasoning_effort": "high"}})"},
      {"vllm:m", R"("reasoning_effort": "none")",
       R"({"chat_template_kwargs": {"thinking": false}})"},
      {"linkai:m", R"("reasoning_effort": "none")", "{}"},
  };
  for (const auto& row : kRows) {
    OrderedJson found = OrderedJson::object();
    const OrderedJson sent = Sent(Ask(row.model, row.fields));
    for (const char* name : {"thinking", "reasoning_effort", "reasoning", "chat_template_kwargs"}) {
      if (sent.contains(name)) found[name] = sent[name];
    }
    EXPECT_EQ(nlohmann::json(found), nlohmann::json::parse(row.sent)) << row.model << row.fields;
  }
}

TEST(OpenAiRequest, SendsSamplingAsItWasGiven) {
  const OrderedJson sent = Sent(Ask("vllm:m", R"("temperature": 0.1, "top_p": 1, "top_k": 5,
      "min_p": 0.25, "seed": -3, "logit_bias": {"12": -1.5}, "stop": ["a"],
      "logprobs": true, "top_logprobs": 3)"));
  EXPECT_EQ(sent["temperature"].dump(), "0.1");
  EXPECT_EQ(sent["top_p"], 1);
  EXPECT_EQ(sent["top_k"], 5);
  EXPECT_EQ(sent["min_p"], 0.25);
  EXPECT_EQ(sent["seed"], -3);
  EXPECT_EQ(sent["logit_bias"].dump(), R"({"12":-1.5})");
  EXPECT_EQ(sent["stop"].dump(), R"(["a"])");
  EXPECT_EQ(sent["logprobs"], true);
  EXPECT_EQ(sent["top_logprobs"], 3);
}

TEST(OpenAiRequest, LeavesOutWhatWasNotGiven) {
  const OrderedJson sent = Sent(Ask("linkai:m"));
  std::string names;
  for (const auto& item : sent.items()) names += item.key() + " ";
  EXPECT_EQ(names, "model messages max_tokens stream ");
}

TEST(OpenAiRequest, StreamsOnlyWhenAskedTo) {
  WirePolicy policy;
  policy.stream = false;
  const OrderedJson sent = Sent(Ask(kFlash), policy);
  EXPECT_EQ(sent["stream"], false);
  EXPECT_FALSE(sent.contains("stream_options"));
}

TEST(OpenAiRequest, KeepsTheThreeStatesOfReasoning) {
  const auto message = [](const char* reasoning) {
    return std::string(R"({"role": "assistant", "content": "a")") + reasoning + "}";
  };
  const char* given = R"(, "reasoning_content": " t\n")";
  const char* empty = R"(, "reasoning_content": "")";
  const auto field = [](const OrderedJson& sent, const char* name) {
    return sent.contains(name) ? sent[name].dump() : "absent";
  };
  // Without tools the field says what the history says; with them it is never missing.
  EXPECT_EQ(field(SentMessage(kFlash, message(given)), "reasoning_content"), "\" t\\n\"");
  EXPECT_EQ(field(SentMessage(kFlash, message(empty)), "reasoning_content"), "\"\"");
  EXPECT_EQ(field(SentMessage(kFlash, message("")), "reasoning_content"), "absent");
  EXPECT_EQ(field(SentMessage(kFlash, message(""), kTools), "reasoning_content"), "\"\"");
  // A provider that does not ask for it is not given an empty one.
  EXPECT_EQ(field(SentMessage("deepinfra:m", message(""), kTools), "reasoning_content"), "absent");
  EXPECT_EQ(field(SentMessage("vllm:m", message(given), kTools), "reasoning"), "\" t\\n\"");
  WirePolicy never, always;
  never.replay = ReplayReasoning::kNever;
  always.replay = ReplayReasoning::kAlways;
  EXPECT_EQ(field(SentMessage(kFlash, message(given), "", never), "reasoning_content"), "absent");
  EXPECT_EQ(field(SentMessage(kFlash, message(given), kTools, never), "reasoning_content"), "\"\"");
  EXPECT_EQ(field(SentMessage("linkai:m", message(given)), "reasoning_content"), "absent");
  EXPECT_EQ(field(SentMessage("linkai:m", message(given), "", always), "reasoning_content"),
            "\" t\\n\"");
}

TEST(OpenAiRequest, SendsReasoningDetailsOnlyWhereTheyAreKnown) {
  const char* message = R"({"role": "assistant", "content": "a", "reasoning_content": "t",
      "reasoning_details": [{"type": "reasoning.text", "text": "t"},
                            {"type": "thinking", "thinking": "t", "signature": "s"}]})";
  const OrderedJson known = SentMessage("openrouter:m", message);
  EXPECT_EQ(known["reasoning_details"].dump(), R"([{"type":"reasoning.text","text":"t"}])");
  EXPECT_FALSE(known.contains("reasoning"));
  const OrderedJson unknown = SentMessage(kFlash, message);
  EXPECT_FALSE(unknown.contains("reasoning_details"));
  EXPECT_EQ(unknown["reasoning_content"], "t");
}

TEST(OpenAiRequest, SpellsToolsAlwaysTheSame) {
  const std::string one = Encoded(Ask(kFlash, R"("tools": [{"type": "function", "function":
      {"name": "t", "parameters": {"b": 1, "a": [1.5, "\u00e9"]}}}])"));
  const std::string other = Encoded(Ask(kFlash, R"("tools":[{"function":{ "name":"t",
      "parameters":{"b":1,"a":[1.5,")"
                                                "\xC3\xA9"
                                                R"("]}},"type":"function"}])"));
  EXPECT_EQ(one, other);
  EXPECT_NE(one.find(R"("parameters": {"b": 1, "a": [1.5, ")"), std::string::npos);
}

TEST(OpenAiRequest, SendsPartsNamesAndPrefixAsTheyCame) {
  const Request request = ParseChatRequest(R"({"model": "deepseek:deepseek-flash", "messages": [
      {"role": "user", "name": "ann", "content": [{"type": "text", "text": "?"},
       {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}]},
      {"role": "assistant", "content": "```\n", "prefix": true}]})");
  const OrderedJson sent = Sent(request)["messages"];
  EXPECT_EQ(sent[0].dump(),
            R"({"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url",)"
            R"("image_url":{"url":"data:image/png;base64,AA","detail":"low"}}],"name":"ann"})");
  EXPECT_EQ(sent[1].dump(), R"({"role":"assistant","content":"```\n","prefix":true})");
}

TEST(OpenAiRequest, SendsToolChoice) {
  const auto choice = [](const std::string& fields) {
    const OrderedJson sent = Sent(Ask("vllm:m", std::string(kTools) + fields));
    return sent.contains("tool_choice") ? sent["tool_choice"].dump() : "absent";
  };
  EXPECT_EQ(choice(""), "absent");
  EXPECT_EQ(choice(R"(, "tool_choice": "auto")"), "absent");
  EXPECT_EQ(choice(R"(, "tool_choice": "none")"), "\"none\"");
  EXPECT_EQ(choice(R"(, "tool_choice": "required")"), "\"required\"");
  EXPECT_EQ(choice(R"(, "tool_choice": {"type": "function", "function": {"name": "get_time"}})"),
            R"({"type":"function","function":{"name":"get_time"}})");
}

// --- Answers ---

struct Heard {
  std::string words;
  WireResponse response;
  std::vector<Event> events;
};

Heard Hear(const Request& request, const std::vector<std::string>& data) {
  const auto decoder = Decoder(request);
  Heard heard;
  for (const std::string& chunk : data) decoder->Push("", chunk, &heard.events);
  decoder->End(&heard.events);
  heard.words = Words(heard.events);
  heard.response = decoder->response();
  return heard;
}

std::string Chunk(const std::string& delta, const std::string& more = "") {
  return "{\"id\": \"c\", \"choices\": [{\"index\": 0, \"delta\": " + delta + more + "}]}";
}
const std::string kStop = Chunk("{}", R"(, "finish_reason": "stop")");

Heard HearDeltas(const std::vector<std::string>& deltas, const char* model = kFlash) {
  std::vector<std::string> data;
  for (const std::string& delta : deltas) data.push_back(Chunk(delta));
  data.push_back(kStop);
  return Hear(Ask(model, kMoreTools), data);
}

TEST(OpenAiAnswer, PassesOverChunksWithoutAnything) {
  EXPECT_EQ(
      Hear(Ask(kFlash),
           {R"({"id": "c"})", R"({"choices": null})", R"({"choices": []})", R"({"choices": [{}]})",
            R"({"choices": [null]})", R"({"choices": [{"delta": null}]})", Chunk("{}"),
            Chunk(R"({"role": "assistant", "content": null})"),
            Chunk(R"({"content": "", "reasoning_content": "", "tool_calls": []})"),
            Chunk(R"({"tool_calls": null})"),
            Chunk(R"({"content": "a"})", R"(, "finish_reason": "")"),
            Chunk(R"({"reasoning_content": null})", R"(, "finish_reason": null)"), "", " ", kStop,
            "[DONE]"})
          .words,
      "content a\nfinish stop\n");
}

TEST(OpenAiAnswer, ReadsReasoningOnceFromWhicheverFieldHasIt) {
  EXPECT_EQ(HearDeltas({R"({"reasoning": "a", "reasoning_content": "a"})",
                        R"({"reasoning": "b", "reasoning_details": [{"text": "b"}]})"},
                       "custom:m")
                .words,
            "reasoning a\nnotice reasoning_only\nfinish stop\n");
  EXPECT_EQ(HearDeltas({R"({"reasoning": "a"})", R"({"reasoning": "b", "content": "c"})"}, "vllm:m")
                .words,
            "reasoning ab\ncontent c\nfinish stop\n");
  EXPECT_EQ(HearDeltas({R"({"reasoning_details": [{"type": "reasoning.summary", "summary": "a"},
                            {"type": "reasoning.text", "text": "b"}, null, 3]})",
                        R"({"content": "c"})"},
                       "openrouter:m")
                .words,
            "reasoning ab\ncontent c\nfinish stop\n");
  // The official service has one field; others are not its reasoning.
  EXPECT_EQ(HearDeltas({R"({"reasoning": "a", "content": "c"})"}).words,
            "content c\nfinish stop\n");
}

TEST(OpenAiAnswer, KeepsReasoningDetailsForTheNextRequest) {
  const Heard heard = HearDeltas(
      {R"({"reasoning_details": [{"type": "reasoning.text", "text": "a", "id": null, "index": 0}]})",
       R"({"reasoning_details": [{"type": "reasoning.text", "text": "b", "id": "r", "index": 0}]})",
       R"({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "index": 1}]})",
       R"({"reasoning_details": [{"type": "reasoning.encrypted", "data": "y", "index": 1}]})",
       R"({"reasoning_details": [{"type": "reasoning.text", "text": "c", "index": 2}]})",
       R"({"content": "d"})"},
      "openrouter:m");
  EXPECT_EQ(
      nlohmann::json::parse(heard.response.reasoning_details),
      nlohmann::json::parse(R"([{"type": "reasoning.text", "text": "ab", "id": "r", "index": 0},
                {"type": "reasoning.encrypted", "data": "x", "index": 1},
                {"type": "reasoning.encrypted", "data": "y", "index": 1},
                {"type": "reasoning.text", "text": "c", "index": 2}])"));
}

TEST(OpenAiAnswer, FindsTheCallThatAFragmentBelongsTo) {
  const struct {
    const char* what;
    std::vector<std::string> deltas;
    const char* words;
  } kRows[] = {
      {"index as text, name repeated",
       {R"({"tool_calls": [{"index": "0", "id": "a", "function": {"name": "t", "arguments": "{"}}]})",
        R"({"tool_calls": [{"index": "0", "id": "a", "function": {"name": "t", "arguments": "}"}}]})"},
       "call 0 a t\narguments 0 {\narguments 0 }\nend 0 {}\n"},
      {"no index",
       {R"({"tool_calls": [{"id": "a", "function": {"name": "t", "arguments": "{"}}]})",
        R"({"tool_calls": [{"function": {"arguments": "}"}}]})",
        R"({"tool_calls": [{"id": "b", "function": {"name": "t", "arguments": "{}"}}]})"},
       "call 0 a t\narguments 0 {\narguments 0 }\ncall 1 b t\narguments 1 {}\nend 0 {}\nend 1 "
       "{}\n"},
      {"every call has index 0",
       {R"({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t", "arguments": "{}"}}]})",
        R"({"tool_calls": [{"index": 0, "id": "b", "function": {"name": "t", "arguments": "{"}}]})",
        R"({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})"},
       "call 0 a t\narguments 0 {}\ncall 1 b t\narguments 1 {\narguments 1 }\nend 0 {}\nend 1 "
       "{}\n"},
      {"another id in every fragment",
       {R"({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t", "arguments": "{"}}]})",
        R"({"tool_calls": [{"index": 0, "id": "b", "function": {"name": null, "arguments": "}"}}]})"},
       "call 0 a t\narguments 0 {\narguments 0 }\nend 0 {}\n"},
      {"name behind the arguments",
       {R"({"tool_calls": [{"index": 0, "id": "a", "function": {"name": null, "arguments": "{"}}]})",
        R"({"tool_calls": [{"index": 0, "function": {"name": "t", "arguments": "}"}}]})"},
       "call 0 a t\narguments 0 {}\nend 0 {}\n"},
      {"arguments as an object",
       {R"({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t", "arguments": {"x": 1}}}]})"},
       "call 0 a t\narguments 0 {\"x\": 1}\nend 0 {\"x\": 1}\n"},
      {"several at once without index",
       {R"({"tool_calls": [{"id": "a", "function": {"name": "t", "arguments": "{}"}},
                           {"id": "b", "function": {"name": "u", "arguments": "{}"}}]})"},
       "call 0 a t\narguments 0 {}\ncall 1 b u\narguments 1 {}\nend 0 {}\nend 1 {}\n"},
      {"fragments of nothing",
       {R"({"tool_calls": [{}, null, 3, {"index": 7}]})", R"({"content": "x"})"},
       "content x\n"},
      {"no name at all",
       {R"({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]})"},
       "notice tool_name_missing\ncall 0 call_0 \narguments 0 {}\nend 0 {}\n"},
  };
  for (const auto& row : kRows) {
    const Heard heard = HearDeltas(row.deltas);
    const std::string finish =
        heard.words.find("call ") != std::string::npos ? "finish tool_calls\n" : "finish stop\n";
    EXPECT_EQ(heard.words, row.words + finish) << row.what;
  }
}

TEST(OpenAiAnswer, ReplacesMissingAndRepeatedIds) {
  const Request request = ParseChatRequest(R"({"model": "deepseek:deepseek-flash", "messages": [
      {"role": "user", "content": "x"},
      {"role": "assistant", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "t", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": "1"}]})");
  const auto call = [](int index, const char* id) {
    return Chunk(Format(R"({"tool_calls": [{"index": %d, "id": %s,
                            "function": {"name": "t", "arguments": "{}"}}]})",
                        index, id));
  };
  const Heard heard = Hear(request, {call(0, "null"), call(1, "\" \""), call(2, "\"a\""),
                                     call(3, "\"a\""), call(4, "\"call_1\""), kStop});
  std::string ids;
  for (const Event& event : heard.events) {
    if (event.kind == EventKind::kToolCall) ids += event.tool_id + " ";
  }
  EXPECT_EQ(ids, "call_2 call_3 a call_4 call_5 ");
}

TEST(OpenAiAnswer, RepairsArgumentsAndSaysSo) {
  const Heard heard = HearDeltas(
      {R"({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "get_time", "arguments": ""}},
        {"index": 1, "id": "b", "function": {"name": "get_weather",
         "arguments": "{\"arguments\": {\"city\": \"Oslo\"}}"}},
        {"index": 2, "id": "c", "function": {"name": "get_weather", "arguments": "{\"city\": \"Os"}}]})"});
  EXPECT_EQ(heard.words,
            "call 0 a get_time\ncall 1 b get_weather\n"
            "arguments 1 {\"arguments\": {\"city\": \"Oslo\"}}\n"
            "call 2 c get_weather\narguments 2 {\"city\": \"Os\n"
            "notice arguments_repaired\nend 0 {}\n"
            "notice arguments_repaired\nend 1 {\"city\": \"Oslo\"}\n"
            "notice arguments_invalid\nend 2 {\"city\": \"Os\nfinish tool_calls\n");
  for (const Event& event : heard.events) {
    if (event.kind != EventKind::kNotice) continue;
    const nlohmann::json notice = nlohmann::json::parse(event.text);
    const int index = notice["tool_index"];
    const char* raws[] = {"", "{\"arguments\": {\"city\": \"Oslo\"}}", "{\"city\": \"Os"};
    EXPECT_EQ(notice["raw"], raws[index]);
    EXPECT_FALSE(notice["message"].get<std::string>().empty());
  }
}

Usage HearUsage(const std::string& usage, const char* model = kFlash) {
  return Hear(Ask(model),
              {Chunk(R"({"content": "a"})"), kStop, "{\"choices\": [], \"usage\": " + usage + "}"})
      .response.usage;
}

TEST(OpenAiAnswer, ReadsUsageInEveryVocabulary) {
  const struct {
    const char* usage;
    int64_t prompt, cached, completion, reasoning;
  } kRows[] = {
      {R"({"prompt_tokens": 10, "completion_tokens": 3})", 10, 0, 3, 0},
      {R"({"prompt_tokens": "10", "completion_tokens": "3", "prompt_tokens_details":
           {"cached_tokens": "4"}, "completion_tokens_details": {"reasoning_tokens": 2.0}})",
       10, 4, 3, 2},
      {R"({"prompt_tokens": 10, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4,
           "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 6}})",
       10, 6, 3, 0},
      {R"({"prompt_tokens": 11, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4,
           "completion_tokens": 3})",
       10, 6, 3, 0},
      {R"({"prompt_tokens": 10, "prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 0,
           "completion_tokens": 3})",
       10, 0, 3, 0},
      {R"({"prompt_tokens": null, "completion_tokens": -5, "prompt_tokens_details": null,
           "prompt_cache_hit_tokens": null, "completion_tokens_details": null})",
       0, 0, 0, 0},
      {R"({"prompt_tokens": 1e99, "completion_tokens": "many"})", 0, 0, 0, 0},
  };
  for (const auto& row : kRows) {
    const Usage usage = HearUsage(row.usage);
    EXPECT_EQ(usage.prompt_tokens, row.prompt) << row.usage;
    EXPECT_EQ(usage.cached_tokens, row.cached) << row.usage;
    EXPECT_EQ(usage.completion_tokens, row.completion) << row.usage;
    EXPECT_EQ(usage.reasoning_tokens, row.reasoning) << row.usage;
    EXPECT_EQ(usage.reported_cost_pico, -1) << row.usage;
  }
}

TEST(OpenAiAnswer, ReadsCostExactlyFromItsSpelling) {
  const struct {
    const char* cost;
    int64_t pico;
  } kRows[] = {{"0.000123", 123'000'000},
               {"1.23e-04", 123'000'000},
               {"\"0.5\"", 500'000'000'000},
               {"0", 0},
               {"0.0000000000015", 2},
               {"-1", -1},
               {"null", -1},
               {"\"free\"", -1},
               {"true", -1},
               {"0.1", 100'000'000'000},
               {"1e300", -1}};
  for (const auto& row : kRows) {
    EXPECT_EQ(
        HearUsage(std::string("{\"cost\": ") + row.cost + "}", "openrouter:m").reported_cost_pico,
        row.pico)
        << row.cost;
  }
  EXPECT_EQ(HearUsage("{\"cost\": 0.1}").reported_cost_pico, -1);  // not a field of this service
}

TEST(OpenAiAnswer, TakesTheLatestUsageWhereverItStands) {
  const Heard heard = Hear(
      Ask(kFlash),
      {R"({"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 1}})",
       R"({"choices": [{"delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 2}}]})",
       R"({"choices": [], "usage": null})"});
  EXPECT_EQ(heard.response.usage.prompt_tokens, 2);
  EXPECT_FALSE(Hear(Ask(kFlash), {Chunk(R"({"content": "a"})"), kStop}).response.has_usage);
}

TEST(OpenAiAnswer, MapsFinishReasonsAndKeepsTheRawOne) {
  const struct {
    const char *raw, *event;
  } kRows[] = {{"stop", "stop"},        {"length", "length"},
               {"eos", "stop"},         {"content_filter", "content_filter"},
               {"STOP", "stop"},        {"tool_calls", "stop"},
               {"max_tokens", "length"}};
  for (const auto& row : kRows) {
    const Heard heard =
        Hear(Ask(kFlash), {Chunk(R"({"content": "a"})"),
                           Chunk("{}", std::string(", \"finish_reason\": \"") + row.raw + "\"")});
    EXPECT_EQ(heard.words, std::string("content a\nfinish ") + row.event + "\n");
    EXPECT_EQ(heard.response.finish_reason, row.raw);
    EXPECT_FALSE(heard.response.closed);
  }
}

// A chunk with text and a reason.
const std::string kStopText = Chunk(R"({"content": "a"})", R"(, "finish_reason": "stop")");

// A call's chunk with a reason; no name: a piece of the arguments.
std::string CallChunk(const std::string& name, const std::string& arguments,
                      const std::string& reason) {
  std::string function = "{\"name\": ";
  name.empty() ? function += "null" : (AppendJsonString(name, &function), function);
  function += ", \"arguments\": ";
  AppendJsonString(arguments, &function);
  return Chunk("{\"tool_calls\": [{\"index\": 0, \"id\": \"c\", \"function\": " + function + "}}]}",
               ", \"finish_reason\": " + reason);
}

TEST(OpenAiAnswer, EndsByItsEndAndNotByAReason) {
  const std::string kCall =
      "call 0 c get_weather\narguments 0 {\"city\":\narguments 0 1}\nend 0 {\"city\":1}\n";
  const auto call = [](const std::string& reason, const std::string& end) {
    return std::vector<std::string>{CallChunk("get_weather", "", reason),
                                    CallChunk("", "{\"city\":", reason),
                                    CallChunk("", "1}", reason), end};
  };
  const auto heard = [](const std::vector<std::string>& data) {
    return Hear(Ask(kFlash, kTools), data).words;
  };
  for (const char* reason : {"null", "\"null\"", "\"\"", "\" \"", "\"None\"", "false"}) {
    EXPECT_EQ(heard(call(reason, kStop)), kCall + "finish tool_calls\n") << reason;
    EXPECT_EQ(heard(call(reason, "[DONE]")), kCall + "notice finish_missing\nfinish tool_calls\n")
        << reason;
  }
  for (const char* reason : {"\"stop\"", "\"tool_calls\"", "\"TOOL_CALLS\""}) {
    EXPECT_EQ(heard(call(reason, "[DONE]")), kCall + "notice finish_early\nfinish tool_calls\n")
        << reason;
  }
  EXPECT_EQ(heard({kStopText, kStopText, kStop}), "content aa\nnotice finish_early\nfinish stop\n");
  EXPECT_EQ(heard({Chunk(R"({"content": "a"})"), "[DONE]", kStopText}),
            "content a\nnotice finish_missing\nfinish stop\n");
  EXPECT_EQ(heard({Chunk(R"({"content": "a"})", R"(, "finish_reason": "weird")")}),
            "content a\nnotice finish_unknown\nfinish other\n");
  // The last word counts, but for a plain stop behind another.
  EXPECT_EQ(heard({Chunk(R"({"content": "a"})", R"(, "finish_reason": "length")"), kStop}),
            "content a\nfinish length\n");
  EXPECT_EQ(heard({kStopText, Chunk("{}", R"(, "finish_reason": "length")")}),
            "content a\nfinish length\n");
  // Without a reason, the usage tells whether the limit was met.
  EXPECT_EQ(
      Hear(Ask(kFlash, "\"max_tokens\": 5"),
           {Chunk(R"({"content": "a"})"),
            R"({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 5}})", "[DONE]"})
          .words,
      "content a\nnotice finish_missing\nfinish length\n");
  EXPECT_EQ(FailureText(FailureOf([] { Hear(Ask(kFlash), {"[DONE]"}); }), "kind"),
            "empty_response");
}

TEST(OpenAiAnswer, TakesNothingForACallThatIsCutOff) {
  EXPECT_EQ(Hear(Ask(kFlash, kTools),
                 {CallChunk("get_weather", "", "null"), CallChunk("", "", "\"length\"")})
                .words,
            "call 0 c get_weather\nnotice arguments_invalid\nend 0 \nfinish length\n");
}

TEST(OpenAiAnswer, FailsRetryablyForFinishesThatAreNone) {
  for (const char* raw : {"insufficient_system_resource", "aborted"}) {
    const auto decoder = Decoder(Ask(kFlash));
    std::vector<Event> events;
    const Json details = FailureOf([&] {
      decoder->Push(
          "", Chunk(R"({"content": "a"})", std::string(", \"finish_reason\": \"") + raw + "\""),
          &events);
    });
    EXPECT_EQ(FailureText(details, "kind"), "resource");
    EXPECT_EQ(FailureText(details, "retryable"), "true");
    EXPECT_EQ(Words(events), "content a\n");
    EXPECT_EQ(decoder->response().finish_reason, raw);
  }
}

TEST(OpenAiAnswer, FailsForErrorsInEveryPlace) {
  const struct {
    const char *event, *data, *kind;
  } kRows[] = {
      {"", R"({"error": {"message": "slow down", "code": 429}})", "rate_limit"},
      {"", R"({"error": {"message": "busy", "type": "overloaded_error"}})", "overloaded"},
      {"", R"({"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "x"}}]})",
       "server"},
      {"", R"({"object": "error", "message": "bad", "code": 400})", "invalid_request"},
      {"error", R"({"message": "bad", "code": 400})", "invalid_request"},
      {"", R"({"choices": [{"delta": {}, "finish_reason": "error"}]})", "server"},
  };
  for (const auto& row : kRows) {
    std::vector<Event> events;
    const Json details =
        FailureOf([&] { Decoder(Ask(kFlash))->Push(row.event, row.data, &events); });
    EXPECT_EQ(FailureText(details, "kind"), row.kind) << row.data;
    EXPECT_EQ(FailureText(details, "provider"), "deepseek");
    EXPECT_EQ(FailureText(details, "model"), "deepseek-flash");
  }
  EXPECT_EQ(HearDeltas({R"({"content": "a"}, "error": null)"}).words, "content a\nfinish stop\n");
}

TEST(OpenAiAnswer, NeverTakesACutAnswerForAWholeOne) {
  for (const std::vector<std::string>& data : {std::vector<std::string>{},
                                               {Chunk(R"({"content": "a"})")},
                                               // A reason in every chunk tells nothing.
                                               {kStopText, kStopText}}) {
    const Json details = FailureOf([&] { Hear(Ask(kFlash), data); });
    EXPECT_EQ(FailureText(details, "kind"), "transport");
    EXPECT_EQ(FailureText(details, "retryable"), "true");
  }
}

TEST(OpenAiAnswer, FailsForWhatIsNotTheFormat) {
  for (const char* data : {"{", "[]", "hello", "\"x\"", "3", "<html>", "{\"a\": }", "{}{}"}) {
    std::vector<Event> events;
    EXPECT_EQ(
        FailureText(FailureOf([&] { Decoder(Ask(kFlash))->Push("", data, &events); }), "kind"),
        "transport")
        << data;
    EXPECT_EQ(FailureText(FailureOf([&] { Decoder(Ask(kFlash))->Whole(data, &events); }), "kind"),
              "transport")
        << data;
  }
  for (const char* body : {"", " \n\n", "{}", "{\"choices\": []}", "{\"choices\": [3]}"}) {
    std::vector<Event> events;
    EXPECT_EQ(FailureText(FailureOf([&] { Decoder(Ask(kFlash))->Whole(body, &events); }), "kind"),
              "transport")
        << body;
  }
}

TEST(OpenAiAnswer, BearsValuesOfTheWrongKind) {
  EXPECT_EQ(Hear(Ask(kFlash, kTools),
                 {R"({"id": 3, "model": [], "choices": {"a": 1}, "usage": 7})",
                  R"({"choices": [{"index": "x", "delta": 5, "logprobs": 3}]})",
                  Chunk(R"({"content": 7, "reasoning_content": {"a": 1}, "tool_calls": "x"})"),
                  Chunk(R"({"content": [{"type": "text", "text": "a"}, 3, {"text": 4}]})"),
                  Chunk(R"({"tool_calls": [{"index": -1, "id": 5, "function": 6}]})"),
                  Chunk("{}", R"(, "finish_reason": 3)"), kStop})
                .words,
            "content a\nfinish stop\n");
}

TEST(OpenAiAnswer, TellsTheWordsOfARefusal) {
  const std::string end = Chunk("{}", R"(, "finish_reason": "content_filter")");
  for (const char* delta : {R"({"content": null, "refusal": "I cannot."})",
                            R"({"content": [{"type": "refusal", "refusal": "I cannot."}]})"}) {
    EXPECT_EQ(Hear(Ask(kFlash, kTools), {Chunk(delta), end}).words,
              "content I cannot.\nfinish content_filter\n");
  }
}

TEST(OpenAiAnswer, PardonsTextThatIsNotUtf8) {
  EXPECT_EQ(HearDeltas({"{\"content\": \"a\xFF\xE2\x82\"}"}).words,
            "content a\xEF\xBF\xBD\xEF\xBF\xBD\nfinish stop\n");
  EXPECT_EQ(
      HearDeltas({R"({"content": "a\ud83d"})", R"({"content": "\ude00b\ud83d\ude00"})"}).words,
      "content a\xEF\xBF\xBD\xEF\xBF\xBD"
      "b\xF0\x9F\x98\x80\nfinish stop\n");
  EXPECT_EQ(Hear(Ask(kFlash), {"\xEF\xBB\xBF" + Chunk(R"({"content": "a"})"), kStop}).words,
            "content a\nfinish stop\n");
}

TEST(OpenAiAnswer, FailsWhenAFinishedAnswerIsEmpty) {
  EXPECT_EQ(FailureText(FailureOf([] {
                          Hear(Ask(kFlash), {kStop, "[DONE]"});
                        }),
                        "kind"),
            "empty_response");
  // Unless a stop string explains it, or the limit does.
  EXPECT_EQ(Hear(Ask(kFlash, "\"stop\": \"a\""), {kStop}).words, "finish stop\n");
  EXPECT_EQ(Hear(Ask(kFlash), {Chunk("{}", R"(, "finish_reason": "length")")}).words,
            "finish length\n");
}

TEST(OpenAiAnswer, SaysWhenTheAnswerEndsInItsReasoning) {
  EXPECT_EQ(Hear(Ask(kFlash), {Chunk(R"({"reasoning_content": "a"})"),
                               Chunk("{}", R"(, "finish_reason": "length")")})
                .words,
            "reasoning a\nnotice truncated_in_reasoning\nfinish length\n");
  EXPECT_EQ(Hear(Ask(kFlash), {Chunk(R"({"reasoning_content": "a"})"), kStop}).words,
            "reasoning a\nnotice reasoning_only\nfinish stop\n");
}

TEST(OpenAiAnswer, GivesOneAnswerOfSeveral) {
  const auto choice = [](int index, const char* text) {
    return Format(R"({"choices": [{"index": %d, "delta": {"content": "%s"}}]})", index, text);
  };
  const auto stop = [](int index) {
    return Format(R"({"choices": [{"index": %d, "delta": {}, "finish_reason": "length"}]})", index);
  };
  // Whichever comes first, also where they are counted from 1, and never a mixture.
  for (const int first : {0, 1}) {
    for (const int other : {1 - first, 2}) {
      EXPECT_EQ(Hear(Ask("vllm:m"), {choice(first, "a"), choice(other, "b"), stop(other),
                                     choice(first, "c"), stop(first)})
                    .words,
                "content a\nnotice answers_dropped\ncontent c\nfinish length\n");
      EXPECT_EQ(FailureText(FailureOf([&] {
                              Hear(Ask("vllm:m"), {choice(first, "a"), stop(other)});
                            }),
                            "kind"),
                "transport");
    }
  }
  const auto decoder = Decoder(Ask("vllm:m"));
  std::vector<Event> events;
  decoder->Whole(R"({"choices": [{"index": 1, "message": {"content": "b"}},
                                 {"index": 0, "message": {"content": "a"}}]})",
                 &events);
  decoder->End(&events);
  EXPECT_EQ(Words(events),
            "notice answers_dropped\ncontent a\nnotice finish_missing\nfinish stop\n");
}

TEST(OpenAiAnswer, KeepsLogprobsOfBothTexts) {
  const Heard heard = Hear(
      Ask(kFlash, "\"logprobs\": true, \"top_logprobs\": 1"),
      {Chunk(R"({"reasoning_content": "r"})", R"(, "logprobs": {"content": null,
          "reasoning_content": [{"token": "r", "logprob": -1, "bytes": null}]})"),
       Chunk(R"({"content": ""})", R"(, "logprobs": {"content": [{"token": "?", "logprob": -9999.0,
          "bytes": [226, 130], "id": 5, "top_logprobs": [{"token": "x", "logprob": -0.5}]}]})"),
       Chunk(R"({"content": "c"})",
             R"(, "logprobs": {"content": [{"token": "c", "logprob": NaN}]})"),
       kStop});
  ASSERT_EQ(heard.words, "reasoning r\ncontent c\nfinish stop\n");
  ASSERT_EQ(heard.events[0].logprobs.size(), 1u);
  EXPECT_EQ(heard.events[0].logprobs[0].text, "r");
  EXPECT_EQ(heard.events[0].logprobs[0].id, -1);
  ASSERT_EQ(heard.events[1].logprobs.size(), 2u);
  EXPECT_EQ(heard.events[1].logprobs[0].text, "\xE2\x82");
  EXPECT_EQ(heard.events[1].logprobs[0].id, 5);
  EXPECT_FLOAT_EQ(heard.events[1].logprobs[0].logprob, -9999.0f);
  ASSERT_EQ(heard.events[1].logprobs[0].top.size(), 1u);
  EXPECT_EQ(heard.events[1].logprobs[0].top[0].text, "x");
}

TEST(OpenAiAnswer, GivesReasoningTheLogprobsThatCameWithIt) {
  const auto token = [](const char* text) {
    return Format(R"({"token": "%s", "logprob": -1})", text);
  };
  const auto list = [&](const std::vector<const char*>& texts) {
    std::string tokens;
    for (const char* text : texts) tokens += (tokens.empty() ? "" : ", ") + token(text);
    return ", \"logprobs\": {\"content\": [" + tokens + "]}";
  };
  const Request request = Ask("vllm:m", "\"logprobs\": true");
  const Heard streamed =
      Hear(request, {Chunk(R"({"reasoning": "Hm"})", list({"Hm"})),
                     Chunk(R"({"reasoning": ".", "content": "He"})", list({".", "</think>", "He"})),
                     Chunk(R"({"content": "lo"})", list({"lo"})), kStop});
  const auto decoder = Decoder(request);
  std::vector<Event> whole;
  decoder->Whole(R"({"choices": [{"message": {"reasoning": "Hm.", "content": "Hello"}, )"
                 R"("finish_reason": "stop")" +
                     list({"Hm", ".", "He", "lo"}) + "}]}",
                 &whole);
  decoder->End(&whole);
  for (const std::vector<Event>& events : {streamed.events, whole}) {
    std::string told[2];
    for (const Event& event : events) {
      for (const TokenLogprob& one : event.logprobs) {
        told[event.kind == EventKind::kContent] += one.text + " ";
      }
    }
    EXPECT_TRUE(told[0] == "Hm . " || told[0] == "Hm . </think> ") << told[0];
    EXPECT_EQ(told[1], "He lo ");
  }
}

TEST(OpenAiAnswer, ReadsTheLogprobsOfPlainCompletions) {
  const Request request = ParseCompletionRequest(
      R"({"model": "deepseek:deepseek-v4-pro", "prompt": "a", "logprobs": 1})");
  EXPECT_NE(Encoded(request).find("\"logprobs\": 1"), std::string::npos);
  const Heard heard = Hear(request, {R"({"choices": [{"index": 0, "text": "bc", "logprobs":
      {"tokens": ["b", "c"], "token_logprobs": [null, -0.5], "top_logprobs": [null, {"d": -1}]},
      "finish_reason": "stop"}]})"});
  ASSERT_EQ(heard.words, "content bc\nfinish stop\n");
  ASSERT_EQ(heard.events[0].logprobs.size(), 2u);
  EXPECT_FLOAT_EQ(heard.events[0].logprobs[1].logprob, -0.5f);
  EXPECT_EQ(heard.events[0].logprobs[1].top[0].text, "d");
}

TEST(OpenAiAnswer, LimitsTheNumberOfCalls) {
  std::vector<std::string> data;
  for (int i = 0; i < 1100; ++i) {
    data.push_back(
        Chunk(Format(R"({"tool_calls": [{"index": %d, "function": {"name": "t"}}]})", i)));
  }
  EXPECT_EQ(FailureText(FailureOf([&] { Hear(Ask(kFlash), data); }), "kind"), "transport");
}

TEST(OpenAiAnswer, TakesThousandsOfSmallChunks) {
  const auto decoder = Decoder(Ask(kFlash, kMoreTools));
  std::vector<Event> events;
  for (int i = 0; i < 10'000; ++i) {
    decoder->Push("", Chunk(R"({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t",
                               "arguments": " "}}]})"),
                  &events);
  }
  decoder->Push("", kStop, &events);
  decoder->End(&events);
  EXPECT_EQ(events.size(), 10'004u);  // call, pieces, notice, end, finish
}

// Chunks of many shapes in random order, to a decoder that may learn them and to one that cannot.
TEST(OpenAiAnswer, LearnsShapesOfChunksWithoutHearingOtherThings) {
  const char* const kShapes[] = {
      R"({"id":"1","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"reasoning_content":"%s"}}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"reasoning":"%s","content":""}}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"content":"%s","reasoning_content":"r"}}]})",
      R"({"id":"1","choices":[{"index":1,"delta":{"content":"%s"}}]})",
      R"({"id":"1","choices":[{"index":0,"text":"%s"}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"content":[{"text":"%s"}]}}]})",
      (R"({"id":"1","choices":[{"index":0,"delta":{"content":"%s","tool_calls":[{"index":0,"id":"a",)"
       R"("function":{"name":"t","arguments":"x"}}]}}]})"),
      R"({"id":"%s","choices":[{"index":0,"delta":{"content":"a"}}]})",
      R"({"id":"1","choices":[],"usage":{"prompt_tokens":7},"x":"%s"})"};
  const char* const kTexts[] = {"",         "a",       " b", "\\n", "\\u00e9",
                                "\xC3\xA9", "content", "<",  "null"};
  const uint32_t seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const Request request = Ask(round % 2 == 0 ? "deepseek:deepseek-flash" : "custom:m");
    const auto fast = Decoder(request), slow = Decoder(request);
    std::vector<Event> fast_events, slow_events;
    std::string chunks;
    for (size_t i = 0; i < 12; ++i) {
      std::string chunk =
          Format(kShapes[random() % std::size(kShapes)], kTexts[random() % std::size(kTexts)]);
      chunks += chunk + "\n";
      fast->Push("", chunk, &fast_events);
      chunk.insert(1, std::string(i + 1, ' '));  // no two have the same shape
      slow->Push("", chunk, &slow_events);
    }
    ASSERT_EQ(Words(fast_events), Words(slow_events)) << "seed " << seed << "\n" << chunks;
  }
}

}  // namespace
}  // namespace finback
