/* crash KIND: ends in the way its argument names: one of the traps of contract 16.2, an exit code ("exit 7", "return 7"),
 * or a signal ("raise 6"). */
#include "lean.h"

/* Volatile, so that the compiler can neither fold the operation away nor see that it traps. */
static volatile int zero = 0;
static volatile int lowest = INT32_MIN;
static volatile int minus_one = -1;
static volatile float no_number = __builtin_nanf("");
static volatile uint32_t far_away = 0xfffffff0u;

/* Called through a volatile pointer, so that every call stays one and takes nothing of the stack in linear memory. */
static int deeper(int depth);
static int (*volatile next)(int) = deeper;
static int deeper(int depth) {
  return next(depth + 1) * 3 + depth;
}

static int one_argument(int value) {
  return value;
}
static int (*volatile pointer)(int) = one_argument;
typedef int (*two_numbers)(double, double);

__attribute__((import_module("nowhere"), import_name("nothing"))) void nothing(void);
/* This wasi-libc leaves it out of its header. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_raise"))) int proc_raise(int signal);

static int crash(const char* kind, int number) {
  if (strcmp(kind, "unreachable") == 0) __builtin_trap();
  if (strcmp(kind, "memory") == 0) return *(volatile int*)far_away;
  if (strcmp(kind, "stack") == 0) return deeper(0);
  if (strcmp(kind, "div-zero") == 0) return number / zero;
  if (strcmp(kind, "overflow") == 0) return lowest / minus_one;
  if (strcmp(kind, "indirect-call") == 0) return ((two_numbers)(void (*)(void))pointer)(1, 2);
  if (strcmp(kind, "conversion") == 0) return __builtin_wasm_trunc_s_i32_f32(no_number);
  if (strcmp(kind, "unlinked") == 0) nothing();
  if (strcmp(kind, "abort") == 0) abort();
  if (strcmp(kind, "exit") == 0) exit(number);
  if (strcmp(kind, "return") == 0) return number;
  if (strcmp(kind, "raise") == 0) return proc_raise(number);
  return -1;
}

int main(int argc, char** argv) {
  static const char usage[] =
      "usage: crash unreachable|memory|stack|div-zero|overflow|indirect-call|conversion|unlinked|abort\n"
      "       crash exit|return|raise NUMBER\n";
  const int number = (int)number_argument(argc, argv, 2, 1);
  if (argc > 1) {
    const int result = crash(argv[1], number);
    if (result != -1) return result;
  }
  write_all(STDERR_FILENO, usage, sizeof usage - 1);
  return 2;
}
