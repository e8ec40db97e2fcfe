// Whole conversations against the service that fails on demand: what a program sees of good and bad
// days, through the same interfaces that the ABI uses.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/remote/money/cost_query.h"
#include "core/remote/remote_backend.h"
#include "core/remote/transport/failure.h"
#include "tests/core/remote/asking.h"

namespace finback {
namespace {

TEST(RemoteStream, DeliversTheSameAnswerHoweverItArrives) {
  const Told plain = Ask("answer");
  ASSERT_EQ(plain.code, Code::kOk) << plain.message;
  EXPECT_FALSE(plain.reasoning.empty());
  EXPECT_FALSE(plain.content.empty());
  EXPECT_EQ(plain.finish, "stop");
  EXPECT_GT(plain.usage.prompt_tokens, 0);
  for (const char* scenario :
       {"split", "crlf", "cr", "bom", "lines", "no-space", "keep-alive", "close", "no-done",
        "reset-after-finish", "whole", "whole+keep-alive", "usage-separate", "usage-finish",
        "unknown-events", "empty-tool-lists", "comments-3", "reasoning-field",
        "reasoning-details"}) {
    EngineOptions options = OptionsFor(scenario);
    if (std::string(scenario).rfind("reasoning-", 0) == 0) {  // fields that gateways use
      options.model = "openrouter:deepseek/deepseek-v4-pro";
    }
    const Told told = Ask(options);
    EXPECT_EQ(told.code, Code::kOk) << scenario << ": " << told.message;
    EXPECT_EQ(told.content, plain.content) << scenario;
    EXPECT_EQ(told.reasoning, plain.reasoning) << scenario;
    EXPECT_EQ(told.finish, "stop") << scenario;
    EXPECT_EQ(told.usage.completion_tokens, plain.usage.completion_tokens) << scenario;
  }
}

TEST(RemoteStream, DeliversInterleavedCallsWithDistinctIds) {
  for (const char* scenario : {"tools", "tools-stop", "tools+split", "ids-missing", "ids-blank",
                               "ids-duplicate", "late-names-null", "late-names-blank"}) {
    const Told told = Ask(scenario, kWithTools);
    EXPECT_EQ(told.code, Code::kOk) << scenario << ": " << told.message;
    EXPECT_EQ(told.finish, "tool_calls") << scenario;
    ASSERT_EQ(told.calls.size(), 2u) << scenario;
    EXPECT_EQ(told.calls[0].first, "get_weather") << scenario;
    EXPECT_EQ(told.calls[1].first, "get_time") << scenario;
    EXPECT_TRUE(nlohmann::json::accept(told.calls[0].second)) << scenario;
    EXPECT_NE(told.ids[0], told.ids[1]) << scenario;
    EXPECT_FALSE(told.ids[0].empty()) << scenario;
  }
}

TEST(RemoteStream, TriesAgainWhileNothingWasDelivered) {
  const std::string expected = Ask("answer").content;
  const std::pair<const char*, int> rows[] = {{"500.then.answer", 2},
                                              {"503x3.then.answer", 4},
                                              {"429-ms.then.answer", 2},
                                              {"200-empty.then.answer", 2},
                                              {"200-cut+whole.then.answer", 2},
                                              {"reset-before-headers.then.answer", 2},
                                              {"reset-after-headers.then.answer", 2},
                                              {"502.then.answer", 2},
                                              {"early-error-server_error.then.answer", 2},
                                              {"empty.then.answer", 2}};
  for (const auto& [scenario, requests] : rows) {
    const Told told = Ask(std::string(scenario) + "~again");
    EXPECT_EQ(told.code, Code::kOk) << scenario << ": " << told.message;
    EXPECT_EQ(told.content, expected) << scenario;
    EXPECT_EQ(Server().Log(std::string(scenario) + "~again").size(), static_cast<size_t>(requests))
        << scenario;
    EXPECT_EQ(told.answer.attempts, requests) << scenario;
  }
}

TEST(RemoteStream, KeepsTheWordsOfErrorsWithStatus200) {
  for (const char* scenario : {"200-text", "200-events-json", "200-events-text", "200-last-line"}) {
    EngineOptions options = OptionsFor(scenario);
    options.service.max_retries = 0;
    const Told told = Ask(options);
    EXPECT_EQ(told.kind, "overloaded") << scenario;
    EXPECT_NE(told.message.find("Service overloaded"), std::string::npos) << told.message;
  }
}

TEST(RemoteStream, KeepsTheWordsThatStandBehindAStreamsEvents) {
  const struct {
    const char *scenario, *kind, *words;
  } rows[] = {{"raw-tail-json", "overloaded", "Service overloaded"},
              {"raw-tail-list", "overloaded", "Service overloaded"},
              {"raw-tail-page", "transport", "a web page, \"Gateway\""},
              {"raw-tail-text", "transport", "broke off"},
              {"200-string", "quota", "quota exceeded"},
              {"200-empty", "transport", "sent an empty body"}};
  for (const auto& row : rows) {
    EngineOptions options = OptionsFor(row.scenario);
    options.service.max_retries = 0;
    const Told told = Ask(options);
    EXPECT_EQ(told.kind, row.kind) << row.scenario << ": " << told.message;
    EXPECT_NE(told.message.find(row.words), std::string::npos) << told.message;
  }
}

TEST(RemoteStream, TakesEventsAndEndsThatAreSpelledOddly) {
  const std::string plain = Ask("plain").content;
  for (const char* scenario :
       {"plain+one-line-end", "plain+done-in-quotes", "plain+done-in-small"}) {
    const Told told = Ask(scenario);
    EXPECT_EQ(told.code, Code::kOk) << scenario << ": " << told.message;
    EXPECT_EQ(told.content, plain) << scenario;
    EXPECT_EQ(told.finish, "stop") << scenario;
  }
}

TEST(RemoteStream, TellsWhatItPlannedOnceHoweverOftenItTries) {
  const auto backend = OpenRemoteBackend(OptionsFor("503x2.then.tool~planned"));
  const auto stream = backend->Start(ParseChatRequest(
      std::string(kWithTools, strlen(kWithTools) - 1) + R"(, "tool_choice": "required"})"));
  const Told told = Listen(stream.get());
  EXPECT_EQ(told.code, Code::kOk) << told.message;
  EXPECT_EQ(told.answer.attempts, 3);
  EXPECT_EQ(std::count(told.notices.begin(), told.notices.end(), "thinking_disabled"), 1);
}

TEST(RemoteStream, TriesAgainWhenAWholeAnswerWasAborted) {
  EngineOptions options = OptionsFor("finish-aborted.then.answer~whole");
  options.service.stream = false;  // in one piece, so nothing of it was delivered
  const Told told = Ask(options);
  EXPECT_EQ(told.code, Code::kOk) << told.message;
  EXPECT_EQ(told.finish, "stop");
  EXPECT_EQ(Server().Log("finish-aborted.then.answer~whole").size(), 2u);
}

TEST(RemoteStream, DoesNotTryAgainOnceSomethingWasDelivered) {
  for (const char* scenario : {"reset-mid-event+slow~once", "close-mid-event+slow~once",
                               "stream-error-server_error+slow~once", "end-mid-event+slow~once"}) {
    const Told told = Ask(scenario);
    EXPECT_EQ(told.code, Code::kService) << scenario << ": " << told.message;
    EXPECT_FALSE(told.reasoning.empty() && told.content.empty())
        << scenario << ": what came before the failure is lost";
    EXPECT_EQ(Server().Log(scenario).size(), 1u) << scenario;
  }
}

TEST(RemoteStream, LogsWhyItDoesNotTryAgain) {
  const std::pair<const char*, const char*> rows[] = {
      {"401-key", "not tried again: the same request would fail again"},
      {"503x9~log", "not tried again: no attempts are left"},
      {"end-mid-event+slow~log", "not tried again: a part of the answer was delivered"}};
  for (const auto& [scenario, reason] : rows) {
    EngineOptions options = OptionsFor(scenario);
    options.service.max_retries = 1;
    std::string log;
    options.log = [&log](LogLevel, const char* message) { log += std::string(message) + "\n"; };
    EXPECT_NE(Ask(options).code, Code::kOk) << scenario;
    EXPECT_NE(log.find(reason), std::string::npos) << scenario << ": " << log;
  }
}

struct Refusal {
  const char* scenario;
  Code code;
  const char* kind;
};

TEST(RemoteStream, SaysWhatTheServiceRefused) {
  const Refusal rows[] = {
      {"400-role", Code::kInvalidRequest, "invalid_request"},
      {"400-context", Code::kContextFull, "context_overflow"},
      {"400-risk", Code::kRefused, "content_risk"},
      {"401-key", Code::kAuthentication, "authentication"},
      {"402", Code::kQuota, "quota"},
      {"422", Code::kInvalidRequest, "invalid_request"},
      {"429-balance", Code::kRateLimit, "rate_limit"},
      {"429-huge", Code::kRateLimit, "rate_limit"},
      {"429-quota", Code::kQuota, "quota"},
      {"octet-stream", Code::kInvalidRequest, "invalid_request"},
      {"redirect", Code::kService, ""},
      {"200-html", Code::kService, "transport"},
  };
  for (const Refusal& row : rows) {
    EngineOptions options = OptionsFor(std::string(row.scenario) + "~refused");
    options.service.max_retries = 0;
    const Told told = Ask(options);
    EXPECT_EQ(told.code, row.code) << row.scenario << ": " << told.message;
    if (row.kind[0] != '\0') {
      EXPECT_EQ(told.kind, row.kind) << row.scenario;
    }
    EXPECT_EQ(told.message.find('\n'), std::string::npos) << row.scenario;
  }
}

TEST(RemoteStream, TellsTheFirstFailureBesideTheLast) {
  EngineOptions options = OptionsFor("500.then.402~first");
  options.service.max_retries = 1;
  const Told told = Ask(options);
  EXPECT_EQ(told.kind, "quota");
  EXPECT_NE(told.message.find("(the first failure was deepseek:deepseek-v4-pro: the service failed "
                              "(HTTP 500)"),
            std::string::npos)
      << told.message;
  options = OptionsFor("500~alike");
  options.service.max_retries = 1;
  EXPECT_EQ(Ask(options).message.find("first failure"), std::string::npos);
}

TEST(RemoteStream, TellsThePathThatIsNotThere) {
  EngineOptions options = OptionsFor("status-404~path");
  options.service.max_retries = 0;
  const Told told = Ask(options);
  EXPECT_NE(told.message.find("the path that was asked for is /s/status-404~path/chat/completions: "
                              "base_url may lack a /v1"),
            std::string::npos)
      << told.message;
}

TEST(RemoteStream, SaysWhereAMissingKeyMayBePut) {
  EngineOptions options = OptionsFor("401-header~keyless");
  options.model = "llama-server:m";
  options.service.api_key = "";
  EXPECT_NE(Ask(options).message.find("none was sent: set the option api_key or the variable "
                                      "LLAMA_API_KEY"),
            std::string::npos);
  options.service.api_key = "sk-very-secret-key-1234";
  EXPECT_EQ(Ask(options).message.find("none was sent"), std::string::npos);
}

TEST(RemoteStream, OffersANamedToolAloneWhereNamesAreNotHeeded) {
  EngineOptions options = OptionsFor("plain~named");
  options.model = "llama-server:m";
  const std::string request = std::string(kWithTools);
  const std::string named = request.substr(0, request.rfind('}')) +
                            R"(, "tool_choice": {"type": "function", "function":
                                {"name": "get_time"}}})";
  EXPECT_EQ(Ask(options, named).code, Code::kOk);
  const auto sent =
      nlohmann::json::parse(Server().Log("plain~named")[0].at("body").get<std::string>());
  EXPECT_EQ(sent.at("tool_choice"), "required");
  ASSERT_EQ(sent.at("tools").size(), 1u);
  EXPECT_EQ(sent.at("tools")[0].at("function").at("name"), "get_time");
}

