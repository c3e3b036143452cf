// sluice template: what a chat template makes of a conversation, to the byte.
#include <ctime>
#include <fstream>
#include <iomanip>
#include <memory>
#include <sstream>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/input.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "core/fail.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sluice::cli {

namespace {

using Json = nlohmann::ordered_json;

struct TemplateOptions {
    std::string source, input;
    bool trusted = false;
};

/// A template and the names of the tokens it may write.
struct Loaded {
    std::string source, bos, eos;
};

bool is_gguf(const std::string& path) {
    char magic[4] = {};
    std::ifstream(path, std::ios::binary).read(magic, 4);
    return std::string_view(magic, 4) == "GGUF";
}

Loaded load_from_model(const std::string& path) {
    const GgufFile file = GgufFile::open(path);
    const auto tokenizer = Tokenizer::from(file.metadata());
    const auto text_of = [&](TokenId id) { return id == no_token ? "" : tokenizer->piece(id, true); };
    Loaded t{file.metadata().get_string("tokenizer.chat_template", ""), text_of(tokenizer->special().bos),
             text_of(tokenizer->special().eos)};
    if (t.source.empty()) t.source = std::string(default_template(*tokenizer).source);
    return t;
}

Loaded load_template(const std::string& named) {
    const std::string path = named.ends_with(".jinja") || named == "-" ? named : find_model(named).string();
    if (is_gguf(path)) return load_from_model(path);
    return {read_all(path), "", ""};
}

std::tm parse_time(const std::string& text) {
    std::tm time{};
    std::istringstream in(text);
    in >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S");
    if (in.fail())
        fail(ErrorCode::invalid_argument, "expected \"now\" as 2025-01-20T12:00:00, found \"{}\"",
             text.substr(0, 40));
    timegm(&time);  // fills in the day of the week and of the year
    return time;
}

std::string text_member(const Json& json, const char* key, std::string otherwise) {
    const auto it = json.find(key);
    if (it == json.end()) return otherwise;
    if (!it->is_string()) fail(ErrorCode::invalid_argument, "expected \"{}\" of the case to be a text", key);
    return it->get<std::string>();
}

TemplateContext context_of(const Json& json, const Loaded& t) {
    TemplateContext context{text_member(json, "bos_token", t.bos), text_member(json, "eos_token", t.eos), {}};
    if (json.contains("now")) {
        context.now = parse_time(text_member(json, "now", ""));
    } else {
        const std::time_t now = std::time(nullptr);
        localtime_r(&now, &context.now);
    }
    return context;
}

int run(const TemplateOptions& o) {
    if (o.source == "-" && o.input == "-")
        throw UsageError("expected standard input to be the template or the case, not both");
    const Loaded t = load_template(o.source);
    const Json json = parse_json(read_all(o.input), o.input);
    if (!json.is_object() || !(json.contains("input") || json.contains("messages")))
        fail(ErrorCode::invalid_argument, "expected {} to be an object with \"input\" or \"messages\"",
             o.input);
    const Json& input = json.contains("input") ? json.at("input") : json;
    if (!input.is_object())
        fail(ErrorCode::invalid_argument, "expected \"input\" of the case to be an object");
    const RenderedText rendered = ChatTemplate(t.source).render(input, context_of(json, t));
    if (!o.trusted) {
        write_output(rendered.text);
        return exit_ok;
    }
    Json ranges = Json::array();
    for (const auto& r : rendered.trusted) ranges.push_back(Json::array({r.begin, r.end}));
    const Json out = {{"text", rendered.text}, {"trusted", std::move(ranges)}};
    write_output(out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return exit_ok;
}

}  // namespace

void add_template(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<TemplateOptions>();
    CLI::App* command = app.add_subcommand("template", "Render a chat template");
    command
        ->add_option("TEMPLATE", o->source, "A .jinja file, or a model: its own template, else its default")
        ->required()
        ->type_name("");
    command
        ->add_option("--input", o->input,
                     "The conversation: {messages, tools, …}, or a case "
                     "{input, bos_token, eos_token, now}; - is standard input")
        ->required()
        ->type_name("CASE.json");
    command->add_flag("--trusted", o->trusted,
                      "Print JSON: the text, and the byte ranges the template itself wrote");
    command->footer(
        "Example:\n  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], "
        "\"add_generation_prompt\": true}' |\n    sluice template rill --input -\n"
        "The text is exact: no newline is added.");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
