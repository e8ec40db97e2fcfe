#include "tools/progress_line.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "tools/interrupts.h"
#include "tools/text.h"

namespace {

constexpr auto kQuietFor = std::chrono::milliseconds(400);
constexpr auto kRedrawEvery = std::chrono::milliseconds(100);

const char* Describe(const std::string& phase) {
  if (phase == "load") return "loading the model";
  if (phase == "prefill") return "reading the prompt";
  if (phase == "verify") return "verifying";
  if (phase == "make") return "making random weights";
  if (phase == "benchmark") return "measuring";
  return phase.c_str();
}

// ", 2:05 left", or nothing while that cannot be told.
std::string TimeLeft(double rest, double rate) {
  if (rate <= 0) return "";
  const double seconds = rest / rate;
  if (seconds > 1e6) return "";
  const auto whole = static_cast<long>(seconds) + 1;
  char text[48];
  if (whole < 60) {
    std::snprintf(text, sizeof text, ", %ld s left", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, ", %ld:%02ld left", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, ", %ld h %ld min left", whole / 3600, whole % 3600 / 60);
  }
  return text;
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
    first_ = done;
  }
  if (done >= total) return Clear();
  if (now - began_ < kQuietFor || now - redrawn_ < kRedrawEvery) return;
  redrawn_ = now;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  // Counted from what was there at first: cached tokens took no time.
  const double rate = static_cast<double>(done - std::min(done, first_)) / seconds;
  char what[96];
  if (phase_ == "prefill") {
    std::snprintf(what, sizeof what, "%llu of %llu tokens, %s tokens/s",
                  static_cast<unsigned long long>(done), static_cast<unsigned long long>(total),
                  ThreeDigits(rate).c_str());
  } else if (phase_ == "benchmark") {
    std::snprintf(what, sizeof what, "%llu of %llu", static_cast<unsigned long long>(done),
                  static_cast<unsigned long long>(total));
  } else {
    std::snprintf(what, sizeof what, "%.0f %%, %s MB/s",
                  100.0 * static_cast<double>(done) / static_cast<double>(total),
                  ThreeDigits(rate / 1e6).c_str());
  }
  std::fprintf(stderr, "\r%s: %s%s\033[K", Describe(phase_), what,
               TimeLeft(static_cast<double>(total - done), rate).c_str());
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
