// The one exception type of Sluice. Its text is a sentence that a user can act on: what was expected, what
// was found and where, and what to do. Library code throws it; it never exits and never prints.
#pragma once

#include <stdexcept>
#include <string>

namespace sluice {

enum class ErrorCode {
    invalid_argument,  // the caller asked for something that cannot be (a flag, a request, a prompt too long)
    invalid_file,      // a file's bytes do not mean what they must
    unsupported,       // valid, but not something Sluice knows (architecture, tensor type, template feature)
    io,                // the operating system refused: open, read, write
    out_of_budget,     // memory, context or time allowed by the caller does not suffice
    cancelled,         // the caller stopped the work
    busy,              // too much is asked for at the moment: try again later
    internal,          // a broken invariant of Sluice: a bug
};

class Error : public std::runtime_error {
  public:
    Error(ErrorCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
    ErrorCode code() const noexcept { return code_; }

  private:
    ErrorCode code_;
};

}  // namespace sluice
