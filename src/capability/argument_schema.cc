#include "capability/argument_schema.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "capability/argument_schema_rule.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

using base::json::Kind;
using base::json::Node;
using base::json::ObjectReader;
using base::json::Problems;
using Rule = ArgumentSchema::Rule;

class SchemaReader {
 public:
  SchemaReader(const base::json::Document& document, Problems& problems) : document_(document), problems_(problems) {}

  Rule read(const Node& node, std::size_t depth) {
    Rule rule;
    ObjectReader reader(document_, node, problems_, "argument schema");
    if (!node.is_object()) return rule;
    if (depth == kSchemaDepthMax || ++rules_ > kSchemaNodesMax) {
      reader.problem_here(depth == kSchemaDepthMax
                              ? "schemas nest deeper than " + std::to_string(kSchemaDepthMax)
                              : "more than " + std::to_string(kSchemaNodesMax) + " schemas in one document");
      return rule;
    }
    read_types(reader, rule);
    read_properties(reader, rule, depth);
    rule.required = reader.strings("required", {});
    rule.additional = read_additional(reader, rule, depth);
    if (const Node* const items = reader.optional("items"))
      rule.items = std::make_unique<Rule>(read(*items, depth + 1));
    read_values(reader, rule);
    rule.minimum = read_number(reader, "minimum");
    rule.maximum = read_number(reader, "maximum");
    rule.length_min = read_count(reader, "minLength");
    rule.length_max = read_count(reader, "maxLength");
    rule.items_min = read_count(reader, "minItems");
    rule.items_max = read_count(reader, "maxItems");
    reader.finish();
    return rule;
  }

 private:
  void add_type(ObjectReader& reader, const Node& node, Rule& rule) {
    const std::uint8_t bit = node.is_string() ? schema_type_bit(node.string()) : std::uint8_t{0};
    if (bit == 0) reader.problem(node, "type must be one of null, boolean, integer, number, string, array, object");
    rule.kinds |= bit;
  }

  void read_types(ObjectReader& reader, Rule& rule) {
    const Node* const node = reader.optional("type");
    if (node == nullptr) return;
    if (!node->is_array()) return add_type(reader, *node, rule);
    if (node->elements().empty()) reader.problem(*node, "type must name at least one type");
    for (const Node& element : node->elements()) add_type(reader, element, rule);
  }

