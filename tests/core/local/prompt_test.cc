#include "core/local/prompt.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

std::string Refusal(const Request& request) {
  try {
    RequireInProcess(request);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidRequest);
    return error.what();
  }
  return "no error";
}

TEST(InProcessRequest, NamesThePathOfWhatOnlyAServiceCanDo) {
  const struct {
    const char* field;
    const char* message;
  } rows[] = {
      {R"("tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required")",
       "tool_choice: \"required\" is not supported; must be \"auto\" or \"none\""},
      {R"("tools": [{"type": "function", "function": {"name": "f"}}],
          "tool_choice": {"type": "function", "function": {"name": "f"}})",
       "tool_choice: a named tool cannot be forced; must be \"auto\" or \"none\""},
      {R"("response_format": {"type": "json_schema", "json_schema": {"schema": {}}})",
       "response_format.type: \"json_schema\" is not supported; must be \"text\" or "
       "\"json_object\""},
      {R"("parallel_tool_calls": false)", "parallel_tool_calls: cannot be turned off"},
      {R"("tools": [{"type": "function", "function": {"name": "f", "strict": true}}])",
       "tools[0].function.strict: is not supported"},
      {R"("stop": "x")", "no error"},
  };
  for (const auto& row : rows) {
    std::string json = R"({"messages": [{"role": "user", "content": "hi"}], )";
    json += row.field;
    EXPECT_EQ(Refusal(ParseChatRequest(json + "}")), row.message);
  }
}

TEST(InProcessRequest, NamesThePartThatIsNoText) {
  EXPECT_EQ(
      Refusal(ParseChatRequest(
          R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
                    {"type": "input_audio", "input_audio": {}}]}]})")),
      "messages[0].content[1].type: \"input_audio\" is not supported; only \"text\" parts can "
      "be read");
}

// Of a user, a tool, a rule and an answer: whoever shows an image.
TEST(InProcessRequest, ShowsThatThereAreImagesAndDocuments) {
  const Request request = ParseChatRequest(R"({"reasoning_effort": "none", "messages": [
      {"role": "system", "content": [{"type": "document"}]},
      {"role": "user", "content": [{"type": "text", "text": "a"},
                                   {"type": "image_url", "image_url": {"url": "x"}},
                                   {"type": "text", "text": "b"}]},
      {"role": "assistant", "content": [{"type": "file", "file_id": "f"}],
       "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url"}]}]})");
  EXPECT_EQ(Refusal(request), "no error");
  const std::string text = EncodeChat(PromptMessages(request), {}, ChatOptions(request, {})).Text();
  const std::string_view expected[] = {
      "[Unsupported Document]<\uff5cUser\uff5c>",
      "<\uff5cUser\uff5c>a\n\n[Unsupported Image]\n\nb<\uff5cAssistant\uff5c>",
      "</think>[Unsupported Image]\n\n<", "<tool_result>[Unsupported Image]</tool_result>"};
  for (const std::string_view part : expected)
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_EQ(UnreadParts(request),
            R"({"code": "parts_unread", "message": "this model reads text alone and is told that )"
            R"(there is something else: messages[0].content[0], messages[1].content[1], )"
            R"(messages[2].content[0], messages[3].content[0]"})");
  EXPECT_EQ(UnreadParts(ParseChatRequest(
                R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]})")),
            "");
}

TEST(InProcessRequest, RefusesSuffixAndEchoOfACompletion) {
  EXPECT_EQ(Refusal(ParseCompletionRequest(R"({"prompt": "a", "suffix": ""})")),
            "suffix: is not supported");
  EXPECT_EQ(Refusal(ParseCompletionRequest(R"({"prompt": "a", "echo": true})")),
            "echo: is not supported");
}

std::vector<PromptMessage> Prompt(const std::string& messages, const std::string& fields) {
  return PromptMessages(ParseChatRequest("{\"messages\": " + messages + ", " + fields + "}"));
}

constexpr const char* kHello = R"([{"role": "user", "content": "hi"}])";
constexpr const char* kTools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";

TEST(PromptMessages, PutsToolsOnTheLeadingSystemMessage) {
  const std::vector<PromptMessage> with =
      Prompt(R"([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}])", kTools);
  ASSERT_EQ(with.size(), 2u);
  ASSERT_EQ(with[0].tools.size(), 1u);
  EXPECT_EQ(with[0].tools[0].Find("name")->text, "f");
  const std::vector<PromptMessage> without = Prompt(kHello, kTools);
  ASSERT_EQ(without.size(), 2u);
  EXPECT_EQ(without[0].role, Role::kSystem);
  EXPECT_EQ(without[0].content, "");
  EXPECT_EQ(without[0].tools.size(), 1u);
}

TEST(PromptMessages, LeavesToolsOutThatMayNotBeCalled) {
  EXPECT_EQ(Prompt(kHello, std::string(kTools) + R"(, "tool_choice": "none")").size(), 1u);
}

