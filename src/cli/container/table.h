// Columns of text, each as wide as its widest cell.
//
// Threads  a plain value.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace fusebox::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace fusebox::cli
