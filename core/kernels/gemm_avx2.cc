// y[row, o] = sum_k x[row, k] * W[o, k] with AVX2, FMA and F16C, one arithmetic in two shapes:
//
//   few rows    weights are decoded in registers and multiplied at once, 4 outputs (2 rows: 2)
//               side by side; limit: the bytes of the weights, or the decoding
//   many rows   a panel of 8 outputs x kDepth weights is decoded to float32 once per kRowBlock
//               rows and multiplied in blocks of 3 rows x 2 outputs; limit: two fused
//               multiply-adds per cycle
//
//   panel  [8][kDepth]          16 KB
//   sums   [kRowBlock][8][16]   32 KB, carried from panel to panel along K
//
// Instructions per 16 weights and row, few rows (the load of x is shared by the outputs):
//   FP8  8: widen, shift, mask, split, 2 half-to-float, 2 FMA. The bits of E4M3 in the place of
//        a half's are value * 2^-8; the tile's scale and 2^8 are multiplied into x.
//   FP4  7.5: arrange, shift, mask (for 32), 2 look-ups of bfloat16 bytes in a table that has
//        the scale in it, 2 interleaves, 2 shifts and 2 masks to float32, 2 FMA.
#include "core/base/number_formats.h"
#include "core/kernels/dot_avx2.h"
#include "core/kernels/gemm.h"

#if defined(__AVX2__)

namespace finback {
namespace {

constexpr size_t kPanel = 8;
constexpr size_t kDepth = 512;
constexpr size_t kPanelStride = kDepth + 16;  // rows of the panel start in different cache sets
constexpr size_t kRowBlock = 64;
constexpr size_t kFewRows = 2;  // measured: from three on a panel is faster
constexpr size_t kTile = 128;   // of FP8 scales

// Every format says how to
//   LoadX    take kVectors * 8 activations (vector v belongs to partial sums 8 * (v & 1) .. + 7,
//            in an order of the format's choice within the even and odd vectors), times the
//            tile's factor;
//   LoadW    take the weights of one output in the same order;
//   Natural  bring a pair of sums into the order of partial sums;
//   Decode   write n weights from k on as float32, zeros up to a multiple of 16.

// For formats that need no more than LoadW and a factor.
template <typename Format>
inline void DecodeLanes(const uint8_t* code, size_t n, __m256 factor, float* out) {
  constexpr size_t kStepBytes = kLanes * Format::kBits / 8;
  alignas(32) uint8_t tail[kStepBytes] = {};
  for (size_t i = 0; i < n; i += kLanes, code += kStepBytes) {
    const uint8_t* from = code;
    if (n - i < kLanes) {
      memcpy(tail, code, (n - i) * Format::kBits / 8);
      from = tail;
    }
    __m256 v[2];
    Format::LoadW(from, nullptr, v);
    _mm256_storeu_ps(out + i, _mm256_mul_ps(v[0], factor));
    _mm256_storeu_ps(out + i + 8, _mm256_mul_ps(v[1], factor));
  }
}

struct F32 {
  static constexpr int kVectors = 2;
  static constexpr size_t kBits = 32;
  static bool DirectWorks(const GemmArgs&) { return true; }
  static __m256 Factor(const GemmArgs&, size_t, size_t) { return _mm256_setzero_ps(); }
  static void LoadX(const float* x, __m256, __m256* v) {
    v[0] = _mm256_loadu_ps(x);
    v[1] = _mm256_loadu_ps(x + 8);
  }
  static void LoadW(const uint8_t* code, const uint8_t*, __m256* v) {
    v[0] = _mm256_loadu_ps(reinterpret_cast<const float*>(code));
    v[1] = _mm256_loadu_ps(reinterpret_cast<const float*>(code + 32));
  }
  static void Natural(__m256*) {}
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    memcpy(out, args.weight + (o * args.in + k) * sizeof(float), n * sizeof(float));
    for (size_t i = n; i % kLanes != 0; ++i) out[i] = 0.0f;
  }
};

struct Bf16Codes {
  static constexpr int kVectors = 2;
  static constexpr size_t kBits = 16;
  static bool DirectWorks(const GemmArgs&) { return true; }
  static __m256 Factor(const GemmArgs&, size_t, size_t) { return _mm256_setzero_ps(); }
  static void LoadX(const float* x, __m256, __m256* v) {
    v[0] = _mm256_loadu_ps(x);
    v[1] = _mm256_loadu_ps(x + 8);
  }
  static void LoadW(const uint8_t* code, const uint8_t*, __m256* v) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code + 16));
    v[0] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(low), 16));
    v[1] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(high), 16));
  }
  static void Natural(__m256*) {}
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    DecodeLanes<Bf16Codes>(args.weight + (o * args.in + k) * 2, n, _mm256_set1_ps(1.0f), out);
  }
};

