// y[row, o] = sum_k x[row, k] * W[o, k] with AVX2, FMA and F16C, one arithmetic in two shapes:
//
//   few rows    weights are decoded in registers and multiplied at once, 2 outputs side by side;
//               limit: the bytes of BF16 weights, decoding the others
//   many rows   a panel of 12 outputs x kDepth weights is decoded to float32 once per kRowBlock
//               rows and multiplied in blocks of 12 chains of 8 lanes (4 rows x 3 outputs, or
//               3 x 4, 2 x 6, 1 x 12), first for sums 0-7, then for sums 8-15; limit: two fused
//               multiply-adds per cycle, at 7 loads for 12
//
//   x      [rows][in]           32 k at a time: the 16 odd ones, then the 16 even ones
//                               (PreparePairsAvx2; products with float32 do so themselves)
//   panel  [12][kDepth]          7 KB, in the same order
//   sums   [kRowBlock][12][16]  42 KB, carried from panel to panel along K
//
// In both shapes weights are fetched ahead in one stream of ascending addresses: several rows of a
// matrix read side by side came at half the speed.
//
// Instructions per 32 weights, few rows, beside 4 FMA (with loads) per row:
//   BF16  6: 2 loads, 2 shifts, 2 masks.
//   FP8  12: load, 3 shifts, 2 masks, 2 splits, 4 half-to-float; half a multiplication of each sum.
//   FP4  14: load, arrange, shift, mask, 2 loads of and 2 look-ups in a table of bfloat16 bytes
//        that has the scale in it, 2 interleaves, 2 shifts and 2 masks to float32.
#include "core/base/number_formats.h"
#include "core/kernels/dot_avx2.h"
#include "core/kernels/kernels.h"
#include "core/kernels/scaled_fp4.h"

#if defined(__AVX2__)

namespace finback {
namespace {

constexpr size_t kPanel = 12;
constexpr size_t kDepth = 128;
constexpr size_t kPanelStride = kDepth + 16;  // rows of the panel start in different cache sets
constexpr size_t kRowBlock = 56;
constexpr size_t kFewRows = 4;
constexpr size_t kTile = 128;  // of FP8 scales
constexpr int kVectors = 4;    // of 32 k: odd for sums 0-7 and 8-15, then even

// Every format says how to
//   LoadW    take 32 weights as kVectors vectors;
//   Decode   write n weights from k on in the order of LoadW, zeros up to a multiple of 32.
// kSplit: vectors stand in SplitPairs' order, and x was not prepared.
// kUnit: LoadW leaves out the scale of a tile; sums are kept in its unit (see Fp8).

// For formats whose scales are of tiles, or that have none. Factor: null, or what to multiply by.
template <typename Format>
inline void DecodeSteps(const uint8_t* code, size_t n, const __m256* factor, float* out) {
  constexpr size_t kStepBytes = kStep * Format::kBits / 8;
  alignas(32) uint8_t tail[kStepBytes] = {};
  for (size_t i = 0; i < n; i += kStep, code += kStepBytes) {
    const uint8_t* from = code;
    if (n - i < kStep) {
      memcpy(tail, code, (n - i) * Format::kBits / 8);
      from = tail;
    }
    __m256 v[kVectors];
    Format::LoadW(from, nullptr, v);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      if (Format::kUnit) v[j] = _mm256_mul_ps(v[j], *factor);
      _mm256_store_ps(out + i + 8 * j, v[j]);
    }
  }
}

struct F32 {
  static constexpr bool kSplit = true, kUnit = false;
  static constexpr size_t kBits = 32;
  static bool DirectWorks(const GemmArgs&) { return true; }
  static void LoadW(const uint8_t* code, const uint8_t*, __m256* v) {
    const float* w = reinterpret_cast<const float*>(code);
    SplitPairs(w, v, v + 2);
    SplitPairs(w + 16, v + 1, v + 3);
  }
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    DecodeSteps<F32>(args.weight + (o * args.in + k) * 4, n, nullptr, out);
  }
};

