/* The pieces of the JavaScript guest. */
#ifndef FUSEBOX_JS_JS_H
#define FUSEBOX_JS_JS_H

#include <quickjs.h>
#include <stdbool.h>

/* print, console and std on the global object; arguments are what scripts see as std.args. -1: an exception is pending. */
int install_globals(JSContext* ctx, int argc, char** argv);
void set_loader(JSRuntime* runtime);

/* A value as the prompt and console.log show it; strings inside objects are quoted. A JavaScript string or an exception. */
JSValue describe(JSContext* ctx, JSValueConst value);

/* The whole file with a NUL after it, from malloc(), or NULL with errno set. */
char* read_file(const char* path, size_t* size);

/* Runs what promises left to do. False: a job threw; the exception is printed. */
bool run_jobs(JSRuntime* runtime);
void print_exception(JSContext* ctx);
/* Waits for a promise, which modules and top-level await answer with; takes `value`. */
JSValue settled(JSContext* ctx, JSValue value);

/* Evaluates lines of standard input to its end; the prompt is shown when somebody types. */
int run_prompt(JSContext* ctx);

/* Standard output is collected; it goes out at the end, before anything on standard error and before a wait. */
void print_bytes(const char* bytes, size_t size);
void flush_output(void);
void print_error(const char* text);

#endif
