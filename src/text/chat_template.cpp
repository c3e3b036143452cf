#include "text/chat_template.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/fail.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/lexer.h"
#include "text/jinja/parser.h"

namespace sluice {
namespace {

using jinja::Origin;
using jinja::Runtime;
using jinja::Value;
using nlohmann::ordered_json;

constexpr size_t largest_source = 512 << 10;  // real templates have 1 to 30 KB
constexpr uint32_t input_depth = 200;         // of arrays and objects in each other

// The input as the template's values. All of it is frozen and counts as written by the user.
Value to_value(Runtime& runtime, const ordered_json& json, uint32_t depth_left) {
    if (depth_left == 0) {
        fail(ErrorCode::invalid_argument, "the template's input is nested more than {} deep; flatten it",
             input_depth);
    }
    switch (json.type()) {
        case ordered_json::value_t::boolean:
            return Value(json.get<bool>());
        case ordered_json::value_t::number_integer:
            return Value(json.get<int64_t>());
        case ordered_json::value_t::number_unsigned: {
            const auto number = json.get<uint64_t>();
            return number <= INT64_MAX ? Value(static_cast<int64_t>(number))
                                       : Value(static_cast<double>(number));
        }
        case ordered_json::value_t::number_float:
            return Value(json.get<double>());
        case ordered_json::value_t::string:
            return runtime.string(json.get_ref<const std::string&>(), Origin::input);
        case ordered_json::value_t::array: {
            std::vector<Value> items;
            items.reserve(json.size());
            for (const ordered_json& item : json) items.push_back(to_value(runtime, item, depth_left - 1));
            return runtime.sequence(jinja::Kind::list, std::move(items), jinja::Access::frozen);
        }
        case ordered_json::value_t::object: {
            const jinja::Ref<jinja::Dict> dict = runtime.heap().make<jinja::Dict>(jinja::Access::frozen);
            for (const auto& [key, value] : json.items()) {
                dict->set(runtime.string(key, Origin::input), to_value(runtime, value, depth_left - 1));
            }
            return Value(dict);
        }
        default:
            return Value();
    }
}

// What the input may take in memory on top of what the template makes of it: a bound, not an estimate. Stops
// at the depth that to_value() refuses.
size_t memory_of(const ordered_json& json, uint32_t depth_left) {
    constexpr size_t per_value = 512;
    size_t bytes = per_value + (json.is_string() ? json.get_ref<const std::string&>().size() : 0);
    if (!json.is_structured() || depth_left == 0) return bytes;
    for (const auto& [key, value] : json.items())
        bytes += key.size() + per_value + memory_of(value, depth_left - 1);
    return bytes;
}

}  // namespace

struct ChatTemplate::Program {
    std::string source;  // as the lexer wants it
    jinja::Syntax syntax;
};

ChatTemplate::ChatTemplate(std::string source, TemplateLimits limits)
    : source_(std::move(source)), limits_(limits), program_(std::make_unique<Program>()) {
    if (source_.size() > largest_source) {
        fail(ErrorCode::invalid_file, "the chat template has {} bytes; at most {} are read", source_.size(),
             largest_source);
    }
    program_->source = jinja::normalize_source(source_);
    program_->syntax = jinja::parse(program_->source, limits_.depth);
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

RenderedText ChatTemplate::render(const ordered_json& input, const TemplateContext& context) const {
    if (!input.is_object()) {
        fail(ErrorCode::invalid_argument,
             "a template's input must be an object with the variables as members, found {}",
             input.type_name());
    }
    const jinja::Syntax& syntax = program_->syntax;
    Runtime runtime(limits_, context.now);
    std::optional<jinja::Evaluator> evaluator;
    const auto describe = [&](const std::exception& problem) {
        return fmt::format("chat template line {}: {}", evaluator ? evaluator->line() : 1, problem.what());
    };
    try {
        std::vector<std::optional<Value>> inputs(syntax.names.size());
        for (size_t id = 0; id < inputs.size(); ++id) {
            const std::string& name = syntax.names[id];
            if (name == "bos_token") {
                inputs[id] = runtime.string(context.bos_token, Origin::source);
            } else if (name == "eos_token") {
                inputs[id] = runtime.string(context.eos_token, Origin::source);
            } else if (const auto member = input.find(name); member != input.end()) {
                runtime.heap().allow_more(memory_of(*member, input_depth));
                inputs[id] = to_value(runtime, *member, input_depth);
            }
        }
        evaluator.emplace(syntax, runtime, std::move(inputs));
        jinja::Text text = evaluator->run();
        evaluator.reset();
        RenderedText rendered;
        rendered.trusted = std::move(text).release_trusted();
        rendered.text = std::move(text).release_bytes();
        return rendered;
    } catch (const jinja::TemplateRefusal& refusal) {
        throw Error(ErrorCode::invalid_argument, refusal.what());
    } catch (const jinja::Problem& problem) {
        throw Error(problem.code(), describe(problem));
    }
}

}  // namespace sluice
