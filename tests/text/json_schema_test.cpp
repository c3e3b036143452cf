// JSON schemas as grammars: what they allow is valid, what is valid and ordinary they allow.
#include "text/grammar/json_schema.h"

#include <chrono>
#include <random>
#include <regex>

#include <gtest/gtest.h>

#include "sluice/error.h"

#include "schema_validator.h"
#include "text/grammar/json_pattern.h"
#include "text/grammar/parse.h"

namespace sluice {
namespace {

using Shared = std::shared_ptr<const Automaton>;

Shared schema_automaton(const std::string& schema) {
    return std::make_shared<const Automaton>(parse_json_schema(schema));
}

bool fits(const Shared& a, std::string_view text) {
    Parse p(a, GrammarStart::answer);
    for (const char c : text) {
        if (!p.advance(uint8_t(c))) return false;
        p.forget_past();
    }
    return p.complete();
}

/// A text of the grammar, bytes drawn at random, ends preferred; empty if it grew long.
std::string draw(const Shared& a, uint64_t seed) {
    std::mt19937_64 random(seed);
    Parse p(a, GrammarStart::answer);
    std::string text;
    while (text.size() < 3000) {
        if (p.complete() && (p.exhausted() || random() % 4 == 0)) return text;
        const auto next = p.first_bytes();
        uint8_t can[256], closing[3];  // arrays, because this is most of what the tests below do
        size_t n_can = 0, n_closing = 0;
        for (int b = 0; b < 256; ++b)
            if (next[size_t(b)]) {
                can[n_can++] = uint8_t(b);
                if (b == '"' || b == '}' || b == ']') closing[n_closing++] = uint8_t(b);
            }
        const bool close = n_closing != 0 && random() % 3 != 0;
        const uint8_t byte = close ? closing[random() % n_closing] : can[random() % n_can];
        EXPECT_TRUE(p.advance(byte));
        p.forget_past();
        text += char(byte);
    }
    return {};
}

struct SchemaCase {
    const char* schema;
    std::vector<const char*> good, bad;
};

/// Besides the examples: what is drawn at random is valid.
void expect_schema(const SchemaCase& c) {
    SCOPED_TRACE(c.schema);
    const Shared a = schema_automaton(c.schema);
    const test::SchemaValidator validator(nlohmann::json::parse(c.schema));
    for (const char* t : c.good) EXPECT_TRUE(fits(a, t)) << t;
    for (const char* t : c.bad) EXPECT_FALSE(fits(a, t)) << t;
    int whole = 0;
    for (uint64_t seed = 0; seed < 100; ++seed) {
        const std::string text = draw(a, seed);
        if (text.empty()) continue;
        ++whole;
        EXPECT_TRUE(validator.valid_text(text)) << text;
    }
    EXPECT_GT(whole, 20);
}

TEST(JsonSchema, Types) {
    expect_schema({R"({"type":"string"})",
                   {R"("")", R"("aé😀\n\u00e9\ud83d\ude00\"")"},
                   {"", "1", "\"\n\"", R"("\ud83d")", R"("\x")", "\"a"}});
    expect_schema({R"({"type":"integer"})", {"0", "-7", "123456"}, {"01", "-0", "1.0", "1e3", "+1", "-"}});
    expect_schema({R"({"type":"number"})", {"0", "-7.25", "1e9", "2.5E-3"}, {".5", "1.", "NaN", "01"}});
    expect_schema({R"({"type":"boolean"})", {"true", "false"}, {"True", "null"}});
    expect_schema({R"({"type":"null"})", {"null"}, {"", "nul"}});
    expect_schema({R"({"type":["string","null"]})", {"\"a\"", "null"}, {"1"}});
    expect_schema({R"({"type":"object"})",
                   {"{}", "{\"a\":[1,{\"b\":null}]}", "{ \"a\": 1, \"b\": 2 }", "{\n  \"a\": 1\n}"},
                   {"[]", "{a:1}", "{\"a\":1,}", "{\"a\" 1}"}});
    expect_schema({R"({"type":"array"})", {"[]", "[1, \"a\", [true]]"}, {"{}", "[1,]", "[1 2]"}});
    expect_schema({R"({})", {"1", "{}", "[null]", "\"x\""}, {"x"}});
    expect_schema({R"(true)", {"1", "{}"}, {""}});
}

TEST(JsonSchema, ValuesThatAreListed) {
    expect_schema({R"({"enum":["red","gr\"een",3,null,{"a":[1,2]}]})",
                   {"\"red\"", R"("gr\"een")", "3", "null", "{\"a\":[1,2]}", "{\"a\": [1, 2]}"},
                   {"\"blue\"", "4", "{}", "red"}});
    expect_schema({R"({"const":"x"})", {"\"x\""}, {"\"y\""}});
    expect_schema({R"({"type":"string","enum":["a",1]})", {"\"a\""}, {"1"}});
    expect_schema(
        {R"({"type":"integer","enum":[1,2.0,2.5],"description":"d","enumNames":["x"]})", {"1"}, {"2.5"}});
}

