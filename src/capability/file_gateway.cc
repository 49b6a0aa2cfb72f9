#include "capability/file_gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/crypto.h"
#include "base/json.h"
#include "capability/file_gateway_walk.h"
#include "capability/file_gateway_write.h"
#include "capability/limits.h"
#include "policy/file_match.h"

namespace fusebox::capability {

using base::Errc;
using base::Fd;
using base::Nanos;
using base::Result;

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;  // between two looks at the stop flag
constexpr std::size_t kShownPathBytes = 200;     // of a path the guest chose, in a message

Ruling refuse(std::string reason) {
  return deny(Decision::denied_policy_violation, HostCode::policy_violation, std::move(reason));
}

Ruling over_quota(std::string reason) {
  return deny(Decision::denied_policy_violation, HostCode::limit, std::move(reason));
}

Ruling refuse(policy::PathRefusal refusal) {
  const auto code = static_cast<HostCode>(policy::result_code(refusal));
  const bool by_policy = code == HostCode::policy_violation;
  return deny(by_policy ? Decision::denied_policy_violation : Decision::denied_argument_invalid, code,
              std::string(policy::to_string(refusal)));
}

Result<std::vector<Fd>> open_roots(std::string_view capability, const policy::FileRules& rules,
                                   const std::filesystem::path& base_dir) {
  std::vector<Fd> roots;
  if (!rules.enabled) return roots;
  for (const policy::FileRoot& root : rules.roots) {
    const std::filesystem::path path = base_dir / root.host;
    Fd fd = Fd::adopt(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
      const int saved_errno = errno;
      auto error = base::errno_error(
          std::string(capability) + " root " + root.guest + ": cannot open the directory " + path.string(),
          saved_errno);
      if (saved_errno == ENOENT) error.code = Errc::not_found;
      return base::fail(std::move(error));
    }
    roots.push_back(std::move(fd));
  }
  return roots;
}

}  // namespace

// One fs.read or fs.write.
class FileAccess {
 public:
  FileAccess(const FileGateway& gateway, bool write, std::string_view path, FileUse& use, const GatewayCall& call)
      : gateway_(gateway),
        rules_(write ? *gateway.write_ : *gateway.read_),
        roots_(write ? gateway.write_roots_ : gateway.read_roots_),
        capability_(write ? "fs.write" : "fs.read"),
        path_(path),
        use_(use),
        call_(call),
        start_(gateway.seams_.clock.monotonic()) {}

  GatewayReply read();
  GatewayReply write(base::ByteView data);

 private:
  // Form, rules and counters; a reply when that is the end of it.
  std::optional<GatewayReply> decide(std::uint64_t bytes);
  GatewayReply refused(Ruling ruling);
  GatewayReply failed(HostCode code, std::string_view what);
  GatewayReply failed(const WalkError& error);
  GatewayReply failed(const WriteError& error);
  GatewayReply complete(GatewayReply reply, base::ByteView content);
  GatewayReply bytes_exhausted();
  GatewayReply content_of(int fd);
  std::string about(std::string_view what) const;
  std::string detail() const;
  const policy::FileRoot& root() const { return rules_.roots[target_.root]; }
  PathWalker walker() const { return {roots_[target_.root].get(), root().symlinks, gateway_.kernel_walk_}; }

  const FileGateway& gateway_;
  const policy::FileRules& rules_;
  const std::vector<Fd>& roots_;
  const std::string_view capability_;
  const std::string_view path_;
  FileUse& use_;
  const GatewayCall& call_;
  const Nanos start_;
  policy::FileTarget target_;
  bool acted_ = false;
};

Result<FileGateway> FileGateway::open(const policy::FileRules& read, const policy::FileRules& write,
                                      const std::filesystem::path& base_dir, Seams seams) {
  FileGateway gateway(read, write, seams);
  FB_TRY(gateway.read_roots_, open_roots("fs.read", read, base_dir));
  FB_TRY(gateway.write_roots_, open_roots("fs.write", write, base_dir));
  gateway.kernel_walk_ = seams.walk == PathWalk::automatic && base::kernel_can_walk_beneath();
  return gateway;
}

