// The same format's answers: an event for each word, and one named "stop".
#include "core/remote/wire/answer_events.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {
namespace {

class Decoder final : public WireDecoder {
 public:
  Decoder(const Request& request, const WirePlan& plan) : events_(request, plan) {}

  void Push(std::string_view event, std::string_view data, std::vector<Event>* out) override {
    events_.Begin(out);
    if (event == "stop") {
      response_.closed = true;
      events_.TakeReason("stop", &response_);
    } else {
      events_.Text(EventKind::kContent, data);
    }
  }
  void Whole(std::string_view body, std::vector<Event>* out) override {
    Push("", body, out);
    Push("stop", "", out);
  }
  void End(std::vector<Event>* out) override {
    events_.BeginEnd(out);
    events_.Finish(response_);
  }

 private:
  AnswerEvents events_;
};

}  // namespace

std::unique_ptr<WireDecoder> DecodeTelegram(const Request& request, const WirePlan& plan) {
  return std::make_unique<Decoder>(request, plan);
}

}  // namespace finback
