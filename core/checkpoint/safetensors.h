// The safetensors container: headers and the shard index, parsed and checked without touching
// tensor data. Everything read here is hostile until it has passed these functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finback {

// Element types of the container format; what a tensor may be made of is weights.cc's matter.
enum class StoredType : uint8_t {
  kF64,
  kF32,
  kF16,
  kBf16,
  kF8E4m3,
  kF8E5m2,
  kF8E8m0,
  kF4,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool,
};
const char* StoredTypeName(StoredType type);  // the tag in the file: "F8_E4M3"

inline constexpr int kSafetensorsMaxRank = 4;
// The format's own limit; a published Pro in one shard would need a fifth of it.
inline constexpr uint64_t kSafetensorsMaxHeaderBytes = 100'000'000;

struct SafetensorsEntry {
  std::string_view name;  // into the header's `names`
  StoredType type = StoredType::kF32;
  uint8_t rank = 0;
  int64_t shape[kSafetensorsMaxRank] = {};
  uint64_t begin = 0, end = 0;  // bytes from the buffer's start; begin <= end <= buffer size
};

// Movable: moving a vector keeps what the views point to.
struct SafetensorsHeader {
  std::vector<char> names;
  std::vector<SafetensorsEntry> entries;  // by offset: no overlaps, no gaps, the buffer covered
  uint64_t buffer_offset = 0;             // of the buffer in the file

  SafetensorsHeader() = default;
  SafetensorsHeader(SafetensorsHeader&&) = default;
  SafetensorsHeader& operator=(SafetensorsHeader&&) = default;
  SafetensorsHeader(const SafetensorsHeader&) = delete;
};

// `json` is the header text, `buffer_bytes` what follows it in the file. Throws Error(kCheckpoint)
// naming `path`, the tensor, what was found and what was expected. Duplicate names are not looked
// for: the opener does, over all files at once.
SafetensorsHeader ParseSafetensorsHeader(std::string_view json, uint64_t buffer_bytes,
                                         const std::string& path);

// The same for a whole file's bytes: length prefix, header, buffer. Reads the header pages alone.
SafetensorsHeader ParseSafetensorsFile(std::span<const uint8_t> file, const std::string& path);

// model.safetensors.index.json: which shard holds which tensor.
struct ShardIndex {
  struct Entry {
    std::string_view name;  // into `names`
    uint32_t shard = 0;
  };
  std::vector<char> names;
  std::vector<std::string> shards;  // plain file names, in order of first mention
  std::vector<Entry> entries;       // in the file's order, duplicates included

  ShardIndex() = default;
  ShardIndex(ShardIndex&&) = default;
  ShardIndex& operator=(ShardIndex&&) = default;
  ShardIndex(const ShardIndex&) = delete;
};
ShardIndex ParseShardIndex(std::string_view json, const std::string& path);

// `text` in double quotes for a one-line message: control and non-ASCII bytes escaped,
// long ones cut.
std::string QuoteForMessage(std::string_view text);

// "[8, 128]"
std::string ShapeText(const int64_t* shape, int rank);

}  // namespace finback
