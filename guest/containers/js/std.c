/* What scripts find on the global object: print, console, std. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "js.h"
#include "lean.h"

extern char** environ;

static JSValue throw_errno(JSContext* ctx, const char* path) {
  const int error = errno;
  JSValue exception = JS_NewError(ctx);
  struct out message = {.fd = -1};
  out_text(&message, path);
  out_text(&message, ": ");
  out_text(&message, strerror(error));
  JS_DefinePropertyValueStr(ctx, exception, "message", JS_NewStringLen(ctx, message.bytes, message.used),
                            JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  JS_DefinePropertyValueStr(ctx, exception, "errno", JS_NewInt32(ctx, error), JS_PROP_C_W_E);
  return JS_Throw(ctx, exception);
}

static int print_value(JSContext* ctx, JSValueConst value) {
  JSValue text = JS_IsString(value) ? JS_DupValue(ctx, value) : describe(ctx, value);
  size_t size;
  const char* bytes = JS_IsException(text) ? NULL : JS_ToCStringLen(ctx, &size, text);
  JS_FreeValue(ctx, text);
  if (bytes == NULL) return -1;
  print_bytes(bytes, size);
  JS_FreeCString(ctx, bytes);
  return 0;
}

static JSValue js_print(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  for (int i = 0; i < argc; i++) {
    if (i != 0) print_bytes(" ", 1);
    if (print_value(ctx, argv[i]) != 0) return JS_EXCEPTION;
  }
  print_bytes("\n", 1);
  return JS_UNDEFINED;
}

static JSValue js_print_error(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  for (int i = 0; i < argc; i++) {
    JSValue text = JS_IsString(argv[i]) ? JS_DupValue(ctx, argv[i]) : describe(ctx, argv[i]);
    const char* bytes = JS_IsException(text) ? NULL : JS_ToCString(ctx, text);
    JS_FreeValue(ctx, text);
    if (bytes == NULL) return JS_EXCEPTION;
    if (i != 0) print_error(" ");
    print_error(bytes);
    JS_FreeCString(ctx, bytes);
  }
  print_error("\n");
  return JS_UNDEFINED;
}

char* read_file(const char* path, size_t* size) {
  size_t room = 4096;
  size_t used = 0;
  const int fd = open(path, O_RDONLY);
  struct stat info;
  if (fd < 0) return NULL;
  if (fstat(fd, &info) == 0 && info.st_size > 0 && (uint64_t)info.st_size < SIZE_MAX / 4)
    room = (size_t)info.st_size + 2;
  char* bytes = malloc(room);
  for (;;) {
    if (bytes == NULL) {
      errno = ENOMEM;
      break;
    }
    const ssize_t got = read(fd, bytes + used, room - used - 1);
    if (got < 0) break;
    used += (size_t)got;
    if (got == 0) {
      close(fd);
      bytes[used] = '\0';
      *size = used;
      return bytes;
    }
    if (used + 1 == room) {
      char* larger = realloc(bytes, room * 2);
      if (larger == NULL) free(bytes);
      bytes = larger;
      room *= 2;
    }
  }
  const int error = errno;
  free(bytes);
  close(fd);
  errno = error;
  return NULL;
}

/* readFile(path[, "bytes"]): a string, or a Uint8Array. */
static JSValue js_read_file(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  const char* path = JS_ToCString(ctx, argv[0]);
  if (path == NULL) return JS_EXCEPTION;
  bool as_bytes = false;
  if (argc > 1 && !JS_IsUndefined(argv[1])) {
    const char* how = JS_ToCString(ctx, argv[1]);
    as_bytes = how != NULL && strcmp(how, "bytes") == 0;
    JS_FreeCString(ctx, how);
  }
  flush_output();
  size_t size;
  char* bytes = read_file(path, &size);
  JSValue result = bytes == NULL ? throw_errno(ctx, path)
                   : as_bytes    ? JS_NewUint8ArrayCopy(ctx, (const uint8_t*)bytes, size)
                                 : JS_NewStringLen(ctx, bytes, size);
  free(bytes);
  JS_FreeCString(ctx, path);
  return result;
}

