/* Finback: DeepSeek-V4 behind one stable C ABI. (Declarations first; the manual text grows around them.) */
#ifndef FINBACK_FINBACK_H
#define FINBACK_FINBACK_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FINBACK_API __attribute__((visibility("default")))
#else
#define FINBACK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t finback_status;
#define FINBACK_OK 0
#define FINBACK_DONE 1
#define FINBACK_ERROR_INVALID_ARGUMENT (-1)
#define FINBACK_ERROR_INVALID_REQUEST (-2)
#define FINBACK_ERROR_NOT_FOUND (-3)
#define FINBACK_ERROR_CHECKPOINT (-4)
#define FINBACK_ERROR_UNSUPPORTED (-5)
#define FINBACK_ERROR_OUT_OF_MEMORY (-6)
#define FINBACK_ERROR_BUDGET (-7)
#define FINBACK_ERROR_CONTEXT_FULL (-8)
#define FINBACK_ERROR_CANCELLED (-9)
#define FINBACK_ERROR_IO (-10)
#define FINBACK_ERROR_INTERNAL (-11)

/* Errors of this thread's last call. */
FINBACK_API finback_status finback_last_error_code(void);
FINBACK_API const char *finback_last_error(void);

/* Library. build_info: JSON {"version","isas_compiled":[...],"isa","..."} */
FINBACK_API const char *finback_version(void);
FINBACK_API const char *finback_build_info(void);

/* Options: model, precision (published|bf16|float32), threads, context_tokens, chunk_tokens,
 * memory_budget_bytes, effort_ladder (auto|preview|0731), trust_all (0|1). */
typedef struct finback_options finback_options;
FINBACK_API finback_options *finback_options_new(void);
FINBACK_API finback_status finback_options_set(finback_options *self, const char *name, const char *value);
FINBACK_API const char *finback_options_get(const finback_options *self, const char *name);
FINBACK_API size_t finback_options_count(void);
FINBACK_API const char *finback_options_describe(size_t index); /* JSON {"name","type","default","min","max","doc"} */
typedef int32_t (*finback_progress_fn)(const char *phase, uint64_t done, uint64_t total, void *user_data);
FINBACK_API finback_status finback_options_set_progress(finback_options *self, finback_progress_fn progress, void *user_data);
typedef void (*finback_log_fn)(int32_t level, const char *message, void *user_data);
FINBACK_API finback_status finback_options_set_log(finback_options *self, finback_log_fn log, void *user_data);
FINBACK_API void finback_options_free(finback_options *self);

/* Engine. */
typedef struct finback_engine finback_engine;
typedef struct finback_stream finback_stream;
typedef struct finback_session finback_session;
typedef struct finback_sequence finback_sequence;
FINBACK_API finback_engine *finback_engine_open(const finback_options *options);
FINBACK_API void finback_engine_free(finback_engine *self);
FINBACK_API const char *finback_engine_info(finback_engine *self); /* JSON: config, precision, isa, threads, tensors by kind, memory plan, bytes read per token */
FINBACK_API finback_status finback_engine_verify(finback_engine *self, const char *sha256_list); /* NULL: contents and totals only; else the text of a sha256sum list for the shards */
/* Text. All return handles or borrowed pointers valid until the next call on the same object from the same thread... */
typedef struct finback_tokens finback_tokens; /* an owned array of ids */
FINBACK_API finback_tokens *finback_engine_tokenize(finback_engine *self, const char *text, size_t size, int32_t recognize_special);
FINBACK_API finback_tokens *finback_engine_encode_tokens(finback_engine *self, const char *request_json);
FINBACK_API size_t finback_tokens_count(const finback_tokens *self);
FINBACK_API const int32_t *finback_tokens_data(const finback_tokens *self);
FINBACK_API void finback_tokens_free(finback_tokens *self);
typedef struct finback_text finback_text; /* an owned piece of text */
FINBACK_API finback_text *finback_engine_detokenize(finback_engine *self, const int32_t *ids, size_t count);
FINBACK_API finback_text *finback_engine_encode(finback_engine *self, const char *request_json);          /* chat request -> prompt text */
FINBACK_API finback_text *finback_encode_messages(const char *json);  /* without a model: {"messages":[...],"thinking_mode":"thinking|chat","drop_thinking":..,"add_bos":..,"effort_prefix":..,"context":[..],"tools":[..]} -> prompt */
FINBACK_API finback_text *finback_parse_completion(const char *text, size_t size, int32_t thinking, int32_t strict); /* -> message JSON */
FINBACK_API const char *finback_text_data(const finback_text *self);
FINBACK_API size_t finback_text_size(const finback_text *self);
FINBACK_API void finback_text_free(finback_text *self);