TEST(RemoteStream, RepairsABrokenReasoningChainOnceWithoutThinking) {
  const Told told = Ask("thinking-off~chain");
  EXPECT_EQ(told.code, Code::kOk) << told.message;
  ASSERT_EQ(told.notices.size(), 1u);
  EXPECT_EQ(told.notices[0], "reasoning_chain_broken");
  const Told never = Ask("400-reasoning~chain");
  EXPECT_EQ(never.code, Code::kInvalidRequest);
  EXPECT_EQ(never.kind, "reasoning_chain");
  EXPECT_EQ(Server().Log("400-reasoning~chain").size(), 2u);
}

TEST(RemoteStream, LeavesThinkingFieldsOutWhereTheyAreRefused) {
  for (const char* format : {"openai", "anthropic", "responses"}) {
    const std::string scenario = std::string("thinking-unknown~") + format;
    EngineOptions options = OptionsFor(scenario);
    options.model = "m";
    options.service.wire_format = format;
    const Told told = Ask(options);
    EXPECT_EQ(told.code, Code::kOk) << told.message;
    ASSERT_FALSE(told.notices.empty()) << format;
    EXPECT_EQ(told.notices[0], "field_left_out") << format;
    EXPECT_EQ(Server().Log(scenario).size(), 2u) << format;
  }
}

