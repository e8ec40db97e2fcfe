// Answers of scripted and random models, through the backend's interface.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <thread>

#include "core/base/status.h"
#include "core/local/local_backend.h"
#include "tests/core/base/counting_allocator.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

const std::string kCallOpen = "\n\n<" + kDsmlText + "tool_calls>\n<" + kDsmlText + "invoke name=\"";
const std::string kCallName = "look\">\n<" + kDsmlText + "parameter name=\"q\" string=\"true\">";
const std::string kCallClose =
    "</" + kDsmlText + "parameter>\n</" + kDsmlText + "invoke>\n</" + kDsmlText + "tool_calls>";

std::vector<ScriptStep> Script() {
  std::vector<ScriptStep> steps = Chain({"<think>", "Let me", " think.", "</think>"});
  // The answer: a character in two tokens, then a loop that ends nowhere.
  for (const ScriptStep& step : Chain({"</think>", "Hello", " w\u00f6", "\xf0", "\x9f", "\x90",
                                       "\xb3", " END", "!", kEosText})) {
    steps.push_back(step);
  }
  // Taken instead when a bias favours it.
  steps.push_back({"</think>", "Calling", 0.7});
  for (const ScriptStep& step :
       Chain({"Calling", kCallOpen, kCallName, "wha", "les", kCallClose, " never said"})) {
    steps.push_back(step);
  }
  steps.push_back({"</think>", "tick", 0.6});
  for (const ScriptStep& step : Chain({"tick", " tock", " tack", "tick"})) steps.push_back(step);
  return steps;
}

// Opened once per program: a model takes longer to make than to run.
std::shared_ptr<Backend> Scripted(const char* name = "script", int64_t context_tokens = 512) {
  static std::map<std::string, std::shared_ptr<Backend>> open;
  std::shared_ptr<Backend>& backend = open[name];
  if (backend == nullptr) {
    EngineOptions options;
    options.model = MakeScriptedModel(testing::TempDir() + "/answers_" + name, Script());
    options.threads = 1;
    options.context_tokens = context_tokens;
    options.chunk_tokens = 16;
    backend = OpenLocalBackend(options);
  }
  return backend;
}

int32_t IdOf(Backend* backend, const std::string& text) {
  const std::vector<int32_t> ids = backend->Tokenize(text, SpecialTokens::kRecognize);
  EXPECT_EQ(ids.size(), 1u) << text;
  return ids.at(0);
}

std::string Favour(Backend* backend, const std::string& text) {
  return "\"logit_bias\": {\"" + std::to_string(IdOf(backend, text)) + "\": 20}";
}

struct Answer {
  std::vector<Event> events;
  std::string reasoning, content, arguments, finish;
  Usage usage;
};

Answer Finish(Stream* stream) {
  Answer answer;
  Event event;
  while (stream->Step(&event)) {
    answer.events.push_back(event);
    if (event.kind == EventKind::kReasoning) answer.reasoning += event.text;
    if (event.kind == EventKind::kContent) answer.content += event.text;
    if (event.kind == EventKind::kToolArguments) answer.arguments += event.text;
    if (event.kind == EventKind::kFinish) {
      answer.finish = FinishReasonName(event.finish_reason);
      answer.usage = event.usage;
    }
  }
  return answer;
}

std::string Json(const std::string& more, const std::string& user = "hi") {
  std::string json = "{\"messages\": [{\"role\": \"user\", \"content\": \"";
  json += user + "\"}]";
  if (!more.empty()) json += ", " + more;
  return json + "}";
}

Answer Ask(Backend* backend, const std::string& more, const std::string& user = "hi") {
  return Finish(backend->Start(ParseChatRequest(Json(more, user))).get());
}

const char* kNoThinking = "\"thinking\": {\"type\": \"disabled\"}";

TEST(Answer, ComesAsReasoningContentAndFinish) {
  const Answer answer = Ask(Scripted().get(), "");
  EXPECT_EQ(answer.reasoning, "Let me think.");
  EXPECT_EQ(answer.content, "Hello w\u00f6\U0001F433 END!");
  EXPECT_EQ(answer.finish, "stop");
  EXPECT_EQ(answer.usage.reasoning_tokens, 3);    // with </think>
  EXPECT_EQ(answer.usage.completion_tokens, 12);  // with the end marker
  EXPECT_EQ(answer.events.back().kind, EventKind::kFinish);
}

