#include "core/checkpoint/safetensors.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/base/file_nature.h"
#include "core/base/status.h"
#include "core/base/utf8.h"

namespace finback {
namespace {

struct TypeRow {
  const char* tag;
  uint32_t bits;
};
constexpr TypeRow kTypes[] = {
    {"F64", 64},    {"F32", 32}, {"F16", 16}, {"BF16", 16}, {"F8_E4M3", 8}, {"F8_E5M2", 8},
    {"F8_E8M0", 8}, {"F4", 4},   {"I64", 64}, {"I32", 32},  {"I16", 16},    {"I8", 8},
    {"U64", 64},    {"U32", 32}, {"U16", 16}, {"U8", 8},    {"BOOL", 8},
};

// What nlohmann's SAX parser calls for both documents. Derived handlers implement the six events
// that matter; a refused document throws, which the parser passes through.
class SaxHandler {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  SaxHandler(const std::string& path, const char* what) : path_(path), what_(what) {}
  virtual ~SaxHandler() = default;

  virtual bool key(string_t& name) = 0;
  virtual bool string(string_t& text) = 0;
  virtual bool number_unsigned(number_unsigned_t value) = 0;
  virtual bool Other(const char* found) = 0;  // null, boolean, negative or fractional number
  virtual bool start_object(size_t) = 0;
  virtual bool end_object() = 0;
  virtual bool start_array(size_t) = 0;
  virtual bool end_array() = 0;