struct Bf16Codes {
  static constexpr bool kSplit = false, kUnit = false;
  static constexpr size_t kBits = 16;
  static bool DirectWorks(const GemmArgs&) { return true; }
  static void LoadW(const uint8_t* code, const uint8_t*, __m256* v) {
    const __m256i top = _mm256_set1_epi32(static_cast<int>(0xFFFF0000u));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(code + 32 * half));
      v[half] = _mm256_castsi256_ps(_mm256_and_si256(pairs, top));
      v[half + 2] = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    }
  }
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    DecodeSteps<Bf16Codes>(args.weight + (o * args.in + k) * 2, n, nullptr, out);
  }
};

// 2^(scale - 127 + 8) is a normal float up to this scale byte.
constexpr int kLargestFoldedScale = 246;

// The bits of E4M3 in the place of a half's are value * 2^-8. With few rows, sums are kept in units
// of 2^8 times the scale of the tile that is being added, and multiplied where it changes: a power
// of two, so that they are rounded as they would be without, unless the range of floats ends.
struct Fp8 {
  static constexpr bool kSplit = false, kUnit = true;
  static constexpr size_t kBits = 8;

  static const uint8_t* Scale(const GemmArgs& args, size_t o, size_t k) {
    return args.scale + (o / kTile) * ((args.in + kTile - 1) / kTile) + k / kTile;
  }
  static float Unit(int scale) { return BitsToFloat(static_cast<uint32_t>(scale + 8) << 23); }

  // Whether no sum in any of the units can overflow, and everything is a multiple of 2^-149 in all
  // of them: then sums are the same in every unit.
  static bool DirectWorks(const GemmArgs& args) {
    int lowest = 255, highest = 0;
    const uint8_t* end = Scale(args, args.out_end - 1, args.in - 1);
    for (const uint8_t* scale = Scale(args, args.out_begin, 0); scale <= end; ++scale) {
      lowest = *scale < lowest ? *scale : lowest;
      highest = *scale > highest ? *scale : highest;
    }
    if (highest > kLargestFoldedScale) return false;
    // Of the magnitudes' bits; zeros wrap around and do not count for the smallest.
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF), one = _mm256_set1_epi32(1);
    __m256i most = _mm256_setzero_si256(), least = _mm256_set1_epi32(-1);
    for (size_t row = 0; row < args.rows; ++row) {
      const float* x = args.x + row * args.x_stride;
      size_t k = 0;
      for (; k + 8 <= args.in; k += 8) {
        const __m256i bits =
            _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + k)), magnitude);
        most = _mm256_max_epu32(most, bits);
        least = _mm256_min_epu32(least, _mm256_sub_epi32(bits, one));
      }
      for (; k < args.in; ++k) {
        const __m256i bits = _mm256_set1_epi32(static_cast<int>(FloatToBits(x[k]) & 0x7FFFFFFFu));
        most = _mm256_max_epu32(most, bits);
        least = _mm256_min_epu32(least, _mm256_sub_epi32(bits, one));
      }
    }
    alignas(32) uint32_t largest[8], smallest[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(largest), most);
    _mm256_store_si256(reinterpret_cast<__m256i*>(smallest), least);
    for (int i = 1; i < 8; ++i) {
      largest[0] = largest[i] > largest[0] ? largest[i] : largest[0];
      smallest[0] = smallest[i] < smallest[0] ? smallest[i] : smallest[0];
    }
    if (largest[0] == 0) return true;
    // |x| < 2^(high + 1), and a multiple of 2^(low - 23); halves are below 2, multiples of 2^-17.
    const int high = static_cast<int>(largest[0] >> 23) - 127;
    const int low = static_cast<int>((smallest[0] + 1) >> 23) - 127;
    int sum = high + 2;
    for (size_t terms = 1; terms < args.in; terms *= 2) ++sum;
    const int range = highest - lowest, up = highest - 119, down = lowest - 119;
    return low > -127 && sum + range < 127 && sum + up < 127 && low - 40 - range >= -149 &&
           low - 40 + down >= -149;
  }
  static void LoadW(const uint8_t* code, const uint8_t*, __m256* v) {
    const __m256i mask = _mm256_set1_epi16(static_cast<short>(0xBF80));
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(code));
    const __m256i odd = _mm256_and_si256(_mm256_srai_epi16(pairs, 1), mask);
    const __m256i even = _mm256_and_si256(_mm256_srai_epi16(_mm256_slli_epi16(pairs, 8), 1), mask);
    v[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(odd));
    v[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(odd, 1));
    v[2] = _mm256_cvtph_ps(_mm256_castsi256_si128(even));
    v[3] = _mm256_cvtph_ps(_mm256_extracti128_si256(even, 1));
  }
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    for (size_t begin = 0; begin < n; begin += kTile) {
      const size_t count = n - begin < kTile ? n - begin : kTile;
      const int scale = *Scale(args, o, k + begin);
      const bool folded = scale <= kLargestFoldedScale;
      const __m256 factor = _mm256_set1_ps(folded ? Unit(scale) : 256.0f);
      DecodeSteps<Fp8>(args.weight + o * args.in + k + begin, count, &factor, out + begin);
      for (size_t i = begin; i < begin + count && !folded; ++i) {
        out[i] *= E8m0ToFloat(static_cast<uint8_t>(scale));
      }
    }
  }
};

