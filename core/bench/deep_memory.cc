#include "core/bench/deep_memory.h"

#include <algorithm>
#include <atomic>

#include "core/base/random.h"

namespace finback {
namespace {

constexpr uint64_t kSeed = 0x646565706d656du;
constexpr size_t kEntriesAtOnce = 256;

// Sums of four uniform numbers, which look enough like activations; root mean square 1.
void FillFloats(uint64_t seed, size_t count, float* out) {
  uint64_t state = SplitMix(seed) | 1;
  for (size_t i = 0; i < count; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const uint64_t sum =
        (state & 0xFFFF) + (state >> 16 & 0xFFFF) + (state >> 32 & 0xFFFF) + (state >> 48);
    out[i] = (static_cast<float>(sum) - 131070.0f) * (1.0f / 37837.0f);
  }
}

// Calls at(i) for the place of each of `count` entries.
template <typename At>
void FillEntries(const Compute& compute, const EntryFormat& format, uint64_t seed, size_t count,
                 const At& at) {
  const size_t width = format.width;
  const auto threads = static_cast<size_t>(compute.parallel.threads());
  Buffer<float> values(threads * width);
  std::atomic<size_t> next{0};
  compute.parallel.For(threads, 1, [&](size_t taker, size_t) {
    float* mine = values.data() + taker * width;
    for (size_t begin; (begin = next.fetch_add(kEntriesAtOnce)) < count;) {
      for (size_t i = begin; i < std::min(count, begin + kEntriesAtOnce); ++i) {
        FillFloats(seed + i * kSplitMixStep, width, mine);
        format.Store(compute.kernels, mine, at(i));
      }
    }
  });
}

void FillCompressor(const Compute& compute, uint64_t seed, CompressorState* state) {
  if (state->ratio == 0) return;
  FillEntries(compute, state->format, seed, state->entries.capacity(),
              [&](size_t i) { return state->Entry(i); });
  FillFloats(seed ^ 1, state->kv.size(), state->kv.data());
  FillFloats(seed ^ 2, state->gate.size(), state->gate.data());
}

}  // namespace

void FillRandomly(const Model& model, Sequence* sequence) {
  const Compute& compute = model.compute();
  uint64_t seed = kSeed;
  sequence->Reset();
  sequence->TakeBlocks(static_cast<size_t>(sequence->context_tokens()));
  for (LayerState& layer : sequence->layers()) {
    FillEntries(compute, layer.format, seed++, layer.ring,
                [&](size_t i) { return layer.WindowEntry(i); });
    FillCompressor(compute, seed++, &layer.main);
    FillCompressor(compute, seed++, &layer.index);
  }
}

}  // namespace finback