TEST(RemoteStream, AsksForWhatTheContextLeaves) {
  for (const char* tokens : {"2000", "995", "65536"}) {
    const std::string scenario = std::string("model-len-1000~") + tokens;
    const Told told = Ask(scenario, std::string(R"({"max_tokens": )") + tokens +
                                        R"(, "messages": [{"role": "user", "content": "x"}]})");
    EXPECT_EQ(told.code, Code::kOk) << told.message;
    EXPECT_EQ(std::count(told.notices.begin(), told.notices.end(), "max_tokens_reduced"), 1);
    EXPECT_EQ(Server().Log(scenario).size(), 2u) << tokens;
  }
}

TEST(RemoteStream, ReducesMaxTokensToWhatTheServiceNames) {
  const Told told = Ask("clamp-1000", R"({"max_tokens": 5000,
      "messages": [{"role": "user", "content": "Weather?"}]})");
  EXPECT_EQ(told.code, Code::kOk) << told.message;
  ASSERT_FALSE(told.notices.empty());
  EXPECT_EQ(told.notices.back(), "max_tokens_reduced");
}

TEST(RemoteStream, GoesOnToTheNextModelOfTheChain) {
  EngineOptions options = OptionsFor("402.then.answer~chain");
  options.model = "deepseek:deepseek-v4-pro,deepseek:deepseek-flash";
  const Told told = Ask(options);
  // An empty account is empty for both: the second would fail alike, so it is not asked.
  EXPECT_EQ(told.code, Code::kQuota);
  options = OptionsFor("503x4.then.answer~chain");
  options.model = "deepseek:deepseek-v4-pro,deepseek:deepseek-flash";
  const Told other = Ask(options);
  EXPECT_EQ(other.code, Code::kOk) << other.message;
  const auto log = Server().Log("503x4.then.answer~chain");
  EXPECT_EQ(nlohmann::json::parse(log.back().at("body").get<std::string>()).at("model"),
            "deepseek-flash");
}

