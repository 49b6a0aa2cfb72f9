#include "fleet/api/frame/live_streams.h"

#include <utility>

namespace fusebox::fleet {

LiveStreams::Entry::Entry(LiveStreams& of, PrincipalPtr principal, std::function<void()> end, Until until)
    : of_(of), principal_(std::move(principal)), end_(std::move(end)), until_(until), at_(of.entries_.size()) {
  of_.entries_.push_back(this);
  if (of_.reached_ && until_ <= *of_.reached_) of_.end(*this);
  of_.arm();
}

LiveStreams::Entry::~Entry() {
  Entry* const last = of_.entries_.back();
  of_.entries_[at_] = last;
  last->at_ = at_;
  of_.entries_.pop_back();
}

LiveStreams::~LiveStreams() {
  if (armed_) executor_.cancel(timer_);
}

void LiveStreams::end(Entry& entry) {
  if (const auto end = std::exchange(entry.end_, {})) end();
}

void LiveStreams::end_all(Until reached) {
  reached_ = reached;
  if (reached == Until::limit && std::exchange(armed_, false)) executor_.cancel(timer_);
  for (Entry* entry : entries_) {
    if (entry->until_ <= reached) end(*entry);
  }
}

void LiveStreams::arm() {
  if (reached_ == Until::limit || std::exchange(armed_, true)) return;
  timer_ = executor_.post_at(executor_.clock().monotonic() + kRecheckSeconds, [this] {
    armed_ = false;
    check_soon();
    if (!entries_.empty()) arm();
  });
}

void LiveStreams::check_soon() {
  again_ = true;
  if (std::exchange(checking_, true)) return;
  base::spawn(executor_, check());
}

base::Task<void> LiveStreams::check() {
  while (std::exchange(again_, false)) {
    std::set<std::string> keys;
    std::set<std::string, std::less<>> logins;  // hashes; of bytes, gcc 12 warns of an overlong comparison
    for (const Entry* entry : entries_) {
      if (entry->principal_->is_key) keys.insert(entry->principal_->id);
      if (!entry->principal_->login_sha256.empty()) logins.emplace(base::as_text(entry->principal_->login_sha256));
    }
    if (keys.empty() && logins.empty()) continue;
    const base::Nanos now = executor_.clock().wall();
    // What the store cannot be asked about is left alone: a store that is gone for a minute ends nobody's stream.
    const auto read = co_await store_.read(executor_, [&](Reader& reader) -> base::Result<void> {
      for (auto key = keys.begin(); key != keys.end();) {
        FB_TRY(const auto row, reader.api_key(*key));
        key = row && is_live(*row, now) ? keys.erase(key) : std::next(key);
      }
      for (auto login = logins.begin(); login != logins.end();) {
        FB_TRY(const auto row, reader.login(base::as_bytes(*login)));
        login = row && is_live(*row, now) ? logins.erase(login) : std::next(login);
      }
      return {};
    });
    if (!read) continue;
    for (Entry* entry : entries_) {
      const Principal& principal = *entry->principal_;
      if ((principal.is_key && keys.contains(principal.id)) || logins.contains(base::as_text(principal.login_sha256)))
        end(*entry);
    }
  }
  checking_ = false;
}

}  // namespace fusebox::fleet
