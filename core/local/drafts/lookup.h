// What followed the last time that a text went as it goes now: the longest run of tokens that ends
// the text and was in it before, kept up to date token by token. A suffix automaton: the state of
// the whole text links to that of its longest end seen before, so that no text is ever searched.
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace finback {

class Lookup {
 public:
  // Bytes for so many tokens at most, which are reserved when Reserve() is called.
  static uint64_t PlanBytes(size_t tokens);
  static constexpr size_t kMostTokens = size_t{1} << 28;

  Lookup();
  // Room for so many tokens in all: Append() allocates nothing until then, and is not called after.
  void Reserve(size_t tokens);
  size_t room() const { return room_ - ids_.size(); }

  void Append(int32_t id);

  // Tokens at the end of the text that were there before.
  size_t matched() const { return matched_; }
  // What came after them the last time that they were the match, as far as the text goes and then
  // over again; nothing without a match. Returns how many.
  size_t Propose(std::span<int32_t> out) const;

 private:
  struct State {
    int32_t length;  // of the longest text that leads here
    int32_t link;    // the state of its longest end that is in more places; -1: the first
    int32_t end;     // tokens up to the end of a place where it was
    int32_t edges;   // the last one made; -1: none
  };
  struct Edge {
    int32_t from, id, to;
    int32_t before;  // of the same state
  };
  size_t Place(int32_t from, int32_t id) const;
  int32_t Find(int32_t from, int32_t id) const;  // -1: none
  void Connect(int32_t from, int32_t id, int32_t to);
  int32_t Split(int32_t from, int32_t edge);

  size_t room_ = 0;
  std::vector<int32_t> ids_;
  std::vector<State> states_;
  std::vector<Edge> edges_;
  std::vector<int32_t> table_;  // edges by state and id, a power of two of them; -1: free
  int32_t last_ = 0;            // state of the whole text
  size_t matched_ = 0, followed_ = 0;
};

}  // namespace finback
