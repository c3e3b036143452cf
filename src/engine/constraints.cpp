// What an Engine's answers can be held to.
#include "engine/impl.h"
#include "text/grammar/constraint.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"
#include "text/tool_calls/tool_grammar.h"

namespace sluice {

std::shared_ptr<const Vocabulary> Engine::Impl::vocabulary() const {
    std::call_once(vocabulary_once_, [this] {
        vocabulary_ = std::make_shared<const Vocabulary>(Vocabulary::of(need_tokenizer()));
    });
    return vocabulary_;
}

std::shared_ptr<const Constraint> Engine::constrain_to_grammar(std::string_view gbnf) const {
    return std::make_shared<const Constraint>(parse_gbnf(gbnf), impl_->vocabulary());
}

std::shared_ptr<const Constraint> Engine::constrain_to_schema(std::string_view json_schema) const {
    return std::make_shared<const Constraint>(parse_json_schema(json_schema), impl_->vocabulary());
}

std::shared_ptr<const Constraint> Engine::constrain_to_json_object() const {
    return std::make_shared<const Constraint>(json_object_rules(), impl_->vocabulary());
}

ToolFormat Engine::Impl::tool_format() const {
    return chat_template ? tool_format_of(chat_template->source()) : ToolFormat::none;
}

std::shared_ptr<const Constraint> Engine::constrain_to_tool_call(std::string_view tools,
                                                                 std::string_view name, bool parallel) const {
    return std::make_shared<const Constraint>(
        tool_call_rules(impl_->tool_format(), ToolSet(tools), {name, parallel}, impl_->need_tokenizer()),
        impl_->vocabulary());
}

}  // namespace sluice
