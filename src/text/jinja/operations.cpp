#include "text/jinja/operations.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "text/jinja/characters.h"
#include "text/jinja/methods.h"
#include "text/jinja/python_text.h"
#include "text/jinja/search.h"

namespace sluice::jinja {
namespace {

bool is_ordered_list(const Value& value) noexcept {
    return value.is(Kind::list) || value.is(Kind::tuple);
}

bool is_any_sequence(const Value& value) noexcept {
    switch (value.kind()) {
        case Kind::list:
        case Kind::tuple:
        case Kind::view:
        case Kind::generator:
            return true;
        default:
            return false;
    }
}

bool equal_items(Runtime& runtime, const Sequence& a, const Sequence& b) {
    const size_t n = a.items().size();
    if (n != b.items().size()) return false;
    for (size_t i = 0; i < n; ++i) {
        if (!equal(runtime, a.items()[i], b.items()[i])) return false;
    }
    return true;
}

bool equal_entries(Runtime& runtime, const Dict& a, const Dict& b) {
    if (a.size() != b.size()) return false;
    for (const Dict::Entry& entry : a.entries()) {
        charge_key(runtime, entry.key);
        const Value* const other = b.find(entry.key);
        if (!other || !equal(runtime, entry.value, *other)) return false;
    }
    return true;
}

// In Jinja's words: "'dict object' has no attribute 'x'", "list object has no element 3".
std::string owner_name(const Value& value) {
    return value.is_none() ? "None" : fmt::format("{} object", type_name(value));
}

Value missing_attribute(Runtime& runtime, const Value& owner, std::string_view name) {
    return runtime.undefined(fmt::format("'{}' has no attribute {}; the template needs it in its input",
                                         owner_name(owner), quoted(name)));
}

Value missing_element(Runtime& runtime, const Value& owner, const Value& key) {
    return runtime.undefined(fmt::format("{} has no element {}; the template needs it in its input",
                                         owner_name(owner), repr(runtime, key)));
}

// A method of a built-in type, an attribute of a namespace, loop or macro.
std::optional<Value> own_attribute(Runtime& runtime, const Value& value, std::string_view name) {
    switch (value.kind()) {
        case Kind::space: {
            const auto& members = value.as<Space>().members;
            const auto found = members.find(name);
            return found == members.end() ? std::nullopt : std::optional(found->second);
        }
        case Kind::callable:
            return value.as<Callable>().attribute(runtime, name);
        case Kind::tuple:
            if (value.as<Sequence>().is_group && name == "grouper") return value.as<Sequence>().items()[0];
            if (value.as<Sequence>().is_group && name == "list") return value.as<Sequence>().items()[1];
            break;
        default:
            break;
    }
    return bound_method(runtime, value, name);
}

// The place of index i (which may count from the end) among n items.
std::optional<size_t> position(int64_t index, size_t n) noexcept {
    const auto size = static_cast<int64_t>(n);
    if (index < 0) index += size;
    if (index < 0 || index >= size) return std::nullopt;
    return static_cast<size_t>(index);
}

std::optional<Value> subscript(Runtime& runtime, const Value& value, const Value& key) {
    if (value.is(Kind::dict)) {
        if (key.is(Kind::list) || key.is(Kind::dict)) return std::nullopt;
        charge_key(runtime, key);
        const Value* const found = value.as<Dict>().find(key);
        return found ? std::optional(*found) : std::nullopt;
    }
    const auto index = as_integer(key);
    if (!index) return std::nullopt;
    if (is_ordered_list(value)) {
        const auto& items = value.as<Sequence>().items();
        const auto at = position(*index, items.size());
        return at ? std::optional(items[*at]) : std::nullopt;
    }
    if (value.is_string()) {
        const String& string = value.as<String>();
        const auto at = position(*index, string.characters());
        if (!at) return std::nullopt;
        if (string.one_byte_each()) return runtime.string_like(value, string.text().slice(*at, *at + 1));
        runtime.work(string.text().size());
        const size_t begin = byte_of_character(value.view(), *at);
        return runtime.string_like(
            value, string.text().slice(begin, begin + character_at(value.view(), begin).bytes));
    }
    return std::nullopt;
}

}  // namespace

bool is_true(const Value& value) noexcept {
    switch (value.kind()) {
        case Kind::undefined:
        case Kind::none:
            return false;
        case Kind::boolean:
            return value.boolean();
        case Kind::integer:
            return value.integer() != 0;
        case Kind::real:
            return value.real() != 0;
        case Kind::string:
            return !value.text().empty();
        case Kind::list:
        case Kind::tuple:
        case Kind::view:
            return !value.as<Sequence>().items().empty();
        case Kind::dict:
            return value.as<Dict>().size() > 0;
        default:
            return true;
    }
}

void require_defined(const Value& value) {
    if (value.is_undefined()) refuse("{}", value.as<Undefined>().reason());
}

std::optional<double> as_real(const Value& value) noexcept {
    switch (value.kind()) {
        case Kind::boolean:
            return value.boolean() ? 1.0 : 0.0;
        case Kind::integer:
            return static_cast<double>(value.integer());
        case Kind::real:
            return value.real();
        default:
            return std::nullopt;
    }
}

std::optional<int64_t> as_integer(const Value& value) noexcept {
    switch (value.kind()) {
        case Kind::boolean:
            return value.boolean() ? 1 : 0;
        case Kind::integer:
            return value.integer();
        default:
            return std::nullopt;
    }
}

bool equal(Runtime& runtime, const Value& a, const Value& b) {
    const Runtime::Depth depth(runtime);
    runtime.step();
    if (const auto i = as_integer(a), j = as_integer(b); i && j) return *i == *j;
    if (const auto x = as_real(a), y = as_real(b); x && y) return *x == *y;
    if (a.kind() != b.kind()) return false;
    switch (a.kind()) {
        case Kind::undefined:
            return true;
        case Kind::string:
            runtime.work(std::min(a.text().size(), b.text().size()));
            return a.view() == b.view();
        case Kind::list:
        case Kind::tuple:
            return equal_items(runtime, a.as<Sequence>(), b.as<Sequence>());
        case Kind::dict:
            return equal_entries(runtime, a.as<Dict>(), b.as<Dict>());
        default:
            return a.same_as(b);
    }
}

bool less(Runtime& runtime, const Value& a, const Value& b) {
    const Runtime::Depth depth(runtime);
    runtime.step();
    require_defined(a);
    require_defined(b);
    if (const auto i = as_integer(a), j = as_integer(b); i && j) return *i < *j;
    if (const auto x = as_real(a), y = as_real(b); x && y) return *x < *y;
    if (a.is_string() && b.is_string()) {
        runtime.work(std::min(a.text().size(), b.text().size()));
        return a.view() < b.view();  // UTF-8 sorts as its code points do
    }
    if (a.kind() == b.kind() && is_ordered_list(a)) {
        const auto &left = a.as<Sequence>().items(), &right = b.as<Sequence>().items();
        for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
            if (!equal(runtime, left[i], right[i])) return less(runtime, left[i], right[i]);
        }
        return left.size() < right.size();
    }
    refuse("'<' not supported between instances of '{}' and '{}'", type_name(a), type_name(b));
}

