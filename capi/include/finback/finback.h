/*
 * Finback: DeepSeek-V4 in your process, behind one stable C ABI.
 *
 * This file is the manual. In one breath: set options, open an engine on a checkpoint folder or on
 * a model at a service, hand it a Chat Completions request as JSON, and step through the events of
 * the answer:
 *
 *     finback_options *options = finback_options_new();
 *     finback_options_set(options, "model", "/models/DeepSeek-V4-Flash");
 *     finback_engine *engine = finback_engine_open(options);
 *     finback_stream *stream = finback_engine_chat(engine,
 *         "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}");
 *     while (finback_stream_step(stream) == FINBACK_OK)
 *       if (finback_stream_kind(stream) == FINBACK_EVENT_CONTENT)
 *         fputs(finback_stream_text(stream), stdout);
 *     if (finback_last_error_code() < 0) fprintf(stderr, "%s\n", finback_last_error());
 *     finback_stream_free(stream);
 *     finback_engine_free(engine);
 *     finback_options_free(options);
 *
 * Rules that hold everywhere
 *
 * Ownership  A function that returns a pointer to a handle (an opaque type below) gives it to the
 *            caller, who frees it with that type's _free; _free(NULL) does nothing. Text that is
 *            returned is borrowed, never NULL unless its comment says so, and its comment says
 *            until when it is valid. Engines, sessions, streams and sequences keep what they need
 *            alive: they may be freed in any order.
 * Text       Text in is UTF-8, NUL-terminated unless a size is passed. Text out is UTF-8,
 *            NUL-terminated, never cut inside a character.
 * Errors     Functions return FINBACK_OK (0), a positive control code, or a negative error; those
 *            that return a handle return NULL on failure. finback_last_error_code() and
 *            finback_last_error() tell more, for this thread, about the last call. A comment lists
 *            the codes to expect; besides those, any function may fail with
 *            FINBACK_ERROR_INVALID_ARGUMENT when a handle or a required pointer is NULL, and with
 *            FINBACK_ERROR_OUT_OF_MEMORY or FINBACK_ERROR_INTERNAL. A call that fails leaves its
 *            arguments as they were, unless its comment says otherwise. A call on a handle that is
 *            NULL right after a failed call keeps that failure, code and words: so a program may
 *            open, chat and step, and ask once what went wrong.
 * Threads    An engine may be used from any number of threads at once. Options, sessions, streams,
 *            sequences, tokens, text and bytes belong to one thread at a time; the two _cancel
 *            functions may be called from any thread. Callbacks run on a thread that is inside a
 *            call of yours.
 *            A stack of 128 KiB is enough for every call, as musl's threads have.
 * Processes  A child of fork() has workers of its own and may use the engines, sessions and
 *            sequences of its parent. A stream that was begun before the fork stays the parent's,
 *            as does what a thread of the parent was inside of: the child is refused
 *            (FINBACK_ERROR_INVALID_ARGUMENT) and only frees it. fork() may wait for up to a second
 *            for calls of libcurl and SQLite to end. A process may exit while threads are in calls;
 *            nothing needs to be freed before. Python refuses to import the module in a
 *            subinterpreter.
 * Weights    The files of an open model are mapped and must stay as they are, unless the option
 *            weights is copied: then they are read into memory when it opens. Replace them by
 *            renaming others over them: an open engine keeps the old ones. One that was cut, grown
 *            or written to since is FINBACK_ERROR_IO, told when a stream begins and before each
 *            step over the weights. What cannot be told in time, a file that is cut during a step
 *            or a disk that fails to read, is SIGBUS and ends the process, as in any mapped file.
 * Manners    The library never prints, exits, aborts, installs signal handlers, changes the locale
 *            or reads the environment, but for FINBACK_ISA (scalar, blas, avx2, avx512, avx512bf16,
 *            neon, neondot or neonbf16: can only lower the choice of instructions; other values are
 *            refused where a model of this process is opened); for services their keys
 *            (key_variables in finback_services(), such as DEEPSEEK_API_KEY; unless api_key is set)
 *            and, by libcurl, the proxy variables http_proxy, https_proxy, all_proxy and no_proxy
 *            (unless environment_proxy is 0).
 *            OpenBLAS, OpenSSL and SQLite may read variables of their own.
 */
#ifndef FINBACK_FINBACK_H
#define FINBACK_FINBACK_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header; finback_version() tells the library's. */
#define FINBACK_VERSION_MAJOR 0
#define FINBACK_VERSION_MINOR 1
#define FINBACK_VERSION_PATCH 0

#if defined(__GNUC__)
#define FINBACK_API __attribute__((visibility("default")))
#else
#define FINBACK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---------------------------------------------------------------------------------- */

/* Zero is success, positive is control flow, negative is an error. Since 0.1. */
typedef int32_t finback_status;

