// Every kernel of kernels.inc, as bytes read per second and operations per second, absolute and as
// a share of its tier's roofs (core/kernels/roofs): read bandwidth and multiply-adds of float32,
// bfloat16 or bytes of one core, measured in the same run. Rates are per second of this thread's
// processor time, so that neighbours disturb less.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/base/buffer.h"
#include "core/base/number_formats.h"
#include "core/kernels/isa.h"
#include "core/kernels/kernel_list.h"
#include "core/kernels/roofs/roofs.h"

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kRoofBytes = size_t{192} << 20;  // beyond any cache here

// Processor seconds of the calling thread.
double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

template <typename Body>
double BestRate(int repeats, const Body& body) {
  double best = 0.0;
  for (int i = 0; i < repeats; ++i) {
    const double begin = ThreadSeconds();
    const double work = body();
    best = std::max(best, work / (ThreadSeconds() - begin));
  }
  return best;
}

// Of one core, with the instruction set of a tier and below.
struct TierRoofs {
  double read, f32, int8;  // bytes, operations a second
  std::optional<double> bf16;
};

// All cores read at once, by the wall clock.
double ReadAll(ReadRoof read, const uint8_t* data) {
  const unsigned count = std::max(1u, std::thread::hardware_concurrency());
  const size_t part = kRoofBytes / count / 256 * 256;
  double best = 0.0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const Clock::time_point begin = Clock::now();
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
      threads.emplace_back([=] { benchmark::DoNotOptimize(read(data + part * i, part)); });
    }
    for (std::thread& thread : threads) thread.join();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::max(best, double(part) * count / seconds);
  }
  return best;
}

// Pseudo-random bytes that are finite in every format.
uint8_t* Data() {
  static const std::unique_ptr<uint8_t[]> storage = [] {
    std::unique_ptr<uint8_t[]> bytes(new uint8_t[kRoofBytes + 64]);
    uint32_t state = 1;
    for (size_t i = 0; i < kRoofBytes + 64; ++i) {
      state = state * 1664525u + 1013904223u;
      bytes[i] = static_cast<uint8_t>((state >> 24) & 0xBE);
    }
    return bytes;
  }();
  return storage.get() + (64 - reinterpret_cast<uintptr_t>(storage.get()) % 64) % 64;
}

double MultiplyRate(const MultiplyRoof& roof) {
  constexpr size_t kRounds = 2000000;
  return BestRate(7, [&] {
    benchmark::DoNotOptimize(roof.loop(kRounds));
    return double(kRounds) * roof.operations;
  });
}

// Measured once for each tier. `isa`: bits that a kernel needs.
const TierRoofs& RoofsOf(uint32_t isa) {
  static std::map<std::string, TierRoofs> measured;
  const char* tier = IsaName(isa);
  const auto found = measured.find(tier);
  if (found != measured.end()) return found->second;
  const Roofs roofs = PickRoofs(AvailableIsa(tier));
  TierRoofs rates{};
  rates.read = BestRate(5, [&] {
    benchmark::DoNotOptimize(roofs.read(Data(), kRoofBytes));
    return double(kRoofBytes);
  });
  rates.f32 = MultiplyRate(roofs.f32);
  rates.int8 = MultiplyRate(roofs.int8);
  if (roofs.bf16.loop != nullptr) rates.bf16 = MultiplyRate(roofs.bf16);
  return measured.emplace(tier, rates).first->second;
}

uint32_t kernel_isa = 0;  // what the kernel that runs needs: its tier's roofs are its own

// Of a call: a multiply-add is two operations.
void Report(benchmark::State& state, double bytes, double flops, double int8_operations = 0) {
  using benchmark::Counter;
  const double n = double(state.iterations());
  const TierRoofs& roofs = RoofsOf(kernel_isa);
  state.counters["B/s"] = Counter(bytes * n, Counter::kIsRate);
  state.counters["of_read"] = Counter(bytes * n / roofs.read, Counter::kIsRate);
  if (int8_operations != 0) {
    state.counters["OP/s"] = Counter(int8_operations * n, Counter::kIsRate);
    state.counters["of_int8"] = Counter(int8_operations * n / roofs.int8, Counter::kIsRate);
  }
  if (flops == 0) return;
  state.counters["FLOP/s"] = Counter(flops * n, Counter::kIsRate);
  state.counters["of_f32"] = Counter(flops * n / roofs.f32, Counter::kIsRate);
  if (!roofs.bf16) return;
  state.counters["of_bf16"] = Counter(flops * n / *roofs.bf16, Counter::kIsRate);
}

