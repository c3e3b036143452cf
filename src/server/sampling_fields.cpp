#include "server/sampling_fields.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace sluice::server {

namespace {

/// {"token id": addend}. -100 forbids, as OpenAI has it.
std::vector<std::pair<int32_t, float>> read_logit_bias(const Fields& body, const ModelService& model) {
    std::vector<std::pair<int32_t, float>> bias;
    const auto fields = body.object("logit_bias");
    if (!fields) return bias;
    constexpr size_t most = 4096;
    if (fields->json().size() > most) body.fail("logit_bias", "an object of at most 4096 tokens");
    for (const auto& [name, value] : fields->json().items()) {
        const bool is_id =
            !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos;
        if (!is_id || uint32_t(std::stoul(name)) >= model.engine().info().n_vocab)
            throw ApiError(Refusal::invalid,
                           fmt::format("expected logit_bias to name token ids from 0 to {}, found \"{}\"",
                                       model.engine().info().n_vocab - 1, name.substr(0, 40)),
                           "logit_bias");
        const double addend = fields->number(name, -100, 100).value_or(0);
        bias.emplace_back(int32_t(std::stoul(name)),
                          addend <= -100 ? -std::numeric_limits<float>::infinity() : float(addend));
    }
    return bias;
}

void read_penalties(const Fields& body, SamplingOptions& s) {
    const auto presence = body.number("presence_penalty", -2, 2),
               frequency = body.number("frequency_penalty", -2, 2);
    s.presence_penalty = float(presence.value_or(s.presence_penalty));
    s.frequency_penalty = float(frequency.value_or(s.frequency_penalty));
    if (presence || frequency) s.penalty_last_n = -1;  // OpenAI's count over the whole text
    s.repeat_penalty = float(body.number("repeat_penalty", 0.01, 10).value_or(s.repeat_penalty));
    s.penalty_last_n = int32_t(body.integer("repeat_last_n", -1, 1 << 30).value_or(s.penalty_last_n));
}

}  // namespace

std::vector<std::string> read_stop(const Fields& body, std::string_view name) {
    constexpr size_t most = 16, longest = 1024;
    std::vector<std::string> stop;
    const Json* value = body.find(name);
    if (!value) return stop;
    if (value->is_string())
        stop.push_back(value->get<std::string>());
    else if (value->is_array() && value->size() <= most)
        for (size_t i = 0; i < value->size(); ++i)
            stop.push_back(text_of((*value)[i], fmt::format("{}[{}]", body.path(name), i)));
    else
        body.fail(name, "a string or an array of at most 16 strings");
    for (const auto& text : stop)
        if (text.size() > longest) body.fail(name, "texts of at most 1024 bytes");
    return stop;
}

GenerateOptions read_sampling(const Fields& body, const ModelService& model) {
    GenerateOptions o;
    SamplingOptions& s = o.sampling;
    s = model.engine().recommended_sampling();
    s.temperature = float(body.number("temperature", 0, 100).value_or(s.temperature));
    s.top_p = float(body.number("top_p", 0, 1).value_or(s.top_p));
    if (s.top_p == 0) s.top_k = 1, s.top_p = 1;  // what clients mean by it: the best token
    s.top_k = uint32_t(body.integer("top_k", -1, 1 << 30).value_or(s.top_k));
    if (s.top_k == UINT32_MAX) s.top_k = 0;
    s.min_p = float(body.number("min_p", 0, 1).value_or(s.min_p));
    s.typical_p = float(body.number("typical_p", 0.001, 1).value_or(s.typical_p));
    read_penalties(body, s);
    s.logit_bias = read_logit_bias(body, model);
    const auto seed = body.integer("seed", INT64_MIN, INT64_MAX);
    s.seed = seed && *seed != -1 ? uint64_t(*seed) : new_seed();
    o.stop = read_stop(body, "stop");
    o.ignore_end = body.boolean("ignore_eos", false);
    return o;
}

void read_grammar(const Fields& body, AnswerRequest& r) {
    auto grammar = body.text("grammar");
    if (!grammar || grammar->empty()) return;
    if (r.format != AnswerFormat::text) body.fail("grammar", "left out where a response_format is given");
    r.format = AnswerFormat::grammar;
    r.grammar = std::move(*grammar);
}

int64_t thinking_budget_of(const std::string& effort) {
    if (effort == "none") return 0;
    if (effort == "minimal") return 256;
    if (effort == "low") return 1024;
    if (effort == "medium") return 4096;
    return -1;
}

void apply_thinking(ChatRequest& chat, GenerateOptions& options, int64_t budget, const std::string& effort) {
    options.thinking_budget = budget;
    Json variables = chat.extra_variables.empty() ? Json::object() : parse_body(chat.extra_variables);
    // Names that templates know; others never look at them.
    for (const char* name : {"enable_thinking", "thinking"})
        if (!variables.contains(name)) variables[name] = budget != 0;
    if (!effort.empty() && effort != "none" && !variables.contains("reasoning_effort"))
        variables["reasoning_effort"] = effort;
    chat.extra_variables = dump(variables);
}

}  // namespace sluice::server
