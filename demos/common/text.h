/* Log texts of the camera demos' guests, which have no C library. Needs module_log_event(). */
#ifndef DEMOS_TEXT_H
#define DEMOS_TEXT_H

#define LOG(literal, level) module_log_event(literal, sizeof(literal) - 1, level)

/* Both append at `at` and return where the text ends. The longest text of these guests is 56 characters. */
static unsigned int put(char* text, unsigned int at, const char* words) {
  while (*words != 0) text[at++] = *words++;
  return at;
}

static unsigned int put_number(char* text, unsigned int at, unsigned int number) {
  char digits[10];
  unsigned int count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count != 0) text[at++] = digits[--count];
  return at;
}

#endif
