// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "src/strace/text_source.h"

namespace epaudit {
namespace {

class StraceSource : public testing::Test {
protected:
    StraceSource()
    {
        char name[] = "/tmp/epaudit-test-XXXXXX";
        directory_ = mkdtemp(name);
    }
    ~StraceSource() override { std::filesystem::remove_all(directory_); }

    std::string file(const std::string& bytes)
    {
        std::string path = directory_ + "/log";
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }

    struct Read {
        std::vector<std::string> lines;
        unsigned too_long = 0;
        std::string trouble;
    };
    Read read(const std::string& bytes)
    {
        auto source = TextSource::open(file(bytes), nullptr);
        Read out;
        EXPECT_TRUE(source);
        std::string_view line;
        for (;;) {
            TextSource::Next next = (*source)->next(line);
            if (next == TextSource::Next::kEnd)
                break;
            if (next == TextSource::Next::kTooLong)
                out.too_long++;
            else
                out.lines.emplace_back(line);
        }
        out.trouble = (*source)->trouble();
        return out;
    }

    std::string directory_;
};

std::string gzip(const std::string& text)
{
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()) + 64, 0);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(const std::string& text)
{
    std::string out(ZSTD_compressBound(text.size()), 0);
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

std::string many_lines(size_t count)
{
    std::string text;
    for (size_t i = 0; i < count; i++)
        text += "epoll_wait(4, [], 64, " + std::to_string(i) + ") = 0\n";
    return text;
}

TEST_F(StraceSource, WhatItCannotUnpackItNames)
{
    using namespace std::string_literals;
    const std::string rest(300, '\n');
    const std::vector<std::pair<std::string, std::string>> forms = {{"\xfd"
                                                                     "7zXZ\0\0"s,
                                                                     "this is xz: xz -dc"},
                                                                    {"BZh91AY&SY", "this is bzip2"},
                                                                    {"PK\x03\x04\x14\0"s, "this is zip: unzip -p"},
                                                                    {"\x04\x22\x4d\x18\x60\x40", "this is lz4"},
                                                                    {"\xff\xfe\0\0e\0\0\0"s, "this is UTF-32"},
                                                                    {gzip(gzip("epoll_wait(\n")), "this is gzip"},
                                                                    {gzip("BZh91AY&SY"), "this is bzip2"}};
    for (const auto& [head, says] : forms) {
        const Read got = read(head + (head.starts_with("\x1f") ? "" : rest));
        EXPECT_TRUE(got.lines.empty()) << says;
        EXPECT_TRUE(got.trouble.starts_with(says)) << got.trouble;
    }
    EXPECT_EQ(read("PK\n").lines.size(), 1U);
}

TEST_F(StraceSource, ReadsPlainAndCompressedAlike)
{
    std::string text = many_lines(200000);  // several buffers
    for (const std::string& bytes : {text, gzip(text), zstd(text)}) {
        Read out = read(bytes);
        ASSERT_EQ(out.lines.size(), 200000U);
        EXPECT_EQ(out.lines.front(), "epoll_wait(4, [], 64, 0) = 0");
        EXPECT_EQ(out.lines.back(), "epoll_wait(4, [], 64, 199999) = 0");
        EXPECT_EQ(out.trouble, "");
    }
    EXPECT_EQ(read(gzip("a\n") + gzip("b\n")).lines, (std::vector<std::string>{"a", "b"})) << "gzip members";
    EXPECT_EQ(read(zstd("a\n") + zstd("b\n")).lines, (std::vector<std::string>{"a", "b"})) << "zstd frames";
}

TEST_F(StraceSource, ReadsWhatHasNoEnd)
{
    EXPECT_EQ(read("").lines.size(), 0U);
    EXPECT_EQ(read("a").lines, (std::vector<std::string>{"a"}));
    EXPECT_EQ(read("a\n\nb").lines, (std::vector<std::string>{"a", "", "b"}));
    // Compresses well: much more comes out of the decoder than fits at once.
    std::string wide;
    for (int i = 0; i < 40; i++)
        wide += std::string(500000, 'x') + "\n";
    EXPECT_EQ(read(gzip(wide)).lines.size(), 40U);
    EXPECT_EQ(read(zstd(wide)).lines.size(), 40U);
}

TEST_F(StraceSource, SkipsLinesThatAreTooLong)
{
    std::string text = "a\n" + std::string(3 << 20, 'x') + "\nb\n";
    for (const std::string& bytes : {text, gzip(text), zstd(text)}) {
        Read out = read(bytes);
        EXPECT_EQ(out.lines, (std::vector<std::string>{"a", "b"}));
        EXPECT_EQ(out.too_long, 1U);
    }
}

TEST_F(StraceSource, SaysWhenCompressionIsDamaged)
{
    std::string text = many_lines(1000);
    for (std::string bytes : {gzip(text), zstd(text)}) {
        std::string cut = bytes.substr(0, bytes.size() / 2);
        EXPECT_NE(read(cut).trouble, "");
        std::string broken = bytes;
        for (size_t at = 20; at < 60; at++)
            broken[at] = static_cast<char>(broken[at] ^ 0x5a);
        EXPECT_NE(read(broken).trouble, "");
    }
}

TEST_F(StraceSource, NamesWhatCannotBeRead)
{
    auto missing = TextSource::open(directory_ + "/nothing", nullptr);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().exit, Exit::kUsage);
    EXPECT_NE(missing.error().message.find("nothing"), std::string::npos);
    auto folder = TextSource::open(directory_, nullptr);
    ASSERT_FALSE(folder);
    EXPECT_NE(folder.error().message.find("directory"), std::string::npos);
}

TEST_F(StraceSource, Utf16IsReadInBothOrders)
{
    for (bool big : {false, true}) {
        std::string text = big ? "\xfe\xff" : "\xff\xfe";
        for (char c : std::string("close(3) = 0\nclose(4) = 0\n"))
            text += big ? std::string{'\0', c} : std::string{c, '\0'};
        const Read got = read(text);
        EXPECT_EQ(got.lines, (std::vector<std::string>{"close(3) = 0", "close(4) = 0"}));
        EXPECT_EQ(got.trouble, "");
    }
}

}  // namespace
}  // namespace epaudit
