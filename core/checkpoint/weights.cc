#include "core/checkpoint/weights.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

#include "core/base/process.h"
#include "core/base/status.h"
#include "core/checkpoint/tensor_check.h"
#include "core/checkpoint/tensor_store.h"
#include "core/checkpoint/weight_binder.h"

namespace finback {
namespace {

constexpr std::string_view kExpertsPart = "ffn.experts.";

}  // namespace

struct Weights::Impl {
  TensorStore store;
  FoundDrafts found_drafts = FoundDrafts::kNone;
  int32_t layers = 0, drafts = 0, experts = 0;
  // One flag per unit that is checked as a whole: global, then the layers, then their experts. Set
  // once the unit has passed; a failed check is repeated, and fails again, on the next use.
  std::unique_ptr<std::atomic<bool>[]> checked;
  std::array<ForkMutex, 16> locks;

  size_t units() const {
    return 1 + static_cast<size_t>(layers + drafts) * (1 + static_cast<size_t>(experts));
  }
  size_t LayerUnit(int32_t layer) const { return 1 + static_cast<size_t>(layer); }
  size_t ExpertUnit(int32_t layer, int32_t expert) const {
    return 1 + static_cast<size_t>(layers + drafts) +
           static_cast<size_t>(layer) * static_cast<size_t>(experts) + static_cast<size_t>(expert);
  }
  std::string LayerPrefix(int32_t layer) const {
    return layer < layers ? "layers." + std::to_string(layer) + "."
                          : "mtp." + std::to_string(layer - layers) + ".";
  }

  std::string ExpertPrefix(int32_t layer, int32_t expert) const {
    return LayerPrefix(layer) + std::string(kExpertsPart) + std::to_string(expert) + ".";
  }

  bool IsChecked(size_t unit) const { return checked[unit].load(std::memory_order_acquire); }

  void Advise(FileMap::Access access) const {
    for (const FileMap& map : store.maps) map.Advise(access);
  }

  enum class Convert : uint8_t { kNo, kYes };

  TensorCheck CheckOf(size_t tensor) const {
    TensorCheck check;
    check.tensor = &store.tensors[tensor];
    check.experts = experts;
    check.where = store.Where(tensor);
    return check;
  }

  void CheckTensor(size_t tensor, Convert convert, const std::function<void(uint64_t)>& piece) {
    store.maps[store.tensors[tensor].file].CheckUnchanged();
    TensorCheck check = CheckOf(tensor);
    const auto found = std::lower_bound(
        store.converted.begin(), store.converted.end(), tensor,
        [](const ConvertedScale& scale, size_t wanted) { return scale.tensor < wanted; });
    if (found != store.converted.end() && found->tensor == tensor) {
      check.scale = true;
      check.codes = convert == Convert::kYes ? found->codes.data() : nullptr;
    }
    CheckTensorContents(check, piece);
  }

  // Calls body(tensor) for those whose names start with `prefix`, but not with `except`.
  template <typename Body>
  void ForPrefix(const std::string& prefix, const std::string& except, const Body& body) const {
    for (size_t i = store.LowerBound(prefix); i < store.tensors.size(); ++i) {
      const std::string_view name = store.tensors[i].name;
      if (!name.starts_with(prefix)) break;
      if (except.empty() || !name.starts_with(except)) body(i);
    }
  }

  void CheckPrefix(const std::string& prefix, const std::string& except) {
    ForPrefix(prefix, except, [this](size_t i) { CheckTensor(i, Convert::kYes, nullptr); });
  }

  void ReadAhead(const std::string& prefix, const std::string& except) const {
    ForPrefix(prefix, except, [this](size_t i) {
      const Tensor& tensor = store.tensors[i];
      store.maps[tensor.file].ReadAhead({tensor.data, tensor.bytes});
    });
  }

  template <typename Body>
  void Once(size_t unit, const Body& body) {
    if (IsChecked(unit)) return;
    const std::lock_guard<ForkMutex> lock(locks[unit % locks.size()]);
    if (checked[unit].load(std::memory_order_relaxed)) return;
    body();
    checked[unit].store(true, std::memory_order_release);
  }