size_t RowBytes(GemmFormat format, size_t in) {
  return format == kGemmF32    ? in * 4
         : format == kGemmBf16 ? in * 2
         : format == kGemmFp8  ? in
                               : in / 2;
}

// Weights of 96 MB for few rows, so that they come from memory; of 2 MB for many.
void Gemm(benchmark::State& state, GemmFormat format, const GemmKernel& kernel, size_t rows) {
  const size_t in = 4096;
  const size_t bytes = rows <= 4 ? size_t{96} << 20 : size_t{2} << 20;
  const size_t out = bytes / RowBytes(format, in);
  const size_t scales = format == kGemmFp8   ? out / 128 * (in / 128)
                        : format == kGemmFp4 ? out * in / 32
                                             : 0;
  std::vector<uint8_t> scale(scales, 121);
  Buffer<float> x(rows * in), y(rows * out);  // rows start at cache lines, as in the network
  for (size_t i = 0; i < x.size(); ++i) x[i] = RoundBf16(float(int(i % 97) - 48) / 16.0f);
  PrepareRows(kernel, in, rows, x.data(), in);
  // A call covers 64 outputs, as one task of a thread does; time is per call.
  size_t o = 0;
  const size_t block = std::min<size_t>(64, out);
  for (auto _ : state) {
    kernel.multiply({Data(), scale.data(), in, o, o + block, x.data(), in, rows, y.data(), out, 0});
    o = o + 2 * block <= out ? o + block : 0;
  }
  const double scale_bytes = format == kGemmFp4 ? double(in) / 32 : double(in) / 128 / 128;
  Report(state, double(block) * (double(RowBytes(format, in)) + (scales > 0 ? scale_bytes : 0)),
         2.0 * double(block * in * rows));
}

Buffer<float> Floats(size_t n) {
  Buffer<float> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = RoundBf16(float(int(i * 31 % 97) - 48) / 16.0f);
  return x;
}

constexpr KvFormat kKv = {512, 64};

// A packed entry, whose scales are those of values around 1.
std::vector<uint8_t> Entry() {
  std::vector<uint8_t> entry(kKv.Bytes());
  PackKvScalar(kKv, Floats(kKv.head_dim).data(), entry.data());
  return entry;
}

Buffer<Bf16> CodesOf(size_t n) {
  const Buffer<float> x = Floats(n);
  Buffer<Bf16> codes(n);
  for (size_t i = 0; i < n; ++i) codes[i] = FloatToBf16(x[i]);
  return codes;
}

// 64 heads' scores of a tile of keys, or their sums of its values.
void Product(benchmark::State& state, PairProductFunction function, bool scores) {
  const size_t heads = 64, pairs = scores ? 256 : 32, columns = scores ? 64 : 512;
  const Buffer<Bf16> a = CodesOf(heads * 2 * pairs), b = CodesOf(pairs * 2 * columns);
  Buffer<float> c(heads * columns);
  for (auto _ : state) {
    function({a.data(), 2 * pairs, b.data(), 2 * columns, nullptr, nullptr, heads, pairs, columns,
              c.data(), columns, !scores});
  }
  Report(state, double(b.size() * 2), 4.0 * double(heads * pairs * columns));
}

void Index(benchmark::State& state, IndexScoreFunction function) {
  const size_t heads = 64, width = 128, count = 1024;
  const Buffer<float> weight = Floats(heads);
  const size_t stride = IndexKeyBytes(width);
  std::vector<uint8_t> q(Data(), Data() + heads * stride), keys(Data(), Data() + count * stride);
  for (std::vector<uint8_t>* packed : {&q, &keys}) {  // scales as close as those of rotated keys
    for (size_t i = 0; i < packed->size(); ++i) {
      if (i % stride >= width / 2) (*packed)[i] = static_cast<uint8_t>(125 + (*packed)[i] % 2);
    }
  }
  std::vector<int16_t> score(count);
  for (auto _ : state) {
    function({q.data(), stride, weight.data(), keys.data(), heads, width, count, score.data()});
  }
  Report(state, double(count * IndexKeyBytes(width)), 0, 2.0 * double(heads * width * count));
}

void Arrange(benchmark::State& state, ArrangeFunction function) {
  const Buffer<Bf16> rows = CodesOf(kKeyTile * 512);
  Buffer<Bf16> out(kKeyTile * 512);
  for (auto _ : state) function({rows.data(), 512, kKeyTile, 512, out.data()});
  Report(state, double(rows.size() * 2), 0);
}

