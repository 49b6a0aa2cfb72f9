#include "image/tar/pax.h"

#include "base/text.h"
#include "image/tar/header.h"

namespace fusebox::image::tar {
namespace {

struct Record {
  std::string_view key;
  std::string_view value;
};

// Takes one record off the front of `block`.
base::Result<Record> take_record(std::string_view& block) {
  const std::size_t blank = block.find(' ');
  const auto length = parse_decimal(block.substr(0, blank));
  if (blank == std::string_view::npos || !length)
    return bad_image("the length of a pax record is not a decimal number");
  if (*length > block.size()) return bad_image("a pax record runs past the end of its block");
  if (*length <= blank + 1) return bad_image("the length of a pax record does not cover its own text");
  std::string_view text = block.substr(blank + 1, *length - blank - 1);
  if (!text.ends_with('\n')) return bad_image("a pax record does not end with a line feed");
  text.remove_suffix(1);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return bad_image("the pax record " + base::in_quotes(text) + " has no \"=\"");
  block.remove_prefix(*length);
  return Record{text.substr(0, equals), text.substr(equals + 1)};
}

base::Result<void> apply(const Record& record, TarOverrides& into) {
  if (record.key == "path") {
    into.path = record.value;
  } else if (record.key == "linkpath") {
    into.link = record.value;
  } else if (record.key == "size") {
    into.size = parse_decimal(record.value);
    if (!into.size) return bad_image("the pax size " + base::in_quotes(record.value) + " is not a size");
  } else if (record.key == "mtime") {
    into.modified_ns = parse_pax_time(record.value);  // nonsense: the header's time stays, nothing depends on it
  } else if (record.key.starts_with("GNU.sparse.")) {
    return bad_image("sparse files are not supported");
  }
  return {};
}

}  // namespace

base::Result<void> apply_pax(base::ByteView block, TarOverrides& into) {
  std::string_view rest = base::as_text(block);
  while (!rest.empty()) {
    FB_TRY(const Record record, take_record(rest));
    FB_CHECK(apply(record, into));
  }
  return {};
}

}  // namespace fusebox::image::tar
