#include "core/remote/transport/failure.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/utf8.h"

namespace finback {
namespace {

using Kind = FailureKind;

Failure OfBody(int status, std::string_view body) { return ClassifyResponse(status, {}, body); }

Failure OfMessage(int status, const std::string& message) {
  return OfBody(status, nlohmann::json{{"error",
                                        {{"message", message},
                                         {"type", "invalid_request_error"},
                                         {"param", nullptr},
                                         {"code", "invalid_request_error"}}}}
                            .dump());
}

Failure OfHeaders(int status, const HeaderList& headers) {
  return ClassifyResponse(status, headers, "");
}

Failure OfObject(const std::string& json) {
  return ClassifyErrorObject(ParseJson(json, "test"), {});
}

constexpr char kConcurrency[] =
    "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your "
    "remaining balance. Please top up your balance to restore your concurrency.";
constexpr char kOverflow[] =
    "This model's maximum context length is 1048576 tokens. However, you requested 1200000 tokens "
    "(1000000 in the messages, 200000 in the completion).";

struct MessageCase {
  int status;
  const char* message;
  Kind kind;
  bool retryable;
  int64_t limit = -1;
  int64_t requested = -1;
};

TEST(ClassifyResponse, KnowsAGatewaysWordForAForeignKey) {
  const char* body = R"({"error":{"message":"No connected db.","type":"no_db_connection"}})";
  EXPECT_EQ(ClassifyResponse(400, {}, body).kind, Kind::kAuthentication);
}

TEST(RefusesThinkingFields, ByTheWordsOfServices) {
  const struct {
    const char* message;
    bool refuses;
  } kRows[] = {
      {"litellm.UnsupportedParamsError: openai does not support parameters: ['thinking']", true},
      {"UnsupportedParamsError: m doesn't support `reasoning.effort`", true},
      {"Unrecognized request argument supplied: thinking", true},
      {"Unsupported parameter: 'reasoning_effort' is not supported with this model.", true},
      {"Unsupported parameter: 'temperature' is not supported with this model.", false},
      {"tool_choice must be auto or none in the thinking mode", false},
      {"The `content[].thinking` in the thinking mode must be passed back to the API.", false}};
  for (const auto& row : kRows) {
    EXPECT_EQ(RefusesThinkingFields(ClassifyResponse(400, {}, row.message)), row.refuses)
        << row.message;
  }
}

TEST(ClassifyResponse, GoesByStatusThenMessage) {
  const MessageCase cases[] = {
      {400,
       "Failed to deserialize the JSON body into the target type: messages[0].role: unknown "
       "variant `developer`, expected one of `system`, `user`, `assistant`, `tool`, "
       "`latest_reminder` at line 1 column 50",
       Kind::kInvalidRequest, false},
      {400, "The `reasoning_content` in the thinking mode must be passed back to the API.",
       Kind::kReasoningChain, false},
      {400, "The `content[].thinking` in the thinking mode must be passed back to the API.",
       Kind::kReasoningChain, false},
      {400, kOverflow, Kind::kContextOverflow, false, 1048576, 1200000},
      {400, "content or tool_calls must be set", Kind::kInvalidRequest, false},
      {400, "Content Exists Risk", Kind::kContentRisk, false},
      {400, "max_tokens is too large: 384000. This model supports at most 131072 completion tokens",
       Kind::kInvalidRequest, false, 131072, 384000},
      {400, "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]",
       Kind::kInvalidRequest, false, 393216},
      {401, "Authentication Fails, Your api key: ****abcd is invalid", Kind::kAuthentication,
       false},
      {401, "Authentication Fails (auth header format should be Bearer sk-...)",
       Kind::kAuthentication, false},
      {402, "Insufficient Balance", Kind::kQuota, false},
      {403, "Forbidden", Kind::kAuthentication, false},
      {403, "Your input was flagged", Kind::kContentRisk, false},
      {404, "Model not exist", Kind::kInvalidRequest, false},
      {407, "<b>login</b>", Kind::kTransport, false},
      {408, "Timed out", Kind::kTimeout, true},
      {409, "Conflict", Kind::kServer, true},
      {413, "Payload too large", Kind::kInvalidRequest, false},
      {422, "temperature out of range", Kind::kInvalidRequest, false},
      {429, kConcurrency, Kind::kRateLimit, true, 39, 40},
      {429, "Rate limit reached for TPM", Kind::kRateLimit, true},
      {429, "Your balance is exhausted", Kind::kQuota, false},
      {429, "You exceeded your current quota, please check your plan", Kind::kQuota, false},
      {429, "insufficient_quota", Kind::kQuota, false},
      {500, "", Kind::kServer, true},
      {502, "", Kind::kServer, true},
      {503, "Service busy", Kind::kOverloaded, true},
      {504, "", Kind::kServer, true},
      {520, "", Kind::kServer, true},
      {529, "Overloaded", Kind::kOverloaded, true},
      {200, "", Kind::kTransport, true},
      {302, "", Kind::kTransport, false},
      {0, "", Kind::kTransport, true},
      // Other servers of the same weights.
      {400, "prompt is too long: 208310 tokens > 200000 maximum", Kind::kContextOverflow, false,
       200000, 208310},
      {400, "The input (9000 tokens) is longer than the model's context length (8,192 tokens).",
       Kind::kContextOverflow, false, 8192, 9000},
      {400,
       "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make "
       "sure it is shorter.",
       Kind::kContextOverflow, false, 8192},
  };
  for (const MessageCase& c : cases) {
    const Failure failure = OfMessage(c.status, c.message);
    EXPECT_STREQ(FailureName(failure.kind), FailureName(c.kind)) << c.status << " " << c.message;
    EXPECT_EQ(failure.retryable, c.retryable) << c.status << " " << c.message;
    EXPECT_EQ(failure.limit, c.limit) << c.message;
    EXPECT_EQ(failure.requested, c.requested) << c.message;
    EXPECT_EQ(failure.http_status, c.status);
    EXPECT_EQ(failure.message.find('\n'), std::string::npos);
    EXPECT_FALSE(failure.message.empty());
  }
}

TEST(ClassifyResponse, IsNotMisledByTypeAndCode) {
  const Failure quota = OfBody(402, R"({"error":{"message":"Insufficient Balance",)"
                                    R"("type":"unknown_error","param":null,)"
                                    R"("code":"invalid_request_error"}})");
  EXPECT_EQ(quota.kind, Kind::kQuota);
  const Failure key =
      OfBody(401, R"({"error":{"message":"x","type":"server_error","code":"500"}})");
  EXPECT_EQ(key.kind, Kind::kAuthentication);
}

TEST(ClassifyResponse, SaysWhatHappenedAndWhatToDo) {
  EXPECT_EQ(OfMessage(402, "Insufficient Balance.").message,
            "the account's balance is used up (HTTP 402): Insufficient Balance. (top it up, or "
            "use another provider)");
  EXPECT_EQ(OfMessage(404, "Model not exist").message,
            "the service knows no such model or address (HTTP 404): Model not exist; check the "
            "model's name and base_url");
  EXPECT_EQ(OfBody(503, "").message,
            "the service is overloaded (HTTP 503); try again later, or name another model to fall "
            "back on");
  EXPECT_EQ(OfMessage(401, "Authentication Fails, Your api key: ****abcd is invalid").message,
            "the service refused the key (HTTP 401): Authentication Fails, Your api key: "
            "[redacted] is invalid; check the API key");
  const HeaderList location = {{"location", "https://elsewhere.example/v1"}};
  EXPECT_EQ(OfHeaders(301, location).message,
            "the service redirects, which is not followed (HTTP 301): "
            "https://elsewhere.example/v1; check the network and base_url");
}

struct BodyCase {
  const char* body;
  const char* words;  // of the message
};

TEST(ClassifyResponse, FindsTheWordsInEveryShapeOfBody) {
  const BodyCase cases[] = {
      {R"({"error":{"message":"the words","type":"t","code":"c"}})", ": the words; "},
      {R"({"type":"error","error":{"type":"invalid_request_error","message":"the words"}})",
       ": the words; "},
      {R"({"error":"the words"})", ": the words; "},
      {R"({"object":"error","message":"the words","type":"BadRequestError","code":400})",
       ": the words; "},
      {R"({"detail":"the words"})", ": the words; "},
      {R"({"detail":[{"loc":["body"],"msg":"the"},{"msg":"words"}]})", ": the; words; "},
      {R"([{"error":{"message":"the words"}}])", ": the words; "},
      {R"({"error":{"message":"Provider returned error","metadata":{"raw":"the words"}}})",
       ": Provider returned error (the words); "},
      {"\n\n\r\n {\"error\":{\"message\":\"the words\"}} \n", ": the words; "},
      {"\xEF\xBB\xBF{\"error\":{\"message\":\"the words\"}}", ": the words; "},
      {": keep-alive\n\ndata: {\"error\":{\"message\":\"the words\"}}\n\n", ": the words; "},
      {"data: {\"error\": {\"message\": \"the words\"}}\n\ndata: [DONE]\n\n", ": the words; "},
      {"the   words\r\n", ": the words; "},
      {"<html><head><TITLE>the\n words</title></head><body>x</body></html>",
       ": a web page, \"the words\"; "},
      {"<html><title>the words", ": a web page; "},
      {"", "(HTTP 400); "},
      {"{}", "(HTTP 400); "},
      {"{\"error\":", "{\"error\":; "},
      {"[trace {x} words]", ": [trace {x} words]; "},
      {R"({"error":{"message":null,"code":"bad_thing"}})", ": bad_thing; "},
      {R"({"error":{"message":{"a":1},"type":"odd"}})", ": odd; "},
      {R"({"error":null})", "(HTTP 400); "},
      {"null", ": null; "},
      {"\xFF\xFE words", "\xEF\xBF\xBD\xEF\xBF\xBD words; "},
      {"a\x01\x7F\tb", ": a b; "},
  };
  for (const BodyCase& c : cases) {
    const Failure failure = OfBody(400, c.body);
    EXPECT_NE(failure.message.find(c.words), std::string::npos) << c.body << "\n"
                                                                << failure.message;
    EXPECT_EQ(failure.kind, Kind::kInvalidRequest) << c.body;
  }
}

TEST(ClassifyResponse, ReadsNumbersThatAreFields) {
  const Failure failure = OfBody(
      400, R"({"error":{"code":400,"message":"the request exceeds the available context size",)"
           R"("type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}})");
  EXPECT_EQ(failure.kind, Kind::kContextOverflow);
  EXPECT_EQ(failure.limit, 4096);
  EXPECT_EQ(failure.requested, 5000);
}

