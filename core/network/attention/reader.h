// What query heads read of a memory: the scores of all keys that a query sees, a softmax with a
// sink in the denominator, the weighted sum of the keys (docs/architecture.md 3.6, 3.7).
//
// A query's keys have slots: window tokens from a multiple of 64 positions on, then, from the next
// multiple of 64 slots on, compressed entries in ascending order. Tiles of 64 slots are cut at
// absolute positions and entry numbers, so that queries share them; what they give does not depend
// on who shares them.
#pragma once

#include "core/network/attention/indexer.h"
#include "core/network/pass.h"

namespace finback {

struct Reading {
  size_t layer;
  const Vector& sink;
  RotaryAngles angles;
  float* q;  // [rows, heads, head_dim], as PrepareHead leaves them
  Selection selection;
};

// Brings one query head, normed and rotated, into the form that ReadMemory takes, in place.
void PrepareHead(const Compute& compute, float* head);

// -> [rows, heads, head_dim]: what the heads read, turned back by the query's rotary angles.
float* ReadMemory(const Pass& pass, const Reading& reading);

}  // namespace finback
