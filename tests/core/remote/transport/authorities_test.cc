#include "core/remote/transport/authorities.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <vector>

namespace finback {
namespace {

namespace fs = std::filesystem;

class AuthoritiesTest : public testing::Test {
 protected:
  AuthoritiesTest() {
    char folder[] = "/tmp/finback_authorities_XXXXXX";
    folder_ = mkdtemp(folder);
    fs::create_directory(folder_ / "certs");
  }
  ~AuthoritiesTest() override { fs::remove_all(folder_); }

  void Write(const fs::path& name, const std::string& text) const {
    FILE* file = fopen((folder_ / name).c_str(), "w");
    ASSERT_NE(file, nullptr);
    fputs(text.c_str(), file);
    fclose(file);
  }
  bool FolderWillDo() const {
    return FolderHasAuthorities(folder_ / "certs", folder_ / "bundle.crt");
  }

  const std::string certificate_ = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  fs::path folder_;
};

TEST_F(AuthoritiesTest, FolderWithAsManyCertificatesAsTheFileWillDo) {
  Write("bundle.crt", certificate_ + "# a comment\n" + certificate_);
  Write("certs/some.pem", certificate_);
  fs::create_symlink("some.pem", folder_ / "certs/0123abcd.0");
  EXPECT_FALSE(FolderWillDo());
  fs::create_symlink("some.pem", folder_ / "certs/0123abcd.10");
  EXPECT_TRUE(FolderWillDo());
}

TEST_F(AuthoritiesTest, OnlyFilesUnderLookupNamesCount) {
  Write("bundle.crt", certificate_);
  for (const char* name : {"0123abcd", "0123abcd.", "0123abcd.r0", "0123ABCD.0", "0123abc.0",
                           "0123abcde.0", "some.pem", "0123abcd.0x"}) {
    Write(fs::path("certs") / name, certificate_);
  }
  fs::create_symlink("nowhere.pem", folder_ / "certs/89abcdef.0");
  fs::create_directory(folder_ / "certs/89abcdef.1");
  EXPECT_FALSE(FolderWillDo());
}

TEST_F(AuthoritiesTest, WithoutAFileOrAFolderLibcurlsOwnChoiceStands) {
  Write("certs/0123abcd.0", certificate_);
  EXPECT_FALSE(FolderWillDo());  // no file
  Write("bundle.crt", "");
  EXPECT_FALSE(FolderWillDo());
  Write("bundle.crt", certificate_);
  EXPECT_TRUE(FolderWillDo());
  fs::remove_all(folder_ / "certs");
  EXPECT_FALSE(FolderWillDo());
}

}  // namespace
}  // namespace finback
