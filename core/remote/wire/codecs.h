// The functions behind CodecFor, one pair per wire format.
#pragma once

#include <memory>

#include "core/remote/wire/wire.h"

namespace finback {

WireCall EncodeOpenAi(const Request& request, const WirePlan& plan);
std::unique_ptr<WireDecoder> DecodeOpenAi(const Request& request, const WirePlan& plan);

WireCall EncodeAnthropic(const Request& request, const WirePlan& plan);
std::unique_ptr<WireDecoder> DecodeAnthropic(const Request& request, const WirePlan& plan);

WireCall EncodeResponses(const Request& request, const WirePlan& plan);
std::unique_ptr<WireDecoder> DecodeResponses(const Request& request, const WirePlan& plan);

}  // namespace finback
