// The hosts of a fleet, kept in the order a placement tries them, so that a decision does not look at all of them.
//
// Hosts of one class, backend, arch and region stand in one line, best first; those that could take nothing stand in
// none. A decision takes the first of each line that passes every gate. Answers are those of place() (place.h).
//
// Owner    owns its copies of the hosts; pointers from find() die with the next change.
// Threads  one at a time; reading from several at once is fine while nothing changes.
// Limits   a demand that most of a line cannot serve (labels, storage) costs a look at that line: never more than place().
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "fleet/schedule/place.h"
#include "fleet/schedule/types.h"

namespace fusebox::fleet::schedule {

class HostIndex {
 public:
  explicit HostIndex(PlacementPolicy policy) noexcept : policy_(policy) {}

  void upsert(HostView host);  // by id; replaces all that was known
  bool remove(std::string_view id);
  const HostView* find(std::string_view id) const noexcept;
  std::size_t size() const noexcept { return hosts_.size(); }

  // not_found: no such host. Fit is not checked again: place() did.
  base::Result<void> reserve(std::string_view host_id, const Reservation& taken);
  base::Result<void> release(std::string_view host_id, const Reservation& taken);

  Placement place(const Demand& demand) const;
  std::vector<Explanation> explain(const Demand& demand) const;  // ascending by host id

 private:
  enum class Class : std::uint8_t { plain, gpu, suspect };
  struct Entry {
    std::int64_t order = 0;  // ascending is best first
    std::string_view id;     // the host's
    const HostView* host = nullptr;
    bool operator<(const Entry& other) const noexcept {
      return order != other.order ? order < other.order : id < other.id;
    }
  };
  struct Line {
    std::set<Entry> hosts;
    std::size_t members = 0;  // those that stand in it and those too full to
  };
  using LineKey = std::tuple<Class, std::string, std::string, std::string>;  // class, backend, arch, region
  struct Slot {
    HostView host;
    Line* line = nullptr;  // where it stands, or would
    bool in_line = false;
    Entry entry;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  struct Found {
    const HostView* host = nullptr;
    Rank rank;
  };

  Slot* slot(std::string_view id) const noexcept;
  void enter(Slot& slot);
  void leave(Slot& slot);
  void reorder(Slot& slot);
  void count(const HostView& host, std::ptrdiff_t by);
  std::int64_t order_of(const HostView& host) const noexcept;
  void consider(const HostView& host, const Demand& demand, Found& best) const;
  Found best_preferred(const Demand& demand, const std::unordered_set<const HostView*>* image_holders) const;
  void walk(const Line& line, const Demand& demand, bool prefer_image, Found& best) const;
  Refusal refusal(const Demand& demand) const;

  const PlacementPolicy policy_;
  std::unordered_map<std::string, std::unique_ptr<Slot>, Hash, std::equal_to<>> hosts_;
  std::map<LineKey, Line> lines_;
  std::unordered_map<std::string, std::unordered_set<const HostView*>, Hash, std::equal_to<>> image_holders_;
  std::size_t schedulable_ = 0;
  std::size_t gpu_hosts_ = 0;
};

}  // namespace fusebox::fleet::schedule