/* Chat. finback_engine_chat uses the engine's default session; sessions keep separate conversations' state. */
FINBACK_API finback_session *finback_session_new(finback_engine *engine);
FINBACK_API finback_stream *finback_session_chat(finback_session *self, const char *request_json);
FINBACK_API void finback_session_free(finback_session *self);
FINBACK_API finback_stream *finback_engine_chat(finback_engine *self, const char *request_json);
FINBACK_API finback_stream *finback_engine_complete(finback_engine *self, const char *request_json); /* {"prompt":...} */

#define FINBACK_EVENT_NONE 0
#define FINBACK_EVENT_REASONING 1
#define FINBACK_EVENT_CONTENT 2
#define FINBACK_EVENT_TOOL_CALL 3
#define FINBACK_EVENT_TOOL_ARGUMENTS 4
#define FINBACK_EVENT_TOOL_CALL_END 5
#define FINBACK_EVENT_FINISH 6
#define FINBACK_EVENT_PROGRESS 7
FINBACK_API finback_status finback_stream_step(finback_stream *self);
FINBACK_API int32_t finback_stream_kind(const finback_stream *self);
FINBACK_API const char *finback_stream_text(const finback_stream *self);
FINBACK_API size_t finback_stream_text_size(const finback_stream *self);
FINBACK_API int32_t finback_stream_tool_index(const finback_stream *self);
FINBACK_API const char *finback_stream_tool_id(const finback_stream *self);
FINBACK_API const char *finback_stream_tool_name(const finback_stream *self);
FINBACK_API const char *finback_stream_finish_reason(const finback_stream *self);
FINBACK_API const char *finback_stream_logprobs(const finback_stream *self); /* JSON array, "[]" if none */
FINBACK_API const char *finback_stream_response(const finback_stream *self); /* after FINISH: the whole chat.completion object */
typedef struct finback_usage {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens;
} finback_usage;
FINBACK_API finback_status finback_stream_usage(const finback_stream *self, finback_usage *usage);
FINBACK_API int64_t finback_stream_progress_done(const finback_stream *self);
FINBACK_API int64_t finback_stream_progress_total(const finback_stream *self);
FINBACK_API void finback_stream_cancel(finback_stream *self);
FINBACK_API void finback_stream_free(finback_stream *self);

/* Low-level sequences: tokens -> logits. */
FINBACK_API finback_sequence *finback_sequence_new(finback_engine *engine);
FINBACK_API finback_status finback_sequence_evaluate(finback_sequence *self, const int32_t *ids, size_t count, float *logits, size_t logits_rows); /* rows: 0, 1 (last) or count */
FINBACK_API int64_t finback_sequence_position(const finback_sequence *self);
FINBACK_API size_t finback_sequence_vocab(const finback_sequence *self);
FINBACK_API finback_status finback_sequence_roll_back(finback_sequence *self, int64_t tokens);
FINBACK_API finback_sequence *finback_sequence_fork(const finback_sequence *self);
typedef struct finback_bytes finback_bytes;
FINBACK_API finback_bytes *finback_sequence_snapshot(const finback_sequence *self);
FINBACK_API finback_status finback_sequence_restore(finback_sequence *self, const void *data, size_t size);
FINBACK_API const void *finback_bytes_data(const finback_bytes *self);
FINBACK_API size_t finback_bytes_size(const finback_bytes *self);
FINBACK_API void finback_bytes_free(finback_bytes *self);
FINBACK_API void finback_sequence_cancel(finback_sequence *self);
FINBACK_API void finback_sequence_free(finback_sequence *self);

#ifdef __cplusplus
}
#endif
#endif
