// A model's chat template: Jinja source that turns messages into the text the model was trained on.
//
// The source comes from a file and is hostile until proven otherwise: parsing and rendering are bounded in
// depth, steps and output size, and nothing outside the given input is reachable. Whitespace control is as
// transformers sets it (trim_blocks and lstrip_blocks on), `tojson` as in transformers (no ASCII escaping, no
// HTML escaping, `indent`). Strings remember whether they came from the template or from the input, through
// every operation, so that the result says which parts are trusted (see rendered.h). bos_token and eos_token
// count as the template's own.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "text/rendered.h"

namespace sluice {

struct TemplateLimits {
    uint64_t steps = 50'000'000;       // evaluated nodes, and bytes processed at 32 to a step
    uint64_t output_bytes = 64 << 20;  // of the result, and of any string on the way
    uint32_t depth = 200;              // nesting of source constructs, and of macro calls
};

struct TemplateContext {
    std::string bos_token, eos_token;
    std::tm now{};  // what strftime_now shows; local time
};

class ChatTemplate {
  public:
    /// Parses; throws invalid_file with line and what was expected, or unsupported naming the feature.
    explicit ChatTemplate(std::string source, TemplateLimits limits = {});
    ~ChatTemplate();
    ChatTemplate(ChatTemplate&&) noexcept;
    ChatTemplate& operator=(ChatTemplate&&) noexcept;

    /// `input`: an object whose members are the template's variables (messages, tools, add_generation_prompt,
    /// …). Throws invalid_argument with the template's own words if it calls raise_exception; else with line
    /// and reason.
    RenderedText render(const nlohmann::ordered_json& input, const TemplateContext& context) const;

    const std::string& source() const { return source_; }

  private:
    std::string source_;
    TemplateLimits limits_;
    struct Program;
    std::unique_ptr<Program> program_;
};

/// A template for a model that carries none, chosen by what its vocabulary holds (ChatML where <|im_start|>
/// exists, Llama 3, DeepSeek, Llama 2 for SentencePiece, else a plain "User: / Assistant:" form). `name` is
/// for the notice.
struct DefaultTemplate {
    std::string_view name, source;
};
class Tokenizer;
DefaultTemplate default_template(const Tokenizer& tokenizer);

}  // namespace sluice