TEST(RemoteStream, ReportsAnotherModelThanAskedBeforeItsAnswerEnds) {
  for (const char* scenario : {"model-mismatch", "model-mismatch+whole", "model-mismatch+split"}) {
    const Told told = Ask(scenario);
    EXPECT_EQ(told.code, Code::kOk) << scenario;
    EXPECT_EQ(told.notices, std::vector<std::string>{"other_model"}) << scenario;
    EXPECT_EQ(told.answer.model, "deepseek-other") << scenario;
    EXPECT_EQ(told.last, EventKind::kFinish) << scenario;
  }
}

TEST(RemoteStream, RescuesLeakedMarkupOfSelfHostedStacks) {
  for (const char* scenario : {"markup", "markup-ascii", "markup-double", "markup-norm"}) {
    EngineOptions options = OptionsFor(scenario);
    options.service.markup_rescue = MarkupRescue::kParse;
    const Told told = Ask(options, kWithTools);
    EXPECT_EQ(told.code, Code::kOk) << scenario << ": " << told.message;
    EXPECT_EQ(told.content.find("DSML"), std::string::npos) << told.content;
    EXPECT_EQ(told.calls.size(), 1u) << scenario;
  }
}

constexpr const char* kSchemaRequest = R"({"messages": [{"role": "user", "content": "json please"}],
  "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema":
    {"type": "object", "required": ["answer"], "additionalProperties": true,
     "properties": {"answer": {"type": "string"}}}}}})";

