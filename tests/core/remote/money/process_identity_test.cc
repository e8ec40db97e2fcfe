#include "core/remote/money/process_identity.h"

#include <gtest/gtest.h>

#include <string>

namespace finback {
namespace {

TEST(ProcessIdentityTest, TellsTheLivingFromTheGone) {
  const std::string self = ThisProcess();
  ASSERT_FALSE(self.empty());
  EXPECT_FALSE(IsGone(self));
  const size_t first = self.find('/'), last = self.rfind('/');
  const size_t pid = self.rfind('/', last - 1);
  // Another start time: the number went to another process. Another boot: all are gone.
  EXPECT_TRUE(IsGone(self.substr(0, last + 1) + "1"));
  EXPECT_TRUE(IsGone("otherboot" + self.substr(first)));
  EXPECT_TRUE(IsGone(self.substr(0, pid) + "/2147483000" + self.substr(last)));
  // Processes of other containers cannot be seen from here.
  EXPECT_FALSE(IsGone(self.substr(0, first) + "/pid:[1]" + self.substr(pid)));
  for (const char* text : {"", "x", "a/b/c", "a/b/c/d/e"}) EXPECT_FALSE(IsGone(text)) << text;
  EXPECT_FALSE(IsGone(self.substr(0, pid) + "/1x" + self.substr(last)));
}

}  // namespace
}  // namespace finback