#define FINBACK_OK 0                        /* done; for finback_stream_step: an event is ready */
#define FINBACK_DONE 1                      /* the stream is over; no event */
#define FINBACK_ERROR_INVALID_ARGUMENT (-1) /* a parameter or an option is wrong */
#define FINBACK_ERROR_INVALID_REQUEST (-2)  /* the request is wrong; names the JSON path */
#define FINBACK_ERROR_NOT_FOUND (-3)        /* a file, model or name does not exist */
#define FINBACK_ERROR_CHECKPOINT (-4)       /* config, weights or tokenizer are malformed */
#define FINBACK_ERROR_UNSUPPORTED (-5)      /* well-formed, but nothing this library can do */
#define FINBACK_ERROR_OUT_OF_MEMORY (-6)    /* an allocation failed */
#define FINBACK_ERROR_BUDGET (-7)           /* needs more than memory_budget_bytes */
#define FINBACK_ERROR_CONTEXT_FULL (-8)     /* more tokens than were planned for */
#define FINBACK_ERROR_CANCELLED (-9)        /* stopped by _cancel or a progress callback */
#define FINBACK_ERROR_IO (-10)              /* the operating system refused a read or write */
#define FINBACK_ERROR_INTERNAL (-11)        /* a defect of the library; please report it */
#define FINBACK_ERROR_AUTHENTICATION (-12)  /* a service refused the key, or there is none */
#define FINBACK_ERROR_QUOTA (-13)           /* a balance, or our own spending limit, is used up */
#define FINBACK_ERROR_RATE_LIMIT (-14)      /* a service takes no more requests at present */
#define FINBACK_ERROR_SERVICE (-15)         /* a service failed or cannot be reached */
#define FINBACK_ERROR_TIMEOUT (-16)         /* one of the timeout options ran out */
#define FINBACK_ERROR_REFUSED (-17)         /* a service's moderation stopped it */
#define FINBACK_ERROR_SCHEMA (-18)          /* the answer does not fit the schema asked for */

/*
 * The code of this thread's last call: FINBACK_OK when it succeeded. Every other function of this
 * header sets it, except the _free functions and the next three.
 * Threads: any; each thread has its own. Since 0.1.
 */
FINBACK_API finback_status finback_last_error_code(void);

/*
 * One line about this thread's last failure, such as `messages[2].role: unknown role "robot"`; ""
 * when the last call succeeded. At most 1,023 bytes.
 * Borrowed: valid until this thread's next call that sets the code. Since 0.1.
 */
FINBACK_API const char *finback_last_error(void);

/*
 * What a program may want to know about a service's failure, as a JSON object: kind, http_status,
 * retryable, retry_after_ms, request_id, provider, model, limit and body, as far as they are known;
 * "{}" for other failures. Keys and tokens are removed. At most 8,191 bytes.
 * Borrowed: valid until this thread's next call that sets the code. Since 0.1.
 */
FINBACK_API const char *finback_last_error_details(void);

/*
 * The name of a code: "ok", "done", "invalid_argument", "invalid_request", ...; "unknown"
 * for others. Borrowed: valid forever. Since 0.1.
 */
FINBACK_API const char *finback_status_name(finback_status status);

/* ---- Library --------------------------------------------------------------------------------- */

/* The library's version, "0.1.0". Borrowed: valid forever. Since 0.1. */
FINBACK_API const char *finback_version(void);

/*
 * How the library was built and what it chose on this machine, as a JSON object:
 *   {"version": "0.1.0", "compiler": "...", "isas_compiled": ["avx512bf16", "avx512", "avx2",
 *    "blas", "scalar"], "isas_available": ["avx2", "scalar"], "isa": "avx2", "isa_reason": "the
 *    best of this machine, which lacks avx512bf16, avx512"}
 * Borrowed: valid forever; "{}" and an error if it could not be made. Since 0.1.
 */
FINBACK_API const char *finback_build_info(void);

/* ---- Options --------------------------------------------------------------------------------- */

/*
 * What an engine is opened with: named values, set as text. Unknown names fail, so a program can
 * try an option of a newer library on an older one.
 * The list, with defaults and values: finback_options_describe(); `finback options` prints it, and
 * docs/options.md shows it.
 *
 * The first of them, up to cache_bytes, are for a model in this process. With a model such as
 * "deepseek:deepseek-v4-pro", or with base_url, the engine is a service's, and the others are for
 * that, model for both; several models, separated by commas, are tried in turn. Of the other kind's
 * options every value is taken, and none has an effect.
 */
typedef struct finback_options finback_options;

/* Makes options with every value at its default. Free with finback_options_free(). Since 0.1. */
FINBACK_API finback_options *finback_options_new(void);

/*
 * Sets one option from text: numbers in decimal, switches as 0 or 1 (false, true).
 * Errors: NOT_FOUND (no option of that name), INVALID_ARGUMENT (not a value of it; the message has
 * the bounds). Since 0.1.
 */
FINBACK_API finback_status finback_options_set(finback_options *self, const char *name,
                                               const char *value);

/*
 * The present value of an option, as text; NULL when there is no option of that name (NOT_FOUND).
 * Borrowed: valid until the option is set again or the options are freed. Since 0.1.
 */
FINBACK_API const char *finback_options_get(const finback_options *self, const char *name);

/* How many options there are. Since 0.1. */
FINBACK_API size_t finback_options_count(void);

/*
 * One option as JSON: {"name": ..., "type": "string"|"integer"|"choice"|"switch", "default": ...,
 * "min": ..., "max": ..., "choices": [...], "doc": ...}; min and max for integers, choices for
 * choices. NULL when `index` is not below finback_options_count() (INVALID_ARGUMENT).
 * Borrowed: valid forever. Since 0.1.
 */
FINBACK_API const char *finback_options_describe(size_t index);

/*
 * Called during long work: `phase` is "load", "prefill" or "verify"; `done` of `total` are bytes
 * for load and verify, tokens for prefill; finback_benchmark() has more phases. Return 0 to go on;
 * anything else stops the work with CANCELLED. It runs on the thread whose call does the work, and
 * must not call back into the same stream or sequence.
 */
typedef int32_t (*finback_progress_fn)(const char *phase, uint64_t done, uint64_t total,
                                       void *user_data);

