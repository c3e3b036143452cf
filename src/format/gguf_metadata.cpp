#include <limits>

#include "core/fail.h"
#include "format/gguf.h"

namespace sluice {

namespace {

struct KindName {
    std::string_view operator()(std::monostate) const { return "a nested array"; }
    std::string_view operator()(bool) const { return "a bool"; }
    std::string_view operator()(int64_t) const { return "an integer"; }
    std::string_view operator()(uint64_t) const { return "an integer"; }
    std::string_view operator()(double) const { return "a float"; }
    std::string_view operator()(const std::string&) const { return "a string"; }
    std::string_view operator()(const std::vector<std::string>&) const { return "an array of strings"; }
    template <typename T>
    std::string_view operator()(const std::vector<T>&) const {
        return "an array of numbers";
    }
};

[[noreturn]] void wrong_kind(const std::string& source, std::string_view key, std::string_view expected,
                             const GgufValue& found) {
    fail(ErrorCode::invalid_file, "{}: expected {} to be {}, found {}", source, key, expected,
         std::visit(KindName(), found));
}

std::optional<uint64_t> as_uint(const GgufValue& v) {
    if (const auto* u = std::get_if<uint64_t>(&v)) return *u;
    if (const auto* i = std::get_if<int64_t>(&v); i && *i >= 0) return uint64_t(*i);
    return {};
}

std::optional<int64_t> as_int(const GgufValue& v) {
    if (const auto* i = std::get_if<int64_t>(&v)) return *i;
    if (const auto* u = std::get_if<uint64_t>(&v); u && *u <= uint64_t(std::numeric_limits<int64_t>::max()))
        return int64_t(*u);
    return {};
}

}  // namespace

const GgufValue* GgufMetadata::find(std::string_view key) const {
    const auto it = index_.find(std::string(key));
    return it == index_.end() ? nullptr : &entries_[it->second].second;
}

void GgufMetadata::add(std::string key, GgufValue value) {
    if (!index_.emplace(key, entries_.size()).second)
        fail(ErrorCode::invalid_file, "{}: expected each metadata key once, found {} twice", source, key);
    entries_.emplace_back(std::move(key), std::move(value));
}

uint64_t GgufMetadata::get_uint(std::string_view key) const {
    const GgufValue* v = find(key);
    if (!v) fail(ErrorCode::invalid_file, "{}: expected the metadata key {}, found none", source, key);
    const auto x = as_uint(*v);
    if (!x) wrong_kind(source, key, "an unsigned integer", *v);
    return *x;
}

uint64_t GgufMetadata::get_uint(std::string_view key, uint64_t otherwise) const {
    return has(key) ? get_uint(key) : otherwise;
}

int64_t GgufMetadata::get_int(std::string_view key, int64_t otherwise) const {
    const GgufValue* v = find(key);
    if (!v) return otherwise;
    const auto x = as_int(*v);
    if (!x) wrong_kind(source, key, "an integer", *v);
    return *x;
}

double GgufMetadata::get_float(std::string_view key) const {
    const GgufValue* v = find(key);
    if (!v) fail(ErrorCode::invalid_file, "{}: expected the metadata key {}, found none", source, key);
    if (const auto* d = std::get_if<double>(v)) return *d;
    if (const auto* u = std::get_if<uint64_t>(v)) return double(*u);
    if (const auto* i = std::get_if<int64_t>(v)) return double(*i);
    wrong_kind(source, key, "a number", *v);
}

double GgufMetadata::get_float(std::string_view key, double otherwise) const {
    return has(key) ? get_float(key) : otherwise;
}

bool GgufMetadata::get_bool(std::string_view key, bool otherwise) const {
    const GgufValue* v = find(key);
    if (!v) return otherwise;
    if (const auto* b = std::get_if<bool>(v)) return *b;
    wrong_kind(source, key, "a bool", *v);
}

std::string GgufMetadata::get_string(std::string_view key) const {
    const GgufValue* v = find(key);
    if (!v) fail(ErrorCode::invalid_file, "{}: expected the metadata key {}, found none", source, key);
    if (const auto* s = std::get_if<std::string>(v)) return *s;
    wrong_kind(source, key, "a string", *v);
}

std::string GgufMetadata::get_string(std::string_view key, std::string_view otherwise) const {
    return has(key) ? get_string(key) : std::string(otherwise);
}

const std::vector<std::string>* GgufMetadata::find_strings(std::string_view key) const {
    const GgufValue* v = find(key);
    if (!v) return nullptr;
    const auto* s = std::get_if<std::vector<std::string>>(v);
    if (!s) wrong_kind(source, key, "an array of strings", *v);
    return s;
}

std::optional<std::vector<int64_t>> GgufMetadata::find_ints(std::string_view key) const {
    const GgufValue* v = find(key);
    if (!v) return {};
    if (const auto* a = std::get_if<std::vector<int64_t>>(v)) return *a;
    if (const auto* b = std::get_if<std::vector<bool>>(v)) return std::vector<int64_t>(b->begin(), b->end());
    const auto* u = std::get_if<std::vector<uint64_t>>(v);
    if (!u) wrong_kind(source, key, "an array of integers", *v);
    std::vector<int64_t> out;
    out.reserve(u->size());
    for (const uint64_t x : *u) {
        if (x > uint64_t(std::numeric_limits<int64_t>::max()))
            fail(ErrorCode::invalid_file, "{}: expected the numbers of {} to fit 63 bits, found {}", source,
                 key, x);
        out.push_back(int64_t(x));
    }
    return out;
}

std::optional<std::vector<float>> GgufMetadata::find_floats(std::string_view key) const {
    const GgufValue* v = find(key);
    if (!v) return {};
    if (const auto* f = std::get_if<std::vector<float>>(v)) return *f;
    if (std::holds_alternative<std::vector<int64_t>>(*v) ||
        std::holds_alternative<std::vector<uint64_t>>(*v)) {
        const auto ints = find_ints(key);
        return std::vector<float>(ints->begin(), ints->end());
    }
    wrong_kind(source, key, "an array of numbers", *v);
}

}  // namespace sluice
