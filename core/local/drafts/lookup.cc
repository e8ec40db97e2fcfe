#include "core/local/drafts/lookup.h"

#include <algorithm>
#include <bit>

#include "core/base/random.h"

namespace finback {
namespace {

// A text of n tokens has at most so many (and a few, for the shortest).
constexpr size_t StatesOf(size_t tokens) { return 2 * tokens + 2; }
constexpr size_t EdgesOf(size_t tokens) { return 3 * tokens + 2; }
constexpr size_t TableOf(size_t tokens) { return std::bit_ceil(EdgesOf(tokens) * 5 / 4); }

}  // namespace

uint64_t Lookup::PlanBytes(size_t tokens) {
  return tokens * sizeof(int32_t) + StatesOf(tokens) * sizeof(State) +
         EdgesOf(tokens) * sizeof(Edge) + TableOf(tokens) * sizeof(int32_t);
}

Lookup::Lookup() { states_.push_back({0, -1, 0, -1}); }

void Lookup::Reserve(size_t tokens) {
  ids_.reserve(tokens);
  states_.reserve(StatesOf(tokens));
  edges_.reserve(EdgesOf(tokens));
  table_.assign(TableOf(tokens), -1);
  room_ = tokens;
  for (size_t i = 0; i < edges_.size(); ++i) {
    table_[Place(edges_[i].from, edges_[i].id)] = static_cast<int32_t>(i);
  }
}

// Where the edge is in the table, or would be.
size_t Lookup::Place(int32_t from, int32_t id) const {
  const size_t mask = table_.size() - 1;
  const uint64_t key = static_cast<uint64_t>(from) << 32 | static_cast<uint32_t>(id);
  size_t place = SplitMix(key) & mask;
  while (table_[place] >= 0) {
    const Edge& edge = edges_[static_cast<size_t>(table_[place])];
    if (edge.from == from && edge.id == id) break;
    place = (place + 1) & mask;
  }
  return place;
}

int32_t Lookup::Find(int32_t from, int32_t id) const { return table_[Place(from, id)]; }

void Lookup::Connect(int32_t from, int32_t id, int32_t to) {
  State& state = states_[static_cast<size_t>(from)];
  const int32_t edge = static_cast<int32_t>(edges_.size());
  table_[Place(from, id)] = edge;
  edges_.push_back({from, id, to, state.edges});
  state.edges = edge;
}

// The text that ends with `edge` of `from` was at more places than what that edge leads to says: it
// gets a state of its own, with the same edges.
int32_t Lookup::Split(int32_t from, int32_t edge) {
  const int32_t id = edges_[static_cast<size_t>(edge)].id;
  const int32_t old = edges_[static_cast<size_t>(edge)].to;
  const int32_t copy = static_cast<int32_t>(states_.size());
  const State& of_old = states_[static_cast<size_t>(old)];
  const int32_t length = states_[static_cast<size_t>(from)].length + 1;
  states_.push_back({length, of_old.link, of_old.end, -1});
  for (int32_t e = states_[static_cast<size_t>(old)].edges; e >= 0;) {
    const Edge of = edges_[static_cast<size_t>(e)];
    Connect(copy, of.id, of.to);
    e = of.before;
  }
  states_[static_cast<size_t>(old)].link = copy;
  for (int32_t e = edge; e >= 0 && edges_[static_cast<size_t>(e)].to == old;) {
    edges_[static_cast<size_t>(e)].to = copy;
    from = states_[static_cast<size_t>(from)].link;
    e = from < 0 ? -1 : Find(from, id);
  }
  return copy;
}

void Lookup::Append(int32_t id) {
  const int32_t whole = static_cast<int32_t>(states_.size());
  const int32_t tokens = static_cast<int32_t>(ids_.size()) + 1;
  ids_.push_back(id);
  states_.push_back({tokens, 0, tokens, -1});
  int32_t from = last_, edge = -1;
  while (from >= 0 && (edge = Find(from, id)) < 0) {
    Connect(from, id, whole);
    from = states_[static_cast<size_t>(from)].link;
  }
  int32_t match = 0;
  if (from >= 0) {
    match = edges_[static_cast<size_t>(edge)].to;
    const bool same =
        states_[static_cast<size_t>(match)].length == states_[static_cast<size_t>(from)].length + 1;
    if (!same) match = Split(from, edge);
  }
  states_[static_cast<size_t>(whole)].link = match;
  last_ = whole;
  State& before = states_[static_cast<size_t>(match)];
  matched_ = static_cast<size_t>(before.length);
  followed_ = static_cast<size_t>(before.end);
  before.end = tokens;  // the next time, this place is the latest
}

size_t Lookup::Propose(std::span<int32_t> out) const {
  if (matched_ == 0) return 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t at = followed_ + i;
    out[i] = at < ids_.size() ? ids_[at] : out[at - ids_.size()];
  }
  return out.size();
}

}  // namespace finback
