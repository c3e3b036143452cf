#include "cli/constraint_flags.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "cli/exit_code.h"
#include "cli/input.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"

namespace sluice::cli {

void ConstraintFlags::add_to(CLI::App& command) {
    const char* group = "What the answer must be (after the model's thinking)";
    command.add_option("--grammar", grammar, "Text of this GBNF grammar")->type_name("GBNF")->group(group);
    command.add_option("--grammar-file", grammar_file, "Text of the GBNF grammar in a file")
        ->type_name("FILE")
        ->group(group);
    command
        .add_option("--json-schema", schema,
                    "JSON that is valid under this schema, or under the one in a file")
        ->type_name("JSON|@FILE")
        ->group(group);
    command.add_flag("--json-object", json_object, "A JSON object")->group(group);
}

void ConstraintFlags::check() {
    const int given =
        int(grammar.has_value()) + int(grammar_file.has_value()) + int(schema.has_value()) + int(json_object);
    if (given > 1)
        throw UsageError(fmt::format(
            "expected one of --grammar, --grammar-file, --json-schema and --json-object, found {}", given));
    if (grammar) text_ = *grammar;
    if (grammar_file) text_ = read_all(*grammar_file);
    if (schema) text_ = schema->starts_with('@') ? read_all(schema->substr(1)) : *schema;
    if (grammar || grammar_file) parse_gbnf(text_);
    if (schema) parse_json_schema(text_);
}

std::shared_ptr<const Constraint> ConstraintFlags::compile(const Engine& engine) const {
    if (grammar || grammar_file) return engine.constrain_to_grammar(text_);
    if (schema) return engine.constrain_to_schema(text_);
    return json_object ? engine.constrain_to_json_object() : nullptr;
}

}  // namespace sluice::cli
