// Splits text into the words that BPE merges within, by the patterns a model family was trained with.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class PreTokenizer {
  public:
    /// name: tokenizer.ggml.pre. Throws unsupported naming the known ones.
    explicit PreTokenizer(const std::string& name);
    ~PreTokenizer();
    PreTokenizer(const PreTokenizer&) = delete;
    PreTokenizer& operator=(const PreTokenizer&) = delete;

    /// Appends the words of `text`, in order, without loss. Each run of invalid UTF-8 is a word of its own.
    void split(std::string_view text, std::vector<std::string_view>& words) const;

    const std::string& name() const { return name_; }
    /// A word that is in the vocabulary is taken whole, whatever the merges say (Llama 3).
    bool whole_words_first() const;
    /// Where tokenizer.ggml.add_bos_token is missing.
    bool adds_bos() const;

  private:
    struct Family;
    struct Scratch;
    class Pattern;
    void split_valid(std::string_view text, const Scratch& scratch,
                     std::vector<std::string_view>& words) const;

    std::string name_;
    const Family* family_;
    std::vector<std::unique_ptr<Pattern>> patterns_;
};

}  // namespace sluice
