// Filters over sequences: ends, order, grouping, joining.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "text/jinja/attribute_path.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace sluice::jinja {
namespace {

Value first(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("first", arguments, {});
    if (const auto item = Iteration(runtime, value).next()) return *item;
    return runtime.undefined("No first item, sequence was empty.");
}

Value last(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("last", arguments, {});
    if (value.is(Kind::generator)) refuse("'generator' object is not reversible");
    if (value.is_string() && !value.text().empty()) {
        const Text& text = value.text();
        return runtime.string(text.slice(character_before(text.view(), text.size()), text.size()));
    }
    const std::vector<Value> items = items_of(runtime, value);
    return items.empty() ? runtime.undefined("No last item, sequence was empty.") : items.back();
}

Value item_count(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("length", arguments, {});
    return Value(static_cast<int64_t>(length(value)));
}

Value list(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("list", arguments, {});
    return runtime.list(items_of(runtime, value));
}

Value join(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("join", arguments, {"d", "attribute"});
    const Text separator = given.get(0) ? to_text(runtime, *given.get(0)) : Text();
    std::optional<AttributePath> path;
    if (!given.absent(1)) path.emplace(runtime, *given.get(1));
    Joiner joiner(runtime, separator);
    Iteration items(runtime, value);
    while (const auto item = items.next()) {
        const Value part = path ? path->of(runtime, *item) : *item;
        if (part.is_string()) {
            joiner.add(part.text());
        } else {
            joiner.add(to_text(runtime, part));
        }
    }
    return runtime.string(joiner.take());
}

Value reverse(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("reverse", arguments, {});
    if (value.is_string()) return slice(runtime, value, Value(), Value(), Value(int64_t{-1}));
    std::vector<Value> items = items_of(runtime, value);
    std::reverse(items.begin(), items.end());
    return runtime.generator(std::move(items));
}

struct Keyed {
    std::vector<Value> keys;
    Value item;
};

bool sorts_before(Runtime& runtime, const Keyed& a, const Keyed& b) {
    for (size_t i = 0; i < a.keys.size(); ++i) {
        if (less(runtime, a.keys[i], b.keys[i])) return true;
        if (i + 1 < a.keys.size() && !equal(runtime, a.keys[i], b.keys[i])) return false;
    }
    return false;
}

void sort_keyed(Runtime& runtime, std::vector<Keyed>& items, bool descending) {
    std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
        return descending ? sorts_before(runtime, b, a) : sorts_before(runtime, a, b);
    });
}

std::vector<Value> unkeyed(std::vector<Keyed> keyed) {
    std::vector<Value> items;
    items.reserve(keyed.size());
    for (Keyed& entry : keyed) items.push_back(std::move(entry.item));
    return items;
}

// The paths in "a,b.c", or one path of no parts for the item itself.
std::vector<AttributePath> key_paths(Runtime& runtime, const Value* attribute) {
    std::vector<AttributePath> paths;
    if (!attribute || attribute->is_none()) return paths;
    if (!attribute->is_string()) {
        paths.emplace_back(runtime, *attribute);
        return paths;
    }
    const Text comma(",", Origin::source);
    for (const Value& part : split(runtime, attribute->text(), &comma, -1)) paths.emplace_back(runtime, part);
    return paths;
}

std::vector<Keyed> with_keys(Runtime& runtime, const Value& value, const Value* attribute,
                             bool case_sensitive) {
    const std::vector<AttributePath> paths = key_paths(runtime, attribute);
    std::vector<Keyed> keyed;
    for (Value& item : items_of(runtime, value)) {
        Keyed entry;
        const auto add = [&](const Value& key) {
            entry.keys.push_back(case_sensitive ? key : ignore_case(runtime, key));
        };
        for (const AttributePath& path : paths) add(path.of(runtime, item));
        if (paths.empty()) add(item);
        entry.item = std::move(item);
        keyed.push_back(std::move(entry));
    }
    return keyed;
}

Value sort(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("sort", arguments, {"reverse", "case_sensitive", "attribute"});
    std::vector<Keyed> keyed = with_keys(runtime, value, given.get(2), given.flag(1, false));
    sort_keyed(runtime, keyed, given.flag(0, false));
    return runtime.list(unkeyed(std::move(keyed)));
}

enum class Extreme : uint8_t { lowest, highest };

template <Extreme extreme>
Value extreme_item(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given(extreme == Extreme::lowest ? "min" : "max", arguments,
                           {"case_sensitive", "attribute"});
    const std::vector<Keyed> keyed = with_keys(runtime, value, given.get(1), given.flag(0, false));
    if (keyed.empty()) return runtime.undefined("No aggregated item, sequence was empty.");
    const Keyed* best = &keyed[0];
    for (const Keyed& entry : keyed) {
        const bool better = extreme == Extreme::lowest ? sorts_before(runtime, entry, *best)
                                                       : sorts_before(runtime, *best, entry);
        if (better) best = &entry;
    }
    return best->item;
}

Value unique(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("unique", arguments, {"case_sensitive", "attribute"});
    std::unordered_set<std::string> seen;
    std::vector<Value> items;
    for (Keyed& entry : with_keys(runtime, value, given.get(1), given.flag(0, false))) {
        std::string code;
        for (const Value& key : entry.keys) {
            charge_key(runtime, key);
            code += key_code(key);
        }
        if (seen.insert(std::move(code)).second) items.push_back(std::move(entry.item));
    }
    return runtime.generator(std::move(items));
}

