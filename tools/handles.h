// Owners of the library's handles: each is freed once, whatever happens.
#pragma once

#include <finback/finback.h>

#include <memory>

template <auto kFree>
struct HandleFree {
  template <typename T>
  void operator()(T* handle) const {
    kFree(handle);
  }
};

using OptionsHandle = std::unique_ptr<finback_options, HandleFree<finback_options_free>>;
using EngineHandle = std::unique_ptr<finback_engine, HandleFree<finback_engine_free>>;
using StreamHandle = std::unique_ptr<finback_stream, HandleFree<finback_stream_free>>;
using SequenceHandle = std::unique_ptr<finback_sequence, HandleFree<finback_sequence_free>>;
using TokensHandle = std::unique_ptr<finback_tokens, HandleFree<finback_tokens_free>>;
using TextHandle = std::unique_ptr<finback_text, HandleFree<finback_text_free>>;
using BytesHandle = std::unique_ptr<finback_bytes, HandleFree<finback_bytes_free>>;
