// Chat Completions, with markup rescued from text: answers from hostile bytes.
#include "tests/fuzz/wire_decoding.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const finback::WireFuzzer fuzzer("vllm");
  fuzzer.Run(data, size);
  return 0;
}
