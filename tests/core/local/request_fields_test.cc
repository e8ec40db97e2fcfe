// No field of a request is taken and then ignored: each has an effect, is refused by its path, or
// is named by a notice.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/local/local_backend.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

enum class Fate { kEffect, kRefused, kNotice };

struct Row {
  const char* name;
  const char* value;  // none that is taken where the field is absent
  Fate fate;
  const char* beside = "";  // of both requests, with and without the field
  bool is_chat = true;
};

constexpr char kTool[] = R"("tools": [{"type": "function", "function": {"name": "look"}}])";

const Row kRows[] = {
    {"max_tokens", "3", Fate::kEffect},
    {"max_completion_tokens", "3", Fate::kEffect},
    {"temperature", "0", Fate::kEffect},
    {"top_p", "0.05", Fate::kEffect},
    {"top_k", "1", Fate::kEffect},
    {"min_p", "0.9", Fate::kEffect},
    {"seed", "2", Fate::kEffect},
    {"logit_bias", R"({"65": 100})", Fate::kEffect},
    {"stop", "STOP", Fate::kEffect, R"("thinking": {"type": "disabled"})"},
    {"frequency_penalty", "2", Fate::kEffect,
     R"("logit_bias": {"65": 16, "66": 15}, "temperature": 0)"},
    {"presence_penalty", "2", Fate::kEffect,
     R"("logit_bias": {"65": 16, "66": 15}, "temperature": 0)"},
    {"logprobs", "true", Fate::kEffect},
    {"top_logprobs", "3", Fate::kEffect, R"("logprobs": true)"},
    {"tools", R"([{"type": "function", "function": {"name": "look"}}])", Fate::kEffect},
    {"tool_choice", R"("none")", Fate::kEffect, kTool},
    {"tool_choice", R"("required")", Fate::kRefused, kTool},
    {"tool_choice", R"({"type": "function", "function": {"name": "look"}})", Fate::kRefused, kTool},
    {"parallel_tool_calls", "false", Fate::kRefused, kTool},
    {"response_format", R"({"type": "json_object"})", Fate::kEffect},
    {"response_format", R"({"type": "json_schema", "json_schema": {"schema": {}}})",
     Fate::kRefused},
    {"thinking", R"({"type": "disabled"})", Fate::kEffect},
    {"reasoning_effort", R"("max")", Fate::kEffect},
    {"drop_thinking", "false", Fate::kEffect},
    {"trust_all", "true", Fate::kEffect},
    {"progress", "true", Fate::kEffect},
    {"n", "2", Fate::kRefused},
    {"context", "[]", Fate::kRefused},
    {"functions", "[]", Fate::kRefused},
    {"function_call", R"("auto")", Fate::kRefused},
    {"extra_body", R"({"chat_template_kwargs": {}})", Fate::kRefused},
    {"user", R"("u")", Fate::kNotice},
    {"user_id", R"("u")", Fate::kNotice},
    {"metadata", R"({"a": "b"})", Fate::kNotice},
    {"store", "true", Fate::kNotice},
    {"service_tier", R"("flex")", Fate::kNotice},
    {"safety_identifier", R"("s")", Fate::kNotice},
    {"safety_check", R"({"level": "high"})", Fate::kNotice},
    {"prompt_cache_key", R"("k")", Fate::kNotice},
    {"prompt_cache_retention", R"("24h")", Fate::kNotice},
    {"nobody_knows_it", "1", Fate::kNotice},
    {"recognize_special", "false", Fate::kEffect, "", false},
    {"add_bos", "false", Fate::kEffect, "", false},
    {"logprobs", "2", Fate::kEffect, "", false},
    {"frequency_penalty", "2", Fate::kEffect,
     R"("logit_bias": {"65": 16, "66": 15}, "temperature": 0)", false},
    {"echo", "true", Fate::kRefused, "", false},
    {"suffix", R"("s")", Fate::kRefused, "", false},
    {"user", R"("u")", Fate::kNotice, "", false},
};

// What they ask for is the caller's to choose (stream), is told anyway (the usage) or stands in the
// answer (the model's name), or there is no request without them.
const std::set<std::string> kOfNoEffect = {"stream", "stream_options", "model", "messages",
                                           "prompt"};

class RequestFieldsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    EngineOptions options;
    options.model = MakeRandomModel(testing::TempDir() + "/request_fields", 5);
    options.threads = 1;
    options.context_tokens = 2048;
    options.chunk_tokens = 16;
    backend_ = OpenLocalBackend(options);
  }
  static void TearDownTestSuite() { backend_.reset(); }

  static std::string Document(const Row& row, const std::string& field) {
    std::string json = row.is_chat ? R"({"messages": [{"role": "user", "content": "<think>hi"},
        {"role": "assistant", "reasoning_content": "So.", "content": "ho"},
        {"role": "user", "content": "and?"}])"
                                   : R"({"prompt": "<think>hi")";
    const auto has = [&](const char* name) {
      return (row.beside + field).find(std::string("\"") + name + "\"") != std::string::npos;
    };
    if (!has("seed")) json += ", \"seed\": 1";
    if (!has("temperature")) json += ", \"temperature\": 1";
    if (!has("max_tokens") && !has("max_completion_tokens")) json += ", \"max_tokens\": 12";
    for (const std::string& more : {std::string(row.beside), field}) {
      if (!more.empty()) json += ", " + more;
    }
    return json + "}";
  }

  struct Told {
    std::string events, content, notices;
  };

  static Told Ask(bool is_chat, const std::string& json) {
    Request request = is_chat ? ParseChatRequest(json) : ParseCompletionRequest(json);
    std::string unknown;
    for (const std::string& path : request.unknown.paths) unknown += path + " ";
    const std::unique_ptr<Stream> stream = backend_->Start(std::move(request));
    Told told = Listen(stream.get());
    told.notices += unknown;
    return told;
  }

  static Told Listen(Stream* stream) {
    Told told;
    Event event;
    while (stream->Step(&event)) {
      if (event.kind == EventKind::kNotice) told.notices += event.text;
      if (event.kind == EventKind::kContent) told.content += event.text;
      told.events += std::to_string(static_cast<int>(event.kind)) + event.text;
      for (const TokenLogprob& token : event.logprobs) {
        told.events += token.text + std::to_string(token.top.size());
      }
    }
    told.events += std::to_string(stream->usage().prompt_tokens);
    return told;
  }

  static std::shared_ptr<Backend> backend_;
};
std::shared_ptr<Backend> RequestFieldsTest::backend_;

TEST_F(RequestFieldsTest, HaveAnEffectOrARefusalOrANotice) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.name) + (row.is_chat ? "" : " of a completion"));
    const Told without = Ask(row.is_chat, Document(row, ""));
    EXPECT_EQ(without.notices, "");
    std::string value = row.value;
    if (value == "STOP") value = nlohmann::json(std::string(CutUtf8(without.content, 4))).dump();
    const std::string document = Document(row, std::string("\"") + row.name + "\": " + value);
    try {
      const Told with = Ask(row.is_chat, document);
      EXPECT_NE(row.fate, Fate::kRefused);
      EXPECT_EQ(with.notices.find(row.name) != std::string::npos, row.fate == Fate::kNotice)
          << with.notices;
      if (row.fate == Fate::kEffect) {
        EXPECT_NE(with.events, without.events);
      }
    } catch (const Error& error) {
      EXPECT_EQ(row.fate, Fate::kRefused) << error.what();
      EXPECT_EQ(error.code(), Code::kInvalidRequest);
      EXPECT_TRUE(std::string_view(error.what()).starts_with(row.name)) << error.what();
    }
  }
}

// What an answer is penalised for is its own text, not what a session has of others.
TEST_F(RequestFieldsTest, PenaltiesStartOverWithEachAnswer) {
  const std::string document = R"({"messages": [{"role": "user", "content": "hi"}], "seed": 1,
      "max_tokens": 24, "frequency_penalty": 1.5, "presence_penalty": 0.5})";
  const std::string alone = Ask(true, document).events;
  EXPECT_NE(alone, Ask(true, R"({"messages": [{"role": "user", "content": "hi"}], "seed": 1,
      "max_tokens": 24})")
                       .events);
  const std::unique_ptr<Session> session = backend_->NewSession();
  for (int again = 0; again < 2; ++again) {
    const std::unique_ptr<Stream> stream = session->Start(ParseChatRequest(document));
    EXPECT_EQ(Listen(stream.get()).events, alone);
  }
}

TEST_F(RequestFieldsTest, AreAllInThatTable) {
  std::ifstream file(FINBACK_SOURCE_DIR "/core/engine/request.cc");
  std::string source{std::istreambuf_iterator<char>(file), {}};
  source.resize(source.find("EncodeRequest ParseEncodeRequest"));
  source.erase(
      source.find("EffortPrefix ReadEffortPrefix"),
      source.find("Request ParseChatRequest") - source.find("EffortPrefix ReadEffortPrefix"));
  std::set<std::string> known = kOfNoEffect;
  for (const Row& row : kRows) known.insert(row.name);
  const std::regex reads(R"re(\bfields(?:\.|->)[A-Za-z]+\("(\w+)")re"),
      listed(R"re((?:\n +|\{)"(\w+)"(?:,|\})(?=;?\n))re");
  size_t count = 0;
  for (const std::regex& pattern : {reads, listed}) {
    for (std::sregex_iterator at(source.begin(), source.end(), pattern), end; at != end; ++at) {
      EXPECT_EQ(known.count((*at)[1]), 1u) << (*at)[1];
      ++count;
    }
  }
  EXPECT_GT(count, 60u);
}

}  // namespace
}  // namespace finback
