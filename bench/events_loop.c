/*
 * events_loop BASE_URL REPLAY: the time that a plain C program spends for each event of a recorded
 * answer, in nanoseconds of processor time. bench/python_events.py compares bindings with it.
 */
#include <finback/finback.h>
#include <stdio.h>
#include <time.h>

static double Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  finback_options *options = finback_options_new();
  finback_options_set(options, "model", "deepseek:deepseek-v4-flash");
  finback_options_set(options, "api_key", "none");
  finback_options_set(options, "base_url", argv[1]);
  finback_options_set(options, "replay", argv[2]);
  finback_engine *engine = finback_engine_open(options);
  finback_stream *stream =
      finback_engine_chat(engine, "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}");
  finback_status status = finback_stream_step(stream); /* the request is made here */
  long events = 0, bytes = 0;
  const double begin = Now();
  while ((status = finback_stream_step(stream)) == FINBACK_OK) {
    ++events;
    if (finback_stream_kind(stream) == FINBACK_EVENT_CONTENT)
      bytes += (long)finback_stream_text_size(stream) + (finback_stream_text(stream)[0] == '\0');
  }
  const double end = Now();
  if (status < 0) fprintf(stderr, "%s\n", finback_last_error());
  if (events > 0) printf("%.1f %ld %ld\n", (end - begin) / (double)events, events, bytes);
  finback_stream_free(stream);
  finback_engine_free(engine);
  finback_options_free(options);
  return status < 0 || events == 0;
}
