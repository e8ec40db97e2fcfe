// Safetensors headers and shard indexes: the input as a whole file, as header text and as an index.
#include <stdint.h>

#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/checkpoint/safetensors.h"

namespace {

constexpr uint64_t kBufferBytes[] = {0, 16, 4096};

// What every later reader relies on.
void CheckInvariants(const finback::SafetensorsHeader& header, uint64_t buffer_bytes) {
  uint64_t end = 0;
  for (const finback::SafetensorsEntry& entry : header.entries) {
    if (entry.begin != end || entry.end < entry.begin || entry.end > buffer_bytes) __builtin_trap();
    if (entry.rank > finback::kSafetensorsMaxRank) __builtin_trap();
    for (int i = 0; i < entry.rank; ++i) {
      if (entry.shape[i] < 0) __builtin_trap();
    }
    if (finback::QuoteForMessage(entry.name).size() < 2) __builtin_trap();
    end = entry.end;
  }
  if (end != buffer_bytes) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto header = finback::ParseSafetensorsFile({data, size}, "file");
    CheckInvariants(header, size - header.buffer_offset);
  } catch (const finback::Error&) {
  }
  for (const uint64_t bytes : kBufferBytes) {
    try {
      CheckInvariants(finback::ParseSafetensorsHeader(text, bytes, "header"), bytes);
    } catch (const finback::Error&) {
    }
  }
  try {
    const finback::ShardIndex index = finback::ParseShardIndex(text, "index");
    for (const auto& entry : index.entries) {
      if (entry.shard >= index.shards.size()) __builtin_trap();
    }
    for (const std::string& shard : index.shards) {
      if (shard.empty() || shard == ".." || shard.find('/') != std::string::npos) __builtin_trap();
    }
  } catch (const finback::Error&) {
  }
  return 0;
}
