/* Small helpers for freestanding guests: memory functions the compiler may call, an allocator, text building, and finding
 * members of a JSON object. Nothing here calls the host. */
#ifndef FEMTO_SUPPORT_H
#define FEMTO_SUPPORT_H

#include "femto.h"

typedef __SIZE_TYPE__ femto_size;

/* The compiler may turn loops into calls of these. */
__attribute__((weak)) void* memcpy(void* to, const void* from, femto_size size) {
  unsigned char* t = (unsigned char*)to;
  const unsigned char* f = (const unsigned char*)from;
  for (femto_size i = 0; i < size; ++i) t[i] = f[i];
  return to;
}
__attribute__((weak)) void* memset(void* to, int value, femto_size size) {
  unsigned char* t = (unsigned char*)to;
  for (femto_size i = 0; i < size; ++i) t[i] = (unsigned char)value;
  return to;
}

static inline femto_size femto_length(const char* text) {
  femto_size n = 0;
  while (text[n] != 0) ++n;
  return n;
}

/* A bump allocator over the memory behind the data and the stack. An execution is one call: nothing is ever given back, the
 * whole instance goes. Exported, so that the host places the input with it. */
extern unsigned char __heap_base;

FEMTO_EXPORT("femto_alloc") __attribute__((weak)) void* femto_alloc(femto_u32 size) {
  static unsigned int next = 0;
  if (next == 0) next = (unsigned int)&__heap_base;
  const unsigned int at = (next + 7u) & ~7u;
  const unsigned long long end = (unsigned long long)at + size;
  const unsigned long long have = (unsigned long long)__builtin_wasm_memory_size(0) << 16;
  if (end > 0xffffffffull) return 0;
  if (end > have && __builtin_wasm_memory_grow(0, (femto_size)((end - have + 65535) >> 16)) == (femto_size)-1) return 0;
  next = (unsigned int)end;
  return (void*)at;
}
FEMTO_EXPORT("femto_dealloc") __attribute__((weak)) void femto_dealloc(void* pointer, femto_u32 size) {
  (void)pointer;
  (void)size;
}

/* Text under construction in a buffer of fixed size. What does not fit is dropped and `full` is set; there is always a NUL. */
typedef struct {
  char* data;
  femto_u32 capacity;
  femto_u32 length;
  int full;
} femto_text;

static inline femto_text femto_text_new(femto_u32 capacity) {
  femto_text text = {(char*)femto_alloc(capacity), capacity, 0, 0};
  if (text.data == 0) text.capacity = 0, text.full = 1;
  if (text.capacity != 0) text.data[0] = 0;
  return text;
}
static inline void femto_put_bytes(femto_text* text, const char* data, femto_size length) {
  for (femto_size i = 0; i < length; ++i) {
    if (text->length + 1 >= text->capacity) {
      text->full = 1;
      return;
    }
    text->data[text->length++] = data[i];
    text->data[text->length] = 0;
  }
}
static inline void femto_put(femto_text* text, const char* string) {
  femto_put_bytes(text, string, femto_length(string));
}
static inline void femto_put_number(femto_text* text, long long number) {
  char digits[24];
  int n = 0;
  unsigned long long rest = number < 0 ? 0ull - (unsigned long long)number : (unsigned long long)number;
  do digits[n++] = (char)('0' + rest % 10), rest /= 10;
  while (rest != 0);
  if (number < 0) femto_put_bytes(text, "-", 1);
  while (n > 0) femto_put_bytes(text, &digits[--n], 1);
}
/* As a JSON string, quotes included. */
static inline void femto_put_json(femto_text* text, const char* data, femto_size length) {
  static const char hex[] = "0123456789abcdef";
  femto_put_bytes(text, "\"", 1);
  for (femto_size i = 0; i < length; ++i) {
    const unsigned char c = (unsigned char)data[i];
    if (c == '"' || c == '\\') {
      femto_put_bytes(text, "\\", 1);
      femto_put_bytes(text, &data[i], 1);
    } else if (c < 0x20) {
      const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
      femto_put_bytes(text, escape, 6);
    } else {
      femto_put_bytes(text, &data[i], 1);
    }
  }
  femto_put_bytes(text, "\"", 1);
}

/* A piece of somebody else's text. */
typedef struct {
  const char* data;
  femto_u32 length;
} femto_slice;

