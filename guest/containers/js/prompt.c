/* The prompt: statements from standard input, a line or, while brackets are open, several. Editing a line is the
 * terminal's. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "js.h"
#include "lean.h"

#define STATEMENT_BYTES_MAX (1u << 20) /* what somebody pastes; scripts come as files */

struct statement {
  char* text;
  size_t used;
  size_t room;
};

static bool add_char(struct statement* statement, char c) {
  if (statement->used + 1 >= statement->room) {
    const size_t room = statement->room == 0 ? 256 : statement->room * 2;
    if (room > STATEMENT_BYTES_MAX) return false;
    char* larger = realloc(statement->text, room);
    if (larger == NULL) return false;
    statement->text = larger;
    statement->room = room;
  }
  statement->text[statement->used++] = c;
  statement->text[statement->used] = '\0';
  return true;
}

/* Adds one line and its newline. 0: end of input, 1: a line, -1: more than is taken. */
static int add_line(struct statement* statement) {
  static char input[1024];
  static size_t at;
  static size_t end;
  for (bool first = true;; first = false) {
    if (at == end) {
      const ssize_t got = read_some(STDIN_FILENO, input, sizeof input);
      if (got <= 0) return first ? 0 : 1;
      at = 0;
      end = (size_t)got;
    }
    const char c = input[at++];
    if (!add_char(statement, c)) return -1;
    if (c == '\n') return 1;
  }
}

/* How many brackets are open; a text that ends inside a template or a comment counts as one more. */
static int open_brackets(const char* text) {
  int open = 0;
  char quote = '\0';
  for (const char* at = text; *at != '\0'; at++) {
    if (quote != '\0') {
      if (*at == '\\' && at[1] != '\0') {
        at++;
      } else if (*at == quote || (*at == '\n' && quote != '`')) {
        quote = '\0';
      }
    } else if (*at == '/' && at[1] == '/') {
      at += strcspn(at, "\n");
      if (*at == '\0') break;
    } else if (*at == '/' && at[1] == '*') {
      const char* end = strstr(at + 2, "*/");
      if (end == NULL) return open + 1;
      at = end + 1;
    } else if (strchr("'\"`", *at) != NULL) {
      quote = *at;
    } else if (strchr("([{", *at) != NULL) {
      open++;
    } else if (strchr(")]}", *at) != NULL) {
      open--;
    }
  }
  return open + (quote == '`');
}

/* False: nothing was run because of the end of input. */
static bool read_statement(struct statement* statement, bool interactive) {
  for (const char* prompt = "> ";; prompt = "... ") {
    if (interactive) print_bytes(prompt, strlen(prompt));
    flush_output();
    const int got = add_line(statement);
    if (got < 0) print_error("js: statement too long\n");
    if (got <= 0) return statement->used != 0 && got == 0;
    if (open_brackets(statement->text) <= 0) return true;
  }
}

static void run_statement(JSContext* ctx, const struct statement* statement) {
  JSValue result = JS_Eval(ctx, statement->text, statement->used, "<prompt>", JS_EVAL_TYPE_GLOBAL);
  run_jobs(JS_GetRuntime(ctx));
  if (!JS_IsException(result) && !JS_IsUndefined(result)) {
    JSValue text =
        JS_IsString(result) ? JS_JSONStringify(ctx, result, JS_UNDEFINED, JS_UNDEFINED) : describe(ctx, result);
    size_t size;
    const char* bytes = JS_IsException(text) ? NULL : JS_ToCStringLen(ctx, &size, text);
    JS_FreeValue(ctx, text);
    JS_FreeValue(ctx, result);
    result = bytes == NULL ? JS_EXCEPTION : JS_UNDEFINED;
    if (bytes != NULL) {
      print_bytes(bytes, size);
      print_bytes("\n", 1);
      JS_FreeCString(ctx, bytes);
    }
  }
  if (JS_IsException(result)) print_exception(ctx);
}

int run_prompt(JSContext* ctx) {
  const bool interactive = isatty(STDIN_FILENO) != 0;
  if (interactive) print_bytes("QuickJS in a nanocontainer; end of input leaves\n", 48);
  struct statement statement = {0};
  while (read_statement(&statement, interactive)) {
    run_statement(ctx, &statement);
    statement.used = 0;
  }
  if (interactive) print_bytes("\n", 1);
  free(statement.text);
  return 0;
}
