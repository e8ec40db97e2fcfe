#include "core/local/cache/model_note.h"

#include <unistd.h>

#include "core/local/cache/cache_file.h"

namespace finback::cache {
namespace {

constexpr char kKind[] = "note", kRecord[] = "model";
constexpr size_t kMostBytes = 4096;

}  // namespace

void WriteModelNote(const Directory& ours, const Key& model, const std::string& folder) {
  FileContent content(model, RecordKey(kKind, kRecord));
  Directory::Status status;
  if (folder.size() > kMostBytes || ours.Look(content.Name().Text(), &status)) return;
  content.header.bytes = folder.size();
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(folder.data()),
                                       folder.size());
  WriteContent(ours, content, {&bytes, 1});
}

std::string ReadModelNote(const Directory& top, const std::string& name) {
  int error;
  const Directory ours = top.Enter(name, false, &error);
  // Whoever reads it does not know the model's key, but what the directory is named by.
  const FileContent unknown({}, RecordKey(kKind, kRecord));
  uint64_t size = 0;
  if (!ours.open() || CheckFile(ours, unknown.Name()) != Reading::kGood) return "";
  const Descriptor file = ours.OpenFile(unknown.Name().Text(), &size, &error);
  if (!file.open() || size < sizeof(FileHeader) || size > sizeof(FileHeader) + kMostBytes) {
    return "";
  }
  std::string note(size - sizeof(FileHeader), '\0');
  const ssize_t got = pread(file.fd(), note.data(), note.size(), sizeof(FileHeader));
  return got == static_cast<ssize_t>(note.size()) ? note : "";
}

}  // namespace finback::cache
