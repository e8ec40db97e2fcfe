// How an answer is sampled: what the request says, else the checkpoint, else DeepSeek's services.
#pragma once

#include "core/checkpoint/settings/generation_config.h"
#include "core/engine/request.h"
#include "core/network/sampler.h"

namespace finback {

// What the defaults depend on.
struct AnswerKind {
  bool thinking = false;
  bool tools = false;  // some are offered
};

// `vocab` bounds the ids of logit_bias: Throws Error(kInvalidRequest) beyond.
SamplerOptions PlanSampling(const Request& request, const GenerationConfig& generation,
                            AnswerKind kind, int32_t vocab);

}  // namespace finback