std::set<std::string> registered;  // kernels, whether this machine runs them or not

template <typename Function, typename Body>
void Register(const char* operation, const KernelList<Function>& kernels, const Body& body) {
  for (const Kernel<Function>& kernel : kernels) {
    registered.insert(kernel.name);
    if ((kernel.isa & RunnableIsa()) != kernel.isa) continue;
    const Function function = kernel.function;
    const uint32_t isa = kernel.isa;
    benchmark::RegisterBenchmark((std::string(kernel.name) + "/" + operation).c_str(),
                                 [=](benchmark::State& state) {
                                   kernel_isa = isa;
                                   body(state, function);
                                 });
  }
}

void RegisterSmallOperations() {
  Register("512", KernelsOf(&Kernels::round_bf16),
           [](benchmark::State& state, RoundBf16Function function) {
             Buffer<float> x = Floats(512);
             for (auto _ : state) function(x.data(), x.size());
             Report(state, 2048, 0);
           });
  Register("4096", KernelsOf(&Kernels::quantize_fp8),
           [](benchmark::State& state, QuantizeFp8Function function) {
             Buffer<float> x = Floats(4096);
             for (auto _ : state) function(x.data(), x.size(), 128);
             Report(state, 4096 * 4, 0);
           });
  Register("entry", KernelsOf(&Kernels::pack_kv),
           [](benchmark::State& state, PackKvFunction function) {
             const Buffer<float> x = Floats(512);
             std::vector<uint8_t> entry(kKv.Bytes());
             for (auto _ : state) function(kKv, x.data(), entry.data());
             Report(state, 2048, 0);
           });
  Register("entry", KernelsOf(&Kernels::unpack_kv),
           [](benchmark::State& state, UnpackKvFunction function) {
             const std::vector<uint8_t> entry = Entry();
             Buffer<float> x(512);
             for (auto _ : state) function(kKv, entry.data(), x.data());
             Report(state, 583, 0);
           });
  Register("key", KernelsOf(&Kernels::pack_index),
           [](benchmark::State& state, PackIndexFunction function) {
             const Buffer<float> x = Floats(128);
             std::vector<uint8_t> key(68);
             for (auto _ : state) function(x.data(), 128, key.data());
             Report(state, 512, 0);
           });
  Register("key", KernelsOf(&Kernels::unpack_index),
           [](benchmark::State& state, UnpackIndexFunction function) {
             Buffer<float> x(128);
             for (auto _ : state) function(Data(), 128, x.data());
             Report(state, 68, 0);
           });
  Register("512", KernelsOf(&Kernels::dot), [](benchmark::State& state, DotFunction function) {
    const Buffer<float> a = Floats(512), b = Floats(512);
    for (auto _ : state) benchmark::DoNotOptimize(function(a.data(), b.data(), 512));
    Report(state, 4096, 1024);
  });
  Register("scores", KernelsOf(&Kernels::pair_product),
           [](benchmark::State& state, PairProductFunction function) {
             Product(state, function, true);
           });
  Register("values", KernelsOf(&Kernels::pair_product),
           [](benchmark::State& state, PairProductFunction function) {
             Product(state, function, false);
           });
  Register("tile", KernelsOf(&Kernels::keys_by_channel), Arrange);
  Register("tile", KernelsOf(&Kernels::keys_by_key), Arrange);
  Register("entry", KernelsOf(&Kernels::entry_codes),
           [](benchmark::State& state, EntryCodesFunction function) {
             const std::vector<uint8_t> entry = Entry();
             Buffer<Bf16> codes(512);
             for (auto _ : state) function({kKv, entry.data(), 0, 512, codes.data()});
             Report(state, 583, 0);
           });
  Register("1024", KernelsOf(&Kernels::softmax),
           [](benchmark::State& state, SoftmaxFunction function) {
             Buffer<float> x = Floats(1024);
             for (auto _ : state) {
               benchmark::DoNotOptimize(function({x.data(), x.size(), 0.04f, false}));
             }
             Report(state, 4096, 0);
           });
  Register("64x128x1024", KernelsOf(&Kernels::index_score), Index);
  Register("65536", KernelsOf(&Kernels::count_at_least),
           [](benchmark::State& state, CountAtLeastFunction function) {
             const int16_t* score = reinterpret_cast<const int16_t*>(Data());
             for (auto _ : state) benchmark::DoNotOptimize(function(score, 65536, 1000));
             Report(state, 131072, 0);
           });
  Register("65536", KernelsOf(&Kernels::take_at_least),
           [](benchmark::State& state, TakeAtLeastFunction function) {
             std::vector<int16_t> score(65536);
             for (size_t i = 0; i < score.size(); ++i) score[i] = i % 128 == 5;
             std::vector<int32_t> index(512);
             for (auto _ : state) {
               function(score.data(), score.size(), {1, index.size()}, index.data());
             }
             Report(state, 131072, 0);
           });
  Register("4096", KernelsOf(&Kernels::codes_in_place),
           [](benchmark::State& state, CodesInPlaceFunction function) {
             Buffer<float> x = Floats(4096);
             for (auto _ : state) function(x.data(), x.size());
             Report(state, 4096 * 4, 0);
           });
  Register("512", KernelsOf(&Kernels::scale), [](benchmark::State& state, ScaleFunction function) {
    Buffer<float> x = Floats(512);
    for (auto _ : state) function(x.data(), x.size(), 3.0f, 3.0f);
    Report(state, 512 * 4, 0);
  });
}

