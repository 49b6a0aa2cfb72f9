#include "capability/audit.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "base/json.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

constexpr int kSpins = 64;  // a lock here is held for about as long as a system call to wait for it would take

std::unique_lock<std::mutex> lock_after_spinning(std::mutex& mutex) {
  std::unique_lock lock(mutex, std::try_to_lock);
  for (int i = 0; i < kSpins && !lock.owns_lock(); ++i) {
    __builtin_ia32_pause();
    lock.try_lock();
  }
  if (!lock.owns_lock()) lock.lock();
  return lock;
}

std::string torn_detail(std::uint64_t bytes) {
  return base::json::Writer()
      .begin_object()
      .key("reason")
      .string("torn_line")
      .key("bytes")
      .unsigned_integer(bytes)
      .end_object()
      .take();
}

std::string dropped_text(std::uint64_t count, base::Nanos first, base::Nanos last) {
  base::json::Writer out;
  out.begin_object().key("reason").string("write_failed").key("dropped").unsigned_integer(count);
  out.key("first").string(base::format_rfc3339(first)).key("last").string(base::format_rfc3339(last));
  return out.end_object().take();
}

std::string removed_text(std::uint64_t through_seq) {
  return base::json::Writer()
      .begin_object()
      .key("reason")
      .string("max_files")
      .key("removed_through")
      .unsigned_integer(through_seq)
      .end_object()
      .take();
}

}  // namespace

base::Result<AuditOptions> audit_options(const policy::AuditRules& rules, const std::filesystem::path& base_dir) {
  AuditOptions options;
  if (!rules.path.empty()) options.path = base_dir / rules.path;
  options.max_file_bytes = rules.max_file_bytes;
  options.on_failure = rules.on_failure;
  options.redact = rules.redact;
  if (!rules.sign_key.empty()) {
    const std::filesystem::path file = base_dir / rules.sign_key;
    FB_TRY(const std::string seed, base::within("audit.sign_key", base::read_file(file, 4096)));
    auto key = base::Ed25519Key::from_seed(base::as_bytes(seed));
    if (!key) {
      return base::fail(base::Errc::invalid, "audit.sign_key: " + file.string() + " has " +
                                                 std::to_string(seed.size()) + " bytes; an Ed25519 seed has 32");
    }
    options.sign_key = std::move(*key);
  }
  return options;
}

AuditLog::AuditLog(AuditOptions options, const base::Clock& clock)
    : clock_(clock),
      path_(std::move(options.path)),
      max_files_(std::max<std::uint64_t>(options.max_files, 2)),
      on_failure_(options.on_failure),
      redactor_(options.redact),
      sign_key_(std::move(options.sign_key)),
      file_(path_, options.max_file_bytes) {
  if (sign_key_) key_id_ = sign_key_->public_key().id();
}

AuditLog::~AuditLog() {
  if (!path_.empty()) (void)close();  // what is in memory ends here, chained or not
}

void AuditLog::append(const AuditRecord& record) {
  const base::Nanos wall = clock_.wall();
  const base::Nanos mono = clock_.monotonic();
  bool queued = enqueue(record, wall, mono);
  while (!queued) {
    {
      const auto lock = lock_after_spinning(commit_mutex_);
      if (!commit()) break;
    }
    queued = enqueue(record, wall, mono);  // others may have taken the room that was made
  }
  if (queued) return;
  const std::lock_guard lock(state_mutex_);
  if (dropped_.count++ == 0) dropped_.first = wall;
  dropped_.last = wall;
}

bool AuditLog::enqueue(const AuditRecord& record, base::Nanos wall, base::Nanos mono) {
  // A thread that changes processors in between only takes a lock that another one may want.
  Queue& queue = queues_[static_cast<std::size_t>(std::max(0, ::sched_getcpu())) % kAuditQueues];
  bool commit_now = false;
  {
    const auto lock = lock_after_spinning(queue.mutex);
    // With the lock held: whoever takes all queues at once then has every number below the largest one it finds.
    const std::uint64_t number = arrived_.fetch_add(1);
    if (number - left_.load() >= kAuditQueueRecords) {
      left_.fetch_add(1);
      return false;
    }
    Arrivals& arrivals = queue.arrivals;
    if (arrivals.records.size() == arrivals.count) arrivals.records.emplace_back();
    Arrival& arrival = arrivals.records[arrivals.count++];
    arrival.number = number;
    format_pending(record, wall, mono, arrival.record);
    commit_now = arrivals.count == kAuditBatchRecords;
  }
  if (commit_now) (void)flush();
  return true;
}

std::uint64_t AuditLog::waiting() const noexcept {
  const std::uint64_t left = left_.load();  // first: it never overtakes the other
  return arrived_.load() - left;
}

