// What the program's exit status means, and the exceptions that choose one.
#pragma once

#include <stdexcept>
#include <string>

namespace sluice::cli {

inline constexpr int exit_ok = 0;
inline constexpr int exit_error = 1;          // one sentence on standard error says why
inline constexpr int exit_usage = 2;          // the command line itself is wrong
inline constexpr int exit_interrupted = 130;  // Ctrl-C

/// The command line asks for something that cannot be: status 2 and a pointer to --help.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Whoever read our standard output has left (`sluice … | head`): the program ends quietly with status 1.
class OutputClosed : public std::runtime_error {
  public:
    OutputClosed() : std::runtime_error("standard output was closed") {}
};

}  // namespace sluice::cli
