// A prompt as a chat template rendered it: text, and which parts of it the template itself wrote. Only those
// parts may hold special tokens; what came from messages, tools or other inputs is plain text, whatever it
// looks like.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sluice {

/// Bytes [begin, end) of a text.
struct TextRange {
    size_t begin = 0, end = 0;
    bool operator==(const TextRange&) const = default;
};

struct RenderedText {
    std::string text;
    std::vector<TextRange> trusted;  // sorted, not overlapping, not touching (adjacent ones are merged)
};

}  // namespace sluice
