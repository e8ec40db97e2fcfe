/* fork FOLDER KRILL [BASE_URL]: a child of a process that used the library computes or is refused,
 * and never waits for what stayed in its parent; the parent goes on. With BASE_URL: at that
 * service. */
#define _GNU_SOURCE
#include <finback/finback.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "opening.h"

#define REQUEST                                                                          \
  "{\"messages\": [{\"role\": \"user\", \"content\": \"What do baleen whales eat?\"}], " \
  "\"max_tokens\": 12}"
#define CONTEXT_TOKENS "512"

enum { PATIENCE_S = 240 }; /* a child that waits is ended by it */

static char alone[1 << 16]; /* what the model says to REQUEST */

/* Steps to the end, adding to `text`. */
static finback_status finish(finback_stream *stream, char *text, size_t size) {
  finback_status status;
  while ((status = finback_stream_step(stream)) == FINBACK_OK) {
    const int32_t kind = finback_stream_kind(stream);
    if (kind != FINBACK_EVENT_CONTENT && kind != FINBACK_EVENT_REASONING) continue;
    if (strlen(text) + finback_stream_text_size(stream) < size) {
      strcat(text, finback_stream_text(stream));
    }
  }
  return status;
}

/* A new answer says what the first one said. */
static void check_answers(finback_engine *engine) {
  char text[sizeof alone / 4] = "";
  finback_stream *stream = finback_engine_chat(engine, REQUEST);
  CHECK(stream != NULL);
  CHECK(finish(stream, text, sizeof text) == FINBACK_DONE);
  CHECK_TEXT(text, alone);
  finback_stream_free(stream);
}

/* A child begins here, and ends in end_child(). */
static pid_t child(void) {
  fflush(NULL);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) alarm(PATIENCE_S);
  return pid;
}

static void end_child(void) {
  fflush(NULL);
  _exit(failures != 0);
}

static void check_ended(pid_t pid) {
  int status = -1;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_children_and_theirs_answer(finback_engine *engine) {
  const pid_t pid = child();
  if (pid == 0) {
    check_answers(engine);
    const pid_t grandchild = child();
    if (grandchild == 0) {
      check_answers(engine);
      finback_engine_free(engine);
      end_child();
    }
    check_answers(engine);
    check_ended(grandchild);
    end_child();
  }
  check_answers(engine);
  check_ended(pid);
}

static void test_a_running_stream_stays_the_parents(finback_engine *engine) {
  char text[sizeof alone / 4] = "";
  finback_stream *stream = finback_engine_chat(engine, REQUEST);
  for (int i = 0; i < 2; ++i) {
    CHECK(finback_stream_step(stream) == FINBACK_OK);
    if (finback_stream_kind(stream) != FINBACK_EVENT_NOTICE)
      strcat(text, finback_stream_text(stream));
  }
  const pid_t pid = child();
  if (pid == 0) {
    CHECK(finback_stream_step(stream) == FINBACK_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(finback_last_error(), "fork") != NULL);
    CHECK(finback_stream_step(stream) == FINBACK_ERROR_INVALID_ARGUMENT);
    finback_stream_cancel(stream);
    check_answers(engine);
    finback_stream_free(stream);
    check_answers(engine);
    end_child();
  }
  CHECK(finish(stream, text, sizeof text) == FINBACK_DONE);
  CHECK_TEXT(text, alone);
  finback_stream_free(stream);
  check_ended(pid);
}

static void test_sequences_go_on_in_both(finback_engine *engine) {
  const int32_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8};
  finback_sequence *sequence = finback_sequence_new(engine);
  finback_sequence *copy = finback_sequence_fork(sequence);
  const size_t bytes = finback_sequence_vocab(sequence) * sizeof(float);
  float *expected = malloc(bytes), *logits = malloc(bytes);
  CHECK(finback_sequence_evaluate(copy, ids, 8, expected, 1) == FINBACK_OK);
  CHECK(finback_sequence_evaluate(sequence, ids, 5, NULL, 0) == FINBACK_OK);
  const pid_t pid = child();
  CHECK(finback_sequence_evaluate(sequence, ids + 5, 3, logits, 1) == FINBACK_OK);
  CHECK(memcmp(logits, expected, bytes) == 0);
  if (pid == 0) end_child();
  check_ended(pid);
  free(expected);
  free(logits);
  finback_sequence_free(copy);
  finback_sequence_free(sequence);
}

/* Answers until it is told to stop. */
struct answering {
  finback_engine *engine;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int answers, stop;
};

static void *keep_answering(void *argument) {
  struct answering *work = argument;
  for (int stop = 0; !stop;) {
    finback_stream *stream = finback_engine_chat(work->engine, REQUEST);
    while (finback_stream_step(stream) == FINBACK_OK) {
      pthread_mutex_lock(&work->lock);
      ++work->answers;
      stop = work->stop;
      pthread_cond_signal(&work->changed);
      pthread_mutex_unlock(&work->lock);
    }
    finback_stream_free(stream);
  }
  return NULL;
}

/* Wherever the other thread is at that moment. */
static void test_another_thread_is_inside(finback_engine *engine) {
  struct answering work = {engine, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, keep_answering, &work) == 0);
  for (int i = 0; i < 8; ++i) {
    pthread_mutex_lock(&work.lock);
    for (const int seen = work.answers; work.answers <= seen;) {
      pthread_cond_wait(&work.changed, &work.lock);
    }
    pthread_mutex_unlock(&work.lock);
    const pid_t pid = child();
    if (pid == 0) {
      check_answers(engine);
      end_child();
    }
    check_ended(pid);
  }
  pthread_mutex_lock(&work.lock);
  work.stop = 1;
  pthread_mutex_unlock(&work.lock);
  pthread_join(thread, NULL);
  check_answers(engine);
}

static finback_engine *in_callback;

static int32_t fork_in_prefill(const char *phase, uint64_t done, uint64_t total, void *user_data) {
  (void)done, (void)total;
  int *forks = user_data;
  if (strcmp(phase, "prefill") != 0 || *forks > 0) return 0;
  ++*forks;
  const pid_t pid = child();
  if (pid == 0) {
    check_answers(in_callback);
    end_child();
  }
  check_ended(pid);
  return 0;
}

static void test_a_callback_forks(const char *krill) {
  int forks = 0;
  finback_options *options = options_for(krill, CONTEXT_TOKENS, NULL);
  finback_options_set_progress(options, fork_in_prefill, &forks);
  in_callback = open_with(options);
  check_answers(in_callback);
  CHECK(forks == 1);
  finback_engine_free(in_callback);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *base_url = argc > 3 ? argv[3] : NULL;
  const char *model = base_url ? "deepseek:deepseek-v4-pro" : argv[2];
  finback_engine *engine = open_with(options_for(model, CONTEXT_TOKENS, base_url));
  finback_stream *stream = finback_engine_chat(engine, REQUEST);
  CHECK(finish(stream, alone, sizeof alone) == FINBACK_DONE);
  CHECK(alone[0] != '\0');
  finback_stream_free(stream);

  test_children_and_theirs_answer(engine);
  test_a_running_stream_stays_the_parents(engine);
#ifndef __SANITIZE_ADDRESS__
  const int is_sanitized = 0;
#else
  const int is_sanitized = 1; /* a child would find the sanitizer's own locks taken */
#endif
  if (!is_sanitized) test_another_thread_is_inside(engine);
  if (base_url == NULL) {
    test_sequences_go_on_in_both(engine);
    test_a_callback_forks(argv[2]);
  }
  finback_engine_free(engine);
  return failures != 0;
}