// 2^(scale - 127 + 8) is a normal float up to this scale byte.
constexpr int kLargestFoldedScale = 246;

struct Fp8 {
  static constexpr int kVectors = 2;
  static constexpr size_t kBits = 8;

  static const uint8_t* Scale(const GemmArgs& args, size_t o, size_t k) {
    return args.scale + (o / kTile) * ((args.in + kTile - 1) / kTile) + k / kTile;
  }
  static float Folded(int scale) { return BitsToFloat(static_cast<uint32_t>(scale + 8) << 23); }

  // Whether every x times every folded scale is a normal float, hence exact.
  static bool DirectWorks(const GemmArgs& args) {
    int lowest = 255, highest = 0;
    const size_t tiles = (args.in + kTile - 1) / kTile;
    for (size_t tile = args.out_begin / kTile; tile * kTile < args.out_end; ++tile) {
      const uint8_t* scale = args.scale + tile * tiles;
      for (size_t i = 0; i < tiles; ++i) {
        lowest = scale[i] < lowest ? scale[i] : lowest;
        highest = scale[i] > highest ? scale[i] : highest;
      }
    }
    // Of the magnitudes' bits; zeros wrap around and do not count for the smallest.
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF), one = _mm256_set1_epi32(1);
    __m256i largest = _mm256_setzero_si256(), smallest = _mm256_set1_epi32(-1);
    for (size_t row = 0; row < args.rows; ++row) {
      const float* x = args.x + row * args.x_stride;
      for (size_t k = 0; k < args.in; k += 8) {
        const size_t at = k + 8 <= args.in ? k : 0;  // the tail is looked at below
        const __m256i bits = _mm256_and_si256(
            _mm256_castps_si256(args.in < 8 ? _mm256_setzero_ps() : _mm256_loadu_ps(x + at)),
            magnitude);
        largest = _mm256_max_epu32(largest, bits);
        smallest = _mm256_min_epu32(smallest, _mm256_sub_epi32(bits, one));
      }
      for (size_t k = args.in / 8 * 8; k < args.in; ++k) {
        const __m256i bits = _mm256_set1_epi32(static_cast<int>(FloatToBits(x[k]) & 0x7FFFFFFFu));
        largest = _mm256_max_epu32(largest, bits);
        smallest = _mm256_min_epu32(smallest, _mm256_sub_epi32(bits, one));
      }
    }
    alignas(32) uint32_t most[8], least[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(most), largest);
    _mm256_store_si256(reinterpret_cast<__m256i*>(least), smallest);
    for (int i = 1; i < 8; ++i) {
      most[0] = most[i] > most[0] ? most[i] : most[0];
      least[0] = least[i] < least[0] ? least[i] : least[0];
    }
    if (most[0] == 0) return highest <= kLargestFoldedScale;
    const int highest_exponent = static_cast<int>(most[0] >> 23);
    const int lowest_exponent = static_cast<int>((least[0] + 1) >> 23);
    return highest <= kLargestFoldedScale && highest_exponent + highest - 119 <= 254 &&
           lowest_exponent >= 1 && lowest_exponent + lowest - 119 >= 1;
  }
  static __m256 Factor(const GemmArgs& args, size_t o, size_t k) {
    return _mm256_set1_ps(Folded(*Scale(args, o, k)));
  }
  static void LoadX(const float* x, __m256 factor, __m256* v) {
    v[0] = _mm256_mul_ps(factor, _mm256_loadu_ps(x));
    v[1] = _mm256_mul_ps(factor, _mm256_loadu_ps(x + 8));
  }
  static void LoadW(const uint8_t* code, const uint8_t*, __m256* v) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code));
    const __m256i half = _mm256_and_si256(_mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), 7),
                                          _mm256_set1_epi16(static_cast<short>(0xBF80)));
    v[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(half));
    v[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1));
  }
  static void Natural(__m256*) {}
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    for (size_t begin = 0; begin < n; begin += kTile) {
      const size_t count = n - begin < kTile ? n - begin : kTile;
      const int scale = *Scale(args, o, k + begin);
      const bool folded = scale <= kLargestFoldedScale;
      const float factor = folded ? Folded(scale) : 256.0f;
      DecodeLanes<Fp8>(args.weight + o * args.in + k + begin, count, _mm256_set1_ps(factor),
                       out + begin);
      if (folded) continue;
      for (size_t i = begin; i < begin + count; ++i)
        out[i] *= E8m0ToFloat(static_cast<uint8_t>(scale));
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
      const uint8_t nibble = static_cast<uint8_t>(code);
      // An overflow is spelled out, because constant expressions must not have one.
      const uint32_t magnitude = FloatToBits(E2m1ToFloat(nibble & 7));
      uint32_t bits = 0;
      if (scale == 255) {
        bits = 0x7FC00000u;
      } else if (magnitude != 0 && (magnitude >> 23) + static_cast<uint32_t>(scale) >= 127 + 255) {
        bits = 0x7F800000u;
      } else {
        bits = FloatToBits(E2m1ToFloat(nibble & 7) * PowerOfTwo(scale - 127));
      }
      if ((code & 8) != 0) bits |= 0x80000000u;
      tables.bytes[scale][code] = static_cast<uint8_t>(bits >> 24);
      tables.bytes[scale][code + 16] = static_cast<uint8_t>(bits >> 16);
    }
  }
  return tables;
}
constexpr Fp4Tables kFp4Tables = MakeFp4Tables();

