#include "core/checkpoint/verify.h"

#include <algorithm>
#include <map>
#include <string>

#include "core/base/file_map.h"
#include "core/base/sha256.h"
#include "core/base/status.h"
#include "core/checkpoint/safetensors.h"

namespace finback {
namespace {

constexpr size_t kPieceBytes = 8u << 20;
constexpr size_t kHexDigits = 64;

// Counts tensors by the published storage of docs/architecture.md 2.2.
struct Tally {
  CheckpointTotals totals;

  void Add(uint64_t bytes) {
    ++totals.tensors;
    totals.bytes += bytes;
  }
  void Bf16(uint64_t elements) { Add(2 * elements); }
  void F32(uint64_t elements) { Add(4 * elements); }
  void Fp8(uint64_t out, uint64_t in) {
    Add(out * in);
    Add(((out + 127) / 128) * ((in + 127) / 128));
  }
  void Fp4(uint64_t out, uint64_t in) {
    Add(out * in / 2);
    Add(out * (in / 32));
  }
  void Hyper(uint64_t rows, uint64_t columns, uint64_t scales) {
    F32(rows * columns);
    F32(rows);
    F32(scales);
  }
  void Compressor(uint64_t ratio, uint64_t channels, uint64_t hidden, uint64_t width) {
    Bf16(channels * hidden);
    Bf16(channels * hidden);
    F32(ratio * channels);
    Bf16(width);
  }
};

uint64_t Size(int32_t n) { return static_cast<uint64_t>(n); }

void AddAttention(const Config& c, const LayerSpec& layer, Tally* tally) {
  const uint64_t d = Size(c.hidden), query = Size(c.heads) * Size(c.head_dim);
  const uint64_t grouped = Size(c.o_groups) * Size(c.o_lora_rank);
  tally->Fp8(Size(c.q_lora_rank), d);
  tally->Bf16(Size(c.q_lora_rank));
  tally->Fp8(query, Size(c.q_lora_rank));
  tally->Fp8(Size(c.head_dim), d);
  tally->Bf16(Size(c.head_dim));
  tally->F32(Size(c.heads));
  tally->Fp8(grouped, query / Size(c.o_groups));
  tally->Fp8(d, grouped);
  if (layer.kind == LayerKind::kWindow) return;
  const bool csa = layer.kind == LayerKind::kCsa;
  tally->Compressor(Size(layer.ratio), Size(c.head_dim) * (csa ? 2 : 1), d, Size(c.head_dim));
  if (!csa) return;
  tally->Fp8(Size(c.index_heads) * Size(c.index_head_dim), Size(c.q_lora_rank));
  tally->Bf16(Size(c.index_heads) * d);
  tally->Compressor(Size(layer.ratio), 2 * Size(c.index_head_dim), d, Size(c.index_head_dim));
}

void AddLayer(const Config& c, const LayerSpec& layer, Tally* tally) {
  const uint64_t d = Size(c.hidden), m = Size(c.hc_streams), width = Size(c.expert_width);
  for (int half = 0; half < 2; ++half) {
    tally->Bf16(d);
    tally->Hyper((2 + m) * m, m * d, 3);
  }
  AddAttention(c, layer, tally);
  tally->Bf16(Size(c.experts) * d);
  if (layer.hash_routed) {
    tally->Add(8 * Size(c.vocab) * Size(c.experts_per_token));
  } else {
    tally->F32(Size(c.experts));
  }
  Tally expert;
  expert.Fp4(width, d);
  expert.Fp4(width, d);
  expert.Fp4(d, width);
  tally->totals.tensors += Size(c.experts) * expert.totals.tensors;
  tally->totals.bytes += Size(c.experts) * expert.totals.bytes;
  tally->Fp8(width, d);
  tally->Fp8(width, d);
  tally->Fp8(d, width);
}

bool IsHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

// File name -> digest in lower case.
std::map<std::string, std::string> ParseList(std::string_view list) {
  std::map<std::string, std::string> digests;
  for (size_t line_number = 1; !list.empty(); ++line_number) {
    const size_t end = std::min(list.find('\n'), list.size());
    std::string_view line = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    const size_t digits =
        static_cast<size_t>(std::find_if_not(line.begin(), line.end(), IsHex) - line.begin());
    const bool blank = digits == kHexDigits && line.size() > digits &&
                       (line[digits] == ' ' || line[digits] == '\t');
    const size_t name_at = blank ? line.find_first_not_of(" \t*", digits) : std::string_view::npos;
    if (name_at == std::string_view::npos) {
      Throw(Code::kInvalidArgument,
            "SHA-256 list: line %zu: found %s, expected 64 hex digits and a file name", line_number,
            QuoteForMessage(line).c_str());
    }
    std::string digest(line.substr(0, kHexDigits));
    for (char& c : digest) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::string name = BaseName(line.substr(name_at));
    const auto [known, added] = digests.try_emplace(name, digest);
    if (!added && known->second != digest) {
      Throw(Code::kInvalidArgument,
            "SHA-256 list: line %zu: found a second digest for %s, expected one", line_number,
            QuoteForMessage(name).c_str());
    }
  }
  return digests;
}

}  // namespace

CheckpointTotals PublishedTotals(const Config& config) {
  const uint64_t d = Size(config.hidden), m = Size(config.hc_streams);
  Tally tally;
  tally.Bf16(Size(config.vocab) * d);
  tally.Bf16(Size(config.vocab) * d);
  tally.Bf16(d);
  tally.Hyper(m, m * d, 1);
  for (size_t i = 0; i < config.layers.size(); ++i) {
    AddLayer(config, config.layers[i], &tally);
    if (i < Size(config.layers_count)) continue;
    tally.Fp8(d, d);
    tally.Fp8(d, d);
    for (int norm = 0; norm < 3; ++norm) tally.Bf16(d);
    tally.Hyper(m, m * d, 1);
  }
  return tally.totals;
}

void VerifySha256(const Weights& weights, std::string_view list,
                  const std::function<bool(uint64_t, uint64_t)>& progress) {
  const std::map<std::string, std::string> digests = ParseList(list);
  uint64_t done = 0, total = 0;
  for (size_t i = 0; i < weights.files().size(); ++i) {
    total += weights.file_bytes(static_cast<uint32_t>(i));
    const std::string& file = weights.files()[i];
    if (digests.count(BaseName(file)) == 0) {
      Throw(Code::kCheckpoint, "%s: found no line for it in the SHA-256 list, expected one",
            file.c_str());
    }
  }
  for (const std::string& file : weights.files()) {
    const FileMap map(file);
    Sha256 hash;
    for (std::span<const uint8_t> rest = map.bytes(); !rest.empty();) {
      const size_t piece = std::min(kPieceBytes, rest.size());
      hash.Update(rest.first(piece));
      rest = rest.subspan(piece);
      done += piece;
      if (progress && !progress(done, total)) Throw(Code::kCancelled, "cancelled");
    }
    const std::string found = hash.FinishHex();
    const std::string& expected = digests.at(BaseName(file));
    if (found != expected) {
      Throw(Code::kCheckpoint, "%s: SHA-256: found %s, expected %s", file.c_str(), found.c_str(),
            expected.c_str());
    }
  }
}

}  // namespace finback
