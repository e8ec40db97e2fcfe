/* cc chat.c $(pkg-config --cflags --libs finback) -o chat && ./chat krill "Who are you?" */
#include <finback/finback.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, finback_last_error());
  return 1;
}

int main(int argc, char **argv) {
  const char *model = argc > 1 ? argv[1] : "krill";
  const char *question = argc > 2 ? argv[2] : "What do baleen whales eat?";
  finback_text *content = finback_json_string(question, strlen(question)); /* quotes included */
  if (!content) return fail("question");
  static const char format[] = "{\"messages\": [{\"role\": \"user\", \"content\": %s}]}";
  const size_t room = sizeof format + finback_text_size(content);
  char *request = malloc(room);
  if (!request) return 1;
  snprintf(request, room, format, finback_text_data(content));
  finback_text_free(content);
  finback_options *options = finback_options_new();
  if (finback_options_set(options, "model", model) != FINBACK_OK) return fail("options");
  finback_engine *engine = finback_engine_open(options);
  finback_options_free(options);
  if (!engine) return fail("open");
  finback_stream *stream = finback_engine_chat(engine, request);
  free(request);
  finback_engine_free(engine); /* the stream keeps it alive */
  if (!stream) return fail("chat");
  finback_status status;
  while ((status = finback_stream_step(stream)) == FINBACK_OK) {
    if (finback_stream_kind(stream) == FINBACK_EVENT_CONTENT)
      fputs(finback_stream_text(stream), stdout);
    fflush(stdout);
  }
  if (status < 0) return fail("step");
  finback_stream_free(stream);
  return puts("") < 0;
}
