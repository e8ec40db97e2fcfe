#include "core/engine/chunk.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace finback {
namespace {

using nlohmann::json;

Event Make(EventKind kind, const std::string& text = {}, int32_t tool_index = 0) {
  Event event;
  event.kind = kind;
  event.text = text;
  event.tool_index = tool_index;
  event.tool_id = "call_" + std::to_string(tool_index);
  event.tool_name = "f" + std::to_string(tool_index);
  return event;
}

Event Finish(FinishReason reason) {
  Event event = Make(EventKind::kFinish);
  event.finish_reason = reason;
  return event;
}

// The answer as a whole and as what its chunks come to.
class Answer {
 public:
  explicit Answer(AnswerName::Shape shape = AnswerName::Shape::kChat) {
    const AnswerName name{shape, "a-model", "an-id", 1700000000};
    response.Start(name);
    writer.Start(name);
  }
  // null: no chunk
  json Add(const Event& event) {
    writer.Add(event, response);
    response.Add(event);
    const std::string text = writer.Json(event, usage, service);
    const json chunk = text.empty() ? json() : json::parse(text);
    if (!chunk.is_null()) chunks.push_back(chunk);
    return chunk;
  }
  json Whole() const { return json::parse(response.Json(usage, service)); }

  ResponseBuilder response;
  ChunkWriter writer;
  Usage usage{10, 4, 6, 2};
  const ServiceAnswer* service = nullptr;
  std::vector<json> chunks;
};

void Append(const json& piece, const char* key, json* text) {
  if (!piece.contains(key)) return;
  *text =
      (text->is_null() ? std::string() : text->get<std::string>()) + piece[key].get<std::string>();
}

void FoldDelta(const json& delta, json* message) {
  if (delta.contains("role")) (*message)["role"] = delta["role"];
  Append(delta, "content", &(*message)["content"]);
  Append(delta, "reasoning_content", &(*message)["reasoning_content"]);
  if (delta.contains("reasoning_details")) {
    (*message)["reasoning_details"] = delta["reasoning_details"];
  }
  for (const json& piece : delta.value("tool_calls", json::array())) {
    json& call = (*message)["tool_calls"][piece["index"].get<size_t>()];
    if (piece.contains("id")) call = piece;
    if (!piece.contains("id"))
      Append(piece["function"], "arguments", &call["function"]["arguments"]);
  }
}

json Fold(const std::vector<json>& chunks) {
  json whole = chunks.at(0);
  const bool chat = whole["object"] == "chat.completion.chunk";
  if (chat) whole["object"] = "chat.completion";
  json choice{{"index", 0}, {"logprobs", nullptr}, {"finish_reason", nullptr}};
  json message{{"content", ""}, {"reasoning_content", nullptr}};
  for (const json& chunk : chunks) {
    for (const char* kept : {"id", "created", "model"}) EXPECT_EQ(chunk[kept], whole[kept]);
    for (const char* last : {"usage", "service", "system_fingerprint"}) {
      if (chunk.contains(last)) whole[last] = chunk[last];
    }
    const json& piece = chunk["choices"][0];
    choice["finish_reason"] = piece["finish_reason"];
    if (chat) FoldDelta(piece["delta"], &message);
    if (!chat) Append(piece, "text", &choice["text"]);
    const json logprobs = piece.value("logprobs", json::object());
    for (const auto& [kind, tokens] : logprobs.items()) {
      json& list = choice["logprobs"][kind];
      if (list.is_null()) list = json::array();
      list.insert(list.end(), tokens.begin(), tokens.end());
    }
  }
  if (chat) choice["message"] = message;
  whole["choices"] = json::array({choice});
  return whole;
}

TEST(Chunk, SaysEachEventAsTheStreamsOfServicesDo) {
  Answer answer;
  const auto delta = [&](const Event& event) { return answer.Add(event)["choices"][0]["delta"]; };
  EXPECT_EQ(delta(Make(EventKind::kReasoning, "hm")),
            json::parse(R"({"role": "assistant", "reasoning_content": "hm"})"));
  EXPECT_EQ(delta(Make(EventKind::kContent, "a\"b")), json::parse(R"({"content": "a\"b"})"));
  EXPECT_EQ(delta(Make(EventKind::kToolCall, "", 1)),
            json::parse(R"({"tool_calls": [{"index": 1, "id": "call_1", "type": "function",
                            "function": {"name": "f1", "arguments": ""}}]})"));
  EXPECT_EQ(delta(Make(EventKind::kToolArguments, "{}", 1)),
            json::parse(R"({"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]})"));
  EXPECT_TRUE(answer.Add(Make(EventKind::kToolCallEnd, "{}", 1)).is_null());
  const json last = answer.Add(Finish(FinishReason::kToolCalls));
  EXPECT_EQ(last["choices"][0]["delta"], json::object());
  EXPECT_EQ(last["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(last["usage"]["total_tokens"], 16);
  EXPECT_EQ(answer.chunks[0]["usage"], nullptr);
  EXPECT_FALSE(answer.chunks[0]["choices"][0].contains("logprobs"));
}

TEST(Chunk, HasNoneOfProgressAndNotices) {
  Answer answer;
  EXPECT_TRUE(answer.Add(Make(EventKind::kProgress)).is_null());
  EXPECT_TRUE(answer.Add(Make(EventKind::kNotice, "{}")).is_null());
  EXPECT_TRUE(answer.Add(Make(EventKind::kNone)).is_null());
  EXPECT_EQ(answer.Add(Make(EventKind::kContent, "a"))["choices"][0]["delta"]["role"], "assistant");
}

TEST(Chunk, PutTogetherIsTheResponse) {
  Answer answer;
  Event reasoning = Make(EventKind::kReasoning, "hm");
  reasoning.logprobs = {{3, -0.5f, "hm", {{3, -0.5f, "hm"}, {4, -INFINITY, "\xC3"}}}};
  Event content = Make(EventKind::kContent, "I look.");
  content.logprobs = {{5, -0.25f, "I look.", {}}};
  Event call = Make(EventKind::kToolCall, "", 0);
  call.logprobs = content.logprobs;  // markup: of no text
  for (const Event& event :
       {reasoning, content, content, call, Make(EventKind::kToolArguments, "{\"a\"", 0),
        Make(EventKind::kToolCall, "", 1), Make(EventKind::kToolArguments, ": 1}", 0),
        Make(EventKind::kToolCallEnd, "{\"a\": 1}", 0), Make(EventKind::kToolCallEnd, "{}", 1),
        Finish(FinishReason::kToolCalls)}) {
    answer.Add(event);
  }
  EXPECT_EQ(Fold(answer.chunks), answer.Whole());
  EXPECT_EQ(answer.Whole()["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"],
            "{}");
}

TEST(Chunk, NamesTheAnswerAsItsServiceDoes) {
  ServiceAnswer service;
  service.provider = "a-provider";
  service.id = "service-id";
  service.model = "served";
  service.fingerprint = "fp_1";
  service.reasoning_details = R"([{"type": "x"}])";
  service.attempts = 2;
  service.cost_source = CostSource::kUnknown;
  Answer answer;
  answer.service = &service;
  answer.Add(Make(EventKind::kContent, "a"));
  answer.Add(Finish(FinishReason::kStop));
  EXPECT_EQ(answer.chunks[0]["id"], "service-id");
  EXPECT_EQ(Fold(answer.chunks), answer.Whole());
  // Another exchange would have another id: a stream has one.
  service.id = "another";
  EXPECT_EQ(answer.Add(Make(EventKind::kContent, "b"))["id"], "service-id");
}

TEST(Chunk, OnlyAddsToArguments) {
  Answer answer;
  answer.Add(Make(EventKind::kToolCall, "", 0));
  answer.Add(Make(EventKind::kToolArguments, "{\"a\": 1", 0));
  EXPECT_EQ(answer.Add(Make(EventKind::kToolCallEnd, "{\"a\": 1}", 0))["choices"][0]["delta"],
            json::parse(R"({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})"));
  answer.Add(Make(EventKind::kToolCall, "", 1));
  answer.Add(Make(EventKind::kToolArguments, "'a'", 1));
  EXPECT_TRUE(answer.Add(Make(EventKind::kToolCallEnd, "{}", 1)).is_null());
}

TEST(Chunk, OfPlainCompletionsHasText) {
  Answer answer(AnswerName::Shape::kText);
  Event content = Make(EventKind::kContent, " not");
  content.logprobs = {{5, -0.25f, " not", {}}};
  answer.Add(content);
  answer.Add(Make(EventKind::kContent, " fish"));
  answer.Add(Finish(FinishReason::kLength));
  EXPECT_EQ(answer.chunks[0]["object"], "text_completion");
  EXPECT_EQ(answer.chunks[2]["choices"][0]["text"], "");
  EXPECT_EQ(Fold(answer.chunks), answer.Whole());
}

}  // namespace
}  // namespace finback
