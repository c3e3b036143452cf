// Text to token ids and back, from the vocabulary a GGUF carries: byte-level BPE ("gpt2") with the
// pre-tokenizers of the supported families, and SentencePiece ("llama") with byte fallback.
//
// Special tokens (token type control) are recognised only in ranges that the caller trusts: a user's text
// cannot forge one. User-defined tokens (type 4: `<think>` in DeepSeek's files) are ordinary vocabulary that
// is matched before merging and are recognised everywhere, as the reference tokenizers do. Immutable after
// construction: usable from several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "format/gguf.h"
#include "text/rendered.h"
#include "text/special_matcher.h"

namespace sluice {

inline constexpr TokenId no_token = -1;

enum class TokenKind : uint8_t {
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
};

/// Ids of the tokens with a role; no_token where the model has none.
struct SpecialTokens {
    TokenId bos = no_token, eos = no_token, eot = no_token, eom = no_token, unk = no_token, pad = no_token;
    bool add_bos = false, add_eos = false;
};

class Tokenizer {
  public:
    /// Reads tokenizer.ggml.*; throws invalid_file or unsupported (unknown model or pre-tokenizer, named).
    static std::unique_ptr<Tokenizer> from(const GgufMetadata& metadata);
    virtual ~Tokenizer() = default;

    /// Ids of `text`; control tokens are recognised only where a token lies wholly inside one of the trusted
    /// ranges. Adds no BOS or EOS. Any bytes are accepted, invalid UTF-8 included; decode(encode(x)) == x for
    /// BPE.
    std::vector<TokenId> encode(std::string_view text, std::span<const TextRange> trusted) const;
    std::vector<TokenId> encode_plain(std::string_view text) const { return encode(text, {}); }
    std::vector<TokenId> encode_trusted(std::string_view text) const {
        const TextRange all{0, text.size()};
        return encode(text, {&all, 1});
    }
    std::vector<TokenId> encode(const RenderedText& t) const { return encode(t.text, t.trusted); }

    /// The bytes one token stands for; control tokens give their name if `show_special`, else nothing.
    /// Throws invalid_argument for an id outside the vocabulary.
    std::string piece(TokenId id, bool show_special) const;
    /// Bytes of a sequence. (SentencePiece: the leading space that encode() added is removed.)
    std::string decode(std::span<const TokenId> ids, bool show_special) const;

    size_t size() const { return texts_.size(); }
    /// The token's text as the vocabulary writes it ("Ġthe", "▁the", "<0x0A>").
    const std::string& raw_text(TokenId id) const;
    TokenKind kind(TokenId id) const;
    /// The id of an exact vocabulary entry, or no_token.
    TokenId find(std::string_view raw) const;
    const SpecialTokens& special() const { return special_; }
    /// Ends generation: EOS, EOT, EOM and tokens known to end a turn (<|im_end|>, <|eot_id|>,
    /// <|end▁of▁sentence|>, …).
    bool is_end(TokenId id) const;
    /// Ids for which is_end() holds, ascending.
    const std::vector<TokenId>& end_tokens() const { return end_tokens_; }
    /// "BPE, deepseek-v3" or "SentencePiece": for sluice inspect.
    virtual std::string description() const = 0;

  protected:
    /// Reads what all kinds share and checks it.
    explicit Tokenizer(const GgufMetadata& metadata, bool add_bos_otherwise);
    /// Appends the ids of text that holds no special token. after_special: it begins the text or follows a
    /// special token.
    virtual void encode_text(std::string_view text, bool after_special, std::vector<TokenId>& out) const = 0;
    /// The bytes of a normal or unknown token.
    virtual std::string normal_piece(TokenId id) const = 0;
    /// decode() drops the blank that encode() puts in front.
    virtual bool drops_first_blank() const { return false; }

    void check_id(TokenId id) const;

    std::vector<std::string> texts_;
    std::vector<TokenKind> kinds_;
    std::unordered_map<std::string_view, TokenId> ids_;  // into texts_; the first of equal texts
    SpecialTokens special_;
    std::vector<TokenId> end_tokens_;
    SpecialMatcher matcher_;
};

}  // namespace sluice