bool compare(Runtime& runtime, Comparison comparison, const Value& a, const Value& b) {
    switch (comparison) {
        case Comparison::equal:
            return equal(runtime, a, b);
        case Comparison::not_equal:
            return !equal(runtime, a, b);
        case Comparison::less:
            return less(runtime, a, b);
        case Comparison::greater:
            return less(runtime, b, a);
        case Comparison::less_equal:
            return less(runtime, a, b) || equal(runtime, a, b);
        case Comparison::greater_equal:
            return less(runtime, b, a) || equal(runtime, a, b);
        case Comparison::in:
            return contains(runtime, b, a);
        case Comparison::not_in:
            return !contains(runtime, b, a);
    }
    return false;
}

bool contains(Runtime& runtime, const Value& container, const Value& wanted) {
    if (container.is_string()) {
        if (!wanted.is_string()) {
            require_defined(wanted);
            refuse("'in <string>' requires string as left operand, not {}", type_name(wanted));
        }
        runtime.work(container.text().size());
        return find_bytes(container.view(), wanted.view()) != std::string_view::npos;
    }
    if (container.is(Kind::dict)) {
        charge_key(runtime, wanted);
        return container.as<Dict>().find(wanted) != nullptr;
    }
    if (!is_any_sequence(container) && !container.is_undefined()) {
        refuse("argument of type '{}' is not iterable", type_name(container));
    }
    Iteration items(runtime, container);
    while (const auto next = items.next()) {
        if (equal(runtime, *next, wanted)) return true;
    }
    return false;
}

void charge_key(Runtime& runtime, const Value& key) {
    const Runtime::Depth depth(runtime);
    runtime.step(4);
    if (key.is_string()) runtime.work(key.text().size());
    if (!key.is(Kind::tuple)) return;
    for (const Value& item : key.as<Sequence>().items()) charge_key(runtime, item);
}

size_t length(const Value& value) {
    switch (value.kind()) {
        case Kind::undefined:
            return 0;
        case Kind::string:
            return value.as<String>().characters();
        case Kind::list:
        case Kind::tuple:
        case Kind::view:
            return value.as<Sequence>().items().size();
        case Kind::dict:
            return value.as<Dict>().size();
        default:
            refuse("object of type '{}' has no len()", type_name(value));
    }
}

Iteration::Iteration(Runtime& runtime, Value iterable) : runtime_(&runtime), iterable_(std::move(iterable)) {
    const bool possible = is_any_sequence(iterable_) || iterable_.is(Kind::dict) || iterable_.is_string() ||
                          iterable_.is_undefined();
    if (!possible) refuse("'{}' object is not iterable", type_name(iterable_));
}

