#include "text/tool_calls/tool_grammar.h"

#include <algorithm>
#include <vector>

#include "core/fail.h"
#include "text/grammar/json_schema.h"
#include "text/tokenizer.h"

namespace sluice {

namespace {

using Expr = GrammarRules::Expr;
using Json = nlohmann::ordered_json;

class CallRules {
  public:
    CallRules(GrammarRules& rules, ToolFormat format, const Tokenizer& tokenizer)
        : r_(rules), format_(format), tokenizer_(tokenizer) {}

    Expr answer(const std::vector<const Tool*>& tools, bool parallel);

  private:
    /// Text, in which what stands between ‹› is a marker: a control token if the vocabulary has it as one.
    Expr text(std::string_view with_markers);
    Expr several(Expr one, std::string_view between, bool parallel);
    Expr call(const Tool& tool);
    Expr arguments(const Tool& tool);
    Expr parameters(const Tool& tool);
    Expr parameter(const Tool& tool, const std::string& key, const Json& schema);

    GrammarRules& r_;
    ToolFormat format_;
    const Tokenizer& tokenizer_;
};

Expr CallRules::text(std::string_view t) {
    constexpr std::string_view open = "‹", close = "›";
    std::vector<Expr> parts;
    while (!t.empty()) {
        const size_t begin = t.find(open);
        if (begin > 0) parts.push_back(r_.literal(t.substr(0, begin)));
        if (begin == std::string_view::npos) break;
        const size_t end = t.find(close, begin);
        const std::string_view marker = t.substr(begin + open.size(), end - begin - open.size());
        const TokenId id = tokenizer_.find(marker);
        const bool control = id != no_token && tokenizer_.kind(id) == TokenKind::control;
        parts.push_back(control ? r_.control(marker) : r_.literal(marker));
        t.remove_prefix(end + close.size());
    }
    return r_.sequence(std::move(parts));
}

Expr CallRules::several(Expr one, std::string_view between, bool parallel) {
    if (!parallel) return one;
    return r_.sequence({one, r_.repeat(r_.sequence({text(between), one}), 0, GrammarRules::unlimited)});
}

Expr CallRules::arguments(const Tool& tool) {
    Json schema = tool.parameters;
    // No arguments are an empty object, not any.
    if (schema.is_object() && !schema.contains("type") && !schema.contains("$ref") &&
        !schema.contains("anyOf"))
        schema["type"] = "object";
    if (schema == Json{{"type", "object"}}) schema["properties"] = Json::object();
    return json_schema_value(r_, schema, "the parameters of the tool \"" + tool.name + "\"");
}

/// A parameter whose type is not marked: text stands as it is.
Expr CallRules::parameter(const Tool& tool, const std::string& key, const Json& schema) {
    const bool coder = format_ == ToolFormat::qwen_coder;
    const std::string open =
        coder ? "<parameter=" + key + ">\n" : "<arg_key>" + key + "</arg_key>\n<arg_value>";
    const std::string close = coder ? "\n</parameter>\n" : "</arg_value>\n";
    if (!wants_text(schema)) {
        Json whole = schema;  // what its references refer to is in the tool's
        for (const char* defs : {"$defs", "definitions"})
            if (whole.is_object() && tool.parameters.contains(defs)) whole[defs] = tool.parameters[defs];
        return r_.sequence(
            {r_.literal(open),
             json_schema_value(r_, whole, "the parameter \"" + key + "\" of the tool \"" + tool.name + "\""),
             r_.literal(close)});
    }
    if (schema.contains("enum")) {
        std::vector<Expr> values;
        for (const Json& v : schema["enum"])
            values.push_back(r_.literal(v.is_string()
                                            ? v.get<std::string>()
                                            : v.dump(-1, ' ', false, Json::error_handler_t::replace)));
        return r_.sequence({r_.literal(open), r_.choice(std::move(values)), r_.literal(close)});
    }
    return r_.sequence(
        {r_.literal(open), r_.until(coder ? "</parameter>" : "</arg_value>"), r_.literal("\n")});
}

Expr CallRules::parameters(const Tool& tool) {
    const auto properties = tool.parameters.find("properties");
    if (properties == tool.parameters.end() || !properties->is_object()) return r_.literal("");
    const auto required = tool.parameters.find("required");
    std::vector<Expr> parts;
    for (const auto& [key, schema] : properties->items()) {
        const Expr one = parameter(tool, key, schema);
        const bool must = required != tool.parameters.end() && required->is_array() &&
                          std::find(required->begin(), required->end(), key) != required->end();
        parts.push_back(must ? one : r_.optional(one));
    }
    return r_.sequence(std::move(parts));
}

Expr CallRules::call(const Tool& tool) {
    const Expr name = r_.literal(tool.name);
    const auto of = [&](std::string_view before, std::string_view between, Expr inside,
                        std::string_view after) {
        return r_.sequence({text(before), name, text(between), inside, text(after)});
    };
    switch (format_) {
        case ToolFormat::hermes:
            return of("‹<tool_call>›\n{\"name\": \"", "\", \"arguments\": ", arguments(tool),
                      "}\n‹</tool_call>›");
        case ToolFormat::qwen_coder:
            return of("‹<tool_call>›\n<function=", ">\n", parameters(tool), "</function>\n‹</tool_call>›");
        case ToolFormat::glm:
            return of("‹<tool_call>›", "\n", parameters(tool), "‹</tool_call>›");
        case ToolFormat::llama:
            return of("{\"name\": \"", "\", \"parameters\": ", arguments(tool), "}");
        case ToolFormat::deepseek:
            return of("‹<｜tool▁call▁begin｜>›function‹<｜tool▁sep｜>›", "\n```json\n", arguments(tool),
                      "\n```‹<｜tool▁call▁end｜>›");
        case ToolFormat::deepseek_v31:
            return of("‹<｜tool▁call▁begin｜>›", "‹<｜tool▁sep｜>›", arguments(tool),
                      "‹<｜tool▁call▁end｜>›");
        case ToolFormat::mistral:
            return of("{\"name\": \"", "\", \"arguments\": ", arguments(tool), "}");
        case ToolFormat::mistral_named:
            return of("‹[TOOL_CALLS]›", "‹[ARGS]›", arguments(tool), "");
        case ToolFormat::kimi: {
            const Expr number = r_.repeat(r_.chars({{'0', '9'}}), 1, 2);
            return r_.sequence({text("‹<|tool_call_begin|>›functions."), name, r_.literal(":"), number,
                                text("‹<|tool_call_argument_begin|>›"), arguments(tool),
                                text("‹<|tool_call_end|>›")});
        }
        case ToolFormat::none:
            break;
    }
    fail(ErrorCode::unsupported,
         "a tool call was demanded, but the model's chat template does not say how it writes one");
}

Expr CallRules::answer(const std::vector<const Tool*>& tools, bool parallel) {
    std::vector<Expr> ways;
    for (const Tool* tool : tools) ways.push_back(call(*tool));
    const Expr one = r_.call(r_.add(r_.choice(std::move(ways))));
    const auto section = [&](const char* before, Expr inside, const char* after) {
        return r_.sequence({text(before), inside, text(after)});
    };
    switch (format_) {
        case ToolFormat::llama:  // one alone: its templates refuse more
            return one;
        case ToolFormat::deepseek:
            return section("‹<｜tool▁calls▁begin｜>›", several(one, "\n", parallel),
                           "‹<｜tool▁calls▁end｜>›");
        case ToolFormat::deepseek_v31:
            return section("‹<｜tool▁calls▁begin｜>›", several(one, "", parallel), "‹<｜tool▁calls▁end｜>›");
        case ToolFormat::kimi:
            return section("‹<|tool_calls_section_begin|>›", several(one, "", parallel),
                           "‹<|tool_calls_section_end|>›");
        case ToolFormat::mistral:
            return section("‹[TOOL_CALLS]›[", several(one, ", ", parallel), "]");
        case ToolFormat::mistral_named:
            return several(one, "", parallel);
        default:
            return several(one, "\n", parallel);
    }
}

}  // namespace

GrammarRules tool_call_rules(ToolFormat format, const ToolSet& tools, const ToolDemand& demand,
                             const Tokenizer& tokenizer) {
    std::vector<const Tool*> callable;
    for (const Tool& tool : tools.all())
        if (demand.name.empty() || tool.name == demand.name) callable.push_back(&tool);
    if (callable.empty() && demand.name.empty())
        fail(ErrorCode::invalid_argument, "a tool call was demanded, but no tools are offered");
    if (callable.empty())
        fail(ErrorCode::invalid_argument, "the tool \"{}\" was demanded, but it is not among those offered",
             demand.name);
    for (const Tool* tool : callable)
        if (!is_tool_name(tool->name))
            fail(ErrorCode::invalid_argument,
                 "expected a tool's name without blanks, quotes and brackets, found \"{}\"", tool->name);
    GrammarRules rules;
    const Expr answer = CallRules(rules, format, tokenizer).answer(callable, demand.parallel);
    rules.root = rules.add(answer);
    return rules;
}

}  // namespace sluice