TEST(ClassifyResponse, IgnoresNumbersThatNoIntegerHolds) {
  EXPECT_EQ(OfMessage(429, "limit of 99999999999999999999999").limit, 999999999999999999);
  EXPECT_EQ(OfMessage(429, "limit of many").limit, -1);
  EXPECT_EQ(OfMessage(429, "limit of course, limit of 12").limit, 12);
  EXPECT_EQ(OfMessage(429, "limit of -5").limit, -1);
  EXPECT_EQ(OfBody(400, R"({"error":{"message":"exceed_context_size","n_ctx":1e400}})").limit, -1);
}

struct WaitCase {
  HeaderList headers;
  int64_t wait_ms;
};

TEST(ClassifyResponse, ReadsHowLongToWait) {
  const std::string now = "Sun, 22 Nov 2026 08:00:00 GMT";
  const WaitCase cases[] = {
      {{}, -1},
      {{{"retry-after", "20"}}, 20000},
      {{{"retry-after", " 0.5 "}}, 500},
      {{{"retry-after", "0"}}, 0},
      {{{"retry-after-ms", "1500"}, {"retry-after", "20"}}, 1500},
      {{{"retry-after-ms", "soon"}, {"retry-after", "20"}}, 20000},
      {{{"retry-after", "Sun, 22 Nov 2026 08:01:30 GMT"}, {"date", now}}, 90000},
      {{{"retry-after", "Sunday, 22-Nov-26 08:01:30 GMT"}, {"date", now}}, 90000},
      {{{"retry-after", "Sun, 22 Nov 2026 07:00:00 GMT"}, {"date", now}}, 0},
      {{{"retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"}}, 0},
      {{{"retry-after", "-3"}}, -1},
      {{{"retry-after", "nan"}}, -1},
      {{{"retry-after", "inf"}}, -1},
      {{{"retry-after", "later"}}, -1},
      {{{"retry-after", ""}}, -1},
      {{{"retry-after", "1e300"}}, int64_t{366} * 24 * 3600 * 1000},
  };
  for (const WaitCase& c : cases) {
    EXPECT_EQ(OfHeaders(429, c.headers).retry_after_ms, c.wait_ms)
        << (c.headers.empty() ? "" : c.headers[0].second);
  }
}

