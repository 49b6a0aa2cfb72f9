/* grow [PAGES]: asks for memory a page at a time, touches each, and prints how many pages it has at the end; it stops when
 * no more is given or it has asked PAGES times. */
#include "lean.h"

#define PAGE_BYTES 65536u

int main(int argc, char** argv) {
  const uint64_t wanted = number_argument(argc, argv, 1, 65536);
  for (uint64_t asked = 0; asked < wanted; asked++) {
    const size_t before = __builtin_wasm_memory_grow(0, 1);
    if (before == (size_t)-1) break;
    volatile unsigned char* page = (unsigned char*)(before * PAGE_BYTES);
    page[0] = 1;
    page[PAGE_BYTES - 1] = 1;
  }
  struct out out = {.fd = STDOUT_FILENO};
  out_number(&out, __builtin_wasm_memory_size(0));
  out_text(&out, "\n");
  out_flush(&out);
  return out.failed;
}
