/* A capability that does a whole job: reads a JSON document, asks an HTTP service about it, writes a file, returns JSON.
 *
 * Input   {"name": "...", "url": "...", "path": "..."}
 *         `url` is fetched with GET; `path` (optional) is where the combined document is written.
 * Result  {"name": "...", "status": 200, "answer": ..., "written": bytes}
 *         or {"error": {last error of the host}} when the host refused or failed.
 * Needs   http.request; fs.write when `path` is given; log is used when there.
 */
#include "femto_support.h"

enum { kFirstBufferBytes = 4096, kDocumentBytes = 64 * 1024 };

static const char* failed(const char* step) {
  femto_text answer = femto_text_new(kFirstBufferBytes);
  char* error = (char*)femto_alloc(kFirstBufferBytes);
  const femto_i32 length = femto_last_error(error, kFirstBufferBytes);
  femto_put(&answer, "{\"step\":");
  femto_put_json(&answer, step, femto_length(step));
  femto_put(&answer, ",\"error\":");
  if (length > 0 && length <= kFirstBufferBytes)
    femto_put_bytes(&answer, error, (femto_size)length);
  else
    femto_put(&answer, "null");
  femto_put(&answer, "}");
  return answer.data;
}

/* The whole response, however long: the second part comes from the host's buffer, not from a second request. */
static femto_slice request(femto_slice url) {
  femto_slice response = {0, 0};
  femto_text ask = femto_text_new(url.length * 6 + 64);
  femto_put(&ask, "{\"method\":\"GET\",\"url\":");
  femto_put_json(&ask, url.data, url.length);
  femto_put(&ask, "}");
  char* buffer = (char*)femto_alloc(kFirstBufferBytes);
  const femto_i32 total = femto_http_request(ask.data, ask.length, buffer, kFirstBufferBytes);
  if (total < 0) return response;
  if (total > kFirstBufferBytes) {
    buffer = (char*)femto_alloc((femto_u32)total);
    if (buffer == 0 || femto_buffer_read(0, buffer, (femto_u32)total) != total) return response;
  }
  response.data = buffer;
  response.length = (femto_u32)total;
  return response;
}

FEMTO_RUN {
  const femto_slice document = {input, input_length};
  femto_text scratch = femto_text_new(kFirstBufferBytes);
  const femto_slice name = femto_json_member(document, "name");
  const femto_slice url = femto_json_string(femto_json_member(document, "url"), &scratch);
  const femto_slice path = femto_json_string(femto_json_member(document, "path"), &scratch);
  femto_say(FEMTO_INFO, "transforming a document");

  const femto_slice response = request(url);
  if (response.data == 0) return failed("http.request");
  const femto_slice status = femto_json_member(response, "status");
  femto_text body_text = femto_text_new(response.length + 1);
  const femto_slice body = femto_json_string(femto_json_member(response, "body"), &body_text);
  const int is_json = body.length != 0 && (body.data[0] == '{' || body.data[0] == '[');

  femto_text answer = femto_text_new(kDocumentBytes);
  femto_put(&answer, "{\"name\":");
  if (name.length != 0)
    femto_put_bytes(&answer, name.data, name.length);
  else
    femto_put(&answer, "null");
  femto_put(&answer, ",\"status\":");
  femto_put_bytes(&answer, status.data, status.length);
  femto_put(&answer, ",\"answer\":");
  if (is_json)
    femto_put_bytes(&answer, body.data, body.length);
  else
    femto_put_json(&answer, body.data, body.length);
  femto_put(&answer, "}");
  if (answer.full) return "{\"step\":\"answer\",\"error\":\"the answer is too long\"}";
  if (path.length == 0) return answer.data;

  const femto_i32 written = femto_fs_write(path.data, path.length, answer.data, answer.length);
  if (written < 0) return failed("fs.write");
  answer.length -= 1; /* the closing brace makes room for one more member */
  femto_put(&answer, ",\"written\":");
  femto_put_number(&answer, written);
  femto_put(&answer, "}");
  return answer.data;
}
