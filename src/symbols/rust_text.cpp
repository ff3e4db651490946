// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/rust_text.h"

namespace epaudit {
namespace {

int digit62(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 36 : -1;
}

}  // namespace

bool RustText::base62(uint64_t& value)
{
    if (take('_')) {
        value = 0;
        return true;
    }
    for (value = 0; next() != '_'; at_++) {
        const int digit = digit62(next());
        if (digit < 0 || value > (UINT64_MAX - 62) / 62)
            return false;
        value = value * 62 + static_cast<uint64_t>(digit);
    }
    at_++;
    value++;
    return true;
}

bool RustText::number_behind(char tag, uint64_t& value)
{
    value = 0;
    if (!take(tag))
        return true;
    if (!base62(value))
        return false;
    value++;
    return true;
}

bool RustText::identifier(std::string_view& name, uint64_t& disambiguator)
{
    if (!number_behind('s', disambiguator))
        return false;
    take('u');  // in Punycode; shown as it is
    size_t length = 0;
    if (next() < '0' || next() > '9')
        return false;
    if (!take('0'))
        for (; next() >= '0' && next() <= '9'; at_++) {
            length = length * 10 + static_cast<size_t>(next() - '0');
            if (length > text_.size())
                return false;
        }
    take('_');
    if (length > text_.size() - at_)
        return false;
    name = text_.substr(at_, length);
    at_ += length;
    return true;
}

}  // namespace epaudit
