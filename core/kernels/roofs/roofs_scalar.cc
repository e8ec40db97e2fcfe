// What the compiler makes of plain loops, for machines without an instruction set of ours.
#include <string.h>

#include "core/kernels/roofs/roofs.h"

namespace finback {

uint64_t ReadRoofScalar(const uint8_t* data, size_t bytes) {
  uint64_t sum[8] = {};
  for (size_t i = 0; i + 64 <= bytes; i += 64) {
    uint64_t word[8];
    memcpy(word, data + i, 64);
    for (int j = 0; j < 8; ++j) sum[j] ^= word[j];
  }
  return (sum[0] ^ sum[1]) ^ (sum[2] ^ sum[3]) ^ (sum[4] ^ sum[5]) ^ (sum[6] ^ sum[7]);
}

double F32RoofScalar(size_t rounds) {
  float sum[32] = {};
  for (size_t i = 0; i < rounds; ++i) {
    for (int j = 0; j < 32; ++j) sum[j] = sum[j] * 0.999f + 0.001f;
    __asm__ volatile("" : : "r"(sum) : "memory");
  }
  double total = 0;
  for (int j = 0; j < 32; ++j) total += static_cast<double>(sum[j]);
  return total;
}

double Int8RoofScalar(size_t rounds) {
  int32_t sum[32] = {};
  int8_t a[32], b[32];
  memset(a, 3, sizeof a);
  memset(b, 5, sizeof b);
  for (size_t i = 0; i < rounds; ++i) {
    __asm__ volatile("" : : "r"(a), "r"(b) : "memory");
    for (int j = 0; j < 32; ++j) {
      sum[j] = static_cast<int32_t>(static_cast<uint32_t>(sum[j]) +
                                    static_cast<uint32_t>(int32_t{a[j]} * b[j]));
    }
  }
  double total = 0;
  for (int j = 0; j < 32; ++j) total += sum[j];
  return total;
}

}  // namespace finback
