#include "fleet/engine/snapshot_events.h"

#include "base/json.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {

base::Result<void> tell_environment(Tx& tx, const SnapshotRow& snapshot, std::string_view action) {
  if (snapshot.vm_id.empty()) return {};  // a copy on another host
  FB_TRY(const auto row, tx.environment(snapshot.vm_id));
  if (!row || row->created_at > snapshot.created_at) return {};
  base::json::Writer payload;
  payload.begin_object().key("action").string(action);
  payload.key("snapshot_id").string(snapshot.snapshot_id).end_object();
  tx.append_env_event(snapshot.vm_id, "snapshot", guest_event("snapshot", snapshot.vm_id, payload.text()));
  return {};
}

}  // namespace fusebox::fleet