static inline int femto_is(femto_slice slice, const char* string) {
  const femto_size n = femto_length(string);
  if (slice.length != n) return 0;
  for (femto_size i = 0; i < n; ++i)
    if (slice.data[i] != string[i]) return 0;
  return 1;
}

/* The end of the JSON value that begins at `at`; `length` when it is cut short. */
static inline femto_u32 femto_json_skip(const char* json, femto_u32 length, femto_u32 at) {
  femto_u32 depth = 0;
  while (at < length) {
    const char c = json[at];
    if (c == '"') {
      for (++at; at < length && json[at] != '"'; ++at)
        if (json[at] == '\\') ++at;
      if (depth == 0) return at < length ? at + 1 : length;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    } else if (c == ',' && depth == 0) {
      return at;
    }
    ++at;
  }
  return length;
}

/* The value of member `key` of the JSON object in `json`, as its text; a string keeps its quotes. Empty when there is none.
 * The host checks JSON before the guest sees it (policy `input.format`), so this only finds its way through valid text. */
static inline femto_slice femto_json_member(femto_slice json, const char* key) {
  const femto_slice none = {0, 0};
  femto_u32 at = 0;
  while (at < json.length && json.data[at] != '{') ++at;
  ++at;
  while (at < json.length) {
    while (at < json.length && json.data[at] != '"' && json.data[at] != '}') ++at;
    if (at >= json.length || json.data[at] == '}') return none;
    const femto_u32 key_end = femto_json_skip(json.data, json.length, at);
    const femto_slice found = {json.data + at + 1, key_end - at - 2};
    at = key_end;
    while (at < json.length && json.data[at] != ':') ++at;
    ++at;
    while (at < json.length &&
           (json.data[at] == ' ' || json.data[at] == '\n' || json.data[at] == '\t' || json.data[at] == '\r'))
      ++at;
    if (at >= json.length) return none;
    const femto_u32 end = femto_json_skip(json.data, json.length, at);
    if (femto_is(found, key)) {
      femto_slice value = {json.data + at, end - at};
      while (value.length != 0 && (unsigned char)value.data[value.length - 1] <= ' ') --value.length;
      return value;
    }
    at = end;
  }
  return none;
}

/* The text of a JSON string without its quotes, escapes resolved, into `out`; \u escapes become UTF-8. Empty for other values. */
static inline femto_slice femto_json_string(femto_slice value, femto_text* out) {
  const femto_u32 begin = out->length;
  const femto_slice none = {0, 0};
  if (value.length < 2 || value.data[0] != '"') return none;
  for (femto_u32 i = 1; i + 1 < value.length; ++i) {
    char c = value.data[i];
    if (c != '\\') {
      femto_put_bytes(out, &c, 1);
      continue;
    }
    c = value.data[++i];
    if (c == 'n')
      c = '\n';
    else if (c == 't')
      c = '\t';
    else if (c == 'r')
      c = '\r';
    else if (c == 'b')
      c = '\b';
    else if (c == 'f')
      c = '\f';
    else if (c == 'u' && i + 4 < value.length) {
      unsigned int point = 0;
      for (int d = 0; d < 4; ++d) {
        const unsigned char h = (unsigned char)value.data[++i];
        point = point << 4 | (h <= '9' ? h - '0' : (h | 32u) - 'a' + 10u);
      }
      char utf8[3];
      if (point < 0x80) {
        utf8[0] = (char)point;
        femto_put_bytes(out, utf8, 1);
      } else if (point < 0x800) {
        utf8[0] = (char)(0xc0 | point >> 6), utf8[1] = (char)(0x80 | (point & 0x3f));
        femto_put_bytes(out, utf8, 2);
      } else {
        utf8[0] = (char)(0xe0 | point >> 12), utf8[1] = (char)(0x80 | (point >> 6 & 0x3f)),
        utf8[2] = (char)(0x80 | (point & 0x3f));
        femto_put_bytes(out, utf8, 3);
      }
      continue;
    }
    femto_put_bytes(out, &c, 1);
  }
  const femto_slice text = {out->data + begin, out->length - begin};
  return text;
}

static inline void femto_say(femto_i32 level, const char* text) {
  femto_log(level, text, (femto_u32)femto_length(text));
}

#endif
