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
  parts_.reserve(chunk_);
  ids_.reserve(chunk_);
  segments_.reserve(chunk_);
  kept_streams_.reserve(chunk_);
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

void Evaluator::Check(const Segment& segment) const {
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
}

void Evaluator::CheckBatch(Batch batch) const {
  for (const Segment& segment : batch) {
    Check(segment);
    const auto same = [&](const Segment& other) { return other.sequence == segment.sequence; };
    if (std::count_if(batch.begin(), batch.end(), same) > 1) {
      Throw(Code::kInvalidArgument, "a sequence is twice in a batch");
    }
  }
}

void Evaluator::Run(Batch batch, const EvaluateControl& control) {
  CheckBatch(batch);
  size_t total = 0;
  for (const Segment& segment : batch) total += segment.ids.size();
  done_.assign(batch.size(), 0);
  try {
    for (const Segment& segment : batch) segment.sequence->TakeBlocks(segment.ids.size());
    for (size_t done = 0; done < total;) {
      GatherParts(batch);
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
void Evaluator::GatherParts(Batch batch) {
  parts_.clear();
  size_t room = chunk_;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Segment& segment = batch[i];
    const size_t rows =
        std::min({segment.ids.size() - done_[i], segment.sequence->chunk_tokens(), room});
    if (rows == 0) continue;
    parts_.push_back({&segment, done_[i], rows});
    done_[i] += rows;
    room -= rows;
  }
}

void Evaluator::RunPass(const EvaluateControl& control) {
  BeginPass(parts_);
  do {
    if (Cancelled(control)) Throw(Code::kCancelled, "cancelled");
    if (control.between_layers) control.between_layers();
  } while (ComputeLayer());
  EndPass();
}

void Evaluator::BeginPass(std::span<const PassPart> parts) {
  const size_t vocab = static_cast<size_t>(model_.config().vocab);
  const size_t residual = model_.compute().sizes.residual();
  timed_.reset();  // of a pass that failed
  timed_.emplace(model_.compute().profile);
  layer_ = 0;
  ids_.clear();
  segments_.clear();
  sequences_.clear();
  wanted_.clear();
  logits_.clear();
  kept_streams_.clear();
  model_.weights().CheckFiles();
  model_.weights().CheckGlobal();
  for (const PassPart& part : parts) {
    const Segment& segment = *part.segment;
    const size_t begin = ids_.size(), end = part.from + part.rows;
    segments_.push_back({begin, part.rows, static_cast<size_t>(segment.sequence->position()),
                         segment.sequence->layers()});
    sequences_.push_back(segment.sequence);
    const auto ids = segment.ids.subspan(part.from, part.rows);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    const size_t kept = segment.ids.size() - std::min(segment.stream_rows, segment.ids.size());
    const size_t first = std::clamp(kept, part.from, end);
    kept_streams_.push_back({first - part.from, end - first,
                             first == end ? nullptr : segment.streams + (first - kept) * residual});
    if (segment.rows == LogitRows::kAll) {
      for (size_t row = 0; row < part.rows; ++row) {
        wanted_.push_back(begin + row);
        logits_.push_back(segment.logits + (part.from + row) * vocab);
      }
    } else if (segment.rows == LogitRows::kLast && end == segment.ids.size()) {
      wanted_.push_back(begin + part.rows - 1);
      logits_.push_back(segment.logits);
    }
  }
  for (size_t i = 0; i < segments_.size(); ++i) sequences_[i]->BeginChunk(segments_[i].rows);
  PreparePass(ThisPass());
  Embed(model_.compute(), model_.weights(), ids_, scratch_.streams.data());
}

bool Evaluator::ComputeLayer() {
  const LayerScope timed(model_.compute().profile, layer_);
  RunLayer(ThisPass(), model_.weights().layers[layer_], layer_, scratch_.streams.data());
  return ++layer_ < model_.compute().sizes.layers;
}

void Evaluator::LeaveOut(const Sequence& sequence) {
  const auto at = std::find(sequences_.begin(), sequences_.end(), &sequence);
  const ptrdiff_t index = at - sequences_.begin();
  const PassSegment gone = segments_[static_cast<size_t>(index)];
  const size_t residual = model_.compute().sizes.residual();
  float* streams = scratch_.streams.data();
  memmove(streams + gone.begin * residual, streams + gone.end() * residual,
          (ids_.size() - gone.end()) * residual * sizeof(float));
  const auto first = ids_.begin() + static_cast<ptrdiff_t>(gone.begin);
  ids_.erase(first, first + static_cast<ptrdiff_t>(gone.rows));
  sequences_.erase(at);
  kept_streams_.erase(kept_streams_.begin() + index);
  segments_.erase(segments_.begin() + index);
  for (PassSegment& segment : segments_) {
    if (segment.begin > gone.begin) segment.begin -= gone.rows;
  }
  size_t kept = 0;
  for (size_t i = 0; i < wanted_.size(); ++i) {
    const size_t row = wanted_[i];
    if (row >= gone.begin && row < gone.end()) continue;
    wanted_[kept] = row < gone.begin ? row : row - gone.rows;
    logits_[kept++] = logits_[i];
  }
  wanted_.resize(kept);
  logits_.resize(kept);
  PreparePass(ThisPass());
}

void Evaluator::EndPass() {
  CopyStreams(scratch_.streams.data());
  ComputeLogits(ThisPass(), scratch_.streams.data());
  for (size_t i = 0; i < segments_.size(); ++i) {
    const PassSegment& segment = segments_[i];
    sequences_[i]->EndChunk(std::span(ids_).subspan(segment.begin, segment.rows));
  }
  timed_.reset();
}

void Evaluator::CopyStreams(const float* streams) const {
  const size_t residual = model_.compute().sizes.residual();
  for (size_t i = 0; i < segments_.size(); ++i) {
    const StreamRows& kept = kept_streams_[i];
    if (kept.rows == 0) continue;
    memcpy(kept.to, streams + (segments_[i].begin + kept.first) * residual,
           kept.rows * residual * sizeof(float));
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
  const std::vector<int32_t> again = sequence->RollBackFar(tokens);
  const Segment segment{sequence, again};
  Run({&segment, 1});
}

}  // namespace finback
