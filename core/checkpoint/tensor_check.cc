#include "core/checkpoint/tensor_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/number_formats.h"
#include "core/base/status.h"

namespace finback {
namespace {

constexpr size_t kNone = static_cast<size_t>(-1);
constexpr size_t kPieceBytes = 32u << 20;

template <typename T>
T Load(const uint8_t* data, size_t i) {
  T value;
  memcpy(&value, data + i * sizeof value, sizeof value);
  return value;
}

// Index of the first element with (element & mask) >= bad, or kNone. The block's maximum has a
// fixed trip count and no exit, so compilers turn it into vector code; signed 16- and 32-bit types
// because plain SSE2 compares those.
template <typename T>
size_t FindCode(const uint8_t* data, size_t count, T mask, T bad) {
  constexpr size_t kBlock = 4096;
  size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    T worst = 0;
    for (size_t k = 0; k < kBlock; ++k) {
      worst = std::max(worst, static_cast<T>(Load<T>(data, i + k) & mask));
    }
    if (worst >= bad) break;
  }
  for (; i < count; ++i) {
    if (static_cast<T>(Load<T>(data, i) & mask) >= bad) return i;
  }
  return kNone;
}

[[noreturn]] void ThrowElement(const TensorCheck& check, size_t element, const std::string& found,
                               const char* expected) {
  const int64_t columns = check.tensor->shape[1];
  const std::string place =
      check.tensor->rank == 2 && columns > 0
          ? Format(" ([%lld, %lld])",
                   static_cast<long long>(element / static_cast<uint64_t>(columns)),
                   static_cast<long long>(element % static_cast<uint64_t>(columns)))
          : "";
  Throw(Code::kCheckpoint, "%s: element %zu%s: found %s, expected %s", check.where.c_str(), element,
        place.c_str(), found.c_str(), expected);
}

void CheckCodes(const TensorCheck& check, size_t begin, size_t count) {
  const Tensor& tensor = *check.tensor;
  size_t at = kNone;
  switch (tensor.dtype) {
    case Dtype::kF8E4m3: {
      const uint8_t* data = tensor.data + begin;
      at = FindCode<uint8_t>(data, count, 0x7F, 0x7F);
      if (at == kNone) return;
      ThrowElement(check, begin + at, Format("NaN (0x%02x)", data[at]), "a finite E4M3 number");
    }
    case Dtype::kF8E8m0:
      at = FindCode<uint8_t>(tensor.data + begin, count, 0xFF, 0xFF);
      if (at == kNone) return;
      ThrowElement(check, begin + at, "NaN (0xff)", "an E8M0 scale from 0x00 to 0xfe");
    case Dtype::kBf16:
      at = FindCode<int16_t>(tensor.data + 2 * begin, count, 0x7F80, 0x7F80);
      if (at == kNone) return;
      ThrowElement(check, begin + at,
                   Format("0x%04x, NaN or infinity", Load<Bf16>(tensor.data, begin + at)),
                   "a finite BF16 number");
    case Dtype::kF32:
      at = FindCode<int32_t>(tensor.data + 4 * begin, count, 0x7F800000, 0x7F800000);
      if (at == kNone) return;
      ThrowElement(check, begin + at,
                   Format("0x%08x, NaN or infinity", Load<uint32_t>(tensor.data, begin + at)),
                   "a finite F32 number");
    default:
      return;  // every FP4 code is a number; expert tables have their own check
  }
}

void ConvertScales(const TensorCheck& check, size_t begin, size_t count) {
  for (size_t i = begin; i < begin + count; ++i) {
    const uint32_t bits = Load<uint32_t>(check.tensor->data, i);
    const uint32_t exponent = bits >> 23;  // the sign included
    const bool power = (bits & 0x7FFFFF) == 0 && exponent >= 1 && exponent <= 254;
    if (!power && bits != 0x00400000) {  // 2^-127 is the one subnormal that E8M0 has
      Throw(Code::kUnsupported,
            "%s: element %zu: found scale %g, which is not supported (supported: powers of two)",
            check.where.c_str(), i, static_cast<double>(BitsToFloat(bits)));
    }
    if (check.codes) check.codes[i] = static_cast<uint8_t>(exponent);
  }
}

void CheckExpertRows(const TensorCheck& check, size_t begin, size_t rows) {
  const Tensor& tensor = *check.tensor;
  const size_t k = static_cast<size_t>(tensor.shape[1]);
  const bool wide = tensor.dtype == Dtype::kI64;
  const auto id = [&](size_t i) {
    return wide ? Load<int64_t>(tensor.data, i)
                : static_cast<int64_t>(Load<int32_t>(tensor.data, i));
  };
  for (size_t row = begin; row < begin + rows; ++row) {
    for (size_t slot = 0; slot < k; ++slot) {
      const int64_t expert = id(row * k + slot);
      if (expert < 0 || expert >= check.experts) {
        ThrowElement(check, row * k + slot, Format("expert %lld", static_cast<long long>(expert)),
                     Format("an expert from 0 to %d", check.experts - 1).c_str());
      }
      for (size_t other = 0; other < slot; ++other) {
        if (id(row * k + other) != expert) continue;
        ThrowElement(check, row * k + slot,
                     Format("expert %lld a second time", static_cast<long long>(expert)),
                     "different experts for one token");
      }
    }
  }
}

// Whether all of the data repeats its first `unit` bytes; ends where it first does not.
bool Repeats(const uint8_t* data, size_t bytes, size_t unit) {
  return bytes > unit && memcmp(data, data + unit, bytes - unit) == 0;
}

[[noreturn]] void ThrowNeverArrived(const TensorCheck& check, const std::string& found) {
  Throw(Code::kCheckpoint,
        "%s: found %s, which no model has: this part of the file was never written, download the "
        "file again",
        check.where.c_str(), found.c_str());
}

constexpr size_t kPage = 4096, kLongestRun = 64u << 10;

// Biases, sinks, positions and hyper-connections may begin as zeros.
bool MayBeZero(std::string_view name) {
  return name.ends_with("attn_sink") || name.ends_with(".bias") || name.ends_with(".ape") ||
         name.find("hc_") != std::string_view::npos;
}

bool IsTable(const Tensor& tensor) {
  return tensor.dtype == Dtype::kI64 || tensor.dtype == Dtype::kI32;
}

size_t ElementBytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::kI64:
      return 8;
    case Dtype::kF32:
    case Dtype::kI32:
      return 4;
    case Dtype::kBf16:
      return 2;
    default:
      return 1;
  }
}

