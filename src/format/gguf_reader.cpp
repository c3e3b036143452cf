#include "format/gguf_reader.h"

#include <cstring>

#include "core/fail.h"

namespace sluice {

namespace {

constexpr uint64_t buffer_bytes = 256 << 10;
constexpr uint32_t most_array_depth = 4;
// Headers of real files stay under 20 MB (a vocabulary of 256,000 tokens with its merges). A sparse file of
// terabytes could otherwise ask for as much memory as it claims to have bytes.
constexpr uint64_t most_header_bytes = 128 << 20, most_array_entries = 4 << 20;

enum ValueType : uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };

/// Bytes of a value in the file; for strings and arrays the least they can take. 0: no such type.
uint64_t least_bytes(uint32_t type) {
    constexpr uint64_t table[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
    return type < std::size(table) ? table[type] : 0;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 80)) {
        if (c >= 0x20 && c < 0x7f)
            out += c;
        else
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    return text.size() > 80 ? out + "..." : out;
}

void GgufReader::fail_here(const std::string& sentence) const {
    fail(ErrorCode::invalid_file, "{}: {}", name_, sentence);
}

void GgufReader::need(uint64_t n, const char* what) const {
    if (n > remaining())
        fail_here(
            fmt::format("expected {} more bytes for {} at byte {}, found {}; the file is cut off or damaged",
                        n, what, position_, remaining()));
    if (n > most_header_bytes || position_ > most_header_bytes - n)
        fail_here(
            fmt::format("expected the header to end within {} bytes, found {} of {} bytes at byte {}; the "
                        "file is damaged",
                        most_header_bytes, what, n, position_));
}

void GgufReader::take(void* out, uint64_t n, const char* what) {
    need(n, what);
    auto* to = static_cast<std::byte*>(out);
    while (n > 0) {
        if (position_ < buffer_begin_ || position_ >= buffer_begin_ + buffer_.size()) {
            buffer_.resize(std::min(buffer_bytes, remaining()));
            buffer_begin_ = position_;
            bytes_.read(position_, buffer_);
        }
        const uint64_t at = position_ - buffer_begin_, part = std::min<uint64_t>(n, buffer_.size() - at);
        std::memcpy(to, buffer_.data() + at, part);
        to += part, position_ += part, n -= part;
    }
}

bool GgufReader::boolean(const char* what) {
    const uint8_t b = number<uint8_t>(what);
    if (b > 1)
        fail_here(fmt::format("expected {} at byte {} to be 0 or 1, found {}", what, position_ - 1, b));
    return b != 0;
}

std::string GgufReader::string(const char* what, uint64_t most) {
    const uint64_t n = number<uint64_t>(what);
    need(n, what);
    if (n > most) fail_here(fmt::format("expected {} of at most {} bytes, found {}", what, most, n));
    std::string s(n, '\0');
    take(s.data(), n, what);
    return s;
}

uint64_t GgufReader::count(const char* what, uint64_t bytes_each) {
    const uint64_t n = number<uint64_t>(what);
    if (n > remaining() / bytes_each)
        fail_here(
            fmt::format("expected room for {} {} after byte {}, found {} bytes; the count is wrong or the "
                        "file is cut off",
                        n, what, position_, remaining()));
    if (n > most_array_entries)
        fail_here(fmt::format("expected at most {} {}, found {} at byte {}; the file is damaged",
                              most_array_entries, what, n, position_ - sizeof n));
    return n;
}

template <typename Out, typename In>
std::vector<Out> GgufReader::numbers(uint64_t n) {
    std::vector<Out> v;
    v.reserve(n);
    for (uint64_t i = 0; i < n; ++i) v.push_back(Out(number<In>("an array")));
    return v;
}

GgufValue GgufReader::value(uint32_t type) {
    switch (type) {
        case U8:
            return uint64_t(number<uint8_t>("a value"));
        case I8:
            return int64_t(number<int8_t>("a value"));
        case U16:
            return uint64_t(number<uint16_t>("a value"));
        case I16:
            return int64_t(number<int16_t>("a value"));
        case U32:
            return uint64_t(number<uint32_t>("a value"));
        case I32:
            return int64_t(number<int32_t>("a value"));
        case F32:
            return double(number<float>("a value"));
        case Bool:
            return boolean("a bool");
        case String:
            return string("a string");
        case Array:
            return array(1);
        case U64:
            return number<uint64_t>("a value");
        case I64:
            return number<int64_t>("a value");
        case F64:
            return number<double>("a value");
        default:
            fail_here(fmt::format("expected a metadata type from 0 to 12 before byte {}, found {}", position_,
                                  type));
    }
}

GgufValue GgufReader::array(uint32_t depth) {
    const uint32_t type = number<uint32_t>("an array's type");
    if (!least_bytes(type))
        fail_here(
            fmt::format("expected an array type from 0 to 12 before byte {}, found {}", position_, type));
    const uint64_t n = count("array entries", least_bytes(type));
    switch (type) {
        case U8:
            return numbers<uint64_t, uint8_t>(n);
        case I8:
            return numbers<int64_t, int8_t>(n);
        case U16:
            return numbers<uint64_t, uint16_t>(n);
        case I16:
            return numbers<int64_t, int16_t>(n);
        case U32:
            return numbers<uint64_t, uint32_t>(n);
        case I32:
            return numbers<int64_t, int32_t>(n);
        case F32:
            return numbers<float, float>(n);
        case U64:
            return numbers<uint64_t, uint64_t>(n);
        case I64:
            return numbers<int64_t, int64_t>(n);
        case F64:
            return numbers<float, double>(n);
        case Bool: {
            std::vector<bool> v;
            for (uint64_t i = 0; i < n; ++i) v.push_back(boolean("a bool"));
            return v;
        }
        case String: {
            std::vector<std::string> v;
            for (uint64_t i = 0; i < n; ++i) v.push_back(string("an array's string"));
            return v;
        }
        default:
            break;
    }
    for (uint64_t i = 0; i < n; ++i) skip_array(depth + 1);
    return std::monostate();
}

void GgufReader::skip_array(uint32_t depth) {
    if (depth > most_array_depth)
        fail_here(fmt::format("expected arrays nested at most {} deep, found more at byte {}",
                              most_array_depth, position_));
    array(depth);
}

}  // namespace sluice