/*
 * Sets the progress callback of engines opened later; NULL for none. `user_data` is passed through
 * and must outlive those engines. With several streams at once the callback may run on several
 * threads. Since 0.1.
 */
FINBACK_API finback_status finback_options_set_progress(finback_options *self,
                                                        finback_progress_fn progress,
                                                        void *user_data);

/* Levels of lines for the log. Unknown numbers are levels of a later version, of less weight. */
#define FINBACK_LOG_ERROR 0
#define FINBACK_LOG_WARNING 1
#define FINBACK_LOG_INFORMATION 2

/* Receives one line for the log; `level` is FINBACK_LOG_*. */
typedef void (*finback_log_fn)(int32_t level, const char *message, void *user_data);

/*
 * Sets where engines opened later write their log; NULL for nowhere, the default. The same rules
 * for `user_data` and threads as for progress. Since 0.1.
 */
FINBACK_API finback_status finback_options_set_log(finback_options *self, finback_log_fn log,
                                                   void *user_data);

/* Frees options. Engines opened with them are not affected. Since 0.1. */
FINBACK_API void finback_options_free(finback_options *self);

/* ---- Engine ---------------------------------------------------------------------------------- */

/* One open checkpoint, or the models at services that the option model names. Any thread. */
typedef struct finback_engine finback_engine;

/* One answer being produced; see finback_stream_step(). */
typedef struct finback_stream finback_stream;
/* What one conversation has computed so far; see finback_session_new(). */
typedef struct finback_session finback_session;
/* The network without text: token ids in, logits out; see finback_sequence_new(). */
typedef struct finback_sequence finback_sequence;
/* An owned array of token ids. */
typedef struct finback_tokens finback_tokens;
/* An owned piece of UTF-8 text. */
typedef struct finback_text finback_text;

/* An owned array of bytes. */
typedef struct finback_bytes finback_bytes;

/*
 * Opens what the option "model" names. A checkpoint folder: config.json, the safetensors shards
 * (mapped, every header checked) and generation_config.json; tokenizer.json is read when text is
 * first handled, and no session memory is taken yet. Models at services: their tables, keys and
 * ledger; nothing is sent yet. The options may be freed afterwards.
 * Free with finback_engine_free().
 * Errors: INVALID_ARGUMENT (an option does not fit the model; a table's row is wrong; an unknown
 * provider, or a refused model with what to use instead), NOT_FOUND (no such folder or file, or no
 * record to replay), CHECKPOINT (malformed; names file, tensor, found and expected), UNSUPPORTED
 * (another architecture, by its name; a ledger of a newer version), AUTHENTICATION (no key), IO
 * (names the file), CANCELLED (by the progress callback). Since 0.1.
 */
FINBACK_API finback_engine *finback_engine_open(const finback_options *options);

/*
 * Gives up the caller's hold on an engine; memory goes when its last session, stream and sequence
 * go. Since 0.1.
 */
FINBACK_API void finback_engine_free(finback_engine *self);

/*
 * What is open, as one JSON object. At services: {"backend": "service", "targets": [{"provider",
 * "model", "base_url", "context_tokens", "max_output_tokens", "key"}, ..]}, the first two numbers
 * null if not known, key a label and not the key itself. In this process:
 *   model         the folder; precision, isa, isa_reason, threads: what computes
 *   config        the model's sizes: hidden, layers, heads, head_dim, vocab, window, experts,
 *                 experts_per_token, max_position, drafts, compress_ratios, effort_ladder, ...
 *   generation    temperature, top_p, top_k and thinking when a request does not say
 *   parameters    logical parameters (FP4 and FP8 weights counted once, scales not)
 *   tensors       count and bytes; expected: the same for the config in published dtypes; by_dtype,
 *                 by_kind: {NAME: {"count": .., "bytes": ..}}
 *   files         [{"name": .., "bytes": ..}, ..]
 *   memory        for context_tokens: sequence_bytes (of a full sequence), cache_bytes (of
 *                 them, the model's memory at full length; cache: by window, csa, hca, index),
 *                 scratch_bytes (of the engine, to compute with, however many they are),
 *                 mapped_bytes or copied_bytes (of weights), budget_bytes; available_bytes: what
 *                 this process may still take, available_limited: by a control group
 *   read_per_token  bytes that one decoded token touches: weights, by kind, and cache at full
 *                 length; memory bandwidth divided by the total bounds tokens per second
 * Borrowed: valid until the engine is freed. Since 0.1.
 */
FINBACK_API const char *finback_engine_info(finback_engine *self);

/*
 * What a service says: its models ({"object": "list", "data": [{"id": ..}, ..]}), and the balance
 * of the key's account ({"is_available": .., "balance_infos": [..]}), as it came.
 * Free with finback_text_free().
 * Errors: UNSUPPORTED (a model in this process, or a service that does not tell), AUTHENTICATION,
 * SERVICE; see finback_last_error_details(). Since 0.1.
 */
FINBACK_API finback_text *finback_engine_models(finback_engine *self);
FINBACK_API finback_text *finback_engine_balance(finback_engine *self);

/*
 * What is known of services without asking any, with the rows of the option providers_file:
 * {"services": [{"name", "wire_format", "base_url", "key_required", "key_variables": [..]}, ..],
 * "models": [{"model": "deepseek:deepseek-v4-pro", "family", "context_tokens", "max_output_tokens",
 * "images", "thinking", "refused"}, ..]}; null where nothing is known. A refused model, one that is
 * retired or never was, has "instead" and "reason" besides. Free with finback_text_free().
 * Errors: INVALID_ARGUMENT (names the row and field), IO (names the file). Since 0.1.
 */
