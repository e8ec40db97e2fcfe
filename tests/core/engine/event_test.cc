#include "core/engine/event.h"

#include <gtest/gtest.h>

namespace finback {
namespace {

TEST(FinishReason, HasANameThatIsFoundAgain) {
  for (const FinishReason reason :
       {FinishReason::kStop, FinishReason::kLength, FinishReason::kToolCalls,
        FinishReason::kContentFilter, FinishReason::kOther}) {
    EXPECT_EQ(FindFinishReason(FinishReasonName(reason)), reason);
  }
  EXPECT_STREQ(FinishReasonName(FinishReason::kToolCalls), "tool_calls");
  EXPECT_STREQ(FinishReasonName(FinishReason::kNone), "");
  EXPECT_EQ(FindFinishReason(""), std::nullopt);
  EXPECT_EQ(FindFinishReason("end_turn"), std::nullopt);
}

}  // namespace
}  // namespace finback
