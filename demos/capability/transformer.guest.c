/* One module with two faces, as a bought capability may have: given a JSON document it transforms it, as it is meant to;
 * given a bare word it tries the thing of that name (the list stands in guest/examples/hostile.c). */
#include "femto_support.h"

#undef FEMTO_RUN
#define FEMTO_RUN static const char* transform(const char* input, femto_u32 input_length)
#include "../../guest/examples/json_transform.c"
#undef FEMTO_RUN
#define FEMTO_RUN static const char* attempt(const char* input, femto_u32 input_length)
#include "../../guest/examples/hostile.c"

FEMTO_EXPORT("run") const char* run(const char* input, femto_u32 input_length) {
  const int is_document = input_length != 0 && input[0] == '{';
  return is_document ? transform(input, input_length) : attempt(input, input_length);
}
