#include "core/bench/random_checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/base/buffer.h"
#include "core/base/file_map.h"
#include "core/base/random.h"
#include "core/base/status.h"
#include "core/json/json_writer.h"

namespace finback {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;  // stays in a core's cache until it is written
constexpr size_t kPiecesAtOnce = 256;
constexpr uint64_t kSeed = 0x66696e6261636bu;
constexpr size_t kMostConfigBytes = 1 << 20;

const char* StoredName(Dtype dtype) {
  return dtype == Dtype::kFp4Packed ? "I8" : kDtypeNames[static_cast<size_t>(dtype)];
}

// Random bits become a value's code by `(bits & mask) + base`: signs, mantissas and the lowest bits
// of exponents stay random, which makes no NaN, nothing subnormal and nothing huge.
struct Pattern {
  uint64_t mask, base;
};

Pattern Repeated(uint64_t mask, uint64_t base, int width) {
  Pattern pattern{0, 0};
  for (int at = 0; at < 64; at += width) {
    pattern.mask |= mask << at;
    pattern.base |= base << at;
  }
  return pattern;
}

// Values of four neighbouring exponents, the lowest 2^e, have a root mean square of 7.04 * 2^e:
// sqrt((1 + 4 + 16 + 64) / 4 * 7 / 3).
constexpr double kFourExponents = 7.04;
// All codes of E2M1 alike; E4M3 of exponents -3 to 0. Each times a scale of 2^s or 2^(s + 1), which
// is another sqrt((1 + 4) / 2).
constexpr double kFp4Codes = 2.93, kFp8Codes = kFourExponents / 8, kTwoScales = 1.58;

uint64_t BiasedExponent(double value) {
  return static_cast<uint64_t>(std::clamp(127 + std::lround(std::log2(value)), 1L, 250L));
}

Pattern PatternOf(const PublishedTensor& tensor) {
  const double deviation = tensor.deviation;
  switch (tensor.dtype) {
    case Dtype::kFp4Packed:
      return Repeated(0xFF, 0, 8);
    case Dtype::kF8E4m3:
      return Repeated(0x9F, 0x20, 8);
    case Dtype::kF8E8m0: {
      const bool is_fp4 = tensor.kind == TensorKind::kRoutedExperts;
      const double codes = is_fp4 ? kFp4Codes : kFp8Codes;
      return Repeated(1, BiasedExponent(deviation / codes / kTwoScales), 8);
    }
    case Dtype::kBf16:
      if (tensor.kind == TensorKind::kNorms) return Repeated(0x003F, 0x3F80, 16);  // 1 to 1.5
      return Repeated(0x81FF, BiasedExponent(deviation / kFourExponents) << 7, 16);
    case Dtype::kF32:
      return Repeated(0x81FFFFFF, BiasedExponent(deviation / kFourExponents) << 23, 32);
    case Dtype::kI64:
    case Dtype::kI32:
      break;
  }
  return {0, 0};
}

void FillValues(const Pattern& pattern, uint64_t seed, size_t bytes, uint8_t* out) {
  uint64_t state = SplitMix(seed) | 1;
  for (size_t i = 0; i < bytes; i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const uint64_t word = (state & pattern.mask) + pattern.base;
    memcpy(out + i, &word, std::min<size_t>(8, bytes - i));
  }
}

struct Piece {
  const PublishedTensor* tensor;
  Pattern pattern;
  uint64_t begin;  // in the tensor
  uint64_t at;     // in the file
  size_t bytes;
};

// Different experts for each token, of a table [vocab, experts_per_token].
void FillExperts(const Piece& piece, int64_t experts, uint8_t* out) {
  const int64_t per_token = piece.tensor->shape[1];
  for (size_t i = 0; i < piece.bytes; i += 8) {
    const auto place = static_cast<int64_t>((piece.begin + i) / 8);
    const uint64_t random = SplitMix(kSeed + static_cast<uint64_t>(place / per_token));
    const int64_t step = 1 + static_cast<int64_t>(random >> 32) % (experts / per_token);
    const int64_t first = static_cast<int64_t>(random & 0xFFFFFFFF) % experts;
    const int64_t expert = (first + place % per_token * step) % experts;
    memcpy(out + i, &expert, 8);
  }
}

int64_t ExpertsOf(const std::vector<PublishedTensor>& tensors) {
  const auto router =
      std::find_if(tensors.begin(), tensors.end(), [](const PublishedTensor& tensor) {
        return tensor.kind == TensorKind::kRouter && tensor.shape.size() == 2;
      });
  return router == tensors.end() ? 1 : router->shape[0];
}

bool IsEmptyFolder(const std::string& folder) {
  DIR* open = opendir(folder.c_str());
  if (open == nullptr) ThrowErrno(folder, "read", errno);
  int entries = 0;
  while (readdir(open) != nullptr) ++entries;  // "." and ".." among them
  closedir(open);
  return entries <= 2;
}

void WriteAt(int fd, const uint8_t* data, size_t bytes, uint64_t at, std::atomic<int>* error) {
  while (bytes != 0 && error->load(std::memory_order_relaxed) == 0) {
    const ssize_t written = pwrite(fd, data, bytes, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      error->store(written < 0 ? errno : ENOSPC, std::memory_order_relaxed);
      return;
    }
    data += written;
    bytes -= static_cast<size_t>(written);
    at += static_cast<uint64_t>(written);
  }
}

}  // namespace