// For every scale byte the 16 values of E2M1 times the scale as bfloat16 (exact, from subnormals to
// infinity): the upper bytes, then the lower.
struct Fp4Tables {
  alignas(32) uint8_t bytes[256][32];
};
constexpr Fp4Tables MakeFp4Tables() {
  Fp4Tables tables = {};
  for (int scale = 0; scale < 256; ++scale) {
    for (int code = 0; code < 16; ++code) {
      const uint32_t bits = ScaledE2m1Bits(scale, code);
      tables.bytes[scale][code] = static_cast<uint8_t>(bits >> 24);
      tables.bytes[scale][code + 16] = static_cast<uint8_t>(bits >> 16);
    }
  }
  return tables;
}
constexpr Fp4Tables kFp4Tables = MakeFp4Tables();

struct Fp4 {
  static constexpr bool kSplit = false, kUnit = false;
  static constexpr size_t kBits = 4;

  static bool DirectWorks(const GemmArgs&) { return true; }

  // Byte b holds k = 2b and 2b + 1. Per 128-bit lane its 8 bytes twice, once for each nibble;
  // bytes 8 apart alternate, to end up in the halves of the same 32 bits.
  static void LoadW(const uint8_t* code, const uint8_t* scale, __m256* v) {
    const __m256i arrange =
        _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 0, 8, 1, 9, 2, 10, 3, 11,  //
                         4, 12, 5, 13, 6, 14, 7, 15, 4, 12, 5, 13, 6, 14, 7, 15);
    const __m256i shift = _mm256_setr_epi64x(0, 4, 0, 4);
    const __m256i codes =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code)));
    const __m256i nibbles = _mm256_and_si256(
        _mm256_srlv_epi64(_mm256_shuffle_epi8(codes, arrange), shift), _mm256_set1_epi8(15));
    const __m128i* table = reinterpret_cast<const __m128i*>(kFp4Tables.bytes[*scale]);
    const __m256i upper =
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(table)), nibbles);
    const __m256i lower =
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(table + 1)), nibbles);
    const __m256i even = _mm256_unpacklo_epi8(lower, upper);
    const __m256i odd = _mm256_unpackhi_epi8(lower, upper);
    const __m256i top = _mm256_set1_epi32(static_cast<int>(0xFFFF0000u));
    v[0] = _mm256_castsi256_ps(_mm256_slli_epi32(odd, 16));
    v[1] = _mm256_castsi256_ps(_mm256_and_si256(odd, top));
    v[2] = _mm256_castsi256_ps(_mm256_slli_epi32(even, 16));
    v[3] = _mm256_castsi256_ps(_mm256_and_si256(even, top));
  }
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    const uint8_t* code = args.weight + (o * args.in + k) / 2;
    const uint8_t* scale = args.scale + (o * args.in + k) / 32;
    for (size_t i = 0; i < n; i += kStep) {
      __m256 v[kVectors];
      LoadW(code + i / 2, scale + i / 32, v);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) _mm256_storeu_ps(out + i + 8 * j, v[j]);
    }
  }
};

