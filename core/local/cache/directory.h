// A directory of the cache that is open. Its files are the user's own, regular ones, made whole or
// not at all; what else has found its way there is never followed, waited for or read.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finback::cache {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  int Close() noexcept;  // 0, or an errno

 private:
  int fd_;
};

// As writev(2); tests have others.
using WriteFunction = ssize_t (*)(int fd, const iovec* parts, int count);

class Directory {
 public:
  // Errors are an errno in *error; 0 for none, and EACCES, too, for what others may write to.
  // Of any path; `make` makes it with what is missing above it.
  static Directory Open(const std::string& path, bool make, int* error);
  // Of one within, which is not a link.
  Directory Enter(const std::string& name, bool make, int* error) const;
  bool open() const { return fd_.open(); }

  // Calls visit(name) until it returns false.
  void List(const std::function<bool(const char* name)>& visit) const;
  struct Status {
    bool regular = false;  // and ours
    uint64_t bytes = 0;    // that it takes
    int64_t used_ns = 0;
  };
  bool Look(const std::string& name, Status* status) const;

  // Whole, synced and under its name, or not at all: 0, or an errno. Sync() when all are written.
  int Write(const std::string& name, std::span<const std::span<const uint8_t>> parts) const;
  void Sync() const noexcept;
  // For reading; *bytes is its size. EINVAL for what is no regular file of this user.
  Descriptor OpenFile(const std::string& name, uint64_t* bytes, int* error) const;
  void Touch(const std::string& name) const noexcept;  // has been used now
  bool Remove(const std::string& name) const noexcept;
  bool RemoveDirectory(const std::string& name) const noexcept;  // an empty one

  // What a process that was ended has left half written is nobody's.
  static bool IsTemporary(std::string_view name);
  void RemoveIfAbandoned(const std::string& name) const noexcept;

  void set_write(WriteFunction write) { write_ = write; }

 private:
  int WriteParts(int fd, std::span<const std::span<const uint8_t>> parts) const;

  Descriptor fd_;
  WriteFunction write_ = ::writev;
};

}  // namespace finback::cache
