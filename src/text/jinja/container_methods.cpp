// Methods of list, tuple and dict, and how a method is bound to its value.
#include <algorithm>
#include <array>

#include "text/jinja/methods.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {
namespace {

// What a method makes of markup is markup: a string, or the strings of a list.
Value as_markup(Runtime& runtime, const Value& value) {
    if (value.is_string()) return runtime.string(value.text(), Markup::yes);
    if (!value.is(Kind::list) && !value.is(Kind::tuple)) return value;
    for (Value& item : value.as<Sequence>().items()) {
        if (item.is_string()) item = runtime.string(item.text(), Markup::yes);
    }
    return value;
}

class BoundMethod final : public Callable {
  public:
    BoundMethod(const Method& method, Value self) : method_(method), self_(std::move(self)) {}
    Value call(Runtime& runtime, const Arguments& arguments) override {
        const Value result = method_.body(runtime, self_, arguments);
        return self_.is_markup() ? as_markup(runtime, result) : result;
    }
    std::string description() const override { return fmt::format("<built-in method {}>", method_.name); }

  private:
    void clear() noexcept override { self_ = Value(); }
    const Method& method_;
    Value self_;
};

template <size_t N>
const Method* find_in(const std::array<Method, N>& table, std::string_view name) noexcept {
    const auto found =
        std::find_if(table.begin(), table.end(), [&](const Method& m) { return m.name == name; });
    return found == table.end() ? nullptr : &*found;
}

// What the template made it may change; what came with the input is the caller's.
std::vector<Value>& changeable_items(const Value& self, std::string_view method) {
    auto& sequence = self.as<Sequence>();
    if (sequence.frozen()) refuse("access to attribute '{}' of 'list' object is unsafe.", method);
    return sequence.items();
}
Dict& changeable_dict(const Value& self, std::string_view method) {
    auto& dict = self.as<Dict>();
    if (dict.frozen()) refuse("access to attribute '{}' of 'dict' object is unsafe.", method);
    return dict;
}

size_t place(int64_t index, size_t n) noexcept {
    const auto size = static_cast<int64_t>(n);
    return static_cast<size_t>(std::clamp<int64_t>(index < 0 ? index + size : index, 0, size));
}

Value list_append(Runtime&, const Value& self, const Arguments& arguments) {
    const Parameters given("append", arguments, {"object"});
    auto& items = changeable_items(self, "append");
    self.as<Object>().heap().charge(self.as<Object>(), 2 * sizeof(Value));
    items.push_back(given.required(0));
    return Value();
}

Value list_extend(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("extend", arguments, {"iterable"});
    auto& items = changeable_items(self, "extend");
    const std::vector<Value> added = items_of(runtime, given.required(0));
    self.as<Object>().heap().charge(self.as<Object>(), 2 * added.size() * sizeof(Value));
    items.insert(items.end(), added.begin(), added.end());
    return Value();
}

Value list_insert(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("insert", arguments, {"index", "object"});
    auto& items = changeable_items(self, "insert");
    runtime.step(items.size() / 4);
    self.as<Object>().heap().charge(self.as<Object>(), 2 * sizeof(Value));
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(place(given.integer(0), items.size())),
                 given.required(1));
    return Value();
}

Value list_pop(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("pop", arguments, {"index"});
    auto& items = changeable_items(self, "pop");
    const auto n = static_cast<int64_t>(items.size());
    if (n == 0) refuse("pop from empty list");
    const int64_t index = given.integer(0, -1), at = index < 0 ? index + n : index;
    if (index < -n || at >= n) refuse("pop index out of range");
    runtime.step(static_cast<uint64_t>(n - at) / 4);
    Value taken = std::move(items[static_cast<size_t>(at)]);
    items.erase(items.begin() + at);
    return taken;
}

std::optional<size_t> find_item(Runtime& runtime, const Value& self, const Value& wanted) {
    const auto& items = self.as<Sequence>().items();
    for (size_t i = 0; i < items.size(); ++i) {
        if (equal(runtime, items[i], wanted)) return i;
    }
    return std::nullopt;
}

Value list_remove(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("remove", arguments, {"value"});
    auto& items = changeable_items(self, "remove");
    const auto found = find_item(runtime, self, given.required(0));
    if (!found) refuse("list.remove(x): x not in list");
    runtime.step(items.size() / 4);
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(*found));
    return Value();
}

Value list_reverse(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("reverse", arguments, {});
    auto& items = changeable_items(self, "reverse");
    runtime.step(items.size() / 4);
    std::reverse(items.begin(), items.end());
    return Value();
}

Value list_clear(Runtime&, const Value& self, const Arguments& arguments) {
    const Parameters given("clear", arguments, {});
    changeable_items(self, "clear").clear();
    return Value();
}

Value list_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("index", arguments, {"value"});
    const auto found = find_item(runtime, self, given.required(0));
    if (!found) refuse("{} is not in list", repr(runtime, given.required(0)));
    return Value(static_cast<int64_t>(*found));
}

Value list_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("count", arguments, {"value"});
    int64_t occurrences = 0;
    for (const Value& item : self.as<Sequence>().items()) {
        if (equal(runtime, item, given.required(0))) ++occurrences;
    }
    return Value(occurrences);
}