TEST(RemoteStream, ValidatesAgainstTheSchemaAndRepairsOnce) {
  const Told good = Ask("json", kSchemaRequest);
  EXPECT_EQ(good.code, Code::kOk) << good.message;
  EXPECT_EQ(nlohmann::json::parse(good.content).at("answer"), "4");
  const Told fenced = Ask("json-fenced", kSchemaRequest);
  EXPECT_EQ(nlohmann::json::parse(fenced.content).at("answer"), "4");
  const Told repaired = Ask("json-wrong.then.json~repair", kSchemaRequest);
  EXPECT_EQ(repaired.code, Code::kOk) << repaired.message;
  EXPECT_EQ(nlohmann::json::parse(repaired.content).at("answer"), "4");
  EXPECT_GT(repaired.usage.prompt_tokens, good.usage.prompt_tokens) << "both rounds are paid for";
  const Told wrong = Ask("json-wrong~never", kSchemaRequest);
  EXPECT_EQ(wrong.code, Code::kSchema);
  EXPECT_NE(wrong.message.find("answer"), std::string::npos) << wrong.message;
  EXPECT_EQ(Server().Log("json-wrong~never").size(), 2u);
}

TEST(RemoteStream, StopsWhiteSpaceWithoutEnd) {
  EngineOptions options = OptionsFor("json-whitespace");
  options.service.max_retries = 0;
  const Told told = Ask(options, kSchemaRequest);
  EXPECT_EQ(told.code, Code::kService) << told.message;
  EXPECT_EQ(told.kind, "empty_response");
}

TEST(RemoteStream, KeepsTheToolLoopByteExact) {
  nlohmann::ordered_json request = nlohmann::ordered_json::parse(kWithTools);
  const std::shared_ptr<Backend> backend = OpenRemoteBackend(OptionsFor("tool-loop"));
  const std::unique_ptr<Session> session = backend->NewSession();
  for (int round = 0; round < 3; ++round) {
    const std::unique_ptr<Stream> stream = session->Start(ParseChatRequest(request.dump()));
    const Told told = Listen(stream.get());
    ASSERT_EQ(told.code, Code::kOk) << round << ": " << told.message;
    if (round == 2) {
      EXPECT_EQ(told.finish, "stop");
      EXPECT_FALSE(told.content.empty());
      break;
    }
    ASSERT_EQ(told.finish, "tool_calls");
    nlohmann::ordered_json turn = {
        {"role", "assistant"}, {"content", told.content}, {"reasoning_content", told.reasoning}};
    for (size_t i = 0; i < told.calls.size(); ++i) {
      turn["tool_calls"].push_back(
          {{"id", told.ids[i]},
           {"type", "function"},
           {"function", {{"name", told.calls[i].first}, {"arguments", told.calls[i].second}}}});
    }
    request["messages"].push_back(turn);
    for (const std::string& id : told.ids) {
      request["messages"].push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", "3C"}});
    }
  }
}

TEST(RemoteStream, GivesNothingMoreAfterACancelThoughAllOfItHasCome) {
  const std::shared_ptr<Backend> backend = OpenRemoteBackend(OptionsFor("answer+whole"));
  const std::unique_ptr<Stream> stream = backend->Start(ParseChatRequest(kHello));
  Event event;
  while (event.kind != EventKind::kReasoning) ASSERT_TRUE(stream->Step(&event));
  stream->Cancel();
  for (int i = 0; i < 2; ++i) {
    try {
      stream->Step(&event);
      FAIL() << "an event after the cancel";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCancelled) << error.what();
    }
  }
}