TEST(Answer, NeverSplitsACharacter) {
  for (const Event& event : Ask(Scripted().get(), "").events) {
    EXPECT_EQ(FindInvalidUtf8(event.text), kValidUtf8);
  }
}

TEST(Answer, HasNoReasoningWhenThinkingIsOff) {
  for (const char* off : {kNoThinking, "\"reasoning_effort\": \"none\""}) {
    const Answer answer = Ask(Scripted().get(), off);
    EXPECT_EQ(answer.reasoning, "");
    EXPECT_EQ(answer.content, "Hello w\u00f6\U0001F433 END!");
    EXPECT_EQ(answer.usage.reasoning_tokens, 0);
  }
}

TEST(Answer, EndsBeforeAStopStringAcrossTokens) {
  for (const char* stop : {"\"o w\"", "[\"zzz\", \"o w\"]"}) {
    const Answer answer = Ask(Scripted().get(), "\"stop\": " + std::string(stop));
    EXPECT_EQ(answer.content, "Hell");
    EXPECT_EQ(answer.reasoning, "Let me think.");
    EXPECT_EQ(answer.finish, "stop");
  }
}

TEST(Answer, DoesNotLookForStopStringsInReasoning) {
  EXPECT_EQ(Ask(Scripted().get(), "\"stop\": \"think\"").content, "Hello w\u00f6\U0001F433 END!");
}

TEST(Answer, GivesOutWhatOnlyLookedLikeAStopString) {
  EXPECT_EQ(Ask(Scripted().get(), "\"stop\": \"END!?\"").content, "Hello w\u00f6\U0001F433 END!");
}

// Of a call with {"q": "whales"}.
constexpr const char* kLook =
    ", \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"look\"}}]";
constexpr const char* kOther =
    ", \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"see\"}}]";

TEST(Answer, ToolMarkupIsTextWhereNoToolIsOffered) {
  const auto backend = Scripted();
  const std::string calling = ", " + Favour(backend.get(), "Calling");
  for (const std::string& tools :
       {std::string(), kLook + std::string(", \"tool_choice\": \"none\"")}) {
    const Answer answer = Ask(backend.get(), std::string(kNoThinking) + tools + calling);
    EXPECT_EQ(answer.content.rfind("Calling" + kCallOpen, 0), 0u) << answer.content;
    EXPECT_NE(answer.finish, "tool_calls");
    for (const Event& event : answer.events) EXPECT_NE(event.kind, EventKind::kToolCall);
  }
}

TEST(Answer, SaysThatAToolIsUnknown) {
  const auto backend = Scripted("tools", 2048);
  const Answer answer = Ask(
      backend.get(), std::string(kNoThinking) + kOther + ", " + Favour(backend.get(), "Calling"));
  EXPECT_EQ(answer.finish, "tool_calls");
  std::string notices;
  for (const Event& event : answer.events) {
    if (event.kind == EventKind::kNotice) notices += event.text;
  }
  EXPECT_NE(notices.find("\"tool_unknown\""), std::string::npos) << notices;
}

TEST(Answer, ReportsAToolCall) {
  const auto backend = Scripted("tools", 2048);
  const Answer answer = Ask(
      backend.get(), std::string(kNoThinking) + kLook + ", " + Favour(backend.get(), "Calling"));
  EXPECT_EQ(answer.content, "Calling");
  EXPECT_EQ(answer.finish, "tool_calls");
  EXPECT_EQ(answer.arguments, "{\"q\": \"whales\"}");
  std::string id;
  int begins = 0, ends = 0;
  for (const Event& event : answer.events) {
    if (event.kind == EventKind::kToolCall) {
      ++begins;
      id = event.tool_id;
      EXPECT_EQ(event.tool_name, "look");
      EXPECT_EQ(event.tool_index, 0);
    }
    if (event.kind == EventKind::kToolCallEnd) {
      ++ends;
      EXPECT_EQ(event.tool_id, id);
      EXPECT_EQ(event.text, "{\"q\": \"whales\"}");
    }
  }
  EXPECT_EQ(begins, 1);
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(id.rfind("call_00_", 0), 0u);
}

