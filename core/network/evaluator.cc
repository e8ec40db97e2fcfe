#include "core/network/evaluator.h"

#include <algorithm>
#include <cstring>

#include "core/base/status.h"
#include "core/network/layer.h"

namespace finback {
namespace {

size_t RequirePositive(const char* name, int64_t value) {
  if (value < 1) {
    Throw(Code::kInvalidArgument, "%s must be at least 1, got %lld", name,
          static_cast<long long>(value));
  }
  return static_cast<size_t>(value);
}

void CheckIds(std::span<const int32_t> ids, int32_t vocab) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab) {
      Throw(Code::kInvalidArgument, "tokens[%zu]: id %d is outside 0..%d", i, ids[i], vocab - 1);
    }
  }
}

bool Cancelled(const EvaluateControl& control) {
  return control.cancel != nullptr && control.cancel->load(std::memory_order_relaxed);
}

}  // namespace

uint64_t Evaluator::PlanBytes(const Model& model, int64_t context_tokens, int32_t chunk_tokens) {
  Scratch scratch;
  Reserve reserve(Reserve::Mode::kCount);
  scratch.ReserveAll(model.compute(), static_cast<size_t>(chunk_tokens),
                     static_cast<size_t>(context_tokens), &reserve);
  return reserve.bytes();
}

Evaluator::Evaluator(const Model& model, int64_t context_tokens, int32_t chunk_tokens)
    : model_(model),
      chunk_(RequirePositive("chunk_tokens", chunk_tokens)),
      context_(RequirePositive("context_tokens", context_tokens)) {
  Reserve reserve(Reserve::Mode::kTake);
  scratch_.ReserveAll(model.compute(), chunk_, context_, &reserve);
  done_.reserve(chunk_);
  ids_.reserve(chunk_);
  segments_.reserve(chunk_);
  sequences_.reserve(chunk_);
  wanted_.reserve(chunk_);
  logits_.reserve(chunk_);
}

int32_t ChooseChunkTokens(const Model& model, int64_t context_tokens, uint64_t memory_bytes) {
  constexpr int32_t kLeast = 256, kMost = 1024;
  constexpr int64_t kLongContext = 131072;
  constexpr uint64_t kPart = 8;  // of the memory
  if (context_tokens > kLongContext) return kLeast;
  const auto bytes = [&](int32_t wanted) {
    const int32_t chunk = static_cast<int32_t>(std::min<int64_t>(context_tokens, wanted));
    return Sequence::PlanBytes(model.config(), model.precision(), context_tokens, chunk) +
           Evaluator::PlanBytes(model, context_tokens, chunk);
  };
  for (int32_t chunk = kMost; chunk > kLeast; chunk /= 2) {
    if (bytes(chunk) - bytes(kLeast) <= memory_bytes / kPart) return chunk;
  }
  return kLeast;
}

void Evaluator::Check(Batch batch) const {
  for (const Segment& segment : batch) {
    const Sequence& sequence = *segment.sequence;
    CheckIds(segment.ids, model_.config().vocab);
    const size_t room = static_cast<size_t>(sequence.context_tokens() - sequence.position());
    if (segment.ids.size() > room) {
      Throw(Code::kContextFull, "%zu tokens do not fit: %lld of %lld context_tokens are taken",
            segment.ids.size(), static_cast<long long>(sequence.position()),
            static_cast<long long>(sequence.context_tokens()));
    }
    if (&sequence.model() != &model_) {
      Throw(Code::kInvalidArgument, "a sequence of another model");
    }
    if (static_cast<size_t>(sequence.context_tokens()) > context_) {
      Throw(Code::kInvalidArgument, "a sequence of %lld context_tokens, the evaluator's are %zu",
            static_cast<long long>(sequence.context_tokens()), context_);
    }
    const auto same = [&](const Segment& other) { return other.sequence == segment.sequence; };
    if (std::count_if(batch.begin(), batch.end(), same) > 1) {
      Throw(Code::kInvalidArgument, "a sequence is twice in a batch");
    }
  }
}

