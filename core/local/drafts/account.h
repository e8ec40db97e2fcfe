// What drafting has cost and brought so far, and whether and how far it is worth while now. Steps
// are told as they are measured; results of an answer never depend on it, only its time.
// A plain value: an answer begins with a copy of what the last one has learnt.
#pragma once

#include <cstddef>
#include <cstdint>

namespace finback {

inline constexpr size_t kMostDrafts = 15;

// What speaks for a draft: how long the match is that it comes from, or the draft block.
enum class Evidence : uint8_t { kMatch2, kMatch4, kMatch8, kMatch16, kMatchLonger, kBlock };
inline constexpr size_t kEvidenceCount = 6;
Evidence EvidenceOfMatch(size_t tokens);  // at least 2

class Account {
 public:
  Account();
  // Proposes so many, whatever they cost: for tests.
  static Account Always(size_t tokens);

  // A new answer: keeps what is known of times and of drafts, and begins with nothing to lose.
  void BeginAnswer();

  // How many tokens to propose, at most `most`; 0: not worth it. gain is what it promises: tokens
  // in the time of a step without drafts.
  struct Choice {
    size_t tokens = 0;
    double gain = 1;
  };
  Choice Choose(Evidence evidence, size_t most) const;
  // Whether it is time to measure a step without drafts.
  bool MustMeasure() const;

  // A step is over: `rows` tokens were evaluated in `ns`. Verified() follows where there are more
  // than one.
  void Step(size_t rows, double ns);
  // The block has guessed so many tokens in `ns`, for the step to come.
  void Guessed(size_t tokens, double ns);
  // Of a step that had `proposed` drafts, `accepted` were what was sampled, and then one that was
  // not, or nothing more if `open`, because the answer was over.
  void Verified(Evidence evidence, size_t proposed, size_t accepted, bool open);

  double CostOf(size_t rows) const;                 // of a step, in ns; 0: not known yet
  double CostOfGuess() const { return guess_ns_; }  // of a token by the block; 0: not known yet
  double RateOf(Evidence evidence) const { return first_[Index(evidence)].Value(); }

 private:
  struct Rate {
    double accepted, tried;
    double prior;
    double Value() const;
    void Add(size_t good, size_t bad);
    void Fade();
  };
  static size_t Index(Evidence evidence) { return static_cast<size_t>(evidence); }
  void Fade();
  double Tokens(Evidence evidence, size_t drafts) const;

  double cost_[kMostDrafts + 1] = {};  // ns of steps with 1, 2, .. rows; 0: not measured
  double guess_ns_ = 0;                // of one token by the block; 0: not measured
  double guessed_ns_ = 0;              // for the step to come
  Rate first_[kEvidenceCount], further_[kEvidenceCount];
  double spent_ = 0;    // time of what was sampled so far, at the cost of single steps
  double balance_ = 0;  // time gained
  double last_ns_ = 0;  // of the last step, with its drafts
  size_t since_single_ = 0;
  size_t always_ = 0;      // drafts; 0: as many as pay
  bool measured_ = false;  // a step of this answer
};

}  // namespace finback