TEST(ClassifyResponse, LetsTheServiceDecideOnRetries) {
  EXPECT_FALSE(OfHeaders(500, {{"x-should-retry", "false"}}).retryable);
  EXPECT_TRUE(OfHeaders(400, {{"x-should-retry", "true"}}).retryable);
  EXPECT_TRUE(OfHeaders(500, {{"x-should-retry", "perhaps"}}).retryable);
}

TEST(ClassifyResponse, KeepsTheServicesRequestId) {
  const HeaderList all = {{"request-id", "d"},
                          {"x-deepseek-request-id", "c"},
                          {"x-request-id", "b"},
                          {"x-ds-trace-id", "a"}};
  const char* expected[] = {"d", "c", "b", "a"};
  HeaderList some;
  for (size_t i = 0; i < all.size(); ++i) {
    some.push_back(all[i]);
    EXPECT_EQ(OfHeaders(500, some).request_id, expected[i]);
  }
  EXPECT_EQ(OfBody(400, R"({"error":{"message":"x"},"request_id":"req_1"})").request_id, "req_1");
  EXPECT_EQ(OfMessage(400, "bad [trace_id=4bf9] thing").request_id, "4bf9");
  EXPECT_EQ(OfMessage(400, "bad [trace_id=4bf9").request_id, "");
  EXPECT_EQ(OfHeaders(500, {{"x-request-id", "a\x01 b\xC3\xA9"}}).request_id, "ab");
  EXPECT_EQ(OfHeaders(500, {{"x-request-id", std::string(1000, 'a')}}).request_id.size(), 128u);
}