  void read_properties(ObjectReader& reader, Rule& rule, std::size_t depth) {
    const Node* const node = reader.optional("properties");
    if (node == nullptr) return;
    if (!node->is_object()) return reader.problem(*node, "properties must be an object");
    for (std::size_t i = 0; i < node->keys().size(); ++i) {
      rule.properties.emplace_back(node->keys()[i], std::make_unique<Rule>(read(node->elements()[i], depth + 1)));
    }
    std::sort(rule.properties.begin(), rule.properties.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  std::unique_ptr<Rule> read_additional(ObjectReader& reader, Rule& rule, std::size_t depth) {
    const Node* const node = reader.optional("additionalProperties");
    if (node == nullptr) return nullptr;
    if (node->kind() == Kind::boolean) {
      rule.additional_allowed = node->boolean();
      return nullptr;
    }
    return std::make_unique<Rule>(read(*node, depth + 1));
  }

  void read_values(ObjectReader& reader, Rule& rule) {
    const Node* const constant = reader.optional("const");
    const Node* const list = reader.optional("enum");
    if (list != nullptr && (!list->is_array() || list->elements().empty()))
      reader.problem(*list, "enum must be a list of at least one value");
    if (constant == nullptr && list == nullptr) return;
    std::vector<std::string> values;
    for (const Node& value : list != nullptr ? list->elements() : std::span<const Node>())
      values.push_back(comparable(value));
    if (constant != nullptr) {
      const std::string only = comparable(*constant);
      const bool possible = list == nullptr || std::find(values.begin(), values.end(), only) != values.end();
      values.clear();
      if (possible) values.push_back(only);
    }
    rule.values = std::move(values);
  }

  std::optional<ExactNumber> read_number(ObjectReader& reader, std::string_view key) {
    const Node* const node = reader.optional(key);
    if (node == nullptr) return std::nullopt;
    if (node->kind() == Kind::integer || node->kind() == Kind::number) return exact_number(*node);
    reader.problem(*node, std::string(key) + " must be a number");
    return std::nullopt;
  }

  std::optional<std::uint64_t> read_count(ObjectReader& reader, std::string_view key) {
    const Node* const node = reader.optional(key);
    if (node == nullptr) return std::nullopt;
    if (!node->as_u64()) reader.problem(*node, std::string(key) + " must be an integer of at least 0");
    return node->as_u64();
  }

  const base::json::Document& document_;
  Problems& problems_;
  std::size_t rules_ = 0;
};

std::string type_names(std::uint8_t kinds) {
  std::string out;
  for (const std::string_view name : kSchemaTypes) {
    if ((kinds & schema_type_bit(name)) == 0) continue;
    if (!out.empty()) out += " or ";
    out += name;
  }
  return out;
}

class Checker {
 public:
  Checker(const std::string& file, Problems& problems) : file_(file), problems_(problems) {}

  // Recursion ends with the schema's depth, which is bounded.
  void check(const Rule& rule, const Node& value) {
    if (problems_.count() >= kSchemaErrorsMax) return;
    if (rule.kinds != 0 && !has_schema_type(value, rule.kinds)) {
      return add(value, "must be " + type_names(rule.kinds) + ", not " + std::string(to_string(value.kind())));
    }
    if (rule.values && std::find(rule.values->begin(), rule.values->end(), comparable(value)) == rule.values->end()) {
      add(value, "is not one of the values allowed");
    }
    switch (value.kind()) {
      case Kind::integer:
      case Kind::number:
        return check_number(rule, value);
      case Kind::string:
        return check_string(rule, value);
      case Kind::array:
        return check_array(rule, value);
      case Kind::object:
        return check_object(rule, value);
      default:
        return;
    }
  }

 private:
  void add(const Node& value, const std::string& message) {
    const std::string where = value.pointer().empty() ? "the arguments" : value.pointer();
    problems_.add({file_, value.location(), value.pointer(), where + ": " + message});
  }

  void check_number(const Rule& rule, const Node& value) {
    const ExactNumber number = exact_number(value);
    if (rule.minimum && number < *rule.minimum) add(value, "is smaller than the minimum");
    if (rule.maximum && number > *rule.maximum) add(value, "is larger than the maximum");
  }

  void check_range(const Node& value, std::uint64_t size, std::optional<std::uint64_t> min,
                   std::optional<std::uint64_t> max, std::string_view unit) {
    if (min && size < *min)
      add(value, "has " + std::to_string(size) + " " + std::string(unit) + ", at least " + std::to_string(*min) +
                     " are required");
    if (max && size > *max)
      add(value, "has " + std::to_string(size) + " " + std::string(unit) + ", at most " + std::to_string(*max) +
                     " are allowed");
  }

  void check_string(const Rule& rule, const Node& value) {
    const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    const auto characters = std::count_if(value.string().begin(), value.string().end(), starts_character);
    check_range(value, static_cast<std::uint64_t>(characters), rule.length_min, rule.length_max, "characters");
  }

  void check_array(const Rule& rule, const Node& value) {
    check_range(value, value.elements().size(), rule.items_min, rule.items_max, "elements");
    if (!rule.items) return;
    for (const Node& element : value.elements()) check(*rule.items, element);
  }

  void check_object(const Rule& rule, const Node& value) {
    for (const std::string& key : rule.required) {
      if (value.find(key) == nullptr) add(value, "lacks " + base::in_quotes(key));
    }
    for (std::size_t i = 0; i < value.keys().size(); ++i) {
      const std::string& key = value.keys()[i];
      const Node& member = value.elements()[i];
      const auto found =
          std::lower_bound(rule.properties.begin(), rule.properties.end(), key,
                           [](const auto& property, const std::string& name) { return property.first < name; });
      if (found != rule.properties.end() && found->first == key) {
        check(*found->second, member);
      } else if (rule.additional) {
        check(*rule.additional, member);
      } else if (!rule.additional_allowed) {
        add(member, "is not an argument of this capability");
      }
    }
  }

  const std::string& file_;
  Problems& problems_;
};

}  // namespace

base::Result<ArgumentSchema> ArgumentSchema::parse(std::string_view json, const std::string& file) {
  base::json::ParseOptions options;
  options.file = file;
  options.bytes_max = kManifestBytesMax;
  Problems problems;
  ArgumentSchema schema;
  const auto document = base::json::parse(json, options, problems);
  if (document) schema = read(*document, *document->root, problems);
  if (!problems.empty()) return base::fail(problems.to_error("MANIFEST_INVALID"));
  return schema;
}

ArgumentSchema ArgumentSchema::read(const base::json::Document& document, const Node& node, Problems& problems) {
  ArgumentSchema schema;
  schema.root_ = std::make_shared<const Rule>(SchemaReader(document, problems).read(node, 0));
  return schema;
}

base::Result<void> ArgumentSchema::validate(std::string_view arguments) const {
  constexpr std::string_view kInvalid = "DENIED_ARGUMENT_INVALID";
  base::json::ParseOptions options;
  options.file = "arguments";
  options.bytes_max = std::numeric_limits<std::uint32_t>::max();  // limits.input_bytes was enforced before
  Problems problems;
  const auto document = base::json::parse(arguments, options, problems);
  if (document && root_ != nullptr) Checker(document->file, problems).check(*root_, *document->root);
  if (problems.empty()) return {};
  base::Error error = problems.to_error(kInvalid);
  error.code = base::Errc::denied;
  return base::fail(std::move(error));
}

}  // namespace fusebox::capability