TEST(PromptMessages, PutsTheJsonFormatOnTheSystemMessage) {
  const std::vector<PromptMessage> json =
      Prompt(kHello, R"("response_format": {"type": "json_object"})");
  ASSERT_EQ(json.size(), 2u);
  EXPECT_TRUE(json[0].has_response_format);
  EXPECT_EQ(json[0].response_format.Find("type")->text, "json_object");
  EXPECT_EQ(Prompt(kHello, R"("response_format": {"type": "text"})").size(), 1u);
}

TEST(Prompt, OpensAnAnswerBehindAnyLastMessage) {
  const struct {
    const char *messages, *end;
  } rows[] = {
      {R"([{"role": "system", "content": ""}])", "\n\n<\uff5cAssistant\uff5c><think>"},
      {R"([{"role": "developer", "content": "s"}])", "\n\ns<\uff5cAssistant\uff5c><think>"},
      {R"([{"role": "user", "content": []}])", "<\uff5cUser\uff5c><\uff5cAssistant\uff5c><think>"},
      {R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])",
       "</think>b<\uff5cend\u2581of\u2581sentence\uff5c><\uff5cAssistant\uff5c><think>"},
  };
  for (const auto& row : rows) {
    const Request request = ParseChatRequest(std::string("{\"messages\": ") + row.messages + "}");
    PromptRules rules;
    rules.ladder = EffortLadder::k0731;
    const std::string text =
        EncodeChat(PromptMessages(request), {}, ChatOptions(request, rules)).Text();
    const size_t size = std::string_view(row.end).size();
    ASSERT_GE(text.size(), size);
    EXPECT_EQ(text.substr(text.size() - size), row.end) << row.messages;
    EXPECT_NE(text.find("Reasoning Effort"), std::string::npos) << row.messages;
  }
}

TEST(PromptTokenizer, SaysWhereThePartsOfAPromptEnd) {
  const std::string folder =
      MakeScriptedModel(testing::TempDir() + "/finback_parts_model", Chain({"a", "b"}));
  const PromptTokenizer prompts(Tokenizer::Load(folder), 1 << 20);
  const Request request = ParseChatRequest(
      R"({"messages": [{"role": "system", "content": "Sys"}, {"role": "user", "content": "a"},
      {"role": "assistant", "content": "b"}, {"role": "user", "content": "cd"}], "tools":
      [{"type": "function", "function": {"name": "f"}}]})");
  EncodedPrompt encoded = EncodeChat(PromptMessages(request), {}, ChatOptions(request, {}));
  const TokenizedPrompt prompt = prompts.Encode(encoded);
  ASSERT_EQ(prompt.parts.size(), 5u);
  const char* names[] = {"the system text", "the tools", "messages[1] (user)",
                         "messages[2] (assistant)", "messages[3] (user)"};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(prompt.parts[i].name, names[i]);
    EXPECT_EQ(prompt.parts[i].is_head, i < 2);
    // Byte tokens, but for marks: the text up to there is what its tokens spell.
    const std::vector<int32_t> before(
        prompt.ids.begin(), prompt.ids.begin() + static_cast<ptrdiff_t>(prompt.parts[i].end));
    EXPECT_EQ(prompts.tokenizer().Decode(before), encoded.Text().substr(0, encoded.parts[i].end));
  }
  EXPECT_EQ(prompt.ids[prompt.parts[2].end], kAssistant);
  EXPECT_EQ(prompt.ids[prompt.parts[3].end], kUser);
  EXPECT_EQ(prompt.ids.size(), prompt.parts[4].end + 2) << "the next answer opens";
}

TEST(PromptTokenizer, WhatWasSampledIsEncodedAsItWas) {
  const std::string folder =
      MakeScriptedModel(testing::TempDir() + "/finback_sampled_model", Chain({"a", "b"}));
  const PromptTokenizer prompts(Tokenizer::Load(folder), 1 << 20);
  const Request request = ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "ab",
      "reasoning_content": "r"}, {"role": "user", "content": "r"}], "drop_thinking": false})");
  const SampledText sampled{[](const std::string& text) {
                              return text == "r" ? SampledIds{1, 2} : SampledIds{};
                            },
                            [](const PromptMessage& answer) {
                              return answer.content == "ab" ? SampledIds{3, 4} : SampledIds{};
                            }};
  EncodeOptions options = ChatOptions(request, {});
  const EncodedPrompt plain = EncodeChat(PromptMessages(request), {}, options);
  options.sampled = &sampled;
  const EncodedPrompt encoded = EncodeChat(PromptMessages(request), {}, options);
  EXPECT_EQ(encoded.Text(), plain.Text());
  const std::vector<int32_t> expected = {kBos,  kUser, 'a',        'b',   kAssistant, kThink,
                                         1,     2,     kEndThink,  3,     4,          kEos,
                                         kUser, 'r',   kAssistant, kThink};
  EXPECT_EQ(prompts.Encode(encoded).ids, expected);
  options.trust_all = true;
  EXPECT_NE(prompts.Encode(EncodeChat(PromptMessages(request), {}, options)).ids, expected);
}

}  // namespace
}  // namespace finback
