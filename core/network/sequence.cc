#include "core/network/sequence.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "core/base/status.h"
#include "core/network/compute.h"

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

StateShape ShapeOf(int64_t context_tokens, int32_t chunk_tokens) {
  if (context_tokens < 1 || chunk_tokens < 1) {
    Throw(Code::kInvalidArgument,
          "context_tokens and chunk_tokens must be at least 1, got %lld and %d",
          static_cast<long long>(context_tokens), chunk_tokens);
  }
  // No more than the context can come at once.
  const size_t context = static_cast<size_t>(context_tokens);
  return {context, std::min(context, static_cast<size_t>(chunk_tokens))};
}

}  // namespace

size_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
}

Sequence::Plan Sequence::Memory::ReserveAll(const Config& config, Precision precision,
                                            const StateShape& shape, Reserve::Mode mode) {
  Reserve reserve(mode);
  layers = ReserveLayers(config, precision, shape, &reserve);
  reserve(ids, shape.context_tokens);
  return {reserve.bytes(), reserve.bytes() + reserve.later()};
}

Sequence::Plan Sequence::PlanOf(const Config& config, Precision precision, int64_t context_tokens,
                                int32_t chunk_tokens) {
  return Memory().ReserveAll(config, precision, ShapeOf(context_tokens, chunk_tokens),
                             Reserve::Mode::kCount);
}

Sequence::Sequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens,
                   MemoryBudget* budget)
    : model_(model), budget_(budget), shape_(ShapeOf(context_tokens, chunk_tokens)) {
  memory_.ReserveAll(model.config(), model.precision(), shape_, Reserve::Mode::kTake);
}

// Takes what tokens [begin, end) need, or nothing.
void Sequence::Grow(size_t begin, size_t end) {
  const TokenRange tokens{position_, begin, end};
  uint64_t bytes = 0;
  for (const LayerState& layer : memory_.layers) bytes += BytesToGrow(tokens, layer);
  Reservation charged;
  if (budget_ != nullptr) {
    charged = Reservation::Try(budget_, bytes);
    while (!charged.taken() && budget_->Allows(bytes) &&
           (budget_->GiveWay() || checkpoints_.DropFirst())) {
      charged = Reservation::Try(budget_, bytes);
    }
    if (!charged.taken()) {
      const std::string what = Format("memory for %zu more tokens", end - begin);
      charged = Reservation(budget_, bytes, what.c_str());
    }
  }
  try {
    for (LayerState& layer : memory_.layers) GrowLayer(tokens, &charged, &layer);
  } catch (...) {
    DropSpare();
    throw;
  }
}

void Sequence::TakeBlocks(size_t tokens) {
  const size_t begin = std::max(position_, taken_);
  const size_t end = position_ + std::min(tokens, shape_.context_tokens - position_);
  if (end <= begin) return;
  Grow(begin, end);
  taken_ = end;
}

void Sequence::KeepCheckpoints(size_t most, uint64_t most_bytes, size_t most_ends) {
  const size_t window = static_cast<size_t>(model_.config().window);
  const uint64_t bytes = Checkpoints::BytesAt(memory_.layers, window, kCheckpointTokens);
  most = std::min({most, static_cast<size_t>(most_bytes / std::max<uint64_t>(bytes, 1)),
                   shape_.context_tokens / kCheckpointTokens});
  checkpoints_.Keep({most, most_ends}, window);
}

int64_t Sequence::NearestBack(int64_t position) const {
  if (position >= static_cast<int64_t>(floor_)) return position;
  const Checkpoint* checkpoint = checkpoints_.Nearest(static_cast<size_t>(position));
  return checkpoint == nullptr ? 0 : static_cast<int64_t>(checkpoint->position);
}

void Sequence::GoBackTo(int64_t nearest) noexcept {
  const size_t position = static_cast<size_t>(nearest);
  const bool far = position < floor_;
  GoTo(position);
  if (!far || position == 0) return;
  checkpoints_.Restore(*checkpoints_.Nearest(position), memory_.layers);
  floor_ = position;
}

void Sequence::DropSpare() noexcept {
  checkpoints_.Abandon(memory_.layers);
  taken_ = position_;
  for (LayerState& layer : memory_.layers) CutLayer(position_, &layer);
}

void Sequence::GoTo(size_t position) noexcept {
  position_ = position;
  floor_ = std::min(floor_, position);
  checkpoints_.Cut(position);
  DropSpare();
}

