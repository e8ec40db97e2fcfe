// Attention tiles and index scores with AVX2 and FMA.
//
//   scores   blocks of 2 heads x 2 keys: 8 loads and 8 shuffles for 16 fused multiply-adds
//   weights  exp on 8 keys at a time, the operations of exp.h
//   values   blocks of 2 heads x 16 channels in double: 6 loads for 8 fused multiply-adds, keys
//            ascending; a column of 16 channels of the tile (4 KB) serves every head
//   index    8 keys at a time: 2 x 4 keys x 1 head, one joint reduction, heads ascending
//
//   weight [kHeadBlock][kAttentionTile]  16 KB
//
// Limit: two fused multiply-adds per cycle; loads from the second-level cache.
#include "core/kernels/attention.h"
#include "core/kernels/dot_avx2.h"
#include "core/kernels/exp.h"

#if defined(__AVX2__)

namespace finback {
namespace {

constexpr size_t kHeadBlock = 64;
constexpr size_t kValueChannels = 16;
constexpr float kInfinity = __builtin_inff();

// ExpNonPositive on eight values.
inline __m256 Exp(__m256 x) {
  const __m256 lowest = _mm256_set1_ps(kExpLowest);
  const __m256 in_range = _mm256_cmp_ps(x, lowest, _CMP_GE_OQ);
  const __m256 v = _mm256_max_ps(x, lowest);
  const __m256 round = _mm256_set1_ps(kExpRound);
  const __m256 rounded = _mm256_add_ps(_mm256_mul_ps(v, _mm256_set1_ps(kExpLog2e)), round);
  const __m256 n = _mm256_sub_ps(rounded, round);
  const __m256 r = _mm256_sub_ps(_mm256_sub_ps(v, _mm256_mul_ps(n, _mm256_set1_ps(kExpLn2High))),
                                 _mm256_mul_ps(n, _mm256_set1_ps(kExpLn2Low)));
  __m256 p = _mm256_set1_ps(kExpPoly[0]);
#pragma GCC unroll 5
  for (int i = 1; i < 6; ++i) {
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(kExpPoly[i]));
  }
  const __m256 y =
      _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(p, _mm256_mul_ps(r, r)), r), _mm256_set1_ps(1.0f));
  const __m256i exponent =
      _mm256_add_epi32(_mm256_sub_epi32(_mm256_castps_si256(rounded), _mm256_castps_si256(round)),
                       _mm256_set1_epi32(127));
  const __m256 power = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  return _mm256_and_ps(_mm256_mul_ps(y, power), in_range);
}

// out[r][o] = dot(x row r, w row o) for R x O rows of n floats.
template <int R, int O>
void Dots(const float* x, const float* w, size_t n, float* out, size_t out_stride) {
  const size_t full = n / kStep * kStep;
  __m256 sums[R * O * 2];
#pragma GCC unroll 16
  for (int i = 0; i < R * O * 2; ++i) sums[i] = _mm256_setzero_ps();
  AccumulateBlock<R, O>(x, n, w, n, full, sums);
  if (full < n) AccumulateTail<R, O>(x + full, n, w + full, n, n - full, sums);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int o = 0; o < O; ++o) {
      const __m256* sum = sums + (r * O + o) * 2;
      out[r * out_stride + o] = ReduceBy8(Ordered(_mm256_add_ps(sum[0], sum[1])));
    }
  }
}

template <int R>
void HeadDots(const AttentionTileArgs& args, size_t head, float* weight) {
  const float* q = args.q + head * args.head_dim;
  size_t j = 0;
  for (; j + 2 <= args.count; j += 2) {
    Dots<R, 2>(q, args.keys + j * args.head_dim, args.head_dim, weight + j, kAttentionTile);
  }
  if (j < args.count) {
    Dots<R, 1>(q, args.keys + j * args.head_dim, args.head_dim, weight + j, kAttentionTile);
  }
}

