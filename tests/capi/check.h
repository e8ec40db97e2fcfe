/* The smallest test kit: CHECK counts failures and says where; main returns the count. */
#pragma once

#include <stdio.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      ++failures;                                                                     \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, \
              finback_last_error());                                                  \
    }                                                                                 \
  } while (0)

#define CHECK_TEXT(actual, expected)                                          \
  do {                                                                        \
    const char *actual_ = (actual);                                           \
    if (actual_ == NULL || strcmp(actual_, (expected)) != 0) {                \
      ++failures;                                                             \
      fprintf(stderr, "%s:%d: \"%s\", expected \"%s\"\n", __FILE__, __LINE__, \
              actual_ ? actual_ : "NULL", (expected));                        \
    }                                                                         \
  } while (0)
