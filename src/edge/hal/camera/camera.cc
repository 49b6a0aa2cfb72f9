#include "edge/hal/camera/camera.h"

#include <cstring>

namespace fusebox::edge {
namespace {

const char* last_frame(ImportCall& call) {
  const auto read = call.hal.camera.last_frame;
  if (read == nullptr) return nullptr;
  const std::uint64_t written = read(call.buffer, call.buffer_size);
  call.result = written < call.buffer_size ? written : call.buffer_size;
  return nullptr;
}

constexpr ImportRow kRows[] = {{
    .module = "env",
    .field = "camera_last_frame",
    .params = "ii",
    .results = "I",
    .capability = FUSE_CAP_CAMERA,
    .capability_name = "CAMERA",
    .label = "camera",
    .empty_buffer_trap = "FUSE camera: null or zero-length buffer",
    .args = {{Arg::out_buffer, "buf", "void*"}, {Arg::size, "max_len", "unsigned int"}},
    .result_ctype = "unsigned long long",
    .summary = "Writes the newest frame to `buf`; bytes written, 0 = no frame.",
    .handler = &last_frame,
}};

void take(const void* member, Hal& out) {
  std::memcpy(&out.camera, member, sizeof out.camera);
}

}  // namespace

constinit const HalGroup kCameraGroup = {
    .name = "camera",
    .flag = "FUSE_HAL_ENABLE_CAMERA",
    .capability = FUSE_CAP_CAMERA,
    .capability_name = "CAMERA",
    .always = false,
    .summary = "the newest frame of a camera",
    .allows = "take camera frames",
    .rows = kRows,
    .row_count = 1,
    .hal_bytes = sizeof(fuse_hal_camera_group_t),
    .take = &take,
};

}  // namespace fusebox::edge