template <typename Format>
inline void LoadX(const float* x, __m256* v) {
  if (Format::kSplit) {
    SplitPairs(x, v, v + 2);
    SplitPairs(x + 16, v + 1, v + 3);
    return;
  }
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) v[i] = _mm256_loadu_ps(x + 8 * i);
}

// The last n < 32 activations of a row, as LoadX takes 32 of them.
template <typename Format>
inline void CopyTail(const float* x, size_t n, float* tail) {
  memset(tail, 0, kStep * sizeof(float));
  if (Format::kSplit) {
    memcpy(tail, x, n * sizeof(float));
  } else {
    memcpy(tail, x, n / 2 * sizeof(float));
    memcpy(tail + kLanes, x + n / 2, (n - n / 2) * sizeof(float));
  }
}

// Where to fetch from while outputs before o are computed; any address may be.
template <typename Format>
inline const char* Ahead(const GemmArgs& args, size_t o) {
  return reinterpret_cast<const char*>(args.weight) + o * args.in * Format::kBits / 8;
}

inline const char* Fetch(const char* from, size_t bytes) {
  for (size_t line = 0; line < bytes; line += 64) _mm_prefetch(from + line, _MM_HINT_T0);
  return from + bytes;
}

template <typename Format>
inline __m256 By8(__m256 low, __m256 high) {
  const __m256 by8 = _mm256_add_ps(low, high);
  return Format::kSplit ? Ordered(by8) : by8;
}

// Adds the products of R rows and O outputs at k to sums[(r * O + o) * 2 + half].
template <typename Format, int R, int O>
inline void Step(const float* const* x, const uint8_t* const* code, const uint8_t* const* scale,
                 __m256* sums) {
#pragma GCC unroll 4
  for (int o = 0; o < O; ++o) {
    __m256 wv[kVectors];
    Format::LoadW(code[o], scale[o], wv);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      __m256 xv[kVectors];
      LoadX<Format>(x[r], xv);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        __m256& sum = sums[(r * O + o) * 2 + (v & 1)];
        sum = _mm256_fmadd_ps(xv[v], wv[v], sum);
      }
    }
  }
}

// R rows and O outputs from o on, which share a row of scale tiles.
template <typename Format, int R, int O>
void Direct(const GemmArgs& args, size_t o) {
  constexpr size_t kStepBytes = kStep * Format::kBits / 8;
  __m256 sums[R * O * 2];
#pragma GCC unroll 16
  for (int i = 0; i < R * O * 2; ++i) sums[i] = _mm256_setzero_ps();
  const float* x[R];
  const uint8_t *code[O], *scale[O];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) x[r] = args.x + r * args.x_stride;
