#include "core/remote/wire/wire_codec.h"

#include "core/base/status.h"

namespace finback {
namespace {

constexpr const WireCodec* kCodecs[] = {
#define FINBACK_WIRE_FORMAT(name, Name) &k##Name##Codec,
#include "core/remote/catalog/wire_formats.inc"
#undef FINBACK_WIRE_FORMAT
};

}  // namespace

const WireCodec& CodecOf(const Provider& provider) {
  for (const WireCodec* codec : kCodecs) {
    if (provider.wire_format == codec->name) return *codec;
  }
  Throw(Code::kInvalidArgument, "%s: unknown wire format \"%s\"", provider.name.c_str(),
        provider.wire_format.c_str());
}

}  // namespace finback