FINBACK_API finback_text *finback_services(const finback_options *options);

/*
 * What was spent, by the ledger that the option ledger names: {"group_by", "since_ms", "until_ms",
 * "rows": [{"group", "attempts", "open", "failed", "estimated", "unknown", "prompt_tokens",
 * "cached_tokens", "completion_tokens", "reasoning_tokens", "cache_hit_ratio", "cost", "cost_pico",
 * ..}]}, costs in dollars and pico-dollars. `query_json` is {} or has
 *   group_by      day (default), model, key, user, tag, provider or conversation
 *   since, until  "2026-11-22", "2026-11-22T08:00:00Z" or Unix milliseconds; until is not included
 *   reprice       true: finished rows are computed anew with the options prices_file and
 *                 calendar_file; "repriced" then tells what changed
 * Free with finback_text_free().
 * Errors: INVALID_REQUEST (names the JSON path), NOT_FOUND (no ledger is there, and none is made),
 * IO (names the file). Since 0.1.
 */
FINBACK_API finback_text *finback_cost_report(const finback_options *options,
                                              const char *query_json);

/*
 * Reads every tensor of the checkpoint and checks its contents: NaN codes and scales, expert ids
 * out of range, what was never written. `sha256_list`, unless NULL, is what sha256sum printed for
 * the folder: every shard must be in it and match; names of other files are ignored. Reports
 * progress in phase "verify".
 * What the config promises in total stands beside what is there in finback_engine_info(), under
 * "tensors". Errors: CHECKPOINT (names file, tensor and element, or file, found and expected hash),
 * INVALID_ARGUMENT (not such a list), CANCELLED, UNSUPPORTED (at a service). Since 0.1.
 */
FINBACK_API finback_status finback_engine_verify(finback_engine *self, const char *sha256_list);

/*
 * Measures a model on this machine, next to what its memory and arithmetic allow: what `finback
 * bench` shows. The option model names a checkpoint, or is "": then random weights of a published
 * shape are made. precision, weights, threads, chunk_tokens, memory_budget_bytes and progress count
 * too; its phases are "make" and "load", in bytes, and "benchmark", in steps. `settings_json` is {}
 * or has what docs/hardware.md lists, as it does for the object that is returned: what could not be
 * measured is null there. Free with finback_text_free().
 * Errors: INVALID_REQUEST (names the JSON path), BUDGET (has the memory needed), INVALID_ARGUMENT
 * (a folder that holds something else), UNSUPPORTED (a model at a service), CANCELLED, and those of
 * finback_engine_open(). Since 0.1.
 */
FINBACK_API finback_text *finback_benchmark(const finback_options *options,
                                            const char *settings_json);

/*
 * What the option cache_folder holds, checked or cleared: docs/cache.md has the JSON. Free with
 * finback_text_free(). INVALID_ARGUMENT, INVALID_REQUEST, NOT_FOUND, IO, CANCELLED. Since 0.1.
 */
FINBACK_API finback_text *finback_cache(const finback_options *options, const char *query_json);

/* ---- Text and tokens ------------------------------------------------------------------------- */

/* The functions of an engine in this part need a model in this process: UNSUPPORTED at services. */

/*
 * Token ids of `size` bytes of text. `recognize_special` non-zero: added tokens such as <think>
 * become their ids; zero: they stay plain text, as untrusted text must. Nothing is added,
 * no BOS either.
 * Free with finback_tokens_free().
 * Errors: INVALID_ARGUMENT (invalid UTF-8, with the byte offset), NOT_FOUND (the checkpoint has no
 * tokenizer.json), CHECKPOINT (tokenizer.json is malformed). Since 0.1.
 */
FINBACK_API finback_tokens *finback_engine_tokenize(finback_engine *self, const char *text,
                                                    size_t size, int32_t recognize_special);

/*
 * The ids that finback_engine_chat() would evaluate for this request.
 * Free with finback_tokens_free(). Errors: INVALID_REQUEST, NOT_FOUND, CHECKPOINT. Since 0.1.
 */
FINBACK_API finback_tokens *finback_engine_encode_tokens(finback_engine *self,
                                                         const char *request_json);

/* How many ids; 0 for NULL. Since 0.1. */
FINBACK_API size_t finback_tokens_count(const finback_tokens *self);

/* The ids, [count]. Borrowed: valid until the tokens are freed; NULL for NULL. Since 0.1. */
FINBACK_API const int32_t *finback_tokens_data(const finback_tokens *self);

/* Frees tokens. Since 0.1. */
FINBACK_API void finback_tokens_free(finback_tokens *self);

/*
 * The text of `count` ids, special tokens spelled out. Bytes that are no valid UTF-8 become U+FFFD.
 * Free with finback_text_free().
 * Errors: INVALID_ARGUMENT (an id that the tokenizer does not have), NOT_FOUND, CHECKPOINT.
 * Since 0.1.
 */
FINBACK_API finback_text *finback_engine_detokenize(finback_engine *self, const int32_t *ids,
                                                    size_t count);

/*
 * The prompt text that finback_engine_chat() would use for this request.
 * Free with finback_text_free(). Errors: INVALID_REQUEST. Since 0.1.
 */
FINBACK_API finback_text *finback_engine_encode(finback_engine *self, const char *request_json);