base::Result<void> AuditLog::flush() {
  if (path_.empty()) {
    if (waiting() < kAuditLazyRecords) return {};
    // Whoever holds the lock takes these records too, or a later flush does; nothing outside the process waits for
    // them.
    std::unique_lock lock(commit_mutex_, std::try_to_lock);
    return lock.owns_lock() ? commit() : base::Result<void>{};
  }
  const std::lock_guard lock(commit_mutex_);
  return commit();
}

base::Result<void> AuditLog::admit() {
  if (on_failure_ == policy::OnAuditFailure::keep_going || path_.empty()) return {};
  const std::lock_guard lock(commit_mutex_);
  if (!failing_.load() && opened_) return {};
  auto result = open_file();
  file_.unlock();
  publish(result);
  if (result) result = commit();
  if (result) return {};
  return base::fail(base::Errc::unavailable,
                    "nothing may run while the audit log cannot be written: " + result.error().message,
                    "AUDIT_UNAVAILABLE");
}

base::Result<AuditHead> AuditLog::head() {
  const std::lock_guard lock(commit_mutex_);
  FB_CHECK(commit());
  if (!path_.empty()) {
    FB_CHECK(open_file());
    file_.unlock();
  }
  return chain_.head();
}

base::Result<void> AuditLog::query(const AuditFilter& filter, const AuditLineSink& sink) {
  if (!path_.empty()) {
    (void)flush();  // what is in the file can be read even while it cannot be written
    return audit_query(path_, filter, sink);
  }
  const AuditMatcher matcher(filter);
  std::vector<std::string> found;
  {
    const std::lock_guard lock(commit_mutex_);
    FB_CHECK(commit());
    const std::size_t oldest = ring_.size() < kAuditRingRecords ? 0 : ring_next_;
    for (std::size_t i = 0; i < ring_.size(); ++i) {
      const std::string& line = ring_[(oldest + i) % ring_.size()];
      FB_TRY(const AuditLine parsed, parse_audit_line(line));
      if (matcher.matches(parsed)) found.push_back(line);
    }
  }
  for (const std::string& line : found) {
    if (!sink(line)) break;
  }
  return {};
}

base::Result<void> AuditLog::close() {
  const std::lock_guard lock(commit_mutex_);
  FB_CHECK(commit());
  if (since_checkpoint_ == 0) return {};
  if (!path_.empty()) FB_CHECK(open_file());
  out_.clear();
  chained_ = batch_.done;
  auto result = make_room(kAuditCheckpointBytesMax + kAuditRemovalBytesMax);
  if (result) result = chain_checkpoint(clock_.wall(), clock_.monotonic());
  if (result) result = write_out();
  if (result && !path_.empty()) result = file_.sync();
  file_.unlock();
  publish(result);
  return result;
}

AuditStatus AuditLog::status() const {
  const std::lock_guard lock(state_mutex_);
  return {failing_.load(), failure_, waiting(), dropped_.count};
}

std::uint64_t AuditLog::take_batch() {
  if (batch_.left() == 0) take_arrivals();
  const std::lock_guard lock(state_mutex_);
  return batch_.left() + dropped_.count;
}

void AuditLog::take_arrivals() {
  batch_.records.clear();
  batch_.done = 0;
  for (Arrivals& taken : taken_) {
    taken.count = 0;
    // What a rush needed is not kept.
    if (taken.records.size() > kAuditLazyRecords) taken.records.resize(kAuditLazyRecords);
  }
  {
    // All at once: a record that arrived after another may not be in this batch while that one is left for the next.
    std::array<std::unique_lock<std::mutex>, kAuditQueues> locks;
    for (std::size_t i = 0; i < kAuditQueues; ++i) locks[i] = lock_after_spinning(queues_[i].mutex);
    for (std::size_t i = 0; i < kAuditQueues; ++i) {
      if (queues_[i].arrivals.count != 0) std::swap(taken_[i], queues_[i].arrivals);
    }
  }
  for (const Arrivals& taken : taken_) {
    for (std::size_t i = 0; i < taken.count; ++i) batch_.records.push_back(&taken.records[i]);
  }
  std::ranges::sort(batch_.records, {}, &Arrival::number);
}

base::Result<void> AuditLog::commit() {
  const bool waited = batch_.left() != 0;
  if (take_batch() == 0) return {};
  base::Result<void> result;
  if (!path_.empty()) result = open_file();
  if (result) result = chain_all(waited);
  file_.unlock();
  publish(result);
  return result;
}

