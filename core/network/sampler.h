// Logits -> one token id. Same seed and logits give the same ids whatever the thread count: own
// generator, one thread, ties go to the smaller id. Everything is allocated by Configure(),
// nothing by Sample().
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace finback {

struct SamplerOptions {
  double temperature = 1;  // 0: the likeliest token
  double top_p = 1;        // 1: off
  double min_p = 0;        // 0: off; relative to the likeliest token
  int32_t top_k = 0;       // 0: off
  uint64_t seed = 0;
  // What a token's logit loses for each time that it was sampled before, and once for having been.
  double frequency_penalty = 0, presence_penalty = 0;  // 0: off
  std::vector<std::pair<int32_t, float>> logit_bias;   // ids in [0, vocab)
};

struct Logprob {
  int32_t id = 0;
  double logprob = 0;  // natural logarithm
};

class Sampler {
 public:
  // Starts over for a new answer; keeps its buffers.
  void Configure(const SamplerOptions& options, int32_t vocab);

  // logits [vocab]. Order: bias, penalties of what was sampled since Configure(), temperature,
  // top_k, top_p, min_p. Throws Error(kCheckpoint) when no logit is a number.
  int32_t Sample(std::span<const float> logits);

  // Of the model's own distribution, before bias, penalties, temperature and truncation: `id`
  // first, then the `top` likeliest (ties: smaller id first). Writes to out[0 .. top]; `top` is at
  // most `vocab`.
  void Logprobs(std::span<const float> logits, int32_t id, int32_t top, std::span<Logprob> out);

 private:
  struct Candidate {
    double weight;  // exp((logit - max) / temperature)
    int32_t id;
  };
  int32_t Choose();
  int32_t Draw(double max_logit);
  double NextUniform();  // [0, 1)

  SamplerOptions options_;
  uint64_t state_ = 0;
  std::vector<float> logits_;     // biased and penalised; NaN made -infinity
  std::vector<int32_t> counts_;   // [vocab] how often each was sampled; empty without penalties
  std::vector<int32_t> sampled_;  // ids with a count
  std::vector<Candidate> candidates_;
};

}  // namespace finback
