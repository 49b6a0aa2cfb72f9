/* A compute-bound guest of the kind embedded benchmarks use: linked lists, small matrices, a state machine over text, CRC-16.
 * Freestanding: built for wasm32 by the build and, for comparison, natively by whoever wants the ratio.
 * compute(iterations) -> checksum. The checksum depends on every step; the same number comes out on every machine. */
#include <stdint.h>

#if defined(__wasm__)
#define EXPORT(name) __attribute__((export_name(name)))
#else
#define EXPORT(name)
#endif
#define NOINLINE __attribute__((noinline))

enum { kNodes = 96, kMatrix = 12, kTextBytes = 512 };

/* ---- CRC-16, bit by bit; the polynomial is set at run time, or compilers turn the loop into a table */
static uint16_t polynomial;
static NOINLINE uint16_t crc16_byte(uint8_t byte, uint16_t crc) {
  for (int bit = 0; bit < 8; ++bit) {
    uint8_t odd = (uint8_t)((byte & 1) ^ (crc & 1));
    byte >>= 1;
    if (odd) crc ^= polynomial;
    crc >>= 1;
    if (odd) crc |= 0x8000;
  }
  return crc;
}
static uint16_t crc16_word(uint16_t word, uint16_t crc) {
  crc = crc16_byte((uint8_t)word, crc);
  return crc16_byte((uint8_t)(word >> 8), crc);
}

/* ---- a linked list: find, reverse, merge sort by a comparison passed as a function */
struct Data {
  int16_t key;
  int16_t index;
};
struct Node {
  struct Node* next;
  struct Data* data;
};
static struct Node nodes[kNodes];
static struct Data datas[kNodes];
typedef int32_t (*Compare)(struct Data* a, struct Data* b);

static uint16_t work_on(struct Data* data, uint16_t crc);

static int32_t by_index(struct Data* a, struct Data* b) {
  return a->index - b->index;
}
static int32_t by_worth(struct Data* a, struct Data* b) {
  int32_t x = work_on(a, (uint16_t)a->index);
  int32_t y = work_on(b, (uint16_t)b->index);
  return x - y;
}

static struct Node* list_make(uint32_t seed) {
  for (int i = 0; i < kNodes; ++i) {
    seed = seed * 1103515245u + 12345u;
    datas[i].key = (int16_t)((seed >> 16) & 0x0fff);
    datas[i].index = (int16_t)((i * 37) % kNodes);
    nodes[i].data = &datas[i];
    nodes[i].next = i + 1 < kNodes ? &nodes[i + 1] : 0;
  }
  return &nodes[0];
}

static NOINLINE struct Node* list_find(struct Node* list, int16_t index, int16_t key) {
  if (index >= 0) {
    while (list && list->data->index != index) list = list->next;
  } else {
    while (list && (list->data->key & 0xff) != key) list = list->next;
  }
  return list;
}

