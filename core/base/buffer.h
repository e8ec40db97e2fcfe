// Fixed-size arrays for planned reservations. Memory comes zeroed and untouched from the system, so
// a reservation costs address space until it is used. Reserve counts and takes with one list of
// sizes, so that a plan cannot differ from what is taken.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <utility>

namespace finback {

template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t count) { Allocate(count); }
  ~Buffer() { free(block_); }
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // Replaces what was held by `count` zeros. Throws std::bad_alloc.
  void Allocate(size_t count) {
    // calloc leaves large blocks untouched; kernels read whole cache lines,
    // so the data is aligned to one.
    const size_t limit = (SIZE_MAX - kAlignment) / sizeof(T);
    if (count > limit) throw std::bad_alloc();
    void* fresh = count == 0 ? nullptr : calloc(count * sizeof(T) + kAlignment, 1);
    if (count != 0 && fresh == nullptr) throw std::bad_alloc();
    free(block_);
    block_ = fresh;
    const uintptr_t address = reinterpret_cast<uintptr_t>(fresh);
    const size_t skip = (kAlignment - address % kAlignment) % kAlignment;
    data_ = count == 0 ? nullptr : reinterpret_cast<T*>(static_cast<uint8_t*>(fresh) + skip);
    size_ = count;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  std::span<T> span() { return {data_, size_}; }

 private:
  static constexpr size_t kAlignment = 64;

  void* block_ = nullptr;
  T* data_ = nullptr;
  size_t size_ = 0;
};

class Reserve {
 public:
  enum class Mode : uint8_t { kCount, kTake };
  explicit Reserve(Mode mode) : mode_(mode) {}

  template <typename T>
  void operator()(Buffer<T>& buffer, uint64_t count) {
    bytes_ += count * sizeof(T);
    if (mode_ == Mode::kTake) buffer.Allocate(count);
  }
  // What is not taken now, but will be as it is used.
  void Later(uint64_t bytes) { later_ += bytes; }
  uint64_t bytes() const { return bytes_; }
  uint64_t later() const { return later_; }

 private:
  Mode mode_;
  uint64_t bytes_ = 0, later_ = 0;
};

}  // namespace finback