TEST(ClassifyResponse, KeepsTheBodyCutAndRedacted) {
  EXPECT_EQ(OfBody(500, "key sk-0123456789abcdef").body, "key [redacted]");
  const std::string long_body = std::string(16383, 'a') + "\xC3\xA9" + std::string(99, 'b');
  EXPECT_EQ(OfBody(500, long_body).body, std::string(16383, 'a'));
  const std::string secret = "0123456789abcdef-custom";
  for (size_t at = 16384 - 30; at < 16384 + 2; ++at) {
    const Failure failure =
        ClassifyResponse(500, {}, std::string(at, '.') + secret + "tail", {secret});
    EXPECT_EQ(failure.body.find("0123"), std::string::npos) << at;
  }
}

TEST(ClassifyResponse, LeavesNoHalfOfASecretInTheMessage) {
  const std::string secret = "0123456789abcdef-custom";
  for (size_t at = 370; at < 402; ++at) {
    const Failure failure = ClassifyResponse(500, {}, std::string(at, '.') + secret, {secret});
    EXPECT_EQ(failure.message.find("0123"), std::string::npos) << at;
  }
}

struct ObjectCase {
  const char* error;
  Kind kind;
  bool retryable;
  int http_status = 0;
};

TEST(ClassifyErrorObject, MapsTypesAndCodesOfErrorsInsideAnswers) {
  const ObjectCase cases[] = {
      {R"({"type":"rate_limit_error","message":"x"})", Kind::kRateLimit, true},
      {R"({"code":"rate_limit_exceeded","message":"x"})", Kind::kRateLimit, true},
      {R"({"code":"server_error","message":"x"})", Kind::kServer, true},
      {R"({"type":"api_error","message":"x"})", Kind::kServer, true},
      {R"({"type":"overloaded_error","message":"x"})", Kind::kOverloaded, true},
      {R"({"code":"service_unavailable","message":"x"})", Kind::kOverloaded, true},
      {R"({"type":"timeout_error","message":"x"})", Kind::kServer, true},
      {R"({"type":"authentication_error","code":"invalid_request_error","message":"x"})",
       Kind::kAuthentication, false},
      {R"({"type":"permission_error","message":"x"})", Kind::kAuthentication, false},
      {R"({"type":"invalid_request_error","message":"x"})", Kind::kInvalidRequest, false},
      {R"({"type":"invalid_request_error","message":"Content Exists Risk"})", Kind::kContentRisk,
       false},
      {R"({"type":"unknown_error","code":"invalid_request_error","message":"Insufficient Balance"})",
       Kind::kQuota, false},
      {R"({"code":"insufficient_quota","message":"x"})", Kind::kQuota, false},
      {R"({"code":"insufficient_system_resource","message":"x"})", Kind::kResource, true},
      {R"({"code":"context_length_exceeded","message":"x"})", Kind::kContextOverflow, false},
      {R"({"code":429,"message":"x"})", Kind::kRateLimit, true, 429},
      {R"({"code":"502","message":"x"})", Kind::kServer, true, 502},
      {R"({"code":503,"type":"invalid_request_error","message":"x"})", Kind::kOverloaded, true,
       503},
      {R"({"code":7,"message":"x"})", Kind::kServer, true},
      {R"({"message":"x"})", Kind::kServer, true},
      {R"("just words")", Kind::kServer, true},
      {R"({})", Kind::kServer, true},
      {R"(null)", Kind::kServer, true},
  };
  for (const ObjectCase& c : cases) {
    for (const std::string& json :
         {std::string(R"({"error": )") + c.error + "}",
          std::string(R"({"type": "error", "error": )") + c.error + "}"}) {
      const Failure failure = OfObject(json);
      EXPECT_STREQ(FailureName(failure.kind), FailureName(c.kind)) << json;
      EXPECT_EQ(failure.retryable, c.retryable) << json;
      EXPECT_EQ(failure.http_status, c.http_status) << json;
      EXPECT_EQ(nlohmann::json::parse(failure.body), nlohmann::json::parse(json));
    }
  }
}

