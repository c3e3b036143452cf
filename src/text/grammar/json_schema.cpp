#include "text/grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/fail.h"
#include "text/grammar/json_numbers.h"
#include "text/grammar/json_parts.h"
#include "text/grammar/json_pattern.h"
#include "text/grammar/schema_merge.h"

namespace sluice {

namespace {

using Json = nlohmann::ordered_json;
using Expr = GrammarRules::Expr;

constexpr size_t max_text = 4 << 20, max_nesting = 200, max_schemas = 50'000;
constexpr size_t max_joined = 2'000'000;  // values copied while schemas are joined
constexpr uint32_t unlimited = GrammarRules::unlimited;

/// What no grammar of reasonable size can hold to, with the value that asks for nothing.
struct Unsupported {
    const char *keyword, *harmless;
};
constexpr std::array unsupported_keywords{
    Unsupported{"not", ""},
    Unsupported{"if", ""},
    Unsupported{"then", ""},
    Unsupported{"else", ""},
    Unsupported{"contains", ""},
    Unsupported{"minContains", ""},
    Unsupported{"maxContains", ""},
    Unsupported{"uniqueItems", "false"},
    Unsupported{"multipleOf", "1"},
    Unsupported{"patternProperties", "{}"},
    Unsupported{"propertyNames", "true"},
    Unsupported{"dependentRequired", "{}"},
    Unsupported{"dependentSchemas", "{}"},
    Unsupported{"dependencies", "{}"},
    Unsupported{"unevaluatedItems", "false"},
    Unsupported{"unevaluatedProperties", "false"},
    Unsupported{"$dynamicRef", ""},
    Unsupported{"$recursiveRef", ""},
};

const std::array<std::string, 6> all_types{"object", "array", "string", "number", "boolean", "null"};

/// Keywords that speak of one type of value only.
const std::map<std::string, std::string> type_of_keyword{
    {"properties", "object"},    {"required", "object"},         {"additionalProperties", "object"},
    {"items", "array"},          {"prefixItems", "array"},       {"minItems", "array"},
    {"maxItems", "array"},       {"minLength", "string"},        {"maxLength", "string"},
    {"pattern", "string"},       {"format", "string"},           {"minimum", "number"},
    {"maximum", "number"},       {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"},
    {"minProperties", "object"}, {"maxProperties", "object"},
};

/// Depth of brackets outside strings.
size_t nesting(std::string_view text) {
    size_t depth = 0, most = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            most = std::max(most, ++depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return most;
}

/// Adds the values inside j to `count`; false if it nests deeper than `depth`.
bool measure(const Json& j, size_t depth, size_t& count) {
    ++count;
    if (!j.is_structured()) return true;
    if (depth == 0) return false;
    return std::all_of(j.begin(), j.end(),
                       [&](const Json& inner) { return measure(inner, depth - 1, count); });
}

std::string escaped(std::string_view key) {
    std::string out;
    for (const char c : key) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
    return out;
}

class SchemaTranslator {
  public:
    SchemaTranslator(GrammarRules& rules, const Json& root, std::string_view where)
        : rules_(rules), parts_(rules), root_(root), where_(where) {}

    Expr translate() {
        size_t values = 0;
        if (!measure(root_, max_nesting, values))
            fail(ErrorCode::out_of_budget, "{} is nested more than {} deep", where_, max_nesting);
        return schema(root_, "");
    }

  private:
    std::string place(const std::string& at) const {
        return fmt::format("{} at \"{}\"", where_, at.empty() ? "/" : at);
    }
    [[noreturn]] void unsupported(const std::string& at, std::string_view keyword,
                                  std::string_view why) const {
        fail(ErrorCode::unsupported, "{}: the keyword \"{}\" {}", place(at), keyword, why);
    }
    [[noreturn]] void wrong(const std::string& at, std::string_view keyword,
                            std::string_view expected) const {
        fail(ErrorCode::invalid_argument, "{}: expected \"{}\" to be {}", place(at), keyword, expected);
    }

    Expr schema(const Json& s, const std::string& at);
    Expr object_schema(const Json& s, const std::string& at);
    Expr reference(const std::string& to, const std::string& at);
    const Json& resolve(const std::string& to, const std::string& at) const;
    Json joined(Json s, const std::string& at);
    Json merged(const Json& a, const Json& b, const std::string& at);
    std::optional<Expr> alternatives(const Json& s, const char* keyword, const std::string& at);
    Expr given_values(const Json& s, const std::string& at);
    void check_keywords(const Json& s, const std::string& at) const;
    std::vector<std::string> types(const Json& s, const std::string& at) const;
    Expr typed(const std::string& type, const Json& s, const std::string& at);
    Expr object(const Json& s, const std::string& at);
    Expr members(const Json& s, const std::string& at, bool& may_be_empty);
    Expr array(const Json& s, const std::string& at);
    Expr string(const Json& s, const std::string& at);
    Expr number(const Json& s, const std::string& at, bool integer);
    std::optional<NumberBound> bound(const Json& s, const std::string& at, const char* inclusive,
                                     const char* exclusive, bool lower) const;
    uint32_t count(const Json& s, const std::string& at, const char* keyword, uint32_t otherwise) const;
    Expr nothing() { return rules_.chars({}); }

    GrammarRules& rules_;
    JsonParts parts_;
    const Json& root_;
    std::string where_;
    std::map<std::string, Expr> made_;  // by the place referred to, or by the text of joined schemas
    size_t n_schemas_ = 0, n_joined_ = 0, depth_ = 0;
};

/// Schemas that combine many alternatives grow exponentially: what is copied has a limit.
Json SchemaTranslator::merged(const Json& a, const Json& b, const std::string& at) {
    const bool flat = measure(a, 2 * max_nesting, n_joined_) && measure(b, 2 * max_nesting, n_joined_);
    if (!flat || n_joined_ > max_joined)
        fail(ErrorCode::out_of_budget,
             "{}: \"allOf\", \"anyOf\" and \"$ref\" combine to too many schemas; simplify it", place(at));
    return merge_schemas(a, b, place(at));
}

Expr SchemaTranslator::schema(const Json& s, const std::string& at) {
    if (++n_schemas_ > max_schemas)
        fail(ErrorCode::out_of_budget,
             "{}: it has more than {} parts once references are followed; simplify it", place(at),
             max_schemas);
    if (s.is_boolean()) return s.get<bool>() ? parts_.any_value() : nothing();
    if (!s.is_object())
        fail(ErrorCode::invalid_argument, "{}: expected a schema (an object or a boolean), found {}",
             place(at), s.type_name());
    if (++depth_ > max_nesting)
        fail(ErrorCode::out_of_budget, "{}: schemas are nested more than {} deep", place(at), max_nesting);
    const Expr e = object_schema(s, at);
    --depth_;
    return e;
}

Expr SchemaTranslator::object_schema(const Json& s, const std::string& at) {
    check_keywords(s, at);
    const auto constraints = std::count_if(s.items().begin(), s.items().end(), [](const auto& member) {
        return is_schema_constraint(member.key());
    });
    if (s.contains("$ref") && constraints == 1) {
        if (!s["$ref"].is_string()) wrong(at, "$ref", "a string");
        return reference(s["$ref"].get<std::string>(), at);
    }
    if (s.contains("$ref") || s.contains("allOf")) {
        const Json one = joined(s, at);
        // Recursion through joined schemas comes back to the same text.
        const std::string text = one.dump(-1, ' ', false, Json::error_handler_t::replace);
        if (const auto it = made_.find(text); it != made_.end()) return it->second;
        const GrammarRules::Rule rule = rules_.add(0);
        const Expr call = rules_.call(rule);
        made_.emplace(text, call);
        rules_.define(rule, schema(one, at));
        return call;
    }
    for (const char* keyword : {"anyOf", "oneOf"})
        if (const auto all = alternatives(s, keyword, at)) return *all;
    if (s.contains("enum") || s.contains("const")) return given_values(s, at);
    std::vector<Expr> ways;
    for (const auto& type : types(s, at)) ways.push_back(typed(type, s, at));
    return rules_.choice(std::move(ways));
}

const Json& SchemaTranslator::resolve(const std::string& to, const std::string& at) const {
    if (!to.starts_with('#') || (to.size() > 1 && to[1] != '/'))
        unsupported(at, "$ref",
                    fmt::format("refers to \"{}\"; only places in the same schema (#/…) are known", to));
    const Json* found = &root_;
    try {
        found = &root_.at(Json::json_pointer(to.substr(1)));
    } catch (const nlohmann::json::exception&) {
        fail(ErrorCode::invalid_argument, "{}: \"$ref\" refers to \"{}\", which the schema does not have",
             place(at), to);
    }
    return *found;
}

Expr SchemaTranslator::reference(const std::string& to, const std::string& at) {
    if (const auto it = made_.find(to); it != made_.end()) return it->second;
    const Json& target = resolve(to, at);
    const GrammarRules::Rule rule = rules_.add(0);
    const Expr call = rules_.call(rule);
    made_.emplace(to, call);  // first: schemas refer to themselves
    rules_.define(rule, schema(target, to.substr(1)));
    return call;
}

/// $ref and allOf replaced by what they stand for, joined with the keywords beside them.
Json SchemaTranslator::joined(Json s, const std::string& at) {
    for (int steps = 0; s.is_object() && (s.contains("$ref") || s.contains("allOf")); ++steps) {
        if (steps > 100)
            fail(ErrorCode::invalid_argument, "{}: \"$ref\" and \"allOf\" lead back to themselves",
                 place(at));
        std::vector<Json> parts;
        if (s.contains("$ref")) {
            if (!s["$ref"].is_string()) wrong(at, "$ref", "a string");
            parts.push_back(resolve(s["$ref"].get<std::string>(), at));
        }
        if (s.contains("allOf")) {
            if (!s["allOf"].is_array() || s["allOf"].empty()) wrong(at, "allOf", "a list of schemas");
            parts.insert(parts.end(), s["allOf"].begin(), s["allOf"].end());
        }
        s.erase("$ref");
        s.erase("allOf");
        for (const Json& part : parts) {
            if (part.is_object()) check_keywords(part, at);
            s = merged(s, part, at);
        }
    }
    return s;
}

/// anyOf or oneOf; keywords beside them hold for each alternative.
std::optional<Expr> SchemaTranslator::alternatives(const Json& s, const char* keyword,
                                                   const std::string& at) {
    const auto found = s.find(keyword);
    if (found == s.end()) return std::nullopt;
    if (!found->is_array() || found->empty()) wrong(at, keyword, "a list of schemas");
    Json beside = s;
    beside.erase(keyword);
    const bool alone = std::none_of(beside.items().begin(), beside.items().end(),
                                    [](const auto& member) { return is_schema_constraint(member.key()); });
    std::vector<Expr> ways;
    for (size_t i = 0; i < found->size(); ++i) {
        const std::string inner = fmt::format("{}/{}/{}", at, keyword, i);
        const Json& one = (*found)[i];
        ways.push_back(schema(alone ? one : merged(beside, one, inner), inner));
    }
    return rules_.choice(std::move(ways));
}

bool has_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    if (type == "number") return value.is_number();
    return value.is_number_integer() ||
           (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
}

Expr SchemaTranslator::given_values(const Json& s, const std::string& at) {
    for (const auto& [key, value] : s.items())
        if (type_of_keyword.contains(key))
            unsupported(at, key,
                        "beside \"enum\" or \"const\" is not supported; leave out the values it excludes");
    std::vector<Json> values;
    if (s.contains("enum")) {
        if (!s["enum"].is_array() || s["enum"].empty()) wrong(at, "enum", "a list of values");
        values.assign(s["enum"].begin(), s["enum"].end());
    }
    if (s.contains("const")) {
        const bool listed =
            !s.contains("enum") || std::find(values.begin(), values.end(), s["const"]) != values.end();
        values.assign(listed ? 1 : 0, s["const"]);
    }
    std::vector<Expr> ways;
    const std::vector<std::string> allowed = types(s, at);
    for (const Json& value : values)
        if (!s.contains("type") || std::any_of(allowed.begin(), allowed.end(),
                                               [&](const std::string& t) { return has_type(value, t); }))
            ways.push_back(parts_.value(value));
    return rules_.choice(std::move(ways));
}

void SchemaTranslator::check_keywords(const Json& s, const std::string& at) const {
    for (const Unsupported& u : unsupported_keywords) {
        const auto it = s.find(u.keyword);
        if (it == s.end() || (*u.harmless && it->dump() == u.harmless)) continue;
        unsupported(at, u.keyword, "is not supported; remove it or say it in the description");
    }
}

std::vector<std::string> SchemaTranslator::types(const Json& s, const std::string& at) const {
    std::vector<std::string> out;
    const auto add = [&](const std::string& type) {
        if (std::find(out.begin(), out.end(), type) == out.end()) out.push_back(type);
    };
    if (const auto it = s.find("type"); it != s.end()) {
        const Json listed = it->is_array() ? *it : Json::array({*it});
        for (const Json& type : listed) {
            const std::string name = type.is_string() ? type.get<std::string>() : "";
            if (name != "integer" && std::find(all_types.begin(), all_types.end(), name) == all_types.end())
                wrong(at, "type",
                      "object, array, string, number, integer, boolean or null, or a list of them");
            add(name);
        }
        if (std::find(out.begin(), out.end(), "number") != out.end()) std::erase(out, "integer");
    } else {
        // Without a type, the keywords say which one is meant.
        for (const auto& [key, value] : s.items())
            if (const auto type = type_of_keyword.find(key); type != type_of_keyword.end()) add(type->second);
        if (out.empty()) out.assign(all_types.begin(), all_types.end());
    }
    if (s.contains("nullable") && s["nullable"] == true) add("null");
    return out;
}

Expr SchemaTranslator::typed(const std::string& type, const Json& s, const std::string& at) {
    if (type == "object") return object(s, at);
    if (type == "array") return array(s, at);
    if (type == "string") return string(s, at);
    if (type == "number" || type == "integer") return number(s, at, type == "integer");
    return type == "boolean" ? parts_.boolean() : parts_.null();
}

uint32_t SchemaTranslator::count(const Json& s, const std::string& at, const char* keyword,
                                 uint32_t otherwise) const {
    const auto it = s.find(keyword);
    if (it == s.end()) return otherwise;
    const double n = it->is_number() ? it->get<double>() : -1;
    if (n < 0 || n != std::floor(n)) wrong(at, keyword, "a whole number of at least 0");
    return n > 1e9 ? uint32_t(1e9) : uint32_t(n);
}

Expr SchemaTranslator::object(const Json& s, const std::string& at) {
    const bool any =
        !s.contains("properties") && !s.contains("required") && !s.contains("additionalProperties");
    if (any && count(s, at, "minProperties", 0) == 0 && !s.contains("maxProperties"))
        return parts_.any_object();
    bool may_be_empty = false;
    const Expr inside = members(s, at, may_be_empty);
    // A rule of its own: the states inside do not depend on where the object stands.
    return rules_.call(rules_.add(parts_.braces(inside, may_be_empty)));
}

/// The members in their order. rest[i]: what may follow once a member before i was written; first[i]: the
/// members from i on, if none was.
Expr SchemaTranslator::members(const Json& s, const std::string& at, bool& may_be_empty) {
    struct Property {
        Expr member;
        bool required;
    };
    std::set<std::string> required;
    if (const auto it = s.find("required"); it != s.end()) {
        if (!it->is_array()) wrong(at, "required", "a list of names");
        for (const Json& name : *it) {
            if (!name.is_string()) wrong(at, "required", "a list of names");
            required.insert(name.get<std::string>());
        }
    }
    const Json none = Json::object();
    const Json& named = s.contains("properties") ? s["properties"] : none;
    if (!named.is_object()) wrong(at, "properties", "an object of schemas");
    const auto others = s.find("additionalProperties");
    const bool others_allowed = others != s.end()
                                    ? *others != false
                                    : !s.contains("properties") && !s.contains("unevaluatedProperties");

    std::vector<Property> all;
    std::vector<std::string> names;
    const auto add = [&](const std::string& name, const Json& schema, const std::string& place, bool must) {
        names.push_back(name);
        if (schema == false && !must) return;
        all.push_back({parts_.member(parts_.value(name), this->schema(schema, place)), must});
    };
    for (const auto& [name, schema] : named.items())
        add(name, schema, at + "/properties/" + escaped(name), required.erase(name) > 0);
    for (const std::string& name : required) {
        if (others != s.end() && *others == false)
            fail(ErrorCode::invalid_argument,
                 "{}: \"required\" names \"{}\", which \"properties\" does not have", place(at), name);
        add(name, others != s.end() ? *others : Json(true), at + "/additionalProperties", true);
    }
    const size_t n_required =
        size_t(std::count_if(all.begin(), all.end(), [](const Property& p) { return p.required; }));
    if (count(s, at, "minProperties", 0) > n_required)
        unsupported(at, "minProperties", "above the number of required properties is not supported");
    if (others_allowed ? s.contains("maxProperties") : count(s, at, "maxProperties", unlimited) < all.size())
        unsupported(at, "maxProperties", "below the number of properties is not supported");

    GrammarRules& r = rules_;
    std::optional<Expr> other;
    if (others_allowed)
        other = parts_.member(parts_.other_key(names),
                              schema(others != s.end() ? *others : Json(true), at + "/additionalProperties"));
    std::vector<Expr> rest(all.size() + 1);
    rest.back() = other ? r.repeat(r.sequence({parts_.comma(), *other}), 0, unlimited) : r.literal("");
    if (other) rest.back() = r.call(r.add(rest.back()));
    for (size_t i = all.size(); i-- > 0;) {
        const Expr one = r.sequence({parts_.comma(), all[i].member});
        rest[i] = r.sequence({all[i].required ? one : r.optional(one), rest[i + 1]});
        if (n_required < all.size()) rest[i] = r.call(r.add(rest[i]));  // used twice: once as a rule
    }
    std::vector<Expr> firsts;
    size_t i = 0;
    for (; i < all.size(); ++i) {
        firsts.push_back(r.sequence({all[i].member, rest[i + 1]}));
        if (all[i].required) break;
    }
    if (i == all.size() && other) firsts.push_back(r.sequence({*other, rest.back()}));
    may_be_empty = i == all.size();
    return r.choice(std::move(firsts));
}

Expr SchemaTranslator::array(const Json& s, const std::string& at) {
    const auto items = s.find("items");
    std::vector<Expr> first;                                       // prefixItems, all of which are written
    const bool old_tuple = items != s.end() && items->is_array();  // before draft 2020-12
    if (old_tuple || s.contains("prefixItems")) {
        const char* keyword = old_tuple ? "items" : "prefixItems";
        if (!s[keyword].is_array()) wrong(at, keyword, "a list of schemas");
        for (size_t i = 0; i < s[keyword].size(); ++i)
            first.push_back(schema(s[keyword][i], fmt::format("{}/{}/{}", at, keyword, i)));
    }
    const uint32_t n = uint32_t(first.size());
    uint32_t min = count(s, at, "minItems", 0), max = count(s, at, "maxItems", unlimited);
    if (min > max) return nothing();
    const bool schema_given = items != s.end() && !old_tuple;
    if (schema_given && *items == false) max = std::min(max, n);
    if (n > 0 && !schema_given) max = std::min(max, std::max(n, min));  // no more than asked for
    if (min > max) return nothing();
    if (n == 0 && !schema_given && min == 0 && max == unlimited) return parts_.any_array();
    first.resize(std::min(n, max));
    min = std::max(min, uint32_t(first.size()));

    GrammarRules& r = rules_;
    std::vector<Expr> parts;
    for (const Expr one : first) {
        if (!parts.empty()) parts.push_back(parts_.comma());
        parts.push_back(one);
    }
    const uint32_t written = uint32_t(first.size());
    if (max > written) {
        const Expr one = schema_given ? schema(*items, at + "/items") : parts_.any_value();
        const uint32_t more_min = min - written, more_max = max == unlimited ? unlimited : max - written;
        const Expr next = r.sequence({parts_.comma(), one});
        if (written > 0) {
            parts.push_back(r.repeat(next, more_min, more_max));
        } else {
            parts.push_back(one);
            parts.push_back(r.repeat(next, more_min == 0 ? 0 : more_min - 1,
                                     more_max == unlimited ? unlimited : more_max - 1));
        }
    }
    std::optional<Expr> inside;
    if (!parts.empty()) inside = r.sequence(std::move(parts));
    return r.call(r.add(parts_.braces(inside, min == 0, "[", "]")));
}

Expr SchemaTranslator::string(const Json& s, const std::string& at) {
    const uint32_t min = count(s, at, "minLength", 0), max = count(s, at, "maxLength", unlimited);
    const auto pattern = s.find("pattern"), format = s.find("format");
    if (pattern == s.end() && format == s.end()) return min > max ? nothing() : parts_.string(min, max);
    if (pattern != s.end() && format != s.end())
        unsupported(at, "pattern", "beside \"format\" is not supported; keep one of them");
    const char* keyword = pattern != s.end() ? "pattern" : "format";
    if (min > 0 || max != unlimited)
        unsupported(at, min > 0 ? "minLength" : "maxLength",
                    fmt::format("beside \"{}\" is not supported; say it in a pattern", keyword));
    if (!s[keyword].is_string()) wrong(at, keyword, "a string");
    std::string regex = s[keyword].get<std::string>();
    if (format != s.end()) {
        const std::string_view known = format_pattern(regex);
        if (known.empty())
            unsupported(
                at, "format",
                fmt::format("is \"{}\"; known are date, time, date-time, duration, uuid, email, hostname, "
                            "ipv4, ipv6 and uri",
                            regex));
        regex = known;
    }
    const std::string key = "string:" + regex;
    if (const auto it = made_.find(key); it != made_.end()) return it->second;
    const Expr text =
        parts_.quoted(pattern_contents(rules_, parts_, regex, place(at) + ", \"" + keyword + "\""));
    const Expr call = rules_.call(rules_.add(text));
    made_.emplace(key, call);
    return call;
}

/// The tighter one of both ways to give a bound.
std::optional<NumberBound> SchemaTranslator::bound(const Json& s, const std::string& at,
                                                   const char* inclusive, const char* exclusive,
                                                   bool lower) const {
    const auto with = s.find(inclusive), without = s.find(exclusive);
    const char* keyword = inclusive;
    if (without != s.end() && !without->is_boolean()) {
        if (!without->is_number()) wrong(at, exclusive, "a number");
        if (with == s.end() || (lower ? !(*without < *with) : !(*with < *without))) keyword = exclusive;
    } else if (with == s.end()) {
        return std::nullopt;
    }
    const Json& value = s[keyword];
    if (!value.is_number()) wrong(at, keyword, "a number");
    const auto decimal = Decimal::parse(value.dump());
    if (!decimal) unsupported(at, keyword, "with more than 16 digits is not supported");
    // Draft 4 wrote exclusiveMinimum: true.
    const bool old_exclusive = keyword == inclusive && without != s.end() && *without == true;
    return NumberBound{*decimal, keyword == exclusive || old_exclusive};
}

Expr SchemaTranslator::number(const Json& s, const std::string& at, bool integer) {
    const auto least = bound(s, at, "minimum", "exclusiveMinimum", true);
    const auto most = bound(s, at, "maximum", "exclusiveMaximum", false);
    if (!least && !most) return integer ? parts_.integer() : parts_.number();
    return rules_.call(rules_.add(number_between(rules_, least, most, integer)));
}

}  // namespace

Expr json_schema_value(GrammarRules& rules, const Json& schema, std::string_view where) {
    return SchemaTranslator(rules, schema, where).translate();
}

GrammarRules parse_json_schema(std::string_view text) {
    if (text.size() > max_text)
        fail(ErrorCode::out_of_budget, "the schema has {} bytes; at most {} are read", text.size(), max_text);
    if (nesting(text) > max_nesting)
        fail(ErrorCode::out_of_budget, "the schema is nested more than {} deep", max_nesting);
    Json schema;
    try {
        schema = Json::parse(text);
    } catch (const Json::parse_error& e) {
        fail(ErrorCode::invalid_argument, "expected the schema to be JSON, found an error at byte {}",
             e.byte);
    } catch (const Json::exception&) {
        fail(ErrorCode::invalid_argument, "expected the schema to be JSON, found a number out of range");
    }
    GrammarRules rules;
    const Expr value = json_schema_value(rules, schema, "the schema");
    rules.root = rules.add(value);
    return rules;
}

GrammarRules json_object_rules() {
    GrammarRules rules;
    JsonParts parts(rules);
    const Expr object = parts.any_object();
    rules.root = rules.add(object);
    return rules;
}

}  // namespace sluice
