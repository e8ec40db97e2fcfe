// Numbers that nobody can foresee, and numbers that follow from a seed.
#pragma once

#include <cstdint>
#include <string>

namespace finback {

// SplitMix64 (Steele, Lea, Flood 2014) is a counter, raised by this step, through a mixing
// function: the n-th number depends on the seed and n alone, and threads can share the counter.
inline constexpr uint64_t kSplitMixStep = 0x9E3779B97F4A7C15u;
uint64_t SplitMix(uint64_t counter);

// The number's upper 53 bits as one of [0, 1).
double UniformOf(uint64_t number);

// From the system: no two are alike.
uint64_t RandomNumber();
std::string RandomId();  // such a number in sixteen hexadecimal digits

}  // namespace finback
