// fail(code, "…{}…", …): throws sluice::Error with a formatted sentence.
#pragma once

#include <string>

#include <fmt/format.h>

#include "sluice/error.h"

namespace sluice {

template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> sentence, Args&&... args) {
    throw Error(code, fmt::format(sentence, std::forward<Args>(args)...));
}

}  // namespace sluice
