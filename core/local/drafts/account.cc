#include "core/local/drafts/account.h"

#include <algorithm>

namespace finback {
namespace {

// A new measurement's weight, and how many times what is known it counts as at most: machines are
// shared, and a step that waited for others says little.
constexpr double kWeight = 0.15, kMostTimes = 3;
// What a step with more rows is taken to cost until one is measured: between the same, and as much
// more as it has rows.
constexpr double kUnknownRow = 0.4;
// And a guess of the block: a layer of many, and a head.
constexpr double kUnknownGuess = 0.1;
// What is known of drafts fades by this part in a step without them, so that they are tried again.
constexpr double kFades = 0.005;
// Drafts tried that an estimate remembers, and those that its first guess counts as.
constexpr double kRemembered = 48, kPriorWeight = 4;
// Before drafting begins it promises so much; it goes on as long as it promises anything.
constexpr double kWorthTrying = 1.03;
// What may be lost: this part of an answer's time, and so many single steps.
constexpr double kRisk = 0.008, kRiskSteps = 1;
constexpr double kMostBalance = 32;    // single steps that gains count as at most
constexpr size_t kMeasureEvery = 128;  // steps, of which one does without drafts

// Numbers of rows that are tried: few, so that each is soon known.
constexpr size_t kRows[] = {2, 3, 4, 6, 8, 12, 16};

// Longer matches go on further; a block's guess is usually right.
constexpr double kFirst[kEvidenceCount] = {0.4, 0.5, 0.65, 0.75, 0.85, 0.75};
constexpr double kFurther[kEvidenceCount] = {0.65, 0.7, 0.8, 0.85, 0.9, 0.5};

}  // namespace

Evidence EvidenceOfMatch(size_t tokens) {
  if (tokens < 4) return Evidence::kMatch2;
  if (tokens < 8) return Evidence::kMatch4;
  if (tokens < 16) return Evidence::kMatch8;
  return tokens < 32 ? Evidence::kMatch16 : Evidence::kMatchLonger;
}

double Account::Rate::Value() const {
  return (accepted + prior * kPriorWeight) / (tried + kPriorWeight);
}

void Account::Rate::Add(size_t good, size_t bad) {
  accepted += static_cast<double>(good);
  tried += static_cast<double>(good + bad);
  if (tried <= kRemembered) return;
  accepted *= kRemembered / tried;
  tried = kRemembered;
}

void Account::Rate::Fade() {
  accepted -= kFades * accepted;
  tried -= kFades * tried;
}

Account::Account() {
  for (size_t i = 0; i < kEvidenceCount; ++i) {
    first_[i] = {0, 0, kFirst[i]};
    further_[i] = {0, 0, kFurther[i]};
  }
}

Account Account::Always(size_t tokens) {
  Account account;
  account.always_ = tokens;
  return account;
}

void Account::BeginAnswer() {
  spent_ = balance_ = last_ns_ = guessed_ns_ = 0;
  measured_ = false;
}

double Account::CostOf(size_t rows) const {
  const size_t at = rows - 1;
  if (cost_[at] > 0 || cost_[0] == 0) return cost_[at];
  size_t below = at, above = at;
  while (cost_[below] == 0) --below;
  while (above < kMostDrafts && cost_[above] == 0) ++above;
  const double more = static_cast<double>(at - below);
  if (cost_[above] > 0) {
    return cost_[below] + (cost_[above] - cost_[below]) * more / static_cast<double>(above - below);
  }
  return cost_[below] * (1 + kUnknownRow * more / static_cast<double>(below + 1));
}

// Of what made drafts look dear or useless, which may have been chance.
void Account::Fade() {
  for (size_t i = 0; i < kEvidenceCount; ++i) {
    first_[i].Fade();
    further_[i].Fade();
  }
  for (size_t i = 1; i <= kMostDrafts; ++i) {
    const double hoped = cost_[0] * (1 + kUnknownRow * static_cast<double>(i));
    if (cost_[i] > hoped) cost_[i] += kFades * (hoped - cost_[i]);
  }
  if (guess_ns_ > kUnknownRow * cost_[0]) guess_ns_ -= kFades * guess_ns_;
}

// What a step with so many drafts is expected to give.
double Account::Tokens(Evidence evidence, size_t drafts) const {
  double tokens = 1, reached = first_[Index(evidence)].Value();
  for (size_t i = 0; i < drafts; ++i) {
    tokens += reached;
    reached *= further_[Index(evidence)].Value();
  }
  return tokens;
}

Account::Choice Account::Choose(Evidence evidence, size_t most) const {
  if (always_ > 0) return {std::min(always_, most), RateOf(evidence)};
  const double single = cost_[0];
  Choice best;
  if (single == 0) return best;
  best.gain = measured_ && balance_ > 0 ? 1 : kWorthTrying;
  const double guess = evidence != Evidence::kBlock ? 0
                       : guess_ns_ > 0              ? guess_ns_
                                                    : single * kUnknownGuess;
  const double risk = balance_ + kRisk * spent_ + kRiskSteps * single;
  for (const size_t rows : kRows) {
    const size_t drafts = rows - 1;
    if (drafts > most) break;
    const double cost = CostOf(rows) + guess * static_cast<double>(drafts);
    const bool known = cost_[drafts] > 0;  // else it takes at most as long as its rows one by one
    if ((known ? cost - single : single * static_cast<double>(drafts)) > risk) break;
    const double gain = Tokens(evidence, drafts) * single / cost;
    if (gain > best.gain) best = {drafts, gain};
  }
  return best;
}

bool Account::MustMeasure() const {
  return always_ == 0 && (cost_[0] == 0 || since_single_ >= kMeasureEvery);
}

void Account::Guessed(size_t tokens, double ns) {
  guessed_ns_ = ns;
  const double each = ns / static_cast<double>(tokens);
  guess_ns_ = guess_ns_ == 0
                  ? each
                  : guess_ns_ + kWeight * (std::min(each, kMostTimes * guess_ns_) - guess_ns_);
}

void Account::Step(size_t rows, double ns) {
  double& cost = cost_[rows - 1];
  cost = cost == 0 ? ns : cost + kWeight * (std::min(ns, kMostTimes * cost) - cost);
  last_ns_ = std::min(ns, kMostTimes * cost) + guessed_ns_;
  guessed_ns_ = 0;
  ++since_single_;
  if (rows == 1) {
    spent_ += cost_[0];
    since_single_ = 0;
    Fade();
  }
  measured_ = true;
}

void Account::Verified(Evidence evidence, size_t proposed, size_t accepted, bool open) {
  const bool refused = accepted < proposed && !open;
  first_[Index(evidence)].Add(accepted > 0 ? 1 : 0, refused && accepted == 0 ? 1 : 0);
  if (accepted > 0) further_[Index(evidence)].Add(accepted - 1, refused ? 1 : 0);
  const double worth = static_cast<double>(accepted + 1) * cost_[0];
  spent_ += worth;
  balance_ = std::min(balance_ + worth - last_ns_, kMostBalance * cost_[0]);
}

}  // namespace finback
