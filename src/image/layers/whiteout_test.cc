#include "image/layers/whiteout.h"

#include <gtest/gtest.h>

namespace fusebox::image {
namespace {

using Kind = Marker::Kind;
using Type = TarMember::Type;

base::Result<Marker> marker(std::string_view name, Type type = Type::regular) {
  FB_TRY(const PathParts path, split_path({}, name));
  return marker_of(path, type);
}

TEST(Whiteout, MarkersAreKnownByTheLastComponent) {
  const struct {
    const char* path;
    Kind kind;
    const char* name;
  } cases[] = {
      {"a/b", Kind::none, ""},
      {"a/wh.b", Kind::none, ""},
      {"a/.whb", Kind::none, ""},
      {".wh.a", Kind::hides, "a"},
      {"d/.wh.a", Kind::hides, "a"},
      {"d/.wh..a", Kind::hides, ".a"},
      {"d/.wh....", Kind::hides, "..."},
      {"d/.wh..wh", Kind::hides, ".wh"},
      {".wh..wh..opq", Kind::opaque, ""},
      {"d/.wh..wh..opq", Kind::opaque, ""},
      {".wh..wh.plnk", Kind::ignored, ""},
      {".wh..wh.plnk/x", Kind::ignored, ""},
      {".wh..wh.", Kind::ignored, ""},
      {".wh..wh..opqx", Kind::ignored, ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.path);
    const auto found = marker(c.path);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, c.kind);
    EXPECT_EQ(found->name, c.name);
  }
}

TEST(Whiteout, MarkersThatNameNothingAreRefused) {
  for (const char* path : {".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh..", "d/.wh..."}) {
    const auto found = marker(path);
    ASSERT_FALSE(found) << path;
    EXPECT_EQ(found.error().code, base::Errc::invalid);
    EXPECT_EQ(found.error().name, "BAD_IMAGE");
    EXPECT_EQ(found.error().message, "the whiteout \"" + std::string(path) + "\" names nothing to hide");
  }
}

TEST(Whiteout, MarkersThatAreNoRegularFilesAreRefused) {
  for (const Type type : {Type::directory, Type::symlink, Type::hard_link, Type::device, Type::unknown}) {
    for (const char* path : {"d/.wh.a", "d/.wh..wh..opq"}) {
      const auto found = marker(path, type);
      ASSERT_FALSE(found) << path;
      EXPECT_EQ(found.error().message, "the whiteout \"" + std::string(path) + "\" is not a regular file");
    }
    EXPECT_EQ(marker(".wh..wh.plnk", type)->kind, Kind::ignored);
  }
}

TEST(Whiteout, AMarkerIsNoFolder) {
  for (const char* path : {".wh.a/b", ".wh..wh..opq/b", "d/.wh.a/.wh.b"}) {
    const auto found = marker(path);
    ASSERT_FALSE(found) << path;
    EXPECT_EQ(found.error().message, "the whiteout \"" + std::string(path) + "\" is not a regular file");
  }
}

}  // namespace
}  // namespace fusebox::image
