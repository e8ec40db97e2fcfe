#include "core/remote/wire/answer_events.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/engine/response.h"
#include "core/json/json_writer.h"
#include "core/json/lenient_json.h"
#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

// The block of one call, with `bar` for the bars and `word` for the block's name.
std::string Block(const std::string& open_bar, const std::string& bar, const std::string& word) {
  const std::string open = "<" + open_bar + "DSML" + bar, close = "</" + open_bar + "DSML" + bar;
  return "\n\n" + open + word + ">\n" + open + "invoke name=\"get_weather\">\n" + open +
         "parameter name=\"city\" string=\"true\">Oslo</" + open_bar + "DSML" + bar +
         "parameter>\n" + close + "invoke>\n" + close + word + ">";
}

// In a decoder: what becomes of calls depends on the tools and on the service's own calls.

std::string Chunk(const std::string& delta, const char* finish = nullptr) {
  std::string chunk = "{\"choices\": [{\"index\": 0, \"delta\": " + delta;
  if (finish != nullptr) chunk += std::string(", \"finish_reason\": \"") + finish + "\"";
  return chunk + "}]}";
}

std::string ContentChunk(const std::string& text) {
  std::string delta = "{\"content\": ";
  AppendJsonString(text, &delta);
  return Chunk(delta + "}");
}

std::string Heard(const std::string& fields, const std::vector<std::string>& chunks,
                  const char* model = "vllm:deepseek-v4-flash") {
  const auto decoder = Decoder(Ask(model, fields));
  std::vector<Event> events;
  for (const std::string& chunk : chunks) decoder->Push("", chunk, &events);
  decoder->End(&events);
  return Words(events);
}

const char* const kServed =
    R"({"tool_calls": [{"index": 0, "id": "s", "function": {"name": "get_weather",
        "arguments": "{\"city\":\"Oslo\"}"}}]})";

TEST(MarkupRescue, MakesCallsWhenToolsWereOffered) {
  EXPECT_EQ(
      Heard(kTools, {ContentChunk("Hi." + Block("|", "|", "toolcalls")), Chunk("{}", "stop")}),
      "content Hi.\nnotice markup_rescued\ncall 0 call_0 get_weather\n"
      "arguments 0 {\"city\": \"Oslo\"}\nend 0 {\"city\": \"Oslo\"}\nfinish tool_calls\n");
}

TEST(MarkupRescue, OnlyRemovesMarkupWhenNoToolMayBeCalled) {
  for (const std::string& fields :
       {std::string(), std::string(kTools) + ", \"tool_choice\": \"none\""}) {
    EXPECT_EQ(
        Heard(fields, {ContentChunk("Hi." + Block("|", "|", "toolcalls")), Chunk("{}", "stop")}),
        "content Hi.\nnotice markup_removed\nfinish stop\n");
  }
}

TEST(MarkupRescue, DoesNotDoubleCallsOfTheService) {
  EXPECT_EQ(Heard(kTools, {ContentChunk("Hi." + Block("|", "|", "tool_calls")), Chunk(kServed),
                           Chunk("{}", "tool_calls")}),
            "content Hi.\ncall 0 s get_weather\narguments 0 {\"city\":\"Oslo\"}\n"
            "end 0 {\"city\":\"Oslo\"}\nfinish tool_calls\n");
}

TEST(MarkupRescue, AddsTheCallsThatTheServiceMissed) {
  std::string block = Block("|", "|", "tool_calls");
  std::string other = block;
  other.replace(other.find("Oslo"), 4, "Rome");
  EXPECT_EQ(Heard(kTools, {Chunk(kServed), ContentChunk(block + other), Chunk("{}", "stop")}),
            "call 0 s get_weather\narguments 0 {\"city\":\"Oslo\"}\nend 0 {\"city\":\"Oslo\"}\n"
            "notice markup_rescued\ncall 1 call_0 get_weather\n"
            "arguments 1 {\"city\": \"Rome\"}\nend 1 {\"city\": \"Rome\"}\nfinish tool_calls\n");
}

TEST(MarkupRescue, LeavesTextOfTheOfficialServiceAlone) {
  EXPECT_EQ(Heard(kTools, {ContentChunk("a<|DSML|tool_calls>b</think>"), Chunk("{}", "stop")},
                  "deepseek:deepseek-flash"),
            "content a<|DSML|tool_calls>b</think>\nfinish stop\n");
}

