// Who decodes beside whom. Streams gain from passes together only if they come for the next one at
// about the same time, so whoever begins a pass waits a little for those of the last one: a small
// part of what a pass takes, and for none again that stayed away, until it has come in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace finback {

// The scheduler's, under its lock.
class Company {
 public:
  using Clock = std::chrono::steady_clock;
  using Member = const void*;  // an address, never read

  enum class Rows : uint8_t { kDecoded, kOther };  // the next token or so, or anything else
  enum class Others : uint8_t { kNone, kSome };    // who were there or wanted to be

  // It asks for rows. Throws std::bad_alloc, and then nothing has changed.
  void Came(Member member, Rows wish, Clock::time_point now);
  void Left(Member member) noexcept;  // it will not come again soon

  // A pass has ended; then HadRows() for each that has what it asked for.
  void PassEnded(Clock::time_point now, Clock::duration took, Others others);
  void HadRows(Member member, Rows rows);

  // Whether somebody is worth waiting for, and until when.
  bool Complete() const { return expected_ == 0; }
  Clock::time_point deadline() const { return deadline_; }
  void GiveUp();  // on who has not come: the pass begins

  // Whether any has decoded a moment ago, so that a pass should not take long.
  bool AnyDecodes(Clock::time_point now) const;

 private:
  struct Seat {
    Member member;
    Clock::time_point decoded;  // when its last pass ended; the epoch: none
    bool expected = false;      // for the next pass
    bool slow = false;          // stayed away the last time that it was waited for
  };
  Seat* Find(Member member);

  std::vector<Seat> seats_;
  size_t expected_ = 0;
  bool waits_ = false;  // for the members of the last pass
  Clock::time_point ended_, deadline_;
};

}  // namespace finback
