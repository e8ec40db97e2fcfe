// Anthropic Messages: answers from hostile bytes.
#include "tests/fuzz/wire_decoding.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const finback::WireFuzzer fuzzer("deepseek-anthropic");
  fuzzer.Run(data, size);
  return 0;
}
