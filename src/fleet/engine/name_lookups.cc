#include "fleet/engine/name_lookups.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fusebox::fleet {
namespace {

constexpr std::size_t kNamesAtOnce = 256;

}  // namespace

base::Task<base::Result<Reader::NameUse>> NameLookups::look_up(std::string vm_id, std::string host_vm_name) {
  Waiting one{.name = {.vm_id = std::move(vm_id), .host_vm_name = std::move(host_vm_name)}, .answer = {}};
  const base::Completion<base::Result<Reader::NameUse>> answer = one.answer;
  waiting_.push_back(std::move(one));
  if (!std::exchange(asking_, true)) jobs_.spawn(ask());
  co_return co_await answer.wait(executor_);
}

base::Task<void> NameLookups::ask() {
  while (!waiting_.empty()) {
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kNamesAtOnce));
    std::vector<Reader::Name> names;
    std::vector<base::Completion<base::Result<Reader::NameUse>>> answers;
    for (auto one = waiting_.begin(); one != end; ++one) {
      names.push_back(std::move(one->name));
      answers.push_back(std::move(one->answer));
    }
    waiting_.erase(waiting_.begin(), end);
    auto uses = co_await store_.get<std::vector<Reader::NameUse>>(
        executor_, [&](Reader& reader) { return reader.name_uses(names); });
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (uses)
        answers[i].set(std::move((*uses)[i]));
      else
        answers[i].set(std::unexpected(uses.error()));
    }
  }
  asking_ = false;
}

}  // namespace fusebox::fleet
