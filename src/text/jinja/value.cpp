#include "text/jinja/value.h"

#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/problem.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {

const Text& Value::text() const {
    return as<String>().text();
}

bool Value::is_markup() const noexcept {
    return is_string() && as<String>().markup() == Markup::yes;
}

bool Value::same_as(const Value& other) const noexcept {
    if (kind_ != other.kind_) return false;
    switch (kind_) {
        case Kind::none:
            return true;
        case Kind::boolean:
            return boolean_ == other.boolean_;
        case Kind::integer:
            return integer_ == other.integer_;
        case Kind::real:
            return real_ == other.real_;
        default:
            return object_.get() == other.object_.get();
    }
}

size_t String::characters() const noexcept {
    if (!characters_) characters_ = count_characters(text_.view());
    return *characters_;
}

namespace {

constexpr int key_depth = 16;

void write_key_code(const Value& key, std::string& code, int depth) {
    switch (key.kind()) {
        case Kind::none:
            code += 'z';
            return;
        case Kind::boolean:
            code += fmt::format("i{};", key.boolean() ? 1 : 0);
            return;
        case Kind::integer:
            code += fmt::format("i{};", key.integer());
            return;
        case Kind::real: {
            const double real = key.real();
            const bool whole = std::nearbyint(real) == real && std::abs(real) < 0x1p63;
            code += whole ? fmt::format("i{};", static_cast<int64_t>(real)) : fmt::format("d{};", real);
            return;
        }
        case Kind::string:
            code += fmt::format("s{}:{}", key.view().size(), key.view());
            return;
        case Kind::tuple:
            if (depth == 0) refuse("a key is nested more than {} tuples deep", key_depth);
            code += '(';
            for (const Value& item : key.as<Sequence>().items()) {
                write_key_code(item, code, depth - 1);
                if (code.size() > (1 << 20)) refuse("a key of tuples is longer than 1 MiB");
            }
            code += ')';
            return;
        case Kind::undefined:
            code += 'u';
            return;
        case Kind::callable:
        case Kind::space:
            code += fmt::format("o{};", static_cast<const void*>(&key.as<Object>()));
            return;
        default:
            refuse("unhashable type: '{}'", type_name(key));
    }
}

}  // namespace

std::string key_code(const Value& key) {
    std::string code;
    write_key_code(key, code, key_depth);
    return code;
}

const Value* Dict::find(std::string_view key) const {
    if (entries_.size() > linear_limit) {
        const auto found = index_.find(fmt::format("s{}:{}", key.size(), key));
        return found == index_.end() ? nullptr : &entries_[found->second].value;
    }
    for (const Entry& entry : entries_) {
        if (entry.key.is_string() && entry.key.view() == key) return &entry.value;
    }
    return nullptr;
}

std::optional<size_t> Dict::position(const Value& key) const {
    if (key.is_string() && entries_.size() <= linear_limit) {
        for (size_t i = 0; i < entries_.size(); ++i) {
            if (entries_[i].key.is_string() && entries_[i].key.view() == key.view()) return i;
        }
        return std::nullopt;
    }
    const std::string code = key_code(key);
    if (entries_.size() > linear_limit) {
        const auto found = index_.find(code);
        return found == index_.end() ? std::nullopt : std::optional(found->second);
    }
    for (size_t i = 0; i < entries_.size(); ++i) {
        if (key_code(entries_[i].key) == code) return i;
    }
    return std::nullopt;
}

const Value* Dict::find(const Value& key) const {
    if (key.is_string()) return find(key.view());
    const auto at = position(key);
    return at ? &entries_[*at].value : nullptr;
}

void Dict::build_index() {
    index_.clear();
    if (entries_.size() <= linear_limit) return;
    for (size_t i = 0; i < entries_.size(); ++i) index_.emplace(key_code(entries_[i].key), i);
}

void Dict::set(const Value& key, Value value) {
    if (const auto at = position(key)) {
        entries_[*at].value = std::move(value);
        return;
    }
    heap().charge(*this, 3 * sizeof(Entry));
    entries_.push_back({key, std::move(value)});
    if (entries_.size() == linear_limit + 1) {
        build_index();
    } else if (entries_.size() > linear_limit) {
        index_.emplace(key_code(key), entries_.size() - 1);
    }
}

std::optional<Dict::Entry> Dict::erase(const Value& key) {
    const auto at = position(key);
    if (!at) return std::nullopt;
    Entry taken = std::move(entries_[*at]);
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(*at));
    build_index();
    return taken;
}

void Dict::clear() noexcept {
    index_.clear();
    entries_.clear();
}

}  // namespace sluice::jinja
