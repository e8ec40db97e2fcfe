// The pair product of attention with the BF16 instructions of ARM (attention_lanes.h): products of
// the upper, then of the lower elements of pairs, added with one rounding.
//
//   product    blocks of 6 rows x 16 columns: 4 loads of b and 6 of a for 48 multiplications of 4
//
// Limit: multiply-adds, two or four per cycle.
#include "core/kernels/attention/attention_lanes.h"
#include "core/kernels/kernels.h"

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)

#include <arm_neon.h>

namespace finback {
namespace {

struct Isa {
  static constexpr int kWidth = 4, kRows = 6, kVectors = 4;
  using F = float32x4_t;
  using Pairs = bfloat16x8_t;
  using Spread = Pairs;

  static F Zero() { return vdupq_n_f32(0.0f); }
  static F Load(const float* from) { return vld1q_f32(from); }
  static void Store(float* to, F v) { vst1q_f32(to, v); }
  static Pairs LoadPairs(const Bf16* from) { return vreinterpretq_bf16_u16(vld1q_u16(from)); }
  static Spread Broadcast(const Bf16* pair) {
    uint32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return vreinterpretq_bf16_u32(vdupq_n_u32(bits));
  }
  static F Step(F sum, Spread a, Pairs b) { return vbfmlalbq_f32(vbfmlaltq_f32(sum, a, b), a, b); }
};

}  // namespace

void PairProductNeonBf16(const PairProductArgs& args) { PairProduct<Isa>(args); }

}  // namespace finback

#endif  // __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
