/* behaviour FOLDER: what finback.h promises, through the header alone, in C99. */
#include <finback/finback.h>
#include <stdlib.h>

#include "check.h"

#define HELLO "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]"
#define NO_THINKING ", \"thinking\": {\"type\": \"disabled\"}"

static finback_engine *open_model(const char *folder, const char *name, const char *option,
                                  const char *value) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  finback_options *options = finback_options_new();
  CHECK(finback_options_set(options, "model", path) == FINBACK_OK);
  CHECK(finback_options_set(options, "threads", "1") == FINBACK_OK);
  CHECK(finback_options_set(options, "context_tokens", "256") == FINBACK_OK);
  if (option != NULL) CHECK(finback_options_set(options, option, value) == FINBACK_OK);
  finback_engine *engine = finback_engine_open(options);
  finback_options_free(options);
  return engine;
}

/* All text of one kind, in `text`; returns the status that ended the stream. */
static finback_status collect(finback_stream *stream, int32_t kind, char *text, size_t size) {
  finback_status status;
  text[0] = '\0';
  while ((status = finback_stream_step(stream)) == FINBACK_OK) {
    if (finback_stream_kind(stream) != kind) continue;
    CHECK(strlen(finback_stream_text(stream)) == finback_stream_text_size(stream));
    if (strlen(text) + finback_stream_text_size(stream) + 1 < size) {
      strcat(text, finback_stream_text(stream));
    }
  }
  return status;
}

static void test_library(void) {
  CHECK_TEXT(finback_version(), "0.1.0");
  CHECK(strstr(finback_build_info(), "\"isas_compiled\": [\"") != NULL);
  CHECK(strstr(finback_build_info(), "\"scalar\"") != NULL);
  CHECK_TEXT(finback_status_name(FINBACK_OK), "ok");
  CHECK_TEXT(finback_status_name(FINBACK_ERROR_CONTEXT_FULL), "context_full");
  CHECK_TEXT(finback_status_name(-1000), "unknown");
}

static void test_options(void) {
  finback_options *options = finback_options_new();
  CHECK(options != NULL);
  CHECK_TEXT(finback_options_get(options, "threads"), "0");
  CHECK(finback_options_set(options, "threads", "8") == FINBACK_OK);
  CHECK_TEXT(finback_options_get(options, "threads"), "8");
  CHECK(finback_options_set(options, "threads", "-1") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_last_error(), "option threads: must be an integer from 0 to 1024, got \"-1\"");
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_options_get(options, "threads"), "8");
  CHECK_TEXT(finback_last_error(), "");
  CHECK(finback_options_set(options, "threads", "8x") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set(options, "threads", "") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set(options, "precision", "fp64") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set(options, "precision", ", ") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set(options, "precision", "") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set(options, "precision", "bf16") == FINBACK_OK);
  CHECK(finback_options_set(options, "trust_all", "yes") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set(options, "warp", "9") == FINBACK_ERROR_NOT_FOUND);
  CHECK_TEXT(finback_last_error(), "no option named \"warp\"");
  CHECK(finback_options_get(options, "warp") == NULL);
  CHECK(finback_options_set(options, "environment_proxy", "false") == FINBACK_OK);
  CHECK_TEXT(finback_options_get(options, "environment_proxy"), "0");
  CHECK(finback_options_set(options, "environment_proxy", "no") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_options_get(options, "environment_proxy"), "0");
  finback_options_free(options);
  size_t i;
  for (i = 0; i < finback_options_count(); ++i) {
    const char *description = finback_options_describe(i);
    CHECK(description != NULL && strncmp(description, "{\"name\": \"", 10) == 0);
    CHECK(strstr(description, "\"doc\": \"") != NULL);
  }
  CHECK(finback_options_describe(i) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
}