void Evaluator::Run(Batch batch, const EvaluateControl& control) {
  Check(batch);
  size_t total = 0;
  for (const Segment& segment : batch) total += segment.ids.size();
  done_.assign(batch.size(), 0);
  try {
    for (const Segment& segment : batch) segment.sequence->TakeBlocks(segment.ids.size());
    for (size_t done = 0; done < total;) {
      GatherPass(batch);
      RunPass(control);
      done += ids_.size();
      if (control.progress &&
          !control.progress(static_cast<int64_t>(done), static_cast<int64_t>(total))) {
        Throw(Code::kCancelled, "cancelled by the progress callback");
      }
    }
  } catch (...) {
    for (const Segment& segment : batch) segment.sequence->DropSpare();
    throw;
  }
}

// The next rows, up to a chunk, of all segments that are not done.
void Evaluator::GatherPass(Batch batch) {
  const size_t vocab = static_cast<size_t>(model_.config().vocab);
  ids_.clear();
  segments_.clear();
  sequences_.clear();
  wanted_.clear();
  logits_.clear();
  for (size_t i = 0; i < batch.size(); ++i) {
    const Segment& segment = batch[i];
    const size_t from = done_[i], begin = ids_.size();
    const size_t rows =
        std::min({segment.ids.size() - from, segment.sequence->chunk_tokens(), chunk_ - begin});
    if (rows == 0) continue;
    segments_.push_back({begin, rows, static_cast<size_t>(segment.sequence->position()),
                         segment.sequence->layers()});
    sequences_.push_back(segment.sequence);
    const auto ids = segment.ids.subspan(from, rows);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    done_[i] += rows;
    if (segment.rows == LogitRows::kAll) {
      for (size_t row = 0; row < rows; ++row) {
        wanted_.push_back(begin + row);
        logits_.push_back(segment.logits + (from + row) * vocab);
      }
    } else if (segment.rows == LogitRows::kLast && done_[i] == segment.ids.size()) {
      wanted_.push_back(begin + rows - 1);
      logits_.push_back(segment.logits);
    }
  }
}

void Evaluator::RunPass(const EvaluateControl& control) {
  const Weights& weights = model_.weights();
  const Compute& compute = model_.compute();
  const Pass pass{compute, weights, ids_, segments_, &scratch_};
  const PassScope timed(compute.profile);
  weights.CheckFiles();
  weights.CheckGlobal();
  for (size_t i = 0; i < segments_.size(); ++i) sequences_[i]->BeginChunk(segments_[i].rows);
  float* streams = scratch_.streams.data();
  PreparePass(pass);
  Embed(compute, weights, ids_, streams);
  for (size_t i = 0; i < compute.sizes.layers; ++i) {
    if (Cancelled(control)) Throw(Code::kCancelled, "cancelled");
    if (control.between_layers) control.between_layers();
    const LayerScope timed_layer(compute.profile, i);
    RunLayer(pass, weights.layers[i], i, streams);
  }
  ComputeLogits(pass, streams);
  for (size_t i = 0; i < segments_.size(); ++i) {
    const PassSegment& segment = segments_[i];
    sequences_[i]->EndChunk(pass.ids.subspan(segment.begin, segment.rows));
  }
}

void Evaluator::ComputeLogits(const Pass& pass, float* streams) {
  if (wanted_.empty()) return;
  const size_t residual = pass.compute.sizes.residual();
  for (size_t i = 0; i < wanted_.size(); ++i) {  // they move to the front, in order
    if (wanted_[i] == i) continue;
    memcpy(streams + i * residual, streams + wanted_[i] * residual, residual * sizeof(float));
  }
  Head(pass, pass.weights.hc_head, pass.weights.norm, streams, logits_);
}

void Evaluator::RollBack(Sequence* sequence, int64_t tokens) {
  const int64_t target = sequence->position() - tokens;
  if (tokens < 0 || target < 0 || target >= sequence->roll_back_floor()) {
    sequence->RollBack(tokens);
    return;
  }
  const int64_t nearest = sequence->NearestBack(target);
  const auto all = sequence->tokens();
  const std::vector<int32_t> kept(all.begin() + nearest, all.begin() + target);
  sequence->GoBackTo(nearest);
  const Segment again{sequence, kept};
  Run({&again, 1});
}

}  // namespace finback
