#include "core/base/file_nature.h"

#include <algorithm>
#include <cctype>

#include "core/base/ascii.h"
#include "core/base/status.h"

namespace finback {
namespace {

constexpr size_t kHeadBytes = 1024;
constexpr size_t kMostPointerBytes = 4096;  // every kind of pointer is a few lines

struct Beginning {
  std::string_view bytes;
  const char* nature;
};

using std::string_view_literals::operator""sv;

constexpr Beginning kFormats[] = {
    {"GGUF"sv, "a GGUF file, a format that is not read here: take the safetensors files"},
    {"GGML"sv, "a GGML file, a format that is not read here: take the safetensors files"},
    {"PK\x03\x04"sv,
     "a ZIP archive or PyTorch file, which is not read here: take the "
     "safetensors files, or unpack it"},
    {"\x80\x02"sv, "a Python pickle, which is not read here: take the safetensors files"},
    {"\x1f\x8b"sv, "gzip data: unpack it, or download the file again"},
    {"\x28\xb5\x2f\xfd"sv, "Zstandard data: unpack it, or download the file again"},
    {"\xfd"
     "7zXZ"sv,
     "XZ data: unpack it, or download the file again"},
    {"BZh"sv, "bzip2 data: unpack it, or download the file again"},
    {"7z\xbc\xaf"sv, "a 7z archive: unpack it"},
    {"\x89HDF"sv, "an HDF5 file, which is not read here: take the safetensors files"},
    {"%PDF"sv, "a PDF document: download the file again"},
    {"\xff\xfe"sv, "UTF-16 text: save it as UTF-8, or download the file again"},
    {"\xfe\xff"sv, "UTF-16 text: save it as UTF-8, or download the file again"},
};

std::string PointerNature(std::string_view text) {
  if (text.find("git-lfs.github.com/spec") != std::string_view::npos ||
      text.find("hawser.github.com/spec") != std::string_view::npos) {
    return "a git-lfs pointer, not the file itself: run `git lfs pull` in its folder, or download "
           "the file again";
  }
  if (text.find("annex/objects/") != std::string_view::npos) {
    return "a git-annex pointer, not the file itself: run `git annex get` in its folder, or "
           "download the file again";
  }
  if (text.starts_with("oid sha256:")) {
    return "part of a git-lfs pointer, not the file itself: download the file again";
  }
  if (text.starts_with("outs:") || text.starts_with("md5: ")) {
    return "a DVC pointer, not the file itself: run `dvc pull`, or download the file again";
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) {
    text.remove_suffix(1);
  }
  const bool hash =
      (text.size() == 40 || text.size() == 64) &&
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
  return hash ? "a checksum or a largefiles pointer, not the file itself: download the file again"
              : "";
}

}  // namespace

std::string FileNature(std::string_view head, uint64_t file_bytes) {
  if (file_bytes == 0 || head.empty()) return "an empty file: download it again";
  head = head.substr(0, kHeadBytes);
  if (head.find_first_not_of('\0') == std::string_view::npos) {
    return "nothing but zero bytes so far: the download stopped, download the file again";
  }
  for (const Beginning& format : kFormats) {
    if (head.starts_with(format.bytes)) return format.nature;
  }
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  while (!head.empty() && std::isspace(static_cast<unsigned char>(head[0]))) head.remove_prefix(1);
  if (head.empty()) return "nothing but blanks: download the file again";
  if (file_bytes <= kMostPointerBytes) {
    if (std::string pointer = PointerNature(head); !pointer.empty()) return pointer;
  }
  if (head[0] != '<') return "";
  const std::string lower = LowerAscii(head);
  const bool html = lower.starts_with("<!doctype html") || lower.find("<html") != std::string::npos;
  return std::string(html ? "a web page (HTML)" : "an XML or HTML page") +
         ", perhaps a server's error or a login: download the file itself, with a token if it "
         "needs one";
}

void RefuseOtherNature(const std::string& path, std::string_view head, uint64_t file_bytes) {
  const std::string nature = FileNature(head, file_bytes);
  if (!nature.empty()) Throw(Code::kCheckpoint, "%s: this is %s", path.c_str(), nature.c_str());
}

}  // namespace finback
