#include "core/network/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/random.h"
#include "core/base/status.h"

namespace finback {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// The largest of x, none of which is NaN; -infinity if there is none. In vectors, which compilers
// do not make of a maximum by themselves.
float Largest(std::span<const float> x) {
  typedef float Floats __attribute__((vector_size(16)));
  typedef int32_t Bits __attribute__((vector_size(16)));
  constexpr size_t kVectors = 4, kLanes = 4 * kVectors;
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  Floats top[kVectors];
  for (Floats& of : top) of = Floats{kLeast, kLeast, kLeast, kLeast};
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    for (size_t v = 0; v < kVectors; ++v) {
      Floats value;
      memcpy(&value, x.data() + i + 4 * v, sizeof value);
      const Bits larger = value > top[v];
      const Bits chosen =
          (reinterpret_cast<Bits>(value) & larger) | (reinterpret_cast<Bits>(top[v]) & ~larger);
      top[v] = reinterpret_cast<Floats>(chosen);
    }
  }
  float largest = kLeast;
  for (const Floats& of : top) {
    for (size_t lane = 0; lane < 4; ++lane) largest = std::max(largest, of[lane]);
  }
  for (; i < x.size(); ++i) largest = std::max(largest, x[i]);
  return largest;
}

}  // namespace

void Sampler::Configure(const SamplerOptions& options, int32_t vocab) {
  options_ = options;
  state_ = SplitMix(options.seed + kSplitMixStep);  // neighbouring seeds start far apart
  logits_.resize(static_cast<size_t>(vocab));
  candidates_.reserve(static_cast<size_t>(vocab));
  counts_.clear();
  sampled_.clear();
  if (options.frequency_penalty == 0 && options.presence_penalty == 0) return;
  counts_.resize(static_cast<size_t>(vocab));
  sampled_.reserve(static_cast<size_t>(vocab));
}

double Sampler::NextUniform() {
  state_ += kSplitMixStep;
  return UniformOf(SplitMix(state_));
}

int32_t Sampler::Sample(std::span<const float> logits) {
  for (size_t i = 0; i < logits_.size(); ++i) {
    logits_[i] = std::isnan(logits[i]) ? -std::numeric_limits<float>::infinity() : logits[i];
  }
  for (const auto& [id, bias] : options_.logit_bias) logits_[static_cast<size_t>(id)] += bias;
  for (const int32_t id : sampled_) {
    const size_t token = static_cast<size_t>(id);
    const double penalty = options_.frequency_penalty * counts_[token] + options_.presence_penalty;
    logits_[token] = static_cast<float>(logits_[token] - penalty);
  }
  const int32_t id = Choose();
  if (!counts_.empty() && counts_[static_cast<size_t>(id)]++ == 0) sampled_.push_back(id);
  return id;
}

int32_t Sampler::Choose() {
  const float max_logit = Largest(logits_);
  if (!std::isfinite(max_logit)) {
    throw Error(Code::kCheckpoint, "the model's logits are not finite numbers");
  }
  if (options_.temperature > 0) return Draw(static_cast<double>(max_logit));
  return static_cast<int32_t>(std::find(logits_.begin(), logits_.end(), max_logit) -
                              logits_.begin());
}

int32_t Sampler::Draw(double max_logit) {
  candidates_.clear();
  double total = 0;
  for (size_t i = 0; i < logits_.size(); ++i) {
    const double weight =
        std::exp((static_cast<double>(logits_[i]) - max_logit) / options_.temperature);
    if (weight <= 0) continue;
    total += weight;
    candidates_.push_back({weight, static_cast<int32_t>(i)});
  }
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  };
  const size_t top_k = static_cast<size_t>(options_.top_k);
  if (top_k > 0 && top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + (options_.top_k - 1),
                     candidates_.end(), likelier);
    candidates_.resize(top_k);
    std::sort(candidates_.begin(), candidates_.end(), likelier);
    total = 0;
    for (const Candidate& candidate : candidates_) total += candidate.weight;
  }
  if (options_.top_p < 1) {
    // Tokens below this weight cannot be in the nucleus: all of them together lack (1 - top_p).
    const double floor = (1 - options_.top_p) * total / static_cast<double>(candidates_.size());
    const auto light = [floor](const Candidate& c) { return c.weight < floor && c.weight < 1; };
    candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(), light),
                      candidates_.end());
    std::sort(candidates_.begin(), candidates_.end(), likelier);
    double sum = 0;
    size_t kept = 0;
    while (kept < candidates_.size() && sum < options_.top_p * total) {
      sum += candidates_[kept++].weight;
    }
    candidates_.resize(std::max<size_t>(kept, 1));
  }
  if (options_.min_p > 0) {  // the likeliest token's weight is 1
    const auto light = [this](const Candidate& c) { return c.weight < options_.min_p; };
    candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(), light),
                      candidates_.end());
  }
  total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  const double target = NextUniform() * total;
  double sum = 0;
  for (const Candidate& candidate : candidates_) {
    sum += candidate.weight;
    if (sum > target) return candidate.id;
  }
  return candidates_.back().id;
}

void Sampler::Logprobs(std::span<const float> logits, int32_t id, int32_t top,
                       std::span<Logprob> out) {
  double max_logit = kMinusInfinity;
  for (const float logit : logits) {
    if (!std::isnan(logit)) max_logit = std::max(max_logit, static_cast<double>(logit));
  }
  double total = 0;
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    const double logit = std::isnan(logits[i]) ? kMinusInfinity : static_cast<double>(logits[i]);
    total += std::exp(logit - max_logit);
    candidates_.push_back({logit, static_cast<int32_t>(i)});
  }
  const double norm = max_logit + std::log(total);
  out[0] = {id, candidates_[static_cast<size_t>(id)].weight - norm};
  std::partial_sort(candidates_.begin(), candidates_.begin() + top, candidates_.end(),
                    [](const Candidate& a, const Candidate& b) {
                      return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
                    });
  for (int32_t i = 0; i < top; ++i) {
    const Candidate& candidate = candidates_[static_cast<size_t>(i)];
    out[static_cast<size_t>(i) + 1] = {candidate.id, candidate.weight - norm};
  }
}

}  // namespace finback
