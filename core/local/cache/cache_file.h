// One file of the cache: a header, token ids, bytes. It is read only where all of it is what the
// reader expects, and a checksum over all of it is right; so lengths in a file are never trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/local/cache/cache_key.h"
#include "core/local/cache/directory.h"
#include "core/network/memory/parts.h"

namespace finback::cache {

enum class Kind : uint8_t {
  kStep,    // what kStepTokens tokens have added
  kPoint,   // what slides at a position
  kRecord,  // what somebody else wants kept
};
inline constexpr size_t kKinds = 3;
inline constexpr const char* kKindNames[kKinds] = {"step", "point", "record"};

// What the name of a file says.
struct FileName {
  Kind kind = Kind::kStep;
  uint32_t position = 0;    // tokens up to its end; 0 of a record
  std::string key, parent;  // as NameOf(); a record has no parent

  std::string Text() const;
};
std::optional<FileName> ParseName(std::string_view text);

// What a file has in front of ids and bytes, little-endian.
struct FileHeader {
  char magic[8] = {'F', 'I', 'N', 'B', 'K', 'E', 'P', 'T'};
  uint32_t version = kFormatVersion;
  uint32_t kind = 0;
  Key model{}, parent{}, key{};
  uint64_t position = 0;
  uint64_t ids = 0, bytes = 0;  // how many follow
  uint64_t checksum[2] = {};    // of all the rest
};
static_assert(sizeof(FileHeader) == 152);

// A file that is to be written, or is expected.
struct FileContent {
  FileHeader header;
  std::span<const int32_t> ids;

  // Ids are those since the last whole step, or that step's.
  FileContent(Kind kind, const Key& model, const Key& parent, std::span<const int32_t> ids,
              uint64_t position);
  explicit FileContent(const Key& model, const Key& record);
  FileName Name() const;
  uint64_t Size() const { return sizeof header + ids.size_bytes() + header.bytes; }
};

// Writes it with these bytes: 0, or an errno. See Directory::Write().
int WriteContent(const Directory& directory, const FileContent& content,
                 std::span<const std::span<const uint8_t>> bytes);

enum class Reading : uint8_t {
  kGood,
  kMissing,
  kBad,      // not what is expected, and removed
  kRefused,  // the system would not let it be read
};
// Reads what is expected into `rooms`, whose content is anything unless it is good. Notes the use.
Reading ReadContent(const Directory& directory, const FileContent& content,
                    std::span<const Room> rooms);
// The bytes of a record, of at most kMostRecordBytes.
inline constexpr uint64_t kMostRecordBytes = 64u << 20;
Reading ReadRecord(const Directory& directory, FileContent content, std::vector<uint8_t>* bytes);
// Whether a file is whole and what its name says, whoever it is of.
Reading CheckFile(const Directory& directory, const FileName& name);

}  // namespace finback::cache
