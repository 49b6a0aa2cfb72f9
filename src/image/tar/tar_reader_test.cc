#include <gtest/gtest.h>

#include "image/tar/header.h"
#include "image/tar/tar_test_support.h"

namespace fusebox::image {
namespace {

using namespace std::string_literals;
using test::HeaderBlock;
using test::pax_record;
using test::TarText;

struct ReadAll {
  std::vector<TarMember> members;
  std::string error;
  base::Errc code = base::Errc::bug;
};

ReadAll read_all(const std::string& text) {
  ReadAll all;
  TarReader reader(base::as_bytes(text));
  while (true) {
    auto member = reader.next();
    if (!member) {
      EXPECT_EQ(member.error().name, "BAD_IMAGE");
      all.error = member.error().message;
      all.code = member.error().code;
      const auto after = reader.next();
      EXPECT_TRUE(after && !*after) << "an error ends the reading";
      return all;
    }
    if (!*member) return all;
    all.members.push_back(**member);
  }
}

// The only member of an archive that must be right.
TarMember only(const TarText& tar) {
  const ReadAll all = read_all(tar.text());
  EXPECT_EQ(all.error, "");
  EXPECT_EQ(all.members.size(), 1u);
  return all.members.empty() ? TarMember{} : all.members.front();
}

std::string content_of(const TarMember& member) {
  return std::string(base::as_text(member.content));
}

TEST(TarReader, KnowsTheTypesOfMembers) {
  const struct {
    char flag;
    TarMember::Type want;
  } cases[] = {
      {'0', TarMember::Type::regular},   {'\0', TarMember::Type::regular}, {'7', TarMember::Type::regular},
      {'5', TarMember::Type::directory}, {'3', TarMember::Type::device},   {'4', TarMember::Type::device},
      {'6', TarMember::Type::device},    {'V', TarMember::Type::unknown},  {'9', TarMember::Type::unknown},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.flag);
    const TarText tar = TarText().entry("name", c.flag);
    const TarMember member = only(tar);
    EXPECT_EQ(member.type, c.want);
    EXPECT_EQ(member.flag, c.flag);
  }
  const TarText links = TarText().symlink("s", "to").hard_link("h", "s");
  const ReadAll all = read_all(links.text());
  ASSERT_EQ(all.members.size(), 2u);
  EXPECT_EQ(all.members[0].type, TarMember::Type::symlink);
  EXPECT_EQ(all.members[0].link, "to");
  EXPECT_EQ(all.members[1].type, TarMember::Type::hard_link);
  EXPECT_EQ(all.members[1].link, "s");
}

TEST(TarReader, TakesAnEmptyV7FileNamedLikeAFolderForAFolder) {
  const auto v7 = [](std::string_view name, std::uint64_t size) {
    return HeaderBlock(name, '\0', size).no_magic().sealed();
  };
  const TarText folder = TarText().raw(v7("d/", 0));
  EXPECT_EQ(only(folder).type, TarMember::Type::directory);
  const TarText file = TarText().raw(v7("d/", 1)).raw(test::padded("x"));
  EXPECT_EQ(only(file).type, TarMember::Type::regular);
}

TEST(TarReader, GivesContentsWhereTheyAreInTheArchive) {
  const TarText tar = TarText().file("a", "first").file("b", std::string(512, 'x')).file("c").end();
  const ReadAll all = read_all(tar.text());
  ASSERT_EQ(all.members.size(), 3u);
  EXPECT_EQ(content_of(all.members[0]), "first");
  EXPECT_EQ(content_of(all.members[1]), std::string(512, 'x'));
  EXPECT_EQ(content_of(all.members[2]), "");
  EXPECT_EQ(all.members[0].content.data(), base::as_bytes(tar.text()).data() + 512);
  EXPECT_EQ(all.members[1].at, 1024u);
}

TEST(TarReader, HeaderOnlyMembersHaveNoDataWhateverTheirSizeSays) {
  for (const char flag : {'1', '2', '3', '4', '5', '6'}) {
    SCOPED_TRACE(flag);
    const TarText tar = TarText().raw(HeaderBlock("n", flag, 99999).link("t").sealed()).file("next", "data");
    const ReadAll all = read_all(tar.text());
    ASSERT_EQ(all.members.size(), 2u);
    EXPECT_EQ(all.members[1].path(), "next");
  }
}

TEST(TarReader, UsesThePrefixOnlyWithTheMagicOfUstar) {
  const TarText ustar = TarText().raw(HeaderBlock("name", '0', 0).prefix("some/where").sealed());
  EXPECT_EQ(only(ustar).path(), "some/where/name");
  const TarText gnu = TarText().raw(HeaderBlock("name", '0', 0).gnu_magic().prefix("some/where").sealed());
  EXPECT_EQ(only(gnu).path(), "name");
  const TarText v7 = TarText().raw(HeaderBlock("name", '0', 0).no_magic().prefix("some/where").sealed());
  EXPECT_EQ(only(v7).path(), "name");
}

TEST(TarReader, ReadsNamesThatFillTheirField) {
  const std::string name(100, 'n');
  const std::string prefix(155, 'p');
  const TarText tar = TarText().raw(HeaderBlock(name, '0', 0).prefix(prefix).sealed());
  EXPECT_EQ(only(tar).path(), prefix + "/" + name);
}

TEST(TarReader, PaxWinsOverGnuAndGnuOverTheHeader) {
  const TarText gnu = TarText().gnu_name("gnu\0rest"s).raw(HeaderBlock("header", '0', 0).prefix("p").sealed());
  EXPECT_EQ(only(gnu).path(), "gnu");
  const TarText both = TarText().gnu_name("gnu"s + '\0').pax(pax_record("path", "pax/name")).file("header");
  EXPECT_EQ(only(both).path(), "pax/name");
  const TarText other_order = TarText().pax(pax_record("path", "pax/name")).gnu_name("gnu"s + '\0').file("header");
  EXPECT_EQ(only(other_order).path(), "pax/name");
  const TarText links =
      TarText().gnu_link("gnu target"s + '\0').pax(pax_record("linkpath", "pax target")).symlink("s", "header");
  EXPECT_EQ(only(links).link, "pax target");
  const TarText gnu_link = TarText().gnu_link("gnu target"s + '\0').symlink("s", "header");
  EXPECT_EQ(only(gnu_link).link, "gnu target");
}

TEST(TarReader, BoundsAGnuNameWithoutNulByItsOwnSize) {
  const TarText tar = TarText().gnu_name(std::string(512, 'g')).file("header");
  EXPECT_EQ(only(tar).path(), std::string(512, 'g'));
}

TEST(TarReader, LocalRecordsAreForOneMemberGlobalOnesForAllThatFollow) {
  const TarText tar = TarText()
                          .pax_global(pax_record("mtime", "7") + pax_record("comment", "x"))
                          .pax(pax_record("mtime", "9.5") + pax_record("path", "long"))
                          .file("a")
                          .file("b")
                          .pax_global(pax_record("mtime", "11"))
                          .file("c");
  const ReadAll all = read_all(tar.text());
  ASSERT_EQ(all.members.size(), 3u);
  EXPECT_EQ(all.members[0].path(), "long");
  EXPECT_EQ(all.members[0].modified_ns, 9'500'000'000u);
  EXPECT_EQ(all.members[1].path(), "b");
  EXPECT_EQ(all.members[1].modified_ns, 7'000'000'000u);
  EXPECT_EQ(all.members[2].modified_ns, 11'000'000'000u);
}

TEST(TarReader, GlobalRecordsAreDefaultsForNamesAndSizesToo) {
  const TarText tar = TarText()
                          .pax_global(pax_record("path", "same") + pax_record("size", "3"))
                          .raw(HeaderBlock("a", '0', 0).sealed())
                          .raw(test::padded("abc"));
  const TarMember member = only(tar);
  EXPECT_EQ(member.path(), "same");
  EXPECT_EQ(content_of(member), "abc");
}

TEST(TarReader, ThePaxSizeReplacesTheHeaderSize) {
  const TarText tar = TarText()
                          .pax(pax_record("size", "5"))
                          .raw(HeaderBlock("a", '0', 0).sealed())
                          .raw(test::padded("12345"))
                          .file("b");
  const ReadAll all = read_all(tar.text());
  ASSERT_EQ(all.members.size(), 2u);
  EXPECT_EQ(content_of(all.members[0]), "12345");
}

TEST(TarReader, EndsAtTwoZeroBlocksOrWhereTheArchiveStops) {
  const std::string one = TarText().file("a", "x").text();
  const std::string zeros(512, '\0');
  EXPECT_EQ(read_all("").members.size(), 0u);
  EXPECT_EQ(read_all(one).members.size(), 1u);
  EXPECT_EQ(read_all(one + zeros).members.size(), 1u);
  EXPECT_EQ(read_all(one + zeros + zeros + "what follows is not looked at").members.size(), 1u);
  EXPECT_EQ(read_all(one + std::string(100, '\0')).members.size(), 1u);
  EXPECT_EQ(read_all(one.substr(0, 513)).members.size(), 1u) << "padding of the last member may be missing";
}

TEST(TarReader, AcceptsBlankUnsignedAndSignedChecksums) {
  const std::string name = "h\xE9llo";
  const TarText blank = TarText().raw(HeaderBlock(name, '0', 0).plain());
  EXPECT_EQ(only(blank).path(), name);
  const TarText spaces = TarText().raw(HeaderBlock(name, '0', 0).set(148, "        ").plain());
  EXPECT_EQ(only(spaces).path(), name);
  const TarText plain = TarText().raw(HeaderBlock(name, '0', 0).sealed());
  EXPECT_EQ(only(plain).path(), name);
  const TarText as_signed = TarText().raw(HeaderBlock(name, '0', 0).sealed(true));
  EXPECT_EQ(only(as_signed).path(), name);
}

TEST(TarReader, ReadsSizesInBase256) {
  const std::string size = "\x80\0\0\0\0\0\0\0\0\0\0\x04"s;
  const TarText tar = TarText().raw(HeaderBlock("a", '0', 0).set(124, size).sealed()).raw(test::padded("four"));
  EXPECT_EQ(content_of(only(tar)), "four");
}

TEST(TarNumber, IsOctalOrBase256) {
  const struct {
    std::string field;
    std::optional<std::uint64_t> want;
  } cases[] = {
      {"0000017\0"s, 15},
      {"   17 \0"s, 15},
      {"17 left over"s, 15},
      {std::string(8, '\0'), 0},
      {std::string(8, ' '), 0},
      {"0000018\0"s, std::nullopt},
      {"-000017\0"s, std::nullopt},
      {"0x17\0\0\0\0"s, std::nullopt},
      {"777777777777", 0777777777777},
      {"\x80\0\0\0\0\0\x01\x02"s, 258},
      {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, std::nullopt},
      {"\xC0\0\0\0\0\0\0\x01"s, std::nullopt},
      {"\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, 0x7FFF'FFFF'FFFF'FFFF},
      {"\x80\0\0\0\x80\0\0\0\0\0\0\0"s, std::nullopt},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(::testing::PrintToString(c.field));
    EXPECT_EQ(tar::parse_number(c.field), c.want);
  }
}

TEST(TarNumber, ReadsTimesOfPaxRecords) {
  EXPECT_EQ(tar::parse_pax_time("12"), 12'000'000'000u);
  EXPECT_EQ(tar::parse_pax_time("12.000000001"), 12'000'000'001u);
  EXPECT_EQ(tar::parse_pax_time("12.0000000019"), 12'000'000'001u);
  EXPECT_EQ(tar::parse_pax_time("-12.5"), 0u) << "before the epoch";
  EXPECT_EQ(tar::parse_pax_time("9223372036854775807"), 0x7FFF'FFFF'FFFF'FFFFu) << "later than can be told";
  for (const char* bad : {"", "x", "1.x", "1,5", ".5", "+1", "9223372036854775808"}) {
    EXPECT_EQ(tar::parse_pax_time(bad), std::nullopt) << bad;
  }
}

TEST(TarReader, ATimeThatMakesNoSenseIsTheEpochOrTheHeaders) {
  const TarText header = TarText().raw(HeaderBlock("a", '0', 0).set(136, "not a number").sealed());
  EXPECT_EQ(only(header).modified_ns, 0u);
  const TarText pax = TarText().pax(pax_record("mtime", "soon")).raw(HeaderBlock("a", '0', 0).modified_s(5).sealed());
  EXPECT_EQ(only(pax).modified_ns, 5'000'000'000u);
}

struct HostileCase {
  const char* name;
  std::string archive;
  const char* error;  // "" = accepted
  base::Errc code = base::Errc::invalid;
};

std::string file_of_size(std::uint64_t size, std::size_t present) {
  return HeaderBlock("f", '0', size).sealed() + std::string(present, 'x');
}

std::string pax_then_file(std::string_view records) {
  return TarText().pax(records).file("f", "data").text();
}

std::string wrong_checksum() {
  std::string block = HeaderBlock("f", '0', 0).sealed();
  block[0] = 'g';
  return block;
}

std::vector<HostileCase> hostile_cases() {
  const std::string full = pax_record("comment", std::string(kPaxBytesMax - 17, 'c'));
  EXPECT_EQ(full.size(), kPaxBytesMax);
  const std::string zero_block(512, '\0');
  return {
      {"member that ends with the archive", file_of_size(600, 600), ""},
      {"member of one byte more", file_of_size(601, 600), "byte 0: \"f\" has 601 bytes, the archive has 600 left"},
      {"largest size there is",
       HeaderBlock("f", '0', 0).set(124, "\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s).sealed(),
       "byte 0: \"f\" has 9223372036854775807 bytes, the archive has 0 left"},
      {"negative size", HeaderBlock("f", '0', 0).set(124, std::string(12, '\xFF')).sealed(),
       "byte 0: the size field of a header is not a number"},
      {"size that is no number", HeaderBlock("f", '0', 0).set(124, "twelve").sealed(),
       "byte 0: the size field of a header is not a number"},
      {"pax size of all that is left", TarText().pax(pax_record("size", "4")).raw(file_of_size(0, 4)).text(), ""},
      {"pax size of one byte more", TarText().pax(pax_record("size", "5")).raw(file_of_size(0, 4)).text(),
       "byte 1024: a pax size of more bytes than the archive has left"},
      {"pax size of a folder past the end", TarText().pax(pax_record("size", "1")).directory("d").text(),
       "byte 1024: a pax size of more bytes than the archive has left"},
      {"pax size negative", pax_then_file(pax_record("size", "-1")), "byte 0: the pax size \"-1\" is not a size"},
      {"pax size no number", pax_then_file(pax_record("size", "4k")), "byte 0: the pax size \"4k\" is not a size"},
      {"pax size empty", pax_then_file(pax_record("size", "")), "byte 0: the pax size \"\" is not a size"},
      {"pax size 2^63 - 1", pax_then_file(pax_record("size", "9223372036854775807")),
       "byte 1024: a pax size of more bytes than the archive has left"},
      {"pax size 2^63", pax_then_file(pax_record("size", "9223372036854775808")),
       "byte 0: the pax size \"9223372036854775808\" is not a size"},
      {"pax size above 2^64", pax_then_file(pax_record("size", "99999999999999999999999")),
       "byte 0: the pax size \"99999999999999999999999\" is not a size"},
      {"global pax size past the end", TarText().pax_global(pax_record("size", "99")).file("f").text(),
       "byte 1024: \"f\" has 99 bytes, the archive has 0 left"},
      {"pax record of length 0", pax_then_file("0 path=x\n"),
       "byte 0: the length of a pax record does not cover its own text"},
      {"pax record that covers only its length", pax_then_file("2 path=x\n"),
       "byte 0: the length of a pax record does not cover its own text"},
      {"pax record one short", pax_then_file("8 path=x\n"), "byte 0: a pax record does not end with a line feed"},
      {"pax record whole", pax_then_file("10 path=x\n"), ""},
      {"pax record one past the block", pax_then_file("11 path=x\n"),
       "byte 0: a pax record runs past the end of its block"},
      {"pax length no number", pax_then_file("ten path=x\n"),
       "byte 0: the length of a pax record is not a decimal number"},
      {"pax length hexadecimal", pax_then_file("0xA path=x\n"),
       "byte 0: the length of a pax record is not a decimal number"},
      {"pax length negative", pax_then_file("-10 path=x\n"),
       "byte 0: the length of a pax record is not a decimal number"},
      {"pax length alone", pax_then_file("10"), "byte 0: the length of a pax record is not a decimal number"},
      {"pax record without an equals sign", pax_then_file("8 pathx\n"),
       "byte 0: the pax record \"pathx\" has no \"=\""},
      {"pax padding of zeros", pax_then_file("10 path=x\n\0\0"s),
       "byte 0: the length of a pax record is not a decimal number"},
      {"empty pax block", pax_then_file(""), ""},
      {"unknown pax keys", pax_then_file(pax_record("SCHILY.xattr.user.x", "1") + pax_record("uid", "x")), ""},
      {"pax block of 1 MiB", TarText().pax(full).file("f").text(), ""},
      {"pax block of 1 MiB and one byte", TarText().pax(full + "x").file("f").text(),
       "byte 0: an extended header of more than 1 MiB", base::Errc::exhausted},
      {"global pax block of 1 MiB and one byte", TarText().pax_global(full + "x").file("f").text(),
       "byte 0: an extended header of more than 1 MiB", base::Errc::exhausted},
      {"GNU name of 1 MiB and one byte", TarText().gnu_name(full + "x").file("f").text(),
       "byte 0: an extended header of more than 1 MiB", base::Errc::exhausted},
      {"pax block past the end", HeaderBlock("p", 'x', 600).sealed() + std::string(512, 'x'),
       "byte 0: an extended header has 600 bytes, the archive has 512 left"},
      {"GNU name past the end", HeaderBlock("p", 'L', 600).sealed() + std::string(512, 'x'),
       "byte 0: an extended header has 600 bytes, the archive has 512 left"},
      {"sparse member of GNU", TarText().entry("f", 'S').text(), "byte 0: sparse files are not supported"},
      {"sparse member of pax", pax_then_file(pax_record("GNU.sparse.major", "1")),
       "byte 0: sparse files are not supported"},
      {"wrong checksum", wrong_checksum(), "byte 0: the checksum of a header is wrong"},
      {"checksum no number", HeaderBlock("f", '0', 0).set(148, "checksum").plain(),
       "byte 0: the checksum of a header is wrong"},
      {"archive cut within a header", TarText().file("a").text() + HeaderBlock("f", '0', 0).sealed().substr(0, 511),
       "byte 512: the archive ends within a header"},
      {"archive cut within a member", TarText().file("a", std::string(600, 'x')).text().substr(0, 1000),
       "byte 0: \"a\" has 600 bytes, the archive has 488 left"},
      {"archive cut after an extended header", TarText().pax(pax_record("path", "x")).text(),
       "byte 1024: the archive ends between an extended header and its member"},
      {"end blocks after a GNU name", TarText().gnu_name("x").end().text(),
       "byte 1024: the archive ends between an extended header and its member"},
      {"global header alone", TarText().pax_global(pax_record("comment", "x")).end().text(), ""},
      {"one block of zeros between members", TarText().file("a").raw(zero_block).file("b").text(),
       "byte 512: a single block of zeros between members"},
      {"symlink without a target", TarText().symlink("s", "").text(), "byte 0: a link without a target"},
      {"symlink target of 4095 bytes", TarText().gnu_link(std::string(4095, 't')).symlink("s", "").text(), ""},
      {"symlink target of 4096 bytes", TarText().gnu_link(std::string(4096, 't')).symlink("s", "").text(),
       "byte 4608: a link target of more than 4095 bytes"},
      {"symlink target with a NUL byte", TarText().pax(pax_record("linkpath", "a\0b"s)).symlink("s", "t").text(),
       "byte 1024: a link target with a NUL byte"},
      {"unknown member past the end", HeaderBlock("v", 'V', 5).sealed(),
       "byte 0: \"v\" has 5 bytes, the archive has 0 left"},
  };
}

TEST(TarReader, RefusesHostileArchivesOnExactlyTheirSideOfEachBoundary) {
  for (const HostileCase& c : hostile_cases()) {
    SCOPED_TRACE(c.name);
    const ReadAll all = read_all(c.archive);
    EXPECT_EQ(all.error, c.error);
    if (!all.error.empty()) {
      EXPECT_EQ(all.code, c.code);
    }
  }
}

TEST(TarReader, EveryCutOfAnArchiveIsReadOrRefusedWithoutReadingBeyond) {
  const std::string whole = TarText()
                                .pax(pax_record("path", "x") + pax_record("size", "3"))
                                .file("a", "abc")
                                .gnu_name("long")
                                .symlink("s", "t")
                                .end()
                                .text();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // Its own allocation: a sanitizer sees a read beyond the cut.
    const LayerBytes cut = test::layer_of(std::string_view(whole).substr(0, size));
    TarReader reader(cut.bytes);
    std::size_t members = 0;
    while (true) {
      const auto member = reader.next();
      if (!member || !*member) break;
      ++members;
    }
    EXPECT_LE(members, 2u);
  }
}

}  // namespace
}  // namespace fusebox::image