TEST(Answer, InventsTheSameToolIdsForTheSameSeedAndPrompt) {
  const auto backend = Scripted("tools", 2048);
  const std::string fields =
      std::string(kNoThinking) + kLook + ", " + Favour(backend.get(), "Calling");
  const auto id = [&](const std::string& seed, const std::string& user) {
    for (const Event& event : Ask(backend.get(), fields + seed, user).events) {
      if (event.kind == EventKind::kToolCall) return event.tool_id;
    }
    return std::string();
  };
  const std::string first = id(", \"seed\": 4", "a");
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, id(", \"seed\": 4", "a"));
  EXPECT_NE(first, id(", \"seed\": 5", "a"));
  EXPECT_NE(first, id(", \"seed\": 4", "longer"));
}

TEST(Answer, EndsAtMaxTokens) {
  const Answer answer = Ask(Scripted().get(), "\"max_tokens\": 4");
  EXPECT_EQ(answer.finish, "length");
  EXPECT_EQ(answer.usage.completion_tokens, 4);
  EXPECT_EQ(answer.content, "Hello");
}

TEST(Answer, EndsWhenTheContextIsFull) {
  const auto backend = Scripted("short", 40);
  const Answer answer =
      Ask(backend.get(), std::string(kNoThinking) + ", " + Favour(backend.get(), "tick"));
  EXPECT_EQ(answer.finish, "length");
  EXPECT_EQ(answer.usage.prompt_tokens + answer.usage.completion_tokens, 41);
}

TEST(Answer, RefusesAPromptThatDoesNotFit) {
  try {
    Ask(Scripted("short", 40).get(), "", std::string(100, 'x'));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kContextFull);
    EXPECT_NE(std::string(error.what()).find("has 104 tokens, context_tokens is 40"),
              std::string::npos)
        << error.what();
  }
}

TEST(Answer, IsCancelledBeforeItStartsAndForGood) {
  const auto backend = Scripted();
  auto stream = backend->Start(ParseChatRequest(Json("")));
  stream->Cancel();
  Event event;
  for (int i = 0; i < 2; ++i) {
    try {
      stream->Step(&event);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCancelled);
    }
  }
  EXPECT_EQ(Ask(backend.get(), "").content, "Hello w\u00f6\U0001F433 END!") << "the next is fine";
}

TEST(Answer, IsCancelledFromAnotherThread) {
  const auto backend = Scripted();
  auto stream = backend->Start(
      ParseChatRequest(Json(std::string(kNoThinking) + ", " + Favour(backend.get(), "tick"))));
  Event event;
  ASSERT_TRUE(stream->Step(&event));
  std::thread other([&] { stream->Cancel(); });
  EXPECT_THROW(
      {
        while (stream->Step(&event)) {
        }
      },
      Error);
  other.join();
}

TEST(Answer, ReportsProgressInPrefillWhenAsked) {
  const Answer answer = Ask(Scripted("progress").get(), "\"progress\": true", std::string(60, 'p'));
  std::vector<int64_t> done;
  for (const Event& event : answer.events) {
    if (event.kind != EventKind::kProgress) continue;
    done.push_back(event.progress_done);
    EXPECT_EQ(event.progress_total, answer.usage.prompt_tokens);
  }
  EXPECT_EQ(done, (std::vector<int64_t>{16, 32, 48, 63, 64}));
  EXPECT_EQ(answer.content, "Hello w\u00f6\U0001F433 END!");
}

TEST(Answer, ReusesTheSessionWhenOldReasoningIsDropped) {
  const auto backend = Scripted("reuse");
  const auto session = backend->NewSession();
  const auto ask = [&](const std::string& messages) {
    return Finish(session->Start(ParseChatRequest("{\"messages\": [" + messages + "]}")).get());
  };
  const std::string first = R"({"role": "user", "content": "one one one"})";
  const Answer one = ask(first);
  EXPECT_EQ(one.usage.cached_tokens, 0);
  // The next rendering closes the reasoning where the first prompt opened it.
  const std::string second = first + R"(, {"role": "assistant", "content": ")" + one.content +
                             R"(", "reasoning_content": ")" + one.reasoning +
                             R"("}, {"role": "user", "content": "two two two"})";
  const Answer two = ask(second);
  EXPECT_EQ(two.usage.cached_tokens, one.usage.prompt_tokens - 1);
  const Answer three = ask(second + R"(, {"role": "assistant", "content": ")" + two.content +
                           R"("}, {"role": "user", "content": "three"})");
  EXPECT_EQ(three.usage.cached_tokens, two.usage.prompt_tokens - 1);
  EXPECT_EQ(three.content, one.content);
}

