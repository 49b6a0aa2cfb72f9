#include "fleet/engine/boot_material.h"

#include <algorithm>

#include "base/json.h"
#include "base/wipe.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

SealedPlace of_vm(std::string_view vm_id, std::string_view column) {
  return {"orchestrator_vms", vm_id, column};
}
base::Result<std::string> open_text(const Vault& vault, const SealedPlace& place, base::ByteView sealed) {
  FB_TRY(base::Bytes plain, vault.open(sealed, place));
  std::string text(base::as_text(plain));
  base::wipe(plain);
  return text;
}
base::Result<base::SecretText> open_secret(const Vault& vault, const SealedPlace& place, base::ByteView sealed) {
  FB_TRY(std::string text, open_text(vault, place, sealed));
  return base::SecretText(std::move(text));
}
base::Result<base::Bytes> seal_text(const Vault& vault, const SealedPlace& place, const base::SecretText& text) {
  return vault.seal(base::as_bytes(text.view()), place);
}

std::string text_of(const base::json::Node& object, std::string_view key) {
  const auto* found = object.find(key);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

base::SecretText secrets_json(const StringMap& secrets) {
  base::json::Writer out;
  out.begin_object();
  for (const auto& [key, value] : secrets) out.key(key).string(value);
  return base::SecretText(out.end_object().take());
}

}  // namespace

BootMaterial& BootMaterial::operator=(BootMaterial from) noexcept {
  std::swap(request, from.request);
  token.swap(from.token);
  cert_pem.swap(from.cert_pem);
  key_pem.swap(from.key_pem);
  return *this;
}

BootMaterial::~BootMaterial() {
  for (auto& [name, value] : request.secrets) base::wipe(value);
  base::wipe(request.gateway_token);
  base::wipe(token);
  base::wipe(key_pem);
}

base::Result<void> seal_material(Vault& vault, const BootMaterial& material, EnvironmentRow& row) {
  const base::SecretText request(write_create(material.request));
  base::json::Writer out;
  out.begin_object().key("request").raw(request.view());
  out.key("cert_pem").string(material.cert_pem).key("key_pem").string(material.key_pem).end_object();
  FB_TRY(row.boot_sealed, seal_text(vault, of_vm(row.vm_id, "boot_encrypted"), base::SecretText(out.take())));
  FB_TRY(row.auth_token_sealed, vault.seal(base::as_bytes(material.token), of_vm(row.vm_id, "auth_token_encrypted")));
  FB_TRY(row.secrets_sealed,
         seal_text(vault, of_vm(row.vm_id, "secrets_encrypted"), secrets_json(material.request.secrets)));
  return {};
}

base::Result<BootMaterial> open_material(Vault& vault, const EnvironmentRow& row) {
  BootMaterial material;
  FB_TRY(material.token, open_text(vault, of_vm(row.vm_id, "auth_token_encrypted"), row.auth_token_sealed));
  FB_TRY(const base::SecretText boot, open_secret(vault, of_vm(row.vm_id, "boot_encrypted"), row.boot_sealed));
  FB_TRY(const auto document, base::json::parse(boot.view()));
  material.cert_pem = text_of(*document.root, "cert_pem");
  material.key_pem = text_of(*document.root, "key_pem");
  const auto* request = document.root->find("request");
  if (request == nullptr) return base::fail(base::Errc::corrupt, "boot material of " + row.vm_id + " has no request");
  const base::SecretText asked(base::json::canonical(*request));
  FB_TRY(material.request, read_stored_create(asked.view()));
  FB_TRY(const base::SecretText secrets, open_secret(vault, of_vm(row.vm_id, "secrets_encrypted"), row.secrets_sealed));
  FB_TRY(const auto now, base::json::parse(secrets.view()));
  material.request.secrets.clear();
  for (std::size_t i = 0; i < now.root->keys().size(); ++i)
    material.request.secrets.emplace(now.root->keys()[i], now.root->elements()[i].string());
  return material;
}