// Turns a head's dots into softmax weights (0 beyond count), updates its maximum and sum, and
// returns what its accumulator must be multiplied by.
float UpdateSoftmax(const AttentionTileArgs& args, size_t head, float* weight) {
  for (size_t j = args.count; j < kAttentionTile; ++j) weight[j] = -kInfinity;
  const __m256 scale = _mm256_set1_ps(args.scale);
  float largest = args.max[head];
  for (size_t j = 0; j < args.count; j += 8) {
    __m256 score = _mm256_loadu_ps(weight + j);
    score = _mm256_mul_ps(score, scale);
    _mm256_storeu_ps(weight + j, score);
  }
  for (size_t j = args.count; j < kAttentionTile; ++j) weight[j] = -kInfinity;
  for (size_t j = 0; j < args.count; ++j) {
    if (weight[j] > largest) largest = weight[j];
  }
  // While every score is -inf, weights relative to 0 are 0 and nothing becomes NaN.
  const float shift = largest == -kInfinity ? 0.0f : largest;
  const float correction = ExpNonPositive(args.max[head] - shift);
  __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t j = 0; j < kAttentionTile; j += kLanes) {
    const __m256 first = Exp(_mm256_sub_ps(_mm256_loadu_ps(weight + j), _mm256_set1_ps(shift)));
    const __m256 second =
        Exp(_mm256_sub_ps(_mm256_loadu_ps(weight + j + 8), _mm256_set1_ps(shift)));
    _mm256_storeu_ps(weight + j, first);
    _mm256_storeu_ps(weight + j + 8, second);
    __m256 odd, even;
    SplitPairs(weight + j, &odd, &even);
    __m256& sum = sums[j / kLanes % 2];
    sum = _mm256_add_ps(_mm256_add_ps(sum, odd), even);
  }
  args.sum[head] =
      args.sum[head] * correction + ReduceBy8(Ordered(_mm256_add_ps(sums[0], sums[1])));
  args.max[head] = largest;
  return correction;
}

// acc[r][16 channels] = acc * correction[r] + sum over keys of weight[r][key] * key, in double.
template <int R>
void AddValues(const AttentionTileArgs& args, size_t head, size_t channel, const float* weight,
               const float* correction) {
  constexpr int kVectors = kValueChannels / 4;
  __m256d sums[R * kVectors];
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) {
    const float* acc = args.acc + (head + r) * args.head_dim + channel;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sums[r * kVectors + v] =
          _mm256_cvtps_pd(_mm_mul_ps(_mm_loadu_ps(acc + 4 * v), _mm_set1_ps(correction[r])));
    }
  }
  const float* key = args.keys + channel;
  for (size_t j = 0; j < args.count; ++j, key += args.head_dim) {
    __m256d value[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) value[v] = _mm256_cvtps_pd(_mm_loadu_ps(key + 4 * v));
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      const __m256d w = _mm256_cvtps_pd(_mm_broadcast_ss(weight + r * kAttentionTile + j));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        sums[r * kVectors + v] = _mm256_fmadd_pd(w, value[v], sums[r * kVectors + v]);
      }
    }
  }
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) {
    float* acc = args.acc + (head + r) * args.head_dim + channel;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      _mm_storeu_ps(acc + 4 * v, _mm256_cvtpd_ps(sums[r * kVectors + v]));
    }
  }
}

// The same for the last head_dim % 16 channels of one head.
void AddLastValues(const AttentionTileArgs& args, size_t head, size_t channel, const float* weight,
                   float correction) {
  float* acc = args.acc + head * args.head_dim;
  for (size_t i = channel; i < args.head_dim; ++i) {
    double sum = static_cast<double>(acc[i] * correction);
    for (size_t j = 0; j < args.count; ++j) {
      sum += static_cast<double>(weight[j]) * static_cast<double>(args.keys[j * args.head_dim + i]);
    }
    acc[i] = static_cast<float>(sum);
  }
}

