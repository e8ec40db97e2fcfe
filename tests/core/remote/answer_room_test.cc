#include "core/remote/answer_room.h"

#include <gtest/gtest.h>

#include <string>

namespace finback {
namespace {

constexpr int64_t kNothing = -1;

int64_t Room(const std::string& message, int64_t asked, int64_t prompt_bound = -1) {
  const std::string body = "{\"error\": {\"message\": \"" + message + "\"}}";
  return RoomForAnswer(ClassifyResponse(400, {}, body), asked, prompt_bound).value_or(kNothing);
}

TEST(RoomForAnswer, IsTheContextWithoutThePrompt) {
  for (const char* message :
       {"This model's maximum context length is 4096 tokens. However, you requested 65550 tokens "
        "(14 in the messages, 65536 in the completion). Please reduce the length.",
        "'max_tokens' or 'max_completion_tokens' is too large: 65536. This model's maximum context "
        "length is 4096 tokens and your request has 14 input tokens (65536 > 4096 - 14).",
        "You passed 14 input tokens and requested 65536 output tokens. However, the model's "
        "context length is only 4,096 tokens.",
        "Requested token count exceeds the model's maximum context length of 4096 tokens. You "
        "requested a total of 65550 tokens: 14 tokens from the input messages and 65536 tokens for "
        "the completion.",
        "max_tokens=65536 is too large: 14 prompt tokens, max_model_len=4096"}) {
    EXPECT_EQ(Room(message, 65536), 4082) << message;
  }
}

TEST(RoomForAnswer, GoesWithoutTheFieldWhereThePromptIsNotTold) {
  for (const char* message :
       {"max_tokens=65536 cannot be greater than max_model_len=max_total_tokens=4096. Please "
        "request fewer output tokens.",
        "max_tokens=65536 cannot be greater than max_model_len=4096",
        "max_completion_tokens 65536 is beyond max_model_len (4096)",
        "This model's maximum context length is 4096 tokens. However, you requested 65536 output "
        "tokens and your prompt contains at least 1 input tokens, for a total of at least 65537 "
        "tokens."}) {
    EXPECT_EQ(Room(message, 65536), 0) << message;
    EXPECT_EQ(Room(message, 65536, 96), 4000) << message;
    EXPECT_EQ(Room(message, 65536, 5000), kNothing) << message;
  }
}

TEST(RoomForAnswer, IsWhatTheServiceTakesAtMost) {
  EXPECT_EQ(Room("max_tokens is too large: 9000. This model supports at most 4096", 9000), 4096);
  EXPECT_EQ(Room("the valid range of max_tokens is [1, 8192]", 9000), 8192);
  EXPECT_EQ(Room("max_tokens must be less than or equal to 4096", 9000), 4096);
  EXPECT_EQ(Room("max_output_tokens: the maximum value of 1000 is exceeded", 9000), 1000);
}

TEST(RoomForAnswer, IsNothingWhereOtherThingsWereRefused) {
  EXPECT_EQ(Room("This model's maximum context length is 4096 tokens. However, you requested 9100 "
                 "tokens (9000 in the messages, 100 in the completion).",
                 100),
            kNothing);
  EXPECT_EQ(
      Room("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 100),
      kNothing);
  EXPECT_EQ(Room("messages: must not be empty", 100), kNothing);
  EXPECT_EQ(Room("stop: at most 4 strings", 100), kNothing);
  EXPECT_EQ(Room("max_tokens must be less than or equal to 4096", 100), kNothing);
  EXPECT_EQ(Room("max_tokens=65536 cannot be greater than max_model_len=4096", 0), kNothing);
}

}  // namespace
}  // namespace finback