base::Result<std::string> seal_host_tls(Vault& vault, std::string_view host_id, const HostTls& tls) {
  base::json::Writer out;
  out.begin_object().key("ca_pem").string(tls.ca_pem).key("fingerprint_sha256").string(tls.fingerprint_sha256);
  out.key("client_cert_pem").string(tls.client_cert_pem);
  if (!tls.client_key_pem.empty()) {
    FB_TRY(const base::Bytes sealed,
           vault.seal(base::as_bytes(tls.client_key_pem), {"orchestrator_hosts", host_id, "tls_json"}));
    out.key("client_key_sealed").string(base::to_base64(sealed));
  }
  return out.end_object().take();
}

base::Result<HostTls> open_host_tls(Vault& vault, const HostRow& row) {
  FB_TRY(const auto document, base::json::parse(row.tls_json));
  HostTls tls;
  tls.ca_pem = text_of(*document.root, "ca_pem");
  tls.fingerprint_sha256 = text_of(*document.root, "fingerprint_sha256");
  tls.client_cert_pem = text_of(*document.root, "client_cert_pem");
  if (const std::string sealed = text_of(*document.root, "client_key_sealed"); !sealed.empty()) {
    FB_TRY(const base::Bytes bytes, base::from_base64(sealed));
    FB_TRY(tls.client_key_pem, open_text(vault, {"orchestrator_hosts", row.host_id, "tls_json"}, bytes));
  }
  return tls;
}

base::Result<base::Bytes> seal_host_token(Vault& vault, std::string_view host_id, std::string_view token) {
  return vault.seal(base::as_bytes(token), {"orchestrator_hosts", host_id, "token_encrypted"});
}

base::Result<std::string> open_host_token(Vault& vault, const HostRow& row) {
  if (row.token_sealed.empty()) return std::string();
  return open_text(vault, {"orchestrator_hosts", row.host_id, "token_encrypted"}, row.token_sealed);
}

namespace {

struct SealedColumn {
  std::string_view name;
  base::Bytes EnvironmentRow::* bytes;
};
constexpr SealedColumn kSealedColumns[] = {
    {"boot_encrypted", &EnvironmentRow::boot_sealed},
    {"auth_token_encrypted", &EnvironmentRow::auth_token_sealed},
    {"secrets_encrypted", &EnvironmentRow::secrets_sealed},
};

bool is_outdated_value(const Vault& vault, base::ByteView sealed) noexcept {
  return !sealed.empty() && vault.is_outdated(sealed);
}

}  // namespace

bool is_outdated(const Vault& vault, const EnvironmentRow& row) noexcept {
  return std::ranges::any_of(kSealedColumns,
                             [&](const SealedColumn& column) { return is_outdated_value(vault, row.*column.bytes); });
}

base::Result<void> seal_again(const Vault& vault, EnvironmentRow& row) {
  for (const SealedColumn& column : kSealedColumns) {
    base::Bytes& sealed = row.*column.bytes;
    if (!is_outdated_value(vault, sealed)) continue;
    const SealedPlace place = of_vm(row.vm_id, column.name);
    FB_TRY(base::Bytes plain, vault.open(sealed, place));
    auto again = vault.seal(plain, place);
    base::wipe(plain);
    if (!again) return std::unexpected(std::move(again.error()));
    sealed = std::move(*again);
  }
  return {};
}

bool is_outdated(const Vault& vault, const HostRow& row) {
  if (is_outdated_value(vault, row.token_sealed)) return true;
  if (row.tls_json.empty()) return false;
  const auto document = base::json::parse(row.tls_json);
  if (!document) return false;
  const auto sealed = base::from_base64(text_of(*document->root, "client_key_sealed"));
  return sealed && is_outdated_value(vault, *sealed);
}

base::Result<void> seal_again(Vault& vault, HostRow& row) {
  if (!row.token_sealed.empty()) {
    FB_TRY(const std::string token, open_host_token(vault, row));
    FB_TRY(row.token_sealed, seal_host_token(vault, row.host_id, token));
  }
  if (row.tls_json.empty()) return {};
  FB_TRY(const HostTls tls, open_host_tls(vault, row));
  FB_TRY(row.tls_json, seal_host_tls(vault, row.host_id, tls));
  return {};
}

}  // namespace fusebox::fleet
