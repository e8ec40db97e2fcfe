#include <memory>

#include "capi/boundary.h"
#include "capi/handles.h"

using finback::Code;
using finback::Guard;
using finback::GuardStatus;
using finback::Require;
using finback::Throw;

finback_sequence* finback_sequence_new(finback_engine* engine) {
  return Guard<finback_sequence*>(nullptr, [&] {
    Require(engine, "engine");
    auto handle = std::make_unique<finback_sequence>();
    handle->backend = engine->backend;
    handle->sequence = engine->backend->NewSequence();
    return handle.release();
  });
}

finback_status finback_sequence_evaluate(finback_sequence* self, const int32_t* ids, size_t count,
                                         float* logits, size_t logits_rows) {
  return GuardStatus([&] {
    Require(self, "self");
    if (count > 0) Require(ids, "ids");
    if (logits_rows > 0) Require(logits, "logits");
    using Rows = finback::TokenSequence::Rows;
    // With one id, its row is both the last one and all of them.
    if (logits_rows != 0 && logits_rows != 1 && logits_rows != count) {
      Throw(Code::kInvalidArgument, "logits_rows: must be 0, 1 or count (%zu), got %zu", count,
            logits_rows);
    }
    if (logits_rows > count) Throw(Code::kInvalidArgument, "logits_rows: there are no ids");
    const Rows rows = logits_rows == 0 ? Rows::kNone : logits_rows == 1 ? Rows::kLast : Rows::kAll;
    const finback::Occupancy::Call call(&self->occupancy, "sequence");
    if (count > 0) self->sequence->Evaluate({ids, count}, rows, logits);
  });
}

int64_t finback_sequence_position(const finback_sequence* self) {
  return Guard<int64_t>(-1, [&] { return Require(self, "self").sequence->position(); });
}

int64_t finback_sequence_context_tokens(const finback_sequence* self) {
  return Guard<int64_t>(-1, [&] { return Require(self, "self").sequence->context_tokens(); });
}

size_t finback_sequence_vocab(const finback_sequence* self) {
  return Guard<size_t>(
      0, [&] { return static_cast<size_t>(Require(self, "self").sequence->vocab()); });
}

finback_status finback_sequence_roll_back(finback_sequence* self, int64_t tokens) {
  return GuardStatus([&] {
    Require(self, "self");
    const finback::Occupancy::Call call(&self->occupancy, "sequence");
    self->sequence->RollBack(tokens);
  });
}

finback_sequence* finback_sequence_fork(const finback_sequence* self) {
  return Guard<finback_sequence*>(nullptr, [&] {
    Require(self, "self");
    const finback::Occupancy::Call call(&self->occupancy, "sequence");
    auto handle = std::make_unique<finback_sequence>();
    handle->backend = self->backend;
    handle->sequence = self->sequence->Fork();
    return handle.release();
  });
}

finback_bytes* finback_sequence_snapshot(const finback_sequence* self) {
  return Guard<finback_bytes*>(nullptr, [&] {
    Require(self, "self");
    const finback::Occupancy::Call call(&self->occupancy, "sequence");
    auto bytes = std::make_unique<finback_bytes>();
    bytes->bytes = self->sequence->Snapshot();
    return bytes.release();
  });
}

finback_status finback_sequence_restore(finback_sequence* self, const void* data, size_t size) {
  return GuardStatus([&] {
    Require(self, "self");
    const uint8_t* bytes = static_cast<const uint8_t*>(data);
    if (size > 0) Require(bytes, "data");
    const finback::Occupancy::Call call(&self->occupancy, "sequence");
    self->sequence->Restore({bytes, size});
  });
}

void finback_sequence_cancel(finback_sequence* self) {
  finback::ClearLastError();
  if (self != nullptr) self->sequence->Cancel();
}

void finback_sequence_free(finback_sequence* self) {
  if (self != nullptr && self->occupancy.Orphaned()) static_cast<void>(self->sequence.release());
  delete self;
}
