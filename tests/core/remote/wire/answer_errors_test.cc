// Errors that came with status 200, in the shapes that services and gateways give them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

constexpr const char* kModels[] = {"custom:m", "deepseek-anthropic:deepseek-flash",
                                   "deepseek-responses:deepseek-flash"};

struct Row {
  const char *body, *words, *kind;
};

constexpr Row kBodies[] = {
    {R"({"error": "no such model"})", "no such model", "invalid_request"},
    {R"({"error": {"message": "slow down", "code": 429}})", "slow down", "rate_limit"},
    {R"({"error": true, "message": "Unauthorized"})", "Unauthorized", "authentication"},
    {R"({"code": 50505, "message": "Model service overloaded. Try later.", "data": null})",
     "Model service overloaded", "overloaded"},
    {R"({"code": "401", "message": "who are you"})", "who are you", "authentication"},
    {R"({"code": 401, "msg": "who are you"})", "who are you", "authentication"},
    {R"({"code": 500, "msg": "insufficient balance", "success": false})", "insufficient balance",
     "quota"},
    {R"({"code": 42901, "message": "later"})", "later", "rate_limit"},
    {R"({"detail": "Not authenticated"})", "Not authenticated", "authentication"},
    {R"({"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "too long"}]})",
     "field required; too long", "invalid_request"},
    {R"({"success": false, "message": "insufficient quota"})", "insufficient quota", "quota"},
    {R"({"errors": [{"message": "API key expired"}]})", "API key expired", "authentication"},
    {R"({"errors": ["too many requests"]})", "too many requests", "rate_limit"},
    {R"({"msg": "the service is busy"})", "the service is busy", "overloaded"},
    {R"({"message": "something odd"})", "something odd", "server"},
    {R"({"error_code": 18, "error_msg": "Open api qps request limit reached"})",
     "request limit reached", "rate_limit"},
    {R"({"object": "error", "message": "bad", "type": "BadRequestError", "code": 400})", "bad",
     "invalid_request"},
    {R"({"type": "error", "error": {"type": "overloaded_error", "message": "x y"}})", "x y",
     "overloaded"},
    {R"([{"error": {"code": 403, "message": "denied", "status": "PERMISSION_DENIED"}}])", "denied",
     "authentication"},
    {R"({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}})",
     "insufficient balance", "quota"},
    {R"({"Response": {"Error": {"Code": "AuthFailure", "Message": "Invalid API key"}}})",
     "Invalid API key", "authentication"},
    {R"({"status": "error", "reason": "gone fishing"})", "gone fishing", "server"},
    {"Service overloaded, try again later", "Service overloaded", "overloaded"},
    {"Unauthorized\n", "Unauthorized", "authentication"},
    {"<html><head><title>Just a moment...</title></head></html>", "Just a moment", "transport"},
};

void ExpectFailure(const Json& details, const Row& row, const std::string& what) {
  EXPECT_EQ(FailureText(details, "kind"), row.kind) << what << row.body;
  const std::string message = FailureText(details, "message");
  EXPECT_NE(message.find(row.words), std::string::npos) << what << message;
}

TEST(AnswerErrors, KeepTheWordsOfABody) {
  for (const char* model : kModels) {
    for (const Row& row : kBodies) {
      std::vector<Event> events;
      ExpectFailure(FailureOf([&] { Decoder(Ask(model))->Whole(row.body, &events); }), row, model);
    }
  }
}

TEST(AnswerErrors, KeepTheWordsOfAStream) {
  for (const char* model : kModels) {
    for (const Row& row : kBodies) {
      for (const char* event : {"", "error"}) {
        if (*event != '\0' && std::string(row.kind) == "transport") continue;
        const auto decoder = Decoder(Ask(model));
        std::vector<Event> events;
        ExpectFailure(FailureOf([&] {
                        decoder->Push(event, row.body, &events);
                        decoder->End(&events);
                      }),
                      row, std::string(model) + event);
      }
    }
  }
}

TEST(AnswerErrors, TakeNoWordsForAnErrorWhereTheAnswerIs) {
  const auto hear = [](const std::string& body) {
    const auto decoder = Decoder(Ask("custom:m"));
    std::vector<Event> events;
    decoder->Whole(body, &events);
    decoder->End(&events);
    return Words(events);
  };
  const std::string answer =
      R"("choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}])";
  for (const char* more :
       {R"("code": 0, "message": "success")", R"("error": null)", R"("success": true)",
        R"("error": {}, "message": "slow")", R"("status": "completed", "errors": [])"}) {
    EXPECT_EQ(hear("{" + answer + ", " + more + "}"), "content a\nfinish stop\n") << more;
    EXPECT_EQ(hear("{\"data\": {" + answer + "}, " + more + "}"), "content a\nfinish stop\n");
    EXPECT_EQ(hear("[{" + answer + ", " + more + "}]"), "content a\nfinish stop\n");
  }
  // In a stream words alone end nothing.
  const auto decoder = Decoder(Ask("custom:m"));
  std::vector<Event> events;
  decoder->Push("", R"({"message": "queued"})", &events);
  decoder->Push("", "{" + answer + "}", &events);
  decoder->End(&events);
  EXPECT_EQ(Words(events), "content a\nfinish stop\n");
}

TEST(AnswerErrors, OpenTheEnvelopeOfEachFormat) {
  constexpr const char* kAnswers[] = {
      R"({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]})",
      R"({"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"})",
      R"({"status": "completed", "output": [{"type": "message", "content": [{"text": "a"}]}]})"};
  for (size_t i = 0; i < std::size(kModels); ++i) {
    for (const char* name : {"data", "result", "response"}) {
      const auto decoder = Decoder(Ask(kModels[i]));
      std::vector<Event> events;
      decoder->Whole(Format("{\"success\": true, \"code\": 200, \"%s\": %s}", name, kAnswers[i]),
                     &events);
      decoder->End(&events);
      EXPECT_EQ(Words(events), "content a\nfinish stop\n") << kModels[i] << name;
    }
  }
}

}  // namespace
}  // namespace finback