TEST(RemoteStream, CancelsFromAnotherThreadInEveryPhase) {
  for (const char* scenario : {"hang", "hang-headers", "stall", "stall-comments", "trickle", "500",
                               "429-seconds", "503"}) {
    const std::shared_ptr<Backend> backend =
        OpenRemoteBackend(OptionsFor(std::string(scenario) + "~cancel"));
    const std::unique_ptr<Stream> stream = backend->Start(ParseChatRequest(kHello));
    std::chrono::steady_clock::time_point cancelled;
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      cancelled = std::chrono::steady_clock::now();
      stream->Cancel();
    });
    const Told told = Listen(stream.get());
    const auto ended = std::chrono::steady_clock::now();
    other.join();
    EXPECT_EQ(told.code, Code::kCancelled) << scenario << ": " << told.message;
    const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(ended - cancelled);
    EXPECT_LT(late.count(), 1000) << scenario;
    RecordProperty(std::string("cancel_ms_") + scenario, static_cast<int>(late.count()));
    Event event;
    EXPECT_THROW(stream->Step(&event), Error) << "the same failure ever after";
  }
}

// The service notices, though the stream is neither read again nor freed.
void AwaitClose(const std::string& scenario) {
  const auto outcome = [&] { return Server().Log(scenario).at(0)["outcome"]; };
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (outcome() == "open" && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_EQ(outcome(), "client closed") << scenario;
}

TEST(RemoteStream, LetsGoOfItsConnectionOnceCancelledThoughNobodySteps) {
  for (const char* name : {"stall", "stall-comments", "trickle"}) {
    for (const bool own_thread : {true, false}) {
      const std::string scenario = std::string(name) + (own_thread ? "~own" : "~other");
      const std::shared_ptr<Backend> backend = OpenRemoteBackend(OptionsFor(scenario));
      const std::unique_ptr<Stream> stream = backend->Start(ParseChatRequest(kHello));
      Event event;
      do {
        ASSERT_TRUE(stream->Step(&event));
      } while (event.kind == EventKind::kNotice || event.kind == EventKind::kProgress);
      if (own_thread) {
        stream->Cancel();
      } else {
        std::thread([&] { stream->Cancel(); }).join();
      }
      AwaitClose(scenario);
      EXPECT_THROW(while (stream->Step(&event)){}, Error);
    }
  }
}

TEST(RemoteStream, LetsGoOfItsConnectionWhenAnAnswerIsCut) {
  EngineOptions options = OptionsFor("json-whitespace-endless~cut");
  options.service.max_retries = 0;
  const std::shared_ptr<Backend> backend = OpenRemoteBackend(options);
  const std::unique_ptr<Stream> stream = backend->Start(ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "json"}],
          "response_format": {"type": "json_object"}})"));
  EXPECT_EQ(Listen(stream.get()).code, Code::kService);
  AwaitClose("json-whitespace-endless~cut");
}

TEST(RemoteStream, SaysThatAnAnswerIsNoObject) {
  const Told told = Ask("answer", R"({"messages": [{"role": "user", "content": "json"}],
                                      "response_format": {"type": "json_object"}})");
  EXPECT_EQ(told.code, Code::kOk) << told.message;
  EXPECT_EQ(told.notices, std::vector<std::string>{"answer_no_object"});
  EXPECT_EQ(Ask("answer").notices, std::vector<std::string>{});
}

TEST(RemoteStream, ManyStreamsAtOnceAreNotMixedUp) {
  const std::shared_ptr<Backend> backend = OpenRemoteBackend(OptionsFor("chunks-50"));
  const std::string expected = Ask("chunks-50").content;
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&] {
      const std::unique_ptr<Stream> stream = backend->Start(ParseChatRequest(kHello));
      good += Listen(stream.get()).content == expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good.load(), 40);
}

