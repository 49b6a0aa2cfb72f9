// Random programs that end: structured code with nested loops, branches of every kind, calls, memory and bulk
// operations.
//
// The same seed gives the same text. Used by the pass's property test and to seed its fuzzer.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace fusebox::engine::testing {

class ProgramGenerator {
 public:
  explicit ProgramGenerator(std::uint32_t seed) : random_(seed) {}

  // Exports `run (i32, i32) -> i32`, `memory` and its import env.host (i32) -> i32.
  std::string module() {
    std::string functions;
    for (int i = kFunctions - 1; i >= 0; --i) functions += function(i);
    return R"((module (import "env" "host" (func $host (param i32) (result i32)))
  (type $binary (func (param i32 i32) (result i32)))
  (type $unary (func (param i32) (result i32)))
  (memory (export "memory") 1 3)
  (table $t 8 funcref)
  (elem (table $t) (i32.const 1) func $f1 $f2 $f3)
  (elem (table $t) (i32.const 6) func $host)
  (elem declare func $host $f1)
  (global $r (mut funcref) (ref.func $host))
  (export "host" (func $host))
  (global $g (mut i32) (i32.const 7))
  (data $d "0123456789abcdefghijklmnopqrstuvwxyz")
)" + functions +
           R"(  (func (export "run") (param i32 i32) (result i32)
    (i32.add (call $f0 (local.get 0) (local.get 1)) (global.get $g))))
)";
  }

 private:
  static constexpr int kFunctions = 4;
  static constexpr int kLocals = 4;

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_()) % n; }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  static std::string text(std::int64_t n) { return std::to_string(n); }

  std::string function(int index) {
    index_ = index;
    labels_.clear();
    counters_ = 0;
    statements_ = 0;
    std::string body = statements(3, 0);
    std::string out = "  (func $f" + text(index) +
                      " (type $binary) (param $0 i32) (param $1 i32) (result i32)\n    (local $2 i32) (local $3 i32)";
    for (int i = 0; i < counters_; ++i) out += " (local $c" + text(i) + " i32)";
    return out + "\n" + body + "    (i32.xor (local.get $2) (local.get $0)))\n";
  }

  std::string local() { return "$" + text(below(kLocals)); }

  std::string expression(int depth) {
    if (depth == 0 || one_in(3)) {
      if (one_in(2)) return "(local.get " + local() + ")";
      return "(i32.const " + text(static_cast<std::int32_t>(below(64)) - 16) + ")";
    }
    const auto two = [&] { return " " + expression(depth - 1) + " " + expression(depth - 1) + ")"; };
    switch (below(15)) {
      case 0:
        return "(i32.add" + two();
      case 1:
        return "(i32.mul" + two();
      case 2:
        return "(i32.xor" + two();
      case 3:
        return "(i32.shr_u" + two();
      case 4:
        return "(i32.lt_s" + two();
      case 5:
        return "(i32.load8_u " + address(depth - 1) + ")";
      case 6:
        return "(i32.load " + address(depth - 1) + ")";
      case 7:
        return "(i32.eqz " + expression(depth - 1) + ")";
      case 8:
        return "(select " + expression(depth - 1) + two();
      case 9:
        return one_in(4) ? "(i32.div_s" + two() : "(i32.rotl" + two();
      case 10:
        return "(i32.wrap_i64 (i64.mul (i64.extend_i32_s " + expression(depth - 1) + ") (i64.const 3)))";
      case 11:
        return "(i32.trunc_sat_f64_s (f64.mul (f64.convert_i32_s " + expression(depth - 1) + ") (f64.const 0.5)))";
      case 12:
        return "(if (result i32) " + expression(depth - 1) + " (then " + expression(depth - 1) + ") (else " +
               expression(depth - 1) + "))";
      case 13:
        return "(i32x4.extract_lane 2 (i32x4.add (i32x4.splat " + expression(depth - 1) +
               ") (v128.const i32x4 1 2 3 4)))";
      default:
        return "(i32.sub" + two();
    }
  }

  // Nearly always inside the memory.
  std::string address(int depth) {
    const char* mask = one_in(40) ? "0x1ffff" : "0x7fff";
    return std::string("(i32.and ") + expression(depth) + " (i32.const " + mask + "))";
  }

  std::string statements(int depth, int loops) {
    std::string out;
    const std::uint32_t count = 1 + below(4);
    for (std::uint32_t i = 0; i < count; ++i) out += "    " + statement(depth, loops) + "\n";
    return out;
  }

  std::string set(const std::string& value) { return "(local.set " + local() + " " + value + ")"; }

  std::string statement(int depth, int loops) {
    if (++statements_ > 60) return "(nop)";
    if (depth > 0 && one_in(2)) {
      switch (below(loops < 3 ? 6 : 3)) {
        case 0:
          return "(if " + expression(2) + " (then\n" + statements(depth - 1, loops) + ") (else\n" +
                 statements(depth - 1, loops) + "))";
        case 1:
          return block(depth, loops);
        case 2:
          return "(if " + expression(1) + " (then\n" + statements(depth - 1, loops) + "))";
        default:
          return loop(depth, loops);
      }
    }
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
        return "(i32.store " + address(1) + " " + expression(2) + ")";
      case 3:
        return "(i32.store8 " + address(1) + " " + expression(2) + ")";
      case 4:
        return branch();
      case 5:
        return branch();
      case 6:
        return call();
      case 7:
        return bulk();
      case 8:
        return one_in(12) ? "(if " + expression(1) + " (then (unreachable)))" : "(global.set $g " + expression(2) + ")";
      case 9:
        return one_in(6) ? "(if " + expression(2) + " (then (return " + expression(1) + ")))" : set(expression(3));
      default:
        return set(expression(3));
    }
  }

  std::string block(int depth, int loops) {
    const std::string label = "$b" + text(next_label_++);
    if (one_in(3)) {
      labels_.push_back({label, true, ""});
      std::string body = statements(depth - 1, loops);
      labels_.pop_back();
      return "(local.set " + local() + " (block " + label + " (result i32)\n" + body + expression(1) + "))";
    }
    labels_.push_back({label, false, ""});
    std::string body = statements(depth - 1, loops);
    labels_.pop_back();
    return "(block " + label + "\n" + body + ")";
  }

  // Ends after a few rounds: each way back counts down.
  std::string loop(int depth, int loops) {
    const std::string label = "$l" + text(next_label_++);
    const std::string counter = "$c" + text(counters_++);
    const std::string again =
        "(i32.gt_s (local.tee " + counter + " (i32.sub (local.get " + counter + ") (i32.const 1))) (i32.const 0))";
    labels_.push_back({label, false, again});
    std::string body = statements(one_in(2) ? 0 : depth - 1, loops + 1);
    labels_.pop_back();
    std::string start = "(local.set " + counter + " (i32.const " + text(1 + below(11)) + "))\n    ";
    if (one_in(4)) {
      return start + "(local.set " + local() + " (loop " + label + " (result i32)\n" + body + "(br_if " + label + " " +
             again + ") " + expression(1) + "))";
    }
    return start + "(loop " + label + "\n" + body + "(br_if " + label + " " + again + "))";
  }

  struct Label {
    std::string name;
    bool has_value;
    std::string again;  // of a loop: what must hold to go back
  };

  std::string branch() {
    if (labels_.empty()) return "(nop)";
    const Label& label = labels_[below(static_cast<std::uint32_t>(labels_.size()))];
    if (!label.again.empty()) return "(br_if " + label.name + " (i32.and " + expression(1) + " " + label.again + "))";
    if (label.has_value) {
      if (one_in(2)) return "(drop (br_if " + label.name + " " + expression(1) + " " + expression(2) + "))";
      return "(if " + expression(1) + " (then (br " + label.name + " " + expression(1) + ")))";
    }
    switch (below(3)) {
      case 0:
        return "(br_if " + label.name + " " + expression(2) + ")";
      case 1:
        return "(if " + expression(2) + " (then (br " + label.name + ")))";
      default:
        return table_branch(label);
    }
  }

  std::string table_branch(const Label& label) {
    const std::string here = "$x" + text(next_label_++);
    return "(block " + here + " (br_table " + here + " " + label.name + " " + here + " " + expression(2) + "))";
  }

  std::string call() {
    if (one_in(3)) return host_call();
    if (index_ == kFunctions - 1) return "(nop)";
    const int callee = index_ + 1 + static_cast<int>(below(static_cast<std::uint32_t>(kFunctions - 1 - index_)));
    if (one_in(2)) return set("(call $f" + text(callee) + " " + expression(1) + " " + expression(1) + ")");
    return set("(call_indirect $t (type $binary) " + expression(1) + " " + expression(1) + " (i32.const " +
               text(callee) + "))");
  }

  // In every way a function can be reached.
  std::string host_call() {
    const auto through = [&](int slot) {
      return set("(call_indirect $t (type $unary) " + expression(1) + " (i32.const " + text(slot) + "))");
    };
    switch (below(6)) {
      case 0:
        return through(6);
      case 1:
        return "(table.set $t (i32.const 7) (ref.func $host)) " + through(7);
      case 2:
        return "(table.set $t (i32.const 7) (global.get $r)) " + through(7);
      default:
        return set("(call $host " + expression(1) + ")");
    }
  }

  std::string bulk() {
    const std::string length =
        one_in(2) ? "(i32.const " + text(below(40)) + ")" : "(i32.and " + expression(1) + " (i32.const 0x3f))";
    switch (below(8)) {
      case 0:
        return "(memory.fill " + address(1) + " " + expression(1) + " " + length + ")";
      case 1:
        return "(memory.copy " + address(1) + " " + address(1) + " " + length + ")";
      case 2:
        return "(memory.init $d " + address(1) + " (i32.const 1) (i32.const " + text(below(38)) + "))";
      case 3:
        return set("(memory.grow (i32.const " + text(below(3)) + "))");
      case 4:
        return set("(table.grow $t (ref.null func) (i32.const " + text(below(9)) + "))");
      case 5:
        return "(table.copy $t $t (i32.const 4) (i32.const 1) (i32.const " + text(below(3)) + "))";
      case 6:
        return set("(memory.size)");
      default:
        return "(table.fill $t (i32.const 4) (ref.null func) (i32.const " + text(below(3)) + "))";
    }
  }

  std::mt19937 random_;
  int index_ = 0;
  int counters_ = 0;
  int next_label_ = 0;
  int statements_ = 0;
  std::vector<Label> labels_;
};

}  // namespace fusebox::engine::testing
