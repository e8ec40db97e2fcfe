// Rotary positions in every shape that config.json has them: rope_scaling or rope_parameters, flat,
// by "main" and "compress", or by the kind of layer. Whatever changes a number is read or refused.
#pragma once

#include <cstdint>

#include "core/json/json_fields.h"

namespace finback {

struct RopeSettings {
  float theta = 0, compress_theta = 0;  // 0: not given
  float partial_factor = 0;             // of the head's width; 0: not given
  // Of layers that compress; original_positions 0: no YaRN.
  float factor = 1, beta_fast = 32, beta_slow = 1;
  int64_t original_positions = 0;
};

// `root` is the document. Throws as the other fields of the configuration do.
RopeSettings ReadRope(JsonFields* root);

}  // namespace finback