TEST(JsonSchema, Objects) {
    expect_schema(
        {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"type":"null"}},"required":["b"]})",
         {R"({"a":1,"b":"x","c":null})", R"({"b":"x"})", R"({"a":1,"b":""})", R"({ "b": "x", "c": null })"},
         {R"({})", R"({"a":1})", R"({"b":"x","a":1})", R"({"b":"x","d":1})", R"({"b":1})", R"({"b":"x",})"}});
    expect_schema({R"({"properties":{"a":{"type":"integer"},"b":{"type":"integer"}}})",
                   {"{}", R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"},
                   {R"({"a":1,"a":2})", R"({,"b":1})"}});
    expect_schema(
        {R"({"type":"object","properties":{"ab":{"type":"integer"}},"additionalProperties":{"type":"boolean"},"required":["ab"]})",
         {R"({"ab":1})", R"({"ab":1,"abc":true,"a":false,"":true})"},
         {R"({"ab":1,"ab":true})", R"({"ab":1,"x":1})", R"({"ab":1,"\u0061b":true})"}});
    expect_schema({R"({"type":"object","additionalProperties":{"type":"integer"}})",
                   {"{}", R"({"x":1,"y":2})"},
                   {R"({"x":"1"})"}});
    expect_schema({R"({"type":"object","additionalProperties":false})", {"{}", "{ }"}, {R"({"a":1})"}});
    expect_schema({R"({"type":"object","required":["k"]})", {R"({"k":1})", R"({"k":[],"z":0})"}, {"{}"}});
    expect_schema({R"({"properties":{"a":{"type":"null"}},"required":["b"]})",
                   {R"({"b":1})", R"({"a":null,"b":[]})"},
                   {R"({"a":null})"}});
    expect_schema({R"({"properties":{"no":false,"yes":true}})", {R"({"yes":[1]})"}, {R"({"no":1})"}});
    expect_schema({R"({"properties":{"käse/\"x\"":{"const":1}},"required":["käse/\"x\""]})",
                   {R"({"käse/\"x\"":1})"},
                   {"{}"}});
}

TEST(JsonSchema, Arrays) {
    expect_schema({R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})",
                   {"[1,2]", "[1, 2, 3]"},
                   {"[]", "[1]", "[1,2,3,4]", "[\"a\",1]"}});
    expect_schema({R"({"items":{"type":"null"},"minItems":1})", {"[null]", "[null,null,null]"}, {"[]"}});
    expect_schema({R"({"items":{"type":"null"},"maxItems":0})", {"[]"}, {"[null]"}});
    expect_schema({R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
                   {"[1,\"a\"]"},
                   {"[\"a\",1]", "[1,\"a\",2]"}});
    expect_schema({R"({"prefixItems":[{"type":"integer"}],"items":{"type":"boolean"}})",
                   {"[1]", "[1,true,false]"},
                   {"[true]"}});
    expect_schema(
        {R"({"type":"array","items":{"type":"array","items":{"enum":[0,1]},"minItems":3,"maxItems":3},"minItems":3,"maxItems":3})",
         {"[[0,1,0],[1,1,1],[0,0,0]]"},
         {"[[0,1],[1,1,1],[0,0,0]]"}});
    const Shared many = schema_automaton(R"({"items":{"type":"integer"},"minItems":1000,"maxItems":100000})");
    EXPECT_LT(many->size(), 1000u);
}

