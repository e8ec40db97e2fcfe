// An answer from a service: exchanges with one target after the other until one of them answers,
// and what a schema or our own rules ask beyond what the service does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/engine/backend.h"
#include "core/remote/exchange.h"
#include "core/remote/structured_output.h"

namespace finback {

class RemoteStream final : public Stream {
 public:
  // `client` outlives the stream. Throws Error(kInvalidRequest) for a schema that is none.
  RemoteStream(Client* client, Request request, std::shared_ptr<Conversation> conversation);

  bool Step(Event* event) override;
  Usage usage() const override;
  const ServiceAnswer* service() const override;
  void Cancel() noexcept override { cancellation_.Cancel(); }

 private:
  // Makes of the request what is asked of the target at hand.
  void Shape();
  const Request& asked() const { return shaped_ ? *shaped_ : request_; }
  Request* Reshape();  // a copy, from the first time on
  void DropQueue();
  void Advance();
  void Route(std::vector<Event>* events);
  void Conclude();
  // Of the exchange at hand and what it brought; another is to be begun.
  void Forget();
  bool Withheld(FinishReason reason) const;
  void EndWith(const std::string& content);
  void Watch(Event* event);
  void JudgeObject(FinishReason reason);
  // Decides what follows a failure.
  void Recover(const Error& error);
  bool TryAgain(Failure* failure);
  void NoteFirst(const Failure& failure);
  void Give(const Failure& failure);
  bool RepairRequestOnce(const Failure& failure);
  bool RepairMaxTokens(const Failure& failure);
  size_t NextPlace(const Failure& failure) const;
  void BeginTarget(size_t place);
  void Notice(std::string_view code, const std::string& message);
  const Endpoint& endpoint() const;

  Client& client_;
  const Request request_;
  const std::shared_ptr<Conversation> conversation_;
  Cancellation cancellation_;

  std::vector<size_t> order_;  // of targets
  size_t place_ = 0;
  std::unique_ptr<Exchange> exchange_;
  int32_t exchanges_ = 0;  // begun
  int32_t retries_ = 0;    // at the target at hand
  std::string first_;      // the failure after which another attempt was made
  bool chain_repaired_ = false, limit_repaired_ = false;
  LeftOut left_out_;

  std::optional<Request> shaped_;  // as the target takes it, where that is not request_
  std::optional<JsonSchema> schema_;
  SchemaRoute route_ = SchemaRoute::kNative;
  ToolAnswer tool_answer_;
  JsonWatch watch_;
  int32_t schema_repairs_ = 0;
  std::set<std::string> notices_;  // given: another attempt would repeat those of its plan
  std::vector<Event> withheld_;    // kFinish, until the answer is judged

  std::vector<Event> arrived_, queue_;
  size_t next_ = 0;
  bool delivered_ = false;  // something of the answer: no more attempts
  bool over_ = false;
  std::optional<Error> error_;
  Usage earlier_;                 // of repair rounds that are over
  mutable ServiceAnswer answer_;  // as of the last time it was asked for
};

}  // namespace finback