#pragma GCC unroll 4
  for (int i = 0; i < O; ++i) {
    code[i] = args.weight + (o + i) * args.in * Format::kBits / 8;
    scale[i] = Format::kBits == 4 ? args.scale + (o + i) * (args.in / 32) : nullptr;
  }
  const char* ahead = Ahead<Format>(args, o + O);
  const uint8_t* tile = Format::kUnit ? Fp8::Scale(args, o, 0) : nullptr;
  const auto change_unit = [&] {
    const uint32_t ratio = static_cast<uint32_t>(127 + tile[0] - tile[1]) << 23;
    ++tile;
#pragma GCC unroll 16
    for (int i = 0; i < R * O * 2; ++i) {
      sums[i] = _mm256_mul_ps(sums[i], _mm256_set1_ps(BitsToFloat(ratio)));
    }
  };
  const size_t full = args.in / kStep * kStep;
  for (size_t k = 0; k < full;) {
    if (Format::kUnit && k > 0) change_unit();
    const size_t end = k + kTile < full ? k + kTile : full;
    for (; k < end; k += kStep) {
      ahead = Fetch(ahead, O * kStepBytes);
      Step<Format, R, O>(x, code, scale, sums);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) x[r] += kStep;
#pragma GCC unroll 4
      for (int i = 0; i < O; ++i) {
        code[i] += kStepBytes;
        if (Format::kBits == 4) ++scale[i];
      }
    }
  }
  if (full < args.in) {
    if (Format::kUnit && full > 0 && full % kTile == 0) change_unit();
    alignas(32) float x_tail[R * kStep];
    alignas(32) uint8_t code_tail[O * kStepBytes] = {};
    const size_t n = args.in - full;
    for (int r = 0; r < R; ++r) {
      CopyTail<Format>(x[r], n, x_tail + r * kStep);
      x[r] = x_tail + r * kStep;
    }
    for (int i = 0; i < O; ++i) {
      memcpy(code_tail + i * kStepBytes, code[i], n * Format::kBits / 8);
      code[i] = code_tail + i * kStepBytes;
    }
    Step<Format, R, O>(x, code, scale, sums);
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int i = 0; i < O; ++i) {
      __m256* sum = sums + (r * O + i) * 2;
      if (Format::kUnit) {
        const __m256 unit = _mm256_set1_ps(Fp8::Unit(*tile));
        sum[0] = _mm256_mul_ps(sum[0], unit);
        sum[1] = _mm256_mul_ps(sum[1], unit);
      }
      args.y[r * args.y_stride + (o + i - args.y_origin)] = ReduceBy8(By8<Format>(sum[0], sum[1]));
    }
  }
}

template <typename Format, int R, int O>
void DirectRows(const GemmArgs& args) {
  for (size_t o = args.out_begin; o < args.out_end;) {
    const size_t tile_end = (o / kTile + 1) * kTile;
    const size_t end = tile_end < args.out_end ? tile_end : args.out_end;
    for (; o + O <= end; o += O) Direct<Format, R, O>(args, o);
    for (; o < end; ++o) Direct<Format, R, 1>(args, o);
  }
}

// sums[row][12][16] += x[row, 0..n) * panel[12][kDepth] for R rows, O outputs at once; n is a
// multiple of 32, x and panel are in the order of the panel. One half of the sums after the other,
// so that 12 chains fit into the registers.
template <int R>
void MultiplyRows(const float* x, size_t x_stride, const float* panel, size_t n, float* sums) {
  constexpr int O = static_cast<int>(kPanel) / R;
  for (size_t o = 0; o < kPanel; o += O) {
    for (size_t half = 0; half < kLanes; half += 8) {
      float* mine = sums + o * kLanes + half;
      __m256 sum[R * O];
#pragma GCC unroll 12
      for (int i = 0; i < R * O; ++i) {
        sum[i] = _mm256_load_ps(mine + (i / O * static_cast<int>(kPanel) + i % O) *
                                           static_cast<int>(kLanes));
      }
      const float* w = panel + o * kPanelStride + half;
      const float* from = x + half;
      for (size_t k = 0; k < n; k += kLanes) {  // 16 odd ones, 16 even ones, and so on
        if (R >= O) {
          __m256 wv[O];
#pragma GCC unroll 4
          for (int i = 0; i < O; ++i) wv[i] = _mm256_load_ps(w + i * kPanelStride + k);
#pragma GCC unroll 4
          for (int r = 0; r < R; ++r) {
            __m256 xv = _mm256_loadu_ps(from + r * x_stride + k);
            __asm__("" : "+x"(xv));  // loaded once, not once for each of its users
#pragma GCC unroll 4
            for (int i = 0; i < O; ++i) {
              sum[r * O + i] = _mm256_fmadd_ps(xv, wv[i], sum[r * O + i]);
            }
          }
        } else {
          __m256 xv[R];
#pragma GCC unroll 4
          for (int r = 0; r < R; ++r) xv[r] = _mm256_loadu_ps(from + r * x_stride + k);
#pragma GCC unroll 12
          for (int i = 0; i < O; ++i) {
            __m256 wv = _mm256_load_ps(w + i * kPanelStride + k);
            if (R > 1) __asm__("" : "+x"(wv));
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r) {
              sum[r * O + i] = _mm256_fmadd_ps(xv[r], wv, sum[r * O + i]);
            }
          }
        }
      }
#pragma GCC unroll 12
      for (int i = 0; i < R * O; ++i) {
        _mm256_store_ps(
            mine + (i / O * static_cast<int>(kPanel) + i % O) * static_cast<int>(kLanes), sum[i]);
      }
    }
  }
}

