// API keys: made, listed, revoked. A key makes only keys that may do no more than itself.
#include <algorithm>
#include <utility>

#include "base/json.h"
#include "fleet/api/frame/paging.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"
#include "fleet/secrets/tokens.h"

namespace fusebox::fleet::handle {

namespace {

constexpr std::uint32_t kAllKeys = 1'000'000;  // contract 18: no paging unless a limit is given

// As it is answered: with the scopes it has, also when they are the default ones.
std::string key_json(ApiKeyRow row, std::string_view key = {}) {
  row.scopes = scopes_of_key(row.scopes).texts();
  return render_api_key(row, key);
}

bool sees(const Principal& principal, const ApiKeyRow& row) noexcept {
  return principal.tenant.empty() || row.tenant_id == principal.tenant;
}

base::Result<ApiKeyRow> new_row(const Call& call, ApiKeyRequest request, const NewApiKey& key) {
  const Principal& principal = *call.principal;
  ApiKeyRow row;
  row.id = key.id;
  row.key_hash = secret_hash(key.text);
  row.label = std::move(request.label);
  row.tenant_id = std::move(request.tenant_id);
  if (row.tenant_id.empty()) row.tenant_id = principal.tenant;
  row.scopes = std::move(request.scopes);
  row.created_by = principal.id;
  row.created_at = call.services.clock.wall();
  if (request.expires_in_seconds > 0) {
    row.expires_at = row.created_at + std::chrono::seconds{request.expires_in_seconds};
  }
  if (!principal.tenant.empty() && row.tenant_id != principal.tenant) {
    return refuse(403, "tenant_id: a key makes keys of its own tenant only");
  }
  if (!principal.scopes.includes(scopes_of_key(row.scopes))) {
    return refuse(403, "scopes: a key makes keys within its own scopes only");
  }
  return row;
}

// The outcome under an idempotency key, as an operation that is done the moment it begins.
OperationRow finished_operation(const Call& call, const RequestInfo& info, const ApiKeyRow& row) {
  OperationRow operation;
  operation.op_id = new_operation_id(row.created_at, call.services.random);
  operation.kind = "create_key";
  operation.tenant_id = row.tenant_id;
  operation.step = "done";
  operation.state = OperationState::done;
  operation.request_hash = info.body_hash;
  operation.idem_scope = info.caller.principal + ' ' + info.route;
  operation.idem_key = info.idempotency_key;
  operation.response_status = 201;
  operation.response_json = key_json(row);  // never the key itself
  operation.created_at = operation.updated_at = operation.finished_at = row.created_at;
  return operation;
}

EventRow key_event(std::string_view type, std::string_view id, const Call& call) {
  base::json::Writer payload;
  payload.begin_object().key("by").string(call.principal->id).key("request_id").string(call.request_id).end_object();
  return {0, "api_key", std::string(id), std::string(type), payload.take(), call.services.clock.wall()};
}

base::Task<base::Result<std::optional<Reply>>> replayed(Call& call, const RequestInfo& info) {
  if (info.idempotency_key.empty()) co_return std::optional<Reply>{};
  auto found = co_await call.services.store.get<std::optional<OperationRow>>(call.home(), [&info](Reader& reader) {
    return reader.operation_of_key(info.caller.principal + ' ' + info.route, info.idempotency_key);
  });
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) co_return std::optional<Reply>{};
  if ((*found)->request_hash != info.body_hash) {
    co_return refuse(409, "Idempotency-Key: was used with another body");
  }
  Reply reply = json_reply((*found)->response_json, (*found)->response_status);
  reply.headers.push_back({"Idempotency-Replayed", "true"});
  co_return reply;
}

}  // namespace

base::Task<Answer> create_key(Call& call) {
  FB_CO_TRY(ApiKeyRequest request, read_api_key(call.body));
  const RequestInfo info = call.info();
  auto before = co_await replayed(call, info);
  if (!before) co_return std::unexpected(std::move(before.error()));
  if (*before) co_return std::move(**before);
  const NewApiKey key = new_api_key(call.services.random);
  FB_CO_TRY(const ApiKeyRow row, new_row(call, std::move(request), key));
  const auto done = co_await call.services.store.write(call.home(), [&](Tx& tx) -> base::Result<void> {
    if (!info.idempotency_key.empty()) tx.insert_operation(finished_operation(call, info, row));
    tx.insert_api_key(row);
    tx.add_event(key_event("key.created", row.id, call));
    return {};
  });
  if (!done) {
    if (done.error().code != base::Errc::exists || info.idempotency_key.empty()) {
      co_return std::unexpected(done.error());
    }
    auto first = co_await replayed(call, info);  // another request with this key was faster
    if (!first) co_return std::unexpected(std::move(first.error()));
    if (*first) co_return std::move(**first);
    co_return std::unexpected(done.error());
  }
  co_return json_reply(key_json(row, key.text), 201);
}

base::Task<Answer> list_keys(Call& call) {
  FB_CO_TRY(const std::string after, read_cursor(call.text("cursor")));
  const bool paged = call.query.has("limit") || !after.empty();
  const std::uint32_t limit = paged ? page_limit(call.query.get("limit")) : kAllKeys;
  auto rows = co_await call.services.store.get<std::vector<ApiKeyRow>>(
      call.home(), [&](Reader& reader) -> base::Result<std::vector<ApiKeyRow>> {
        if (!after.empty()) {
          FB_TRY(const auto last, reader.api_key(after));
          if (!last || !sees(*call.principal, *last)) return refuse(400, "invalid pagination cursor");
        }
        return reader.api_keys(call.principal->tenant, after, limit + 1);
      });
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  const bool more = rows->size() > limit;
  if (more) rows->resize(limit);
  std::string json = R"({"api_keys":[)";
  for (const ApiKeyRow& row : *rows) {
    if (json.back() != '[') json += ',';
    json += key_json(row);
  }
  json += ']';
  if (more) json.append(R"(,"next_cursor":")").append(write_cursor(rows->back().id)).append("\"");
  json += '}';
  co_return json_reply(std::move(json));
}

base::Task<Answer> revoke_key(Call& call) {
  auto row = co_await call.services.store.get<std::optional<ApiKeyRow>>(
      call.home(), [&call](Reader& reader) { return reader.api_key(call.id()); });
  if (!row) co_return std::unexpected(std::move(row.error()));
  if (!*row || !sees(*call.principal, **row)) co_return refuse(404, "api key not found");
  if ((*row)->revoked_at.count() == 0) {
    FB_CO_CHECK(co_await call.services.store.write(call.home(), [&call](Tx& tx) -> base::Result<void> {
      tx.revoke_api_key(call.id(), call.services.clock.wall());
      tx.add_event(key_event("key.revoked", call.id(), call));
      return {};
    }));
  }
  co_return no_content();
}

}  // namespace fusebox::fleet::handle
