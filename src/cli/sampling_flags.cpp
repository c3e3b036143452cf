#include "cli/sampling_flags.h"

#include <charconv>
#include <limits>
#include <random>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/exit_code.h"
#include "engine/sampler.h"

namespace sluice::cli {

namespace {

template <typename T>
bool parse_number(std::string_view text, T& value) {
    const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
    return r.ec == std::errc() && r.ptr == text.data() + text.size();
}

/// "1234=-5" or "1234=-inf"
std::pair<int32_t, float> parse_bias(const std::string& text) {
    const size_t split = text.find('=');
    int32_t id = 0;
    float value = 0;
    if (split == std::string::npos || !parse_number(std::string_view(text).substr(0, split), id) || id < 0 ||
        !parse_number(std::string_view(text).substr(split + 1), value) || value != value)
        throw UsageError("expected --logit-bias ID=VALUE, such as 1234=-5 or 1234=-inf, found \"" + text +
                         "\"");
    return {id, value};
}

}  // namespace

uint64_t random_seed() {
    // 32 bits: short enough to be typed again.
    return std::random_device()();
}

void SamplingFlags::add_to(CLI::App& command) {
    const char* sampling = "Sampling (default: what the model's file recommends)";
    const auto add = [&](const char* flags, auto& value, const char* text, const char* type) {
        command.add_option(flags, value, text)->type_name(type)->group(sampling);
    };
    add("--seed", seed, "Seed of the random draws (default: a new one for each answer, shown at its end)",
        "N");
    add("--temp", temperature, "Temperature; 0 always takes the likeliest token", "X");
    add("--top-k", top_k, "Keep the K likeliest tokens; 0: all", "K");
    add("--top-p", top_p, "Keep the likeliest tokens that together reach P; 1: all", "P");
    add("--min-p", min_p, "Keep tokens at least P times as likely as the likeliest; 0: all", "P");
    add("--typical-p", typical_p, "Keep the most typical tokens that together reach P; 1: all", "P");
    add("--repeat-penalty", repeat_penalty, "Divide logits of tokens seen lately; 1: off", "X");
    add("--presence-penalty", presence_penalty, "Subtract from tokens seen lately; 0: off", "X");
    add("--frequency-penalty", frequency_penalty, "Subtract for each time a token was seen lately; 0: off",
        "X");
    add("--penalty-last-n", penalty_last_n, "Tokens the penalties look back on; -1: all, 0: none", "N");
    command
        .add_option("--logit-bias", logit_bias, "Add VALUE to a token's logit, -inf forbids it (repeatable)")
        ->allow_extra_args(false)
        ->type_name("ID=VALUE")
        ->group(sampling);

    const char* ending = "End of an answer";
    command
        .add_option("-n,--max-tokens", max_tokens,
                    "Most tokens to generate; -1: until the model ends (default)")
        ->type_name("N")
        ->group(ending);
    command.add_option("--stop", stop, "End the answer before this text (repeatable)")
        ->allow_extra_args(false)
        ->type_name("TEXT")
        ->group(ending);
    command.add_flag("--ignore-eos", ignore_end, "Go on after the model's end token")->group(ending);
}

void SamplingFlags::check() const {
    if (max_tokens < -1)
        throw UsageError("expected --max-tokens of at least -1, found " + std::to_string(max_tokens));
    SamplingOptions options = generate_options({}).sampling;
    options.logit_bias.clear();  // ids depend on the model
    try {
        Sampler(options, 1);
    } catch (const Error& e) {
        throw UsageError(e.what());
    }
}

GenerateOptions SamplingFlags::generate_options(const SamplingOptions& recommended) const {
    GenerateOptions o;
    SamplingOptions& s = o.sampling = recommended;
    s.temperature = temperature.value_or(s.temperature);
    s.top_k = top_k.value_or(s.top_k);
    s.top_p = top_p.value_or(s.top_p);
    s.min_p = min_p.value_or(s.min_p);
    s.typical_p = typical_p.value_or(s.typical_p);
    s.repeat_penalty = repeat_penalty.value_or(s.repeat_penalty);
    s.presence_penalty = presence_penalty.value_or(s.presence_penalty);
    s.frequency_penalty = frequency_penalty.value_or(s.frequency_penalty);
    s.penalty_last_n = penalty_last_n.value_or(s.penalty_last_n);
    for (const auto& text : logit_bias) s.logit_bias.push_back(parse_bias(text));
    s.seed = seed ? *seed : random_seed();
    o.max_tokens = max_tokens;
    o.stop = stop;
    o.ignore_end = ignore_end;
    return o;
}

}  // namespace sluice::cli
