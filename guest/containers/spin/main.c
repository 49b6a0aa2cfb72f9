/* Computes for ever and never calls anything. */
int main(void) {
  for (volatile unsigned turns = 0;; turns = turns + 1) {
  }
}