TEST(ClassifyErrorObject, TakesAnythingThatIsJson) {
  for (const char* json : {"[]", "{}", "3", "\"words\"", "[[]]", "null", "true"}) {
    EXPECT_EQ(OfObject(json).kind, Kind::kServer) << json;
  }
}

TEST(Failure, HasAStableNameForEveryKind) {
  const char* names[] = {"invalid_request", "reasoning_chain", "context_overflow", "content_risk",
                         "authentication",  "quota",           "rate_limit",       "server",
                         "overloaded",      "resource",        "transport",        "timeout",
                         "empty_response",  "schema",          "budget",           "cancelled"};
  for (size_t kind = 0; kind < std::size(names); ++kind) {
    EXPECT_STREQ(FailureName(static_cast<Kind>(kind)), names[kind]);
    EXPECT_EQ(FindFailureKind(names[kind]), static_cast<Kind>(kind));
  }
  EXPECT_EQ(FindFailureKind("nothing"), std::nullopt);
}

TEST(Failure, IsThrownWithTheCodeOfItsKind) {
  const std::pair<Kind, Code> codes[] = {
      {Kind::kInvalidRequest, Code::kInvalidRequest},
      {Kind::kReasoningChain, Code::kInvalidRequest},
      {Kind::kContextOverflow, Code::kContextFull},
      {Kind::kContentRisk, Code::kRefused},
      {Kind::kAuthentication, Code::kAuthentication},
      {Kind::kQuota, Code::kQuota},
      {Kind::kRateLimit, Code::kRateLimit},
      {Kind::kServer, Code::kService},
      {Kind::kOverloaded, Code::kService},
      {Kind::kResource, Code::kService},
      {Kind::kTransport, Code::kService},
      {Kind::kTimeout, Code::kTimeout},
      {Kind::kEmptyResponse, Code::kService},
      {Kind::kSchema, Code::kSchema},
      {Kind::kBudget, Code::kQuota},
      {Kind::kCancelled, Code::kCancelled},
  };
  for (const auto& [kind, code] : codes) {
    Failure failure = MakeFailure(kind, "detail");
    failure.provider = "deepseek";
    failure.model = "deepseek-flash";
    failure.http_status = 418;
    failure.retry_after_ms = 7;
    failure.request_id = "r";
    failure.body = "b";
    failure.limit = 39;
    failure.requested = 40;
    try {
      ThrowFailure(failure);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << FailureName(kind);
      EXPECT_EQ(error.what(), "deepseek: " + failure.message);
      const Failure back = FailureOf(error);
      EXPECT_EQ(back.Json(), failure.Json());
      EXPECT_EQ(back.kind, kind);
      EXPECT_EQ(back.retryable, IsPassing(kind));
    }
  }
}

TEST(Failure, IsReadFromErrorsOfOtherOrigin) {
  EXPECT_EQ(FailureOf(Error(Code::kCancelled, "x")).kind, Kind::kCancelled);
  EXPECT_EQ(FailureOf(Error(Code::kTimeout, "x")).kind, Kind::kTimeout);
  EXPECT_EQ(FailureOf(Error(Code::kIo, "x")).kind, Kind::kTransport);
  EXPECT_EQ(FailureOf(Error(Code::kInvalidRequest, "x")).message, "x");
  EXPECT_EQ(FailureOf(Error(Code::kUnsupported, "x", R"({"kind": "?"})")).kind,
            Kind::kInvalidRequest);
  EXPECT_FALSE(FailureOf(Error(Code::kService, "x")).retryable);
}

