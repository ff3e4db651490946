// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/demangle.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

TEST(Demangle, Cpp)
{
    EXPECT_EQ(demangled("_ZN4demo5checkEiPKc"), "demo::check(int, char const*)");
    EXPECT_EQ(demangled("_ZNSt6vectorIiSaIiEE9push_backERKi"),
              "std::vector<int, std::allocator<int> >::push_back(int const&)");
}

TEST(Demangle, RustLegacyWithoutItsHash)
{
    EXPECT_EQ(demangled("_ZN3mio4poll4Poll4poll17h0123456789abcdefE"), "mio::poll::Poll::poll");
    EXPECT_EQ(demangled("_ZN58_$LT$std..net..tcp..TcpStream$u20$as$u20$std..io..Read$GT$4read17hfedcba9876543210E"),
              "<std::net::tcp::TcpStream as std::io::Read>::read");
}

TEST(Demangle, RustV0)
{
    EXPECT_EQ(demangled("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
    EXPECT_EQ(demangled("_RNvMs_NtCs1234_7mycrate4pollNtB4_4Poll4wait"), "<mycrate::poll::Poll>::wait");
    EXPECT_EQ(demangled("_RNCNvCs1234_7mycrate4main0"), "mycrate::main::{closure#0}");
    EXPECT_EQ(demangled("_RNCNvCs1234_7mycrate4mains_0"), "mycrate::main::{closure#1}");
    EXPECT_EQ(demangled("_RINvNtC3std3mem8align_ofjE"), "std::mem::align_of::<usize>");
    EXPECT_EQ(demangled("_RNvXC1aNtB2_3FooNtNtC4core3fmt7Display3fmt.llvm.123"), "<a::Foo as core::fmt::Display>::fmt");
    EXPECT_EQ(demangled("_RINvC1a1fTRhSlOeEKj1f_FUKCmEuDNtC1b1TEL_E"),
              "a::f::<(&u8, [i32], *mut str), 0x1f, unsafe extern \"C\" fn(u32), dyn b::T>");
    EXPECT_EQ(demangled("_RINvC1a1fAhKj4_TlEE"), "_RINvC1a1fAhKj4_TlEE") << "an array has its length without K";
    EXPECT_EQ(demangled("_RINvC1a1fAhj4_TlEE"), "a::f::<[u8; 4], (i32,)>");
}

TEST(Demangle, RustV0ThatIsNone)
{
    for (const char* name : {"_R", "_RNv", "_RNvC", "_RNvC99999999999999999999a", "_RC5abc", "_RB_", "_RNvB_1a",
                             "_RINvC1a1f", "_RNvC1a1fzzz", "_RIC1aj", "_RNvCs1234567890123456789012345_1a1b"})
        EXPECT_EQ(demangled(name), name);
    std::string deep = "_RINvC1a1f";
    for (int i = 0; i < 5000; i++)
        deep += 'S';
    EXPECT_EQ(demangled(deep + "hE"), deep + "hE");
    // Each tuple holds the one before twice.
    std::string grown = "_RINvC1a1fTllE";
    size_t before = 8;
    for (int i = 0; i < 30; i++) {
        const size_t here = grown.size() - 2;
        constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        auto number = [&](size_t n) {
            n--;
            return (n >= 62 ? std::string(1, kDigits[n / 62]) : std::string()) + kDigits[n % 62] + "_";
        };
        grown += "TB" + number(before) + "B" + number(before) + "E";
        before = here;
    }
    EXPECT_EQ(demangled(grown + "E"), grown + "E") << "2^30 of them";
}

TEST(Demangle, LeavesTheRestAlone)
{
    EXPECT_EQ(demangled("epoll_ctl"), "epoll_ctl");
    EXPECT_EQ(demangled("net.(*netFD).Read"), "net.(*netFD).Read");
    EXPECT_EQ(demangled("_Z"), "_Z");
    EXPECT_EQ(demangled(""), "");
}

}  // namespace
}  // namespace epaudit