TEST(JsonSchema, Strings) {
    expect_schema({R"({"type":"string","minLength":2,"maxLength":3})",
                   {"\"ab\"", "\"é😀x\"", R"("\u00e9\n")"},
                   {"\"a\"", "\"abcd\"", "\"😀\""}});
    expect_schema({R"({"type":"string","minLength":1})", {"\"a\"", "\"abc\""}, {"\"\""}});
    const Shared longer = schema_automaton(R"({"type":"string","maxLength":1000000000})");
    EXPECT_LT(longer->size(), 300u);
}

TEST(JsonSchema, Numbers) {
    const std::vector<std::string> texts{
        "-1000", "-101",  "-100", "-99.5", "-12", "-11",  "-10.5",    "-10", "-9", "-1",
        "-0.5",  "-0.05", "0",    "0.05",  "0.5", "0.75", "1",        "1.5", "2",  "9",
        "9.9",   "10",    "10.1", "11",    "12",  "19",   "20",       "21",  "99", "99.9",
        "100",   "101",   "109",  "110",   "999", "1000", "12345.678"};
    const std::vector<std::string> bounds{"-100", "-10.5", "-10", "-1", "-0.05", "0",   "0.5",
                                          "1",    "9.9",   "10",  "11", "20",    "100", "1000"};
    for (const auto& low : bounds)
        for (const auto& high : bounds)
            for (const bool exclusive : {false, true})
                for (const bool integer : {false, true}) {
                    if (SLUICE_SANITIZED && integer != exclusive) continue;
                    const double l = std::stod(low), h = std::stod(high);
                    const auto inside = [&](double x) {
                        return exclusive ? l < x && x < h : l <= x && x <= h;
                    };
                    const std::string schema =
                        std::string(R"({"type":")") + (integer ? "integer" : "number") + "\",\"" +
                        (exclusive ? "exclusiveMinimum" : "minimum") + "\":" + low + ",\"" +
                        (exclusive ? "exclusiveMaximum" : "maximum") + "\":" + high + "}";
                    SCOPED_TRACE(schema);
                    Shared a;
                    try {
                        a = schema_automaton(schema);
                    } catch (const Error&) {  // no such number
                    }
                    for (const auto& t : texts) {
                        if (integer && t.find('.') != std::string::npos) continue;
                        EXPECT_EQ(a && fits(a, t), inside(std::stod(t))) << t;
                    }
                    for (uint64_t seed = 0; a && seed < 10; ++seed) {
                        const std::string t = draw(a, seed);
                        EXPECT_TRUE(inside(std::stod(t))) << t;
                    }
                }
    expect_schema({R"({"type":"integer","minimum":5})", {"5", "10", "99999"}, {"4", "-5", "0"}});
    expect_schema({R"({"type":"integer","maximum":-5})", {"-5", "-1000"}, {"-4", "0", "5"}});
    expect_schema({R"({"type":"number","exclusiveMinimum":0})", {"0.001", "3"}, {"0", "-1"}});
    EXPECT_TRUE(fits(schema_automaton(R"({"type":"integer","minimum":0,"exclusiveMinimum":true})"), "1"));
    EXPECT_FALSE(fits(schema_automaton(R"({"type":"integer","minimum":0,"exclusiveMinimum":true})"), "0"));
}

