#include "text/jinja/globals.h"

#include <algorithm>
#include <array>

#include "text/jinja/methods.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace sluice::jinja {
namespace {

using FunctionBody = Value (*)(Runtime& runtime, const Arguments& arguments);

class Function final : public Callable {
  public:
    Function(std::string_view name, FunctionBody body) : name_(name), body_(body) {}
    Value call(Runtime& runtime, const Arguments& arguments) override { return body_(runtime, arguments); }
    std::string description() const override { return fmt::format("<function {}>", name_); }

  private:
    std::string_view name_;
    FunctionBody body_;
};

// cycler('odd', 'even'): .next() goes through the values again and again.
class Cycler final : public Callable {
  public:
    explicit Cycler(std::vector<Value> values) : values_(std::move(values)) {}
    Value call(Runtime&, const Arguments&) override { refuse("'Cycler' object is not callable"); }
    std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
    std::string description() const override { return "<Cycler>"; }

    const Value& current() const { return values_[at_]; }
    void advance() noexcept { at_ = (at_ + 1) % values_.size(); }
    void reset() noexcept { at_ = 0; }

  private:
    void clear() noexcept override { values_.clear(); }
    std::vector<Value> values_;
    size_t at_ = 0;
};

const Method next_method{"next", [](Runtime&, const Value& self, const Arguments&) {
                             auto& cycler = self.as<Cycler>();
                             Value value = cycler.current();
                             cycler.advance();
                             return value;
                         }};
const Method reset_method{"reset", [](Runtime&, const Value& self, const Arguments&) {
                              self.as<Cycler>().reset();
                              return Value();
                          }};

std::optional<Value> Cycler::attribute(Runtime& runtime, std::string_view name) {
    if (name == "current") return current();
    if (name == "next") return bind(runtime, next_method, Value(Ref<Object>(this)));
    if (name == "reset") return bind(runtime, reset_method, Value(Ref<Object>(this)));
    return std::nullopt;
}

// joiner(', '): nothing when first called, the separator ever after.
class Separator final : public Callable {
  public:
    explicit Separator(Value text) : text_(std::move(text)) {}
    Value call(Runtime& runtime, const Arguments&) override {
        return std::exchange(used_, true) ? text_ : runtime.string(Text());
    }
    std::string description() const override { return "<Joiner>"; }

  private:
    void clear() noexcept override { text_ = Value(); }
    Value text_;
    bool used_ = false;
};

Value range(Runtime& runtime, const Arguments& arguments) {
    constexpr uint64_t most_items = 100'000;  // as in Jinja's sandbox
    const Parameters given("range", arguments, {"start", "stop", "step"});
    const int64_t first = given.get(1) ? given.integer(0) : 0;
    const int64_t end = given.get(1) ? given.integer(1) : given.integer(0);
    const int64_t step = given.integer(2, 1);
    if (step == 0) refuse("range() arg 3 must not be zero");
    const bool up = step > 0;
    const uint64_t pace = up ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
    const uint64_t distance = up ? static_cast<uint64_t>(end) - static_cast<uint64_t>(first)
                                 : static_cast<uint64_t>(first) - static_cast<uint64_t>(end);
    const bool empty = up ? end <= first : end >= first;
    const uint64_t count = empty ? 0 : (distance - 1) / pace + 1;
    if (count > most_items)
        refuse("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", most_items);
    std::vector<Value> items;
    items.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
        items.emplace_back(
            static_cast<int64_t>(static_cast<uint64_t>(first) + i * static_cast<uint64_t>(step)));
    }
    return runtime.list(std::move(items));
}

Value make_namespace(Runtime& runtime, const Arguments& arguments) {
    const Ref<Space> space = runtime.heap().make<Space>();
    const auto set = [&](std::string_view name, const Value& value) {
        runtime.heap().charge(*space, sizeof(Value) + name.size() + 64);
        space->members.insert_or_assign(std::string(name), value);
    };
    for (const Value& source : arguments.positional) {
        if (!source.is(Kind::dict))
            refuse("namespace() expects a dict or keyword arguments, not '{}'", type_name(source));
        for (const Dict::Entry& entry : source.as<Dict>().entries()) {
            if (entry.key.is_string()) set(entry.key.view(), entry.value);
        }
    }
    for (const auto& [name, value] : arguments.named) set(name, value);
    return Value(space);
}

Value make_dict(Runtime& runtime, const Arguments& arguments) {
    const Ref<Dict> dict = runtime.heap().make<Dict>();
    if (arguments.positional.size() > 1)
        refuse("dict expected at most 1 argument, got {}", arguments.positional.size());
    const auto set = [&](const Value& key, const Value& value) {
        charge_key(runtime, key);
        dict->set(key, value);
    };
    for (const Value& source : arguments.positional) {
        if (source.is(Kind::dict)) {
            for (const Dict::Entry& entry : source.as<Dict>().entries()) set(entry.key, entry.value);
            continue;
        }
        for (const Value& pair : items_of(runtime, source)) {
            const std::vector<Value> parts = items_of(runtime, pair);
            if (parts.size() != 2) refuse("dict() expects pairs of key and value");
            set(parts[0], parts[1]);
        }
    }
    for (const auto& [name, value] : arguments.named) dict->set(runtime.string(name, Origin::input), value);
    return Value(dict);
}

Value make_cycler(Runtime& runtime, const Arguments& arguments) {
    if (arguments.positional.empty()) refuse("at least one item has to be provided");
    return Value(runtime.heap().make<Cycler>(arguments.positional));
}

Value make_joiner(Runtime& runtime, const Arguments& arguments) {
    const Parameters given("joiner", arguments, {"sep"});
    const Value separator = given.get(0) ? *given.get(0) : runtime.string(", ", Origin::source);
    return Value(runtime.heap().make<Separator>(separator));
}

Value raise_exception(Runtime& runtime, const Arguments& arguments) {
    const Parameters given("raise_exception", arguments, {"message"});
    throw TemplateRefusal(std::string(to_text(runtime, given.required(0)).view()));
}

Value strftime_now(Runtime& runtime, const Arguments& arguments) {
    const Parameters given("strftime_now", arguments, {"format"});
    const Text& format = given.text(0);
    constexpr size_t longest_format = 4096;
    if (format.size() > longest_format) refuse("a time format may have {} bytes", longest_format);
    runtime.work(64 * format.size());
    const Origin origin = format.wholly_trusted() ? Origin::source : Origin::input;
    return runtime.string(format_time(format.view(), runtime.now()), origin);
}

struct Global {
    std::string_view name;
    FunctionBody body;
};
constexpr std::array<Global, 7> globals{{
    {"range", range},
    {"namespace", make_namespace},
    {"dict", make_dict},
    {"cycler", make_cycler},
    {"joiner", make_joiner},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
}};

}  // namespace

std::optional<Value> global(Runtime& runtime, std::string_view name) {
    const auto found =
        std::find_if(globals.begin(), globals.end(), [&](const Global& g) { return g.name == name; });
    if (found == globals.end()) return std::nullopt;
    return Value(runtime.heap().make<Function>(found->name, found->body));
}

}  // namespace sluice::jinja
