# cmake -D IMAGE=file -D OUTPUT=file.cc -P embed_supervisor.cmake: the image's bytes as C++; no IMAGE: no bytes.
set(bytes "0")
set(size 0)
if(IMAGE)
  file(READ "${IMAGE}" hex HEX)
  file(SIZE "${IMAGE}" size)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  # One line per 32 bytes, for the sake of whoever opens it.
  string(REGEX REPLACE "(................................................................................................................................................................)" "\\1\n" bytes "${bytes}")
endif()
file(WRITE "${OUTPUT}" "// Generated from the image of guest/containers/wsh.
#include \"container/supervisor/builtin_image.h\"

namespace fusebox::container {
namespace {
constexpr unsigned char kImage[] = {
${bytes}};
}  // namespace

base::ByteView builtin_supervisor_image() noexcept { return std::as_bytes(std::span(kImage)).first(${size}); }

}  // namespace fusebox::container
")
