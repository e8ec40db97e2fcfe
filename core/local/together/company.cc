#include "core/local/together/company.h"

#include <algorithm>

namespace finback {
namespace {

using Clock = Company::Clock;

// To sample a token, show it and come back takes well below a millisecond; a thread that runs late
// takes longer. What is waited in vain is lost to all, what is not waited for costs up to a pass.
constexpr int kPartOfPass = 8;
constexpr Clock::duration kLongestWait = std::chrono::milliseconds(10);

// Of a stream between two steps, until it counts as one that does not decode.
constexpr Clock::duration kMoment = std::chrono::seconds(1);

}  // namespace

Company::Seat* Company::Find(Member member) {
  const auto at = std::find_if(seats_.begin(), seats_.end(),
                               [&](const Seat& seat) { return seat.member == member; });
  return at == seats_.end() ? nullptr : &*at;
}

void Company::Came(Member member, Rows wish, Clock::time_point now) {
  Seat* seat = Find(member);
  if (seat == nullptr) {
    seats_.push_back({.member = member, .decoded = {}});
    return;
  }
  if (seat->expected) {
    seat->expected = false;
    --expected_;
  }
  if (now <= deadline_) seat->slow = false;
  if (wish == Rows::kOther) seat->decoded = {};
}

void Company::Left(Member member) noexcept {
  Seat* seat = Find(member);
  if (seat == nullptr) return;
  if (seat->expected) --expected_;
  *seat = seats_.back();
  seats_.pop_back();
}

void Company::PassEnded(Clock::time_point now, Clock::duration took, Others others) {
  for (Seat& seat : seats_) seat.expected = false;
  expected_ = 0;
  ended_ = now;
  deadline_ = now + std::min(took / kPartOfPass, kLongestWait);
  waits_ = others == Others::kSome;
}

void Company::HadRows(Member member, Rows rows) {
  Seat* seat = Find(member);
  if (seat == nullptr || rows != Rows::kDecoded) return;
  seat->decoded = ended_;
  if (!waits_ || seat->slow || seat->expected) return;
  seat->expected = true;
  ++expected_;
}

void Company::GiveUp() {
  for (Seat& seat : seats_) {
    if (seat.expected) seat.slow = true;
    seat.expected = false;
  }
  expected_ = 0;
}

bool Company::AnyDecodes(Clock::time_point now) const {
  return std::any_of(seats_.begin(), seats_.end(), [&](const Seat& seat) {
    return seat.decoded != Clock::time_point() && now - seat.decoded <= kMoment;
  });
}

}  // namespace finback
