#include "text/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <span>

#include <pcre2.h>

#include "core/fail.h"
#include "text/utf8_scan.h"

namespace sluice {

/// The families' patterns, applied one after the other: each splits what the ones before left whole. Sources:
/// the tokenizer.json of the models ("Split", "Isolated"), which the format's reference implementation
/// follows.
struct PreTokenizer::Family {
    std::vector<std::string_view> names;
    std::vector<const char*> patterns;
    bool whole_words_first = false, adds_bos = false;
};

namespace {

// Letters with case (Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee, …), as DeepSeek LLM's pattern
// lists them; by number, because editors normalise some of them (the Ohm and Kelvin signs) into others.
constexpr const char* deepseek_llm_letters =
    "\\s?["
    "A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}"
    "\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}\\x{388}-\\x{38A}"
    "\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}"
    "\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}"
    "\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}"
    "\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}"
    "\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}"
    "\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}"
    "\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}"
    "\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}"
    "\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}"
    "\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}"
    "\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}"
    "\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"
    "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}"
    "]+";

constexpr const char* llama3_pattern =
    "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* qwen2_pattern =
    "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
// Kimi K2's tiktoken pattern; its class intersections ("&& not Han") are written as lookaheads.
#define SLUICE_NOT_HAN(classes) "(?:(?!\\p{Han})[" classes "])"
constexpr const char* kimi_pattern =
    "\\p{Han}+|[^\\r\\n\\p{L}\\p{N}]?" SLUICE_NOT_HAN("\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}") "*" SLUICE_NOT_HAN(
        "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}") "+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?" SLUICE_NOT_HAN(
        "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}") "+" SLUICE_NOT_HAN("\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}") "*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* gpt2_pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";

}  // namespace

/// What one split needs for itself, so that a pattern serves several threads.
struct PreTokenizer::Scratch {
    Scratch()
        : data(pcre2_match_data_create(1, nullptr)),
          context(pcre2_match_context_create(nullptr)),
          stack(pcre2_jit_stack_create(32 << 10, 64 << 20, nullptr)) {
        pcre2_jit_stack_assign(context, nullptr, stack);
        pcre2_set_match_limit(context,
                              UINT32_MAX);        // a megabyte of blanks is a long match, not an attack on us
        pcre2_set_heap_limit(context, 64 << 10);  // KiB
    }
    ~Scratch() {
        pcre2_jit_stack_free(stack);
        pcre2_match_context_free(context);
        pcre2_match_data_free(data);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    pcre2_match_data* data;
    pcre2_match_context* context;
    pcre2_jit_stack* stack;
};

class PreTokenizer::Pattern {
  public:
    explicit Pattern(const char* source) {
        int error = 0;
        PCRE2_SIZE at = 0;
        code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source), PCRE2_ZERO_TERMINATED,
                              PCRE2_UTF | PCRE2_UCP, &error, &at, nullptr);
        if (!code_)
            fail(ErrorCode::internal, "the pattern {} does not compile (error {} at {})", source, error, at);
        pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE);  // without it matching is slower, nothing else
    }
    ~Pattern() { pcre2_code_free(code_); }
    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;

    /// Matches and what lies between them, in order.
    void split(std::string_view text, const Scratch& scratch, std::vector<std::string_view>& pieces) const {
        size_t done = 0;
        for (size_t from = 0; from < text.size();) {
            const int rc = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                       PCRE2_NO_UTF_CHECK, scratch.data, scratch.context);
            if (rc == PCRE2_ERROR_NOMATCH) break;
            if (rc < 0)
                fail(ErrorCode::internal, "splitting {} bytes of text failed with PCRE2 error {}",
                     text.size(), rc);
            const PCRE2_SIZE* range = pcre2_get_ovector_pointer(scratch.data);
            if (range[1] == range[0]) {  // cannot happen with our patterns; never loop
                ++from;
                continue;
            }
            if (range[0] > done) pieces.push_back(text.substr(done, range[0] - done));
            pieces.push_back(text.substr(range[0], range[1] - range[0]));
            done = from = range[1];
        }
        if (done < text.size()) pieces.push_back(text.substr(done));
    }

  private:
    pcre2_code* code_;
};

PreTokenizer::PreTokenizer(const std::string& name) : name_(name), family_(nullptr) {
    static const std::vector<Family> families = {
        {{"llama-bpe", "llama3", "llama-v3", "smaug-bpe", "falcon3", "dbrx"}, {llama3_pattern}, true, true},
        {{"qwen2", "deepseek-r1-qwen", "megrez"}, {qwen2_pattern}},
        {{"deepseek-llm"},
         {"[\r\n]", deepseek_llm_letters, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$",
          "[一-龥ࠀ-一가-퟿]+", "\\p{N}+"}},
        {{"deepseek-coder"}, {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"}},
        {{"deepseek-v3"},
         {"\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
          "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
          "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"}},
        {{"kimi-k2"}, {kimi_pattern}},
        {{"gpt-2", "phi-2", "jina-es", "jina-de"}, {gpt2_pattern}},
        {{"default"}, {"[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2_pattern, "\\p{N}+", "[0-9][0-9][0-9]"}},
    };
    std::string known;
    for (const Family& f : families)
        for (const auto n : f.names) {
            known += fmt::format("{}{}", known.empty() ? "" : ", ", n);
            if (n == name) family_ = &f;
        }
    if (!family_)
        fail(ErrorCode::unsupported, "the pre-tokenizer \"{}\" is unknown; Sluice has {}", name, known);
    for (const char* p : family_->patterns) patterns_.push_back(std::make_unique<Pattern>(p));
}

PreTokenizer::~PreTokenizer() = default;
bool PreTokenizer::whole_words_first() const {
    return family_->whole_words_first;
}
bool PreTokenizer::adds_bos() const {
    return family_->adds_bos;
}

void PreTokenizer::split_valid(std::string_view text, const Scratch& scratch,
                               std::vector<std::string_view>& words) const {
    std::vector<std::string_view> pieces{text}, next;
    for (const auto& pattern : patterns_) {
        next.clear();
        for (const auto piece : pieces) pattern->split(piece, scratch, next);
        pieces.swap(next);
    }
    words.insert(words.end(), pieces.begin(), pieces.end());
}

void PreTokenizer::split(std::string_view text, std::vector<std::string_view>& words) const {
    const Scratch scratch;
    size_t begin = 0, at = 0;  // [begin, at): valid so far
    while (at < text.size()) {
        const Utf8Scan s = scan_utf8(text.substr(at));
        if (s.state == Utf8State::valid) {
            at += s.length;
            continue;
        }
        if (at > begin) split_valid(text.substr(begin, at - begin), scratch, words);
        const size_t bad = at;
        while (at < text.size()) {
            const Utf8Scan b = scan_utf8(text.substr(at));
            if (b.state == Utf8State::valid) break;
            at += b.length;
        }
        words.push_back(text.substr(bad, at - bad));
        begin = at;
    }
    if (at > begin) split_valid(text.substr(begin), scratch, words);
}

}  // namespace sluice
