/* Engines as the programs about processes open them. */
#pragma once

#include <finback/finback.h>

#include "check.h"

/* A model with two threads; with `base_url` at that service. */
static finback_options *options_for(const char *model, const char *context_tokens,
                                    const char *base_url) {
  finback_options *options = finback_options_new();
  CHECK(finback_options_set(options, "model", model) == FINBACK_OK);
  CHECK(finback_options_set(options, "threads", "2") == FINBACK_OK);
  CHECK(finback_options_set(options, "context_tokens", context_tokens) == FINBACK_OK);
  if (base_url != NULL) CHECK(finback_options_set(options, "base_url", base_url) == FINBACK_OK);
  return options;
}

/* Frees the options. */
static finback_engine *open_with(finback_options *options) {
  finback_engine *engine = finback_engine_open(options);
  CHECK(engine != NULL);
  finback_options_free(options);
  return engine;
}
