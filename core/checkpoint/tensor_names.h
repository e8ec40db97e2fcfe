// Other tools' spellings of a checkpoint's tensor names, and the one that this library uses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace finback {

// What the published checkpoints call the tensor that a file calls `stored` (docs/architecture.md
// 2.2): the spellings of the transformers library (2.5) and of DeepSeek's older models (2.4) are
// translated; a published or unknown name comes back as it is.
std::string PublishedName(std::string_view stored);

// The expert tensors of a layer in one: [experts, rows, columns] under a transformers name.
enum class FusedExperts : uint8_t {
  kNone,
  kGateUp,  // w1's rows, then w3's
  kDown,    // w2
};

struct FusedName {
  FusedExperts kind = FusedExperts::kNone;
  std::string prefix;  // "layers.0.ffn.experts."
  std::string suffix;  // ".weight" or ".scale"

  // "layers.0.ffn.experts.7.w3.weight"
  std::string Part(int64_t expert, const char* matrix) const {
    return prefix + std::to_string(expert) + "." + matrix + suffix;
  }
};

// Reads a name that PublishedName returned.
FusedName ParseFusedName(std::string_view published);

}  // namespace finback
