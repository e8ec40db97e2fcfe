#include "tools/progress_line.h"

#include <unistd.h>

#include <cstdio>

#include "tools/interrupts.h"

namespace {

constexpr auto kQuietFor = std::chrono::milliseconds(400);
constexpr auto kRedrawEvery = std::chrono::milliseconds(100);

const char* Describe(const std::string& phase) {
  if (phase == "load") return "loading the model";
  if (phase == "prefill") return "reading the prompt";
  if (phase == "verify") return "verifying";
  return phase.c_str();
}

}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) != 0) {}

void ProgressLine::Update(const char* phase, uint64_t done, uint64_t total) {
  if (!terminal_) return;
  const Clock::time_point now = Clock::now();
  if (phase_ != phase) {
    Clear();
    phase_ = phase;
    began_ = redrawn_ = now;
  }
  if (done >= total) return Clear();
  if (now - began_ < kQuietFor || now - redrawn_ < kRedrawEvery) return;
  redrawn_ = now;
  drawn_ = true;
  if (phase_ == "prefill") {
    std::fprintf(stderr, "\r%s: %llu of %llu tokens\033[K", Describe(phase_),
                 static_cast<unsigned long long>(done), static_cast<unsigned long long>(total));
  } else {
    std::fprintf(stderr, "\r%s: %.0f %%\033[K", Describe(phase_),
                 100.0 * static_cast<double>(done) / static_cast<double>(total));
  }
  std::fflush(stderr);
}

void ProgressLine::Clear() {
  phase_.clear();
  if (!drawn_) return;
  drawn_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

int32_t ProgressLine::Callback(const char* phase, uint64_t done, uint64_t total, void* user_data) {
  static_cast<ProgressLine*>(user_data)->Update(phase, done, total);
  return InterruptPending() ? 1 : 0;
}
