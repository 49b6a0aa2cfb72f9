#include "policy/limits.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {

void read_audit(const Source& source, const Node& node, AuditRules& out) {
  ObjectReader reader = source.object(node, "audit");
  read_table(reader, keys::kAudit, out);
  if (const Node* path = reader.optional("path"))
    if (const std::string* text = read_text(source, *path, "path", kPathBytesMax)) out.path = *text;
  if (const Node* key = reader.optional("sign_key"))
    if (const std::string* text = read_text(source, *key, "sign_key", kPathBytesMax)) out.sign_key = *text;
  for (const Node& item : read_list(reader, "redact", kRedactedNamesMax))
    if (const std::string* text = read_text(source, item, "redact", kHeaderNameBytesMax)) out.redact.push_back(*text);
  reader.finish();
}

}  // namespace fusebox::policy::readers
