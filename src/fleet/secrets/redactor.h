// Takes secret values out of texts that leave the control plane.
//
// Every byte that is part of any occurrence of any value goes, also where occurrences overlap each other; each run of such
// bytes becomes one `[REDACTED]`. One pass over the text however many values there are.
//
// Owner    keeps the values; wiped when destroyed.
// Threads  immutable; any number of readers.
// Limits   about 20 bytes of memory for each byte of the values (at most 1 MiB of them, contract 5.2).
// Contract control-plane.md 1.5
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fusebox::fleet {

inline constexpr std::size_t kRedactedBytesMin = 4;  // shorter values stand in innocent words

class Redactor {
 public:
  Redactor() : Redactor(std::vector<std::string_view>{}) {}
  explicit Redactor(const std::vector<std::string_view>& values);
  explicit Redactor(const std::map<std::string, std::string>& secrets);  // their values
  ~Redactor();
  Redactor(Redactor&&) noexcept = default;
  Redactor& operator=(Redactor&&) noexcept = default;

  bool empty() const noexcept { return nodes_.size() == 1; }
  std::string redact(std::string_view text) const;

 private:
  // A trie whose nodes know where to go on when a text leaves it (Aho and Corasick, 1975).
  struct Node {
    std::uint32_t first_child = 0;  // 0 = none: the root is nobody's child
    std::uint32_t next_sibling = 0;
    std::uint32_t fallback = 0;  // the longest proper suffix that is in the trie
    std::uint32_t match = 0;     // length of the longest value that ends here
    unsigned char byte = 0;
  };
  void add(std::string_view value);
  void link();
  std::uint32_t child(std::uint32_t node, unsigned char byte) const noexcept;

  std::vector<Node> nodes_;
  std::array<std::uint32_t, 256> first_{};  // children of the root
};

}  // namespace fusebox::fleet
