// What FINBACK_ISA may be.
#include "core/local/isa_limit.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "core/base/status.h"
#include "core/kernels/isa.h"

namespace finback {
namespace {

class IsaLimitTest : public testing::Test {
 protected:
  IsaLimitTest() : before_(Value()) {}
  ~IsaLimitTest() override {
    before_.empty() ? unsetenv(kIsaVariable) : setenv(kIsaVariable, before_.c_str(), 1);
  }

  static std::string Value() {
    const char* value = std::getenv(kIsaVariable);
    return value == nullptr ? "" : value;
  }

  static std::string Problem(const std::string& value) {
    setenv(kIsaVariable, value.c_str(), 1);
    try {
      CheckIsaLimit();
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      return error.what();
    }
  }

 private:
  const std::string before_;
};

TEST_F(IsaLimitTest, IsEveryTierThatWasCompiledOrEmpty) {
  for (const IsaTier& tier : IsaTiers()) EXPECT_EQ(Problem(tier.name), "");
  EXPECT_EQ(Problem(""), "");
  unsetenv(kIsaVariable);
  EXPECT_NO_THROW(CheckIsaLimit());
}

TEST(IsaReason, NamesTheMachineOrTheLimit) {
  const std::vector<const char*> here = IsasHere();
  ASSERT_FALSE(here.empty());
  EXPECT_EQ(std::string(here.back()), "scalar");
  const std::string best = here.front();
  EXPECT_TRUE(IsaReason(AvailableIsa(""), "").starts_with("the best of this machine"));
  EXPECT_TRUE(IsaReason(AvailableIsa(best.c_str()), best).starts_with("the best of this machine"));
  if (here.size() < 2) GTEST_SKIP() << "this machine has one tier alone";
  EXPECT_EQ(IsaReason(AvailableIsa("scalar"), "scalar"),
            "the most that FINBACK_ISA=scalar allows; this machine has " + best);
}

TEST_F(IsaLimitTest, IsRefusedByNameWithTheNearestOtherwise) {
  const std::pair<const char*, const char*> rows[] = {
      {"Scalar", "did you mean scalar?"}, {"scaler", "did you mean scalar?"},
      {"OpenBLAS", "did you mean blas?"}, {" blas", "did you mean blas?"},
      {"none", "blas, scalar"},           {"1", "blas, scalar"}};
  for (const auto& [value, words] : rows) {
    const std::string problem = Problem(value);
    EXPECT_TRUE(problem.starts_with(std::string("FINBACK_ISA=") + value + ": ")) << problem;
    EXPECT_TRUE(problem.ends_with(words)) << problem;
  }
  EXPECT_EQ(Problem("none").find("did you mean"), std::string::npos);
}

}  // namespace
}  // namespace finback