void Sequence::Pretend(std::span<const int32_t> ids) {
  position_ = floor_ = taken_ = 0;
  checkpoints_.Cut(0);
  Grow(0, ids.size());
  EndChunk(ids);
}

void Sequence::BeginChunk(size_t tokens) noexcept {
  checkpoints_.Begin(memory_.layers, position_, position_ + tokens, budget_);
  floor_ = std::max(floor_, std::min(position_, BackFrom(position_ + tokens)));
}

void Sequence::EndChunk(std::span<const int32_t> ids) {
  memcpy(memory_.ids.data() + position_, ids.data(), ids.size_bytes());
  position_ += ids.size();
  for (LayerState& layer : memory_.layers) finback::EndChunk(ids.size(), &layer);
  floor_ = std::max(floor_, BackFrom(position_));
  checkpoints_.End(memory_.layers);
}

// Where the rings reach back to once they hold `end` tokens.
size_t Sequence::BackFrom(size_t end) const {
  return end - std::min({end, shape_.chunk_tokens, kBackTokens});
}

void Sequence::RollBack(int64_t tokens) {
  if (tokens < 0 || tokens > position()) {
    Throw(Code::kInvalidArgument, "cannot roll back %lld of %zu tokens",
          static_cast<long long>(tokens), position_);
  }
  const size_t target = position_ - static_cast<size_t>(tokens);
  if (target < floor_) {
    Throw(Code::kInvalidArgument, "cannot roll back to %zu tokens: memory reaches back to %zu",
          target, floor_);
  }
  GoTo(target);
}

std::vector<int32_t> Sequence::RollBackFar(int64_t tokens) {
  const int64_t target = position() - tokens;
  if (tokens < 0 || target < 0 || target >= roll_back_floor()) {
    RollBack(tokens);
    return {};
  }
  const int64_t nearest = NearestBack(target);
  std::vector<int32_t> again(this->tokens().begin() + nearest, this->tokens().begin() + target);
  GoBackTo(nearest);
  return again;
}

std::vector<uint8_t> Sequence::Snapshot() const {
  const Config& config = model_.config();
  const size_t window = static_cast<size_t>(config.window);
  SnapshotHeader header{};
  memcpy(header.magic, kSnapshotMagic, sizeof header.magic);
  header.version = kSnapshotVersion;
  header.precision = static_cast<uint32_t>(model_.precision());
  header.fingerprint = Fingerprint(config);
  header.position = position_;
  uint64_t size = sizeof header + position_ * 4 + 8;
  for (const LayerState& layer : memory_.layers) {
    size += LayerSnapshotBytes(layer, window, position_);
  }
  std::vector<uint8_t> out;
  out.reserve(size);
  const auto append = [&](const void* data, size_t bytes) {
    const uint8_t* begin = static_cast<const uint8_t*>(data);
    out.insert(out.end(), begin, begin + bytes);
  };
  append(&header, sizeof header);
  append(memory_.ids.data(), position_ * sizeof(int32_t));
  for (const LayerState& layer : memory_.layers) AppendLayer(layer, window, position_, &out);
  const uint64_t checksum = XXH3_64bits(out.data(), out.size());
  append(&checksum, sizeof checksum);
  return out;
}