base::Result<void> AuditLog::chain_all(bool waited) {
  out_.clear();
  chained_ = batch_.done;
  if (torn_bytes_ != 0) {
    FB_CHECK(chain_gap(torn_detail(torn_bytes_)));
    FB_CHECK(write_out());
    torn_bytes_ = 0;
  }
  FB_CHECK(chain_batch());
  if (waited) {  // more was appended while this batch waited for the file
    take_batch();
    FB_CHECK(chain_batch());
  }
  return chain_dropped();
}

base::Result<void> AuditLog::open_file() {
  FB_CHECK(file_.lock(chain_));
  opened_ = true;
  torn_bytes_ += file_.take_torn_bytes();
  return {};
}

base::Result<void> AuditLog::chain_batch() {
  for (chained_ = batch_.done; chained_ < batch_.records.size(); ++chained_) {
    FB_CHECK(chain(batch_.records[chained_]->record));
  }
  return write_out();
}

base::Result<void> AuditLog::chain_dropped() {
  Dropped told;
  {
    const std::lock_guard lock(state_mutex_);
    told = dropped_;
  }
  if (told.count == 0) return {};
  FB_CHECK(chain_gap(dropped_text(told.count, told.first, told.last)));
  FB_CHECK(write_out());
  const std::lock_guard lock(state_mutex_);
  dropped_.count -= told.count;
  dropped_.first = told.last;
  return {};
}

PendingRecord AuditLog::gap_record(const std::string& detail) const {
  PendingRecord gap;
  format_pending({.type = AuditType::audit_gap, .component = "audit", .detail = detail}, clock_.wall(),
                 clock_.monotonic(), gap);
  return gap;
}

base::Result<void> AuditLog::chain_gap(const std::string& detail) {
  return chain(gap_record(detail));
}

base::Result<void> AuditLog::chain(const PendingRecord& record) {
  // First of all: while a file is replaced, others may write, and what is chained next is no longer what it was.
  // What a rotation has to say is always left room for.
  FB_CHECK(make_room(AuditChain::line_bytes_max(record) + kAuditCheckpointBytesMax + kAuditRemovalBytesMax));
  return chain_here(record);
}

base::Result<void> AuditLog::chain_here(const PendingRecord& record) {
  if ((chain_.head().seq + 1) % kAuditCheckpointEvery == 0) FB_CHECK(chain_checkpoint(record.wall, record.mono));
  chain_line(record);
  ++since_checkpoint_;
  return {};
}

base::Result<void> AuditLog::make_room(std::size_t bytes) {
  if (path_.empty() || !file_.full_with(out_.size(), bytes)) return {};
  return rotate();
}

// That files go is the last record of the full one, and on the disk before they do: who verifies the log can tell
// records that were let go of from records somebody took away.
base::Result<void> AuditLog::rotate() {
  FB_TRY(const AuditFile::Surplus surplus, file_.surplus(max_files_));
  if (!surplus.files.empty()) FB_CHECK(chain_here(gap_record(removed_text(surplus.through_seq))));
  FB_CHECK(write_out());
  FB_CHECK(file_.sync());
  AuditFile::remove(surplus);
  return file_.rotate(chain_);
}

base::Result<void> AuditLog::chain_checkpoint(base::Nanos wall, base::Nanos mono) {
  const AuditHead head = chain_.head();
  base::json::Writer detail;
  detail.begin_object().key("count").unsigned_integer(head.seq).key("head").string(head.hash.hex());
  if (sign_key_) {
    FB_TRY(const base::Ed25519Signature signature, sign_key_->sign(head.hash.view()));
    detail.key("key_id").string(key_id_).key("signature").string(base::to_base64(signature.bytes));
  }
  detail.end_object();
  PendingRecord checkpoint;
  format_pending({.type = AuditType::checkpoint, .component = "audit", .detail = detail.text()}, wall, mono,
                 checkpoint);
  chain_line(checkpoint);
  since_checkpoint_ = 0;
  return {};
}

void AuditLog::chain_line(const PendingRecord& record) {
  if (!path_.empty()) return chain_.append_line(record, out_);
  if (ring_.size() < kAuditRingRecords) ring_.emplace_back();
  std::string& line = ring_[ring_next_];
  ring_next_ = (ring_next_ + 1) % kAuditRingRecords;
  line.clear();
  chain_.append_line(record, line);
  line.pop_back();
}

base::Result<void> AuditLog::write_out() {
  if (!out_.empty()) FB_CHECK(file_.append(out_));
  out_.clear();
  left_.fetch_add(chained_ - batch_.done);
  batch_.done = chained_;
  return {};
}

void AuditLog::publish(const base::Result<void>& result) {
  const std::lock_guard lock(state_mutex_);
  failing_ = !result;
  failure_ = result ? std::string() : result.error().message;
}

}  // namespace fusebox::capability
