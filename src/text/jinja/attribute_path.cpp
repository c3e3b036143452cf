#include "text/jinja/attribute_path.h"

#include "text/jinja/operations.h"
#include "text/jinja/text_operations.h"

namespace sluice::jinja {

AttributePath::AttributePath(Runtime& runtime, const Value& path, const Value* otherwise)
    : otherwise_(otherwise) {
    if (!path.is_string()) {
        parts_.push_back(path);
        return;
    }
    const Text dot(".", Origin::source);
    for (const Value& part : split(runtime, path.text(), &dot, -1)) {
        const std::string_view digits = part.view();
        const bool index =
            !digits.empty() && digits.size() < 10 && digits.find_first_not_of("0123456789") == digits.npos;
        parts_.push_back(index ? Value(static_cast<int64_t>(std::stoll(std::string(digits)))) : part);
    }
}

Value AttributePath::of(Runtime& runtime, const Value& from) const {
    Value value = from;
    for (const Value& part : parts_) {
        runtime.step();
        value = item(runtime, value, part);
        if (otherwise_ && value.is_undefined()) value = *otherwise_;
    }
    return value;
}

Value ignore_case(Runtime& runtime, const Value& value) {
    return value.is_string() ? runtime.string(lower(runtime, value.text())) : value;
}

}  // namespace sluice::jinja