/*
 * DeepSeek-V4's prompt encoding alone, without a model. `json` is a list of messages or an object:
 *   messages       required; role, content, reasoning_content, tool_calls, tool_call_id, tools,
 *                  response_format, task, wo_eos
 *   tools          tool definitions, placed on the leading system message
 *   context        messages that were encoded before: they shape the rest but are not written
 *   thinking_mode  "thinking" (default) or "chat"
 *   effort_prefix  "none" (default), "max" or "beyond_max": the effort text that opens the prompt
 *   drop_thinking  default true: earlier reasoning is left out when no tools are defined
 *   add_bos        default true: begin-of-sentence first, when there is no context
 *   check_service  default false. true: the object is a Chat Completions request, and in place of a
 *                  prompt comes what DeepSeek's service would answer 400 to, a JSON list of
 *                  {"path", "message", "fix"}: models in this process take more
 * Free with finback_text_free(). Errors: INVALID_REQUEST (names the JSON path). Since 0.1.
 */
FINBACK_API finback_text *finback_encode_messages(const char *json);

/*
 * Parses what a model wrote after the generation prompt into one assistant message, as JSON:
 *   {"role": "assistant", "content": ..., "reasoning_content": ...,
 *    "tool_calls": [{"type": "function", "function": {"name": ..., "arguments": "..."}}, ...]}
 * `thinking` non-zero: the text begins inside reasoning. `strict` non-zero: the published grammar,
 * any deviation is an error; zero: as streams do, which take what they can.
 * Free with finback_text_free().
 * Errors: INVALID_ARGUMENT (what deviates at which byte, or invalid UTF-8). Since 0.1.
 */
FINBACK_API finback_text *finback_parse_completion(const char *text, size_t size, int32_t thinking,
                                                   int32_t strict);

/*
 * Text as a JSON string, quotes included: what programs without a JSON library put into requests,
 * such as "{\"messages\": [{\"role\": \"user\", \"content\": %s}]}".
 * Free with finback_text_free(). Errors: INVALID_ARGUMENT (invalid UTF-8, at which byte).
 * Since 0.1.
 */
FINBACK_API finback_text *finback_json_string(const char *text, size_t size);

/* The text, NUL-terminated. Borrowed: valid until it is freed; "" for NULL. Since 0.1. */
FINBACK_API const char *finback_text_data(const finback_text *self);

/* Its size in bytes, the NUL not counted; 0 for NULL. Since 0.1. */
FINBACK_API size_t finback_text_size(const finback_text *self);

/* Frees text. Since 0.1. */
FINBACK_API void finback_text_free(finback_text *self);

/* ---- Chat ------------------------------------------------------------------------------------ */

/*
 * Requests are one JSON object in the shape of OpenAI's Chat Completions with DeepSeek's fields.
 * null means absent. A field that cannot be honoured is an error that names its path; unknown ones
 * have no effect, as one NOTICE says (option unknown_fields). What a local model and a service do:
 *   -        nothing, without a word
 *   error    INVALID_REQUEST
 *   sent     it is passed on as it is, where it is given
 *   if known passed on where the provider's row says that the service takes it; else an error
 *   notice   it is left out, and a NOTICE event says so
 * docs/services.md tells what each service takes. Messages have a role and content, a string or a
 * list of parts; an empty list is empty text. After the last a new answer begins, or an assistant's
 * with "prefix": true goes on. Names of tools are unique, [A-Za-z0-9_-], at most 128 bytes.
 * Efforts may also be called minimal (low), medium, xhigh (high) and ultra (max); without thinking
 * they mean nothing.
 *
 *   field, values            | local                           | service
 *   messages, at least one   | turns of the prompt             | sent
 *     role developer         | system text                     | as system, or sent if known
 *     role latest_reminder   | a turn of its own kind          | DeepSeek; else error
 *     text parts             | joined by an empty line         | the same
 *     image_url, file parts  | shown as [Unsupported Image],   | of user and tool: if known
 *                            | with a NOTICE (parts_unread)    |
 *     name                   | -                               | sent; Chat Completions alone
 *     tool_calls, results    | shown, sorted by their ids      | sent; ids needed, all answered
 *     reasoning_content      | shown, by drop_thinking         | sent, by replay_reasoning
 *     reasoning_details      | -                               | sent where its form is known
 *     prefix, wo_eos         | the answer continues it         | if known
 *     task, tools, .._format | as DeepSeek's encoder has them  | error
 *   thinking {"type":        | absent: enabled, unless the     | always said; absent: enabled;
 *     enabled (or adaptive), | model says otherwise            | without a switch: notice
 *     disabled}              |                                 |
 *   reasoning_effort none,   | none: thinking is disabled, if  | as the service spells them, or
 *     low, high, max         | it is not enabled; else nearest | the nearest that it has;
 *                            | step of the model; absent: high | absent: high
 *   max_tokens, also         | reasoning counts; absent: 8192, | always sent; absent: the same.
 *     max_completion_tokens  | thinking 65,536, effort max     | Lowered to the limit
 *     >= 1                   | 131,072, or the context's end   |
 *   temperature 0..2         | 0: the likeliest, smaller id    | sent
 *   top_k >= 0 (0: off)      | what is left to sample from, in | if known; never in Responses
 *   top_p above 0, to 1      | this order, after temperature;  | sent
 *   min_p 0..1               | min_p: of the likeliest token   | if known; Chat Completions alone
 *     (absent: generation_config.json; else 1, 0, 1, 0; top_p  | (absent: the service's own)
 *     0.95 in thinking with tools)                             |
 *   seed, 64 bits            | the same text, at any number of | if known; Chat Completions alone
 *                            | threads; absent: random         |
 *   stop, a string or up     | ends before the first of them   | as many as known; never in
 *     to 16                  | in content, not elsewhere       | Responses
 *   logit_bias               | added before sampling           | if known; Chat Completions alone
 *     {"ID": -100..100}      |                                 |
 *   logprobs true,           | natural logarithms, before      | if known; never in Messages
 *     top_logprobs 0..20     | bias, penalties, temperature    |
 *   tools, functions         | offered in the prompt           | sent
 *     strict true            | error                           | if known: all or none, schema
 *                            |                                 | checked before
 *   tool_choice auto         | the model's choice              | the same
 *     none                   | the tools are not offered       | sent
 *     required, a function   | error                           | sent; by forced_tools
 *   parallel_tool_calls      | true: -; false: error           | true: -; false: if known
 *   response_format text     | -                               | -
 *     json_object            | an instruction, no guarantee    | if known; the word "json" is
 *                            |                                 | added where it is missing
 *     json_schema            | error                           | asked for as well as it can be;
 *                            |                                 | delivered once it fits
 *   drop_thinking, true      | false: earlier reasoning stays; | false: sent to vllm, sglang,
 *                            | so it does where there are tools| nvidia; else -
 *   trust_all, the option's  | special tokens in user text too | -
 *   progress true            | PROGRESS events during prefill  | -
 *   user, user_id            | notice                          | if known, else notice; 512 bytes
 *   safety_check             | notice                          | DeepSeek; else notice
 *   metadata, store, service_tier, safety_identifier,          | notice
 *     prompt_cache_key, prompt_cache_retention: notice         |
 *   model                    | stands in the answer            | - (the answer has the service's)
 *   stream, stream_options, n 1: -                             | -
 *   frequency_penalty,       | taken off a token's logit for   | if known; else notice
 *     presence_penalty -2..2 | each time, and once, that this  |
 *                            | answer has it; after logit_bias |
 *   extra_body, an object    | error                           | joined with what is sent
 *   n > 1, functions, function_call, context: error            | error
 */

