#include "core/checkpoint/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/sha256.h"
#include "core/base/status.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

class Sha256List : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "finback_verify_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    BuildCheckpoint(SmallestConfig(), 4).Write(folder_, 2);
    weights_ = Weights::Open(folder_, LoadConfig(folder_));
    for (const std::string& file : weights_->files()) {
      const std::string bytes = ReadText(file);
      Sha256 hash;
      hash.Update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
      digests_.push_back(hash.FinishHex());
      names_.push_back(file.substr(file.rfind('/') + 1));
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Line(size_t i) const { return digests_[i] + "  " + names_[i] + "\n"; }

  void ExpectRefusal(const std::string& list, Code code, const std::vector<std::string>& parts) {
    try {
      VerifySha256(*weights_, list, nullptr);
      ADD_FAILURE() << "accepted " << list;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.code(), code) << message;
      for (const std::string& part : parts) {
        EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
      }
    }
  }

  std::string folder_;
  std::unique_ptr<Weights> weights_;
  std::vector<std::string> digests_, names_;
};

TEST_F(Sha256List, TheRightOnePasses) {
  EXPECT_NO_THROW(VerifySha256(*weights_, Line(0) + Line(1), nullptr));
}

TEST_F(Sha256List, SpellingsOfSha256sum) {
  std::string upper = digests_[0];
  for (char& c : upper) c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
  const std::string other(64, 'a');
  EXPECT_NO_THROW(VerifySha256(*weights_,
                               "# a comment\n\n" + upper + " *" + names_[0] + "\r\n" + other +
                                   "  config.json\n" + digests_[1] + "  ./some/folder/" + names_[1],
                               nullptr));
}

TEST_F(Sha256List, ADifferenceNamesFileFoundAndExpected) {
  const std::string wrong(64, '0');
  ExpectRefusal(Line(0) + wrong + "  " + names_[1] + "\n", Code::kCheckpoint,
                {names_[1], "found " + digests_[1], "expected " + wrong});
}

TEST_F(Sha256List, OneChangedByteIsSeen) {
  std::string bytes = ReadText(weights_->files()[1]);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  WriteText(weights_->files()[1], bytes);
  ExpectRefusal(Line(0) + Line(1), Code::kCheckpoint, {names_[1], "expected " + digests_[1]});
}

TEST_F(Sha256List, EveryShardMustBeListed) {
  ExpectRefusal(Line(0), Code::kCheckpoint, {names_[1], "list"});
  ExpectRefusal("", Code::kCheckpoint, {names_[0], "list"});
}

TEST_F(Sha256List, MalformedLinesAreNumbered) {
  ExpectRefusal(Line(0) + "not a digest\n", Code::kInvalidArgument, {"line 2", "not a digest"});
  ExpectRefusal(digests_[0].substr(1) + "  " + names_[0] + "\n", Code::kInvalidArgument,
                {"line 1"});
  ExpectRefusal(digests_[0] + "0  " + names_[0] + "\n", Code::kInvalidArgument, {"line 1"});
  ExpectRefusal(digests_[0] + "\n", Code::kInvalidArgument, {"line 1"});
  ExpectRefusal(digests_[0] + "  \n", Code::kInvalidArgument, {"line 1"});
  ExpectRefusal(Line(0) + digests_[1] + "  " + names_[0] + "\n" + Line(1), Code::kInvalidArgument,
                {"line 2", "second digest", names_[0]});
}

TEST_F(Sha256List, ProgressReachesTheTotalAndCanCancel) {
  uint64_t last = 0, total = 0;
  VerifySha256(*weights_, Line(0) + Line(1), [&](uint64_t done, uint64_t all) {
    EXPECT_GT(done, last);
    last = done;
    total = all;
    return true;
  });
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, weights_->file_bytes(0) + weights_->file_bytes(1));
  try {
    VerifySha256(*weights_, Line(0) + Line(1), [](uint64_t, uint64_t) { return false; });
    ADD_FAILURE() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled);
  }
}

}  // namespace
}  // namespace finback
