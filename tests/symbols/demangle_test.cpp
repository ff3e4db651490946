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

TEST(Demangle, LeavesTheRestAlone)
{
    EXPECT_EQ(demangled("epoll_ctl"), "epoll_ctl");
    EXPECT_EQ(demangled("net.(*netFD).Read"), "net.(*netFD).Read");
    EXPECT_EQ(demangled("_RNvCs1234_7mycrate3foo"), "_RNvCs1234_7mycrate3foo");  // Rust v0
    EXPECT_EQ(demangled("_Z"), "_Z");
    EXPECT_EQ(demangled(""), "");
}

}  // namespace
}  // namespace epaudit