// Four keys' l + (l+8) sums with one query head.
inline void FourKeys(const float* q, const float* const* keys, size_t width, __m256* by8) {
  const size_t full = width / kStep * kStep;
  __m256 sums[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) sums[i] = _mm256_setzero_ps();
  for (size_t k = 0; k < full; k += kStep) {
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; ++half) {
      __m256 odd, even;
      SplitPairs(q + k + half * 16, &odd, &even);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        __m256 key_odd, key_even;
        SplitPairs(keys[i] + k + half * 16, &key_odd, &key_even);
        __m256& sum = sums[static_cast<size_t>(2 * i) + half];
        sum = _mm256_fmadd_ps(even, key_even, _mm256_fmadd_ps(odd, key_odd, sum));
      }
    }
  }
  if (full < width) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      AccumulateTail<1, 1>(q + full, 0, keys[i] + full, 0, width - full, sums + 2 * i);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) by8[i] = Ordered(_mm256_add_ps(sums[2 * i], sums[2 * i + 1]));
}

inline __m256 RoundFiniteToBf16(__m256 v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
  return _mm256_castsi256_ps(
      _mm256_and_si256(rounded, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

}  // namespace

void AttentionTileAvx2(const AttentionTileArgs& args) {
  alignas(64) float weight[kHeadBlock * kAttentionTile];
  float correction[kHeadBlock];
  for (size_t first = 0; first < args.heads; first += kHeadBlock) {
    const size_t heads = args.heads - first < kHeadBlock ? args.heads - first : kHeadBlock;
    size_t head = 0;
    for (; head + 2 <= heads; head += 2) {
      HeadDots<2>(args, first + head, weight + head * kAttentionTile);
    }
    for (; head < heads; ++head) HeadDots<1>(args, first + head, weight + head * kAttentionTile);
    for (head = 0; head < heads; ++head) {
      correction[head] = UpdateSoftmax(args, first + head, weight + head * kAttentionTile);
    }
    size_t channel = 0;
    for (; channel + kValueChannels <= args.head_dim; channel += kValueChannels) {
      for (head = 0; head + 2 <= heads; head += 2) {
        AddValues<2>(args, first + head, channel, weight + head * kAttentionTile,
                     correction + head);
      }
      if (head < heads) {
        AddValues<1>(args, first + head, channel, weight + head * kAttentionTile,
                     correction + head);
      }
    }
    for (head = 0; head < heads && channel < args.head_dim; ++head) {
      AddLastValues(args, first + head, channel, weight + head * kAttentionTile, correction[head]);
    }
  }
}

void IndexScoreAvx2(const IndexScoreArgs& args) {
  const __m256 zero = _mm256_setzero_ps();
  for (size_t first = 0; first < args.count; first += 8) {
    const size_t count = args.count - first < 8 ? args.count - first : 8;
    const float* keys[8];
    for (size_t i = 0; i < 8; ++i) {  // missing keys repeat the last one
      keys[i] = args.keys + (first + (i < count ? i : count - 1)) * args.width;
    }
    __m256 score = zero;
    for (size_t head = 0; head < args.heads; ++head) {
      __m256 by8[8];
      FourKeys(args.q + head * args.width, keys, args.width, by8);
      FourKeys(args.q + head * args.width, keys + 4, args.width, by8 + 4);
      __m256 dot = ReduceEight(by8);
      if (args.round_bf16) dot = RoundFiniteToBf16(dot);
      __m256 product = _mm256_mul_ps(_mm256_max_ps(dot, zero), _mm256_set1_ps(args.weight[head]));
      if (args.round_bf16) product = RoundFiniteToBf16(product);
      score = _mm256_add_ps(score, product);
    }
    if (args.round_bf16) score = RoundFiniteToBf16(score);
    alignas(32) float result[8];
    _mm256_store_ps(result, score);
    memcpy(args.score + first, result, count * sizeof(float));
  }
}

}  // namespace finback

#endif  // __AVX2__
