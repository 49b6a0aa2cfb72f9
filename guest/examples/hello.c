/* The smallest useful guest: greets whoever the input names.
 *
 *   fusebox run hello.wasm --input name.txt        prints "hello, <input>" as a JSON string
 */
#include "femto_support.h"

FEMTO_RUN {
  femto_text answer = femto_text_new(input_length + 16);
  femto_put(&answer, "hello, ");
  femto_put_bytes(&answer, input_length != 0 ? input : "world", input_length != 0 ? input_length : 5);
  return answer.data;
}