Value list_copy(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("copy", arguments, {});
    return runtime.list(self.as<Sequence>().items());
}

Value view(Runtime& runtime, std::string_view name, std::vector<Value> items) {
    const Value made = runtime.sequence(Kind::view, std::move(items));
    made.as<Sequence>().view_name = name;
    return made;
}

Value dict_items(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("items", arguments, {});
    std::vector<Value> pairs;
    for (const Dict::Entry& entry : self.as<Dict>().entries())
        pairs.push_back(runtime.tuple({entry.key, entry.value}));
    return view(runtime, "dict_items", std::move(pairs));
}

Value dict_keys(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("keys", arguments, {});
    std::vector<Value> keys;
    for (const Dict::Entry& entry : self.as<Dict>().entries()) keys.push_back(entry.key);
    return view(runtime, "dict_keys", std::move(keys));
}

Value dict_values(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("values", arguments, {});
    std::vector<Value> values;
    for (const Dict::Entry& entry : self.as<Dict>().entries()) values.push_back(entry.value);
    return view(runtime, "dict_values", std::move(values));
}

Value dict_get(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("get", arguments, {"key", "default"});
    charge_key(runtime, given.required(0));
    if (const Value* const found = self.as<Dict>().find(given.required(0))) return *found;
    return given.get(1) ? *given.get(1) : Value();
}

void add_entries(Runtime& runtime, Dict& dict, const Value& source) {
    require_defined(source);
    if (!source.is(Kind::dict)) refuse("update() expects a dict, not '{}'", type_name(source));
    const auto entries = source.as<Dict>().entries();  // a copy: the source may be the dict itself
    runtime.step(entries.size());
    for (const Dict::Entry& entry : entries) {
        charge_key(runtime, entry.key);
        dict.set(entry.key, entry.value);
    }
}

Value dict_copy(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("copy", arguments, {});
    const Ref<Dict> copy = runtime.heap().make<Dict>();
    add_entries(runtime, *copy, self);
    return Value(copy);
}

Value dict_update(Runtime& runtime, const Value& self, const Arguments& arguments) {
    Dict& dict = changeable_dict(self, "update");
    for (const Value& source : arguments.positional) add_entries(runtime, dict, source);
    for (const auto& [name, value] : arguments.named) dict.set(runtime.string(name, Origin::input), value);
    return Value();
}

Value dict_pop(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("pop", arguments, {"key", "default"});
    Dict& dict = changeable_dict(self, "pop");
    runtime.step(dict.size());
    charge_key(runtime, given.required(0));
    if (auto taken = dict.erase(given.required(0))) return taken->value;
    if (!given.get(1)) refuse("KeyError: {}", repr(runtime, given.required(0)));
    return *given.get(1);
}

Value dict_setdefault(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("setdefault", arguments, {"key", "default"});
    Dict& dict = changeable_dict(self, "setdefault");
    charge_key(runtime, given.required(0));
    if (const Value* const found = dict.find(given.required(0))) return *found;
    Value value = given.get(1) ? *given.get(1) : Value();
    dict.set(given.required(0), value);
    return value;
}

Value dict_clear(Runtime&, const Value& self, const Arguments& arguments) {
    const Parameters given("clear", arguments, {});
    changeable_dict(self, "clear").erase_all();
    return Value();
}

constexpr std::array<Method, 2> tuple_methods{{{"count", list_count}, {"index", list_index}}};
constexpr std::array<Method, 10> list_methods{{
    {"append", list_append},
    {"clear", list_clear},
    {"copy", list_copy},
    {"count", list_count},
    {"extend", list_extend},
    {"index", list_index},
    {"insert", list_insert},
    {"pop", list_pop},
    {"remove", list_remove},
    {"reverse", list_reverse},
}};
constexpr std::array<Method, 9> dict_methods{{
    {"clear", dict_clear},
    {"copy", dict_copy},
    {"get", dict_get},
    {"items", dict_items},
    {"keys", dict_keys},
    {"pop", dict_pop},
    {"setdefault", dict_setdefault},
    {"update", dict_update},
    {"values", dict_values},
}};

}  // namespace

const Method* find_list_method(std::string_view name) noexcept {
    return find_in(list_methods, name);
}
const Method* find_tuple_method(std::string_view name) noexcept {
    return find_in(tuple_methods, name);
}
const Method* find_dict_method(std::string_view name) noexcept {
    return find_in(dict_methods, name);
}

Value bind(Runtime& runtime, const Method& method, const Value& self) {
    return Value(runtime.heap().make<BoundMethod>(method, self));
}

std::optional<Value> bound_method(Runtime& runtime, const Value& self, std::string_view name) {
    const Method* method = nullptr;
    switch (self.kind()) {
        case Kind::string:
            method = find_string_method(name);
            break;
        case Kind::list:
            method = find_list_method(name);
            break;
        case Kind::tuple:
            method = find_tuple_method(name);
            break;
        case Kind::dict:
            method = find_dict_method(name);
            break;
        default:
            break;
    }
    return method ? std::optional(bind(runtime, *method, self)) : std::nullopt;
}

}  // namespace sluice::jinja
