#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
namespace {

// A second spelling of one limit. Both may be given when they agree.
void read_alias(ObjectReader& reader, std::string_view alias, std::string_view name, std::uint64_t min,
                std::uint64_t max, std::uint64_t factor, std::uint64_t& value) {
  const Node* node = reader.optional(alias);
  if (node == nullptr) return;
  const std::size_t problems = reader.problems().count();
  const std::uint64_t given = read_number(reader, alias, min, min, max, Unit::count);
  if (reader.problems().count() != problems) return;
  if (reader.has(name) && value != given * factor) {
    reader.problem(*node,
                   concat({alias, " and ", name, " are two spellings of one limit and differ; give one of them"}));
    return;
  }
  value = given * factor;
}

}  // namespace

void read_limits(const Source& source, const Node& node, Limits& out) {
  ObjectReader reader = source.object(node, "limits");
  read_table(reader, keys::kLimits, out);
  read_alias(reader, "memory_pages_max", "memory_bytes", 1, keys::kMemoryPagesMax, kPageBytes, out.memory_bytes);
  read_alias(reader, "fuel", "ticks", 0, keys::kTicksMax, 1, out.ticks);
  reader.finish();
}

}  // namespace fusebox::policy::readers
