#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "core/base/status.h"
#include "core/network/layer.h"
#include "core/network/model_impl.h"

namespace finback {
namespace {

constexpr uint32_t kSnapshotVersion = 1;
constexpr char kSnapshotMagic[8] = {'F', 'I', 'N', 'B', 'A', 'C', 'K', 'S'};

// The fixed part of a snapshot; token ids, the layers in order and a checksum of
// all before it follow.
struct SnapshotHeader {
  char magic[8];
  uint32_t version;
  uint32_t precision;
  uint64_t fingerprint;  // of the shapes and constants that give the state its meaning
  uint64_t position;
};
static_assert(sizeof(SnapshotHeader) == 32);

uint64_t Fingerprint(const Config& c) {
  std::string text = Format(
      "%d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %a %a %a %a %lld", c.hidden, c.layers_count,
      c.vocab, c.heads, c.head_dim, c.rope_dim, c.q_lora_rank, c.window, c.index_heads,
      c.index_head_dim, c.index_topk, c.experts, c.experts_per_token, c.expert_width, c.hc_streams,
      static_cast<int>(c.quantized_cache), static_cast<double>(c.rope_theta),
      static_cast<double>(c.compress_rope_theta), static_cast<double>(c.yarn_factor),
      static_cast<double>(c.rms_norm_eps), static_cast<long long>(c.yarn_original_positions));
  for (int32_t i = 0; i < c.layers_count; ++i) {
    text += Format(" %d:%d", static_cast<int>(c.layers[static_cast<size_t>(i)].kind),
                   c.layers[static_cast<size_t>(i)].ratio);
  }
  return XXH3_64bits(text.data(), text.size());
}

bool Cancelled(const EvaluateControl& control) {
  return control.cancel != nullptr && control.cancel->load(std::memory_order_relaxed);
}

StateShape ShapeOf(int64_t context_tokens, int32_t chunk_tokens) {
  const size_t context = static_cast<size_t>(context_tokens);
  return {context, std::min(context, static_cast<size_t>(chunk_tokens))};
}

struct Storage {
  std::vector<LayerState> layers;
  Scratch scratch;
  Buffer<int32_t> ids;  // [context_tokens]

  uint64_t ReserveAll(const Config& config, const Numerics& numerics, const StateShape& shape,
                      Reserve::Mode mode) {
    Reserve reserve(mode);
    const Sizes sizes(config);
    layers.resize(sizes.layers);
    for (size_t i = 0; i < layers.size(); ++i) {
      ReserveLayer(sizes, numerics, config.layers[i], shape, &reserve, &layers[i]);
    }
    scratch.ReserveAll(config, shape, &reserve);
    reserve(ids, shape.context_tokens);
    return reserve.bytes();
  }
};

}  // namespace

struct Sequence::Impl {
  const Model& model;
  StateShape shape;
  Storage storage;
  size_t position = 0;
  // The rings hold what positions down to `floor` need; further back is evaluated anew.
  size_t floor = 0;

  Impl(const Model& m, StateShape s) : model(m), shape(s) {
    storage.ReserveAll(m.config(), m.impl().compute->numerics, shape, Reserve::Mode::kTake);
  }

  const Sizes& sizes() const { return model.impl().compute->sizes; }

  void EvaluateChunk(std::span<const int32_t> ids, LogitRows rows, float* logits,
                     const EvaluateControl& control) {
    const Compute& compute = *model.impl().compute;
    const Weights& weights = model.weights();
    const Pass pass{compute, weights, ids, position, &storage.scratch};
    weights.CheckGlobal();
    const size_t end = position + ids.size();
    floor = std::max(floor, end - std::min(end, shape.chunk_tokens));
    float* streams = storage.scratch.streams.data();
    Embed(compute, weights, ids, streams);
    for (size_t i = 0; i < sizes().layers; ++i) {
      if (Cancelled(control)) Throw(Code::kCancelled, "cancelled");
      RunLayer(pass, weights.layers[i], static_cast<int32_t>(i), streams, &storage.layers[i]);
    }
    if (rows == LogitRows::kAll) {
      Head(pass, weights.hc_head, weights.norm, streams, ids.size(), logits);
    } else if (rows == LogitRows::kLast) {
      Head(pass, weights.hc_head, weights.norm, streams + (ids.size() - 1) * sizes().residual(), 1,
           logits);
    }
    memcpy(storage.ids.data() + position, ids.data(), ids.size() * sizeof(int32_t));
    position = end;
  }

