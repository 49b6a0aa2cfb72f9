// Why each host would or would not take an environment, and where it would go.
#include "base/json.h"
#include "fleet/engine/create.h"
#include "fleet/engine/host_ops.h"
#include "fleet/engine/placement.h"

namespace fusebox::fleet {
base::Task<base::Result<std::string>> explain_placement(Core& core, CreateRequest request) {
  schedule::Demand demand = demand_of(request);
  if (demand.backend.empty()) demand.backend = default_backend(core, demand);
  count_image(core, demand);
  base::json::Writer out;
  out.begin_object().key("hosts").begin_array();
  for (const schedule::Explanation& one : core.hosts.index().explain(demand)) {
    out.begin_object().key("host_id").string(one.host_id).key("fits").boolean(one.rejection.empty());
    if (one.rejection.empty())
      out.key("score").integer(one.rank.score);
    else
      out.key("reason").string(one.rejection);
    out.end_object();
  }
  out.end_array().key("decision").begin_object();
  const auto choice = choose_place(core, demand);
  if (!choice) {
    out.key("error").string(choice.error().message);
  } else {
    out.key("backend").string(choice->backend.empty() ? "any" : choice->backend);
    if (!choice->host_id.empty()) {
      out.key("host_id").string(choice->host_id);
      core.hosts.release(choice->host_id, schedule::reservation_of(demand, choice->placed));
    }
  }
  co_return out.end_object().end_object().take();
}

}  // namespace fusebox::fleet