static NOINLINE struct Node* list_reverse(struct Node* list) {
  struct Node* done = 0;
  while (list) {
    struct Node* next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static NOINLINE struct Node* list_sort(struct Node* list, Compare compare) {
  for (int32_t run = 1;; run *= 2) {
    struct Node* p = list;
    struct Node* tail = 0;
    int32_t merges = 0;
    list = 0;
    while (p) {
      struct Node* q = p;
      int32_t p_size = 0;
      int32_t q_size = run;
      ++merges;
      for (int32_t i = 0; i < run; ++i) {
        ++p_size;
        q = q->next;
        if (!q) break;
      }
      while (p_size > 0 || (q_size > 0 && q)) {
        struct Node* e;
        if (p_size == 0) {
          e = q;
          q = q->next;
          --q_size;
        } else if (q_size == 0 || !q || compare(p->data, q->data) <= 0) {
          e = p;
          p = p->next;
          --p_size;
        } else {
          e = q;
          q = q->next;
          --q_size;
        }
        if (tail) {
          tail->next = e;
        } else {
          list = e;
        }
        tail = e;
      }
      p = q;
    }
    tail->next = 0;
    if (merges <= 1) return list;
  }
}

/* ---- matrices of small integers */
static int16_t matrix_a[kMatrix * kMatrix];
static int16_t matrix_b[kMatrix * kMatrix];
static int32_t matrix_c[kMatrix * kMatrix];

static void matrix_make(uint32_t seed) {
  for (int i = 0; i < kMatrix * kMatrix; ++i) {
    seed = seed * 1664525u + 1013904223u;
    matrix_a[i] = (int16_t)((seed >> 20) & 0xff);
    matrix_b[i] = (int16_t)((seed >> 12) & 0xff);
  }
}

static NOINLINE void matrix_add(int n, int16_t* a, int16_t value) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) a[i * n + j] = (int16_t)(a[i * n + j] + value);
  }
}
static NOINLINE void matrix_scale(int n, int32_t* c, const int16_t* a, int16_t value) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) c[i * n + j] = (int32_t)a[i * n + j] * value;
  }
}
static NOINLINE void matrix_by_vector(int n, int32_t* c, const int16_t* a, const int16_t* b) {
  for (int i = 0; i < n; ++i) {
    c[i] = 0;
    for (int j = 0; j < n; ++j) c[i] += (int32_t)a[i * n + j] * b[j];
  }
}
static NOINLINE void matrix_multiply(int n, int32_t* c, const int16_t* a, const int16_t* b) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      int32_t sum = 0;
      for (int k = 0; k < n; ++k) sum += (int32_t)a[i * n + k] * b[k * n + j];
      c[i * n + j] = sum;
    }
  }
}
static NOINLINE void matrix_multiply_bits(int n, int32_t* c, const int16_t* a, const int16_t* b) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      int32_t sum = 0;
      for (int k = 0; k < n; ++k) {
        int32_t product = (int32_t)a[i * n + k] * b[k * n + j];
        sum += ((product >> 2) & 0x0f) * ((product >> 5) & 0x7f);
      }
      c[i * n + j] = sum;
    }
  }
}
static NOINLINE int16_t matrix_sum(int n, const int32_t* c, int16_t clip) {
  int32_t last = 0;
  int32_t total = 0;
  int16_t score = 0;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      int32_t value = c[i * n + j];
      total += value;
      if (total > clip) {
        score = (int16_t)(score + 10);
        total = 0;
      } else {
        score = (int16_t)(score + (value > last ? 1 : 0));
      }
      last = value;
    }
  }
  return score;
}
static uint16_t matrix_work(int16_t value, uint16_t crc) {
  int16_t clip = (int16_t)(0x7000 | value);
  matrix_add(kMatrix, matrix_a, value);
  matrix_scale(kMatrix, matrix_c, matrix_a, value);
  crc = crc16_word((uint16_t)matrix_sum(kMatrix, matrix_c, clip), crc);
  matrix_by_vector(kMatrix, matrix_c, matrix_a, matrix_b);
  crc = crc16_word((uint16_t)matrix_sum(kMatrix, matrix_c, clip), crc);
  matrix_multiply(kMatrix, matrix_c, matrix_a, matrix_b);
  crc = crc16_word((uint16_t)matrix_sum(kMatrix, matrix_c, clip), crc);
  matrix_multiply_bits(kMatrix, matrix_c, matrix_a, matrix_b);
  crc = crc16_word((uint16_t)matrix_sum(kMatrix, matrix_c, clip), crc);
  matrix_add(kMatrix, matrix_a, (int16_t)-value);
  return crc;
}

/* ---- a state machine that tells integers, decimals and powers of ten from garbage */
static uint8_t text[kTextBytes];
enum State { kStart, kInvalid, kSign1, kInteger, kDecimal, kSign2, kPower, kScientific, kStates };

static int is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

static void text_make(uint32_t seed) {
  static const char* const kPieces[8] = {"5012,",     "-874,",        "+122,",     "35.54400,",
                                         ".1234500,", "-110.700e+5,", "T0.3e-1F,", "1.2.3e,"};
  int at = 0;
  while (at < kTextBytes - 1) {
    const char* piece;
    seed = seed * 22695477u + 1u;
    piece = kPieces[(seed >> 16) & 7];
    while (*piece && at < kTextBytes - 1) text[at++] = (uint8_t)*piece++;
  }
  text[kTextBytes - 1] = 0;
}

