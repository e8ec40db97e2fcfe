// All kernels of an operation's list on one input: equal bits where arithmetic is exact, else equal
// within rounding of the sum of magnitudes. A difference traps.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/base/number_formats.h"
#include "core/kernels/kernel_list.h"

namespace finback {
namespace {

// Bytes of the input, over and over, varied so that a short input still fills large operands.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t Byte() {
    const uint8_t byte = size_ == 0 ? 0 : data_[at_ % size_];
    const uint8_t turn = size_ == 0 ? 0 : static_cast<uint8_t>(at_ / size_ * 37);
    ++at_;
    return static_cast<uint8_t>(byte + turn);
  }
  size_t Below(size_t n) { return (Byte() * size_t{256} + Byte()) % n; }
  uint8_t E4m3() {
    const uint8_t code = Byte();
    return (code & 0x7F) == 0x7F ? 0x7E : code;  // NaN is not promised anything
  }
  // On the bfloat16 grid, magnitude 0 or 2^-16 to 2^15: no product of two leaves the normal range.
  float Bf16() {
    const uint8_t low = Byte(), high = Byte();
    const uint32_t exponent = 111u + (high & 31u);
    if (low == 0) return 0.0f;
    return BitsToFloat((uint32_t{high} & 0x80u) << 24 | exponent << 23 |
                       (uint32_t{low} & 0x7Fu) << 16);
  }
  std::vector<float> Bf16s(size_t n) {
    std::vector<float> x(n);
    for (float& v : x) v = Bf16();
    return x;
  }
  float AnyBits() {
    uint32_t bits = 0;
    for (int i = 0; i < 4; ++i) bits = bits << 8 | Byte();
    return BitsToFloat(bits);
  }
  std::vector<float> Finite(size_t n) {
    std::vector<float> x(n);
    for (float& v : x) {
      v = AnyBits();
      if (!std::isfinite(v)) v = 0.0f;
    }
    return x;
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

bool CanRun(uint32_t isa) { return (isa & RunnableIsa()) == isa; }

void Check(bool equal) {
  if (!equal) __builtin_trap();
}

template <typename T>
void CheckSame(const std::vector<T>& a, const std::vector<T>& b) {
  Check(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Calls run(function) for every kernel of the list that this machine has, the scalar one first.
template <typename Function, typename Run>
void Compare(KernelList<Function> kernels, const Run& run) {
  const auto expected = run(kernels.back().function);
  for (const Kernel<Function>& kernel : kernels) {
    if (CanRun(kernel.isa)) CheckSame(expected, run(kernel.function));
  }
}

void FuzzGemm(Input& input) {
  const GemmFormat format = static_cast<GemmFormat>(input.Below(4));
  const size_t bits[] = {32, 16, 8, 4};
  const size_t in = format == kGemmFp4 ? 32 * (1 + input.Below(20)) : 1 + input.Below(600);
  const size_t out = 1 + input.Below(20), rows = 1 + input.Below(6);
  const size_t begin = input.Below(out), end = begin + 1 + input.Below(out - begin);
  std::vector<uint8_t> weight(out * in * bits[format] / 8), magnitude;
  for (size_t i = 0; i < out * in && format <= kGemmBf16; ++i) {
    const float value = input.Bf16();
    const Bf16 code = FloatToBf16(value);
    if (format == kGemmF32) std::memcpy(&weight[4 * i], &value, 4);
    if (format == kGemmBf16) std::memcpy(&weight[2 * i], &code, 2);
  }
  for (size_t i = 0; i < weight.size() && format > kGemmBf16; ++i) {
    weight[i] = format == kGemmFp8 ? input.E4m3() : input.Byte();
  }
  magnitude = weight;
  const size_t bytes = format == kGemmF32 ? 4 : format == kGemmBf16 ? 2 : 1;
  for (size_t i = bytes - 1; i < magnitude.size(); i += bytes) {
    magnitude[i] &= format == kGemmFp4 ? 0x77 : 0x7F;
  }
  std::vector<uint8_t> scale(format == kGemmFp4 ? out * in / 32
                                                : (out + 127) / 128 * ((in + 127) / 128));
  for (uint8_t& s : scale) s = static_cast<uint8_t>(90 + input.Byte() % 64);
  const std::vector<float> x = input.Bf16s(rows * in);
  std::vector<float> x_magnitude = x;
  for (float& v : x_magnitude) v = std::fabs(v);

  const auto multiply = [&](const GemmKernel& kernel, const std::vector<uint8_t>& w,
                            std::vector<float> a) {
    std::vector<float> y(rows * (end - begin));
    PrepareRows(kernel, in, rows, a.data(), in);
    kernel.multiply(
        {w.data(), scale.data(), in, begin, end, a.data(), in, rows, y.data(), end - begin, begin});
    return y;
  };
  const KernelList<GemmKernel> kernels = KernelsOf(GemmSlot(format));
  const GemmKernel scalar = kernels.back().function;
  const std::vector<float> expected = multiply(scalar, weight, x);
  const std::vector<float> sums = multiply(scalar, magnitude, x_magnitude);
  for (const Kernel<GemmKernel>& kernel : kernels) {
    if (!CanRun(kernel.isa)) continue;
    const std::vector<float> found = multiply(kernel.function, weight, x);
    if ((kernel.isa & kIsaBlas) == 0) CheckSame(expected, found);
    for (size_t i = 0; i < found.size(); ++i) {
      Check(std::fabs(found[i] - expected[i]) <= 1.2e-7f * static_cast<float>(in + 1) * sums[i]);
    }
  }
}

void FuzzRoundings(Input& input) {
  std::vector<float> any(input.Below(70));
  for (float& v : any) v = input.AnyBits();
  Compare(KernelsOf(&Kernels::round_bf16), [&](RoundBf16Function function) {
    std::vector<float> x = any;
    function(x.data(), x.size());
    return x;
  });
  const size_t block = 8 * (1 + input.Below(16));
  const std::vector<float> finite = input.Finite(block * (1 + input.Below(4)));
  Compare(KernelsOf(&Kernels::quantize_fp8), [&](QuantizeFp8Function function) {
    std::vector<float> x = finite;
    function(x.data(), x.size(), block);
    return x;
  });
}

void FuzzKvEntries(Input& input) {
  const size_t rope = input.Below(70), channels = 64 * (1 + input.Below(8));
  const KvFormat format = {channels + rope, rope};
  const std::vector<float> values = input.Finite(format.head_dim);
  Compare(KernelsOf(&Kernels::pack_kv), [&](PackKvFunction function) {
    std::vector<uint8_t> entry(format.Bytes());
    function(format, values.data(), entry.data());
    return entry;
  });
  std::vector<uint8_t> entry(format.Bytes());
  for (uint8_t& code : entry) code = input.E4m3();
  for (size_t i = 0; i < channels / 64; ++i) entry[channels + i] = input.Byte() % 255;
  Compare(KernelsOf(&Kernels::unpack_kv), [&](UnpackKvFunction function) {
    std::vector<float> unpacked(format.head_dim);
    function(format, entry.data(), unpacked.data());
    return unpacked;
  });
  // Codes of subnormal values may differ.
  for (size_t i = 0; i < channels / 64; ++i) {
    entry[channels + i] = static_cast<uint8_t>(30 + entry[channels + i] % 200);
  }
  Compare(KernelsOf(&Kernels::entry_codes), [&](EntryCodesFunction function) {
    std::vector<Bf16> codes(format.head_dim);
    function({format, entry.data(), 0, format.head_dim, codes.data()});
    return std::vector<float>(codes.begin(), codes.end());
  });
}

void FuzzIndexKeys(Input& input) {
  const size_t n = 32 * (1 + input.Below(8));
  const std::vector<float> values = input.Finite(n);
  Compare(KernelsOf(&Kernels::pack_index), [&](PackIndexFunction function) {
    std::vector<uint8_t> key(n / 2 + n / 32);
    function(values.data(), n, key.data());
    return key;
  });
  std::vector<uint8_t> key(n / 2 + n / 32);
  for (uint8_t& code : key) code = input.Byte();
  for (size_t i = 0; i < n / 32; ++i) key[n / 2 + i] = input.Byte() % 255;
  Compare(KernelsOf(&Kernels::unpack_index), [&](UnpackIndexFunction function) {
    std::vector<float> unpacked(n);
    function(key.data(), n, unpacked.data());
    return unpacked;
  });
}

// Packed index keys whose scales give no float beyond normal ones.
std::vector<uint8_t> IndexKeys(Input& input, size_t count, size_t width) {
  const size_t stride = IndexKeyBytes(width);
  std::vector<uint8_t> keys(count * stride);
  for (uint8_t& byte : keys) byte = input.Byte();
  for (size_t i = 0; i < count; ++i) {
    for (size_t at = width / 2; at < stride; ++at) {
      keys[i * stride + at] = static_cast<uint8_t>(110 + keys[i * stride + at] % 30);
    }
  }
  return keys;
}

void FuzzIndexScores(Input& input) {
  const size_t heads = 1 + input.Below(9), width = 32 * (1 + input.Below(9)),
               count = 1 + input.Below(40);
  const std::vector<uint8_t> q = IndexKeys(input, heads, width);
  const std::vector<uint8_t> keys = IndexKeys(input, count, width);
  const std::vector<float> weight = input.Bf16s(heads);
  std::vector<int16_t> score(count);
  Compare(KernelsOf(&Kernels::index_score), [&](IndexScoreFunction function) {
    function({q.data(), IndexKeyBytes(width), weight.data(), keys.data(), heads, width, count,
              score.data()});
    return std::vector<float>(score.begin(), score.end());
  });
  const int16_t least = score[input.Below(count)];
  size_t many = 0;
  Compare(KernelsOf(&Kernels::count_at_least), [&](CountAtLeastFunction function) {
    many = function(score.data(), count, least);
    return std::vector<float>{static_cast<float>(many)};
  });
  Compare(KernelsOf(&Kernels::take_at_least), [&](TakeAtLeastFunction function) {
    std::vector<int32_t> index(many);
    function(score.data(), count, {least, many}, index.data());
    return std::vector<float>(index.begin(), index.end());
  });
  const std::vector<float> a = input.Bf16s(width), b = input.Bf16s(width);
  Compare(KernelsOf(&Kernels::dot), [&](DotFunction function) {
    return std::vector<float>{function(a.data(), b.data(), width)};
  });
}

std::vector<Bf16> CodesOf(const std::vector<float>& x) {
  std::vector<Bf16> codes;
  for (const float v : x) codes.push_back(FloatToBf16(v));
  return codes;
}

void FuzzAttention(Input& input) {
  const size_t rows = 1 + input.Below(9), pairs = 1 + input.Below(70);
  const size_t columns = 1 + input.Below(140);
  const std::vector<Bf16> a = CodesOf(input.Bf16s(rows * 2 * pairs));
  const std::vector<Bf16> b = CodesOf(input.Bf16s(pairs * 2 * columns));
  const Bf16* tail = input.Below(2) == 0 ? nullptr : b.data();
  Compare(KernelsOf(&Kernels::pair_product), [&](PairProductFunction function) {
    std::vector<float> c(rows * columns);
    function({a.data(), 2 * pairs, b.data(), 2 * columns, nullptr, tail, rows, pairs, columns,
              c.data(), columns, false});
    return c;
  });
  const std::vector<float> scores = input.Bf16s(16 * (1 + input.Below(9)));
  const float scale = std::ldexp(1.0f, -static_cast<int>(input.Below(30)));
  const bool round = input.Below(2) == 0;
  Compare(KernelsOf(&Kernels::softmax), [&](SoftmaxFunction function) {
    std::vector<float> found = scores;
    const SoftmaxSums sums = function({found.data(), found.size(), scale, round});
    if (round) found.resize(found.size() / 2);
    found.push_back(sums.largest);
    found.push_back(sums.sum);
    return found;
  });
  const size_t count = 1 + input.Below(kKeyTile), width = 1 + input.Below(140);
  const std::vector<Bf16> keys = CodesOf(input.Bf16s(count * width));
  for (const auto slot : {&Kernels::keys_by_channel, &Kernels::keys_by_key}) {
    Compare(KernelsOf(slot), [&](ArrangeFunction function) {
      std::vector<Bf16> out(std::max((width + 1) / 2 * 2 * kKeyTile, (count + 1) / 2 * 2 * width));
      function({keys.data(), width, count, width, out.data()});
      return std::vector<float>(out.begin(), out.end());
    });
  }
}

}  // namespace
}  // namespace finback

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  finback::Input input(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      finback::FuzzGemm(input);
      break;
    case 1:
      finback::FuzzRoundings(input);
      break;
    case 2:
      finback::FuzzKvEntries(input);
      break;
    case 3:
      finback::FuzzIndexKeys(input);
      break;
    case 4:
      finback::FuzzIndexScores(input);
      break;
    default:
      finback::FuzzAttention(input);
      break;
  }
  return 0;
}
