// What one core can do at most with an instruction set: loops that read memory, or multiply and add
// in registers, and nothing else. What kernels reach is told as a share of these.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace finback {

// Reads `bytes`, a multiple of 256, from an address that is a multiple of 64. Returns something
// that depends on all of it.
using ReadRoof = uint64_t (*)(const uint8_t* data, size_t bytes);

// Returns something that depends on all that was computed.
using MultiplyRoofLoop = double (*)(size_t rounds);

struct MultiplyRoof {
  MultiplyRoofLoop loop = nullptr;  // null: the instruction set has no such instruction
  double operations = 0;            // of a round; a multiply-add is two
};

struct Roofs {
  ReadRoof read = nullptr;
  MultiplyRoof f32, bf16, int8;  // float32 sums of the products of float32 and of bfloat16;
                                 // int32 sums of those of bytes
};

// For each the first row of roofs.inc whose bits are all in `isa` (isa.h).
Roofs PickRoofs(uint32_t isa);

#define FINBACK_READ_ROOF(isa, function) uint64_t function(const uint8_t* data, size_t bytes);
#define FINBACK_MULTIPLY_ROOF(slot, isa, function, operations) double function(size_t rounds);
#include "core/kernels/roofs/roofs.inc"

}  // namespace finback