void Sequence::Restore(std::span<const uint8_t> bytes) {
  const Config& config = model_.config();
  const size_t window = static_cast<size_t>(config.window);
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
  if (header.precision != static_cast<uint32_t>(model_.precision())) {
    Throw(Code::kInvalidArgument, "snapshot: made at another precision");
  }
  if (header.position > shape_.context_tokens) {
    Throw(Code::kContextFull, "snapshot: holds %llu tokens, context_tokens is %zu",
          static_cast<unsigned long long>(header.position), shape_.context_tokens);
  }
  const size_t position = header.position;
  uint64_t expected = sizeof header + header.position * 4 + 8;
  for (const LayerState& layer : memory_.layers) {
    expected += LayerSnapshotBytes(layer, window, position);
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
  Grow(0, position);
  memcpy(memory_.ids.data(), ids, position * 4);
  const uint8_t* at = ids + position * 4;
  for (LayerState& layer : memory_.layers) at += ReadLayer(at, window, position, &layer);
  checkpoints_.Cut(0);  // of other tokens
  GoTo(position);
  floor_ = position;
}

void Sequence::Continue(std::span<const int32_t> ids, const uint8_t* rings) noexcept {
  const size_t window = static_cast<size_t>(model_.config().window);
  std::copy(ids.begin() + position(), ids.end(), memory_.ids.data() + position_);
  LoadAllRings(rings, window, ids.size(), memory_.layers);
  position_ = floor_ = ids.size();
}

std::unique_ptr<Sequence> Sequence::Fork() const {
  auto fork = std::make_unique<Sequence>(model_, context_tokens(),
                                         static_cast<int32_t>(shape_.chunk_tokens), budget_);
  fork->checkpoints_.KeepAs(checkpoints_);
  fork->CopyFrom(*this);
  return fork;
}

void Sequence::CopyFrom(const Sequence& other) {
  const size_t window = static_cast<size_t>(model_.config().window);
  memcpy(memory_.ids.data(), other.memory_.ids.data(), other.position_ * sizeof(int32_t));
  for (size_t i = 0; i < memory_.layers.size(); ++i) {
    ForkLayer(other.memory_.layers[i], window, other.position_, &memory_.layers[i]);
  }
  position_ = floor_ = taken_ = other.position_;
  checkpoints_.CopyFrom(other.checkpoints_.list(), other.position_);
}

size_t SequenceMark::NearestBack(size_t position) const {
  if (position >= ids.size()) return ids.size();
  const Checkpoint* checkpoint = NearestCheckpoint(checkpoints, position);
  return checkpoint == nullptr ? 0 : checkpoint->position;
}

uint64_t Sequence::MarkBytes() const {
  const size_t window = static_cast<size_t>(model_.config().window);
  uint64_t bytes = BlockRef::BytesOf(Checkpoints::BytesAt(memory_.layers, window, position_)) +
                   position_ * sizeof(int32_t) + checkpoints_.count() * sizeof(Checkpoint);
  for (const LayerState& layer : memory_.layers) {
    for (const CompressorState* compressor : {&layer.main, &layer.index}) {
      bytes += sizeof(BlockList) + compressor->entries.blocks() * sizeof(uint8_t*);
    }
  }
  return bytes;
}

uint64_t Sequence::WholeBytes() const {
  uint64_t bytes = MarkBytes();
  for (const LayerState& layer : memory_.layers) {
    for (const CompressorState* compressor : {&layer.main, &layer.index}) {
      bytes += compressor->entries.blocks() * BlockList::BlockBytes(compressor->entries.shape());
    }
  }
  return bytes;
}

SequenceMark Sequence::Mark() const {
  const size_t window = static_cast<size_t>(model_.config().window);
  SequenceMark mark;
  mark.ids.assign(memory_.ids.data(), memory_.ids.data() + position_);
  mark.checkpoints.assign(checkpoints_.list().begin(), checkpoints_.list().end());
  Reservation uncharged;  // the caller's
  mark.rings = BlockRef::New(Checkpoints::BytesAt(memory_.layers, window, position_), &uncharged);
  uint8_t* at = mark.rings.data();
  Reserve reserve(Reserve::Mode::kTake);
  for (const LayerState& layer : memory_.layers) {
    at = SaveRings(layer, window, position_, at);
    for (const CompressorState* compressor : {&layer.main, &layer.index}) {
      const size_t entries = compressor->ratio == 0 ? 0 : position_ / compressor->ratio;
      BlockList& list = mark.entries.emplace_back();
      list.Prepare(compressor->entries.shape(), entries, &reserve);
      list.Share(compressor->entries, entries);
    }
  }
  return mark;
}

void Sequence::ReturnTo(const SequenceMark& mark, size_t position) noexcept {
  const size_t window = static_cast<size_t>(model_.config().window);
  GoTo(0);
  std::copy(mark.ids.begin(), mark.ids.begin() + static_cast<ptrdiff_t>(position),
            memory_.ids.data());
  const BlockList* list = mark.entries.data();
  for (LayerState& layer : memory_.layers) {
    for (CompressorState* compressor : {&layer.main, &layer.index}) {
      if (compressor->ratio != 0) compressor->entries.Share(*list, position / compressor->ratio);
      ++list;
    }
  }
  checkpoints_.CopyFrom(mark.checkpoints, position);
  if (position != 0) {
    const BlockRef& rings = position == mark.ids.size()
                                ? mark.rings
                                : NearestCheckpoint(mark.checkpoints, position)->rings;
    LoadAllRings(rings.data(), window, position, memory_.layers);
  }
  position_ = floor_ = position;
}

}  // namespace finback
