#include "image/archive.h"
#include "image/layers/gunzip.h"
#include "image/layers/private_memory.h"
#include "image/layers/unzstd.h"

namespace fusebox::image {

std::unexpected<base::Error> bad_image(std::string message) {
  return base::fail(base::Errc::invalid, std::move(message), "BAD_IMAGE");
}

std::unexpected<base::Error> too_large(std::string message) {
  return base::fail(base::Errc::exhausted, std::move(message), "BAD_IMAGE");
}

base::Result<LayerBytes> unpack(LayerBytes stored, std::uint64_t bytes_max) {
  if (stored.bytes.size() > bytes_max) {
    return too_large(std::to_string(stored.bytes.size()) + " bytes, an image may have " + std::to_string(bytes_max));
  }
  const Form form = sniff(stored.bytes);
  if (form != Form::gzip && form != Form::zstd) return stored;
  BoundedOutput output(bytes_max);
  FB_CHECK(form == Form::gzip ? gunzip(stored.bytes, output) : unzstd(stored.bytes, output));
  return std::move(output).seal();
}

}  // namespace fusebox::image
