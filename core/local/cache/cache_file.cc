#include "core/local/cache/cache_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <new>

#include "core/base/status.h"

namespace finback::cache {
namespace {

constexpr size_t kAtOnce = 1u << 20;
constexpr char kLetters[kKinds] = {'s', 'p', 'r'};

class Checksum {
 public:
  Checksum() : state_(XXH3_createState()) {
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state_);
  }
  ~Checksum() { XXH3_freeState(state_); }
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  // The part of a header that it is over.
  void AddHeader(const FileHeader& header) { Add(&header, offsetof(FileHeader, checksum)); }
  void Add(const void* data, size_t bytes) { XXH3_128bits_update(state_, data, bytes); }
  void Finish(uint64_t (*checksum)[2]) const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_);
    (*checksum)[0] = hash.low64;
    (*checksum)[1] = hash.high64;
  }
  bool Matches(const FileHeader& header) const {
    uint64_t checksum[2];
    Finish(&checksum);
    return memcmp(checksum, header.checksum, sizeof checksum) == 0;
  }

 private:
  XXH3_state_t* state_;
};

// All of it, or an errno.
int ReadAll(int fd, void* data, size_t bytes, uint64_t offset) {
  auto* to = static_cast<uint8_t*>(data);
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = pread(fd, to + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return EINVAL;  // cut meanwhile
    done += static_cast<size_t>(got);
  }
  return 0;
}

// EINVAL is what a file is at fault for.
Reading ReadingOf(int error) {
  if (error == ENOENT) return Reading::kMissing;
  return error == EINVAL ? Reading::kBad : Reading::kRefused;
}

// A file while it is read, and what becomes of it.
class OpenedFile {
 public:
  OpenedFile(const Directory& directory, const FileName& name)
      : directory_(directory),
        name_(name.Text()),
        file_(directory.OpenFile(name_, &bytes_, &error_)) {}

  int error() const { return error_; }
  uint64_t bytes() const { return bytes_; }
  int Read(void* data, size_t bytes) {
    error_ = ReadAll(file_.fd(), data, bytes, offset_);
    offset_ += bytes;
    return error_;
  }
  void Touch() const noexcept { directory_.Touch(name_); }
  Reading Bad() const noexcept {
    directory_.Remove(name_);
    return Reading::kBad;
  }
  Reading Failed() const noexcept {
    const Reading reading = ReadingOf(error_);
    return reading == Reading::kBad ? Bad() : reading;
  }

 private:
  const Directory& directory_;
  const std::string name_;
  uint64_t bytes_ = 0, offset_ = 0;
  int error_ = 0;
  Descriptor file_;
};