// The same for any n, and for x that is not in the panel's order.
template <typename Format, int R>
void AddRows(const float* x, size_t x_stride, const float* panel, size_t n, float* sums) {
  if (Format::kSplit) {
    alignas(32) float packed[R * kDepth];
    for (int r = 0; r < R; ++r) {
      const float* row = x + r * x_stride;
      for (size_t k = 0; k < n; k += kStep) {
        alignas(32) float tail[kStep];
        const float* from = row + k;
        if (n - k < kStep) {
          CopyTail<Format>(from, n - k, tail);
          from = tail;
        }
        __m256 v[kVectors];
        LoadX<Format>(from, v);
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) _mm256_store_ps(packed + r * kDepth + k + 8 * j, v[j]);
      }
    }
    MultiplyRows<R>(packed, kDepth, panel, (n + kStep - 1) / kStep * kStep, sums);
    return;
  }
  const size_t full = n / kStep * kStep;
  if (full > 0) MultiplyRows<R>(x, x_stride, panel, full, sums);
  if (full < n) {
    alignas(32) float tail[R * kStep];
    for (int r = 0; r < R; ++r) {
      CopyTail<Format>(x + r * x_stride + full, n - full, tail + r * kStep);
    }
    MultiplyRows<R>(tail, kStep, panel + full, kStep, sums);
  }
}

// Writes the first `outs` outputs of a row's sums[12][16].
template <typename Format>
inline void StoreOutputs(const float* sums, size_t outs, float* y) {
  __m256 by8[kPanel];
#pragma GCC unroll 12
  for (size_t o = 0; o < kPanel; ++o) {
    by8[o] = By8<Format>(_mm256_load_ps(sums + o * kLanes), _mm256_load_ps(sums + o * kLanes + 8));
  }
  alignas(32) float result[kPanel];
  _mm256_storeu_ps(result + 4, ReduceEight(by8 + 4));
  _mm256_store_ps(result, ReduceEight(by8));
  memcpy(y, result, outs * sizeof(float));
}

