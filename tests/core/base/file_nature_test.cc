#include "core/base/file_nature.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace finback {
namespace {

TEST(FileNature, SaysWhatAFileIsAndWhatToDo) {
  const std::string lfs =
      "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 8720048\n";
  for (const auto& [text, part] : std::vector<std::pair<std::string, const char*>>{
           {lfs, "git lfs pull"},
           {"\xef\xbb\xbf" + lfs, "git lfs pull"},
           {"\r\n" + lfs, "git-lfs pointer"},
           {"version https://hawser.github.com/spec/v1\n", "git-lfs pointer"},
           {"/annex/objects/SHA256E-s12--ab.safetensors\n", "git annex get"},
           {"../.git/annex/objects/aa/bb/x", "git annex get"},
           {std::string(40, 'a') + "\n", "largefiles pointer"},
           {"outs:\n- md5: ab\n", "dvc pull"},
           {"<!DOCTYPE html><html>", "a web page (HTML)"},
           {"\n  <HTML lang=en>", "a web page (HTML)"},
           {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "an XML or HTML"},
           {"", "an empty file"},
           {" \n\t", "blanks"},
           {std::string(5000, '\0'), "zero bytes"},
           {"GGUF\x03", "GGUF"},
           {"PK\x03\x04zip", "PyTorch"},
           {"\x80\x02}q", "pickle"},
           {"\x1f\x8b\x08", "gzip"},
           {"\xff\xfe{", "UTF-16"}}) {
    const std::string nature = FileNature(text, text.size());
    EXPECT_NE(nature.find(part), std::string::npos) << text << ": " << nature;
  }
}

TEST(FileNature, SaysNothingOfJsonAndTensors) {
  for (const std::string& text :
       {std::string("{}"), std::string("{\"note\": \"see https://git-lfs.github.com\"}"),
        std::string("\xef\xbb\xbf [1]"), std::string("\x40\0\0\0\0\0\0\0{\"a\":", 13),
        std::string("text of any kind")}) {
    EXPECT_EQ(FileNature(text, text.size()), "") << text;
  }
}

}  // namespace
}  // namespace finback
