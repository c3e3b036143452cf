// Writing, where every failure counts: standard output is checked byte by byte, standard error never fails,
// and files appear whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace sluice::cli {

/// Writes at once, unbuffered. Throws OutputClosed if nobody reads any more, io for anything else (a full
/// disk).
void write_output(std::string_view bytes);
/// Messages. Errors are ignored: there is nowhere left to report them.
void write_error(std::string_view text) noexcept;

/// A file that replaces its target on commit() (temporary file beside it, fsync, rename) and leaves nothing
/// behind without. "-" is standard output; a target that is no regular file (/dev/null, a pipe) is written in
/// place.
class OutputFile {
  public:
    enum class Access { as_umask_says, owner_only };

    explicit OutputFile(const std::string& path, Access access = Access::as_umask_says);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(std::string_view bytes);
    void commit();

  private:
    [[noreturn]] void fail_io(std::string_view doing) const;

    std::filesystem::path target_, temporary_;  // temporary_: empty if written in place
    int fd_ = -1;
    bool to_output_ = false;
};

}  // namespace sluice::cli
