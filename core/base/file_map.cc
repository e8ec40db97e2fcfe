#include "core/base/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <new>
#include <utility>

#include "core/base/status.h"

namespace finback {
namespace {

size_t PageBytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// Debian 12's headers have the constant, older ones not.
int PopulateRead(const uint8_t* data, size_t bytes) {
#ifdef MADV_POPULATE_READ
  return madvise(const_cast<uint8_t*>(data), bytes, MADV_POPULATE_READ);
#else
  static_cast<void>(data), static_cast<void>(bytes);
  errno = EINVAL;
  return -1;
#endif
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) {
    do {
      // Without O_NONBLOCK a pipe in a file's place would be waited for.
      fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ >= 0) return;
    const int error = errno;
    const bool is_missing = error == ENOENT || error == ENOTDIR;
    ThrowErrno(path, "open", error, is_missing ? Code::kNotFound : Code::kIo);
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace

FileMap::FileMap(const std::string& path) : path_(path) {
  Descriptor file(path);
  struct stat info;
  if (fstat(file.fd(), &info) != 0) ThrowErrno(path, "stat", errno);
  if (S_ISDIR(info.st_mode)) ThrowErrno(path, "map", EISDIR);
  if (!S_ISREG(info.st_mode)) Throw(Code::kIo, "%s: cannot map: not a regular file", path.c_str());
  if (info.st_size == 0) return;
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd(), 0);
  if (data == MAP_FAILED) ThrowErrno(path, "map", errno);
  data_ = static_cast<const uint8_t*>(data);
  size_ = size;
  opened_ = StateOf(info);
  fd_ = file.Release();
}

FileMap::FileMap(std::string path, std::span<const uint8_t> memory)
    : path_(std::move(path)), data_(memory.data()), size_(memory.size()), owned_(false) {}

FileMap::~FileMap() {
  if (owned_ && data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
  CloseFile();
}

void FileMap::CloseFile() noexcept {
  // A program that became a daemon may have closed it, and the number may be another file's now.
  if (struct stat now; fd_ >= 0 && fstat(fd_, &now) == 0 && StateOf(now).SameFile(opened_)) {
    close(fd_);
  }
  fd_ = -1;
}

FileMap::State FileMap::StateOf(const struct stat& info) {
  return {static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino),
          static_cast<int64_t>(info.st_size), static_cast<int64_t>(info.st_mtim.tv_sec),
          static_cast<int64_t>(info.st_mtim.tv_nsec)};
}

void FileMap::CheckUnchanged() const {
  if (fd_ < 0) return;
  struct stat info;
  const auto found = [&] { return StateOf(info).SameFile(opened_); };
  // By name where the descriptor is no longer ours; a file with another name then stays unseen.
  if ((fstat(fd_, &info) != 0 || !found()) && (stat(path_.c_str(), &info) != 0 || !found())) return;
  const State now = StateOf(info);
  constexpr const char* kAdvice =
      "the weights of an open model must stay as they are: open the model again, and replace files "
      "by renaming others over them, or open it with weights=copied";
  if (now.size != opened_.size) {
    Throw(Code::kIo, "%s: %" PRId64 " bytes when it was opened, %" PRId64 " now; %s", path_.c_str(),
          opened_.size, now.size, kAdvice);
  }
  if (now.seconds != opened_.seconds || now.nanoseconds != opened_.nanoseconds) {
    Throw(Code::kIo, "%s: written to since it was opened; %s", path_.c_str(), kAdvice);
  }
}

void FileMap::CopyIntoMemory(const std::function<void(uint64_t)>& progress) {
  if (fd_ < 0) return;
  constexpr size_t kPiece = 64u << 20;
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  struct Unmap {
    void* memory;
    size_t size;
    ~Unmap() {
      if (memory != nullptr) munmap(memory, size);
    }
  } guard{memory, size_};
  madvise(memory, size_, MADV_HUGEPAGE);
  auto* to = static_cast<uint8_t*>(memory);
  for (size_t done = 0; done < size_;) {
    const ssize_t got =
        pread(fd_, to + done, std::min(kPiece, size_ - done), static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) ThrowErrno(path_, "read", errno);
    if (got == 0) {
      Throw(Code::kIo, "%s: ends after %zu bytes, %zu expected: cut while it was read",
            path_.c_str(), done, size_);
    }
    done += static_cast<size_t>(got);
    progress(done);
  }
  CheckUnchanged();
  mprotect(memory, size_, PROT_READ);
  munmap(const_cast<uint8_t*>(data_), size_);
  data_ = to;
  guard.memory = nullptr;
  CloseFile();
}

void FileMap::Advise(Access access) const {
  if (fd_ < 0) return;
  void* const data = const_cast<uint8_t*>(data_);
  const bool pieces = access == Access::kPieces;
  madvise(data, size_, pieces ? MADV_RANDOM : MADV_NORMAL);
  // A page fault would otherwise read two megabytes for a vector of some hundred bytes.
  madvise(data, size_, pieces ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
}

void FileMap::ReadAhead(std::span<const uint8_t> part) const {
  if (fd_ < 0 || part.empty()) return;
  const size_t page = PageBytes();
  const size_t begin = static_cast<size_t>(part.data() - data_) / page * page;
  const size_t end = static_cast<size_t>(part.data() - data_) + part.size();
  madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_WILLNEED);
}

void FileMap::Prefault(const std::function<void(uint64_t)>& progress) const {
  if (fd_ < 0) return;
  constexpr size_t kPiece = 64u << 20;
  for (size_t done = 0; done < size_;) {
    const size_t count = std::min(kPiece, size_ - done);
    CheckUnchanged();
    if (PopulateRead(data_ + done, count) != 0) {
      if (errno == EINTR) continue;
      if (errno != EINVAL) ThrowErrno(path_, "read", errno == EFAULT ? EIO : errno);
      // Kernels before 5.14 cannot be asked: each page is touched.
      ReadAhead(bytes().subspan(done, count));
      for (size_t at = 0; at < count; at += PageBytes()) {
        static_cast<void>(*const_cast<const volatile uint8_t*>(data_ + done + at));
      }
    }
    done += count;
    progress(done);
  }
}

FileMap::FileMap(FileMap&& other) noexcept { *this = std::move(other); }

FileMap& FileMap::operator=(FileMap&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(owned_, other.owned_);
  std::swap(fd_, other.fd_);
  std::swap(opened_, other.opened_);
  return *this;
}

std::string ReadFile(const std::string& path, size_t limit_bytes) {
  const Descriptor file(path);
  struct stat info;
  if (fstat(file.fd(), &info) != 0) ThrowErrno(path, "stat", errno);
  std::string text;
  if (S_ISREG(info.st_mode)) {
    if (static_cast<uint64_t>(info.st_size) > limit_bytes) {
      Throw(Code::kCheckpoint, "%s: %llu bytes, at most %zu are accepted", path.c_str(),
            static_cast<unsigned long long>(info.st_size), limit_bytes);
    }
    text.reserve(static_cast<size_t>(info.st_size) + 1);
  }
  while (true) {
    const size_t used = text.size();
    if (used > limit_bytes) {
      Throw(Code::kCheckpoint, "%s: more than the accepted %zu bytes", path.c_str(), limit_bytes);
    }
    const size_t room = std::max<size_t>(text.capacity() - used, 4096);
    text.resize(used + std::min<size_t>(room, 1 << 20));
    const ssize_t got = read(file.fd(), text.data() + used, text.size() - used);
    const int error = errno;
    text.resize(used + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (got < 0 && error != EINTR) ThrowErrno(path, "read", error);
  }
}

std::string ReadTableFile(const std::string& path) {
  constexpr size_t kMostBytes = 16u << 20;
  return path.empty() ? std::string() : ReadFile(path, kMostBytes);
}

}  // namespace finback
