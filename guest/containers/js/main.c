/* js FILE [ARGS], js -e EXPRESSION [ARGS], js: a JavaScript interpreter (QuickJS) in a container.
 *
 * A FILE whose name ends in .mjs, or that imports or exports, is a module. Without arguments lines are read from standard
 * input: with a prompt when it is a terminal. Exits with 1 after an exception, 2 when it cannot read the script.
 */
#include "js.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lean.h"

/* Of the 512 KiB of stack in linear memory that the build gives; the rest is for the library's own functions. The engine's
 * own stack is used in step with it. */
#define SCRIPT_STACK_BYTES (448u << 10)

static struct out standard_output = {.fd = STDOUT_FILENO};

void print_bytes(const char* bytes, size_t size) {
  out_bytes(&standard_output, bytes, size);
}
void flush_output(void) {
  out_flush(&standard_output);
}
void print_error(const char* text) {
  flush_output();
  write_all(STDERR_FILENO, text, strlen(text));
}

static void print_error_line(JSContext* ctx, JSValueConst value) {
  const char* text = JS_ToCString(ctx, value);
  if (text == NULL) return;
  print_error(text);
  const size_t length = strlen(text);
  if (length == 0 || text[length - 1] != '\n') print_error("\n");
  JS_FreeCString(ctx, text);
}

void print_exception(JSContext* ctx) {
  JSValue exception = JS_GetException(ctx);
  print_error_line(ctx, exception);
  if (JS_IsError(exception)) {
    JSValue stack = JS_GetPropertyStr(ctx, exception, "stack");
    if (JS_IsString(stack)) print_error_line(ctx, stack);
    JS_FreeValue(ctx, stack);
  }
  JS_FreeValue(ctx, exception);
}

bool run_jobs(JSRuntime* runtime) {
  for (;;) {
    JSContext* ctx;
    const int ran = JS_ExecutePendingJob(runtime, &ctx);
    if (ran > 0) continue;
    if (ran < 0) print_exception(ctx);
    return ran == 0;
  }
}

JSValue settled(JSContext* ctx, JSValue value) {
  if (JS_IsException(value) || !JS_IsPromise(value)) return value;
  if (!run_jobs(JS_GetRuntime(ctx))) {
    JS_FreeValue(ctx, value);
    return JS_UNDEFINED;
  }
  const JSPromiseStateEnum state = JS_PromiseState(ctx, value);
  JSValue result = JS_PromiseResult(ctx, value);
  JS_FreeValue(ctx, value);
  if (state == JS_PROMISE_REJECTED) return JS_Throw(ctx, result);
  if (state == JS_PROMISE_PENDING) {
    JS_FreeValue(ctx, result);
    return JS_ThrowTypeError(ctx, "the script waits for a promise that nothing will settle");
  }
  return result;
}

/* 0, or 1 after an exception. */
static int run_source(JSContext* ctx, const char* source, size_t size, const char* name, int flags) {
  JSValue result = settled(ctx, JS_Eval(ctx, source, size, name, flags));
  const bool failed = JS_IsException(result);
  if (failed) print_exception(ctx);
  JS_FreeValue(ctx, result);
  const bool jobs_ran = run_jobs(JS_GetRuntime(ctx));
  return failed || !jobs_ran;
}

static bool ends_with(const char* text, const char* end) {
  const size_t length = strlen(text);
  const size_t end_length = strlen(end);
  return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static int run_file(JSContext* ctx, const char* path) {
  size_t size;
  char* source = read_file(path, &size);
  if (source == NULL) {
    complain("js", path);
    return 2;
  }
  const bool module = ends_with(path, ".mjs") || (!ends_with(path, ".cjs") && JS_DetectModule(source, size));
  const int status = run_source(ctx, source, size, path, module ? JS_EVAL_TYPE_MODULE : JS_EVAL_TYPE_GLOBAL);
  free(source);
  return status;
}

/* A rejected promise that nobody handles is an error, as it would be in a script that awaited it. */
static void note_rejection(JSContext* ctx, JSValueConst promise, JSValueConst reason, bool handled, void* unhandled) {
  (void)promise;
  int* count = unhandled;
  if (handled) {
    --*count;
    return;
  }
  ++*count;
  (void)ctx;
  (void)reason;
}

int main(int argc, char** argv) {
  int unhandled = 0;
  JSRuntime* runtime = JS_NewRuntime();
  JSContext* ctx = runtime == NULL ? NULL : JS_NewContext(runtime);
  if (ctx == NULL) {
    print_error("js: not enough memory to start; give the container 32 pages\n");
    return 2;
  }
  JS_SetMaxStackSize(runtime, SCRIPT_STACK_BYTES);
  JS_SetHostPromiseRejectionTracker(runtime, note_rejection, &unhandled);
  set_loader(runtime);

  const bool expression = argc > 1 && strcmp(argv[1], "-e") == 0;
  if (expression && argc < 3) {
    print_error("usage: js FILE [ARGS], js -e EXPRESSION [ARGS], js\n");
    return 2;
  }
  const int first = expression ? 3 : 2;
  int status = install_globals(ctx, argc > first ? argc - first : 0, argv + (argc > first ? first : argc)) != 0;
  if (status != 0) {
    print_exception(ctx);
  } else if (expression) {
    status = run_source(ctx, argv[2], strlen(argv[2]), "<expression>", JS_EVAL_TYPE_GLOBAL);
  } else if (argc > 1) {
    status = run_file(ctx, argv[1]);
  } else {
    status = run_prompt(ctx);
  }
  if (status == 0 && unhandled > 0) {
    print_error("js: a promise was rejected and nobody handled it\n");
    status = 1;
  }
  flush_output();
  /* The memory goes with the container; taking it apart piece by piece would only cost time. */
  _Exit(status);
}