template <typename Format>
void PanelRows(const GemmArgs& args, size_t first, size_t rows) {
  alignas(64) float panel[kPanel * kPanelStride];
  alignas(64) float sums[kRowBlock * kPanel * kLanes];
  constexpr size_t kRowSums = kPanel * kLanes;
  for (size_t o = args.out_begin; o < args.out_end; o += kPanel) {
    const size_t outs = args.out_end - o < kPanel ? args.out_end - o : kPanel;
    memset(sums, 0, rows * kRowSums * sizeof(float));
    if (outs < kPanel) memset(panel, 0, sizeof panel);
    const char* ahead = Ahead<Format>(args, o + kPanel);
    for (size_t k = 0; k < args.in; k += kDepth) {
      const size_t n = args.in - k < kDepth ? args.in - k : kDepth;
      for (size_t i = 0; i < outs; ++i) {
        ahead = Fetch(ahead, n * Format::kBits / 8);
        Format::Decode(args, o + i, k, n, panel + i * kPanelStride);
      }
      const float* x = args.x + first * args.x_stride + k;
      size_t row = 0;
      for (; row + 4 <= rows; row += 4) {
        AddRows<Format, 4>(x + row * args.x_stride, args.x_stride, panel, n, sums + row * kRowSums);
      }
      x += row * args.x_stride;
      float* last = sums + row * kRowSums;
      if (row + 3 == rows) AddRows<Format, 3>(x, args.x_stride, panel, n, last);
      if (row + 2 == rows) AddRows<Format, 2>(x, args.x_stride, panel, n, last);
      if (row + 1 == rows) AddRows<Format, 1>(x, args.x_stride, panel, n, last);
    }
    for (size_t row = 0; row < rows; ++row) {
      StoreOutputs<Format>(sums + row * kRowSums, outs,
                           args.y + (first + row) * args.y_stride + (o - args.y_origin));
    }
  }
}

template <typename Format>
void GemmAvx2(const GemmArgs& args) {
  if (args.out_begin >= args.out_end) return;
  if (args.rows <= kFewRows && Format::DirectWorks(args)) {
    constexpr int kOutputs = Format::kBits >= 16 ? 2 : 1;
    if (args.rows == 1) DirectRows<Format, 1, 2>(args);
    if (args.rows == 2) DirectRows<Format, 2, 2>(args);
    if (args.rows == 3) DirectRows<Format, 3, kOutputs>(args);
    if (args.rows == 4) DirectRows<Format, 4, kOutputs>(args);
    return;
  }
  // Blocks of about as many rows each: one of few would cost as much decoding as the others.
  const size_t blocks = (args.rows + kRowBlock - 1) / kRowBlock;
  const size_t share = blocks == 0 ? 0 : (args.rows + blocks * 4 - 1) / (blocks * 4) * 4;
  for (size_t first = 0; first < args.rows; first += share) {
    PanelRows<Format>(args, first, args.rows - first < share ? args.rows - first : share);
  }
}

}  // namespace

void GemmF32Avx2(const GemmArgs& args) { GemmAvx2<F32>(args); }
void GemmBf16Avx2(const GemmArgs& args) { GemmAvx2<Bf16Codes>(args); }
void GemmFp8Avx2(const GemmArgs& args) { GemmAvx2<Fp8>(args); }
void GemmFp4Avx2(const GemmArgs& args) { GemmAvx2<Fp4>(args); }

// Every 32 activations: the odd ones, then the even ones.
void PreparePairsAvx2(float* x, size_t in) {
  const size_t full = in / kStep * kStep;
  for (size_t k = 0; k < full; k += kStep) {
    __m256 v[kVectors];
    SplitPairs(x + k, v, v + 2);
    SplitPairs(x + k + 16, v + 1, v + 3);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) _mm256_storeu_ps(x + k + 8 * i, Ordered(v[i]));
  }
  float tail[kStep];
  const size_t n = in - full;
  memcpy(tail, x + full, n * sizeof(float));
  for (size_t i = 0; i < n; ++i) x[full + (i % 2 == 1 ? 0 : n / 2) + i / 2] = tail[i];
}

float DotAvx2(const float* a, const float* b, size_t n) {
  const size_t full = n / kStep * kStep;
  __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  AccumulateBlock<1, 1>(a, 0, b, 0, full, sums);
  if (full < n) AccumulateTail<1, 1>(a + full, 0, b + full, 0, n - full, sums);
  return ReduceBy8(Ordered(_mm256_add_ps(sums[0], sums[1])));
}

}  // namespace finback

#endif  // __AVX2__
