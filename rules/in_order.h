// SPDX-License-Identifier: Apache-2.0
// What a rule remembers of each entry. It asks about them in the order of the sweep, which is mostly the same at each look: so
// the next one lies where the last one ended, and need not be looked for. Of 20,000 that are, none is in a cache.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tsl/robin_map.h>

namespace epaudit {

template <typename Key, typename Value, typename Hash>
class InOrder {
public:
    // Before the first one of an audit is asked about.
    void begin()
    {
        if (strays_ > items_.size() / 8)
            sort();
        next_ = asked_ = 0;
        strays_ = 0;
    }

    // Valid until the next call; made where there is none.
    Value& operator[](const Key& key)
    {
        if (next_ >= items_.size() || !(items_[next_].key == key)) {
            const auto [at, fresh] = places_.try_emplace(key, static_cast<uint32_t>(items_.size()));
            if (fresh)
                items_.push_back({key, Value{}, 0});
            next_ = at->second;
            strays_++;
        }
        Item& item = items_[next_++];
        item.asked = asked_++;
        return item.value;
    }

    template <typename Condition>
    void erase_if(Condition condition)
    {
        if (std::erase_if(items_, [&](const Item& item) { return condition(item.value); }))
            place();
    }

    size_t size() const { return items_.size(); }

private:
    struct Item {
        Key key;
        Value value;
        uint32_t asked;  // as which one of its audit
    };

    void place()
    {
        places_.clear();
        places_.reserve(items_.size());
        for (uint32_t i = 0; i < items_.size(); i++)
            places_[items_[i].key] = i;
    }

    void sort()
    {
        std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.asked < b.asked; });
        place();
    }

    std::vector<Item> items_;
    tsl::robin_map<Key, uint32_t, Hash> places_;
    size_t next_ = 0;  // where the next one is expected
    uint32_t asked_ = 0;
    size_t strays_ = 0;  // at this audit, that were elsewhere
};

}  // namespace epaudit