static NOINLINE enum State next_state(uint8_t** where, uint32_t* transitions) {
  uint8_t* at = *where;
  enum State state = kStart;
  for (; *at && state != kInvalid; ++at) {
    uint8_t c = *at;
    if (c == ',') {
      ++at;
      break;
    }
    switch (state) {
      case kStart:
        if (is_digit(c)) {
          state = kInteger;
        } else if (c == '+' || c == '-') {
          state = kSign1;
        } else if (c == '.') {
          state = kDecimal;
        } else {
          state = kInvalid;
          ++transitions[kInvalid];
        }
        ++transitions[kStart];
        break;
      case kSign1:
        if (is_digit(c)) {
          state = kInteger;
        } else if (c == '.') {
          state = kDecimal;
        } else {
          state = kInvalid;
        }
        ++transitions[kSign1];
        break;
      case kInteger:
        if (c == '.') {
          state = kDecimal;
          ++transitions[kInteger];
        } else if (!is_digit(c)) {
          state = kInvalid;
          ++transitions[kInteger];
        }
        break;
      case kDecimal:
        if (c == 'E' || c == 'e') {
          state = kSign2;
          ++transitions[kDecimal];
        } else if (!is_digit(c)) {
          state = kInvalid;
          ++transitions[kDecimal];
        }
        break;
      case kSign2:
        state = c == '+' || c == '-' ? kPower : kInvalid;
        ++transitions[kSign2];
        break;
      case kPower:
        state = is_digit(c) ? kScientific : kInvalid;
        ++transitions[kPower];
        break;
      case kScientific:
        if (!is_digit(c)) {
          state = kInvalid;
          ++transitions[kInvalid];
        }
        break;
      default:
        break;
    }
  }
  *where = at;
  return state;
}

static uint16_t text_work(uint8_t step, uint16_t crc) {
  uint32_t finals[kStates] = {0};
  uint32_t transitions[kStates] = {0};
  for (int pass = 0; pass < 2; ++pass) {
    uint8_t* at = text;
    while (*at) ++finals[next_state(&at, transitions)];
    for (uint32_t i = 0; i < kTextBytes - 1; i += step + 7u) {
      if (text[i] != ',') text[i] ^= 0x11;
    }
  }
  for (int i = 0; i < kStates; ++i) {
    crc = crc16_word((uint16_t)finals[i], crc);
    crc = crc16_word((uint16_t)transitions[i], crc);
  }
  return crc;
}

/* ---- one element's work, remembered in the element */
static uint16_t work_on(struct Data* data, uint16_t crc) {
  uint16_t key = (uint16_t)data->key;
  if (key & 0x8000) return key & 0x7f;
  if (key & 1) {
    crc = matrix_work((int16_t)((key >> 3) & 0x0f), crc);
  } else {
    crc = text_work((uint8_t)((key >> 3) & 0x0f), crc);
  }
  data->key = (int16_t)(0x8000 | (key & 0x7f00) | (crc & 0x7f));
  return crc & 0x7f;
}

static uint16_t list_work(struct Node** list, uint16_t round, uint16_t crc) {
  struct Node* at = *list;
  uint16_t found = 0;
  for (int16_t i = 0; i < 48; ++i) {
    struct Node* hit =
        list_find(at, (i & 1) ? (int16_t)((i * 5 + round) % kNodes) : (int16_t)-1, (int16_t)((i * 11) & 0xff));
    at = list_reverse(at);
    found = (uint16_t)(found + (hit ? (hit->data->key & 1) + 9 : 1));
  }
  at = list_sort(at, by_worth);
  for (struct Node* n = at; n; n = n->next) crc = crc16_word((uint16_t)n->data->key, crc);
  at = list_sort(at, by_index);
  for (struct Node* n = at; n; n = n->next) crc = crc16_word((uint16_t)n->data->index, crc);
  /* Wake a few elements up, so that the next round has work to do. */
  for (int i = 0; i < 6; ++i) datas[(round * 7 + i * 13) % kNodes].key = (int16_t)((round * 31 + i * 57) & 0x0fff);
  *list = at;
  return crc16_word(found, crc);
}

EXPORT("compute")
uint32_t compute(uint32_t iterations) {
  uint16_t crc = 0;
  polynomial = (uint16_t)(0x4002 ^ (iterations == ~0u));
  struct Node* list = list_make(0x3415);
  matrix_make(0x66);
  text_make(0x8209);
  for (uint32_t i = 0; i < iterations; ++i) crc = list_work(&list, (uint16_t)i, crc);
  return ((uint32_t)crc << 16) ^ (iterations & 0xffff);
}

/* Recursion without loops: what a check at each function entry costs. */
static uint32_t fib(uint32_t n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
EXPORT("recurse")
uint32_t recurse(uint32_t n) {
  return fib(n);
}