TEST(Answer, GetsASessionOfItsOwnWhileTheDefaultIsBusy) {
  const auto backend = Scripted();
  auto first = backend->Start(ParseChatRequest(Json("")));
  Event event;
  ASSERT_TRUE(first->Step(&event));
  EXPECT_EQ(Ask(backend.get(), "").content, "Hello w\u00f6\U0001F433 END!");
  EXPECT_EQ(Finish(first.get()).content, "Hello w\u00f6\U0001F433 END!");
}

TEST(Answer, FindsABusySession) {
  const auto session = Scripted()->NewSession();
  auto stream = session->Start(ParseChatRequest(Json("")));
  try {
    session->Start(ParseChatRequest(Json("")));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
  }
  stream.reset();
  EXPECT_EQ(Finish(session->Start(ParseChatRequest(Json(""))).get()).finish, "stop");
}

TEST(Answer, CarriesLogprobsWithItsTokens) {
  const Answer answer = Ask(Scripted().get(), "\"logprobs\": true, \"top_logprobs\": 3");
  std::string reasoning, content;
  for (const Event& event : answer.events) {
    for (const TokenLogprob& token : event.logprobs) {
      (event.kind == EventKind::kReasoning ? reasoning : content) += token.text;
      ASSERT_EQ(token.top.size(), 3u);
      EXPECT_EQ(token.top[0].id, token.id) << "greedy takes the likeliest";
      EXPECT_FLOAT_EQ(token.top[0].logprob, token.logprob);
      EXPECT_GT(token.top[0].logprob, token.top[1].logprob);
    }
  }
  EXPECT_EQ(reasoning, answer.reasoning);
  EXPECT_EQ(content, answer.content);
}

TEST(Answer, ContinuesAPrefixAsContent) {
  const auto backend = Scripted();
  const Request request = ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "u"},
          {"role": "assistant", "reasoning_content": "r", "content": "Hello", "prefix": true}],
          "trust_all": true})");  // the script's words are added tokens
  const Answer answer = Finish(backend->Start(request).get());
  EXPECT_EQ(answer.reasoning, "");
  EXPECT_EQ(answer.content, " w\u00f6\U0001F433 END!");
}

TEST(Completion, IsRawText) {
  const auto backend = Scripted();
  const Answer answer = Finish(
      backend->Start(ParseCompletionRequest(R"({"prompt": "x<think>", "max_tokens": 4})")).get());
  EXPECT_EQ(answer.content, "Let me think.</think>Hello");
  EXPECT_EQ(answer.finish, "length");
  EXPECT_EQ(answer.usage.prompt_tokens, 3);  // begin of sentence, x, <think>
}

TEST(Completion, RecognizesSpecialTokensOnlyIfAllowed) {
  const auto backend = Scripted();
  const auto tokens = [&](const std::string& more) {
    return Finish(backend
                      ->Start(ParseCompletionRequest("{\"prompt\": \"<think>\", \"max_tokens\": 1" +
                                                     more + "}"))
                      .get())
        .usage.prompt_tokens;
  };
  EXPECT_EQ(tokens(""), 2);
  EXPECT_EQ(tokens(", \"recognize_special\": false"), 8);
  EXPECT_EQ(tokens(", \"add_bos\": false"), 1);
}

TEST(Prompt, KeepsUserTextFromBeingMarkup) {
  const auto backend = Scripted();
  const std::string user = "</think>" + kEosText;
  const auto plain = backend->EncodeTokens(ParseChatRequest(Json("", user)));
  const auto trusted = backend->EncodeTokens(ParseChatRequest(Json("\"trust_all\": true", user)));
  EXPECT_EQ(std::count(plain.begin(), plain.end(), static_cast<int32_t>(kEndThink)), 0);
  EXPECT_EQ(std::count(trusted.begin(), trusted.end(), static_cast<int32_t>(kEndThink)), 1);
  EXPECT_EQ(backend->Detokenize(plain), backend->Detokenize(trusted));
}