static int write_file(const char* path, int flags, const void* bytes, size_t size) {
  const int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
  if (fd < 0) return -1;
  if (write_all(fd, bytes, size) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return close(fd);
}

/* writeFile(path, text or Uint8Array); appendFile the same. */
static JSValue js_write_file(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv, int append) {
  (void)self;
  (void)argc;
  const char* path = JS_ToCString(ctx, argv[0]);
  if (path == NULL) return JS_EXCEPTION;
  size_t size;
  const char* text = NULL;
  const void* bytes =
      JS_GetTypedArrayType(argv[1]) == JS_TYPED_ARRAY_UINT8 ? JS_GetUint8Array(ctx, &size, argv[1]) : NULL;
  if (bytes == NULL) bytes = text = JS_ToCStringLen(ctx, &size, argv[1]);
  JSValue result = JS_UNDEFINED;
  if (bytes == NULL) {
    result = JS_EXCEPTION;
  } else {
    flush_output();
    if (write_file(path, append ? O_APPEND : O_TRUNC, bytes, size) != 0) result = throw_errno(ctx, path);
  }
  JS_FreeCString(ctx, text);
  JS_FreeCString(ctx, path);
  return result;
}

static JSValue js_exit(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  int32_t code = 0;
  if (argc > 0 && JS_ToInt32(ctx, &code, argv[0]) != 0) return JS_EXCEPTION;
  flush_output();
  _Exit(code);
}

/* Milliseconds since 1970, with their fraction. */
static JSValue js_now(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  (void)argc;
  (void)argv;
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return JS_NewFloat64(ctx, (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6);
}

#define SLEEP_MS_MAX 9e15 /* beyond it milliseconds are no longer whole numbers of a double */

static JSValue js_sleep(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  (void)argc;
  double ms;
  if (JS_ToFloat64(ctx, &ms, argv[0]) != 0) return JS_EXCEPTION;
  if (!(ms >= 0 && ms <= SLEEP_MS_MAX)) return JS_ThrowRangeError(ctx, "sleep: milliseconds must be 0 or more");
  flush_output();
  const uint64_t ns = (uint64_t)(ms * 1e6);
  const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
  if (nanosleep(&time, NULL) != 0) return throw_errno(ctx, "sleep");
  return JS_UNDEFINED;
}

/* std.args and std.env are made when they are first asked for. */
static int script_argc;
static char** script_argv;

static JSValue js_args(JSContext* ctx, JSValueConst self) {
  (void)self;
  JSValue args = JS_NewArray(ctx);
  for (int i = 0; i < script_argc; i++) JS_SetPropertyUint32(ctx, args, (uint32_t)i, JS_NewString(ctx, script_argv[i]));
  return args;
}

static JSValue js_env(JSContext* ctx, JSValueConst self) {
  (void)self;
  JSValue env = JS_NewObject(ctx);
  for (char** entry = environ; *entry != NULL; entry++) {
    const char* equals = strchr(*entry, '=');
    if (equals == NULL) continue;
    const JSAtom name = JS_NewAtomLen(ctx, *entry, (size_t)(equals - *entry));
    JS_DefinePropertyValue(ctx, env, name, JS_NewString(ctx, equals + 1), JS_PROP_C_W_E);
    JS_FreeAtom(ctx, name);
  }
  return env;
}

static const JSCFunctionListEntry std_entries[] = {
    JS_CFUNC_DEF("readFile", 1, js_read_file),
    JS_CFUNC_MAGIC_DEF("writeFile", 2, js_write_file, false),
    JS_CFUNC_MAGIC_DEF("appendFile", 2, js_write_file, true),
    JS_CFUNC_DEF("exit", 1, js_exit),
    JS_CFUNC_DEF("now", 0, js_now),
    JS_CFUNC_DEF("sleep", 1, js_sleep),
    JS_CGETSET_DEF("args", js_args, NULL),
    JS_CGETSET_DEF("env", js_env, NULL),
};
static const JSCFunctionListEntry console_entries[] = {
    JS_CFUNC_DEF("log", 1, js_print),         JS_CFUNC_DEF("info", 1, js_print),
    JS_CFUNC_DEF("debug", 1, js_print),       JS_CFUNC_DEF("warn", 1, js_print_error),
    JS_CFUNC_DEF("error", 1, js_print_error),
};
static const JSCFunctionListEntry global_entries[] = {
    JS_CFUNC_DEF("print", 1, js_print),
    JS_OBJECT_DEF("console", console_entries, sizeof console_entries / sizeof console_entries[0],
                  JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE),
    JS_OBJECT_DEF("std", std_entries, sizeof std_entries / sizeof std_entries[0],
                  JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE),
};

int install_globals(JSContext* ctx, int argc, char** argv) {
  script_argc = argc;
  script_argv = argv;
  JSValue global = JS_GetGlobalObject(ctx);
  const int status =
      JS_SetPropertyFunctionList(ctx, global, global_entries, sizeof global_entries / sizeof global_entries[0]);
  JS_FreeValue(ctx, global);
  return status < 0 ? -1 : 0;
}

static JSModuleDef* load_module(JSContext* ctx, const char* name, void* unused) {
  (void)unused;
  size_t size;
  char* source = read_file(name, &size);
  if (source == NULL) {
    throw_errno(ctx, name);
    return NULL;
  }
  JSValue module = JS_Eval(ctx, source, size, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  free(source);
  if (JS_IsException(module)) return NULL;
  JSModuleDef* definition = JS_VALUE_GET_PTR(module);
  JS_FreeValue(ctx, module); /* the context keeps its modules */
  return definition;
}

/* The library's own rule resolves "./" and "../" against the importing module's name. */
void set_loader(JSRuntime* runtime) {
  JS_SetModuleLoaderFunc(runtime, NULL, load_module, NULL);
}