TEST(Failure, LeavesErrorsThatNoServiceCausedAsTheyWere) {
  for (const Code code : {Code::kInvalidRequest, Code::kInvalidArgument, Code::kUnsupported,
                          Code::kInternal, Code::kNotFound, Code::kOutOfMemory}) {
    Failure failure = FailureOf(Error(code, "messages[0].content: x"));
    failure.provider = "deepseek";
    try {
      ThrowFailure(failure);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_STREQ(error.what(), "messages[0].content: x");
      EXPECT_EQ(error.details(), "");
    }
  }
  Failure cancelled = FailureOf(Error(Code::kUnsupported, "x"));
  cancelled.kind = Kind::kCancelled;
  try {
    ThrowFailure(cancelled);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled);
  }
}

TEST(Failure, WritesOnlyWhatIsKnown) {
  Failure failure;
  failure.kind = Kind::kTransport;
  failure.message = "m";
  EXPECT_EQ(failure.Json(), R"({"kind": "transport", "message": "m", "retryable": false})");
}

TEST(Failure, FitsTheInterfaceWhateverTheBody) {
  for (const std::string& body : {std::string(16384, 'a'), std::string(16384, '\x01'),
                                  std::string(16384, '"'), std::string(7900, 'a')}) {
    const Failure failure = OfBody(500, body);
    const std::string json = failure.Json();
    EXPECT_LE(json.size(), Failure::kMaxJsonBytes);
    EXPECT_GT(json.size(), 7500u);
    EXPECT_TRUE(nlohmann::json::accept(json));
  }
  std::string characters;
  for (int i = 0; i < 5000; ++i) characters += "\xE4\xB8\xAD";
  EXPECT_TRUE(nlohmann::json::accept(OfBody(500, characters).Json()));
}

struct SecretCase {
  const char* text;
  const char* redacted;
};

TEST(Failure, IsValidJsonThoughTheServiceSentAnyBytes) {
  Failure failure = MakeFailure(Kind::kTransport, "m");
  failure.body = "{\"a\": \"\x90\xA8\xFF\"";
  failure.request_id = "r\xC3";
  const std::string json = failure.Json();
  EXPECT_TRUE(nlohmann::json::accept(json)) << json;
}

TEST(ExplainAddress, SaysWhatToSet) {
  const struct {
    int status;
    const char *base_url, *location, *body, *said;
  } kRows[] = {
      {404, "https://h.example", "", "", "is /chat/completions: base_url may lack a /v1"},
      {405, "https://h.example/api", "", "", "is /api/chat/completions: base_url may lack a /v1"},
      {404, "https://h.example/v1", "", "", "the path that was asked for is /v1/chat/completions"},
      {308, "http://h.example/v1", "https://h.example/v1/chat/completions?s=1", "",
       "; set base_url to https://h.example/v1"},
      {302, "http://h.example/v1", "/login", "", "; set base_url to the service's own address"},
      {400, "http://h.example/v1", "",
       "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
       "; set base_url to https:// instead of http://"},
      {400, "http://h.example/v1", "", "Client sent an HTTP request to an HTTPS server.",
       "; set base_url to https:// instead of http://"},
  };
  for (const auto& row : kRows) {
    Failure failure = ClassifyResponse(row.status, {{"location", row.location}}, row.body);
    ExplainAddress(row.base_url, "/chat/completions", row.location, &failure);
    EXPECT_TRUE(failure.message.ends_with(row.said)) << failure.message;
  }
}

TEST(ClassifyResponse, NamesPagesAsSuch) {
  for (const char* page : {"<html><head><title> Bad gateway </title>",
                           "<!DOCTYPE html>\n<title>Bad gateway</title>"}) {
    const std::string message = OfBody(502, page).message;
    EXPECT_NE(message.find("a web page, \"Bad gateway\""), std::string::npos) << message;
  }
  EXPECT_NE(OfBody(502, "<body>x</body>").message.find(": a web page;"), std::string::npos);
}