TEST(MarkupRescue, DropsACallThatTheEndCutsOff) {
  const std::string block = Block("|", "|", "tool_calls");
  EXPECT_EQ(Heard(kTools, {ContentChunk("a" + block.substr(0, block.find("Oslo") + 2)),
                           Chunk("{}", "length")}),
            "content a\nnotice markup_removed\nfinish length\n");
}

// --- Think tags: tests/core/engine/think_tags_test.cc has the spellings ---

// What each format hears of a text, in one piece or in two, and of reasoning before it.
std::string HeardText(const std::string& format, const std::string& reasoning,
                      const std::vector<std::string>& texts) {
  const ProviderTable table =
      ProviderTable::Load(R"({"providers": [{"name": "x", "wire_format": ")" + format +
                          R"(", "base_url": "http://localhost", "rescue": "parse"}]})");
  const auto quoted = [](const std::string& text) {
    std::string json;
    AppendJsonString(text, &json);
    return json;
  };
  std::vector<std::string> data;
  const bool openai = format == "openai", anthropic = format == "anthropic";
  const auto tell = [&](bool thinks, const std::string& text) {
    const std::string json = quoted(text);
    if (openai) {
      data.push_back(Chunk((thinks ? "{\"reasoning_content\": " : "{\"content\": ") + json + "}"));
    } else if (anthropic) {
      data.push_back("{\"type\": \"content_block_delta\", \"index\": 0, \"delta\": {\"type\": " +
                     std::string(thinks ? "\"thinking_delta\", \"thinking\": "
                                        : "\"text_delta\", \"text\": ") +
                     json + "}}");
    } else {
      data.push_back(std::string("{\"output_index\": ") + (thinks ? "0" : "1") +
                     ", \"type\": \"response." + (thinks ? "reasoning" : "output") +
                     "_text.delta\", \"delta\": " + json + "}");
    }
  };
  if (!reasoning.empty()) tell(true, reasoning);
  for (const std::string& text : texts) tell(false, text);
  data.emplace_back(openai ? Chunk("{}", "stop")
                    : anthropic
                        ? R"({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})"
                        : R"({"type": "response.completed", "response": {}})");
  const Request request = Ask("x:m");
  const auto decoder = Decoder(request, {}, table);
  ResponseBuilder response({});
  std::vector<Event> events;
  for (const std::string& chunk : data) decoder->Push("", chunk, &events);
  decoder->End(&events);
  for (const Event& event : events) response.Add(event);
  const Json message = ParseJson(response.Message(nullptr), "message");
  return std::string(FindText(message, "reasoning_content")) + "|" +
         std::string(FindText(message, "content"));
}

TEST(ThinkTagsInAnswers, BecomeReasoningInEveryFormat) {
  for (const char* format : {"openai", "anthropic", "responses"}) {
    EXPECT_EQ(HeardText(format, "", {"<think>\nHm.</thi", "nk>\n\nHello!"}), "Hm.|Hello!");
    EXPECT_EQ(HeardText(format, "", {"The user", " greets me.</think>", "Hello!"}),
              "The user greets me.|Hello!")
        << format;
    EXPECT_EQ(HeardText(format, "Hm.", {"</think>", "Hello!"}), "Hm.|Hello!");
    EXPECT_EQ(HeardText(format, "Hm.</think>Hello", {"!"}), "Hm.|Hello!");
    EXPECT_EQ(HeardText(format, "", {"Say `<think>` and `", "</think>`."}),
              "|Say `<think>` and `</think>`.");
  }
}

TEST(ThinkTagsInAnswers, AreLeftInAStreamThatToldTheReasoningAsContent) {
  EXPECT_EQ(Heard("", {ContentChunk("Hm."), ContentChunk("</think>Hello!"), Chunk("{}", "stop")}),
            "content Hm.\nnotice reasoning_in_content\ncontent </think>Hello!\nfinish stop\n");
  const auto decoder = Decoder(Ask("vllm:m"));
  std::vector<Event> events;
  decoder->Whole(R"({"choices": [{"message": {"content": "Hm.</think>Hello!"},
                                  "finish_reason": "stop"}]})",
                 &events);
  decoder->End(&events);
  EXPECT_EQ(Words(events), "reasoning Hm.\ncontent Hello!\nfinish stop\n");
}

}  // namespace
}  // namespace finback