/*
 * Starts an answer. In this process it goes on from any conversation that begins as its prompt
 * does, a running one, too. Any number of streams run at once. Nothing is computed or sent before
 * the first finback_stream_step(), which judges what a service can do. Free: finback_stream_free().
 * Errors: INVALID_REQUEST (names the JSON path), CONTEXT_FULL (the prompt does not fit; has the
 * numbers), BUDGET (has the bytes needed); the last two not at services. Since 0.1.
 */
FINBACK_API finback_stream *finback_engine_chat(finback_engine *self, const char *request_json);

/*
 * Continues raw text: {"prompt": "...", ...} with max_tokens, temperature, top_p, top_k, min_p,
 * seed, stop, logit_bias, penalties, logprobs (0..20), progress and user as above; the text
 * comes as CONTENT events, not parsed. Special tokens in the prompt are recognized unless
 * "recognize_special" is false. The prompt starts with begin-of-sentence; it is put there unless it
 * is there or "add_bos" is false. At a service, if it completes plain text: neither of the two can
 * be false, "echo": true repeats the prompt, and "suffix" asks for what stands between; these two
 * are errors in this process.
 * Sessions, memory and errors as for finback_engine_chat(). Since 0.1.
 */
FINBACK_API finback_stream *finback_engine_complete(finback_engine *self, const char *request_json);

/*
 * A conversation. Give it the whole conversation in every request. In this process the longest part
 * that it or others have computed is reused, also when the new rendering drops the reasoning of
 * earlier turns; usage reports it as cached. At a service it notes where a request stops repeating
 * the one before, which the service's cache goes by: a NOTICE.
 * Free with finback_session_free(). Errors: BUDGET (has the bytes needed). Since 0.1.
 */
FINBACK_API finback_session *finback_session_new(finback_engine *engine);

/*
 * Starts an answer in this session: in this process one at a time, until its stream is done, failed
 * or freed. Free with finback_stream_free(). Errors: INVALID_REQUEST, CONTEXT_FULL as above,
 * INVALID_ARGUMENT (the session is busy). Since 0.1.
 */
FINBACK_API finback_stream *finback_session_chat(finback_session *self, const char *request_json);

/* Frees a session; a running stream keeps what it needs. Since 0.1. */
FINBACK_API void finback_session_free(finback_session *self);

/* ---- Streams --------------------------------------------------------------------------------- */

/* What finback_stream_kind() returns. Unknown numbers are kinds of a later version: skip them. */
#define FINBACK_EVENT_NONE 0           /* no event yet, or the stream is over */
#define FINBACK_EVENT_REASONING 1      /* text: the next piece of reasoning */
#define FINBACK_EVENT_CONTENT 2        /* text: the next piece of the answer */
#define FINBACK_EVENT_TOOL_CALL 3      /* a call begins: tool_index, tool_id, tool_name */
#define FINBACK_EVENT_TOOL_ARGUMENTS 4 /* text: the next piece of the arguments, JSON text */
#define FINBACK_EVENT_TOOL_CALL_END 5  /* the call is complete; text: all its arguments */
#define FINBACK_EVENT_FINISH 6         /* the last event: finish_reason, usage, response */
#define FINBACK_EVENT_PROGRESS 7       /* prefill: progress_done of progress_total tokens */
#define FINBACK_EVENT_NOTICE 8         /* text: {"code", "message"}, what was changed or left out */

