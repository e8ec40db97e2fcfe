#include "core/base/random.h"

#include <cinttypes>
#include <random>

#include "core/base/status.h"

namespace finback {

uint64_t SplitMix(uint64_t counter) {
  counter = (counter ^ (counter >> 30)) * 0xBF58476D1CE4E5B9u;
  counter = (counter ^ (counter >> 27)) * 0x94D049BB133111EBu;
  return counter ^ (counter >> 31);
}

double UniformOf(uint64_t number) { return static_cast<double>(number >> 11) * 0x1p-53; }

uint64_t RandomNumber() {
  std::random_device random;
  const uint64_t high = random();
  return high << 32 | random();
}

std::string RandomId() { return Format("%016" PRIx64, RandomNumber()); }

}  // namespace finback