/* A handle that is NULL since its call failed: that failure is what the program is told. */
static void test_null_keeps_the_failure_before(void) {
  finback_options *options = finback_options_new();
  finback_options_set(options, "model", "/nowhere/at/all");
  finback_engine *engine = finback_engine_open(options);
  CHECK(engine == NULL);
  const finback_status failure = finback_last_error_code();
  CHECK(failure < 0 && failure != FINBACK_ERROR_INVALID_ARGUMENT);
  char words[1024];
  snprintf(words, sizeof words, "%s", finback_last_error());
  CHECK(strstr(words, "/nowhere/at/all") != NULL);
  finback_stream *stream = finback_engine_chat(engine, "{\"messages\": 1}");
  CHECK(stream == NULL && finback_last_error_code() == failure);
  CHECK(finback_stream_step(stream) == failure);
  CHECK_TEXT(finback_last_error(), words);
  CHECK_TEXT(finback_stream_text(stream), "");
  CHECK(finback_sequence_position(NULL) == -1 && finback_last_error_code() == failure);
  finback_session *session = finback_session_new(engine);
  CHECK(session == NULL && finback_session_chat(session, NULL) == NULL);
  CHECK(finback_engine_tokenize(engine, NULL, 1, 0) == NULL);
  finback_stream_free(stream);
  finback_engine_free(engine);
  CHECK(finback_last_error_code() == failure);
  CHECK_TEXT(finback_last_error(), words);
  /* A call that succeeds, and one whose own argument is wrong, end that. */
  CHECK(finback_options_set(options, "threads", NULL) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_last_error(), "value is NULL");
  CHECK(finback_options_set(options, "threads", "1") == FINBACK_OK);
  CHECK_TEXT(finback_last_error(), "");
  CHECK_TEXT(finback_last_error_details(), "{}");
  CHECK(finback_stream_step(NULL) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_last_error(), "self is NULL");
  finback_options_free(options);
}

static void test_null(void) {
  int32_t id = 0;
  float logit = 0;
  finback_usage usage;
  CHECK(finback_options_count() > 0);
  CHECK(finback_options_set(NULL, "model", "x") == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_last_error(), "self is NULL");
  CHECK(finback_options_get(NULL, "model") == NULL);
  CHECK(finback_options_set_progress(NULL, NULL, NULL) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set_log(NULL, NULL, NULL) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_engine_open(NULL) == NULL);
  CHECK_TEXT(finback_engine_info(NULL), "{}");
  CHECK(finback_engine_verify(NULL, NULL) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_engine_tokenize(NULL, "a", 1, 0) == NULL);
  CHECK(finback_engine_detokenize(NULL, &id, 1) == NULL);
  CHECK(finback_engine_encode(NULL, "{}") == NULL);
  CHECK(finback_engine_encode_tokens(NULL, "{}") == NULL);
  CHECK(finback_benchmark(NULL, "{}") == NULL);
  CHECK(finback_cache(NULL, "{}") == NULL);
  CHECK(finback_encode_messages(NULL) == NULL);
  CHECK(finback_parse_completion(NULL, 1, 0, 0) == NULL);
  CHECK(finback_json_string(NULL, 1) == NULL);
  CHECK(finback_tokens_count(NULL) == 0 && finback_tokens_data(NULL) == NULL);
  CHECK(finback_text_size(NULL) == 0);
  CHECK_TEXT(finback_text_data(NULL), "");
  CHECK(finback_bytes_size(NULL) == 0 && finback_bytes_data(NULL) == NULL);
  CHECK(finback_engine_chat(NULL, "{}") == NULL && finback_engine_complete(NULL, "{}") == NULL);
  CHECK(finback_session_new(NULL) == NULL && finback_session_chat(NULL, "{}") == NULL);
  CHECK(finback_stream_step(NULL) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_stream_kind(NULL) == FINBACK_EVENT_NONE);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_stream_text(NULL), "");
  CHECK(finback_stream_text_size(NULL) == 0 && finback_stream_tool_index(NULL) == 0);
  CHECK_TEXT(finback_stream_tool_id(NULL), "");
  CHECK_TEXT(finback_stream_tool_name(NULL), "");
  CHECK_TEXT(finback_stream_finish_reason(NULL), "");
  CHECK_TEXT(finback_stream_logprobs(NULL), "[]");
  CHECK_TEXT(finback_stream_response(NULL), "{}");
  CHECK_TEXT(finback_stream_message(NULL), "{}");
  CHECK_TEXT(finback_stream_chunk(NULL), "");
  CHECK(finback_stream_usage(NULL, &usage) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_stream_progress_done(NULL) == 0 && finback_stream_progress_total(NULL) == 0);
  CHECK(finback_sequence_new(NULL) == NULL && finback_sequence_fork(NULL) == NULL);
  CHECK(finback_sequence_evaluate(NULL, &id, 1, &logit, 1) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_sequence_position(NULL) == -1 && finback_sequence_context_tokens(NULL) == -1);
  CHECK(finback_sequence_vocab(NULL) == 0 && finback_sequence_snapshot(NULL) == NULL);
  CHECK(finback_sequence_roll_back(NULL, 1) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_sequence_restore(NULL, "x", 1) == FINBACK_ERROR_INVALID_ARGUMENT);
  finback_options_free(NULL);
  finback_engine_free(NULL);
  finback_session_free(NULL);
  finback_stream_cancel(NULL);
  finback_stream_free(NULL);
  finback_sequence_cancel(NULL);
  finback_sequence_free(NULL);
  finback_tokens_free(NULL);
  finback_text_free(NULL);
  finback_bytes_free(NULL);
}