// The steps between products, at the sizes of a token of the published models.
constexpr size_t kDim = 4096, kStreams = 4;

void RegisterRows() {
  Register("4096", KernelsOf(&Kernels::sum_of_squares),
           [](benchmark::State& state, SumOfSquaresFunction function) {
             const Buffer<float> x = Floats(kDim);
             for (auto _ : state) benchmark::DoNotOptimize(function(x.data(), x.size()));
             Report(state, kDim * 4, 2.0 * kDim);
           });
  Register("4096", KernelsOf(&Kernels::rms_norm),
           [](benchmark::State& state, RmsNormFunction function) {
             const Buffer<float> x = Floats(kDim), weight = Floats(kDim);
             Buffer<float> y(kDim);
             for (auto _ : state) function({x.data(), weight.data(), kDim, 1e-6f, true, y.data()});
             Report(state, kDim * 12, 4.0 * kDim);
           });
  Register("512", KernelsOf(&Kernels::head_norm),
           [](benchmark::State& state, HeadNormFunction function) {
             Buffer<float> x = Floats(512);
             for (auto _ : state) function({x.data(), x.size(), 1e-6f, true});
             Report(state, 512 * 8, 3.0 * 512);
           });
  Register("64", KernelsOf(&Kernels::rotate), [](benchmark::State& state, RotateFunction function) {
    const std::vector<float> cosine(32, 0.6f), sine(32, 0.8f);
    Buffer<float> x = Floats(64);
    for (auto _ : state) function({cosine.data(), sine.data(), 32, false, true, x.data()});
    Report(state, 64 * 12, 6.0 * 32);
  });
  Register("128", KernelsOf(&Kernels::hadamard),
           [](benchmark::State& state, HadamardFunction function) {
             Buffer<float> x = Floats(128);
             for (auto _ : state) function({x.data(), x.size(), true});
             Report(state, 128 * 8, 8.0 * 128);
           });
  Register("4x4096", KernelsOf(&Kernels::sum_streams),
           [](benchmark::State& state, SumStreamsFunction function) {
             const Buffer<float> streams = Floats(kStreams * kDim), weight = Floats(kStreams);
             Buffer<float> y(kDim);
             for (auto _ : state) {
               function({streams.data(), weight.data(), kStreams, kDim, true, y.data()});
             }
             Report(state, kDim * 4 * (kStreams + 1), 2.0 * kStreams * kDim);
           });
  Register("4x4096", KernelsOf(&Kernels::mix_streams),
           [](benchmark::State& state, MixStreamsFunction function) {
             Buffer<float> streams = Floats(kStreams * kDim);
             const Buffer<float> y = Floats(kDim);
             const std::vector<float> post(kStreams, 0.5f), comb(kStreams * kStreams, 0.25f);
             for (auto _ : state) {
               function({y.data(), post.data(), comb.data(), kStreams, kDim, true, streams.data()});
             }
             Report(state, kDim * 4 * (2 * kStreams + 1), 2.0 * kStreams * (kStreams + 1) * kDim);
           });
  Register("4", KernelsOf(&Kernels::sinkhorn),
           [](benchmark::State& state, SinkhornFunction function) {
             Buffer<float> b = Floats(kStreams * kStreams);
             for (auto _ : state) function({b.data(), kStreams, 20, 1e-6f});
             Report(state, kStreams * kStreams * 8, 20.0 * 4 * kStreams * kStreams);
           });
}

