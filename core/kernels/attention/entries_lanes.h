// What brings keys into the forms of attention.h, on vectors of one instruction set. For files
// compiled with its flags only, whose struct says (Codes: a vector of bfloat16 codes)
//
//   kChannels            codes of a vector; half as many pairs, which are rows of Transpose
//   LoadCodes, StoreCodes, NoCodes   from any address, and zeros
//   Transpose            kChannels / 2 rows of as many pairs
//   StoreInterleaved     the codes of two keys side by side, 2 * kChannels
//   kLeastScale, kMostScale   of entries, whose 64 codes DecodeBlock brings to bfloat16
//   UpperHalves          codes of kChannels float32 values
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/attention/attention.h"
#include "core/kernels/kernels.h"
#include "core/kernels/kv_entry.h"

namespace finback {
namespace {

template <typename Isa>
inline void EntryCodes(const EntryCodesArgs& args) {
  const size_t packed = args.format.head_dim - args.format.rope_dim;
  const uint8_t* scales = args.entry + packed;
  const uint8_t* rope = args.entry + RopeBegin(args.format);
  const size_t end = args.begin + args.count;
  size_t channel = args.begin;
  for (; channel < end && channel < packed; channel += 64) {
    const int scale = scales[channel / 64];
    Bf16* to = args.codes + (channel - args.begin);
    if (scale >= Isa::kLeastScale && scale <= Isa::kMostScale && end - channel >= 64) {
      Isa::DecodeBlock(args.entry + channel, scale, to);
      continue;
    }
    EntryCodesArgs part = args;
    part.begin = channel;
    part.count = end - channel < 64 ? end - channel : 64;
    part.codes = to;
    EntryCodesScalar(part);
  }
  for (; channel + Isa::kChannels <= end; channel += Isa::kChannels) {
    Isa::StoreCodes(args.codes + (channel - args.begin),
                    Isa::LoadCodes(rope + (channel - packed) * sizeof(Bf16)));
  }
  if (channel < end) {
    memcpy(args.codes + (channel - args.begin), rope + (channel - packed) * sizeof(Bf16),
           (end - channel) * sizeof(Bf16));
  }
}

// kRest takes the channels that fill no vector.
template <typename Isa, ArrangeFunction kRest>
inline void KeysByChannel(const ArrangeArgs& args) {
  constexpr size_t kKeys = Isa::kChannels / 2;
  const size_t whole = args.width / Isa::kChannels * Isa::kChannels;
  for (size_t key = 0; key < kKeyTile; key += kKeys) {
    const size_t there = args.count > key ? args.count - key : 0;
    for (size_t i = 0; i < whole; i += Isa::kChannels) {
      const Bf16* from = args.rows + key * args.stride + i;
      typename Isa::Codes rows[kKeys];
#pragma GCC unroll 16
      for (size_t k = 0; k < kKeys; ++k) {
        rows[k] = k < there ? Isa::LoadCodes(from + k * args.stride) : Isa::NoCodes();
      }
      if (there > 0) Isa::Transpose(rows);
      Bf16* to = args.out + i * kKeyTile + 2 * key;
#pragma GCC unroll 16
      for (size_t k = 0; k < kKeys; ++k) Isa::StoreCodes(to + k * 2 * kKeyTile, rows[k]);
    }
  }
  if (whole == args.width) return;
  ArrangeArgs rest = args;
  rest.rows = args.rows + whole;
  rest.width = args.width - whole;
  rest.out = args.out + whole * kKeyTile;
  kRest(rest);
}

template <typename Isa>
inline void KeysByKey(const ArrangeArgs& args) {
  const size_t whole = args.width / Isa::kChannels * Isa::kChannels;
  for (size_t key = 0; key < args.count; key += 2) {
    const Bf16* even = args.rows + key * args.stride;
    const Bf16* odd = key + 1 < args.count ? even + args.stride : nullptr;  // zeros
    Bf16* out = args.out + key * args.width;
    for (size_t i = 0; i < whole; i += Isa::kChannels) {
      const typename Isa::Codes second = odd != nullptr ? Isa::LoadCodes(odd + i) : Isa::NoCodes();
      Isa::StoreInterleaved(out + 2 * i, Isa::LoadCodes(even + i), second);
    }
    for (size_t i = whole; i < args.width; ++i) {
      out[2 * i] = even[i];
      out[2 * i + 1] = odd != nullptr ? odd[i] : Bf16{0};
    }
  }
}

template <typename Isa>
inline void CodesInPlace(float* x, size_t n) {
  size_t i = 0;
  uint8_t* codes = reinterpret_cast<uint8_t*>(x);
  for (; i + Isa::kChannels <= n; i += Isa::kChannels) {
    Isa::StoreCodes(codes + i * sizeof(Bf16), Isa::UpperHalves(x + i));
  }
  for (; i < n; ++i) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    const Bf16 code = static_cast<Bf16>(bits >> 16);
    memcpy(codes + i * sizeof code, &code, sizeof code);
  }
}

}  // namespace
}  // namespace finback
