// Names of HTTP's headers, and of models, do not care about case.
#pragma once

#include <string>
#include <string_view>

namespace sluice::server {

/// A to Z made small; other bytes stay.
inline std::string lower_ascii(std::string_view text) {
    std::string r(text);
    for (char& c : r)
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    return r;
}

}  // namespace sluice::server
