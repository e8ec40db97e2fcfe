// Scans of tensor contents: codes that no honest writer produces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "core/checkpoint/weights.h"

namespace finback {

struct TensorCheck {
  const Tensor* tensor = nullptr;
  std::string where;         // begins every message
  int32_t experts = 0;       // tid2eid: ids are below this
  uint8_t* codes = nullptr;  // F32 scales: where their E8M0 codes go, or nullptr
  bool scale = false;        // F32 scales must be powers of two
};

// Throws Error(kCheckpoint): NaN codes and scales, infinities, expert ids out of range or twice in
// a row of the table, with the element's index; matrices, norms and scales that were never written,
// or not in part.
// Error(kUnsupported) for a scale that is no power of two. `piece(bytes)` is called after each part
// of the data; what it throws passes through.
void CheckTensorContents(const TensorCheck& check, const std::function<void(uint64_t)>& piece);

// The same of what was never written alone, for the page at byte `at` and what is around it: reads
// 64 KiB at most, unless all of them are one byte.
void CheckTensorSample(const TensorCheck& check, size_t at);

}  // namespace finback
