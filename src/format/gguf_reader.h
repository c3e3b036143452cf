// Reads a GGUF header front to back, buffered. Every count is checked against the bytes that remain and the
// size of real headers before anything is allocated for it, and every failure says where it happened and
// while reading what.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/gguf.h"

namespace sluice {

/// What a name from a file looks like in a message: control and non-ASCII bytes escaped, at most 80
/// characters.
std::string printable(std::string_view text);

class GgufReader {
  public:
    GgufReader(ByteSource& bytes, std::string file_name)
        : bytes_(bytes), name_(std::move(file_name)), size_(bytes.size()) {}

    uint64_t position() const { return position_; }
    uint64_t remaining() const { return size_ - position_; }
    const std::string& name() const { return name_; }

    template <typename T>
    T number(const char* what) {
        T x;
        take(&x, sizeof x, what);
        return x;
    }
    bool boolean(const char* what);
    /// most: of its length; the bytes that remain bound it in any case.
    std::string string(const char* what, uint64_t most = UINT64_MAX);
    /// A count of things of at least `bytes_each` bytes.
    uint64_t count(const char* what, uint64_t bytes_each);
    GgufValue value(uint32_t type);

    [[noreturn]] void fail_here(const std::string& expected_and_found) const;

  private:
    void take(void* out, uint64_t n, const char* what);
    void need(uint64_t n, const char* what) const;
    GgufValue array(uint32_t depth);
    void skip_array(uint32_t depth);
    template <typename Out, typename In>
    std::vector<Out> numbers(uint64_t n);

    ByteSource& bytes_;
    std::string name_;
    uint64_t size_, position_ = 0;
    std::vector<std::byte> buffer_;  // bytes [buffer_begin_, + size) of the file
    uint64_t buffer_begin_ = 0;
};

}  // namespace sluice