  void Forget() { position = floor = 0; }
};

uint64_t Sequence::PlanBytes(const Config& config, Precision precision, int64_t context_tokens,
                             int32_t chunk_tokens) {
  Storage storage;
  return storage.ReserveAll(config, Numerics::Of(precision, config),
                            ShapeOf(context_tokens, chunk_tokens), Reserve::Mode::kCount);
}

Sequence::Sequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens) {
  if (context_tokens < 1 || chunk_tokens < 1) {
    Throw(Code::kInvalidArgument,
          "context_tokens and chunk_tokens must be at least 1, got %lld and %d",
          static_cast<long long>(context_tokens), chunk_tokens);
  }
  impl_ = std::make_unique<Impl>(model, ShapeOf(context_tokens, chunk_tokens));
}

Sequence::~Sequence() = default;

int64_t Sequence::position() const { return static_cast<int64_t>(impl_->position); }
int64_t Sequence::roll_back_floor() const { return static_cast<int64_t>(impl_->floor); }
int64_t Sequence::context_tokens() const {
  return static_cast<int64_t>(impl_->shape.context_tokens);
}
std::span<const int32_t> Sequence::tokens() const {
  return {impl_->storage.ids.data(), impl_->position};
}

void Sequence::Evaluate(std::span<const int32_t> ids, LogitRows rows, float* logits,
                        const EvaluateControl& control) {
  Impl& impl = *impl_;
  const int32_t vocab = impl.model.config().vocab;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab) {
      Throw(Code::kInvalidArgument, "tokens[%zu]: id %d is outside 0..%d", i, ids[i], vocab - 1);
    }
  }
  if (ids.size() > impl.shape.context_tokens - impl.position) {
    Throw(Code::kContextFull, "%zu tokens do not fit: %zu of %zu context_tokens are taken",
          ids.size(), impl.position, impl.shape.context_tokens);
  }
  const size_t chunk = impl.shape.chunk_tokens;
  for (size_t done = 0; done < ids.size();) {
    const size_t count = std::min(chunk, ids.size() - done);
    const bool last = done + count == ids.size();
    const LogitRows wanted = rows == LogitRows::kLast && !last ? LogitRows::kNone : rows;
    float* out = wanted == LogitRows::kAll ? logits + done * impl.sizes().vocab : logits;
    impl.EvaluateChunk(ids.subspan(done, count), wanted, out, control);
    done += count;
    if (control.progress &&
        !control.progress(static_cast<int64_t>(done), static_cast<int64_t>(ids.size()))) {
      Throw(Code::kCancelled, "cancelled by the progress callback");
    }
  }
}

void Sequence::Reset() { impl_->Forget(); }

void Sequence::RollBack(int64_t tokens) {
  Impl& impl = *impl_;
  if (tokens < 0 || tokens > position()) {
    Throw(Code::kInvalidArgument, "cannot roll back %lld of %zu tokens",
          static_cast<long long>(tokens), impl.position);
  }
  const size_t target = impl.position - static_cast<size_t>(tokens);
  if (target >= impl.floor) {
    impl.position = target;
    return;
  }
  const std::vector<int32_t> kept(impl.storage.ids.data(), impl.storage.ids.data() + target);
  impl.Forget();
  Evaluate(kept, LogitRows::kNone, nullptr);
}

