// What an Engine's answers can be held to.
#include <fmt/format.h>

#include "engine/impl.h"
#include "text/grammar/constraint.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"
#include "text/tool_calls/tool_grammar.h"

namespace sluice {

std::shared_ptr<const Constraint> Engine::Impl::constraint(const std::string& key,
                                                           const ConstraintCache::MakeRules& rules) const {
    const Tokenizer& t = need_tokenizer();
    return constraints->find_or_make(key, rules, [&] { return Vocabulary::of(t); });
}

std::shared_ptr<const Constraint> Engine::constrain_to_grammar(std::string_view gbnf) const {
    return impl_->constraint(fmt::format("grammar {}", gbnf), [&] { return parse_gbnf(gbnf); });
}

std::shared_ptr<const Constraint> Engine::constrain_to_schema(std::string_view json_schema) const {
    return impl_->constraint(fmt::format("schema {}", json_schema),
                             [&] { return parse_json_schema(json_schema); });
}

std::shared_ptr<const Constraint> Engine::constrain_to_json_object() const {
    return impl_->constraint("object", [] { return json_object_rules(); });
}

ToolFormat Engine::Impl::tool_format() const {
    return chat_template ? tool_format_of(chat_template->source()) : ToolFormat::none;
}

std::shared_ptr<const Constraint> Engine::constrain_to_tool_call(std::string_view tools,
                                                                 std::string_view name, bool parallel) const {
    return impl_->constraint(fmt::format("tools {} {}:{} {}", parallel, name.size(), name, tools), [&] {
        return tool_call_rules(impl_->tool_format(), ToolSet(tools), {name, parallel},
                               impl_->need_tokenizer());
    });
}

}  // namespace sluice
