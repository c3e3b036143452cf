#include "text/jinja/arguments.h"

#include <algorithm>

#include "text/jinja/operations.h"
#include "text/jinja/problem.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {

const Value* Arguments::find(std::string_view name) const {
    for (const auto& [key, value] : named) {
        if (key == name) return &value;
    }
    return nullptr;
}

Parameters::Parameters(std::string_view function, const Arguments& arguments,
                       std::initializer_list<std::string_view> names)
    : function_(function), names_(names), values_(names.size(), nullptr) {
    if (arguments.positional.size() > names_.size()) {
        refuse("{}() takes at most {} argument(s) but {} were given", function, names_.size(),
               arguments.positional.size());
    }
    for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
    for (const auto& [key, value] : arguments.named) {
        const auto at = std::find(names_.begin(), names_.end(), std::string_view(key));
        if (at == names_.end()) refuse("{}() got an unexpected keyword argument '{}'", function, key);
        const Value*& slot = values_[static_cast<size_t>(at - names_.begin())];
        if (slot) refuse("{}() got multiple values for argument '{}'", function, key);
        slot = &value;
    }
}

void Parameters::wrong_type(size_t parameter, std::string_view expected) const {
    refuse("{}() expects {} for '{}', not '{}'", function_, expected, name(parameter),
           type_name(*values_[parameter]));
}

const Value& Parameters::required(size_t parameter) const {
    if (!values_[parameter]) refuse("{}() misses its argument '{}'", function_, name(parameter));
    return *values_[parameter];
}

int64_t Parameters::integer(size_t parameter, std::optional<int64_t> otherwise) const {
    if (!values_[parameter] && otherwise) return *otherwise;
    const Value& value = required(parameter);
    if (value.is(Kind::integer)) return value.integer();
    if (value.is(Kind::boolean)) return value.boolean() ? 1 : 0;
    wrong_type(parameter, "an integer");
}

bool Parameters::flag(size_t parameter, bool otherwise) const {
    return values_[parameter] ? is_true(*values_[parameter]) : otherwise;
}

const Text& Parameters::text(size_t parameter) const {
    const Value& value = required(parameter);
    if (!value.is_string()) wrong_type(parameter, "a string");
    return value.text();
}

}  // namespace sluice::jinja