  bool null() { return Other("null"); }
  bool boolean(bool value) { return Other(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) {
    return value >= 0 ? number_unsigned(static_cast<number_unsigned_t>(value))
                      : Other(std::to_string(value).c_str());
  }
  bool number_float(number_float_t, const string_t& spelling) {
    return Other(std::string(CutUtf8(spelling, 40)).c_str());
  }
  bool binary(binary_t&) { return Other("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    Throw(Code::kCheckpoint, "%s: %s: malformed JSON at byte %zu", path_.c_str(), what_, position);
  }

 protected:
  const std::string& path_;
  const char* what_;
};

class HeaderHandler final : public SaxHandler {
 public:
  HeaderHandler(const std::string& path, SafetensorsHeader* header)
      : SaxHandler(path, "header"), header_(header) {}

  bool key(string_t& name) override {
    if (place_ == kSkipped) return true;
    if (place_ == kTop) {
      name_ = name;
      if (name_ == "__metadata__") {
        place_ = kBeforeSkipped;
        return true;
      }
      entry_ = {};
      seen_ = 0;
      place_ = kBeforeEntry;
      return true;
    }
    member_ = name == "dtype"          ? kDtype
              : name == "shape"        ? kShape
              : name == "data_offsets" ? kOffsets
                                       : 0;
    if (member_ == 0) Fail("member " + QuoteForMessage(name), "dtype, shape or data_offsets");
    if (seen_ & member_) Fail("a second " + name, "one");
    seen_ |= member_;
    return true;
  }

  bool string(string_t& text) override {
    if (Skipping()) return true;
    if (place_ != kEntry || member_ != kDtype) return Other("a string");
    for (size_t i = 0; i < std::size(kTypes); ++i) {
      if (text == kTypes[i].tag) {
        entry_.type = static_cast<StoredType>(i);
        return true;
      }
    }
    Fail("dtype " + QuoteForMessage(text), "a dtype of the safetensors format");
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (Skipping()) return true;
    if (place_ == kInShape) {
      if (count_ >= kSafetensorsMaxRank) Fail("more than 4 dimensions", "at most 4");
      if (value > static_cast<uint64_t>(INT64_MAX))
        Fail("a dimension of " + std::to_string(value), "less than 2^63");
      entry_.shape[count_++] = static_cast<int64_t>(value);
      return true;
    }
    if (place_ == kInOffsets) {
      if (count_ >= 2) Fail("more than 2 data_offsets", "[begin, end]");
      (count_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    return Other("a number");
  }

  bool Other(const char* found) override {
    if (Skipping()) return true;
    if (place_ == kTop || place_ == kBeforeTop) {
      Throw(Code::kCheckpoint, "%s: header: found %s, expected an object of tensors", path_.c_str(),
            found);
    }
    Fail(found, Expected());
  }

  bool start_object(size_t) override {
    if (place_ == kBeforeTop) {
      place_ = kTop;
    } else if (place_ == kBeforeEntry) {
      place_ = kEntry;
    } else if (place_ == kBeforeSkipped || place_ == kSkipped) {
      place_ = kSkipped;
      ++depth_;
    } else {
      return Other("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == kSkipped) return LeaveSkipped();
    if (place_ == kEntry) {
      FinishEntry();
      place_ = kTop;
    }
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == kBeforeSkipped || place_ == kSkipped) {
      place_ = kSkipped;
      ++depth_;
      return true;
    }
    if (place_ != kEntry || member_ == kDtype) return Other("an array");
    place_ = member_ == kShape ? kInShape : kInOffsets;
    count_ = 0;
    return true;
  }

  bool end_array() override {
    if (place_ == kSkipped) return LeaveSkipped();
    if (place_ == kInShape) entry_.rank = static_cast<uint8_t>(count_);
    if (place_ == kInOffsets && count_ != 2) Fail("fewer than 2 data_offsets", "[begin, end]");
    place_ = kEntry;
    return true;
  }

 private:
  enum Place {
    kBeforeTop,
    kTop,
    kBeforeEntry,
    kEntry,
    kInShape,
    kInOffsets,
    kBeforeSkipped,
    kSkipped
  };
  enum Member { kDtype = 1, kShape = 2, kOffsets = 4 };

  // Values of __metadata__ are nobody's business here; a scalar ends the skipping at once.
  bool Skipping() {
    if (place_ == kBeforeSkipped)
      place_ = kTop;
    else if (place_ != kSkipped)
      return false;
    return true;
  }

  bool LeaveSkipped() {
    if (--depth_ == 0) place_ = kTop;
    return true;
  }

  const char* Expected() const {
    if (place_ == kBeforeEntry) return "an object with dtype, shape and data_offsets";
    if (place_ == kInShape) return "whole numbers from 0 in shape";
    if (place_ == kInOffsets) return "whole numbers from 0 in data_offsets";
    return member_ == kDtype   ? "a dtype string"
           : member_ == kShape ? "an array as shape"
                               : "[begin, end] as data_offsets";
  }

  void FinishEntry() {
    if (seen_ != (kDtype | kShape | kOffsets)) {
      Fail(std::string("no ") + (!(seen_ & kDtype)   ? "dtype"
                                 : !(seen_ & kShape) ? "shape"
                                                     : "data_offsets"),
           "dtype, shape and data_offsets");
    }
    // The view is set when `names` has stopped growing; until then only its size is known.
    entry_.name = std::string_view(nullptr, 0);
    lengths_.push_back(name_.size());
    header_->names.insert(header_->names.end(), name_.begin(), name_.end());
    header_->entries.push_back(entry_);
  }

  [[noreturn]] void Fail(const std::string& found, const char* expected) const {
    Throw(Code::kCheckpoint, "%s: tensor %s: found %s, expected %s", path_.c_str(),
          QuoteForMessage(name_).c_str(), found.c_str(), expected);
  }

 public:
  void SetNames() {
    const char* at = header_->names.data();
    for (size_t i = 0; i < lengths_.size(); ++i) {
      header_->entries[i].name = std::string_view(at, lengths_[i]);
      at += lengths_[i];
    }
  }

 private:
  SafetensorsHeader* header_;
  std::vector<size_t> lengths_;
  std::string name_;
  SafetensorsEntry entry_;
  Place place_ = kBeforeTop;
  int member_ = 0, seen_ = 0, count_ = 0;
  size_t depth_ = 0;
};

class IndexHandler final : public SaxHandler {
 public:
  IndexHandler(const std::string& path, ShardIndex* index)
      : SaxHandler(path, "index"), index_(index) {}

  bool key(string_t& name) override {
    if (depth_ == 1) {
      in_map_ = name == "weight_map";
      if (in_map_ && seen_)
        Throw(Code::kCheckpoint, "%s: found a second weight_map, expected one", path_.c_str());
    } else if (in_map_) {
      name_ = name;
    }
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ != 2 || !in_map_) return Other("a string");
    if (text != last_shard_ || index_->shards.empty()) {
      CheckShardName(text);
      const auto [found, added] =
          shards_.try_emplace(text, static_cast<uint32_t>(index_->shards.size()));
      if (added) index_->shards.push_back(text);
      last_shard_ = text;
      last_number_ = found->second;
    }
    lengths_.push_back(name_.size());
    index_->names.insert(index_->names.end(), name_.begin(), name_.end());
    index_->entries.push_back({{}, last_number_});
    return true;
  }

  bool number_unsigned(number_unsigned_t) override { return Other("a number"); }

  bool Other(const char* found) override {
    if (depth_ == 0)
      Throw(Code::kCheckpoint, "%s: found %s, expected an object", path_.c_str(), found);
    if (!in_map_) return true;
    if (depth_ == 1)
      Throw(Code::kCheckpoint, "%s: weight_map: found %s, expected an object", path_.c_str(),
            found);
    Throw(Code::kCheckpoint, "%s: weight_map: tensor %s: found %s, expected a file name",
          path_.c_str(), QuoteForMessage(name_).c_str(), found);
  }

  bool start_object(size_t) override {
    if (in_map_ && depth_ >= 2) return Other("an object");
    if (in_map_) seen_ = true;
    ++depth_;
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ == 0 || in_map_) return Other("an array");
    ++depth_;
    return true;
  }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }

  void Finish() {
    if (!seen_) Throw(Code::kCheckpoint, "%s: found no weight_map, expected one", path_.c_str());
    const char* at = index_->names.data();
    for (size_t i = 0; i < lengths_.size(); ++i) {
      index_->entries[i].name = std::string_view(at, lengths_[i]);
      at += lengths_[i];
    }
  }

 private:
  bool Leave() {
    if (--depth_ == 1) in_map_ = false;
    return true;
  }

  void CheckShardName(const std::string& shard) const {
    const bool plain = !shard.empty() && shard.size() <= 255 && shard != "." && shard != ".." &&
                       shard.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    if (plain) return;
    Throw(Code::kCheckpoint,
          "%s: weight_map: tensor %s: found file %s, expected a plain file name in the same folder",
          path_.c_str(), QuoteForMessage(name_).c_str(), QuoteForMessage(shard).c_str());
  }

  ShardIndex* index_;
  std::map<std::string, uint32_t> shards_;
  std::vector<size_t> lengths_;
  std::string name_, last_shard_;
  uint32_t last_number_ = 0;
  size_t depth_ = 0;
  bool in_map_ = false, seen_ = false;
};

// The parser takes a NUL for the end of the text, so that anything could follow it unseen.
template <typename Handler>
void ParseStrictly(std::string_view json, const char* what, const std::string& path,
                   Handler* handler) {
  const size_t nul = json.find('\0');
  if (nul != std::string_view::npos) {
    Throw(Code::kCheckpoint, "%s: %s: malformed JSON at byte %zu", path.c_str(), what, nul);
  }
  nlohmann::json::sax_parse(json.data(), json.data() + json.size(), handler);
}

std::string OffsetsText(const SafetensorsEntry& entry) {
  return Format("[%" PRIu64 ", %" PRIu64 "]", entry.begin, entry.end);
}

// shape times element size; false when it does not fit in 63 bits.
bool DataBits(const SafetensorsEntry& entry, uint64_t* bits) {
  uint64_t elements = 1;
  for (int i = 0; i < entry.rank; ++i) {
    if (__builtin_mul_overflow(elements, static_cast<uint64_t>(entry.shape[i]), &elements))
      return false;
  }
  return !__builtin_mul_overflow(elements, kTypes[static_cast<size_t>(entry.type)].bits, bits);
}

void CheckEntry(const SafetensorsEntry& entry, uint64_t buffer_bytes, const std::string& path) {
  const std::string where = path + ": tensor " + QuoteForMessage(entry.name);
  if (entry.begin > entry.end || entry.end > buffer_bytes) {
    Throw(Code::kCheckpoint,
          "%s: data_offsets: found %s, expected begin <= end <= %" PRIu64
          ", the bytes after the header (is the file truncated?)",
          where.c_str(), OffsetsText(entry).c_str(), buffer_bytes);
  }
  const uint64_t bytes = entry.end - entry.begin;
  uint64_t bits = 0;
  const bool fits = DataBits(entry, &bits);
  if (fits && bits == bytes * 8 && bytes <= UINT64_MAX / 8) return;
  // Packed FP4 may carry the shape of its bytes or of its elements.
  if (fits && entry.type == StoredType::kF4 && bits / 4 == bytes) return;
  const std::string shape = ShapeText(entry.shape, entry.rank);
  if (!fits) {
    Throw(Code::kCheckpoint, "%s: shape: found %s, expected a size that fits in 64 bits",
          where.c_str(), shape.c_str());
  }
  Throw(Code::kCheckpoint,
        "%s: data_offsets: found %" PRIu64 " bytes, expected %" PRIu64 " for %s %s", where.c_str(),
        bytes, (bits + 7) / 8, StoredTypeName(entry.type), shape.c_str());
}

// Sorts by offset and demands that the buffer is covered exactly once, as the format does: two
// names for the same bytes or bytes without a name have no honest use.
void CheckCoverage(SafetensorsHeader* header, uint64_t buffer_bytes, const std::string& path) {
  const auto before = [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  };
  if (!std::is_sorted(header->entries.begin(), header->entries.end(), before)) {
    std::sort(header->entries.begin(), header->entries.end(), before);
  }
  const SafetensorsEntry* last = nullptr;
  uint64_t end = 0;
  for (const SafetensorsEntry& entry : header->entries) {
    if (entry.begin != end) {
      Throw(Code::kCheckpoint,
            "%s: tensor %s: data_offsets: found %s, %s tensor %s %s; expected begin %" PRIu64,
            path.c_str(), QuoteForMessage(entry.name).c_str(), OffsetsText(entry).c_str(),
            entry.begin < end ? "overlapping" : "leaving a gap after",
            last ? QuoteForMessage(last->name).c_str() : "(none)",
            last ? OffsetsText(*last).c_str() : "", end);
    }
    end = entry.end;
    last = &entry;
  }
  if (end != buffer_bytes) {
    Throw(Code::kCheckpoint,
          "%s: found %" PRIu64 " bytes after the header, expected %" PRIu64
          ", the end of the last tensor",
          path.c_str(), buffer_bytes, end);
  }
}

}  // namespace

const char* StoredTypeName(StoredType type) { return kTypes[static_cast<size_t>(type)].tag; }

std::string QuoteForMessage(std::string_view text) {
  constexpr size_t kLongest = 160;
  std::string out = "\"";
  for (const char c : CutUtf8(text, kLongest)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F) {
      out += Format("\\x%02x", byte);
    } else {
      out += c;
    }
  }
  out += text.size() > kLongest ? "...\"" : "\"";
  return out;
}

std::string ShapeText(const int64_t* shape, int rank) {
  std::string out = "[";
  for (int i = 0; i < rank; ++i) out += Format("%s%" PRId64, i ? ", " : "", shape[i]);
  return out + "]";
}

SafetensorsHeader ParseSafetensorsHeader(std::string_view json, uint64_t buffer_bytes,
                                         const std::string& path) {
  if (json.empty() || json[0] != '{') {
    Throw(Code::kCheckpoint, "%s: header: found %s, expected a JSON object", path.c_str(),
          json.empty() ? "nothing" : QuoteForMessage(json.substr(0, 1)).c_str());
  }
  SafetensorsHeader header;
  header.entries.reserve(json.size() / 128);
  header.names.reserve(json.size() / 4);
  HeaderHandler handler(path, &header);
  ParseStrictly(json, "header", path, &handler);
  handler.SetNames();
  for (const SafetensorsEntry& entry : header.entries) CheckEntry(entry, buffer_bytes, path);
  CheckCoverage(&header, buffer_bytes, path);
  return header;
}

SafetensorsHeader ParseSafetensorsFile(std::span<const uint8_t> file, const std::string& path) {
  const std::string_view head(reinterpret_cast<const char*>(file.data()),
                              std::min<size_t>(file.size(), 4096));
  const auto name_nature = [&] {
    RefuseOtherNature(path, head, file.size());
    if (head[0] != '{') return;
    Throw(Code::kCheckpoint,
          "%s: this is JSON, perhaps a server's error (%s): download the file "
          "again",
          path.c_str(), QuoteForMessage(CutUtf8(head, 80)).c_str());
  };
  if (file.size() < 8) {
    if (!file.empty()) name_nature();
    Throw(Code::kCheckpoint, "%s: found %zu bytes, expected a safetensors file: download it again",
          path.c_str(), file.size());
  }
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | file[static_cast<size_t>(i)];
  const uint64_t limit = std::min<uint64_t>(file.size() - 8, kSafetensorsMaxHeaderBytes);
  if (length > limit || (file.size() > 8 && file[8] != '{')) name_nature();
  if (length > limit) {
    Throw(Code::kCheckpoint,
          "%s: header length: found %" PRIu64 " bytes, expected at most %" PRIu64
          " (the file has %zu: is it truncated?)",
          path.c_str(), length, limit, file.size());
  }
  const std::string_view json(reinterpret_cast<const char*>(file.data()) + 8, length);
  SafetensorsHeader header = ParseSafetensorsHeader(json, file.size() - 8 - length, path);
  header.buffer_offset = 8 + length;
  return header;
}

ShardIndex ParseShardIndex(std::string_view json, const std::string& path) {
  RefuseOtherNature(path, json, json.size());
  ShardIndex index;
  IndexHandler handler(path, &index);
  ParseStrictly(json, "index", path, &handler);
  handler.Finish();
  return index;
}

}  // namespace finback