struct Fp4 {
  static constexpr int kVectors = 4;
  static constexpr size_t kBits = 4;

  static bool DirectWorks(const GemmArgs&) { return true; }
  static __m256 Factor(const GemmArgs&, size_t, size_t) { return _mm256_setzero_ps(); }

  // Even then odd k of 16, each as 0,2,8,10 | 4,6,12,14 (plus 0 or 1): what two shuffles give.
  static void LoadX(const float* x, __m256, __m256* v) {
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256 low = _mm256_loadu_ps(x + 16 * i), high = _mm256_loadu_ps(x + 16 * i + 8);
      v[2 * i] = _mm256_shuffle_ps(low, high, 0x88);
      v[2 * i + 1] = _mm256_shuffle_ps(low, high, 0xDD);
    }
  }
  static void LoadW(const uint8_t* code, const uint8_t* scale, __m256* v) {
    // Byte b holds k = 2b and 2b + 1. Per 128-bit lane its 8 bytes twice, once for each nibble;
    // bytes of the first and second 16 weights alternate,
    // to end up in the halves of the same 32 bits.
    const __m256i arrange =
        _mm256_setr_epi8(0, 8, 1, 9, 4, 12, 5, 13, 0, 8, 1, 9, 4, 12, 5, 13,  //
                         2, 10, 3, 11, 6, 14, 7, 15, 2, 10, 3, 11, 6, 14, 7, 15);
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
    v[0] = _mm256_castsi256_ps(_mm256_slli_epi32(even, 16));
    v[1] = _mm256_castsi256_ps(_mm256_slli_epi32(odd, 16));
    v[2] = _mm256_castsi256_ps(_mm256_and_si256(even, top));
    v[3] = _mm256_castsi256_ps(_mm256_and_si256(odd, top));
  }
  static void Natural(__m256* v) {
    const __m256 even = v[0];
    v[0] = _mm256_unpacklo_ps(even, v[1]);
    v[1] = _mm256_unpackhi_ps(even, v[1]);
  }
  static void Decode(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    const uint8_t* code = args.weight + (o * args.in + k) / 2;
    const uint8_t* scale = args.scale + (o * args.in + k) / 32;
    for (size_t i = 0; i < n; i += 32) {
      __m256 v[kVectors];
      LoadW(code + i / 2, scale + i / 32, v);
      Natural(v);
      Natural(v + 2);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) _mm256_storeu_ps(out + i + 8 * j, v[j]);
    }
  }
};

