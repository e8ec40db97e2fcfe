// Activation roundings and the packed forms of cache entries (formats: core/base/number_formats.h).
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace finback {

// Channels under one scale of a kv entry, and of an index key.
static constexpr size_t kKvBlock = 64, kIndexBlock = 32;

// Rounds x[n] in place to bfloat16.
using RoundBf16Function = void (*)(float* x, size_t n);

// x[n] in place -> E4M3 times a power of two per `block` channels, dequantized. n % block == 0,
// block a multiple of 8.
using QuantizeFp8Function = void (*)(float* x, size_t n, size_t block);

// One kv entry: head_dim - rope_dim channels as E4M3, an E8M0 byte per 64 of them, rope_dim
// bfloat16 codes, in that order: 448 + 7 + 128 = 583 bytes for the published models.
struct KvFormat {
  size_t head_dim, rope_dim;
  size_t Bytes() const { return (head_dim - rope_dim) + (head_dim - rope_dim) / 64 + 2 * rope_dim; }
};
using PackKvFunction = void (*)(const KvFormat& format, const float* values, uint8_t* entry);
using UnpackKvFunction = void (*)(const KvFormat& format, const uint8_t* entry, float* values);

// One index key (or query head): n channels as E2M1, low nibble first, then an E8M0 byte per 32:
// 64 + 4 = 68 bytes for n = 128. n % 32 == 0.
using PackIndexFunction = void (*)(const float* values, size_t n, uint8_t* key);
using UnpackIndexFunction = void (*)(const uint8_t* key, size_t n, float* values);

}  // namespace finback
