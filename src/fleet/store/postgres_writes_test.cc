#include "fleet/store/postgres_writes.h"

#include <gtest/gtest.h>

namespace fusebox::fleet {
namespace {

constexpr sql::Write kInsert{.table = "things", .types = "ti", .keys = 1, .columns = "id, n"};
constexpr sql::Write kUpdate{.kind = sql::Write::Kind::update,
                             .table = "things",
                             .types = "ti",
                             .keys = 1,
                             .columns = "n = ?2",
                             .rest = "id = ?1"};
constexpr sql::Write kOther{.table = "others", .types = "t", .keys = 1, .columns = "id"};
constexpr sql::Write kAdd{.kind = sql::Write::Kind::update,
                          .table = "sums",
                          .types = "ti",
                          .keys = 1,
                          .columns = "n = n + ?2",
                          .rest = "id = ?1",
                          .additive = true};
constexpr sql::Write kLog{.table = "log", .types = "t", .columns = "line"};
constexpr sql::Write kAll{
    .kind = sql::Write::Kind::update, .table = "things", .types = "i", .alone = true, .text = "x"};

class Queue : public ::testing::Test {
 protected:
  void add(const sql::Write& write, std::initializer_list<sql::Value> values) {
    queue_.add(write, {values.begin(), values.size()}, sql::kNoTicket);
  }
  // "things 2, others 1": tables and rows in the order they will run.
  std::string order() {
    std::string out;
    for (const auto& group : queue_.take()) {
      out += (out.empty() ? "" : ", ") + std::string(group->write->table) + " " + std::to_string(group->rows.size());
    }
    return out;
  }
  WriteQueue queue_;
};

TEST_F(Queue, RowsOfOneKindGoTogether) {
  for (const char* id : {"c", "a", "b"}) {
    add(kInsert, {id, 1});
    add(kOther, {id});
    add(kLog, {id});
  }
  EXPECT_EQ(order(), "log 3, others 3, things 3");
  EXPECT_EQ(order(), "") << "taken once";
}

TEST_F(Queue, RowsAreSortedByTheirKeys) {
  for (const char* id : {"c", "a", "b"}) add(kInsert, {id, 1});
  const auto groups = queue_.take();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0]->rows[0].value(0), "a");
  EXPECT_EQ(groups[0]->rows[2].value(0), "c");
}

TEST_F(Queue, WritesOfOneRowKeepTheirOrder) {
  add(kInsert, {"a", 1});
  add(kUpdate, {"a", 2});
  add(kUpdate, {"a", 3});
  add(kUpdate, {"b", 2});
  add(kInsert, {"b", 1});
  const auto groups = queue_.take();
  ASSERT_EQ(groups.size(), 5u);
  EXPECT_EQ(groups[0]->rows.size() + groups[1]->rows.size(), 2u);
  std::vector<const sql::Write*> of_a, of_b;
  for (const auto& group : groups) {
    for (const WriteRow& row : group->rows) (row.value(0) == "a" ? of_a : of_b).push_back(group->write);
  }
  EXPECT_EQ(of_a, (std::vector<const sql::Write*>{&kInsert, &kUpdate, &kUpdate}));
  EXPECT_EQ(of_b, (std::vector<const sql::Write*>{&kUpdate, &kInsert}));
}

TEST_F(Queue, AdditiveWritesOfOneRowAreMerged) {
  add(kAdd, {"a", 1});
  add(kAdd, {"b", 10});
  add(kAdd, {"a", -5});
  const auto groups = queue_.take();
  ASSERT_EQ(groups.size(), 1u);
  ASSERT_EQ(groups[0]->rows.size(), 2u);
  EXPECT_EQ(groups[0]->rows[0].value(1), std::string("\xff\xff\xff\xff\xff\xff\xff\xfc", 8));
}

TEST_F(Queue, NothingPassesAWriteThatTouchesOtherRows) {
  add(kInsert, {"a", 1});
  add(kAll, {1});
  add(kOther, {"a"});
  add(kInsert, {"a", 1});
  EXPECT_EQ(order(), "things 1, things 1, others 1, things 1");
}

TEST_F(Queue, ArraysAreOfTheServersForm) {
  add(kInsert, {"a", 1});
  add(kInsert, {sql::Value::nothing(), 2});
  const auto groups = queue_.take();
  const std::string array = groups[0]->array(0);
  // one dimension, with NULL, text, two elements from 1; NULL; "a"
  EXPECT_EQ(array, std::string("\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\2\0\0\0\1\xff\xff\xff\xff\0\0\0\1"
                               "a",
                               29));
}

TEST(SqlText, IsMadeForBothDialects) {
  using sql::Dialect;
  EXPECT_EQ(sql::text_of(kInsert, Dialect::sqlite), "INSERT INTO things (id, n) VALUES (?1, ?2) ");
  EXPECT_EQ(sql::text_of(kInsert, Dialect::postgres),
            "INSERT INTO things (id, n) SELECT * FROM unnest($1::text[], $2::int8[]) ");
  EXPECT_EQ(sql::text_of(kUpdate, Dialect::sqlite), "UPDATE things SET n = ?2 WHERE id = ?1");
  EXPECT_EQ(sql::text_of(kUpdate, Dialect::postgres),
            "UPDATE things SET n = v.p2 FROM unnest($1::text[], $2::int8[]) AS v(p1, p2) WHERE id = v.p1");
  EXPECT_EQ(sql::placeholders_for(Dialect::postgres, "a = ?1 AND b ? 'c' AND d = ?12"),
            "a = $1 AND b ? 'c' AND d = $12");
}

}  // namespace
}  // namespace fusebox::fleet