// How many pages' worth of one byte is too many. Rows of tokens that nobody trained may be zero in
// embedding and head.
size_t RunLimit(const Tensor& tensor) {
  const bool tokens = tensor.kind == TensorKind::kEmbedding || tensor.kind == TensorKind::kHead;
  return std::max<size_t>(kLongestRun, tokens ? tensor.bytes / 8 : 0);
}

// The pages around the one at `at`, if that has one byte throughout, until too many have the same.
void CheckRun(const TensorCheck& check, size_t at) {
  const Tensor& tensor = *check.tensor;
  const uint8_t byte = tensor.data[at];
  if (byte != 0 && tensor.is_scale) return;  // scales may all be equal
  const auto same = [&](size_t page) {
    return tensor.data[page] == byte && Repeats(tensor.data + page, kPage, 1);
  };
  if (!same(at)) return;
  const size_t limit = RunLimit(tensor);
  size_t begin = at, end = at + kPage;
  while (end - begin < limit && end + kPage <= tensor.bytes && same(end)) end += kPage;
  while (end - begin < limit && begin >= kPage && same(begin - kPage)) begin -= kPage;
  if (end - begin < limit) return;
  ThrowNeverArrived(check, Format("%zu bytes 0x%02x in a row, from byte %zu of %llu", end - begin,
                                  byte, begin, static_cast<unsigned long long>(tensor.bytes)));
}

// Content that is the same throughout, or for long. Norms may be all ones, scales all equal.
void CheckWritten(const TensorCheck& check) {
  constexpr size_t kFewest = 16;  // elements that may be equal by chance
  const Tensor& tensor = *check.tensor;
  const size_t element_bytes = ElementBytes(tensor.dtype);
  const bool one_expert = IsTable(tensor) && check.experts == 1;
  if (tensor.bytes == 0 || one_expert || MayBeZero(tensor.name)) return;
  if (tensor.data[0] == 0 && (tensor.bytes == 1 || Repeats(tensor.data, tensor.bytes, 1))) {
    ThrowNeverArrived(check, "nothing but zeros");
  }
  if (tensor.rank != 2 || IsTable(tensor)) return;
  if (!tensor.is_scale && tensor.bytes >= kFewest * element_bytes &&
      Repeats(tensor.data, tensor.bytes, element_bytes)) {
    ThrowNeverArrived(check, "one value throughout");
  }
  // A run that is too long has a page at one of these places.
  for (size_t at = 0; at + kPage <= tensor.bytes; at += kLongestRun / 2) CheckRun(check, at);
}

}  // namespace

void CheckTensorContents(const TensorCheck& check, const std::function<void(uint64_t)>& piece) {
  const Tensor& tensor = *check.tensor;
  const bool table = IsTable(tensor);
  const size_t unit_bytes =
      ElementBytes(tensor.dtype) * (table ? static_cast<size_t>(tensor.shape[1]) : 1);
  const size_t units = tensor.bytes / unit_bytes;
  const size_t step = std::max<size_t>(1, kPieceBytes / unit_bytes);
  CheckWritten(check);
  for (size_t begin = 0; begin < units; begin += step) {
    const size_t count = std::min(step, units - begin);
    if (table) {
      CheckExpertRows(check, begin, count);
    } else {
      CheckCodes(check, begin, count);
      if (check.scale) ConvertScales(check, begin, count);
    }
    if (piece) piece(count * unit_bytes);
  }
}

void CheckTensorSample(const TensorCheck& check, size_t at) {
  const Tensor& tensor = *check.tensor;
  if (tensor.bytes <= kLongestRun) {
    CheckWritten(check);
  } else if (tensor.rank == 2 && !IsTable(tensor) && !MayBeZero(tensor.name)) {
    CheckRun(check, std::min<size_t>(at, tensor.bytes - kPage) / kPage * kPage);
  }
}

}  // namespace finback