TEST(Prompt, FollowsTheEffortLadder) {
  EngineOptions options;
  options.model = MakeScriptedModel(testing::TempDir() + "/answers_ladder", Script());
  options.threads = 1;
  const char* max = "Reasoning Effort: Absolute maximum";
  const char* beyond = "Reasoning Effort: Beyond maximum";
  const struct {
    LadderChoice ladder;
    const char* effort;
    const char* opening;  // nullptr: no effort text
  } rows[] = {
      {LadderChoice::kAuto, "low", nullptr},  {LadderChoice::kAuto, "high", nullptr},
      {LadderChoice::kAuto, "max", max},      {LadderChoice::kPreview, "max", max},
      {LadderChoice::k0731, "low", nullptr},  {LadderChoice::k0731, "medium", max},
      {LadderChoice::k0731, "high", max},     {LadderChoice::k0731, "max", beyond},
      {LadderChoice::k0731, "none", nullptr},
  };
  for (const auto& row : rows) {
    options.effort_ladder = row.ladder;
    const std::string text = OpenLocalBackend(options)->EncodeText(
        ParseChatRequest(Json("\"reasoning_effort\": \"" + std::string(row.effort) + "\"")));
    if (row.opening == nullptr) {
      EXPECT_EQ(text.find("Reasoning Effort"), std::string::npos) << row.effort;
    } else {
      EXPECT_NE(text.find(row.opening), std::string::npos) << row.effort;
    }
  }
}

TEST(RandomModel, GivesTheSameTextForASeedAtAnyThreadCount) {
  EngineOptions options;
  options.model = MakeRandomModel(testing::TempDir() + "/answers_random", 3);
  std::string first;
  for (const int threads : {1, 2}) {
    options.threads = threads;
    options.chunk_tokens = 8 * threads;
    const auto backend = OpenLocalBackend(options);
    const std::string fields =
        "\"temperature\": 1.2, \"top_p\": 0.95, \"max_tokens\": 10, \"seed\": ";
    const std::string text = Ask(backend.get(), fields + "42").reasoning;
    if (threads == 1) {
      first = text;
      EXPECT_NE(text, Ask(backend.get(), fields + "43").reasoning);
    }
    EXPECT_EQ(text, first) << threads << " threads";
  }
}

TEST(Decoding, AllocatesNothingPerToken) {
  const auto backend = Scripted();
  auto stream = backend->Start(
      ParseChatRequest(Json(std::string(kNoThinking) + ", " + Favour(backend.get(), "tick"))));
  Event event;
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(stream->Step(&event));
  const int64_t before = AllocationCount();
  for (int i = 0; i < 64; ++i) stream->Step(&event);
  EXPECT_EQ(AllocationCount() - before, 0);
}

TEST(Sequence, IsStoppedByACancelAndGoesOn) {
  const auto backend = Scripted();
  const auto sequence = backend->NewSequence();
  const std::vector<int32_t> ids = {1, 2, 3};
  sequence->Cancel();
  EXPECT_THROW(sequence->Evaluate(ids, TokenSequence::Rows::kNone, nullptr), Error);
  EXPECT_EQ(sequence->position(), 0);
  sequence->Evaluate(ids, TokenSequence::Rows::kNone, nullptr);
  EXPECT_EQ(sequence->position(), 3);
}

TEST(Budget, IsCheckedBeforeMemoryIsTaken) {
  EngineOptions options;
  options.model = MakeScriptedModel(testing::TempDir() + "/answers_budget", Script());
  options.memory_budget_bytes = 1000;
  const auto backend = OpenLocalBackend(options);
  const auto code = [&](auto&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kOk;
  };
  EXPECT_EQ(code([&] { Ask(backend.get(), ""); }), Code::kBudget);
  EXPECT_EQ(code([&] { backend->NewSession(); }), Code::kBudget);
  EXPECT_EQ(code([&] { backend->NewSequence(); }), Code::kBudget);
  EXPECT_NE(backend->Info().find("\"budget_bytes\": 1000"), std::string::npos);
}

}  // namespace
}  // namespace finback
