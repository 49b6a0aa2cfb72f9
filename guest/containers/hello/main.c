/* Prints one line and ends: the smallest container. */
#include "lean.h"

int main(void) {
  static const char line[] = "Hello from a nanocontainer\n";
  return write_all(STDOUT_FILENO, line, sizeof line - 1) == 0 ? 0 : 1;
}