/*
 * Computes, or waits for the service, until the next event: the first call evaluates or sends the
 * prompt. FINBACK_OK: an event is ready, see finback_stream_kind(). FINBACK_DONE: the event before
 * was FINISH. After an error the stream is over, and every further step returns the same error.
 * Errors: CANCELLED; in this process CHECKPOINT (a tensor's contents are malformed: they are
 * checked on first use); at services INVALID_REQUEST, CONTEXT_FULL, AUTHENTICATION, QUOTA,
 * RATE_LIMIT, SERVICE, TIMEOUT, REFUSED and SCHEMA, of which finback_last_error_details() tells
 * more, and IO (the ledger or a record). Since 0.1.
 */
FINBACK_API finback_status finback_stream_step(finback_stream *self);

/* The present event's kind, FINBACK_EVENT_*. Since 0.1. */
FINBACK_API int32_t finback_stream_kind(const finback_stream *self);

/*
 * The present event's text; "" for kinds without one.
 * Borrowed: valid until the next step or free. Since 0.1.
 */
FINBACK_API const char *finback_stream_text(const finback_stream *self);

/* The size of that text in bytes: it may hold NUL characters. Since 0.1. */
FINBACK_API size_t finback_stream_text_size(const finback_stream *self);

/* Tool events: which call of the answer, from 0. Since 0.1. */
FINBACK_API int32_t finback_stream_tool_index(const finback_stream *self);

/*
 * Tool events: the call's id, unique, to be sent back as tool_call_id.
 * Borrowed: valid until the next step or free. Since 0.1.
 */
FINBACK_API const char *finback_stream_tool_id(const finback_stream *self);

/* Tool events: the function's name. Borrowed: valid until the next step or free. Since 0.1. */
FINBACK_API const char *finback_stream_tool_name(const finback_stream *self);

/*
 * FINISH: "stop" (the model ended, or a stop string), "length" (max_tokens, or the context is full)
 * or "tool_calls"; of services also "content_filter" (their moderation) and "other" (a reason of
 * their own). "" before.
 * Borrowed: valid until the stream is freed. Since 0.1.
 */
FINBACK_API const char *finback_stream_finish_reason(const finback_stream *self);

/*
 * The present event's tokens, when the request asked for logprobs: a JSON array of
 *   {"token": text, "id": .., "logprob": .., "bytes": [..], "top_logprobs": [{the same four}, ..]}
 * "[]" without. A token is reported with the event that its text begins in; the markup tokens
 * between reasoning, answer and calls belong to no event.
 * Borrowed: valid until the next step or free. Since 0.1.
 */
FINBACK_API const char *finback_stream_logprobs(const finback_stream *self);

/*
 * The answer so far as one chat.completion object; complete after FINISH, before that finish_reason
 * is null. {"id", "object": "chat.completion", "created", "model", "choices": [{"index": 0,
 * "finish_reason", "logprobs", "message": {"role", "content", "reasoning_content", "tool_calls"}}],
 * "usage": {"prompt_tokens", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens",
 * "prompt_tokens_details": {"cached_tokens"; "disk_tokens", of them from the disk, if any},
 * "completion_tokens", "completion_tokens_details": {"reasoning_tokens"; of drafts, if any,
 * "accepted_" and "rejected_prediction_tokens"}, "total_tokens"}}. A completion gives a
 * text_completion. A service's answer has the service's id, model and system_fingerprint, the
 * message a gateway's "reasoning_details", to be sent back as they are, and besides "service":
 * {"provider", "attempts", "cost_picodollars" (null: not known), "cost_source": "table"|"reported"|
 * "estimated"|"unknown", "tariff"}. Borrowed until the next call of this, step or free. Since 0.1.
 */
FINBACK_API const char *finback_stream_response(const finback_stream *self);

/*
 * The answer so far as one message, {"role": "assistant", "content", "reasoning_content",
 * "tool_calls", ..}: what the next request's messages need, as it is, before the results of its
 * calls. Complete after FINISH. Borrowed until the next call of this, step or free. Since 0.1.
 */
FINBACK_API const char *finback_stream_message(const finback_stream *self);

/*
 * The present event as a chat.completion.chunk, as the streams of OpenAI and DeepSeek have them:
 * {"id", "object", "created", "model", "choices": [{"index": 0, "delta", "logprobs",
 * "finish_reason"}], "usage"}. id, created and model stay the same; the first delta has the role;
 * finish_reason and usage are null before FINISH. By kinds of events the delta has
 *   REASONING      {"reasoning_content"}; logprobs if the request asked for them
 *   CONTENT        {"content"}; logprobs if the request asked for them
 *   TOOL_CALL      {"tool_calls": [{"index", "id", "type", "function": {"name", "arguments": ""}}]}
 *   TOOL_ARGUMENTS {"tool_calls": [{"index", "function": {"arguments"}}]}
 *   TOOL_CALL_END  the same with the end of the arguments, if it has not come before
 *   FINISH         {} or a gateway's "reasoning_details"; and "service" beside usage
 * "" for other events, for a TOOL_CALL_END that adds nothing, and without an event. Put together,
 * chunks are finback_stream_response(), but for arguments repaired otherwise than at their end.
 * Streams of finback_engine_complete() give text_completion objects, "text" in place of "delta".
 * Borrowed: valid until the next call of this function, step or free. Since 0.1.
 */
FINBACK_API const char *finback_stream_chunk(const finback_stream *self);

/*
 * Token counts. Set struct_size to sizeof(finback_usage) before the call; a later version may
 * append fields, and fills only as many bytes as struct_size says. Since 0.1.
 */