GatewayReply FileGateway::read(std::string_view path, FileSession& session, const GatewayCall& call) const {
  return FileAccess(*this, false, path, session.read, call).read();
}

GatewayReply FileGateway::write(std::string_view path, base::ByteView data, FileSession& session,
                                const GatewayCall& call) const {
  return FileAccess(*this, true, path, session.write, call).write(data);
}

std::string FileGateway::temporary_name() const {
  std::array<std::byte, 16> random{};
  {
    const std::lock_guard lock(*random_mutex_);
    seams_.random.fill(random);
  }
  return ".fusebox-" + base::to_hex(random) + ".tmp";
}

std::optional<GatewayReply> FileAccess::decide(std::uint64_t bytes) {
  if (call_.stopped()) return failed(HostCode::cancelled, "the execution is being cancelled");
  if (!rules_.enabled)
    return refused(deny(Decision::denied_capability_disabled, HostCode::capability_disabled,
                        std::string(capability_) + " is not enabled"));
  auto target = policy::match_file(rules_, path_);
  if (!target) return refused(refuse(target.error()));
  target_ = std::move(*target);
  if (use_.calls >= rules_.max_calls)
    return refused(
        over_quota("this execution has made the " + std::to_string(rules_.max_calls) + " calls of max_calls"));
  if (use_.bytes > rules_.max_total_bytes || bytes > rules_.max_total_bytes - use_.bytes) return bytes_exhausted();
  call_.tell({}, detail());
  acted_ = true;
  ++use_.calls;
  return std::nullopt;
}

GatewayReply FileAccess::read() {
  if (auto end = decide(0)) return std::move(*end);
  const auto fd = walker().open_file(target_.components);
  if (!fd) return failed(fd.error());
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) return failed({WalkFailure::io, errno});
  if (!S_ISREG(info.st_mode)) return failed({WalkFailure::not_regular, 0});
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > root().max_file_bytes)
    return failed(HostCode::too_large, "the file is larger than " + std::to_string(root().max_file_bytes) + " bytes");
  if (size > rules_.max_total_bytes - use_.bytes) return bytes_exhausted();
  return content_of(fd->get());
}

// Reads to the end, or one byte further than allowed: the file may have grown since it was measured.
GatewayReply FileAccess::content_of(int fd) {
  const std::uint64_t total_left = rules_.max_total_bytes - use_.bytes;
  const std::uint64_t most = std::min({root().max_file_bytes, total_left, kOutputMax});
  GatewayReply reply;
  std::string& content = reply.output;
  while (true) {
    if (call_.stopped()) return failed(HostCode::cancelled, "the execution is being cancelled");
    const std::size_t have = content.size();
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, most + 1 - have));
    content.resize(have + want);
    const ssize_t got = ::read(fd, content.data() + have, want);
    content.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed({WalkFailure::io, errno});
    if (got == 0) break;
    if (content.size() <= most) continue;
    if (most == total_left && total_left < root().max_file_bytes) return bytes_exhausted();
    return failed(HostCode::too_large, "the file is larger than " + std::to_string(most) + " bytes");
  }
  use_.bytes += content.size();
  const std::string_view bytes = content;
  return complete(std::move(reply), base::as_bytes(bytes));
}

GatewayReply FileAccess::write(base::ByteView data) {
  if (auto end = decide(data.size())) return std::move(*end);
  if (data.size() > root().max_file_bytes)
    return failed(HostCode::too_large, "the data has " + std::to_string(data.size()) + " bytes; the limit is " +
                                           std::to_string(root().max_file_bytes));
  use_.files_created.resize(rules_.roots.size());
  std::uint64_t& created = use_.files_created[target_.root];

  std::uint64_t folders_left = FileGateway::kFoldersPerExecutionMax - use_.folders_created;
  const bool may_make_folders = root().mkdirs && root().create && created < root().max_files;
  const auto place = walker().find_place(target_.components, may_make_folders ? &folders_left : nullptr);
  use_.folders_created = FileGateway::kFoldersPerExecutionMax - folders_left;
  if (!place) return failed(place.error());

  WriteRules rules;
  rules.may_create = root().create;
  rules.create_quota_left = created < root().max_files;
  rules.may_overwrite = root().overwrite;
  const auto outcome = replace_file(*place, gateway_.temporary_name(), data, rules, call_.stop);
  if (!outcome) return failed(outcome.error());
  use_.bytes += data.size();
  if (*outcome == Written::created) ++created;
  GatewayReply reply;
  reply.written = data.size();
  return complete(std::move(reply), data);
}