// The header and ids of what is expected are there.
Reading ReadFront(const FileContent& content, OpenedFile* file, FileHeader* header) {
  if (file->error() != 0) return file->Failed();
  if (file->bytes() != content.Size()) return file->Bad();
  if (file->Read(header, sizeof *header) != 0) return file->Failed();
  if (memcmp(header, &content.header, offsetof(FileHeader, checksum)) != 0) return file->Bad();
  std::vector<int32_t> ids(content.ids.size());
  if (file->Read(ids.data(), content.ids.size_bytes()) != 0) return file->Failed();
  return std::equal(ids.begin(), ids.end(), content.ids.begin()) ? Reading::kGood : file->Bad();
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string FileName::Text() const {
  const char letter = kLetters[static_cast<size_t>(kind)];
  if (kind == Kind::kRecord) return Format("%c-%s", letter, key.c_str());
  return Format("%c-%08x-%s-%s", letter, position, key.c_str(), parent.c_str());
}

std::optional<FileName> ParseName(std::string_view text) {
  FileName name;
  if (text.size() < 2) return std::nullopt;
  const char* letter = std::find(kLetters, kLetters + kKinds, text[0]);
  if (letter == kLetters + kKinds) return std::nullopt;
  name.kind = static_cast<Kind>(letter - kLetters);
  std::string_view rest = text.substr(2);
  if (name.kind != Kind::kRecord) {
    constexpr size_t kPositionDigits = 8;
    if (rest.size() != kPositionDigits + 2 + 2 * kNameDigits) return std::nullopt;
    const std::string position(rest.substr(0, kPositionDigits));
    if (!IsHex(position)) return std::nullopt;
    name.position = static_cast<uint32_t>(strtoul(position.c_str(), nullptr, 16));
    name.parent = rest.substr(kPositionDigits + 2 + kNameDigits);
    rest = rest.substr(kPositionDigits + 1, kNameDigits);
  }
  name.key = rest;
  if (name.key.size() != kNameDigits || !IsHex(name.key) || !IsHex(name.parent)) {
    return std::nullopt;
  }
  return name.Text() == text ? std::optional(name) : std::nullopt;
}

FileContent::FileContent(Kind kind, const Key& model, const Key& parent,
                         std::span<const int32_t> token_ids, uint64_t position)
    : ids(token_ids) {
  header.kind = static_cast<uint32_t>(kind);
  header.model = model;
  header.parent = parent;
  header.key = NextKey(parent, ids);
  header.position = position;
  header.ids = ids.size();
}

FileContent::FileContent(const Key& model, const Key& record) {
  header.kind = static_cast<uint32_t>(Kind::kRecord);
  header.model = model;
  header.key = record;
}

FileName FileContent::Name() const {
  const Kind kind = static_cast<Kind>(header.kind);
  return {kind, static_cast<uint32_t>(header.position), NameOf(header.key),
          kind == Kind::kRecord ? "" : NameOf(header.parent)};
}

int WriteContent(const Directory& directory, const FileContent& content,
                 std::span<const std::span<const uint8_t>> bytes) {
  FileHeader header = content.header;
  Checksum checksum;
  checksum.AddHeader(header);
  checksum.Add(content.ids.data(), content.ids.size_bytes());
  std::vector<std::span<const uint8_t>> parts{
      {reinterpret_cast<const uint8_t*>(&header), sizeof header},
      {reinterpret_cast<const uint8_t*>(content.ids.data()), content.ids.size_bytes()}};
  for (const std::span<const uint8_t> part : bytes) {
    checksum.Add(part.data(), part.size());
    parts.push_back(part);
  }
  checksum.Finish(&header.checksum);
  return directory.Write(content.Name().Text(), parts);
}

Reading ReadContent(const Directory& directory, const FileContent& content,
                    std::span<const Room> rooms) {
  OpenedFile file(directory, content.Name());
  FileHeader header;
  const Reading front = ReadFront(content, &file, &header);
  if (front != Reading::kGood) return front;
  Checksum checksum;
  checksum.AddHeader(header);
  checksum.Add(content.ids.data(), content.ids.size_bytes());
  std::vector<uint8_t> unwanted;
  for (const Room& room : rooms) {
    uint8_t* to = room.data;
    if (to == nullptr) {
      unwanted.resize(std::max(unwanted.size(), room.bytes));
      to = unwanted.data();
    }
    if (file.Read(to, room.bytes) != 0) return file.Failed();
    checksum.Add(to, room.bytes);
  }
  if (!checksum.Matches(header)) return file.Bad();
  file.Touch();
  return Reading::kGood;
}

Reading ReadRecord(const Directory& directory, FileContent content, std::vector<uint8_t>* bytes) {
  OpenedFile file(directory, content.Name());
  if (file.error() != 0) return file.Failed();
  if (file.bytes() < sizeof(FileHeader) || file.bytes() > sizeof(FileHeader) + kMostRecordBytes) {
    return file.Bad();
  }
  content.header.bytes = file.bytes() - sizeof(FileHeader);
  bytes->resize(content.header.bytes);
  const Room room{bytes->data(), bytes->size()};
  return ReadContent(directory, content, {&room, 1});
}

Reading CheckFile(const Directory& directory, const FileName& name) {
  OpenedFile file(directory, name);
  if (file.error() != 0) return file.Failed();
  FileHeader header;
  if (file.bytes() < sizeof header) return file.Bad();
  if (file.Read(&header, sizeof header) != 0) return file.Failed();
  const FileHeader expected;
  const uint64_t most_ids = kStepTokens, rest = file.bytes() - sizeof header;
  const bool record = name.kind == Kind::kRecord;
  if (memcmp(header.magic, expected.magic, sizeof header.magic) != 0 ||
      header.version != kFormatVersion || header.kind != static_cast<uint32_t>(name.kind) ||
      header.ids > most_ids || header.bytes > rest ||
      header.ids * sizeof(int32_t) != rest - header.bytes || header.position != name.position ||
      NameOf(header.key) != name.key || (!record && NameOf(header.parent) != name.parent)) {
    return file.Bad();
  }
  std::vector<int32_t> ids(header.ids);
  if (file.Read(ids.data(), ids.size() * sizeof(int32_t)) != 0) return file.Failed();
  if (!record && NextKey(header.parent, ids) != header.key) return file.Bad();
  Checksum checksum;
  checksum.AddHeader(header);
  checksum.Add(ids.data(), ids.size() * sizeof(int32_t));
  std::vector<uint8_t> piece(std::min<uint64_t>(kAtOnce, header.bytes));
  for (uint64_t left = header.bytes; left > 0;) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(left, kAtOnce));
    if (file.Read(piece.data(), count) != 0) return file.Failed();
    checksum.Add(piece.data(), count);
    left -= count;
  }
  return checksum.Matches(header) ? Reading::kGood : file.Bad();
}

}  // namespace finback::cache
