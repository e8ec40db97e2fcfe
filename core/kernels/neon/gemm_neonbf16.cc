// Products of bfloat16 activations with ARM's BF16 instructions, which multiply the odd (bfmlalt)
// or the even (bfmlalb) elements of eight pairs and add them to four sums, rounded once: the order
// of gemm.h. (bfdot and bfmmla round otherwise.) Half the loads of the float32 products, panels of
// half the size.
//
//   x, panel   bfloat16, in their own order
//
// Instructions per 32 weights, few rows, beside 8 products and 4 loads of x per row:
//   BF16 4, FP8 38, FP4 28. Many rows, per 8 of k of a block: 12 products, 2 loads of x, 3 of
//   weights.
#include "core/kernels/kernels.h"
#include "core/kernels/neon/gemm_neon_shapes.h"

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)

namespace finback {
namespace {

struct Bf16Arithmetic {
  using Element = uint16_t;
  using Vector = bfloat16x8_t;

  static Vector Input(const uint16_t* x) { return vreinterpretq_bf16_u16(vld1q_u16(x)); }
  static Vector Weights(const uint16_t* panel, int v) { return Input(panel + 8 * v); }
  // Weights times their scale are bfloat16 values: the lower halves of their float32 are zero.
  static Vector Decoded(const NeonPairs& w, int v) {
    return vreinterpretq_bf16_u32(
        vsriq_n_u32(vreinterpretq_u32_f32(w.odd[v]), vreinterpretq_u32_f32(w.even[v]), 16));
  }
  static void Store(const NeonPairs& w, uint16_t* to) {
    for (int v = 0; v < kNeonVectors; ++v) {
      vst1q_u16(to + 8 * v, vreinterpretq_u16_bf16(Decoded(w, v)));
    }
  }
  static float32x4_t Add(float32x4_t sum, Vector x, Vector w) {
    return vbfmlalbq_f32(vbfmlaltq_f32(sum, x, w), x, w);
  }
};

// Times a small scale an E4M3 value may have no bfloat16: what is below 2^-126 counts as zero.
struct FlushedFp8 : NeonFp8 {
  static constexpr float kAllNormal = 0x1p-117f;  // times 2^-9, the smallest of E4M3

  static NeonPairs Load(const uint8_t* code, float factor) {
    NeonPairs pairs = NeonFp8::Load(code, factor);
    if (factor >= kAllNormal) return pairs;
    for (int v = 0; v < kNeonVectors; ++v) {
      pairs.odd[v] = Flushed(pairs.odd[v]);
      pairs.even[v] = Flushed(pairs.even[v]);
    }
    return pairs;
  }
  static float32x4_t Flushed(float32x4_t v) {
    const uint32x4_t normal = vcageq_f32(v, vdupq_n_f32(0x1p-126f));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), normal));
  }
};

template <typename Format>
void GemmNeonBf16(const GemmArgs& args) {
  NeonProduct<Bf16Arithmetic, Format>::Multiply(args);
}

}  // namespace

void GemmBf16NeonBf16(const GemmArgs& args) { GemmNeonBf16<NeonBf16>(args); }
void GemmFp8NeonBf16(const GemmArgs& args) { GemmNeonBf16<FlushedFp8>(args); }
void GemmFp4NeonBf16(const GemmArgs& args) { GemmNeonBf16<NeonFp4>(args); }

}  // namespace finback

#endif  // __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