// Adds the products of R rows and O outputs at k to sums[(r * O + o) * 2 + half].
template <typename Format, int R, int O>
inline void Step(const float* const* x, const uint8_t* const* code, const uint8_t* const* scale,
                 __m256 factor, __m256* sums) {
  constexpr int kVectors = Format::kVectors;
  __m256 xv[R * kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) Format::LoadX(x[r], factor, xv + r * kVectors);
#pragma GCC unroll 4
  for (int o = 0; o < O; ++o) {
    __m256 wv[kVectors];
    Format::LoadW(code[o], scale[o], wv);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        __m256& sum = sums[(r * O + o) * 2 + (v & 1)];
        sum = _mm256_fmadd_ps(xv[r * kVectors + v], wv[v], sum);
      }
    }
  }
}

// R rows from `row` on and O outputs from o on, which share a row of scale tiles.
template <typename Format, int R, int O>
void Direct(const GemmArgs& args, size_t row, size_t o) {
  constexpr size_t kStep = Format::kVectors * 8;
  __m256 sums[R * O * 2];
#pragma GCC unroll 16
  for (int i = 0; i < R * O * 2; ++i) sums[i] = _mm256_setzero_ps();
  const float* x[R];
  const uint8_t *code[O], *scale[O];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) x[r] = args.x + (row + r) * args.x_stride;
#pragma GCC unroll 4
  for (int i = 0; i < O; ++i) {
    code[i] = args.weight + (o + i) * args.in * Format::kBits / 8;
    scale[i] = Format::kBits == 4 ? args.scale + (o + i) * (args.in / 32) : nullptr;
  }
  const size_t full = args.in / kStep * kStep;
  for (size_t k = 0; k < full;) {
    const size_t end = k + kTile < full ? k + kTile : full;
    const __m256 factor = Format::Factor(args, o, k);
    for (; k < end; k += kStep) {
      Step<Format, R, O>(x, code, scale, factor, sums);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) x[r] += kStep;
#pragma GCC unroll 4
      for (int i = 0; i < O; ++i) {
        code[i] += kStep * Format::kBits / 8;
        if (Format::kBits == 4) ++scale[i];
      }
    }
  }
  if (full < args.in) {
    alignas(32) float x_tail[R * kStep] = {};
    alignas(32) uint8_t code_tail[O * kStep * Format::kBits / 8] = {};
    const size_t n = args.in - full;
    for (int r = 0; r < R; ++r) {
      memcpy(x_tail + r * kStep, x[r], n * sizeof(float));
      x[r] = x_tail + r * kStep;
    }
    for (int i = 0; i < O; ++i) {
      uint8_t* tail = code_tail + i * (kStep * Format::kBits / 8);
      memcpy(tail, code[i], n * Format::kBits / 8);
      code[i] = tail;
    }
    Step<Format, R, O>(x, code, scale, Format::Factor(args, o, full), sums);
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int i = 0; i < O; ++i) {
      __m256* sum = sums + (r * O + i) * 2;
      Format::Natural(sum);
      args.y[(row + r) * args.y_stride + (o + i - args.y_origin)] = ReduceLanes(sum[0], sum[1]);
    }
  }
}

template <typename Format, int R, int O>
void DirectRows(const GemmArgs& args) {
  for (size_t o = args.out_begin; o < args.out_end;) {
    const size_t tile_end = (o / kTile + 1) * kTile;
    const size_t end = tile_end < args.out_end ? tile_end : args.out_end;
    for (; o + O <= end; o += O) Direct<Format, R, O>(args, 0, o);
    for (; o < end; ++o) Direct<Format, R, 1>(args, 0, o);
  }
}

// sums[row][8][16] += x[row, 0..n) * panel[8][kDepth]; n < kDepth only for the last panel along K.
template <int R>
void MultiplyRows(const float* x, size_t x_stride, const float* panel, size_t n, float* sums) {
  const size_t full = n / kLanes * kLanes;
  for (size_t o = 0; o < kPanel; o += 2) {
    __m256 sum[R * 2 * 2];
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        sum[r * 4 + i] = _mm256_load_ps(sums + (r * kPanel + o) * kLanes + i * 8);
      }
    }
    AccumulateBlock<R, 2>(x, x_stride, panel + o * kPanelStride, kPanelStride, full, sum);
    if (full < n) {
      AccumulateTail<R, 2>(x + full, x_stride, panel + o * kPanelStride + full, kPanelStride,
                           n - full, sum);
    }
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        _mm256_store_ps(sums + (r * kPanel + o) * kLanes + i * 8, sum[r * 4 + i]);
      }
    }
  }
}

