// Token ids as people and programs write them: "1 2 3", "1,2,3", "[1, 2, 3]", one a line.
#pragma once

#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace sluice::cli {

/// Throws invalid_argument naming what is no id. Ids are not checked against a vocabulary.
std::vector<TokenId> parse_token_list(std::string_view text);

}  // namespace sluice::cli
