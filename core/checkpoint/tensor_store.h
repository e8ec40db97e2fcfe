// The shards of a checkpoint folder, mapped, and their tensors by name. Owned by Weights; filled by
// OpenTensorStore, then immutable but for the scales converted on first use.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/buffer.h"
#include "core/base/file_map.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/weights.h"

namespace finback {

// E8M0 codes of a scale tensor that the file stores as F32 (Base checkpoints). The memory is
// reserved at open and filled when the tensor's contents are checked,
// because opening reads no tensor data.
struct ConvertedScale {
  size_t tensor = 0;
  Buffer<uint8_t> codes;
};

struct TensorStore {
  std::string origin;  // the index or the single file: where a missing tensor was looked for
  std::vector<std::string> files;
  std::vector<FileMap> maps;
  std::vector<SafetensorsHeader> headers;  // after open only their names
  std::deque<std::string> renamed;     // names that differ from the published spelling, corrected
  std::deque<SafetensorsEntry> parts;  // of tensors that hold all experts of a layer
  std::vector<Tensor> tensors;         // by name; kind, dtype and shape are the binder's to set
  uint64_t total_bytes = 0;
  std::vector<ConvertedScale> converted;  // by tensor
  std::deque<Buffer<float>> widened;      // BF16 matrices that are used as F32

  // What the headers say, parallel to `tensors`, and which of them the model has used;
  // for the binder.
  std::vector<const SafetensorsEntry*> entries;
  std::vector<bool> bound;

  static constexpr size_t kNotFound = static_cast<size_t>(-1);
  size_t Find(std::string_view name) const;
  size_t LowerBound(std::string_view name) const;  // first tensor that does not sort before `name`

  // "<file>: tensor "<name>"": how every message about a tensor begins.
  std::string Where(size_t tensor) const;
};

// Maps the shards of `folder`, or copies them where `copy` is not empty, checks headers against
// files and index, sorts the tensors. MTP blocks beyond the config's, and draft modules of another
// design, are left out; returns which drafts were met.
FoundDrafts OpenTensorStore(const std::string& folder, const Config& config, const WeightsIn& in,
                            TensorStore* store);

}  // namespace finback
