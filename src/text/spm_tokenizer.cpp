#include "text/spm_tokenizer.h"

#include <charconv>
#include <queue>

#include "core/fail.h"
#include "text/utf8_scan.h"

namespace sluice {

namespace {

constexpr std::string_view blank = "\xE2\x96\x81";  // U+2581

std::string escape_blanks(std::string_view text, bool in_front) {
    std::string out;
    if (in_front) out += blank;
    for (const char c : text) {
        if (c == ' ')
            out += blank;
        else
            out += c;
    }
    return out;
}

}  // namespace

SpmTokenizer::SpmTokenizer(const GgufMetadata& m) : Tokenizer(m, true) {
    const auto scores = m.find_floats("tokenizer.ggml.scores");
    if (!scores || scores->size() != size())
        fail(ErrorCode::invalid_file, "{}: expected a tokenizer.ggml.scores for each of {} tokens, found {}",
             m.source, size(), scores ? scores->size() : 0);
    scores_ = *scores;
    blank_in_front_ = m.get_bool("tokenizer.ggml.add_space_prefix", true);
    for (size_t b = 0; b < 256; ++b) {
        const TokenId id = find(fmt::format("<0x{:02X}>", b));
        byte_tokens_[b] = id != no_token && kinds_[size_t(id)] == TokenKind::byte ? id : no_token;
    }
}

void SpmTokenizer::encode_text(std::string_view text, bool after_special, std::vector<TokenId>& out) const {
    const std::string escaped = escape_blanks(text, blank_in_front_ && after_special);
    // Symbols: pieces of the text that grow by merging neighbours. length 0: merged into the one before.
    constexpr uint32_t none = UINT32_MAX;
    struct Symbol {
        uint32_t begin, length, previous, next;
    };
    std::vector<Symbol> symbols;
    for (size_t at = 0; at < escaped.size();) {
        const uint32_t n = scan_utf8(std::string_view(escaped).substr(at)).length;
        const uint32_t i = uint32_t(symbols.size());
        symbols.push_back({uint32_t(at), n, i ? i - 1 : none, i + 1});
        at += n;
    }
    if (symbols.empty()) return;
    symbols.back().next = none;

    struct Candidate {
        float score;
        uint32_t left, length;
        bool operator<(const Candidate& o) const {
            return score != o.score ? score < o.score : left > o.left;
        }
    };
    std::priority_queue<Candidate> heap;
    const auto text_of = [&](uint32_t begin, uint32_t length) {
        return std::string_view(escaped).substr(begin, length);
    };
    const auto consider = [&](uint32_t left) {
        if (left == none || symbols[left].next == none) return;
        const uint32_t length = symbols[left].length + symbols[symbols[left].next].length;
        const TokenId id = find(text_of(symbols[left].begin, length));
        if (id != no_token) heap.push({scores_[size_t(id)], left, length});
    };
    for (uint32_t i = 0; i < symbols.size(); ++i) consider(i);
    while (!heap.empty()) {
        const Candidate c = heap.top();
        heap.pop();
        Symbol& left = symbols[c.left];
        if (left.length == 0 || left.next == none || left.length + symbols[left.next].length != c.length)
            continue;
        Symbol& right = symbols[left.next];
        left.length = c.length;
        right.length = 0;
        left.next = right.next;
        if (left.next != none) symbols[left.next].previous = c.left;
        consider(left.previous);
        consider(c.left);
    }
    for (uint32_t i = 0; i != none; i = symbols[i].next)
        put(text_of(symbols[i].begin, symbols[i].length), out);
}

void SpmTokenizer::put(std::string_view piece, std::vector<TokenId>& out) const {
    const TokenId id = find(piece);
    if (id != no_token) {
        out.push_back(id);
        return;
    }
    for (const char c : piece) {
        const TokenId byte = byte_tokens_[static_cast<uint8_t>(c)];
        if (byte != no_token)
            out.push_back(byte);
        else if (special_.unk != no_token)
            out.push_back(special_.unk);
    }
}

std::string SpmTokenizer::normal_piece(TokenId id) const {
    const std::string& text = texts_[size_t(id)];
    if (kinds_[size_t(id)] == TokenKind::byte && text.size() == 6) {
        uint8_t byte = 0;
        const auto r = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
        if (r.ptr == text.data() + 5) return {char(byte)};
    }
    std::string out;
    for (size_t at = 0; at < text.size();) {
        if (text.compare(at, blank.size(), blank) == 0) {
            out += ' ';
            at += blank.size();
        } else {
            out += text[at++];
        }
    }
    return out;
}

}  // namespace sluice
