#include "core/local/together/company.h"

#include <gtest/gtest.h>

namespace finback {
namespace {

using std::chrono::milliseconds;
using Rows = Company::Rows;
using Others = Company::Others;

constexpr Company::Clock::duration kPass = milliseconds(16);  // of which an eighth is waited

class CompanyTest : public testing::Test {
 protected:
  Company::Clock::time_point At(int ms) const { return start_ + milliseconds(ms); }
  void Come(const int& who, int ms) { company_.Came(&who, Rows::kDecoded, At(ms)); }
  void EndPass(std::initializer_list<const int*> whose, int ms, Others others = Others::kSome) {
    company_.PassEnded(At(ms), kPass, others);
    for (const int* who : whose) company_.HadRows(who, Rows::kDecoded);
  }

  Company company_;
  int one_ = 0, other_ = 0, third_ = 0;

 private:
  const Company::Clock::time_point start_{std::chrono::hours(1)};
};

TEST_F(CompanyTest, NobodyIsWaitedForAtFirst) {
  EXPECT_TRUE(company_.Complete());
  Come(one_, 0);
  EXPECT_TRUE(company_.Complete());
}

TEST_F(CompanyTest, ThoseOfThePassBeforeAreWaitedForUntilTheyCome) {
  Come(one_, 0);
  Come(other_, 1);
  EndPass({&one_, &other_}, 16);
  EXPECT_EQ(company_.deadline(), At(18));
  Come(other_, 17);
  EXPECT_FALSE(company_.Complete());
  Come(one_, 17);
  EXPECT_TRUE(company_.Complete());
}

TEST_F(CompanyTest, WhoWasAloneWaitsForNobody) {
  Come(one_, 0);
  EndPass({&one_}, 16, Others::kNone);
  EXPECT_TRUE(company_.Complete());
}

TEST_F(CompanyTest, NoWaitIsLong) {
  Come(one_, 0);
  Come(other_, 0);
  company_.PassEnded(At(10000), std::chrono::seconds(10), Others::kSome);
  EXPECT_EQ(company_.deadline(), At(10010));
}

TEST_F(CompanyTest, WhoStayedAwayIsNotWaitedForUntilItCameInTime) {
  Come(one_, 0);
  Come(other_, 0);
  EndPass({&one_, &other_}, 16);
  Come(one_, 17);
  EXPECT_FALSE(company_.Complete());
  company_.GiveUp();
  Come(other_, 25);  // while the others' pass is computed
  EndPass({&one_}, 33);
  Come(one_, 34);
  EXPECT_TRUE(company_.Complete());
  EndPass({&one_, &other_}, 50);
  Come(one_, 51);
  EXPECT_TRUE(company_.Complete()) << "the other is slow";
  EndPass({&one_}, 66);
  Come(other_, 67);  // in time
  Come(one_, 67);
  EndPass({&one_, &other_}, 84);
  Come(one_, 85);
  EXPECT_FALSE(company_.Complete());
}

TEST_F(CompanyTest, WhoHasLeftIsNotWaitedFor) {
  for (const int* who : {&one_, &other_, &third_}) Come(*who, 0);
  EndPass({&one_, &other_, &third_}, 16);
  Come(one_, 17);
  company_.Left(&other_);
  EXPECT_FALSE(company_.Complete());
  company_.Left(&third_);
  EXPECT_TRUE(company_.Complete());
  company_.Left(&third_);
  EndPass({&one_, &other_}, 33);
  EXPECT_FALSE(company_.Complete());
  Come(one_, 34);
  EXPECT_TRUE(company_.Complete());
}

TEST_F(CompanyTest, KnowsWhetherAnybodyDecodes) {
  Come(one_, 0);
  EXPECT_FALSE(company_.AnyDecodes(At(1)));
  EndPass({&one_}, 16);
  EXPECT_TRUE(company_.AnyDecodes(At(500)));
  EXPECT_FALSE(company_.AnyDecodes(At(1100)));
  Come(one_, 1101);
  EndPass({&one_}, 1117);
  company_.Came(&one_, Rows::kOther, At(1118));  // its next prompt
  EXPECT_FALSE(company_.AnyDecodes(At(1119)));
}

}  // namespace
}  // namespace finback
