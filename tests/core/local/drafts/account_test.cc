// The account on a clock of its own: steps cost what the test says, drafts are as good as it says.
#include "core/local/drafts/account.h"

#include <gtest/gtest.h>

#include <random>

namespace finback {
namespace {

constexpr double kSingle = 1e6;  // ns

// A model whose steps take `row` more for each further row, and drafts that are right so often.
struct World {
  double row, right;
  double noise = 0;  // a step takes up to this part more
  std::mt19937 random{1};

  double Uniform() { return std::uniform_real_distribution<double>(0, 1)(random); }
  double StepNs(size_t rows) {
    return kSingle * (1 + row * static_cast<double>(rows - 1)) * (1 + noise * Uniform());
  }
};

struct Ride {
  double ns = 0;
  size_t tokens = 0, steps = 0, singles = 0, proposed = 0;

  double gain() const { return kSingle * static_cast<double>(tokens) / ns; }
};

Ride Drive(Account* account, World* world, size_t tokens, Evidence evidence = Evidence::kMatch8) {
  Ride ride;
  while (ride.tokens < tokens) {
    const size_t drafts =
        account->MustMeasure() ? 0 : account->Choose(evidence, kMostDrafts).tokens;
    size_t accepted = 0;
    while (accepted < drafts && world->Uniform() < world->right) ++accepted;
    const double ns = world->StepNs(drafts + 1);
    account->Step(drafts + 1, ns);
    if (drafts > 0) account->Verified(evidence, drafts, accepted, false);
    ride.ns += ns;
    ride.tokens += accepted + 1;
    ride.proposed += drafts;
    ++ride.steps;
    if (drafts == 0) ++ride.singles;
  }
  return ride;
}

TEST(Account, ProposesNothingBeforeAStepWasMeasured) {
  Account account;
  EXPECT_TRUE(account.MustMeasure());
  EXPECT_EQ(account.Choose(Evidence::kMatchLonger, kMostDrafts).tokens, 0u);
  account.Step(1, kSingle);
  EXPECT_FALSE(account.MustMeasure());
  EXPECT_GT(account.Choose(Evidence::kMatchLonger, kMostDrafts).tokens, 0u);
}

TEST(Account, ProposesAtMostWhatItIsAllowed) {
  Account account;
  account.Step(1, kSingle);
  for (size_t most = 0; most < kMostDrafts; ++most) {
    EXPECT_LE(account.Choose(Evidence::kMatchLonger, most).tokens, most);
  }
}

TEST(Account, NeverLosesMoreThanAHundredth) {
  for (const double row : {0.05, 0.3, 0.6, 0.95}) {
    for (const double right : {0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0}) {
      for (const size_t tokens : {200, 2000}) {
        Account account;
        World world{row, right};
        const Ride ride = Drive(&account, &world, tokens);
        EXPECT_GT(ride.gain(), 0.985)
            << "row " << row << ", right " << right << ", tokens " << tokens;
      }
    }
  }
}

TEST(Account, LosesLittleWhereTimesVary) {
  for (const double right : {0.0, 0.3, 0.6}) {
    Account account;
    World world{0.5, right, 0.3}, still{0.5, right, 0.3};
    const Ride ride = Drive(&account, &world, 3000);
    double single = 0;
    for (size_t i = 0; i < ride.tokens; ++i) single += still.StepNs(1);
    EXPECT_GT(single / ride.ns, 0.97) << right;
  }
}

TEST(Account, FindsOutThatLongDraftsPay) {
  Account account;
  World world{0.2, 1.0};
  const Ride ride = Drive(&account, &world, 400);
  EXPECT_GT(ride.gain(), 3);  // of 16 / (1 + 15 * 0.2) = 4
}

TEST(Account, TakesFewDraftsWhereMoreRowsAreDear) {
  Account account;
  World world{0.45, 0.75};
  Drive(&account, &world, 1000);
  const size_t drafts = account.Choose(Evidence::kMatch8, kMostDrafts).tokens;
  EXPECT_GT(drafts, 0u);
  EXPECT_LT(drafts, 4u);
}

TEST(Account, TurnsOffWhereDraftsAreRefused) {
  Account account;
  World world{0.5, 0.0};
  Drive(&account, &world, 300);
  const Ride later = Drive(&account, &world, 1000);
  EXPECT_LT(later.proposed, 30u);
}

TEST(Account, TurnsOnAgainWhereDraftsBecomeGood) {
  Account account;
  World bad{0.3, 0.0}, good{0.3, 1.0};
  Drive(&account, &bad, 1000);
  const Ride ride = Drive(&account, &good, 2000);
  EXPECT_GT(ride.gain(), 1.8);
}

TEST(Account, TellsKindsOfEvidenceApart) {
  Account account;
  World good{0.3, 1.0}, bad{0.3, 0.0};
  Drive(&account, &good, 500, Evidence::kMatch16);
  Drive(&account, &bad, 500, Evidence::kMatch2);
  EXPECT_GT(account.Choose(Evidence::kMatch16, kMostDrafts).tokens, 0u);
  EXPECT_LT(account.RateOf(Evidence::kMatch2), 0.3);
  EXPECT_GT(account.RateOf(Evidence::kMatch16), 0.8);
}

TEST(Account, TriesABlockThatItDoesNotKnow) {
  Account account;
  account.Step(1, kSingle);
  EXPECT_GT(account.Choose(Evidence::kBlock, kMostDrafts).tokens, 0u);
}

TEST(Account, CountsWhatGuessingTakes) {
  Account cheap, dear;
  for (Account* account : {&cheap, &dear}) {
    account->Step(1, kSingle);
    account->Guessed(1, account == &cheap ? kSingle / 100 : kSingle);
    account->Step(2, 1.3 * kSingle);
    account->Verified(Evidence::kBlock, 1, 1, false);
  }
  EXPECT_GT(cheap.Choose(Evidence::kBlock, kMostDrafts).tokens, 0u);
  EXPECT_EQ(dear.Choose(Evidence::kBlock, kMostDrafts).tokens, 0u);
}

TEST(Account, MeasuresAStepWithoutDraftsNowAndThen) {
  Account account;
  World world{0.2, 1.0};
  Drive(&account, &world, 1000);
  const Ride ride = Drive(&account, &world, 10000);
  EXPECT_GE(ride.singles, ride.steps / 200);
  EXPECT_LE(ride.singles, ride.steps / 50);
}

TEST(Account, RemembersFromAnswerToAnswer) {
  Account account;
  World world{0.2, 1.0};
  Drive(&account, &world, 400);
  Account next = account;
  next.BeginAnswer();
  EXPECT_FALSE(next.MustMeasure());
  EXPECT_GT(next.Choose(Evidence::kMatch8, kMostDrafts).tokens, 3u);
}

}  // namespace
}  // namespace finback
