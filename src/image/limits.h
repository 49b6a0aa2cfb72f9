// Bounds of images, with the reason for each number.
//
// Contract containers.md 14.5, 18.2
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::image {

struct Limits {
  std::uint32_t layers_max = 128;
  std::uint32_t entries_max = 262'144;         // over all layers
  std::uint64_t image_bytes_max = 1ull << 30;  // stored, and again decompressed
  std::uint32_t name_bytes_max = 14;           // of image names and versions (3.2); at most 63
};

inline constexpr std::size_t kPathBytesMax = 4095;
inline constexpr std::size_t kComponentBytesMax = 255;
inline constexpr std::size_t kDepthMax = 128;
inline constexpr std::size_t kPaxBytesMax = 1u << 20;
inline constexpr std::size_t kDocumentBytesMax = 4u << 20;  // index, manifest and config blobs
inline constexpr std::size_t kDocumentValuesMax = 200'000;  // JSON values in one of them: a tree of some 30 MiB
inline constexpr std::size_t kIndexEntriesMax = 10'000;     // over all indexes visited while one image is chosen
inline constexpr int kIndexDepthMax = 4;                    // indexes within indexes

}  // namespace fusebox::image
