/* sleeper [MS]: sleeps that long, or for ever. */
#include <time.h>

#include "lean.h"

int main(int argc, char** argv) {
  const uint64_t ms = number_argument(argc, argv, 1, 0);
  if (argc > 1) {
    const struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
    return nanosleep(&time, NULL) == 0 ? 0 : 1;
  }
  for (;;) {
    const struct timespec hour = {.tv_sec = 3600};
    nanosleep(&hour, NULL);
  }
}
