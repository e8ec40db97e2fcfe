// What is open, as JSON: sizes, tensors by kind and dtype, memory for a context,
// bytes read per token.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/checkpoint/settings/generation_config.h"
#include "core/network/model.h"

namespace finback {

struct InfoInputs {
  const Model& model;
  const GenerationConfig& generation;
  EffortLadder ladder;
  int64_t context_tokens;
  int32_t chunk_tokens;
  uint64_t sequence_bytes;
  uint64_t scratch_bytes;
  uint64_t budget_bytes;
  bool copied_weights;
  const std::vector<std::string>& notes;  // what was ignored or looks wrong, by file
};

std::string ModelInfoJson(const InfoInputs& inputs);

}  // namespace finback