struct RandomCheckpoint::Layout {
  std::string header;  // length and JSON text
  std::vector<Piece> pieces;
  uint64_t bytes = 0;

  explicit Layout(const std::vector<PublishedTensor>& tensors) {
    std::string text;
    JsonWriter json(&text);
    json.BeginObject();
    uint64_t at = 0;
    for (const PublishedTensor& tensor : tensors) {
      json.Key(tensor.name).BeginObject().Key("dtype").String(StoredName(tensor.dtype));
      json.Key("shape").BeginList();
      for (size_t i = 0; i < tensor.shape.size(); ++i) {
        const bool packed = tensor.dtype == Dtype::kFp4Packed && i == 1;
        json.Integer(packed ? tensor.shape[i] / 2 : tensor.shape[i]);
      }
      const uint64_t end = at + tensor.bytes();
      json.EndList().Key("data_offsets").BeginList().Unsigned(at).Unsigned(end).EndList();
      json.EndObject();
      const Pattern pattern = PatternOf(tensor);
      for (uint64_t begin = 0; begin < tensor.bytes(); begin += kPieceBytes) {
        const uint64_t size = std::min<uint64_t>(kPieceBytes, tensor.bytes() - begin);
        pieces.push_back({&tensor, pattern, begin, at + begin, static_cast<size_t>(size)});
      }
      at = end;
    }
    json.EndObject();
    // Published headers end at a multiple of 8, and in seven of eight files at none of 64.
    text.append((8 - text.size() % 8) % 8, ' ');
    if ((8 + text.size()) % 64 == 0) text.append(8, ' ');
    for (int i = 0; i < 8; ++i) header += static_cast<char>(text.size() >> (8 * i));
    header += text;
    for (Piece& piece : pieces) piece.at += header.size();
    bytes = header.size() + at;
  }
};

uint64_t RandomCheckpoint::PlanBytes(const std::vector<PublishedTensor>& tensors) {
  return Layout(tensors).bytes;
}

