// SentencePiece as Llama 2 uses it: characters are merged into the pieces with the best score, what is in no
// piece falls back to bytes. Blanks are written U+2581, and one is put in front of a text.
#pragma once

#include "text/tokenizer.h"

namespace sluice {

class SpmTokenizer : public Tokenizer {
  public:
    explicit SpmTokenizer(const GgufMetadata& metadata);
    std::string description() const override { return "SentencePiece"; }

  protected:
    void encode_text(std::string_view text, bool after_special, std::vector<TokenId>& out) const override;
    std::string normal_piece(TokenId id) const override;
    bool drops_first_blank() const override { return blank_in_front_; }

  private:
    void put(std::string_view piece, std::vector<TokenId>& out) const;

    std::vector<float> scores_;
    bool blank_in_front_ = true;
    std::array<TokenId, 256> byte_tokens_{};
};

}  // namespace sluice