Value dictsort(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("dictsort", arguments, {"case_sensitive", "by", "reverse"});
    require_defined(value);
    if (!value.is(Kind::dict)) refuse("dictsort() expects a dict, not '{}'", type_name(value));
    const std::string_view by = given.get(1) ? given.text(1).view() : "key";
    if (by != "key" && by != "value") refuse("You can only sort by either \"key\" or \"value\"");
    std::vector<Keyed> keyed;
    for (const Dict::Entry& entry : value.as<Dict>().entries()) {
        const Value& key = by == "key" ? entry.key : entry.value;
        keyed.push_back({{given.flag(0, false) ? key : ignore_case(runtime, key)},
                         runtime.tuple({entry.key, entry.value})});
    }
    sort_keyed(runtime, keyed, given.flag(2, false));
    return runtime.list(unkeyed(std::move(keyed)));
}

Value groupby(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("groupby", arguments, {"attribute", "default", "case_sensitive"});
    const Value* const otherwise = given.absent(1) ? nullptr : given.get(1);
    const AttributePath path(runtime, given.required(0), otherwise);
    std::vector<Keyed> keyed;
    for (Value& item : items_of(runtime, value)) {
        const Value key = path.of(runtime, item);
        keyed.push_back({{given.flag(2, false) ? key : ignore_case(runtime, key)}, std::move(item)});
    }
    sort_keyed(runtime, keyed, false);
    std::vector<Value> groups;
    for (size_t begin = 0; begin < keyed.size();) {
        std::vector<Value> members;
        size_t end = begin;
        while (end < keyed.size() && equal(runtime, keyed[end].keys[0], keyed[begin].keys[0])) {
            members.push_back(keyed[end++].item);
        }
        const Value grouper = path.of(runtime, members[0]);
        const Value group = runtime.tuple({grouper, runtime.list(std::move(members))});
        group.as<Sequence>().is_group = true;
        groups.push_back(group);
        begin = std::max(end, begin + 1);
    }
    return runtime.list(std::move(groups));
}

Value batch(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("batch", arguments, {"linecount", "fill_with"});
    const int64_t size = given.integer(0);
    std::vector<Value> batches, current;
    const auto close = [&] { batches.push_back(runtime.list(std::exchange(current, {}))); };
    for (Value& item : items_of(runtime, value)) {
        if (static_cast<int64_t>(current.size()) == size) close();
        current.push_back(std::move(item));
    }
    if (current.empty()) return runtime.generator(std::move(batches));
    if (!given.absent(1) && static_cast<int64_t>(current.size()) < size) {
        runtime.check_size(runtime.checked_product(static_cast<size_t>(size), sizeof(Value)));
        runtime.step(static_cast<uint64_t>(size));
        current.resize(static_cast<size_t>(size), *given.get(1));
    }
    close();
    return runtime.generator(std::move(batches));
}

Value slice_filter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("slice", arguments, {"slices", "fill_with"});
    const int64_t slices = given.integer(0);
    if (slices <= 0) refuse("slice() expects a positive number of slices");
    const std::vector<Value> items = items_of(runtime, value);
    const size_t count = static_cast<size_t>(slices), each = items.size() / count,
                 longer = items.size() % count;
    std::vector<Value> parts;
    size_t at = 0;
    for (size_t i = 0; i < count; ++i) {
        runtime.step();
        const size_t size = each + (i < longer ? 1 : 0);
        std::vector<Value> part(items.begin() + static_cast<std::ptrdiff_t>(at),
                                items.begin() + static_cast<std::ptrdiff_t>(at + size));
        at += size;
        if (!given.absent(1) && i >= longer) part.push_back(*given.get(1));
        parts.push_back(runtime.list(std::move(part)));
    }
    return runtime.generator(std::move(parts));
}

Value sum(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("sum", arguments, {"attribute", "start"});
    std::optional<AttributePath> path;
    if (!given.absent(0)) path.emplace(runtime, *given.get(0));
    Value total = given.get(1) ? *given.get(1) : Value(int64_t{0});
    Iteration items(runtime, value);
    while (const auto item = items.next()) {
        runtime.step();
        total = arithmetic(runtime, BinaryOperator::add, total, path ? path->of(runtime, *item) : *item);
    }
    return total;
}

Value items_filter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("items", arguments, {});
    std::vector<Value> pairs;
    if (!value.is_undefined()) {
        if (!value.is(Kind::dict)) refuse("Can only get item pairs from a mapping.");
        for (const Dict::Entry& entry : value.as<Dict>().entries()) {
            pairs.push_back(runtime.tuple({entry.key, entry.value}));
        }
    }
    return runtime.generator(std::move(pairs));
}

constexpr std::array<Filter, 17> sequence_filters{{
    {"batch", batch},
    {"count", item_count},
    {"dictsort", dictsort},
    {"first", first},
    {"groupby", groupby},
    {"items", items_filter},
    {"join", join},
    {"last", last},
    {"length", item_count},
    {"list", list},
    {"max", extreme_item<Extreme::highest>},
    {"min", extreme_item<Extreme::lowest>},
    {"reverse", reverse},
    {"slice", slice_filter},
    {"sort", sort},
    {"sum", sum},
    {"unique", unique},
}};

}  // namespace

const Filter* find_sequence_filter(std::string_view name) noexcept {
    const auto found = std::find_if(sequence_filters.begin(), sequence_filters.end(),
                                    [&](const Filter& f) { return f.name == name; });
    return found == sequence_filters.end() ? nullptr : &*found;
}

}  // namespace sluice::jinja