// A row of x[n], in place, with `operations` a value.
template <typename Function>
void InPlace(benchmark::State& state, Function function, size_t n, double operations) {
  Buffer<float> x = Floats(n);
  for (auto _ : state) function(x.data(), n);
  Report(state, double(n * 8), operations * double(n));
}

void RegisterGates() {
  Register("256", KernelsOf(&Kernels::sigmoid),
           [](benchmark::State& state, SigmoidFunction f) { InPlace(state, f, 256, 20); });
  Register("256", KernelsOf(&Kernels::sqrt_softplus),
           [](benchmark::State& state, SqrtSoftplusFunction f) { InPlace(state, f, 256, 40); });
  Register("2048", KernelsOf(&Kernels::swiglu),
           [](benchmark::State& state, SwigluFunction function) {
             const Buffer<float> from = Floats(2048), up = Floats(2048);
             Buffer<float> gate(from.size());
             for (auto _ : state) {  // anew, since its values would become subnormal
               memcpy(gate.data(), from.data(), from.size() * sizeof(float));
               function({up.data(), gate.size(), 10.0f, 1.0f, true, gate.data()});
             }
             Report(state, 2048 * 12, 25.0 * 2048);
           });
  Register("7x4096", KernelsOf(&Kernels::sum_rows),
           [](benchmark::State& state, SumRowsFunction function) {
             const Buffer<float> x = Floats(7 * kDim);
             const int32_t row[] = {3, 0, 6, 1, 2, 5, 4};
             Buffer<float> y(kDim);
             for (auto _ : state) function({x.data(), row, 7, kDim, true, y.data()});
             Report(state, kDim * 4 * 8, 7.0 * kDim);
           });
  Register("1024", KernelsOf(&Kernels::pool), [](benchmark::State& state, PoolFunction function) {
    const Buffer<float> gate = Floats(1024), value = Floats(1024);
    const std::vector<float> top(1024, 3.0f);
    Buffer<float> total(1024), sum(1024);
    for (auto _ : state) {
      function({gate.data(), value.data(), top.data(), 1024, total.data(), sum.data()});
    }
    Report(state, 1024 * 4 * 7, 20.0 * 1024);
  });
}

void RegisterAll() {
  for (const GemmFormat format : {kGemmF32, kGemmBf16, kGemmFp8, kGemmFp4}) {
    for (const size_t rows : {1u, 2u, 3u, 4u, 8u, 64u}) {
      Register(("rows:" + std::to_string(rows)).c_str(), KernelsOf(GemmSlot(format)),
               [=](benchmark::State& state, const GemmKernel& kernel) {
                 Gemm(state, format, kernel, rows);
               });
    }
  }
  RegisterSmallOperations();
  RegisterRows();
  RegisterGates();
}

// No kernel may be listed without a benchmark.
bool AllAreRegistered() {
  bool all = true;
#define FINBACK_KERNEL(slot, isa, function, ...)                                                 \
  if (registered.count(#function) == 0) {                                                        \
    fprintf(stderr, "%s has no benchmark: add slot %s to kernels_bench.cc\n", #function, #slot); \
    all = false;                                                                                 \
  }
#include "core/kernels/kernels.inc"
  return all;
}

}  // namespace
}  // namespace finback

int main(int argc, char** argv) {
  finback::RegisterAll();
  if (!finback::AllAreRegistered()) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const finback::IsaTier& tier : finback::IsaTiers()) {
    if (!tier.is_available()) continue;
    const finback::TierRoofs& roofs = finback::RoofsOf(tier.bit);
    std::string text = "read " + std::to_string(roofs.read / 1e9) + " GB/s, F32 " +
                       std::to_string(roofs.f32 / 1e9) + " GFLOP/s, int8 " +
                       std::to_string(roofs.int8 / 1e9) + " GOP/s";
    if (roofs.bf16) text += ", BF16 " + std::to_string(*roofs.bf16 / 1e9) + " GFLOP/s";
    benchmark::AddCustomContext(std::string("roofs_of_a_core_") + tier.name, text);
  }
  const finback::ReadRoof read = finback::PickRoofs(finback::RunnableIsa()).read;
  benchmark::AddCustomContext("read_roof_all_cores_GB/s",
                              std::to_string(finback::ReadAll(read, finback::Data()) / 1e9));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
