#include "core/local/together/pace.h"

#include <gtest/gtest.h>

#include <cmath>

namespace finback {
namespace {

constexpr double kPause = 0.25;

TEST(Pace, BeginsWithFewRowsAndDoubles) {
  Pace pace;
  pace.Took(1, 0, 0.1);
  const size_t first = pace.PromptRows(kPause);
  EXPECT_GE(first, 1u);
  EXPECT_LE(first, 16u);
  pace.Took(1, first, 0.101);
  EXPECT_EQ(pace.PromptRows(kPause), 2 * first);
}

// The first rows read most of the weights, as in a mixture of experts.
double Seconds(size_t few, size_t prompt) {
  return 0.1 * std::pow(static_cast<double>(few + prompt), 0.6);
}

TEST(Pace, FindsTheRowsThatThePauseAllows) {
  for (const double pause : {0.06, 0.25, 2.0}) {
    Pace pace;
    for (int i = 0; i < 20; ++i) pace.Took(2, 0, Seconds(2, 0));
    for (int i = 0; i < 30; ++i) {
      const size_t rows = pace.PromptRows(pause);
      pace.Took(2, rows, Seconds(2, rows));
    }
    const size_t rows = pace.PromptRows(pause);
    const double longer = Seconds(2, rows) - Seconds(2, 0);
    EXPECT_LE(longer, 1.1 * pause);
    EXPECT_GE(Seconds(2, rows + 1) - Seconds(2, 0), 0.9 * pause);
  }
}

TEST(Pace, APromptNeverStandsStill) {
  Pace pace;
  EXPECT_EQ(pace.PromptRows(0), pace.PromptRows(0));
  pace.Took(1, 0, 0.1);
  pace.Took(1, 8, 100);
  EXPECT_EQ(pace.PromptRows(kPause), 1u);
  EXPECT_EQ(pace.PromptRows(0), 1u);
}

TEST(Pace, APassThatWasHeldUpIsForgotten) {
  Pace pace;
  for (int i = 0; i < 10; ++i) pace.Took(1, 0, 0.1);
  for (int i = 0; i < 10; ++i) pace.Took(1, pace.PromptRows(kPause), 0.3);
  const size_t usual = pace.PromptRows(kPause);
  pace.Took(1, usual, 60);
  EXPECT_LT(pace.PromptRows(kPause), usual);
  for (int i = 0; i < 12; ++i) {
    const size_t rows = pace.PromptRows(kPause);
    pace.Took(1, rows, 0.1 + 0.2 * static_cast<double>(rows) / static_cast<double>(usual));
  }
  EXPECT_GE(pace.PromptRows(kPause), usual);
}

TEST(Pace, TakesTheTimeOfFewerStreamsWhereItKnowsNoOther) {
  Pace pace;
  pace.Took(2, 0, 0.1);
  pace.Took(5, 10, 0.3);  // 0.2 longer than two, of 10 rows
  EXPECT_EQ(pace.PromptRows(0.1), 5u);
  pace.Took(1000, 0, 0.1);
  pace.Took(1000, 10, 0.2);
  EXPECT_EQ(pace.PromptRows(0.1), 10u);
}

}  // namespace
}  // namespace finback
