// How long passes take, so that a piece of a prompt beside streams that decode holds them up no
// longer than it may. Clocks decide what is computed together, never what comes out of it.
#pragma once

#include <array>
#include <cstddef>

namespace finback {

class Pace {
 public:
  // A pass took so long; `few` of its rows were of segments of few rows, the others of prompts.
  void Took(size_t few, size_t prompt, double seconds);

  // The rows of prompts that make a pass of others at most `pause` seconds longer, as far
  // as is known: at least 1, at most twice as many as the last time.
  size_t PromptRows(double pause) const;

 private:
  static constexpr size_t kMost = 64;
  double FewSeconds(size_t few) const;

  std::array<double, kMost + 1> few_seconds_{};  // of a pass of so many rows; 0: never seen
  size_t last_rows_ = 4;                         // of a prompt beside others
  double row_seconds_ = 0;                       // of each; 0: never seen
};

}  // namespace finback
