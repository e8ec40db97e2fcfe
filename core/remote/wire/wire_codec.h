// A wire format: Request -> a service's JSON, a service's JSON -> Events, and what it has words
// for. What differs between services that share one is a field of Provider.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/event.h"
#include "core/engine/request.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/wire/wire_plan.h"

namespace finback {

struct WireCall {
  std::string path;  // after the base URL: "/chat/completions"
  std::string body;  // JSON; the same request always gives the same bytes
};

// What a response says of itself.
struct WireResponse {
  std::string id, model, fingerprint, finish_reason;  // finish_reason as the service spells it
  bool has_usage = false;
  Usage usage;
  bool finished = false;  // a finish reason was seen
  bool closed = false;    // the format's own end ([DONE], message_stop, response.completed)
  // The reasoning in the service's own form, a JSON list for Message.reasoning_details of the next
  // request; "": it has none. Complete once the response is finished.
  std::string reasoning_details;
};

// One answer, streamed or whole, in any chunking. Throws Error with a Failure's details on error
// objects and on what is not the format. Keeps nothing of the Request, but the plan's provider.
class WireDecoder {
 public:
  virtual ~WireDecoder() = default;
  // One server-sent event.
  virtual void Push(std::string_view event, std::string_view data, std::vector<Event>* out) = 0;
  // A whole JSON body.
  virtual void Whole(std::string_view body, std::vector<Event>* out) = 0;
  // The body ended: held-back text, the kFinish event. Throws kTransport if it was cut off.
  virtual void End(std::vector<Event>* out) = 0;
  const WireResponse& response() const { return response_; }

 protected:
  WireResponse response_;
};

// What a format has words for, whatever a service that speaks it supports.
struct WireWords {
  bool completions = false;      // plain text to be gone on with
  bool response_format = false;  // JSON objects, JSON of a schema
  bool logprobs = false;
  bool sampling_extras = false;  // seed, logit_bias, min_p
  bool top_k = false;
  bool stop = false;
  bool needs_max_tokens = false;  // no request without it
  bool prefix = false;            // an assistant's turn that the answer goes on with
  bool file_data = false;         // the bytes of a file, not its id alone
};

struct WireCodec {
  const char* name;
  WireWords words;
  WireCall (*encode)(const Request& request, const WirePlan& plan);
  std::unique_ptr<WireDecoder> (*decoder)(const Request& request, const WirePlan& plan);
};

// What each format defines, the functions in NAME_request.cc and NAME_answer.cc.
#define FINBACK_WIRE_FORMAT(name, Name)                                                    \
  WireCall Encode##Name(const Request& request, const WirePlan& plan);                     \
  std::unique_ptr<WireDecoder> Decode##Name(const Request& request, const WirePlan& plan); \
  extern const WireCodec k##Name##Codec;
#include "core/remote/catalog/wire_formats.inc"
#undef FINBACK_WIRE_FORMAT

// The codec of provider.wire_format. Throws Error(kInvalidArgument) for one that there is not.
const WireCodec& CodecOf(const Provider& provider);

}  // namespace finback