// Writes the first `outs` outputs of a row's sums[8][16].
inline void StoreOutputs(const float* sums, size_t outs, float* y) {
  __m256 by8[kPanel];
#pragma GCC unroll 8
  for (size_t o = 0; o < kPanel; ++o) {
    by8[o] =
        _mm256_add_ps(_mm256_load_ps(sums + o * kLanes), _mm256_load_ps(sums + o * kLanes + 8));
  }
  alignas(32) float result[kPanel];
  _mm256_store_ps(result, ReduceEight(by8));
  memcpy(y, result, outs * sizeof(float));
}

template <typename Format>
void PanelRows(const GemmArgs& args, size_t first, size_t rows) {
  alignas(64) float panel[kPanel * kPanelStride];
  alignas(64) float sums[kRowBlock * kPanel * kLanes];
  constexpr size_t kRowSums = kPanel * kLanes;
  const float* x = args.x + first * args.x_stride;
  for (size_t o = args.out_begin; o < args.out_end; o += kPanel) {
    const size_t outs = args.out_end - o < kPanel ? args.out_end - o : kPanel;
    memset(sums, 0, rows * kRowSums * sizeof(float));
    if (outs < kPanel) memset(panel, 0, sizeof panel);
    for (size_t k = 0; k < args.in; k += kDepth) {
      const size_t n = args.in - k < kDepth ? args.in - k : kDepth;
      for (size_t i = 0; i < outs; ++i) Format::Decode(args, o + i, k, n, panel + i * kPanelStride);
      size_t row = 0;
      for (; row + 3 <= rows; row += 3) {
        MultiplyRows<3>(x + row * args.x_stride + k, args.x_stride, panel, n,
                        sums + row * kRowSums);
      }
      if (row + 2 == rows) {
        MultiplyRows<2>(x + row * args.x_stride + k, args.x_stride, panel, n,
                        sums + row * kRowSums);
      } else if (row + 1 == rows) {
        MultiplyRows<1>(x + row * args.x_stride + k, args.x_stride, panel, n,
                        sums + row * kRowSums);
      }
    }
    for (size_t row = 0; row < rows; ++row) {
      StoreOutputs(sums + row * kRowSums, outs,
                   args.y + (first + row) * args.y_stride + (o - args.y_origin));
    }
  }
}

template <typename Format>
void GemmAvx2(const GemmArgs& args) {
  if (args.out_begin >= args.out_end) return;
  if (args.rows <= kFewRows && Format::DirectWorks(args)) {
    if (args.rows == 1) DirectRows<Format, 1, 4>(args);
    if (args.rows == 2) DirectRows<Format, 2, 2>(args);
    return;
  }
  for (size_t first = 0; first < args.rows; first += kRowBlock) {
    const size_t rows = args.rows - first < kRowBlock ? args.rows - first : kRowBlock;
    PanelRows<Format>(args, first, rows);
  }
}

}  // namespace

void GemmF32Avx2(const GemmArgs& args) { GemmAvx2<F32>(args); }
void GemmBf16Avx2(const GemmArgs& args) { GemmAvx2<Bf16Codes>(args); }
void GemmFp8Avx2(const GemmArgs& args) { GemmAvx2<Fp8>(args); }
void GemmFp4Avx2(const GemmArgs& args) { GemmAvx2<Fp4>(args); }

float DotAvx2(const float* a, const float* b, size_t n) {
  const size_t full = n / kLanes * kLanes;
  __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  AccumulateBlock<1, 1>(a, 0, b, 0, full, sums);
  if (full < n) AccumulateTail<1, 1>(a + full, 0, b + full, 0, n - full, sums);
  return ReduceLanes(sums[0], sums[1]);
}

}  // namespace finback

#endif  // __AVX2__
