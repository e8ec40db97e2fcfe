#include "core/local/cache/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "core/base/random.h"

namespace finback::cache {
namespace {

constexpr char kTemporary[] = "t-";
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
constexpr int kMostParts = 512;

// What others could put there, or take away, is not ours to believe.
int CheckOwner(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return errno;
  return info.st_uid != geteuid() || (info.st_mode & kOthersWrite) != 0 ? EACCES : 0;
}

int OpenAt(int at, const char* path, int flags) {
  int fd;
  do {
    fd = openat(at, path, flags | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

uint64_t BytesTaken(const struct stat& info) {
  constexpr uint64_t kUnit = 4096;  // what is not on the disk yet has no blocks
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  return (size + kUnit - 1) / kUnit * kUnit;
}

}  // namespace

Descriptor::~Descriptor() { Close(); }

int Descriptor::Close() noexcept {
  const int fd = std::exchange(fd_, -1);
  return fd < 0 || close(fd) == 0 || errno == EINTR ? 0 : errno;
}

Directory Directory::Open(const std::string& path, bool make, int* error) {
  Directory directory;
  if (make) {
    for (size_t end = 0; end != std::string::npos;) {
      end = path.find('/', end + 1);
      // Others may have made it, or will say what is wrong below.
      mkdir(path.substr(0, end).c_str(), 0700);
    }
  }
  directory.fd_ = Descriptor(OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY));
  *error = directory.open() ? CheckOwner(directory.fd_.fd()) : errno;
  if (*error != 0) directory.fd_ = Descriptor();
  return directory;
}

Directory Directory::Enter(const std::string& name, bool make, int* error) const {
  Directory directory;
  directory.write_ = write_;
  if (make && mkdirat(fd_.fd(), name.c_str(), 0700) == 0) Sync();
  directory.fd_ = Descriptor(OpenAt(fd_.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  *error = directory.open() ? CheckOwner(directory.fd_.fd()) : errno;
  if (*error != 0) directory.fd_ = Descriptor();
  return directory;
}

void Directory::List(const std::function<bool(const char* name)>& visit) const {
  // Another description of the directory: this one's place is every caller's.
  const int fd = OpenAt(fd_.fd(), ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return;
  struct Stream {
    DIR* stream;
    ~Stream() {
      if (stream != nullptr) closedir(stream);
    }
  } const all{fdopendir(fd)};
  if (all.stream == nullptr) {
    const int error = errno;
    close(fd);
    if (error == ENOMEM) throw std::bad_alloc();
    return;
  }
  while (const dirent* entry = readdir(all.stream)) {
    if (entry->d_name[0] != '.' && !visit(entry->d_name)) return;
  }
}

bool Directory::Look(const std::string& name, Status* status) const {
  struct stat info;
  if (fstatat(fd_.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
  status->regular = S_ISREG(info.st_mode) && info.st_uid == geteuid();
  status->bytes = BytesTaken(info);
  status->used_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return true;
}

int Directory::WriteParts(int fd, std::span<const std::span<const uint8_t>> parts) const {
  std::vector<iovec> left;
  uint64_t bytes = 0;
  for (const std::span<const uint8_t> part : parts) {
    if (part.empty()) continue;
    left.push_back({const_cast<uint8_t*>(part.data()), part.size()});
    bytes += part.size();
  }
  // To write beyond it would end the process.
  rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur) return EFBIG;
  for (iovec* at = left.data(); bytes > 0;) {
    const int count =
        static_cast<int>(std::min<ptrdiff_t>(left.data() + left.size() - at, kMostParts));
    const ssize_t wrote = write_(fd, at, count);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote == 0 ? EIO : errno;
    size_t done = static_cast<size_t>(wrote);
    bytes -= done;
    while (done > 0 && done >= at->iov_len) done -= (at++)->iov_len;
    if (done > 0) {
      at->iov_base = static_cast<uint8_t*>(at->iov_base) + done;
      at->iov_len -= done;
    }
  }
  return 0;
}

int Directory::Write(const std::string& name,
                     std::span<const std::span<const uint8_t>> parts) const {
  const std::string temporary = kTemporary + RandomId();
  Descriptor file(OpenAt(fd_.fd(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
  if (!file.open()) return errno;
  flock(file.fd(), LOCK_EX | LOCK_NB);  // as long as this process lives: see RemoveIfAbandoned()
  int error = WriteParts(file.fd(), parts);
  if (error == 0 && fdatasync(file.fd()) != 0) error = errno;
  if (error == 0 && renameat(fd_.fd(), temporary.c_str(), fd_.fd(), name.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) unlinkat(fd_.fd(), temporary.c_str(), 0);
  if (error == 0) Touch(name);
  const int closing = file.Close();
  return error != 0 ? error : closing;
}

void Directory::Sync() const noexcept { fsync(fd_.fd()); }

Descriptor Directory::OpenFile(const std::string& name, uint64_t* bytes, int* error) const {
  // Without O_NONBLOCK a pipe in a file's place would be waited for.
  Descriptor file(OpenAt(fd_.fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!file.open()) {
    *error = errno == ELOOP || errno == ENXIO ? EINVAL : errno;  // a link, a socket
    return file;
  }
  struct stat info;
  *error = fstat(file.fd(), &info) != 0 ? errno : 0;
  if (*error == 0 && (!S_ISREG(info.st_mode) || info.st_uid != geteuid())) *error = EINVAL;
  if (*error != 0) return Descriptor();
  *bytes = static_cast<uint64_t>(info.st_size);
  return file;
}

void Directory::Touch(const std::string& name) const noexcept {
  // By the system's own reckoning all that happens within some milliseconds has one time.
  timespec times[2] = {{0, UTIME_OMIT}, {}};
  clock_gettime(CLOCK_REALTIME, &times[1]);
  utimensat(fd_.fd(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

bool Directory::Remove(const std::string& name) const noexcept {
  return unlinkat(fd_.fd(), name.c_str(), 0) == 0;
}

bool Directory::RemoveDirectory(const std::string& name) const noexcept {
  return unlinkat(fd_.fd(), name.c_str(), AT_REMOVEDIR) == 0;
}

bool Directory::IsTemporary(std::string_view name) { return name.starts_with(kTemporary); }

void Directory::RemoveIfAbandoned(const std::string& name) const noexcept {
  // Whoever writes holds it locked. One that is taken away between being made and being locked is
  // not kept, and nothing else comes of it.
  uint64_t bytes;
  int error;
  const Descriptor file = OpenFile(name, &bytes, &error);
  if (file.open() ? flock(file.fd(), LOCK_EX | LOCK_NB) != 0 : error != EINVAL) return;
  Remove(name);
}

}  // namespace finback::cache
