// One function per route: what it does once the frame has let the call through.
//
// Threads  the call's loop.
// Errors   as the API answers them (api_error.h).
#pragma once

#include "fleet/api/frame/call.h"

namespace fusebox::fleet {

RouteHandler handler_of(RouteId id) noexcept;

namespace handle {

base::Task<Answer> health(Call& call);
base::Task<Answer> ready(Call& call);
base::Task<Answer> version(Call& call);
base::Task<Answer> metrics(Call& call);
base::Task<Answer> openapi_json(Call& call);
base::Task<Answer> openapi_yaml(Call& call);
base::Task<Answer> login(Call& call);
base::Task<Answer> logout(Call& call);

base::Task<Answer> list_environments(Call& call);
base::Task<Answer> create_environment(Call& call);
base::Task<Answer> get_environment(Call& call);
base::Task<Answer> delete_environment(Call& call);
base::Task<Answer> drain_environment(Call& call);
base::Task<Answer> rotate_token(Call& call);
base::Task<Answer> fork_environment(Call& call);
base::Task<Answer> migrate_environment(Call& call);
base::Task<Answer> put_secrets(Call& call);
base::Task<Answer> exec(Call& call);
base::Task<Answer> exec_stream(Call& call);
base::Task<Answer> attach(Call& call);
base::Task<Answer> read_file(Call& call);
base::Task<Answer> write_file(Call& call);
base::Task<Answer> remove_file(Call& call);
base::Task<Answer> logs(Call& call);
base::Task<Answer> computer_action(Call& call);
base::Task<Answer> computer_display(Call& call);
base::Task<Answer> computer_stream(Call& call);
base::Task<Answer> events(Call& call);

base::Task<Answer> create_snapshot(Call& call);
base::Task<Answer> list_snapshots(Call& call);
base::Task<Answer> resolve_snapshot(Call& call);
base::Task<Answer> get_snapshot(Call& call);
base::Task<Answer> restore_snapshot(Call& call);
base::Task<Answer> fork_snapshot(Call& call);
base::Task<Answer> delete_snapshot(Call& call);

base::Task<Answer> register_host(Call& call);
base::Task<Answer> explain(Call& call);
base::Task<Answer> list_hosts(Call& call);
base::Task<Answer> get_host(Call& call);
base::Task<Answer> cordon_host(Call& call);
base::Task<Answer> uncordon_host(Call& call);
base::Task<Answer> drain_host(Call& call);
base::Task<Answer> heartbeat(Call& call);
base::Task<Answer> remove_host(Call& call);

base::Task<Answer> create_key(Call& call);
base::Task<Answer> list_keys(Call& call);
base::Task<Answer> revoke_key(Call& call);

base::Task<Answer> list_operations(Call& call);
base::Task<Answer> get_operation(Call& call);
base::Task<Answer> audit(Call& call);
base::Task<Answer> list_dead_letters(Call& call);
base::Task<Answer> acknowledge_dead_letter(Call& call);

}  // namespace handle
}  // namespace fusebox::fleet
