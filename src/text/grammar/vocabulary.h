// What each token of a model adds to a text that a grammar follows: its bytes, or for a control token its
// name between marks that no text contains (nfa.h), so that only a grammar that asks for it gets it.
// Immutable: made once for a model, shared by all its constraints.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/token_trie.h"

namespace sluice {

class Tokenizer;

/// A set of token ids.
class TokenMask {
  public:
    explicit TokenMask(size_t n_tokens = 0) : words_((n_tokens + 63) / 64) {}
    void set(TokenId id) { words_[size_t(id) / 64] |= uint64_t(1) << (size_t(id) % 64); }
    /// False for ids beyond those it was made for.
    bool test(TokenId id) const {
        return size_t(id) / 64 < words_.size() && (words_[size_t(id) / 64] >> (size_t(id) % 64) & 1) != 0;
    }
    TokenMask& operator|=(const TokenMask& other) {
        for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
        return *this;
    }
    bool operator==(const TokenMask&) const = default;
    bool empty() const;
    size_t memory_bytes() const { return words_.capacity() * sizeof(uint64_t); }

  private:
    std::vector<uint64_t> words_;
};

class Vocabulary {
  public:
    /// bytes[id]; a token without bytes is never allowed. `ends`: tokens that end a text, ascending.
    Vocabulary(std::vector<std::string> bytes, std::vector<TokenId> ends);
    static Vocabulary of(const Tokenizer& tokenizer);
    Vocabulary(const Vocabulary&) = delete;  // the trie's text is its own
    Vocabulary(Vocabulary&&) = default;

    size_t size() const { return bytes_.size(); }
    const std::string& bytes(TokenId id) const { return bytes_[size_t(id)]; }
    const std::vector<TokenId>& ends() const { return ends_; }
    bool is_end(TokenId id) const;
    const TokenTrie& trie() const { return trie_; }
    size_t longest() const { return longest_; }
    size_t memory_bytes() const;

  private:
    std::vector<std::string> bytes_;
    std::vector<TokenId> ends_;
    TokenTrie trie_;
    size_t longest_ = 0;
};

}  // namespace sluice
