#include "text/tokenizer.h"

#include <algorithm>

#include "core/fail.h"
#include "text/bpe_tokenizer.h"
#include "text/spm_tokenizer.h"

namespace sluice {

namespace {

/// Control tokens that end a turn in some family, whatever the metadata says.
constexpr std::string_view known_ends[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "<EOT>",
    "_<EOT>",
    "<|end▁of▁sentence|>",
    "[EOS]",
    "</s>",
};

TokenId token_key(const GgufMetadata& m, const char* name, size_t vocabulary) {
    const std::string key = std::string("tokenizer.ggml.") + name;
    if (!m.has(key)) return no_token;
    const uint64_t id = m.get_uint(key);
    if (id == UINT32_MAX) return no_token;  // some converters write -1 for "none"
    if (id >= vocabulary)
        fail(ErrorCode::invalid_file, "{}: expected {} below the vocabulary's {} tokens, found {}", m.source,
             key, vocabulary, id);
    return TokenId(id);
}

}  // namespace

Tokenizer::Tokenizer(const GgufMetadata& m, bool add_bos_otherwise) {
    const auto* tokens = m.find_strings("tokenizer.ggml.tokens");
    if (!tokens || tokens->empty())
        fail(ErrorCode::invalid_file, "{}: expected a vocabulary in tokenizer.ggml.tokens, found none",
             m.source);
    if (tokens->size() > (1u << 24))
        fail(ErrorCode::invalid_file, "{}: expected at most 2^24 tokens, found {}", m.source, tokens->size());
    texts_ = *tokens;
    kinds_.assign(texts_.size(), TokenKind::normal);
    if (const auto types = m.find_ints("tokenizer.ggml.token_type")) {
        if (types->size() != texts_.size())
            fail(ErrorCode::invalid_file,
                 "{}: expected a tokenizer.ggml.token_type for each of {} tokens, found {}", m.source,
                 texts_.size(), types->size());
        for (size_t i = 0; i < types->size(); ++i)
            kinds_[i] = (*types)[i] >= 1 && (*types)[i] <= 6 ? TokenKind((*types)[i]) : TokenKind::normal;
    }
    ids_.reserve(texts_.size());
    for (size_t i = 0; i < texts_.size(); ++i) {
        ids_.emplace(texts_[i], TokenId(i));
        if (kinds_[i] == TokenKind::control || kinds_[i] == TokenKind::user_defined)
            matcher_.add(texts_[i], TokenId(i), kinds_[i] == TokenKind::control);
    }
    const size_t n = texts_.size();
    special_ = {token_key(m, "bos_token_id", n),
                token_key(m, "eos_token_id", n),
                token_key(m, "eot_token_id", n),
                token_key(m, "eom_token_id", n),
                token_key(m, "unknown_token_id", n),
                token_key(m, "padding_token_id", n),
                false,
                false};
    special_.add_bos = m.get_bool("tokenizer.ggml.add_bos_token", add_bos_otherwise);
    special_.add_eos = m.get_bool("tokenizer.ggml.add_eos_token", false);

    for (const TokenId id : {special_.eos, special_.eot, special_.eom})
        if (id != no_token) end_tokens_.push_back(id);
    for (const auto text : known_ends) {
        const TokenId id = find(text);
        if (id != no_token && kinds_[size_t(id)] == TokenKind::control) end_tokens_.push_back(id);
    }
    std::sort(end_tokens_.begin(), end_tokens_.end());
    end_tokens_.erase(std::unique(end_tokens_.begin(), end_tokens_.end()), end_tokens_.end());
}

std::unique_ptr<Tokenizer> Tokenizer::from(const GgufMetadata& metadata) {
    const std::string model = metadata.get_string("tokenizer.ggml.model");
    if (model == "gpt2") return std::make_unique<BpeTokenizer>(metadata);
    if (model == "llama") return std::make_unique<SpmTokenizer>(metadata);
    fail(ErrorCode::unsupported,
         "{}: the tokenizer \"{}\" is unknown; Sluice has gpt2 (byte-level BPE) and llama (SentencePiece)",
         metadata.source, model);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, std::span<const TextRange> trusted) const {
    std::vector<TokenId> out;
    bool after_special = true;
    for (size_t at = 0; at < text.size();) {
        const auto match = matcher_.find(text, at, trusted);
        const size_t end = match ? match->begin : text.size();
        if (end > at) {
            encode_text(text.substr(at, end - at), after_special, out);
            after_special = false;
        }
        if (!match) break;
        out.push_back(match->id);
        after_special = true;
        at = match->end;
    }
    return out;
}

void Tokenizer::check_id(TokenId id) const {
    if (id < 0 || size_t(id) >= texts_.size())
        fail(ErrorCode::invalid_argument, "expected token ids from 0 to {}, found {}", texts_.size() - 1, id);
}

std::string Tokenizer::piece(TokenId id, bool show_special) const {
    check_id(id);
    switch (kinds_[size_t(id)]) {
        case TokenKind::control:
            return show_special ? texts_[size_t(id)] : std::string();
        case TokenKind::user_defined:
            return texts_[size_t(id)];
        default:
            return normal_piece(id);
    }
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool show_special) const {
    std::string out;
    bool first = drops_first_blank();
    for (const TokenId id : ids) {
        std::string p = piece(id, show_special);
        if (first && kinds_[size_t(id)] != TokenKind::control) {
            if (p.starts_with(' ')) p.erase(0, 1);
            first = false;
        }
        out += p;
    }
    return out;
}

const std::string& Tokenizer::raw_text(TokenId id) const {
    check_id(id);
    return texts_[size_t(id)];
}

TokenKind Tokenizer::kind(TokenId id) const {
    check_id(id);
    return kinds_[size_t(id)];
}

TokenId Tokenizer::find(std::string_view raw) const {
    const auto it = ids_.find(raw);
    return it == ids_.end() ? no_token : it->second;
}

bool Tokenizer::is_end(TokenId id) const {
    return std::binary_search(end_tokens_.begin(), end_tokens_.end(), id);
}

}  // namespace sluice
