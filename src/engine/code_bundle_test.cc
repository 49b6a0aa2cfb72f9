#include "engine/code_bundle.h"

#include <gtest/gtest.h>

namespace fusebox::engine {
namespace {

base::Bytes sample() {
  CodeBundle bundle;
  bundle.wasm = base::as_bytes("module");
  bundle.manifest = base::as_bytes("{}");
  bundle.codes = {base::as_bytes("time"), base::as_bytes("ticks")};
  return encode_bundle(bundle);
}

TEST(Bundle, GivesBackWhatWasPutIn) {
  const base::Bytes bytes = sample();
  const auto bundle = decode_bundle(bytes);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ(base::as_text(bundle->wasm), "module");
  EXPECT_TRUE(bundle->signature.empty());
  EXPECT_EQ(base::as_text(bundle->manifest), "{}");
  ASSERT_EQ(bundle->codes.size(), 2u);
  EXPECT_EQ(base::as_text(bundle->codes[1]), "ticks");
}

TEST(Bundle, EveryTruncationIsRefusedOrHoldsFewerParts) {
  const base::Bytes bytes = sample();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto bundle = decode_bundle(base::ByteView(bytes).first(size));
    if (bundle) EXPECT_LT(bundle->codes.size(), 2u) << size;
  }
}

TEST(Bundle, LengthThatWrapsIsRefusedWithItsOffset) {
  base::Bytes bytes = sample();
  for (std::size_t i = 17; i < 25; ++i) bytes[i] = std::byte{0xff};
  const auto bundle = decode_bundle(bytes);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().message, "bundle, offset 16: the file ends inside a part");
}

TEST(Bundle, RepeatedAndUnknownPartsAreRefused) {
  CodeBundle bundle;
  bundle.wasm = base::as_bytes("m");
  base::Bytes twice = encode_bundle(bundle);
  const base::Bytes again(twice.begin() + 16, twice.end());
  twice.insert(twice.end(), again.begin(), again.end());
  EXPECT_FALSE(decode_bundle(twice));
  base::Bytes unknown = encode_bundle(bundle);
  unknown[16] = std::byte{9};
  EXPECT_FALSE(decode_bundle(unknown));
}

TEST(Bundle, MoreCodesThanAllowedAreRefused) {
  CodeBundle bundle;
  bundle.wasm = base::as_bytes("m");
  bundle.codes.assign(kBundleCodesMax, base::as_bytes("c"));
  EXPECT_TRUE(decode_bundle(encode_bundle(bundle)));
  bundle.codes.push_back(base::as_bytes("c"));
  EXPECT_FALSE(decode_bundle(encode_bundle(bundle)));
}

TEST(Bundle, WithoutAModuleIsRefused) {
  const auto bundle = decode_bundle(base::ByteView(sample()).first(16));
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().message, "bundle, offset 16: there is no module in it");
}

}  // namespace
}  // namespace fusebox::engine