std::vector<uint8_t> Sequence::Snapshot() const {
  const Impl& impl = *impl_;
  const Config& config = impl.model.config();
  SnapshotHeader header{};
  memcpy(header.magic, kSnapshotMagic, sizeof header.magic);
  header.version = kSnapshotVersion;
  header.precision = static_cast<uint32_t>(impl.model.precision());
  header.fingerprint = Fingerprint(config);
  header.position = impl.position;
  uint64_t size = sizeof header + impl.position * 4 + 8;
  for (size_t i = 0; i < impl.sizes().layers; ++i) {
    size += LayerSnapshotBytes(impl.storage.layers[i], impl.sizes().window, impl.position);
  }
  std::vector<uint8_t> out;
  out.reserve(size);
  const auto append = [&](const void* data, size_t bytes) {
    const uint8_t* begin = static_cast<const uint8_t*>(data);
    out.insert(out.end(), begin, begin + bytes);
  };
  append(&header, sizeof header);
  append(impl.storage.ids.data(), impl.position * sizeof(int32_t));
  for (size_t i = 0; i < impl.sizes().layers; ++i) {
    AppendLayer(impl.storage.layers[i], impl.sizes().window, impl.position, &out);
  }
  const uint64_t checksum = XXH3_64bits(out.data(), out.size());
  append(&checksum, sizeof checksum);
  return out;
}

void Sequence::Restore(std::span<const uint8_t> bytes) {
  Impl& impl = *impl_;
  const Config& config = impl.model.config();
  SnapshotHeader header;
  if (bytes.size() < sizeof header + 8) {
    Throw(Code::kInvalidArgument, "snapshot: %zu bytes are too few", bytes.size());
  }
  memcpy(&header, bytes.data(), sizeof header);
  if (memcmp(header.magic, kSnapshotMagic, sizeof header.magic) != 0) {
    Throw(Code::kInvalidArgument, "snapshot: not a Finback snapshot");
  }
  if (header.version != kSnapshotVersion) {
    Throw(Code::kInvalidArgument, "snapshot: version %u, this library reads %u", header.version,
          kSnapshotVersion);
  }
  if (header.fingerprint != Fingerprint(config)) {
    Throw(Code::kInvalidArgument, "snapshot: made with another model configuration");
  }
  if (header.precision != static_cast<uint32_t>(impl.model.precision())) {
    Throw(Code::kInvalidArgument, "snapshot: made at another precision");
  }
  if (header.position > impl.shape.context_tokens) {
    Throw(Code::kContextFull, "snapshot: holds %llu tokens, context_tokens is %zu",
          static_cast<unsigned long long>(header.position), impl.shape.context_tokens);
  }
  const size_t position = header.position;
  uint64_t expected = sizeof header + header.position * 4 + 8;
  for (size_t i = 0; i < impl.sizes().layers; ++i) {
    expected += LayerSnapshotBytes(impl.storage.layers[i], impl.sizes().window, position);
  }
  if (bytes.size() != expected) {
    Throw(Code::kInvalidArgument, "snapshot: %zu bytes, expected %llu for %zu tokens", bytes.size(),
          static_cast<unsigned long long>(expected), position);
  }
  uint64_t checksum;
  memcpy(&checksum, bytes.data() + bytes.size() - 8, 8);
  if (checksum != XXH3_64bits(bytes.data(), bytes.size() - 8)) {
    Throw(Code::kInvalidArgument, "snapshot: the checksum does not match; the bytes are damaged");
  }
  const uint8_t* ids = bytes.data() + sizeof header;
  for (size_t i = 0; i < position; ++i) {
    int32_t id;
    memcpy(&id, ids + i * 4, 4);
    if (id < 0 || id >= config.vocab) {
      Throw(Code::kInvalidArgument, "snapshot: token %zu has id %d, outside 0..%d", i, id,
            config.vocab - 1);
    }
  }
  memcpy(impl.storage.ids.data(), ids, position * 4);
  const uint8_t* at = ids + position * 4;
  for (size_t i = 0; i < impl.sizes().layers; ++i) {
    at += ReadLayer(at, impl.sizes().window, position, &impl.storage.layers[i]);
  }
  impl.position = impl.floor = position;
}

std::unique_ptr<Sequence> Sequence::Fork() const {
  auto fork = std::make_unique<Sequence>(impl_->model, impl_->shape.context_tokens,
                                         impl_->shape.chunk_tokens);
  fork->Restore(Snapshot());
  return fork;
}

}  // namespace finback
