// Macros: {% macro %} and the caller() that a {% call %} block becomes.
#pragma once

#include <string>

#include "text/jinja/evaluator.h"

namespace sluice::jinja {

/// The part of a macro that lies in the syntax tree.
struct MacroDefinition {
    std::string_view name;
    const Signature& signature;
    const Body& body;
};

class Macro final : public Callable {
  public:
    Macro(Evaluator& evaluator, MacroDefinition definition, Ref<Scope> home)
        : evaluator_(evaluator), definition_(definition), home_(std::move(home)) {}

    Value call(Runtime&, const Arguments& arguments) override {
        return evaluator_.call_macro(definition_, home_, arguments);
    }
    std::optional<Value> attribute(Runtime& runtime, std::string_view name) override {
        if (name != "name") return std::nullopt;
        return runtime.string(std::string(definition_.name), Origin::source);
    }
    std::string description() const override { return fmt::format("<Macro '{}'>", definition_.name); }

  private:
    void clear() noexcept override { home_ = {}; }

    Evaluator& evaluator_;
    MacroDefinition definition_;
    Ref<Scope> home_;  // where it was defined: its free names are looked up from there
};

}  // namespace sluice::jinja
