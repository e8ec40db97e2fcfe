// One request sent to one endpoint: planned, reserved for, sent, decoded, paid for. What to do when
// it fails is its stream's matter.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/event.h"
#include "core/engine/request.h"
#include "core/remote/client.h"
#include "core/remote/conversation.h"
#include "core/remote/record/recorder.h"
#include "core/remote/transport/cancellation.h"
#include "core/remote/transport/sse.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {

class Exchange {
 public:
  // `number` counts the exchanges for one request, from 1. `conversation` may be nullptr. All
  // outlive the exchange.
  Exchange(Client* client, const Endpoint& endpoint, int32_t number, Conversation* conversation,
           Cancellation* cancellation);
  // An exchange that neither ended nor failed is booked as an estimate.
  ~Exchange();
  Exchange(const Exchange&) = delete;

  // Plans and sends; notices of the plan come first. Throws what any part of it does.
  void Send(const Request& request, const LeftOut& left_out, std::vector<Event>* events);

  // More of the answer; false at its end, after kFinish. Throws the failure that ends it.
  bool Read(std::vector<Event>* events);

  // Books what was spent until the failure.
  void Fail(const Failure& failure);

  const Endpoint& endpoint() const { return endpoint_; }
  // What to ask for in place of the max_tokens that was refused; see RoomForAnswer.
  std::optional<int64_t> RoomAfter(const Failure& failure) const;
  // As of now.
  Usage usage() const;
  void Describe(ServiceAnswer* answer) const;

 private:
  enum class Body : uint8_t { kUnknown, kEvents, kWhole };

  void Reserve(const WireCall& call);
  void Open(WireCall call);
  void CheckStatus();
  bool ReadBytes();
  void TakeEnd(std::vector<Event>* events);
  void PushAtEnd(std::string_view name, std::string_view data, std::vector<Event>* events);
  void Take(std::string_view bytes, std::vector<Event>* events);
  void NoteProgress(const std::vector<Event>& events, size_t from);
  void CheckModel(size_t place, std::vector<Event>* events);
  void CloseTransfer();
  std::string Safe(std::string_view text) const;  // without secrets
  void End();
  void Book(const std::function<void(Ledger*)>& entry);
  std::string_view PriceProvider() const;
  Cost CostOf(const Usage& usage, int64_t ended_ms) const;
  Outcome MakeOutcome() const;

  Client& client_;
  const Endpoint& endpoint_;
  const int32_t number_;
  Conversation* const conversation_;
  Cancellation& cancellation_;

  WirePlan plan_;
  ConcurrencyLimiter::Lease lease_;
  std::unique_ptr<Recording> recording_;
  std::unique_ptr<HttpTransfer> transfer_;
  std::unique_ptr<WireDecoder> decoder_;
  SseParser sse_;
  Body body_ = Body::kUnknown;
  bool has_events_ = false;
  std::string bytes_, whole_, tail_;  // the last: of a stream's bytes
  int32_t status_ = 0;
  std::string path_, request_id_;
  bool checked_model_ = false;

  int64_t ledger_id_ = 0;  // 0: nothing is open in the ledger
  int64_t sent_ms_ = 0;
  int64_t prompt_estimate_ = 0, output_characters_ = 0, reasoning_characters_ = 0;
  Cost cost_;
  bool settled_ = false, estimated_ = false;
};

}  // namespace finback
