// Aborts on a bug: a broken invariant of our own code, never bad input.
#pragma once

#include <cstdio>
#include <cstdlib>

#define INFERON_CHECK(condition)                                                         \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
