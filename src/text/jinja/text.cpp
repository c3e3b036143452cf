#include "text/jinja/text.h"

#include <algorithm>

namespace sluice::jinja {

Text::Text(std::string bytes, Origin origin) : bytes_(std::move(bytes)) {
    if (origin == Origin::source) trust(0, bytes_.size());
}

bool Text::wholly_trusted() const noexcept {
    return bytes_.empty() || (trusted_.size() == 1 && trusted_[0] == TextRange{0, bytes_.size()});
}

void Text::trust(size_t begin, size_t end) {
    if (begin == end) return;
    if (!trusted_.empty() && trusted_.back().end == begin) {
        trusted_.back().end = end;
    } else {
        trusted_.push_back({begin, end});
    }
}

void Text::append(std::string_view bytes, Origin origin) {
    const size_t begin = bytes_.size();
    bytes_.append(bytes);
    if (origin == Origin::source) trust(begin, bytes_.size());
}

void Text::append(const Text& other, size_t begin, size_t end) {
    const size_t base = bytes_.size();
    bytes_.append(other.bytes_, begin, end - begin);
    const auto first = std::partition_point(other.trusted_.begin(), other.trusted_.end(),
                                            [&](const TextRange& r) { return r.end <= begin; });
    for (auto range = first; range != other.trusted_.end() && range->begin < end; ++range) {
        trust(base + std::max(range->begin, begin) - begin, base + std::min(range->end, end) - begin);
    }
}

Text Text::slice(size_t begin, size_t end) const {
    Text part;
    if (begin < end) part.append(*this, begin, end);
    return part;
}

Origin Text::origin_at(size_t byte) const noexcept {
    const auto range = std::partition_point(trusted_.begin(), trusted_.end(),
                                            [&](const TextRange& r) { return r.end <= byte; });
    return range != trusted_.end() && range->begin <= byte ? Origin::source : Origin::input;
}

}  // namespace sluice::jinja
