/* Values as people read them: what JSON would say, with functions, errors and undefined in their place, and no endless
 * circles. */
#include <string.h>

#include "js.h"

#define DEPTH_MAX 4     /* deeper objects show as [Object] */
#define ENTRIES_MAX 100 /* further ones as "..." */

static JSValue describe_at(JSContext* ctx, JSValueConst value, int depth);

/* Appends `more` to the string `text`; takes both. */
static JSValue joined(JSContext* ctx, JSValue text, JSValue more) {
  if (JS_IsException(text) || JS_IsException(more)) {
    JS_FreeValue(ctx, text);
    JS_FreeValue(ctx, more);
    return JS_EXCEPTION;
  }
  JSValue parts[2] = {text, more};
  JSValue concat = JS_GetPropertyStr(ctx, text, "concat");
  JSValue result = JS_Call(ctx, concat, parts[0], 1, &parts[1]);
  JS_FreeValue(ctx, concat);
  JS_FreeValue(ctx, text);
  JS_FreeValue(ctx, more);
  return result;
}
static JSValue joined_text(JSContext* ctx, JSValue text, const char* more) {
  return joined(ctx, text, JS_NewString(ctx, more));
}

static JSValue describe_function(JSContext* ctx, JSValueConst value) {
  JSValue name = JS_GetPropertyStr(ctx, value, "name");
  if (!JS_IsString(name)) {
    JS_FreeValue(ctx, name);
    return JS_NewString(ctx, "[Function]");
  }
  return joined_text(ctx, joined(ctx, JS_NewString(ctx, "[Function "), name), "]");
}

static JSValue describe_array(JSContext* ctx, JSValueConst value, int depth) {
  int64_t length = 0;
  if (JS_GetLength(ctx, value, &length) != 0) return JS_EXCEPTION;
  JSValue text = JS_NewString(ctx, "[");
  for (int64_t i = 0; i < length && !JS_IsException(text); i++) {
    text = joined_text(ctx, text, i == 0 ? " " : ", ");
    if (i == ENTRIES_MAX) {
      text = joined_text(ctx, text, "...");
      break;
    }
    JSValue entry = JS_GetPropertyUint32(ctx, value, (uint32_t)i);
    text = joined(ctx, text, JS_IsException(entry) ? JS_EXCEPTION : describe_at(ctx, entry, depth + 1));
    JS_FreeValue(ctx, entry);
  }
  return joined_text(ctx, text, length == 0 ? "]" : " ]");
}

static JSValue describe_object(JSContext* ctx, JSValueConst value, int depth) {
  JSPropertyEnum* names;
  uint32_t count;
  if (JS_GetOwnPropertyNames(ctx, &names, &count, value, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) != 0)
    return JS_EXCEPTION;
  JSValue text = JS_NewString(ctx, "{");
  for (uint32_t i = 0; i < count && !JS_IsException(text); i++) {
    text = joined_text(ctx, text, i == 0 ? " " : ", ");
    if (i == ENTRIES_MAX) {
      text = joined_text(ctx, text, "...");
      break;
    }
    text = joined(ctx, text, JS_AtomToString(ctx, names[i].atom));
    text = joined_text(ctx, text, ": ");
    JSValue entry = JS_GetProperty(ctx, value, names[i].atom);
    text = joined(ctx, text, JS_IsException(entry) ? JS_EXCEPTION : describe_at(ctx, entry, depth + 1));
    JS_FreeValue(ctx, entry);
  }
  JS_FreePropertyEnum(ctx, names, count);
  return joined_text(ctx, text, count == 0 ? "}" : " }");
}

static JSValue describe_at(JSContext* ctx, JSValueConst value, int depth) {
  if (JS_IsString(value))
    return depth == 0 ? JS_DupValue(ctx, value) : JS_JSONStringify(ctx, value, JS_UNDEFINED, JS_UNDEFINED);
  if (JS_IsSymbol(value)) {
    JSValue description = JS_GetPropertyStr(ctx, value, "description");
    return joined_text(ctx, joined(ctx, JS_NewString(ctx, "Symbol("), JS_ToString(ctx, description)), ")");
  }
  if (JS_IsBigInt(value)) return joined_text(ctx, JS_ToString(ctx, value), "n");
  if (!JS_IsObject(value) || JS_IsError(value) || JS_IsRegExp(value) || JS_IsDate(value))
    return JS_ToString(ctx, value);
  if (JS_IsFunction(ctx, value)) return describe_function(ctx, value);
  if (depth > DEPTH_MAX) return JS_NewString(ctx, JS_IsArray(value) ? "[Array]" : "[Object]");
  if (JS_IsArray(value) || JS_GetTypedArrayType(value) >= 0) return describe_array(ctx, value, depth);
  return describe_object(ctx, value, depth);
}

JSValue describe(JSContext* ctx, JSValueConst value) {
  return describe_at(ctx, value, 0);
}
