/* cc tool_loop.c $(pkg-config --cflags --libs finback) -o tool_loop && ./tool_loop krill */
#include <finback/finback.h>
#include <stdio.h>
#include <string.h>

static const char *kinds[] = {"", "reasoning", "content", "call", "arguments", "end", "finish"};
static const char kRequest[] =
    "{\"messages\": [%s], \"tools\": [{\"type\": \"function\", \"function\": {\"name\": "
    "\"get_weather\", \"parameters\": {\"properties\": {\"city\": {\"type\": \"string\"}}}}}]}";
static const char kResult[] = ",{\"role\":\"tool\",\"content\":\"sunny\",\"tool_call_id\":\"%s\"}";
static int fail(void) { return fprintf(stderr, "%s\n", finback_last_error()) < 0 ? 2 : 1; }

int main(int argc, char **argv) { /* MODEL [BASE_URL] */
  char talk[8000] = "{\"role\": \"user\", \"content\": \"What is the weather in Oslo?\"}";
  finback_options *options = finback_options_new();
  if (finback_options_set(options, "model", argc > 1 ? argv[1] : "krill") < 0) return fail();
  if (argc > 2 && finback_options_set(options, "base_url", argv[2]) < 0) return fail();
  finback_engine *engine = finback_engine_open(options);
  if (!engine) return fail();
  for (int calls = 1, status; calls > 0;) { /* until an answer calls no tool */
    char request[9000], results[2000] = "";
    snprintf(request, sizeof request, kRequest, talk);
    finback_stream *stream = finback_engine_chat(engine, request);
    if (!stream) return fail();
    for (calls = 0; (status = finback_stream_step(stream)) == FINBACK_OK;) {
      const int kind = finback_stream_kind(stream), begins = kind == FINBACK_EVENT_TOOL_CALL;
      const char *text = begins ? finback_stream_tool_name(stream) : finback_stream_text(stream);
      if (kind <= FINBACK_EVENT_FINISH) printf("%-9s %s\n", kinds[kind], text); /* no notices */
      if (kind == FINBACK_EVENT_TOOL_CALL_END && ++calls) /* the tool would run here */
        snprintf(results + strlen(results), sizeof results - strlen(results), kResult,
                 finback_stream_tool_id(stream));
    }
    if (status < 0) return fail();
    snprintf(talk + strlen(talk), sizeof talk - strlen(talk), ", %s%s",
             finback_stream_message(stream), results); /* as it is, reasoning included */
    finback_stream_free(stream);
  }
  finback_engine_free(engine);
  return finback_options_free(options), 0;
}
