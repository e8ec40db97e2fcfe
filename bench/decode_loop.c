/*
 * decode_loop MODEL THREADS TOKENS: microseconds for each token of an answer, the first one and the
 * prompt not counted; the fastest of some answers. bench/decode_speed.py compares libraries by it.
 */
#include <finback/finback.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int64_t Tokens(const finback_stream *stream) {
  finback_usage usage = {.struct_size = sizeof usage};
  finback_stream_usage(stream, &usage);
  return usage.completion_tokens;
}

/* Microseconds per token; negative: it failed. */
static double Answer(finback_engine *engine, const char *request) {
  finback_stream *stream = finback_engine_complete(engine, request);
  finback_status status = finback_stream_step(stream);
  const double begin = Now();
  const int64_t before = Tokens(stream);
  while (status == FINBACK_OK) status = finback_stream_step(stream);
  const double took = Now() - begin;
  const int64_t tokens = Tokens(stream) - before;
  if (status < 0) fprintf(stderr, "%s\n", finback_last_error());
  finback_stream_free(stream);
  return status < 0 || tokens <= 0 ? -1 : took / (double)tokens;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  char request[200];
  snprintf(request, sizeof request,
           "{\"prompt\": \"Whales\", \"temperature\": 0, \"max_tokens\": %d, "
           "\"logit_bias\": {\"1\": -100}}",
           atoi(argv[3]));
  finback_options *options = finback_options_new();
  finback_options_set(options, "model", argv[1]);
  finback_options_set(options, "threads", argv[2]);
  finback_engine *engine = finback_engine_open(options);
  if (engine == NULL) fprintf(stderr, "%s\n", finback_last_error());
  double best = -1;
  for (int i = 0; i < 4; ++i) {
    const double took = Answer(engine, request);
    if (took > 0 && (best < 0 || took < best)) best = took;
  }
  printf("%.2f\n", best);
  finback_engine_free(engine);
  finback_options_free(options);
  return best < 0;
}
