// Byte-level BPE (Radford et al. 2019): text is split into words (PreTokenizer), a word's bytes are merged
// pair by pair in order of the merges' rank. O(n log n) in a word's length, so that a megabyte of one
// character is only a long word.
#pragma once

#include <array>

#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace sluice {

class BpeTokenizer : public Tokenizer {
  public:
    explicit BpeTokenizer(const GgufMetadata& metadata);
    std::string description() const override;

  protected:
    void encode_text(std::string_view text, bool after_special, std::vector<TokenId>& out) const override;
    std::string normal_piece(TokenId id) const override;

  private:
    struct Merge {
        uint32_t rank = UINT32_MAX;
        int32_t product = 0;
    };
    void read_merges(const GgufMetadata& metadata);
    int32_t symbol(std::string_view text);
    const Merge* find_merge(int32_t left, int32_t right) const;
    void encode_word(std::string_view word, std::vector<TokenId>& out) const;
    void merge_short(std::vector<int32_t>& symbols) const;
    void merge_long(std::vector<int32_t>& symbols) const;
    void put(int32_t symbol, std::vector<TokenId>& out) const;

    PreTokenizer pre_tokenizer_;
    std::array<int32_t, 256> byte_symbol_{};
    std::unordered_map<uint64_t, Merge> merges_;  // by (left, right)
    // Products of merges that are not in the vocabulary: symbols from size() on, with the text they stand
    // for.
    std::vector<std::string> virtual_texts_;
    std::unordered_map<std::string, int32_t> virtual_ids_;
};

}  // namespace sluice