typedef struct finback_usage {
  uint32_t struct_size;      /* in: sizeof(finback_usage) */
  uint32_t reserved;         /* 0 */
  int64_t prompt_tokens;     /* tokens of the prompt */
  int64_t cached_tokens;     /* of them, taken from the session or the service's cache */
  int64_t completion_tokens; /* tokens sampled, the end marker included, or as a service says */
  int64_t reasoning_tokens;  /* of them, spent on reasoning, `</think>` included */
  int64_t disk_tokens;       /* of cached_tokens, read from cache_folder */
  int64_t proposed_tokens;   /* drafts that were evaluated, see the option draft */
  int64_t accepted_tokens;   /* of them, what was sampled */
} finback_usage;

/*
 * Fills `usage` as of now; final after FINISH. An estimate until a service has told.
 * Errors: INVALID_ARGUMENT (struct_size is too small to be any version's). Since 0.1.
 */
FINBACK_API finback_status finback_stream_usage(const finback_stream *self, finback_usage *usage);

/* PROGRESS: prompt tokens evaluated, cached ones included. Since 0.1. */
FINBACK_API int64_t finback_stream_progress_done(const finback_stream *self);

/* PROGRESS: tokens of the prompt. Since 0.1. */
FINBACK_API int64_t finback_stream_progress_total(const finback_stream *self);

/*
 * Stops the stream: the running step, or else the next one, returns CANCELLED, within the time of
 * one token; at a service at once. What was computed stays in the session.
 * Threads: any, at any time before the free. NULL is fine. Since 0.1.
 */
FINBACK_API void finback_stream_cancel(finback_stream *self);

/* Frees a stream; its session is then free for the next one. Since 0.1. */
FINBACK_API void finback_stream_free(finback_stream *self);

/* ---- Sequences ------------------------------------------------------------------------------- */

/*
 * An empty sequence of the engine's context_tokens; it takes memory as it grows. Needs no
 * tokenizer.json.
 * Free with finback_sequence_free(). Errors: BUDGET (has the bytes needed), UNSUPPORTED (at a
 * service). Since 0.1.
 */
FINBACK_API finback_sequence *finback_sequence_new(finback_engine *engine);

/*
 * Evaluates `count` ids after those already there. `logits_rows` says what is written to `logits`,
 * float32, row by row of finback_sequence_vocab() numbers: 0 nothing (logits may be NULL), 1 the
 * last id's row, `count` every id's row. Results do not depend on how ids are split over calls, on
 * chunk_tokens or on threads. If it fails, the sequence holds what finback_sequence_position()
 * says.
 * Errors: INVALID_ARGUMENT (an id out of range, or such a logits_rows), CONTEXT_FULL and BUDGET
 * (both before any id is evaluated), CANCELLED. Since 0.1.
 */
FINBACK_API finback_status finback_sequence_evaluate(finback_sequence *self, const int32_t *ids,
                                                     size_t count, float *logits,
                                                     size_t logits_rows);

/* Ids evaluated so far; -1 for NULL. Since 0.1. */
FINBACK_API int64_t finback_sequence_position(const finback_sequence *self);

/* Ids that the sequence can hold; -1 for NULL. Since 0.1. */
FINBACK_API int64_t finback_sequence_context_tokens(const finback_sequence *self);

/* Numbers in a row of logits; 0 for NULL. Since 0.1. */
FINBACK_API size_t finback_sequence_vocab(const finback_sequence *self);

/*
 * Forgets the last `tokens` ids, as if they had never been evaluated. May compute some again.
 * Errors: INVALID_ARGUMENT (negative, or more than the position). Since 0.1.
 */
FINBACK_API finback_status finback_sequence_roll_back(finback_sequence *self, int64_t tokens);

/*
 * An independent copy.
 * Free with finback_sequence_free(). Errors: BUDGET (has the bytes needed). Since 0.1.
 */
FINBACK_API finback_sequence *finback_sequence_fork(const finback_sequence *self);

/*
 * The whole state as bytes: a versioned format, the same on every machine, tied to the model's
 * sizes and the precision. A process that restores it goes on with the same bits.
 * Free with finback_bytes_free(). Since 0.1.
 */
FINBACK_API finback_bytes *finback_sequence_snapshot(const finback_sequence *self);

/*
 * Replaces the state by a snapshot's. On failure the sequence is unchanged.
 * Errors: INVALID_ARGUMENT (not a snapshot, damaged, or of another model), CONTEXT_FULL, BUDGET.
 * Since 0.1.
 */
FINBACK_API finback_status finback_sequence_restore(finback_sequence *self, const void *data,
                                                    size_t size);

/*
 * Stops a running finback_sequence_evaluate(), or else the next one, with CANCELLED.
 * Threads: any, at any time before the free. NULL is fine. Since 0.1.
 */
FINBACK_API void finback_sequence_cancel(finback_sequence *self);

/* Frees a sequence. Since 0.1. */
FINBACK_API void finback_sequence_free(finback_sequence *self);

/* The bytes. Borrowed: valid until they are freed; NULL for NULL. Since 0.1. */
FINBACK_API const void *finback_bytes_data(const finback_bytes *self);

/* How many; 0 for NULL. Since 0.1. */
FINBACK_API size_t finback_bytes_size(const finback_bytes *self);

/* Frees bytes. Since 0.1. */
FINBACK_API void finback_bytes_free(finback_bytes *self);

#ifdef __cplusplus
}
#endif
#endif
