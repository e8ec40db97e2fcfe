#include "core/local/sampling_plan.h"

#include "core/base/random.h"
#include "core/base/status.h"

namespace finback {
namespace {

// What DeepSeek's services sample from while thinking, if tools are offered.
constexpr double kTopPWithTools = 0.95;

}  // namespace

SamplerOptions PlanSampling(const Request& request, const GenerationConfig& generation,
                            AnswerKind kind, int32_t vocab) {
  const double temperature = generation.do_sample ? generation.temperature : 0;
  const bool narrow = kind.thinking && kind.tools && !generation.has_top_p;
  SamplerOptions sampling;
  sampling.temperature = request.has_temperature ? request.temperature : temperature;
  sampling.top_p = request.has_top_p ? request.top_p : narrow ? kTopPWithTools : generation.top_p;
  sampling.top_k = request.has_top_k ? request.top_k : generation.top_k;
  sampling.min_p = request.has_min_p ? request.min_p : generation.min_p;
  sampling.seed = request.has_seed ? request.seed : RandomNumber();
  sampling.frequency_penalty = request.frequency_penalty;
  sampling.presence_penalty = request.presence_penalty;
  sampling.logit_bias = request.logit_bias;
  for (const auto& [id, bias] : request.logit_bias) {
    if (id < vocab) continue;
    Throw(Code::kInvalidRequest, "logit_bias.%d: the vocabulary has %d tokens", id, vocab);
  }
  return sampling;
}

}  // namespace finback
