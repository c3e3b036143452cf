#include "text/grammar/schema_merge.h"

#include <algorithm>
#include <array>

#include "core/fail.h"

namespace sluice {

namespace {

using Json = nlohmann::ordered_json;

/// What says nothing about the value, or only holds schemas for others to refer to.
constexpr std::array annotations{
    "title",           "description",      "default",       "examples",
    "example",         "$schema",          "$id",           "id",
    "$comment",        "deprecated",       "readOnly",      "writeOnly",
    "$defs",           "definitions",      "$anchor",       "$vocabulary",
    "contentEncoding", "contentMediaType", "contentSchema", "discriminator",
};

Json types_of(const Json& type) {
    return type.is_array() ? type : Json::array({type});
}

bool contains(const Json& array, const Json& value) {
    return std::find(array.begin(), array.end(), value) != array.end();
}

Json common_types(const Json& a, const Json& b) {
    Json out = Json::array();
    const Json left = types_of(a), right = types_of(b);
    for (const Json& t : left) {
        if (contains(right, t) || (t == "integer" && contains(right, "number")))
            out.push_back(t);
        else if (t == "number" && contains(right, "integer"))
            out.push_back("integer");
    }
    return out;
}

Json common_values(const Json& a, const Json& b) {
    Json out = Json::array();
    if (a.is_array() && b.is_array())
        std::copy_if(a.begin(), a.end(), std::back_inserter(out),
                     [&](const Json& v) { return contains(b, v); });
    return out;
}

Json both(const Json& a, const Json& b) {
    if (a == b) return a;
    if (a.is_boolean()) return a.get<bool>() ? b : a;
    if (b.is_boolean()) return b.get<bool>() ? a : b;
    return {{"allOf", Json::array({a, b})}};
}

/// What a schema says about a property that it does not name.
Json others(const Json& schema) {
    if (const auto it = schema.find("additionalProperties"); it != schema.end()) return *it;
    return true;
}

/// additionalProperties of one schema rule properties that only the other names.
Json merge_properties(const Json& a, const Json& b) {
    const Json none = Json::object();
    const Json& left = a.contains("properties") ? a["properties"] : none;
    const Json& right = b.contains("properties") ? b["properties"] : none;
    Json out = Json::object();
    for (const auto& [name, schema] : left.items())
        out[name] = both(schema, right.contains(name) ? right[name] : others(b));
    for (const auto& [name, schema] : right.items())
        if (!left.contains(name)) out[name] = both(others(a), schema);
    return out;
}

bool is_lower_bound(const std::string& k) {
    return k == "minimum" || k == "exclusiveMinimum" || k == "minLength" || k == "minItems" ||
           k == "minProperties";
}
bool is_upper_bound(const std::string& k) {
    return k == "maximum" || k == "exclusiveMaximum" || k == "maxLength" || k == "maxItems" ||
           k == "maxProperties";
}

Json merge_keyword(const std::string& key, const Json& a, const Json& b, std::string_view where) {
    if (a == b) return a;
    if (key == "type") return common_types(a, b);
    if (key == "enum") return common_values(a, b);
    if (is_lower_bound(key) && a.is_number() && b.is_number()) return a < b ? b : a;
    if (is_upper_bound(key) && a.is_number() && b.is_number()) return a < b ? a : b;
    if (key == "items" || key == "additionalProperties") return both(a, b);
    if (key == "required" && a.is_array() && b.is_array()) {
        Json out = a;
        for (const Json& name : b)
            if (!contains(out, name)) out.push_back(name);
        return out;
    }
    fail(ErrorCode::unsupported,
         "{}: two schemas that must both hold have different \"{}\"; Sluice cannot join them, so write one",
         where, key);
}

/// Each alternative, and `more` besides.
Json each_with(const Json& alternatives, const Json& more) {
    Json out = Json::array();
    for (const Json& one : alternatives) out.push_back(both(one, more));
    return out;
}

Json const_as_enum(Json schema) {
    if (schema.contains("const")) {
        Json only = Json::array({schema["const"]});
        schema["enum"] = schema.contains("enum") ? common_values(only, schema["enum"]) : only;
        schema.erase("const");
    }
    return schema;
}

}  // namespace

bool is_schema_constraint(std::string_view keyword) {
    return std::find(annotations.begin(), annotations.end(), keyword) == annotations.end() &&
           !keyword.starts_with("x-");
}

Json merge_schemas(const Json& left, const Json& right, std::string_view where) {
    if (left.is_boolean() || right.is_boolean()) return both(left, right);
    if (!left.is_object() || !right.is_object())
        fail(ErrorCode::invalid_argument, "{}: expected schemas to be objects or booleans", where);
    const Json a = const_as_enum(left), b = const_as_enum(right);
    Json out = Json::object();
    Json all = Json::array();  // what is joined later
    for (const Json* schema : {&a, &b})
        for (const auto& [key, value] : schema->items()) {
            if (!is_schema_constraint(key)) continue;
            const Json& other = schema == &a ? b : a;
            if (key == "allOf" || key == "$ref") {
                if (schema == &b && other.contains(key) && other[key] == value) continue;
                if (key == "$ref") all.push_back({{"$ref", value}});
                if (key == "allOf" && value.is_array()) all.insert(all.end(), value.begin(), value.end());
            } else if ((key == "anyOf" || key == "oneOf") && other.contains(key) && other[key] != value) {
                if (schema == &a) out[key] = each_with(value, {{key, other[key]}});
            } else if (key == "properties") {
                out[key] = merge_properties(a, b);
            } else if (other.contains(key)) {
                if (schema == &a) out[key] = merge_keyword(key, value, other[key], where);
            } else {
                out[key] = value;
            }
        }
    if (!all.empty()) out["allOf"] = std::move(all);
    return out;
}

}  // namespace sluice
