#include <algorithm>

#include "engine/limits.h"
#include "engine/meter.h"
#include "engine/wasm/reader.h"
#include "engine/wasm/writer.h"

namespace fusebox::engine {
namespace {

// docs/ticks.md, "The map": differences of ascending offsets, as LEB128.
constexpr std::string_view kMagic = "FBMM";
constexpr std::uint32_t kFormat = 1;
constexpr std::uint32_t kEntriesMax = static_cast<std::uint32_t>(kMeteredBytesMax);

// The last entry of `list` whose `at` is at or before `offset`, or null.
template <class T>
const T* at_or_before(const std::vector<T>& list, std::uint64_t offset, std::uint32_t T::* at) noexcept {
  const auto after =
      std::ranges::upper_bound(list, offset, {}, [at](const T& entry) { return std::uint64_t{entry.*at}; });
  return after == list.begin() ? nullptr : &*(after - 1);
}

// Reads ascending offsets; the first may be anything, later ones must be larger.
class Ascending {
 public:
  explicit Ascending(wasm::Reader& in) : in_(in) {}
  std::uint32_t next() {
    const std::uint64_t place = in_.offset();
    const std::uint64_t value = last_ + in_.u32() + (first_ ? 0 : 1);
    first_ = false;
    if (value > kMeteredBytesMax) in_.fail(base::Errc::corrupt, "meter map: offset beyond any module", place);
    last_ = value;
    return static_cast<std::uint32_t>(value);
  }

 private:
  wasm::Reader& in_;
  std::uint64_t last_ = 0;
  bool first_ = true;
};

class Differences {
 public:
  explicit Differences(wasm::Writer& out) : out_(out) {}
  void next(std::uint32_t value) {
    out_.u32(value - last_ - (first_ ? 0 : 1));
    first_ = false;
    last_ = value;
  }

 private:
  wasm::Writer& out_;
  std::uint32_t last_ = 0;
  bool first_ = true;
};

void read_refunds(wasm::Reader& in, MeterMap& map) {
  const std::uint32_t count = in.count(kEntriesMax, "refunds");
  Ascending begins(in);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t place = in.offset();
    MeterMap::Refund refund;
    refund.begin = begins.next();
    refund.end =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{refund.begin} + in.u32(), kMeteredBytesMax));
    const std::uint64_t ticks = in.u64();
    if (ticks == 0 || ticks > static_cast<std::uint64_t>(kTicksMax))
      in.fail(base::Errc::corrupt, "meter map: refund of no sense", place);
    if (!map.refunds.empty() && map.refunds.back().end > refund.begin) {
      in.fail(base::Errc::corrupt, "meter map: refunds overlap", place);
    }
    refund.ticks = static_cast<std::int64_t>(ticks);
    if (in.ok()) map.refunds.push_back(refund);
  }
}

}  // namespace

bool MeterMap::is_check(std::uint64_t rewritten_offset) const noexcept {
  const Check* found = at_or_before(checks, rewritten_offset, &Check::offset);
  return found != nullptr && rewritten_offset - found->offset < Check::kBytes;
}

std::int64_t MeterMap::refund_at(std::uint64_t rewritten_offset) const noexcept {
  const Refund* found = at_or_before(refunds, rewritten_offset, &Refund::begin);
  return found != nullptr && rewritten_offset < found->end ? found->ticks : 0;
}

std::uint64_t MeterMap::original_offset(std::uint64_t rewritten_offset) const noexcept {
  // What the engine says of a frame whose place the compiler did not keep. No module is that large.
  if (rewritten_offset > UINT32_MAX) return 0;
  const Origin* found = at_or_before(origins, rewritten_offset, &Origin::rewritten);
  if (found == nullptr) return 0;
  return found->inserted ? found->original : found->original + (rewritten_offset - found->rewritten);
}

base::Bytes MeterMap::encode() const {
  wasm::Writer out;
  out.bytes(base::as_bytes(kMagic));
  out.u32(kFormat);
  out.u32(checks.size());
  Differences check_offsets(out);
  for (const Check& check : checks) check_offsets.next(check.offset);
  out.u32(refunds.size());
  Differences begins(out);
  for (const Refund& refund : refunds) {
    begins.next(refund.begin);
    out.u32(refund.end - refund.begin);
    out.u32(static_cast<std::uint64_t>(refund.ticks));
  }
  out.u32(origins.size());
  Differences rewritten(out);
  for (const Origin& origin : origins) {
    rewritten.next(origin.rewritten);
    out.u32(std::uint64_t{origin.original} << 1 | (origin.inserted ? 1 : 0));
  }
  return out.take();
}

base::Result<MeterMap> MeterMap::decode(base::ByteView bytes) {
  MeterMap map;
  wasm::Reader in(bytes);
  if (base::as_text(in.bytes(kMagic.size())) != kMagic || in.u32() != kFormat) {
    in.fail(base::Errc::corrupt, "not a meter map of this version", 0);
  }
  const std::uint32_t checks = in.count(kEntriesMax, "checks");
  Ascending check_offsets(in);
  for (std::uint32_t i = 0; i < checks && in.ok(); ++i) map.checks.push_back({check_offsets.next()});
  read_refunds(in, map);
  const std::uint32_t origins = in.count(kEntriesMax, "origins");
  Ascending rewritten(in);
  for (std::uint32_t i = 0; i < origins && in.ok(); ++i) {
    const std::uint32_t at = rewritten.next();
    const std::uint64_t place = in.offset();
    const std::uint64_t original = in.u64();
    if (original >> 1 > kMeteredBytesMax) in.fail(base::Errc::corrupt, "meter map: offset beyond any module", place);
    map.origins.push_back({at, static_cast<std::uint32_t>(original >> 1), (original & 1) != 0});
  }
  if (in.ok() && !in.at_end()) in.fail(base::Errc::corrupt, "meter map: bytes left over", in.offset());
  if (!in.ok()) {
    base::Error error = in.error();
    error.code = base::Errc::corrupt;
    return std::unexpected(std::move(error));
  }
  return map;
}

}  // namespace fusebox::engine