TEST(JsonSchema, AlternativesAndReferences) {
    expect_schema({R"({"anyOf":[{"type":"integer"},{"type":"string"}]})", {"1", "\"a\""}, {"null"}});
    expect_schema(
        {R"({"oneOf":[{"type":"null"},{"$ref":"#/$defs/x"}],"$defs":{"x":{"type":"object","properties":{"v":{"type":"integer"}},"required":["v"]}}})",
         {"null", R"({"v":1})"},
         {"{}"}});
    expect_schema(
        {R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"string"}},"required":["b"]}]})",
         {R"({"a":1,"b":"x"})"},
         {R"({"a":1})", R"({"b":"x"})"}});
    expect_schema({R"({"allOf":[{"type":"number","minimum":3},{"type":"integer","maximum":5}]})",
                   {"3", "4", "5"},
                   {"2", "6", "3.5"}});
    expect_schema(
        {R"({"type":"object","properties":{"k":{"type":"string"}},"anyOf":[{"required":["k"]},{"properties":{"z":{"type":"null"}},"required":["z"]}]})",
         {R"({"k":"a"})", R"({"z":null})", R"({"k":"","z":null})"},
         {"{}"}});
    expect_schema({R"({"$ref":"#/$defs/a","maximum":7,"$defs":{"a":{"type":"integer","minimum":5}}})",
                   {"5", "7"},
                   {"4", "8"}});
    expect_schema(
        {R"({"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"type":"null"},{"$ref":"#"}]}},"required":["v","next"]})",
         {R"({"v":1,"next":{"v":2,"next":null}})"},
         {R"({"v":1})"}});
    expect_schema(
        {R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["kids"]}}})",
         {R"({"kids":[]})", R"({"kids":[{"kids":[{"kids":[]}]}]})"},
         {R"({"kids":[1]})"}});
    // Recursion through allOf.
    expect_schema(
        {R"({"$ref":"#/$defs/n","$defs":{"n":{"allOf":[{"type":"object","properties":{"v":{"type":"integer"}},"required":["v"]},{"properties":{"next":{"$ref":"#/$defs/n"}}}]}}})",
         {R"({"v":1,"next":{"v":2}})"},
         {R"({"next":{"v":2}})"}});
    EXPECT_TRUE(fits(schema_automaton(R"({"type":"string","nullable":true})"), "null"));
    EXPECT_TRUE(fits(
        schema_automaton(R"({"$ref":"#/definitions/a~1b","definitions":{"a/b":{"type":"null"}}})"), "null"));
}

TEST(JsonSchema, PatternsAreThoseOfRegularExpressions) {
    const std::vector<std::string> patterns{
        "^a+b?$",    "a",      "^a",           "b$",   "^(a|bc)*$",      "^[a-c]{2,3}$",
        "(^a|c$)",   "^a|b$",  "^(?:ab|a)c?$", "a.c",  "^\\d{2}-\\w+$",  "[^a-c]$",
        "^$",        "",       "^a{0}b$",      "a{2}", "^(a(b(c)?)?)?$", "\\.",
        "^\\[x\\]$", "^x*?y$", "(a|b)(c|d)",   "a|^b$"};
    const std::vector<std::string> texts{"",     "a",   "b",     "c",    "ab",    "ba",    "aa", "aab",
                                         "abc",  "abb", "bc",    "bcbc", "abcbc", "cab",   "ac", "bd",
                                         "xacx", "a.c", "12-ab", "12-",  "x",     "d",     "xy", "y",
                                         "[x]",  "xxy", "abca",  "aaa",  "acb",   "aabaa", "a1", "."};
    for (const auto& pattern : patterns) {
        SCOPED_TRACE(pattern);
        const std::regex oracle(pattern);
        const nlohmann::json schema = {{"type", "string"}, {"pattern", pattern}};
        const Shared a = schema_automaton(schema.dump());
        for (const auto& t : texts)
            EXPECT_EQ(fits(a, nlohmann::json(t).dump()), std::regex_search(t, oracle)) << t;
        for (uint64_t seed = 0; seed < 50; ++seed) {
            const std::string t = draw(a, seed);
            if (t.empty()) continue;
            const auto value = nlohmann::json::parse(t, nullptr, false);
            ASSERT_TRUE(value.is_string()) << t;
            // std::regex knows bytes, not characters: ASCII alone is compared.
            const std::string v = value.get<std::string>();
            const bool ascii = std::all_of(v.begin(), v.end(), [](char c) { return c > 0; });
            EXPECT_TRUE(!ascii || std::regex_search(v, oracle)) << v;
        }
    }
}

TEST(JsonSchema, Formats) {
    const std::vector<SchemaCase> cases{
        {"date",
         {"2024-02-29", "1999-12-31", "2000-02-29"},
         {"2023-02-29", "1900-02-29", "2024-13-01", "2024-04-31", "24-1-1"}},
        {"time", {"23:59:59Z", "12:00:00.123+02:00"}, {"24:00:00Z", "12:00", "12:60:00Z"}},
        {"date-time",
         {"2024-02-29T23:59:59Z", "2024-01-01T00:00:00.5-08:00"},
         {"2024-02-30T00:00:00Z", "2024-01-01"}},
        {"duration", {"P1D", "PT5M", "P1Y2M3DT4H5M6S", "P3W"}, {"P", "1D", "PT"}},
        {"uuid", {"123e4567-e89b-12d3-a456-426614174000"}, {"123e4567-e89b-12d3-a456-42661417400", "x"}},
        {"email", {"a@b.org", "first.last+tag@sub.example.com"}, {"a", "a@", "@b.org", "a b@c.de"}},
        {"hostname", {"example.com", "localhost"}, {"-a", "a..b", ""}},
        {"ipv4", {"0.0.0.0", "255.255.255.255"}, {"256.1.1.1", "1.2.3", "01.2.3.4"}},
        {"ipv6", {"::", "::1", "2001:db8::1", "1:2:3:4:5:6:7:8"}, {"1:2:3:4:5:6:7", "1::2::3", "12345::"}},
        {"uri",
         {"https://example.org/a?b=c#d", "mailto:a@b.org", "http://10.0.0.1:8080/a/", "file:/etc/hosts",
          "a://b?/#?"},
         {"example", "http//x", "a b:c", "a:b#c#d", "a://b:c", "a://b@c@d", "a:", "a:%g0"}},
    };
    const Shared host = schema_automaton(R"({"type":"string","format":"hostname"})");
    for (uint64_t seed = 0; seed < 200; ++seed) EXPECT_LE(draw(host, seed).size(), 255u);  // with the quotes
    for (const SchemaCase& c : cases) {
        SCOPED_TRACE(c.schema);
        const Shared a = schema_automaton(std::string(R"({"type":"string","format":")") + c.schema + "\"}");
        for (const char* t : c.good) EXPECT_TRUE(fits(a, std::string("\"") + t + "\"")) << t;
        for (const char* t : c.bad) EXPECT_FALSE(fits(a, std::string("\"") + t + "\"")) << t;
    }
}

TEST(JsonSchema, AnyObject) {
    const auto a = std::make_shared<const Automaton>(json_object_rules());
    EXPECT_TRUE(fits(a, R"({"a": [1, 2.5e3, {"b": null}], "c": "d"})"));
    EXPECT_TRUE(fits(a, "{}"));
    EXPECT_FALSE(fits(a, "[]"));
    EXPECT_FALSE(fits(a, "\"a\""));
    for (uint64_t seed = 0; seed < 100; ++seed) {
        const std::string t = draw(a, seed);
        EXPECT_TRUE(t.empty() || nlohmann::json::accept(t)) << t;
    }
}

std::string refusal(const std::string& schema) {
    try {
        const Automaton a(parse_json_schema(schema));
    } catch (const Error& e) {
        return e.what();
    }
    return "none";
}

TEST(JsonSchema, WhatIsNotSupportedIsNamed) {
    const auto says = [](const char* schema, const char* part) {
        EXPECT_NE(refusal(schema).find(part), std::string::npos) << schema << ": " << refusal(schema);
    };
    says(R"({"properties":{"a":{"not":{"type":"null"}}}})", "at \"/properties/a\": the keyword \"not\"");
    says(R"({"type":"array","uniqueItems":true})", "\"uniqueItems\"");
    says(R"({"type":"integer","multipleOf":5})", "\"multipleOf\"");
    says(R"({"patternProperties":{"a":{}}})", "\"patternProperties\"");
    says(R"({"if":{},"then":{}})", "\"if\"");
    says(R"({"type":"string","format":"regex"})", "known are date");
    says(R"({"type":"string","pattern":"(?=a)b"})", "lookaround");
    says(R"({"type":"string","pattern":"a(b"})", "without its )");
    says(R"({"type":"string","pattern":"(a)\\1"})", "back reference");
    says(R"({"$ref":"http://example.org/x"})", "only places in the same schema");
    says(R"({"$ref":"#/$defs/none"})", "does not have");
    says(R"({"$ref":"#"})", "matches no text");
    says(R"({"type":"text"})", "\"type\"");
    says(R"({"type":"string","minLength":-1})", "\"minLength\"");
    says(R"({"properties":{"a":1}})", "expected a schema");
    says(R"({"properties":{"a":{}},"required":["b"],"additionalProperties":false})", "\"b\"");
    says(R"([1])", "expected a schema");
    says(R"({"type":)", "expected the schema to be JSON");
    says(R"({"allOf":[{"type":"string","pattern":"a"},{"pattern":"b"}]})", "\"pattern\"");
    says(R"({"type":"object","minProperties":2,"properties":{"a":{}}})", "minProperties");
    says(R"({"enum":[]})", "\"enum\"");
    says("false", "matches no text");
    EXPECT_EQ(
        refusal(
            R"({"$schema":"x","title":"t","description":"d","default":1,"examples":[1],"type":"integer"})"),
        "none");
    EXPECT_EQ(refusal(R"({"type":"array","uniqueItems":false,"items":{"type":"integer","multipleOf":1}})"),
              "none");
}

TEST(JsonSchema, HostileSchemasAreBounded) {
    const auto quick = [](const std::string& schema) {
        const auto begin = std::chrono::steady_clock::now();
        refusal(schema);
        EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 20)
            << schema.substr(0, 200);
    };
    std::string deep;
    for (int i = 0; i < 100000; ++i) deep += R"({"items":)";
    quick(deep + "1");
    quick(std::string(1000000, '['));
    std::string nested = "{}";
    for (int i = 0; i < 150; ++i) nested = R"({"items":)" + nested + "}";
    EXPECT_EQ(refusal(nested), "none");
    // Alternatives that multiply.
    std::string all;
    for (int i = 0; i < 40; ++i)
        all += std::string(i ? "," : "") + R"({"anyOf":[{"properties":{"a)" + std::to_string(i) +
               R"(":{}}},{"required":["b)" + std::to_string(i) + R"("]},{"type":"object"}]})";
    quick(R"({"allOf":[)" + all + "]}");
    EXPECT_NE(refusal(R"({"allOf":[)" + all + "]}").find("simplify"), std::string::npos);
    // References that double at each step.
    std::string defs;
    for (int i = 0; i < 60; ++i)
        defs += (i ? ",\"d" : "\"d") + std::to_string(i) +
                R"(":{"type":"object","properties":{"x":{"$ref":"#/$defs/d)" + std::to_string(i + 1) +
                R"("},"y":{"$ref":"#/$defs/d)" + std::to_string(i + 1) + R"("}}})";
    EXPECT_EQ(refusal(R"({"$ref":"#/$defs/d0","$defs":{)" + defs + R"(,"d60":{}}})"), "none");
    std::string doubled;
    for (int i = 0; i < 60; ++i)
        doubled += (i ? ",\"d" : "\"d") + std::to_string(i) + R"(":{"allOf":[{"$ref":"#/$defs/d)" +
                   std::to_string(i + 1) + R"("},{"$ref":"#/$defs/d)" + std::to_string(i + 1) +
                   R"("},{"minimum":)" + std::to_string(i) + "}]}";
    quick(R"({"$ref":"#/$defs/d0","$defs":{)" + doubled + R"(,"d60":{}}})");
    quick(R"({"type":"string","pattern":"((((a{1000}){1000}){1000}){1000}){1000}"})");
    quick(R"({"type":"string","pattern":"(a|b)*a(a|b){30}$"})");
    quick(
        R"({"type":"array","items":{"type":"array","items":{"type":"string","maxLength":1000000},"minItems":1000000,"maxItems":999999999},"minItems":999999999})");
    std::string values;
    for (int i = 0; i < 20000; ++i) values += (i ? ",\"v" : "\"v") + std::to_string(i * 7919) + "\"";
    EXPECT_EQ(refusal(R"({"enum":[)" + values + "]}"), "none");
    std::string properties;
    for (int i = 0; i < 2000; ++i)
        properties += (i ? ",\"p" : "\"p") + std::to_string(i) + R"(":{"type":"integer"})";
    EXPECT_EQ(refusal(R"({"properties":{)" + properties + "}}"), "none");
    EXPECT_EQ(refusal(R"({"additionalProperties":true,"properties":{)" + properties + "}}"), "none");
}

}  // namespace
}  // namespace sluice