static void test_open_failures(const char *folder) {
  CHECK(open_model(folder, "absent", NULL, NULL) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_NOT_FOUND);
  finback_options *options = finback_options_new();
  CHECK(finback_engine_open(options) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_options_set(options, "model", "deepseek:deepseek-chat") == FINBACK_OK);
  CHECK(finback_engine_open(options) == NULL);
  CHECK(finback_last_error_code() ==
        FINBACK_ERROR_INVALID_ARGUMENT); /* retired: says what to use */
  CHECK(strstr(finback_last_error(), "deepseek:deepseek-chat") != NULL);
  CHECK(strstr(finback_last_error(), "deepseek-flash") != NULL);
  CHECK(finback_options_set(options, "model", "nobody:any-model") == FINBACK_OK);
  CHECK(finback_engine_open(options) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(strstr(finback_last_error(), "openrouter") != NULL);
  CHECK(strcmp(finback_last_error_details(), "{}") == 0);
  finback_options_free(options);
  CHECK(open_model(folder, "scripted", "context_tokens", "1000000") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  /* An error message never ends inside a character. */
  char name[2048];
  size_t i;
  for (i = 0; i + 3 < sizeof name; i += 2) memcpy(name + i, "\xc3\xa9", 2);
  name[i] = '\0';
  CHECK(open_model(folder, name, NULL, NULL) == NULL);
  const char *message = finback_last_error();
  CHECK(strlen(message) < 1024);
  for (i = 0; message[i] != '\0'; ++i) {
    if (message[i] == '\xc3') CHECK(message[i + 1] == '\xa9');
  }
}

static void test_answer(finback_engine *engine) {
  char text[256];
  finback_stream *stream = finback_engine_chat(engine, HELLO "}");
  CHECK(stream != NULL);
  CHECK(finback_stream_kind(stream) == FINBACK_EVENT_NONE);
  CHECK_TEXT(finback_stream_finish_reason(stream), "");
  CHECK(strstr(finback_stream_response(stream), "\"finish_reason\": null") != NULL);
  CHECK(finback_stream_step(stream) == FINBACK_OK);
  CHECK(finback_stream_kind(stream) == FINBACK_EVENT_REASONING);
  CHECK_TEXT(finback_stream_text(stream), "Let me");
  CHECK(collect(stream, FINBACK_EVENT_CONTENT, text, sizeof text) == FINBACK_DONE);
  CHECK_TEXT(text, "Hello world!");
  CHECK(finback_stream_kind(stream) == FINBACK_EVENT_NONE);
  CHECK(finback_stream_step(stream) == FINBACK_DONE);
  CHECK_TEXT(finback_stream_finish_reason(stream), "stop");
  finback_usage usage;
  usage.struct_size = sizeof usage;
  CHECK(finback_stream_usage(stream, &usage) == FINBACK_OK);
  CHECK(usage.prompt_tokens == 6 && usage.completion_tokens == 7 && usage.reasoning_tokens == 3);
  usage.struct_size = 8;
  CHECK(finback_stream_usage(stream, &usage) == FINBACK_ERROR_INVALID_ARGUMENT);
  const char *response = finback_stream_response(stream);
  CHECK(strstr(response, "\"object\": \"chat.completion\"") != NULL);
  CHECK(strstr(response, "\"model\": \"scripted\"") != NULL);
  CHECK(strstr(response, "\"content\": \"Hello world!\"") != NULL);
  CHECK(strstr(response, "\"reasoning_content\": \"Let me think.\"") != NULL);
  CHECK(strstr(response, "\"finish_reason\": \"stop\"") != NULL);
  CHECK(strstr(response, "\"total_tokens\": 13") != NULL);
  CHECK(strstr(response, finback_stream_message(stream)) != NULL);
  CHECK_TEXT(finback_stream_message(stream),
             "{\"role\": \"assistant\", \"content\": \"Hello world!\", "
             "\"reasoning_content\": \"Let me think.\"}");
  finback_stream_free(stream);
}

static void test_chunks(finback_engine *engine) {
  finback_stream *stream =
      finback_engine_chat(engine, HELLO ", \"model\": \"mine\", \"progress\": true}");
  CHECK(stream != NULL);
  CHECK_TEXT(finback_stream_chunk(stream), "");
  CHECK(finback_last_error_code() == FINBACK_OK);
  int32_t chunks = 0, roles = 0, finishes = 0;
  while (finback_stream_step(stream) == FINBACK_OK) {
    const char *chunk = finback_stream_chunk(stream);
    CHECK(finback_last_error_code() == FINBACK_OK);
    if (finback_stream_kind(stream) == FINBACK_EVENT_PROGRESS) {
      CHECK_TEXT(chunk, "");
      continue;
    }
    ++chunks;
    CHECK(strncmp(chunk, "{\"id\": \"chatcmpl-", 17) == 0);
    CHECK(strstr(chunk, "\"object\": \"chat.completion.chunk\"") != NULL);
    CHECK(strstr(chunk, "\"model\": \"mine\"") != NULL);
    if (strstr(chunk, "\"role\": \"assistant\"") != NULL) ++roles;
    if (chunks == 1) {
      CHECK(strstr(chunk,
                   "\"delta\": {\"role\": \"assistant\", "
                   "\"reasoning_content\": \"Let me\"}, \"finish_reason\": null") != NULL);
    }
    if (finback_stream_kind(stream) == FINBACK_EVENT_FINISH) {
      ++finishes;
      CHECK(strstr(chunk, "\"delta\": {}, \"finish_reason\": \"stop\"") != NULL);
      CHECK(strstr(chunk, "\"total_tokens\": 13") != NULL);
    } else {
      CHECK(strstr(chunk, "\"usage\": null}") != NULL);
    }
  }
  CHECK(chunks > 2 && roles == 1 && finishes == 1);
  CHECK_TEXT(finback_stream_chunk(stream), "");
  finback_stream_free(stream);
  stream = finback_engine_complete(engine, "{\"prompt\": \"hi\", \"max_tokens\": 1}");
  while (finback_stream_step(stream) == FINBACK_OK) {
    const char *chunk = finback_stream_chunk(stream);
    CHECK(strncmp(chunk, "{\"id\": \"cmpl-", 13) == 0);
    CHECK(strstr(chunk, "\"object\": \"text_completion\"") != NULL);
    CHECK(strstr(chunk, "\"choices\": [{\"index\": 0, \"text\": \"") != NULL);
  }
  finback_stream_free(stream);
}

static void test_request_errors(finback_engine *engine) {
  CHECK(finback_engine_chat(engine, NULL) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_engine_chat(engine, "{") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_REQUEST);
  CHECK(finback_engine_chat(engine,
                            "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, "
                            "{\"role\": \"robot\", \"content\": \"b\"}]}") == NULL);
  CHECK_TEXT(finback_last_error(), "messages[1].role: unknown role \"robot\"");
  CHECK(finback_engine_chat(engine, HELLO ", \"logit_bias\": {\"999999\": 1}}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_REQUEST);
  CHECK(strncmp(finback_last_error(), "logit_bias.999999: ", 19) == 0);
  CHECK(finback_engine_complete(engine, "{\"prompt\": 5}") == NULL);
  CHECK_TEXT(finback_last_error(), "prompt: expected a string, found a number");
}

static void test_text(finback_engine *engine) {
  finback_tokens *tokens = finback_engine_tokenize(engine, "a<think>", 8, 1);
  CHECK(finback_tokens_count(tokens) == 2);
  CHECK(finback_tokens_data(tokens)[0] == 'a');
  finback_text *text =
      finback_engine_detokenize(engine, finback_tokens_data(tokens), finback_tokens_count(tokens));
  CHECK_TEXT(finback_text_data(text), "a<think>");
  CHECK(finback_text_size(text) == 8);
  finback_text_free(text);
  finback_tokens_free(tokens);
  tokens = finback_engine_tokenize(engine, "a<think>", 8, 0);
  CHECK(finback_tokens_count(tokens) == 8);
  finback_tokens_free(tokens);
  CHECK(finback_engine_tokenize(engine, "ab\xff", 3, 0) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(strstr(finback_last_error(), "byte 2") != NULL);
  int32_t bad = 1000000;
  CHECK(finback_engine_detokenize(engine, &bad, 1) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  text = finback_engine_encode(engine, HELLO NO_THINKING "}");
  CHECK(strstr(finback_text_data(text), "hi") != NULL);
  CHECK(strstr(finback_text_data(text), "</think>") != NULL);
  finback_text_free(text);
  text = finback_encode_messages("{\"check_service\": true, \"messages\": [], \"n\": 1}");
  CHECK_TEXT(finback_text_data(text),
             "[{\"path\": \"messages\", \"message\": \"there are none\", "
             "\"fix\": \"give a list with at least one message\"}]");
  finback_text_free(text);
  CHECK(finback_encode_messages("{\"check_service\": 1, \"messages\": []}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_REQUEST);
  text = finback_encode_messages("[{\"role\": \"user\", \"content\": \"hi\"}]");
  CHECK(text != NULL && strstr(finback_text_data(text), "<think>") != NULL);
  finback_text_free(text);
  text = finback_parse_completion("because</think>so", 17, 1, 0);
  CHECK_TEXT(finback_text_data(text),
             "{\"role\": \"assistant\", \"content\": \"so\", \"reasoning_content\": "
             "\"because\", \"tool_calls\": []}");
  finback_text_free(text);
  text = finback_parse_completion("because\n</thinking>\n\nso", 23, 1, 0);
  CHECK(strstr(finback_text_data(text), "\"content\": \"so\"") != NULL);
  finback_text_free(text);
  CHECK(finback_parse_completion("because</think>so", 17, 1, 1) == NULL); /* no end marker */
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
}

static int32_t stop_at_cache(const char *phase, uint64_t done, uint64_t total, void *seen) {
  CHECK(done <= total);
  *(int *)seen += strcmp(phase, "cache") == 0;
  return *(int *)seen;
}

static void test_cache(const char *folder) {
  char path[4096];
  int seen = 0;
  finback_options *options = finback_options_new();
  CHECK(finback_cache(options, "{}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  snprintf(path, sizeof path, "%s/cache", folder);
  CHECK(finback_options_set(options, "cache_folder", path) == FINBACK_OK);
  finback_text_free(finback_cache(options, "{\"clear\": true}")); /* of an earlier run */
  snprintf(path, sizeof path, "%s/scripted", folder);
  CHECK(finback_options_set(options, "model", path) == FINBACK_OK);
  CHECK(finback_options_set(options, "threads", "1") == FINBACK_OK);
  finback_engine *engine = finback_engine_open(options);
  finback_stream *stream =
      finback_engine_complete(engine, "{\"prompt\": \"abc\", \"max_tokens\": 4}");
  while (finback_stream_step(stream) == FINBACK_OK) continue;
  finback_stream_free(stream);
  finback_engine_free(engine);
  finback_text *text = finback_cache(options, "{\"verify\": true}");
  CHECK(strstr(finback_text_data(text), "\"points\": 2") != NULL); /* prompt and end */
  CHECK(strstr(finback_text_data(text), "\"removed\": 0") != NULL);
  finback_text_free(text);
  CHECK(finback_cache(options, "{\"check\": true}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_REQUEST);
  CHECK(finback_cache(options, "{\"clear\": \"v1-none\"}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_NOT_FOUND);
  CHECK(finback_options_set_progress(options, stop_at_cache, &seen) == FINBACK_OK);
  CHECK(finback_cache(options, "{\"verify\": true}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_CANCELLED && seen == 1);
  text = finback_cache(options, "{\"clear\": true}");
  CHECK(strstr(finback_text_data(text), "\"files\": 3") != NULL); /* and the note */
  finback_text_free(text);
  text = finback_cache(options, "{}");
  CHECK(strstr(finback_text_data(text), "\"models\": []") != NULL);
  finback_text_free(text);
  finback_options_free(options);
}

static int32_t stop_at_benchmark(const char *phase, uint64_t done, uint64_t total, void *seen) {
  CHECK(done <= total);
  *(int *)seen = strcmp(phase, "benchmark") == 0;
  return *(int *)seen;
}

static void test_benchmark(void) {
  int seen = 0;
  finback_options *options = finback_options_new();
  finback_text *text = finback_benchmark(options, "{\"shape\": \"tiny\", \"measure\": false}");
  CHECK(strstr(finback_text_data(text), "\"token\": {\"layers\": 6") != NULL);
  finback_text_free(text);
  CHECK(finback_benchmark(options, NULL) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_benchmark(options, "{\"repeats\": 0}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_REQUEST);
  CHECK(strncmp(finback_last_error(), "repeats: ", 9) == 0);
  CHECK(finback_options_set_progress(options, stop_at_benchmark, &seen) == FINBACK_OK);
  CHECK(finback_benchmark(options, "{\"shape\": \"tiny\", \"tokens\": 1}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_CANCELLED && seen);
  CHECK(finback_options_set(options, "model", "deepseek:deepseek-v4-pro") == FINBACK_OK);
  CHECK(finback_benchmark(options, "{}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_UNSUPPORTED);
  finback_options_free(options);
}

static void test_json_string(finback_engine *engine) {
  const char any[] = "\"quoted\" \\ line\nend\t\x01\0 \xe2\x82\xac";
  finback_text *text = finback_json_string(any, sizeof any - 1);
  CHECK_TEXT(finback_text_data(text),
             "\"\\\"quoted\\\" \\\\ line\\nend\\t\\u0001\\u0000 \xe2\x82\xac\"");
  char request[256];
  snprintf(request, sizeof request, "{\"messages\": [{\"role\": \"user\", \"content\": %s}]}",
           finback_text_data(text));
  finback_text *prompt = finback_engine_encode(engine, request);
  CHECK(strstr(finback_text_data(prompt), "\"quoted\" \\ line\nend") != NULL);
  finback_text_free(prompt);
  finback_text_free(text);
  text = finback_json_string(NULL, 0);
  CHECK_TEXT(finback_text_data(text), "\"\"");
  finback_text_free(text);
  CHECK(finback_json_string("caf\xe9", 4) == NULL); /* Latin-1 */
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK_TEXT(finback_last_error(), "text: invalid UTF-8 at byte 3");
  CHECK(finback_json_string("\xe2\x82", 2) == NULL);     /* cut inside a character */
  CHECK(finback_json_string("\xed\xa0\x80", 3) == NULL); /* a surrogate */
}

static void test_any_order_of_frees(const char *folder) {
  char text[256];
  finback_engine *engine = open_model(folder, "scripted", NULL, NULL);
  finback_session *session = finback_session_new(engine);
  finback_sequence *sequence = finback_sequence_new(engine);
  finback_stream *stream = finback_session_chat(session, HELLO "}");
  finback_stream *other = finback_engine_chat(engine, HELLO "}");
  CHECK(finback_session_chat(session, HELLO "}") == NULL); /* busy */
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_ARGUMENT);
  finback_engine_free(engine);
  finback_session_free(session);
  CHECK(collect(stream, FINBACK_EVENT_CONTENT, text, sizeof text) == FINBACK_DONE);
  CHECK_TEXT(text, "Hello world!");
  finback_stream_free(stream);
  CHECK(collect(other, FINBACK_EVENT_CONTENT, text, sizeof text) == FINBACK_DONE);
  CHECK_TEXT(text, "Hello world!");
  finback_stream_free(other);
  int32_t id = 1;
  CHECK(finback_sequence_evaluate(sequence, &id, 1, NULL, 0) == FINBACK_OK);
  finback_sequence_free(sequence);
}

static void test_cancel(finback_engine *engine) {
  finback_stream *stream = finback_engine_chat(engine, HELLO "}");
  CHECK(finback_stream_step(stream) == FINBACK_OK);
  finback_stream_cancel(stream);
  finback_status status;
  while ((status = finback_stream_step(stream)) == FINBACK_OK) {
  }
  CHECK(status == FINBACK_ERROR_CANCELLED);
  CHECK(finback_stream_step(stream) == FINBACK_ERROR_CANCELLED);
  CHECK(strstr(finback_stream_response(stream), "\"finish_reason\": null") != NULL);
  finback_stream_free(stream);
}

static void test_sequence(const char *folder) {
  enum { kCount = 40 };
  finback_engine *engine = open_model(folder, "random", "chunk_tokens", "16");
  finback_sequence *sequence = finback_sequence_new(engine);
  const size_t vocab = finback_sequence_vocab(sequence);
  float *all = malloc(kCount * vocab * sizeof(float)), *one = malloc(vocab * sizeof(float));
  int32_t ids[kCount];
  int i;
  for (i = 0; i < kCount; ++i) ids[i] = (i * 37 + 5) % 256;
  CHECK(finback_sequence_context_tokens(sequence) == 256);
  CHECK(finback_sequence_evaluate(sequence, ids, kCount, all, kCount) == FINBACK_OK);
  CHECK(finback_sequence_position(sequence) == kCount);
  CHECK(finback_sequence_roll_back(sequence, kCount + 1) == FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_sequence_roll_back(sequence, 10) == FINBACK_OK);
  finback_bytes *bytes = finback_sequence_snapshot(sequence);
  CHECK(finback_bytes_size(bytes) > 0);
  finback_sequence *fork = finback_sequence_fork(sequence);
  CHECK(finback_sequence_evaluate(fork, ids + 30, 10, one, 1) == FINBACK_OK);
  CHECK(memcmp(one, all + (kCount - 1) * vocab, vocab * sizeof(float)) == 0);
  finback_sequence_free(fork);
  finback_sequence *restored = finback_sequence_new(engine);
  CHECK(finback_sequence_restore(restored, finback_bytes_data(bytes), finback_bytes_size(bytes)) ==
        FINBACK_OK);
  CHECK(finback_sequence_position(restored) == 30);
  for (i = 30; i < kCount; ++i) {
    CHECK(finback_sequence_evaluate(restored, ids + i, 1, one, 1) == FINBACK_OK);
    CHECK(memcmp(one, all + (size_t)i * vocab, vocab * sizeof(float)) == 0);
  }
  CHECK(finback_sequence_restore(restored, finback_bytes_data(bytes), 20) ==
        FINBACK_ERROR_INVALID_ARGUMENT);
  CHECK(finback_sequence_position(restored) == kCount);
  ids[0] = (int32_t)vocab;
  CHECK(finback_sequence_evaluate(restored, ids, 1, NULL, 0) == FINBACK_ERROR_INVALID_ARGUMENT);
  ids[0] = 0;
  CHECK(finback_sequence_evaluate(restored, ids, 3, all, 2) == FINBACK_ERROR_INVALID_ARGUMENT);
  while (finback_sequence_evaluate(restored, ids, kCount, NULL, 0) == FINBACK_OK) {
  }
  CHECK(finback_last_error_code() == FINBACK_ERROR_CONTEXT_FULL);
  finback_bytes_free(bytes);
  finback_sequence_free(restored);
  finback_sequence_free(sequence);
  finback_engine_free(engine);
  free(all);
  free(one);
}

static int32_t count_progress(const char *phase, uint64_t done, uint64_t total, void *user_data) {
  if (strcmp(phase, "prefill") == 0 && done <= total) ++*(int *)user_data;
  return 0;
}

static int32_t refuse(const char *phase, uint64_t done, uint64_t total, void *user_data) {
  (void)phase, (void)done, (void)total, (void)user_data;
  return 1;
}

static void count_log(int32_t level, const char *message, void *user_data) {
  if (level == FINBACK_LOG_INFORMATION && strstr(message, "tensors") != NULL) ++*(int *)user_data;
}

static void test_callbacks(const char *folder) {
  char path[4096], text[256];
  int calls = 0, lines = 0;
  snprintf(path, sizeof path, "%s/scripted", folder);
  finback_options *options = finback_options_new();
  finback_options_set(options, "model", path);
  finback_options_set(options, "chunk_tokens", "2");
  CHECK(finback_options_set_progress(options, refuse, NULL) == FINBACK_OK);
  CHECK(finback_engine_open(options) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_CANCELLED);
  CHECK(finback_options_set_progress(options, count_progress, &calls) == FINBACK_OK);
  CHECK(finback_options_set_log(options, count_log, &lines) == FINBACK_OK);
  finback_engine *engine = finback_engine_open(options);
  CHECK(lines == 1);
  finback_stream *stream = finback_engine_chat(engine, HELLO "}");
  CHECK(collect(stream, FINBACK_EVENT_CONTENT, text, sizeof text) == FINBACK_DONE);
  CHECK(calls >= 3);
  finback_stream_free(stream);
  finback_engine_free(engine);
  finback_options_free(options);
}

static void test_info_and_verify(const char *folder, finback_engine *engine) {
  CHECK(strstr(finback_engine_info(engine), "\"context_tokens\": 256") != NULL);
  CHECK(strstr(finback_engine_info(engine), "\"read_per_token\": {") != NULL);
  CHECK(finback_engine_verify(engine, NULL) == FINBACK_OK);
  CHECK(finback_engine_verify(engine, "nonsense") == FINBACK_ERROR_INVALID_ARGUMENT);
  char list[128];
  memset(list, '0', 64);
  strcpy(list + 64, "  model.safetensors\n");
  CHECK(finback_engine_verify(engine, list) == FINBACK_ERROR_CHECKPOINT);
  finback_engine *small = open_model(folder, "scripted", "memory_budget_bytes", "1000");
  CHECK(small != NULL);
  CHECK(finback_engine_chat(small, HELLO "}") == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_BUDGET);
  CHECK(finback_sequence_new(small) == NULL);
  CHECK(finback_session_new(small) == NULL);
  finback_engine_free(small);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  test_library();
  test_options();
  test_benchmark();
  test_cache(argv[1]);
  test_null();
  test_null_keeps_the_failure_before();
  test_open_failures(argv[1]);
  finback_engine *engine = open_model(argv[1], "scripted", NULL, NULL);
  CHECK(engine != NULL);
  if (engine == NULL) return 1;
  test_answer(engine);
  test_chunks(engine);
  test_request_errors(engine);
  test_text(engine);
  test_json_string(engine);
  test_cancel(engine);
  test_info_and_verify(argv[1], engine);
  finback_engine_free(engine);
  test_any_order_of_frees(argv[1]);
  test_sequence(argv[1]);
  test_callbacks(argv[1]);
  if (failures > 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0;
}
