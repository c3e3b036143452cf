#include "cli/token_list.h"

#include <charconv>

#include "core/fail.h"

namespace sluice::cli {

std::vector<TokenId> parse_token_list(std::string_view text) {
    constexpr std::string_view between = " \t\r\n,;[]";
    std::vector<TokenId> ids;
    for (size_t at = text.find_first_not_of(between); at != std::string_view::npos;
         at = text.find_first_not_of(between, at)) {
        const std::string_view word = text.substr(at, text.find_first_of(between, at) - at);
        TokenId id = 0;
        const auto r = std::from_chars(word.data(), word.data() + word.size(), id);
        if (r.ec != std::errc() || r.ptr != word.data() + word.size() || id < 0)
            fail(ErrorCode::invalid_argument, "expected token ids such as 1,2,3, found \"{}\"",
                 word.substr(0, 40));
        ids.push_back(id);
        at += word.size();
    }
    return ids;
}

}  // namespace sluice::cli