TEST(Redact, TakesKeysOut) {
  const SecretCase cases[] = {
      {"", ""},
      {"nothing to hide", "nothing to hide"},
      {"sk-0123456789abcdef", "[redacted]"},
      {"key=sk-or-v1-0123456789abcdef.", "key=[redacted]."},
      {"sk-short", "sk-short"},
      {"task-0123456789", "task-0123456789"},
      {"Authorization: Bearer x", "Authorization: Bearer [redacted]"},
      {"bearer  abc.def+/==, ok", "bearer  [redacted], ok"},
      {"\"Bearer abc\"", "\"Bearer [redacted]\""},
      {"forbearer x", "forbearer x"},
      {"Bearer", "Bearer"},
      {"Bearer ", "Bearer "},
      {"Bearer [redacted]", "Bearer [redacted]"},
      {"x-api-key: abc", "x-api-key: [redacted]"},
      {"{\"X-API-Key\":\"abc\"}", "{\"X-API-Key\":\"[redacted]\"}"},
      {"Your api key: ****abcd is invalid", "Your api key: [redacted] is invalid"},
      {"sk-ab***********wxyz!", "[redacted]!"},
      {"sk-a***b***c", "[redacted]"},
      {"**bold** and ***", "**bold** and ***"},
      {"nvapi-0123456789abcdefgh", "[redacted]"},
      {"hf_abcdefghijklmnopqrst", "[redacted]"},
      {"my-secret-word here", "[redacted] here"},
      {"xmy-secret-wordx", "x[redacted]x"},
      {"my-secr-word", "my-secr-word"},
      {"my-secre-word", "[redacted]-word"},
      {"abc", "abc"},
  };
  for (const SecretCase& c : cases) {
    EXPECT_EQ(Redact(c.text, {"my-secret-word", "my-secret", "abc", ""}), c.redacted) << c.text;
    EXPECT_EQ(Redact(c.redacted, {"my-secret-word"}), c.redacted) << c.text;
  }
}

TEST(Redact, TakesPiecesAndOtherSpellings) {
  std::vector<std::string> secrets;
  AddSecret("sk-Ab3/Cd5+Ef7 deepseek-Gh9", &secrets);
  for (const char* text :
       {"sk-Ab3/Cd5+Ef7 deepseek-Gh9", "Ab3/Cd5+Ef7", "sk-Ab3%2FCd5%2BEf7%20deepseek-Gh9",
        "sk-Ab3%2fCd5%2bEf7%20deepseek-Gh9", "sk-Ab3\\/Cd5+Ef7 deepseek-Gh9",
        "c2stQWIzL0NkNStFZjcgZGVlcHNlZWstR2g5", "7 deepseek-Gh9", "sk-Ab...Gh9"}) {
    EXPECT_EQ(Redact(text, secrets), "[redacted]") << text;
  }
  // Within other text, coded in base64: "user:" stands before it.
  const std::string coded = Redact("dXNlcjpzay1BYjMvQ2Q1K0VmNyBkZWVwc2Vlay1HaDk=", secrets);
  EXPECT_EQ(coded.find("BYjMvQ2Q1K0VmNyBkZWVwc2Vl"), std::string::npos) << coded;
}

TEST(Redact, LeavesWordsThatStandInASecret) {
  std::vector<std::string> secrets;
  AddSecret("sk-deepseek-Ab3Cd5Ef7", &secrets);
  AddSecretsOfUrl("http://operator:hunter-22@proxy.example:3128", &secrets);
  for (const char* text : {"deepseek: no answer", "the operator said so", "operator:", "task..."}) {
    EXPECT_EQ(Redact(text, secrets), text);
  }
  EXPECT_EQ(Redact("http://operator:x@proxy.example", secrets), "http://[redacted]@proxy.example");
  EXPECT_EQ(Redact("said hunter-22", secrets), "said [redacted]");
  EXPECT_EQ(Redact(kProxyLogin, secrets), kProxyLogin);
}

TEST(Redact, TakesLinearTime) {
  for (const char* piece : {"*", "**a", "bearer ", "sk-", "sk-a ", "x-api-key:", "* "}) {
    std::string text;
    while (text.size() < (1u << 20)) text += piece;
    EXPECT_LE(Redact(text).size(), text.size() * 4) << piece;
  }
}

TEST(Redact, CoversAllTextsOfAFailure) {
  Failure failure = MakeFailure(Kind::kServer, "token-1234 leaked");
  failure.body = "token-1234";
  failure.request_id = "token-1234";
  RedactFailure({"token-1234"}, &failure);
  EXPECT_EQ(failure.Json().find("token-1234"), std::string::npos);
}

}  // namespace
}  // namespace finback
