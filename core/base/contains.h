#pragma once

#include <algorithm>
#include <iterator>

namespace finback {

// Whether a list or an array holds a value; for the short lists that are searched one by one.
template <typename List, typename Value>
bool Contains(const List& list, const Value& value) {
  return std::find(std::begin(list), std::end(list), value) != std::end(list);
}

}  // namespace finback
