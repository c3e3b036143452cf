// What goes wrong while a template runs, thrown where the line is not known; the evaluator adds it and throws
// Error.
#pragma once

#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "sluice/error.h"

namespace sluice::jinja {

class Problem : public std::runtime_error {
  public:
    Problem(ErrorCode code, const std::string& reason) : std::runtime_error(reason), code_(code) {}
    ErrorCode code() const noexcept { return code_; }

  private:
    ErrorCode code_;
};

/// raise_exception() in a template: the words are the template author's and reach the user unchanged.
class TemplateRefusal : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The template does with the input what cannot be done: invalid_argument, in the words Python would use.
template <typename... Arguments>
[[noreturn]] void refuse(fmt::format_string<Arguments...> reason, Arguments&&... arguments) {
    throw Problem(ErrorCode::invalid_argument, fmt::format(reason, std::forward<Arguments>(arguments)...));
}

}  // namespace sluice::jinja
