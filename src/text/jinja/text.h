// A string that remembers who wrote each byte. The engine recognises special tokens only in text the template
// itself wrote, so a user's message can look like anything and forge nothing; that holds only if every
// operation on the way (joining, slicing, replacing) carries the origin along. Whatever is not known to be
// the template's is the input's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/rendered.h"

namespace sluice::jinja {

enum class Origin : uint8_t {
    input,   // messages, tools, keys: never special tokens
    source,  // the template's literals, BOS and EOS
};

class Text {
  public:
    Text() = default;
    Text(std::string bytes, Origin origin);

    std::string_view view() const noexcept { return bytes_; }
    size_t size() const noexcept { return bytes_.size(); }
    bool empty() const noexcept { return bytes_.empty(); }
    /// Sorted, apart from each other.
    const std::vector<TextRange>& trusted() const noexcept { return trusted_; }
    bool wholly_trusted() const noexcept;
    /// What keeping this text costs in memory.
    size_t cost() const noexcept { return bytes_.size() + trusted_.size() * sizeof(TextRange); }

    void append(std::string_view bytes, Origin origin);
    void append(const Text& other) { append(other, 0, other.size()); }
    /// Bytes [begin, end) of `other` with their origins.
    void append(const Text& other, size_t begin, size_t end);
    Text slice(size_t begin, size_t end) const;
    Origin origin_at(size_t byte) const noexcept;

    std::string release_bytes() && { return std::move(bytes_); }
    std::vector<TextRange> release_trusted() && { return std::move(trusted_); }

  private:
    void trust(size_t begin, size_t end);

    std::string bytes_;
    std::vector<TextRange> trusted_;
};

}  // namespace sluice::jinja