std::optional<Value> Iteration::next() {
    switch (iterable_.kind()) {
        case Kind::generator: {
            auto& generator = iterable_.as<Sequence>();
            if (generator.consumed >= generator.items().size()) return std::nullopt;
            return generator.items()[generator.consumed++];
        }
        case Kind::list:
        case Kind::tuple:
        case Kind::view: {
            const auto& items = iterable_.as<Sequence>().items();
            if (at_ >= items.size()) return std::nullopt;
            return items[at_++];
        }
        case Kind::dict: {
            const auto& entries = iterable_.as<Dict>().entries();
            if (at_ >= entries.size()) return std::nullopt;
            return entries[at_++].key;
        }
        case Kind::string: {
            const Text& text = iterable_.text();
            if (at_ >= text.size()) return std::nullopt;
            const size_t begin = at_;
            at_ += character_at(text.view(), begin).bytes;
            return runtime_->string_like(iterable_, text.slice(begin, at_));
        }
        default:
            return std::nullopt;
    }
}

std::vector<Value> items_of(Runtime& runtime, const Value& iterable) {
    std::vector<Value> items;
    Iteration iteration(runtime, iterable);
    while (auto next = iteration.next()) {
        runtime.step();
        items.push_back(std::move(*next));
    }
    return items;
}

Value attribute(Runtime& runtime, const Value& value, std::string_view name) {
    require_defined(value);
    if (auto own = own_attribute(runtime, value, name)) return *own;
    if (value.is(Kind::dict)) {
        if (const Value* const found = value.as<Dict>().find(name)) return *found;
    }
    return missing_attribute(runtime, value, name);
}

Value item(Runtime& runtime, const Value& value, const Value& key) {
    require_defined(value);
    if (auto found = subscript(runtime, value, key)) return *found;
    if (key.is_string()) {
        if (auto own = own_attribute(runtime, value, key.view())) return *own;
    }
    return key.is_string() ? missing_attribute(runtime, value, key.view())
                           : missing_element(runtime, value, key);
}

Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step) {
    require_defined(value);
    if (!is_ordered_list(value) && !value.is_string()) {
        return runtime.undefined(fmt::format("{} cannot be sliced", owner_name(value)));
    }
    const auto bound = [](const Value& given, int64_t otherwise) {
        if (given.is_none()) return otherwise;
        require_defined(given);
        const auto integer = as_integer(given);
        if (!integer) refuse("slice indices must be integers or None, not {}", type_name(given));
        return *integer;
    };
    const int64_t stride = bound(step, 1);
    if (stride == 0) refuse("slice step cannot be zero");
    const auto n = static_cast<int64_t>(length(value));
    // As Python's slice.indices(): bounds count from the end if negative, then are cut to what exists.
    const int64_t lowest = stride > 0 ? 0 : -1, highest = stride > 0 ? n : n - 1;
    const auto clamp = [&](int64_t i) {
        return i < 0 ? (i < -n ? lowest : std::max(i + n, lowest)) : std::min(i, highest);
    };
    const int64_t first = start.is_none() ? (stride > 0 ? 0 : n - 1) : clamp(bound(start, 0));
    const int64_t end = stop.is_none() ? (stride > 0 ? n : -1) : clamp(bound(stop, 0));
    const uint64_t pace = stride > 0 ? static_cast<uint64_t>(stride) : 0 - static_cast<uint64_t>(stride);
    const int64_t distance = stride > 0 ? end - first : first - end;
    const uint64_t count = distance <= 0 ? 0 : (static_cast<uint64_t>(distance) - 1) / pace + 1;
    const auto place = [&](uint64_t i) {
        const auto offset = static_cast<int64_t>(i * pace);
        return static_cast<size_t>(stride > 0 ? first + offset : first - offset);
    };

    if (!value.is_string()) {
        std::vector<Value> items;
        runtime.step(count / 4);
        items.reserve(count);
        for (uint64_t i = 0; i < count; ++i) items.push_back(value.as<Sequence>().items()[place(i)]);
        return runtime.sequence(value.kind(), std::move(items));
    }
    const Text& text = value.text();
    if (count == 0) return runtime.string_like(value, Text());
    if (stride == 1) {
        if (value.as<String>().one_byte_each())
            return runtime.string_like(value, text.slice(place(0), place(count - 1) + 1));
        runtime.work(text.size());
        const size_t begin = byte_of_character(text.view(), place(0));
        return runtime.string_like(
            value, text.slice(begin, begin + byte_of_character(text.view().substr(begin), count)));
    }
    runtime.work(text.size());
    Text picked;
    size_t at = byte_of_character(text.view(), place(0));
    for (uint64_t i = 0; i < count; ++i) {
        picked.append(text, at, at + character_at(text.view(), at).bytes);
        for (uint64_t skipped = 0; skipped < pace && i + 1 < count; ++skipped) {
            at = stride > 0 ? at + character_at(text.view(), at).bytes : character_before(text.view(), at);
        }
    }
    return runtime.string_like(value, std::move(picked));
}

Value call(Runtime& runtime, const Value& callee, const Arguments& arguments) {
    require_defined(callee);
    if (!callee.is(Kind::callable)) refuse("'{}' object is not callable", type_name(callee));
    return callee.as<Callable>().call(runtime, arguments);
}

}  // namespace sluice::jinja
