/* small_stacks FOLDER KRILL [BASE_URL]: everything that a program does, on a thread whose stack is
 * as small as those of musl, with workers of such stacks too. With BASE_URL, what it does at that
 * service. Says how much of the stack was used. */
#define _GNU_SOURCE
#include <finback/finback.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "opening.h"

/* Sanitizers make frames several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LARGER 16
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LARGER 16
#endif
#endif
#ifndef LARGER
#define LARGER 1
#endif

enum { STACK = LARGER * (128 << 10), UNTOUCHED = 0xA5, LEVELS = 120, LONG_TEXT = 1000 };

static char text[1 << 20]; /* what is not to be on the stack */

static finback_engine *open_model(const char *model, const char *base_url) {
  return open_with(options_for(model, "4096", base_url));
}

static void append(const char *piece) { strcat(text, piece); }

static void append_times(const char *piece, int times) {
  for (char *end = text + strlen(text); times > 0; --times, end += strlen(piece)) {
    strcpy(end, piece);
  }
}

/* Steps to the end of an answer to the request in `text`, and reads all that it tells. */
static void answer(finback_engine *engine, finback_status end) {
  finback_stream *stream = finback_engine_chat(engine, text);
  finback_status status;
  CHECK(stream != NULL);
  while ((status = finback_stream_step(stream)) == FINBACK_OK) {
    CHECK(finback_stream_chunk(stream) != NULL);
    CHECK(finback_stream_logprobs(stream) != NULL);
  }
  CHECK(status == end);
  CHECK(strstr(finback_stream_response(stream), "\"choices\"") != NULL);
  CHECK(strstr(finback_stream_message(stream), "\"role\"") != NULL);
  finback_stream_free(stream);
}

static void begin_request(void) {
  strcpy(text, "{\"messages\": [{\"role\": \"user\", \"content\": \"What do whales eat? ");
}

static void ask_long(finback_engine *engine) {
  begin_request();
  append_times("Whales, ", LONG_TEXT / 8);
  append("\"}], \"max_tokens\": 3, \"logprobs\": true, \"top_logprobs\": 20}");
  answer(engine, FINBACK_DONE);
}

/* As deep as JSON is read at all. */
static void ask_deep(finback_engine *engine) {
  begin_request();
  append(
      "\"}], \"max_tokens\": 3, \"tools\": [{\"type\": \"function\", \"function\": {\"name\": "
      "\"f\", \"parameters\": {\"type\": \"object\", \"properties\": ");
  append_times("{\"a\": {\"type\": \"object\", \"properties\": ", LEVELS / 2 - 3);
  append("{}");
  append_times("}}", LEVELS / 2 - 3);
  append("}}}]}");
  answer(engine, FINBACK_DONE);
}

static void refuse_too_deep(finback_engine *engine) {
  strcpy(text, "{\"messages\": ");
  append_times("[", 1 << 18);
  CHECK(finback_engine_chat(engine, text) == NULL);
  CHECK(finback_last_error_code() == FINBACK_ERROR_INVALID_REQUEST);
}

static void compute(const char *model) {
  finback_engine *engine = open_model(model, NULL);
  CHECK(strstr(finback_engine_info(engine), "\"config\"") != NULL);
  CHECK(finback_engine_verify(engine, NULL) == FINBACK_OK);
  ask_long(engine);
  ask_deep(engine);
  refuse_too_deep(engine);

  const int32_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
  const size_t count = sizeof ids / sizeof ids[0];
  finback_sequence *sequence = finback_sequence_new(engine);
  float *logits = malloc(count * finback_sequence_vocab(sequence) * sizeof(float));
  CHECK(finback_sequence_evaluate(sequence, ids, count, logits, count) == FINBACK_OK);
  CHECK(finback_sequence_roll_back(sequence, 9) == FINBACK_OK);
  finback_bytes *bytes = finback_sequence_snapshot(sequence);
  CHECK(finback_sequence_restore(sequence, finback_bytes_data(bytes), finback_bytes_size(bytes)) ==
        FINBACK_OK);
  finback_bytes_free(bytes);
  finback_sequence_free(sequence);
  free(logits);
  finback_engine_free(engine);
}

/* An answer that is judged by a schema of `links` definitions, each referring to the next. */
static void ask_for_schema(finback_engine *engine, int links, finback_status end) {
  begin_request();
  append(
      "\"}], \"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"a\", "
      "\"schema\": {\"$ref\": \"#/$defs/0\", \"$defs\": {");
  for (int i = 0; i < links; ++i) {
    sprintf(text + strlen(text), "\"%d\": {\"$ref\": \"#/$defs/%d\"}, ", i, i + 1);
  }
  sprintf(text + strlen(text), "\"%d\": {\"type\": \"object\"}}}}}}", links);
  answer(engine, end);
}

/* Messages as deep as the encoder takes them, and an answer's arguments. */
static void encode(void) {
  strcpy(text, "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}], \"tools\": [");
  append_times("[", LEVELS);
  append_times("]", LEVELS);
  append("]}");
  finback_text_free(finback_encode_messages(text));
}

static void report_cost(void) {
  char folder[] = "/tmp/small_stacks_XXXXXX", ledger[sizeof folder + 16];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(ledger, sizeof ledger, "%s/ledger", folder);
  finback_options *options = finback_options_new();
  CHECK(finback_options_set(options, "ledger", ledger) == FINBACK_OK);
  CHECK(finback_options_set(options, "model", "deepseek:deepseek-v4-pro") == FINBACK_OK);
  CHECK(finback_options_set(options, "api_key", "sk-of-a-test") == FINBACK_OK);
  finback_engine_free(finback_engine_open(options)); /* makes the ledger */
  finback_text_free(finback_cost_report(options, "{\"group_by\": \"model\"}"));
  finback_text *services = finback_services(options);
  CHECK(services != NULL);
  finback_text_free(services);
  finback_options_free(options);
  CHECK(unlink(ledger) == 0);
  CHECK(rmdir(folder) == 0);
}

struct work {
  const char *folder, *krill, *base_url;
};

static void *run(void *argument) {
  const struct work *work = argument;
  if (work->base_url != NULL) {
    finback_engine *engine = open_model("deepseek:deepseek-v4-pro", work->base_url);
    ask_long(engine);
    ask_for_schema(engine, 140, FINBACK_DONE);
    ask_for_schema(engine, 1000, FINBACK_ERROR_INVALID_REQUEST);
    finback_engine_free(engine);
    return NULL;
  }
  char path[1024];
  snprintf(path, sizeof path, "%s/random", work->folder);
  compute(path);
  compute(work->krill);
  encode();
  report_cost();
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  struct work work = {argv[1], argv[2], argc > 3 ? argv[3] : NULL};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
#if defined(__GLIBC__)
  pthread_attr_setstacksize(&attributes, STACK);
  pthread_setattr_default_np(&attributes); /* the workers' */
#endif
  /* Below it a page that nobody may touch. */
  const size_t page = 4096;
  char *area = mmap(NULL, STACK + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *stack = area + page;
  if (area == MAP_FAILED || mprotect(stack, STACK, PROT_READ | PROT_WRITE) != 0) return 2;
  memset(stack, UNTOUCHED, STACK);
  pthread_attr_setstack(&attributes, stack, STACK);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, run, &work) != 0) return 2;
  pthread_join(thread, NULL);
  size_t free_bytes = 0;
  while (free_bytes < STACK && (unsigned char)stack[free_bytes] == UNTOUCHED) ++free_bytes;
  printf("%zu of %d bytes of stack used\n", STACK - free_bytes, STACK);
  return failures != 0;
}
