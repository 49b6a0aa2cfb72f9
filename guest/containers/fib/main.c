/* fib [N]: the N-th Fibonacci number (27 by default), computed by calls, as a measure of calls. */
#include "lean.h"

__attribute__((noinline)) static uint64_t fib(uint64_t n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(int argc, char** argv) {
  struct out out = {.fd = STDOUT_FILENO};
  out_number(&out, fib(number_argument(argc, argv, 1, 27)));
  out_text(&out, "\n");
  out_flush(&out);
  return out.failed;
}