GatewayReply FileAccess::refused(Ruling ruling) {
  call_.tell(ruling, detail());
  GatewayReply reply = denied(std::move(ruling));
  reply.duration = gateway_.seams_.clock.monotonic() - start_;
  return reply;
}

GatewayReply FileAccess::bytes_exhausted() {
  return refused(over_quota("this execution has used up the " + std::to_string(rules_.max_total_bytes) +
                            " bytes of max_total_bytes"));
}

GatewayReply FileAccess::failed(HostCode code, std::string_view what) {
  GatewayReply reply;
  reply.code = code;
  reply.reason = about(what);
  return complete(std::move(reply), {});
}

GatewayReply FileAccess::failed(const WalkError& error) {
  switch (error.what) {
    case WalkFailure::not_found:
      return failed(HostCode::not_found, "no such file");
    case WalkFailure::symlink:
      return refused(refuse(about("there is a symbolic link on the way, and the policy does not allow it")));
    case WalkFailure::leaves_root:
      return refused(refuse(about("a symbolic link leads out of the root")));
    case WalkFailure::not_regular:
      return refused(refuse(about("it is not a regular file")));
    case WalkFailure::no_more_folders:
      return refused(
          over_quota(about("this execution has made " + std::to_string(FileGateway::kFoldersPerExecutionMax) +
                           " folders, the most it may")));
    case WalkFailure::too_deep:
      return failed(HostCode::io, "the folders are nested too deeply");
    case WalkFailure::io:
      break;
  }
  return failed(HostCode::io, base::errno_error("the operating system refuses", error.saved_errno).message);
}

GatewayReply FileAccess::failed(const WriteError& error) {
  switch (error.what) {
    case WriteFailure::not_found:
      return failed(HostCode::not_found, "no such file, and the policy does not allow to create one");
    case WriteFailure::exists:
      return failed(HostCode::exists, "the file exists, and the policy does not allow to overwrite it");
    case WriteFailure::not_regular:
      return refused(refuse(about("it is not a regular file")));
    case WriteFailure::many_links:
      return refused(refuse(about("the file has more than one hard link")));
    case WriteFailure::create_quota:
      return refused(
          over_quota("this execution has created the " + std::to_string(root().max_files) + " files of max_files"));
    case WriteFailure::stopped:
      return failed(HostCode::cancelled, "the execution is being cancelled");
    case WriteFailure::io:
      break;
  }
  return failed(HostCode::io, base::errno_error("the operating system refuses", error.saved_errno).message);
}

GatewayReply FileAccess::complete(GatewayReply reply, base::ByteView content) {
  reply.duration = gateway_.seams_.clock.monotonic() - start_;
  if (!acted_) return reply;
  base::json::Writer out;
  out.begin_object().key("path").string(path_).key("bytes").unsigned_integer(content.size());
  if (reply.ok()) out.key("sha256").string(base::sha256(content).hex());
  out.end_object();
  const std::string object = out.take();
  reply.facts = object.substr(1, object.size() - 2);
  return reply;
}

std::string FileAccess::about(std::string_view what) const {
  const std::string_view shown = base::utf8_prefix(path_, kShownPathBytes);
  return std::string(shown).append(shown.size() < path_.size() ? "...: " : ": ").append(what);
}

std::string FileAccess::detail() const {
  // A path that is no text is not repeated.
  if (!base::is_utf8(path_)) return "{}";
  base::json::Writer out;
  out.begin_object().key("path").string(path_).end_object();
  return out.take();
}

}  // namespace fusebox::capability