TEST(RemoteStream, BooksEveryAttemptAndKeepsToItsBudget) {
  const std::string path = testing::TempDir() + "finback_stream_ledger.sqlite";
  for (const char* suffix : {"", "-wal", "-shm"}) remove((path + suffix).c_str());
  EngineOptions options = OptionsFor("500.then.answer~ledger");
  options.service.ledger = path;
  options.service.ledger_tag = "test";
  const Told told = Ask(options);
  EXPECT_EQ(told.code, Code::kOk) << told.message;
  EXPECT_EQ(told.answer.cost_source, CostSource::kTable);
  EXPECT_GT(told.answer.cost_pico, 0);
  const auto report =
      nlohmann::json::parse(CostReportJson(options.service, R"({"group_by": "tag"})"));
  ASSERT_EQ(report.at("rows").size(), 1u);
  EXPECT_EQ(report.at("rows")[0].at("group"), "test");
  EXPECT_EQ(report.at("rows")[0].at("attempts"), 2);
  EXPECT_EQ(report.at("rows")[0].at("cost_pico"), told.answer.cost_pico);
  options = OptionsFor("answer~budget");
  options.service.budget = "0.000001";
  const Told poor = Ask(options);
  EXPECT_EQ(poor.code, Code::kQuota) << poor.message;
  EXPECT_EQ(poor.kind, "budget");
  EXPECT_TRUE(Server().Log("answer~budget").empty()) << "nothing may be sent";
}

TEST(CostReport, MakesNoLedger) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "no_ledger";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "empty");
  const std::pair<std::filesystem::path, Code> rows[] = {
      {folder / "none", Code::kNotFound},
      {folder / "none" / "deeper", Code::kNotFound},
      {folder / "empty" / "x", Code::kNotFound},
      {folder / "empty", Code::kUnsupported},
      {folder, Code::kUnsupported},
      {"", Code::kInvalidArgument}};
  for (const auto& [path, code] : rows) {
    for (const char* query : {"{}", R"({"reprice": true})", R"({"group_by": "tag"})"}) {
      ServiceOptions options;
      options.ledger = path.string();
      try {
        CostReportJson(options, query);
        ADD_FAILURE() << path;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
      }
    }
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_EQ(std::filesystem::file_size(folder / "empty"), 0u);
}

TEST(RemoteBackend, TellsModelsAndBalance) {
  const std::shared_ptr<Backend> backend = OpenRemoteBackend(OptionsFor("answer"));
  EXPECT_FALSE(nlohmann::json::parse(backend->Models()).at("data").empty());
  EXPECT_TRUE(nlohmann::json::parse(backend->Balance()).at("is_available").get<bool>());
  EXPECT_EQ(nlohmann::json::parse(backend->Info()).at("targets")[0].at("model"), "deepseek-v4-pro");
  EXPECT_THROW(backend->Tokenize("x", SpecialTokens::kIgnore), Error);
}

TEST(RemoteBackend, NeedsAKeyAndSaysWhichVariable) {
  EngineOptions options;
  options.model = "openrouter:deepseek/deepseek-v4-pro";
  unsetenv("OPENROUTER_API_KEY");
  try {
    OpenRemoteBackend(options);
    ADD_FAILURE() << "opened without a key";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kAuthentication);
    EXPECT_NE(std::string(error.what()).find("OPENROUTER_API_KEY"), std::string::npos);
  }
}

// --- connections --------------------------------------------------------------------------------

TEST(RemoteStream, LeavesItsConnectionToTheNextWhenTheBodyEndsLate) {
  const auto backend = OpenRemoteBackend(OptionsFor("answer+late-end~kept"));
  constexpr size_t kRequests = 6;
  for (size_t i = 0; i < kRequests; ++i) {
    const auto stream = backend->Start(ParseChatRequest(kHello));
    EXPECT_EQ(Listen(stream.get()).finish, "stop");
  }
  std::set<int> connections;
  const auto log = Server().Log("answer+late-end~kept");
  for (const auto& entry : log) connections.insert(int{entry["connection"]});
  EXPECT_EQ(log.size(), kRequests);
  EXPECT_LT(connections.size(), kRequests);
}

}  // namespace
}  // namespace finback
