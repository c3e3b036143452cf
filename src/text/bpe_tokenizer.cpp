#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <queue>

#include "core/fail.h"
#include "text/byte_text.h"

namespace sluice {

namespace {

constexpr size_t short_word = 32;  // bytes up to which scanning for the best pair beats a heap

uint64_t pair_key(int32_t left, int32_t right) {
    return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

}  // namespace

BpeTokenizer::BpeTokenizer(const GgufMetadata& m)
    : Tokenizer(m, false), pre_tokenizer_(m.get_string("tokenizer.ggml.pre", "default")) {
    special_.add_bos = m.get_bool("tokenizer.ggml.add_bos_token", pre_tokenizer_.adds_bos());
    for (size_t b = 0; b < 256; ++b) byte_symbol_[b] = symbol(byte_characters()[b]);
    read_merges(m);
}

void BpeTokenizer::read_merges(const GgufMetadata& m) {
    const auto* merges = m.find_strings("tokenizer.ggml.merges");
    if (!merges)
        fail(ErrorCode::invalid_file,
             "{}: expected the merges of a BPE vocabulary in tokenizer.ggml.merges, found none", m.source);
    merges_.reserve(merges->size());
    for (size_t rank = 0; rank < merges->size(); ++rank) {
        const std::string& merge = (*merges)[rank];
        const size_t blank = merge.find(' ', 1);
        if (blank == std::string::npos || blank + 1 == merge.size())
            fail(ErrorCode::invalid_file,
                 "{}: expected merge {} to be two texts with a blank between, found \"{}\"", m.source, rank,
                 merge.substr(0, 60));
        const std::string_view left = std::string_view(merge).substr(0, blank),
                               right = std::string_view(merge).substr(blank + 1);
        const int32_t a = symbol(left), b = symbol(right);
        merges_.try_emplace(pair_key(a, b),
                            Merge{uint32_t(rank), symbol(std::string(left) + std::string(right))});
    }
}

/// The symbol of a text: its token, or a virtual one.
int32_t BpeTokenizer::symbol(std::string_view text) {
    const TokenId id = find(text);
    if (id != no_token) return id;
    const auto [it, added] =
        virtual_ids_.try_emplace(std::string(text), int32_t(size() + virtual_texts_.size()));
    if (added) virtual_texts_.emplace_back(text);
    return it->second;
}

const BpeTokenizer::Merge* BpeTokenizer::find_merge(int32_t left, int32_t right) const {
    const auto it = merges_.find(pair_key(left, right));
    return it == merges_.end() ? nullptr : &it->second;
}

void BpeTokenizer::encode_text(std::string_view text, bool, std::vector<TokenId>& out) const {
    std::vector<std::string_view> words;
    pre_tokenizer_.split(text, words);
    // Words repeat: their ids are at hand the second time. (Ranges of out.)
    struct Known {
        size_t begin, end;
    };
    std::unordered_map<std::string_view, Known> known;
    for (const auto word : words) {
        const auto it = word.size() <= short_word ? known.find(word) : known.end();
        if (it != known.end()) {
            const Known k = it->second;
            for (size_t i = k.begin; i < k.end; ++i) out.push_back(TokenId(out[i]));
            continue;
        }
        const size_t begin = out.size();
        encode_word(word, out);
        if (word.size() <= short_word) known.emplace(word, Known{begin, out.size()});
    }
}

void BpeTokenizer::encode_word(std::string_view word, std::vector<TokenId>& out) const {
    if (pre_tokenizer_.whole_words_first()) {
        const TokenId id = find(text_of_bytes(word));
        if (id != no_token) {
            out.push_back(id);
            return;
        }
    }
    std::vector<int32_t> symbols;
    symbols.reserve(word.size());
    for (const char c : word) symbols.push_back(byte_symbol_[static_cast<uint8_t>(c)]);
    if (word.size() <= short_word)
        merge_short(symbols);
    else
        merge_long(symbols);
    for (const int32_t s : symbols) put(s, out);
}

void BpeTokenizer::merge_short(std::vector<int32_t>& symbols) const {
    while (symbols.size() > 1) {
        const Merge* best = nullptr;
        size_t at = 0;
        for (size_t i = 0; i + 1 < symbols.size(); ++i)
            if (const Merge* m = find_merge(symbols[i], symbols[i + 1]); m && (!best || m->rank < best->rank))
                best = m, at = i;
        if (!best) return;
        symbols[at] = best->product;
        symbols.erase(symbols.begin() + ptrdiff_t(at) + 1);
    }
}

/// A list of symbols and a heap of pairs; a pair whose symbols have changed since is skipped when it comes
/// up.
void BpeTokenizer::merge_long(std::vector<int32_t>& symbols) const {
    struct Candidate {
        uint32_t rank, left;
        int32_t a, b, product;
        bool operator>(const Candidate& o) const { return rank != o.rank ? rank > o.rank : left > o.left; }
    };
    constexpr uint32_t none = UINT32_MAX;
    constexpr int32_t gone = -1;
    const uint32_t n = uint32_t(symbols.size());
    std::vector<uint32_t> previous(n), next(n);
    for (uint32_t i = 0; i < n; ++i) previous[i] = i ? i - 1 : none, next[i] = i + 1 < n ? i + 1 : none;
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
    const auto consider = [&](uint32_t left) {
        if (left == none || next[left] == none) return;
        if (const Merge* m = find_merge(symbols[left], symbols[next[left]]))
            heap.push({m->rank, left, symbols[left], symbols[next[left]], m->product});
    };
    for (uint32_t i = 0; i + 1 < n; ++i) consider(i);
    while (!heap.empty()) {
        const Candidate c = heap.top();
        heap.pop();
        const uint32_t right = symbols[c.left] == c.a ? next[c.left] : none;
        if (right == none || symbols[right] != c.b) continue;
        symbols[c.left] = c.product;
        symbols[right] = gone;
        next[c.left] = next[right];
        if (next[right] != none) previous[next[right]] = c.left;
        consider(previous[c.left]);
        consider(c.left);
    }
    std::erase(symbols, gone);
}

void BpeTokenizer::put(int32_t symbol, std::vector<TokenId>& out) const {
    if (size_t(symbol) < size()) {
        out.push_back(symbol);
        return;
    }
    // Not in the vocabulary: its bytes, and the unknown token for a byte that is not there either.
    for (const char b : bytes_of_text(virtual_texts_[size_t(symbol) - size()])) {
        const int32_t s = byte_symbol_[static_cast<uint8_t>(b)];
        if (size_t(s) < size())
            out.push_back(s);
        else if (special_.unk != no_token)
            out.push_back(special_.unk);
    }
}

std::string BpeTokenizer::normal_piece(TokenId id) const {
    return bytes_of_text(texts_[size_t(id)]);
}

std::string BpeTokenizer::description() const {
    return "byte-level BPE, " + pre_tokenizer_.name();
}

}  // namespace sluice