  void RequireLayer(int32_t layer) const {
    if (layer >= 0 && layer < layers + drafts) return;
    Throw(Code::kInvalidArgument, "layer: found %d, expected 0 to %d", layer, layers + drafts - 1);
  }
};

Weights::Weights() : impl_(std::make_unique<Impl>()) {}
Weights::~Weights() = default;

std::unique_ptr<Weights> Weights::Open(const std::string& folder, const Config& config,
                                       const WeightsIn& in) {
  std::unique_ptr<Weights> weights(new Weights());
  Impl& impl = *weights->impl_;
  impl.found_drafts = OpenTensorStore(folder, config, in, &impl.store);
  impl.layers = config.layers_count;
  impl.drafts = impl.found_drafts == FoundDrafts::kOurs ? config.drafts : 0;
  impl.experts = config.experts;
  // Hundreds of small vectors, each in its own corner of the files: reading ahead of them would
  // cost seconds on a cold Flash.
  impl.Advise(FileMap::Access::kPieces);
  WeightBinder(config, &impl.store).BindAll(impl.drafts, weights.get());
  impl.Advise(FileMap::Access::kWhole);
  // The headers' entries have done their duty; their names are still looked at.
  impl.store.entries = {};
  impl.store.bound = {};
  impl.store.parts = {};
  for (SafetensorsHeader& header : impl.store.headers) header.entries = {};
  impl.checked = std::make_unique<std::atomic<bool>[]>(impl.units());
  return weights;
}

const std::vector<Tensor>& Weights::tensors() const { return impl_->store.tensors; }
const std::vector<std::string>& Weights::files() const { return impl_->store.files; }
uint64_t Weights::total_bytes() const { return impl_->store.total_bytes; }
uint64_t Weights::file_bytes(uint32_t i) const { return impl_->store.maps.at(i).bytes().size(); }
int64_t Weights::file_date_ns(uint32_t file) const { return impl_->store.maps.at(file).date_ns(); }
FoundDrafts Weights::found_drafts() const { return impl_->found_drafts; }

void Weights::CheckFiles() const {
  for (const FileMap& map : impl_->store.maps) map.CheckUnchanged();
}

void Weights::CheckSamples() const {
  constexpr size_t kPlaces = 8;
  const TensorStore& store = impl_->store;
  impl_->Advise(FileMap::Access::kPieces);
  std::vector<size_t> last(store.maps.size(), store.tensors.size());  // tensor of each file
  for (size_t i = 0; i < store.tensors.size(); ++i) {
    const Tensor& tensor = store.tensors[i];
    const std::span<const uint8_t> file = store.maps[tensor.file].bytes();
    const size_t begin = static_cast<size_t>(tensor.data - file.data());
    const size_t step = std::max<size_t>(1, file.size() / kPlaces);
    const size_t place = (begin + step - 1) / step * step;
    if (place < begin + tensor.bytes) CheckTensorSample(impl_->CheckOf(i), place - begin);
    size_t& end = last[tensor.file];
    if (end == store.tensors.size() || store.tensors[end].data < tensor.data) end = i;
  }
  for (const size_t i : last) {
    if (i < store.tensors.size()) CheckTensorSample(impl_->CheckOf(i), store.tensors[i].bytes);
  }
  impl_->Advise(FileMap::Access::kWhole);
}

void Weights::Prefault(const std::function<void(uint64_t, uint64_t)>& progress) const {
  const TensorStore& store = impl_->store;
  uint64_t total = 0, before = 0;
  for (const FileMap& map : store.maps) total += map.bytes().size();
  for (const FileMap& map : store.maps) {
    map.Prefault([&](uint64_t done) { progress(before + done, total); });
    before += map.bytes().size();
  }
}

void Weights::ReadAheadLayer(int32_t layer) const {
  Impl& impl = *impl_;
  impl.RequireLayer(layer);
  if (impl.IsChecked(impl.LayerUnit(layer))) return;
  const std::string prefix = impl.LayerPrefix(layer);
  impl.ReadAhead(prefix, prefix + std::string(kExpertsPart));
}

void Weights::ReadAheadExpert(int32_t layer, int32_t expert) const {
  Impl& impl = *impl_;
  if (impl.IsChecked(impl.ExpertUnit(layer, expert))) return;
  impl.ReadAhead(impl.ExpertPrefix(layer, expert), "");
}

void Weights::CheckGlobal() const {
  Impl& impl = *impl_;
  impl.Once(0, [&impl] {
    for (const char* name : {"embed.", "head.", "hc_head_", "norm."}) impl.CheckPrefix(name, "");
  });
}

void Weights::CheckLayer(int32_t layer) const {
  Impl& impl = *impl_;
  impl.RequireLayer(layer);
  impl.Once(impl.LayerUnit(layer), [&] {
    const std::string prefix = impl.LayerPrefix(layer);
    impl.CheckPrefix(prefix, prefix + std::string(kExpertsPart));
  });
}

void Weights::CheckExpert(int32_t layer, int32_t expert) const {
  Impl& impl = *impl_;
  impl.RequireLayer(layer);
  if (expert < 0 || expert >= impl.experts) {
    Throw(Code::kInvalidArgument, "expert: found %d, expected 0 to %d", expert, impl.experts - 1);
  }
  impl.Once(impl.ExpertUnit(layer, expert),
            [&] { impl.CheckPrefix(impl.ExpertPrefix(layer, expert), ""); });
}

void Weights::VerifyAll(const std::function<bool(uint64_t, uint64_t)>& progress) const {
  Impl& impl = *impl_;
  uint64_t done = 0;
  const auto piece = [&](uint64_t bytes) {
    done += bytes;
    if (progress && !progress(done, impl.store.total_bytes)) Throw(Code::kCancelled, "cancelled");
  };
  for (size_t i = 0; i < impl.store.tensors.size(); ++i) {
    impl.CheckTensor(i, Impl::Convert::kNo, piece);
  }
}

}  // namespace finback
