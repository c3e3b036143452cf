#include "server/json_fields.h"

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "text/bounded_json.h"

namespace sluice::server {

Json parse_body(const std::string& text) {
    if (text.empty()) throw ApiError(Refusal::invalid, "expected a JSON object as the body, found nothing");
    try {
        return parse_bounded_json(text);
    } catch (const Error& e) {
        throw ApiError(Refusal::invalid, fmt::format("the body: {}", e.what()));
    }
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json arguments_object(const std::string& text) {
    try {
        Json json = parse_bounded_json(text);
        if (json.is_object()) return json;
    } catch (const Error&) {
    }
    return {{"arguments", text}};
}

std::string shown(const Json& value) {
    if (value.is_array()) return fmt::format("an array of {}", value.size());
    if (value.is_object()) return "an object";
    std::string text = dump(value);
    if (text.size() > 40) {
        size_t n = 37;
        while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
        text = text.substr(0, n) + "...";
    }
    return text;
}

std::string text_of(const Json& value, const std::string& path) {
    if (!value.is_string())
        throw ApiError(Refusal::invalid,
                       fmt::format("expected {} to be a string, found {}", path, shown(value)), path);
    return value.get<std::string>();
}

Fields::Fields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json.is_object())
        throw ApiError(Refusal::invalid,
                       fmt::format("expected {} to be an object, found {}",
                                   path_.empty() ? "the body" : path_, shown(json)),
                       path_);
}

std::string Fields::path(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

const Json* Fields::find(std::string_view name) const {
    const auto found = json_.find(std::string(name));
    return found == json_.end() || found->is_null() ? nullptr : &*found;
}

void Fields::fail(std::string_view name, std::string_view expected) const {
    const Json* value = find(name);
    throw ApiError(Refusal::invalid,
                   fmt::format("expected {} to be {}, found {}", path(name), expected,
                               value ? shown(*value) : "nothing"),
                   path(name));
}

void Fields::unsupported(std::string_view name, const std::string& sentence) const {
    throw ApiError(Refusal::unsupported, sentence, path(name));
}

std::optional<std::string> Fields::text(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_string()) fail(name, "a string");
    return value->get<std::string>();
}

std::string Fields::need_text(std::string_view name) const {
    auto value = text(name);
    if (!value) fail(name, "a string");
    return std::move(*value);
}

std::optional<double> Fields::number(std::string_view name, double least, double most) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    const double x = value->is_number() ? value->get<double>() : NAN;
    if (!(x >= least && x <= most)) fail(name, fmt::format("a number from {} to {}", least, most));
    return x;
}

std::optional<int64_t> Fields::integer(std::string_view name, int64_t least, int64_t most) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    const auto wrong = [&] { fail(name, fmt::format("an integer from {} to {}", least, most)); };
    int64_t n = 0;
    if (value->is_number_unsigned()) {
        if (value->get<uint64_t>() > uint64_t(INT64_MAX)) wrong();
        n = value->get<int64_t>();
    } else if (value->is_number_integer()) {
        n = value->get<int64_t>();
    } else if (value->is_number_float()) {  // 512.0 is what some languages write
        const double x = value->get<double>();
        if (!(x == std::floor(x) && std::abs(x) < 9e15)) wrong();
        n = int64_t(x);
    } else {
        wrong();
    }
    if (n < least || n > most) wrong();
    return n;
}

std::optional<bool> Fields::boolean(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_boolean()) fail(name, "true or false");
    return value->get<bool>();
}

const Json* Fields::array(std::string_view name, size_t most) const {
    const Json* value = find(name);
    if (!value) return nullptr;
    if (!value->is_array() || value->size() > most)
        fail(name, fmt::format("an array of at most {} items", most));
    return value;
}

std::optional<Fields> Fields::object(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    return Fields(*value, path(name));
}

std::optional<std::string> Fields::choice(std::string_view name,
                                          const std::vector<std::string>& choices) const {
    auto value = text(name);
    if (value && std::find(choices.begin(), choices.end(), *value) == choices.end())
        fail(name, fmt::format("one of {}", fmt::join(choices, ", ")));
    return value;
}

}  // namespace sluice::server