RandomCheckpoint::RandomCheckpoint(const Contents& contents, const std::string& folder,
                                   const Parallel& parallel, Watch* watch) {
  const Layout layout(contents.tensors);
  bytes_ = layout.bytes;
  if (folder.empty()) {
    UseMemory();
  } else if (UseFolder(folder, contents.config)) {
    return;
  }
  try {
    const int64_t experts = ExpertsOf(contents.tensors);
    const size_t threads = static_cast<size_t>(parallel.threads());
    Buffer<uint8_t> space(memory_ == nullptr ? threads * kPieceBytes : 0);
    std::atomic<int> error{0};
    if (memory_ != nullptr) {
      memcpy(memory_, layout.header.data(), layout.header.size());
    } else {
      WriteAt(fd_, reinterpret_cast<const uint8_t*>(layout.header.data()), layout.header.size(), 0,
              &error);
    }
    const std::vector<Piece>& pieces = layout.pieces;
    for (size_t first = 0; first < pieces.size() && error == 0; first += kPiecesAtOnce) {
      watch->Tell("make", pieces[first].at, bytes_);
      const size_t end = std::min(pieces.size(), first + kPiecesAtOnce);
      std::atomic<size_t> next{first};
      parallel.For(threads, 1, [&](size_t taker, size_t) {
        for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < end;) {
          const Piece& piece = pieces[i];
          uint8_t* data =
              memory_ != nullptr ? memory_ + piece.at : space.data() + taker * kPieceBytes;
          if (piece.tensor->kind == TensorKind::kHashTable) {
            FillExperts(piece, experts, data);
          } else {
            FillValues(piece.pattern, kSeed + piece.at, piece.bytes, data);
          }
          if (memory_ == nullptr) WriteAt(fd_, data, piece.bytes, piece.at, &error);
        }
      });
    }
    if (error != 0) ThrowErrno(folder, "write", error);
    if (memory_ != nullptr) mprotect(memory_, bytes_, PROT_READ);
    watch->Tell("make", bytes_, bytes_);
    WriteConfig(contents.config);
  } catch (...) {
    if (!temporary_) unlink(weights_path_.c_str());
    Clear();
    throw;
  }
}

RandomCheckpoint::~RandomCheckpoint() { Clear(); }

void RandomCheckpoint::Clear() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  if (memory_ != nullptr) munmap(memory_, bytes_);
  memory_ = nullptr;
  if (!temporary_) return;
  unlink(config_path_.c_str());
  rmdir(folder_.c_str());
  temporary_ = false;
}

void RandomCheckpoint::SetPaths(const std::string& folder) {
  weights_path_ = folder + "/model.safetensors";
  config_path_ = folder + "/config.json";
  folder_ = folder;
}

void RandomCheckpoint::UseMemory() {
  for (const char* place : {"/dev/shm", "/tmp"}) {
    folder_ = std::string(place) + "/finback-bench-XXXXXX";
    SetPaths(folder_);
    if (mkdtemp(folder_.data()) == nullptr) continue;
    temporary_ = true;
    folder_.copy(config_path_.data(), folder_.size());  // the same without an allocation
    break;
  }
  if (!temporary_) ThrowErrno(folder_, "make a folder", errno);
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    const int error = errno;
    Clear();
    ThrowErrno("memory", "take", error);
  }
  madvise(memory, bytes_, MADV_HUGEPAGE);
  memory_ = static_cast<uint8_t*>(memory);
}

bool RandomCheckpoint::UseFolder(const std::string& folder, const std::string& config) {
  SetPaths(folder);
  if (mkdir(folder.c_str(), 0777) != 0) {
    if (errno != EEXIST) ThrowErrno(folder, "make a folder", errno);
    if (!IsEmptyFolder(folder)) {
      std::string found;
      try {
        found = ReadFile(config_path_, kMostConfigBytes);
      } catch (const Error&) {  // then it is something else's folder
      }
      if (found != config) {
        Throw(Code::kInvalidArgument,
              "folder: %s holds something else than the checkpoint that is to be made; name "
              "another, or remove it",
              folder.c_str());
      }
      was_there_ = true;
      return true;
    }
  }
  fd_ = open(weights_path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) ThrowErrno(weights_path_, "write", errno);
  return false;
}

// Last: a folder without it is no checkpoint.
void RandomCheckpoint::WriteConfig(const std::string& config) const {
  const int fd = open(config_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) ThrowErrno(config_path_, "write", errno);
  std::atomic<int> error{0};
  WriteAt(fd, reinterpret_cast<const uint8_t*>(config.data()), config.size(), 0, &error);
  close(fd);
  if (error != 0) ThrowErrno(config_path_, "write", error);
}

}  // namespace finback
