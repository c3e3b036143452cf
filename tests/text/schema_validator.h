// A small JSON schema validator, written apart from the translation to grammars: the oracle for its tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

namespace sluice::test {

class SchemaValidator {
  public:
    using Json = nlohmann::json;
    explicit SchemaValidator(Json schema) : root_(std::move(schema)) {}
    bool valid(const Json& value) const { return check(root_, value); }
    /// The text is JSON and valid.
    bool valid_text(const std::string& text) const {
        const Json value = Json::parse(text, nullptr, false);
        return !value.is_discarded() && valid(value);
    }

  private:
    static bool is_integer(const Json& v) {
        return v.is_number() && v.get<double>() == std::floor(v.get<double>());
    }
    static bool has_type(const std::string& t, const Json& v) {
        return (t == "object" && v.is_object()) || (t == "array" && v.is_array()) ||
               (t == "string" && v.is_string()) || (t == "boolean" && v.is_boolean()) ||
               (t == "null" && v.is_null()) || (t == "number" && v.is_number()) ||
               (t == "integer" && is_integer(v));
    }
    static size_t characters(const std::string& s) {
        return size_t(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    }
    template <typename Test>
    bool number(const Json& s, const char* key, Test test) const {
        return !s.contains(key) || test(s[key].get<double>());
    }

    bool check(const Json& s, const Json& v) const {
        if (s.is_boolean()) return s.get<bool>();
        if (s.contains("$ref") &&
            !check(root_.at(Json::json_pointer(s["$ref"].get<std::string>().substr(1))), v))
            return false;
        if (s.contains("type")) {
            const Json types = s["type"].is_array() ? s["type"] : Json::array({s["type"]});
            if (std::none_of(types.begin(), types.end(), [&](const Json& t) { return has_type(t, v); }))
                return false;
        }
        if (s.contains("const") && v != s["const"]) return false;
        if (s.contains("enum") && std::find(s["enum"].begin(), s["enum"].end(), v) == s["enum"].end())
            return false;
        const auto holds = [&](const Json& one) { return check(one, v); };
        if (s.contains("allOf") && !std::all_of(s["allOf"].begin(), s["allOf"].end(), holds)) return false;
        for (const char* any : {"anyOf", "oneOf"})
            if (s.contains(any) && std::none_of(s[any].begin(), s[any].end(), holds)) return false;
        if (v.is_object() && !object(s, v)) return false;
        if (v.is_array() && !array(s, v)) return false;
        if (v.is_string()) {
            const double n = double(characters(v.get<std::string>()));
            if (!number(s, "minLength", [&](double b) { return n >= b; })) return false;
            if (!number(s, "maxLength", [&](double b) { return n <= b; })) return false;
        }
        if (v.is_number()) {
            const double n = v.get<double>();
            if (!number(s, "minimum", [&](double b) { return n >= b; })) return false;
            if (!number(s, "maximum", [&](double b) { return n <= b; })) return false;
            if (!number(s, "exclusiveMinimum", [&](double b) { return n > b; })) return false;
            if (!number(s, "exclusiveMaximum", [&](double b) { return n < b; })) return false;
        }
        return true;
    }
    bool object(const Json& s, const Json& v) const {
        if (s.contains("required"))
            for (const Json& name : s["required"])
                if (!v.contains(name.get<std::string>())) return false;
        for (const auto& [name, item] : v.items()) {
            if (s.contains("properties") && s["properties"].contains(name)) {
                if (!check(s["properties"][name], item)) return false;
            } else if (s.contains("additionalProperties") && !check(s["additionalProperties"], item)) {
                return false;
            }
        }
        return true;
    }
    bool array(const Json& s, const Json& v) const {
        const size_t first = s.contains("prefixItems") ? s["prefixItems"].size() : 0;
        for (size_t i = 0; i < v.size(); ++i) {
            if (i < first ? !check(s["prefixItems"][i], v[i])
                          : s.contains("items") && !check(s["items"], v[i]))
                return false;
        }
        const double n = double(v.size());
        return number(s, "minItems", [&](double b) { return n >= b; }) &&
               number(s, "maxItems", [&](double b) { return n <= b; });
    }

    Json root_;
};

}  // namespace sluice::test
