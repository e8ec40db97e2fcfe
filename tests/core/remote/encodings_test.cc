// Encoded bodies: what is decoded, and what is said of what cannot be.
#include <sys/resource.h>

#include <chrono>

#include "core/remote/transport/http.h"
#include "tests/core/remote/asking.h"

namespace finback {
namespace {

bool Says(const std::string& text, const char* words) {
  return text.find(words) != std::string::npos;
}

// Those that this machine's libcurl was built with; gzip and deflate are in all.
bool Decodes(const std::string& encoding) {
  static const std::string asked_for = [] {
    Ask("echo~encodings");
    return Server().Log("echo~encodings")[0]["headers"].value("accept-encoding", "");
  }();
  return (", " + asked_for + ",").find(", " + encoding + ",") != std::string::npos;
}

int64_t PeakMemoryMb() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss >> 10;
}

constexpr const char* kDecoded[] = {"gzip", "gzip-named-x",  "gzip-in-capitals", "deflate",
                                    "br",   "deflate-raw",   "gzip-gzip",        "deflate-gzip",
                                    "zstd", "gzip-identity", "identity",         "gzip-cut"};

bool IsMissing(const std::string& encoding) {
  return (encoding == "br" || encoding == "zstd") && !Decodes(encoding);
}

TEST(Encodings, AreDecodedInStreamsAndInWholeAnswers) {
  const Told plain = Ask("answer");
  ASSERT_FALSE(plain.content.empty());
  for (const std::string encoding : kDecoded) {
    if (IsMissing(encoding)) continue;
    for (const std::string how : {"", "+close", "+keep-alive"}) {
      const Told told = Ask("answer+" + encoding + how);
      EXPECT_EQ(told.code, Code::kOk) << encoding << how << ": " << told.message;
      EXPECT_EQ(told.content, plain.content) << encoding << how;
      EXPECT_EQ(told.usage.completion_tokens, plain.usage.completion_tokens) << encoding << how;
    }
    if (encoding == "gzip-cut") continue;  // its last bytes may be missing
    EngineOptions options = OptionsFor("answer+" + encoding);
    options.service.stream = false;
    const Told whole = Ask(options);
    EXPECT_EQ(whole.content, plain.content) << encoding << ": " << whole.message;
  }
}

TEST(Encodings, OfAStreamDoNotHoldBackItsEvents) {
  for (const std::string encoding : kDecoded) {
    if (IsMissing(encoding)) continue;
    // Three events and then silence: those that came are told.
    const auto backend = OpenRemoteBackend(OptionsFor("stall+" + encoding));
    const auto stream = backend->Start(ParseChatRequest(kHello));
    Event event;
    do {
      ASSERT_TRUE(stream->Step(&event)) << encoding;
    } while (event.kind == EventKind::kNotice);
    EXPECT_EQ(event.kind, EventKind::kReasoning) << encoding;
    stream->Cancel();
  }
}

TEST(Encodings, OfErrorsKeepTheirWords) {
  for (const std::string encoding : kDecoded) {
    if (IsMissing(encoding) || encoding == "gzip-cut") continue;
    EngineOptions options = OptionsFor("402+" + encoding);
    const Told told = Ask(options);
    EXPECT_EQ(told.kind, "quota") << encoding;
    EXPECT_TRUE(Says(told.message, "Insufficient Balance")) << encoding << ": " << told.message;
    options = OptionsFor("early-error-server_error+" + encoding);
    options.service.max_retries = 0;
    EXPECT_TRUE(Says(Ask(options).message, "Provider returned error")) << encoding;
  }
}

TEST(Encodings, ThatCannotBeDecodedAreNamedWithWhatToDo) {
  const std::pair<const char*, const char*> rows[] = {
      {"gzip-corrupt", "\"gzip\""},
      {"gzip-untrue", "\"gzip\""},
      {"deflate-untrue", "\"deflate\""},
      {"encoding-unknown", "\"snappy\""},
      {"encoding-unknown-around", "\"gzip, aws-chunked\""}};
  for (const auto& [encoding, name] : rows) {
    for (const bool streams : {true, false}) {
      EngineOptions options = OptionsFor(std::string("answer+") + encoding);
      options.service.stream = streams;
      const Told told = Ask(options);
      EXPECT_EQ(told.kind, "transport") << encoding;
      EXPECT_TRUE(Says(told.message, name)) << encoding << ": " << told.message;
      EXPECT_TRUE(Says(told.message, "http_headers to {\"Accept-Encoding\": \"identity\"}"))
          << told.message;
      EXPECT_TRUE(told.content.empty()) << encoding;
    }
  }
  EXPECT_EQ(Server().Log("answer+encoding-unknown").size(), 2u) << "it was tried again";
}

TEST(Encodings, ThatHideTheWordsOfAnErrorLeaveItsStatus) {
  const struct {
    const char *scenario, *kind;
  } rows[] = {{"401-key+encoding-unknown", "authentication"},
              {"402+gzip-corrupt", "quota"},
              {"429-seconds+gzip-untrue", "rate_limit"},
              {"503+deflate-untrue", "overloaded"}};
  for (const auto& row : rows) {
    EngineOptions options = OptionsFor(row.scenario);
    options.service.max_retries = 0;
    const Told told = Ask(options);
    EXPECT_EQ(told.kind, row.kind) << row.scenario << ": " << told.message;
    EXPECT_TRUE(Says(told.message, "cannot be decoded")) << told.message;
  }
  // As a body that breaks off does.
  EngineOptions options = OptionsFor("503+encoding-unknown.then.answer");
  EXPECT_EQ(Ask(options).code, Code::kOk);
}

TEST(Encodings, AreAskedForAsAHeaderSays) {
  EngineOptions options = OptionsFor("answer~identity");
  options.service.http_headers = R"({"Accept-Encoding": "identity"})";
  EXPECT_EQ(Ask(options).code, Code::kOk);
  EXPECT_EQ(Server().Log("answer~identity")[0]["headers"]["accept-encoding"], "identity");
}

// What a few kilobytes decode to stays bounded, whatever it is taken for.
TEST(Encodings, OfBombsEndAsErrorsWithinBoundedMemory) {
  const struct {
    const char *scenario, *words;
  } rows[] = {{"bomb-70000000+gzip-gzip", "more than 64 MiB at once after decoding"},
              {"bomb-18000000+gzip", "a server-sent event is larger than 16777216 bytes"},
              {"bomb-18000000+deflate", "a server-sent event is larger than 16777216 bytes"},
              {"error-bomb-70000000+gzip-gzip", "HTTP 500"},
              {"error-bomb-18000000+gzip", "HTTP 500"}};
  const int64_t before = PeakMemoryMb();
  for (const auto& row : rows) {
    EngineOptions options = OptionsFor(row.scenario);
    options.service.max_retries = 0;
    const Told told = Ask(options);
    EXPECT_EQ(told.code, Code::kService) << row.scenario << ": " << told.message;
    EXPECT_TRUE(Says(told.message, row.words)) << row.scenario << ": " << told.message;
  }
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int64_t kMostMb = 4000;  // they multiply memory, or keep it
#else
  constexpr int64_t kMostMb = 400;
#endif
  EXPECT_LT(PeakMemoryMb() - before, kMostMb);
}

}  // namespace
}  // namespace finback
