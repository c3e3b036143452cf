#include "text/grammar/vocabulary.h"

#include <algorithm>

#include "text/grammar/nfa.h"
#include "text/tokenizer.h"

namespace sluice {

bool TokenMask::empty() const {
    return std::all_of(words_.begin(), words_.end(), [](uint64_t w) { return w == 0; });
}

Vocabulary::Vocabulary(std::vector<std::string> bytes, std::vector<TokenId> ends)
    : bytes_(std::move(bytes)), ends_(std::move(ends)) {
    for (const TokenId id : ends_)
        if (size_t(id) < bytes_.size()) bytes_[size_t(id)].clear();
    std::vector<std::pair<std::string_view, TokenId>> all;
    all.reserve(bytes_.size());
    for (size_t i = 0; i < bytes_.size(); ++i) {
        if (!bytes_[i].empty()) all.emplace_back(bytes_[i], TokenId(i));
        longest_ = std::max(longest_, bytes_[i].size());
    }
    trie_ = TokenTrie(std::move(all));
}

Vocabulary Vocabulary::of(const Tokenizer& tokenizer) {
    const std::string mark(1, char(control_mark));
    std::vector<std::string> bytes(tokenizer.size());
    for (size_t i = 0; i < bytes.size(); ++i) {
        const TokenId id = TokenId(i);
        const std::string& name = tokenizer.raw_text(id);
        const TokenKind kind = tokenizer.kind(id);
        if (kind == TokenKind::unknown || kind == TokenKind::unused) continue;
        if (kind == TokenKind::control) {
            // Where thoughts begin and end is text to a grammar, however a vocabulary writes it.
            bytes[i] = name == "<think>" || name == "</think>" ? name : mark + name + mark;
            continue;
        }
        bytes[i] = tokenizer.piece(id, true);
        // The mark as text would let plain tokens spell a control token.
        if (bytes[i].find(mark) != std::string::npos) bytes[i].clear();
    }
    return Vocabulary(std::move(bytes), tokenizer.end_tokens());
}

size_t Vocabulary::memory_bytes() const {
    size_t n =
        trie_.memory_bytes() + bytes_.capacity() * sizeof(std::string) + ends_.size() * sizeof(TokenId);
    for (const std::string& b : bytes_)
        if (b.capacity() > 15) n += b.capacity() + 17;  // not within the string itself: with the heap's own
    return n;
}

bool Vocabulary::is_end(TokenId id) const {
    return std::binary_search(ends_.begin(), ends_.end(), id);
}

}  // namespace sluice
