#include "text/jinja/search.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace sluice::jinja {

size_t find_bytes(std::string_view text, std::string_view wanted, size_t from) noexcept {
    if (from > text.size() || wanted.size() > text.size() - from) return text.npos;
    if (wanted.empty()) return from;
    // The C library's memmem is the two-way algorithm: linear time, constant space.
    const void* const found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
    return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : text.npos;
}

size_t find_last_bytes(std::string_view text, std::string_view wanted) {
    constexpr size_t short_enough = 16;  // up to here the simple search is linear for practical purposes
    if (wanted.size() <= short_enough) return text.rfind(wanted);
    const std::string reversed_text(text.rbegin(), text.rend()),
        reversed_wanted(wanted.rbegin(), wanted.rend());
    const size_t found = find_bytes(reversed_text, reversed_wanted);
    return found == text.npos ? text.npos : text.size() - found - wanted.size();
}

}  // namespace sluice::jinja
