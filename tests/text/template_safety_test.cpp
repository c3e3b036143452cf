// Hostile templates and inputs: bounded in time, memory and depth, and every failure is a sentence with a
// line.
#include <chrono>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sluice/error.h"

#include "text/chat_template.h"

namespace sluice {
namespace {

using nlohmann::ordered_json;

std::string render(const std::string& source, const ordered_json& input = ordered_json::object(),
                   TemplateLimits limits = {}) {
    return ChatTemplate(source, limits).render(input, {}).text;
}

struct Failure {
    ErrorCode code;
    std::string sentence;
};
Failure failure(const std::string& source, const ordered_json& input = ordered_json::object(),
                TemplateLimits limits = {}) {
    try {
        const std::string text = render(source, input, limits);
        ADD_FAILURE() << "rendered " << text.size() << " bytes: " << text.substr(0, 100);
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
    return {ErrorCode::internal, ""};
}

bool has(const Failure& failed, const std::string& words) {
    return failed.sentence.find(words) != std::string::npos;
}

TEST(TemplateErrors, SayTheLineAndTheReason) {
    const Failure undefined = failure("a\n\n{{ foo.bar }}");
    EXPECT_EQ(undefined.code, ErrorCode::invalid_argument);
    EXPECT_TRUE(has(undefined, "chat template line 3: 'foo' is undefined;")) << undefined.sentence;
    const Failure attribute = failure("\n{{ m.a.b }}", {{"m", {{"x", 1}}}});
    EXPECT_TRUE(has(attribute, "line 2: 'dict object' has no attribute 'a'")) << attribute.sentence;
    const Failure in_macro = failure("{% macro f(x) %}\n{{ x + 1 }}\n{% endmacro %}\n\n{{ f('a') }}");
    EXPECT_TRUE(has(in_macro, "line 2: can only concatenate str")) << in_macro.sentence;
    const Failure after_macro = failure("{% macro f(x) %}\n{{ x }}\n{% endmacro %}\n\n{{ f('a') + 1 }}");
    EXPECT_TRUE(has(after_macro, "line 5:")) << after_macro.sentence;
}

TEST(TemplateErrors, RaiseExceptionGivesTheTemplatesWords) {
    const Failure raised = failure("{{ raise_exception('Roles must ' ~ 'alternate!') }}");
    EXPECT_EQ(raised.code, ErrorCode::invalid_argument);
    EXPECT_EQ(raised.sentence, "Roles must alternate!");
}

TEST(TemplateErrors, SyntaxNamesWhatWasExpected) {
    for (const auto& [source, words] : std::initializer_list<std::pair<std::string, std::string>>{
             {"x\n{% if a %}", "line 2: expected {% endif %}, found the end of the template"},
             {"{{ a b }}", "line 1: expected \"}}\", found 'b'"},
             {"\n\n{{ 'abc }}", "line 3: this string has no closing quote"},
             {"{# abc", "line 1: this comment has no end"},
             {"{{ (1 }}", "unexpected '}'; expected ')'"},
             {"{% nothing %}", "unknown tag 'nothing'"},
             {"{% break %}", "'break' outside of a loop"},
             {"{{ 99999999999999999999 }}", "is not an integer of 64 bits"},
             {"{{ 'a\\xZZ' }}", "hexadecimal"},
             {"{{ a ? b }}", "unexpected character '?'"}}) {
        const Failure failed = failure(source);
        EXPECT_EQ(failed.code, ErrorCode::invalid_file) << source;
        EXPECT_TRUE(has(failed, words)) << failed.sentence;
    }
}

TEST(TemplateErrors, UnknownFeaturesAreNamed) {
    for (const auto& [source, words] : std::initializer_list<std::pair<std::string, std::string>>{
             {"\n{{ 1 | shiny }}", "line 2: there is no filter named 'shiny'"},
             {"{{ 1 is shiny }}", "line 1: there is no test named 'shiny'"},
             {"{% include 'x' %}", "line 1: the tag 'include' is not supported"},
             {"{{ [1] | map('shiny') | list }}", "no filter named 'shiny'"},
             {"{% if true %}{{ 1 | shiny }}{% endif %}", "no filter named 'shiny'"}}) {
        const Failure failed = failure(source);
        EXPECT_EQ(failed.code, ErrorCode::unsupported) << source;
        EXPECT_TRUE(has(failed, words)) << failed.sentence;
    }
    EXPECT_EQ(render("{% if false %}{{ 1 | shiny }}{% endif %}ok{{ (1 | shiny) if false }}"), "ok");
}

TEST(TemplateLimitsTest, ParsingDepthIsBounded) {
    const auto repeated = [](const std::string& part, size_t count) {
        std::string all;
        for (size_t i = 0; i < count; ++i) all += part;
        return all;
    };
    for (const std::string& source :
         {"{{ " + repeated("(", 50'000) + "1" + repeated(")", 50'000) + " }}", "{{ " + repeated("[", 50'000),
          "{{ " + repeated("not ", 50'000) + "1 }}", "{{ " + repeated("-", 50'000) + "1 }}",
          "{{ " + repeated("{1:", 50'000), "{{ a" + repeated("[a", 50'000), "{{ f" + repeated("(f", 50'000),
          "{{ 1" + repeated(" if 1 else 1", 30'000) + " }}", "{{ 1" + repeated(" if 1", 50'000) + " }}",
          "{{ 1" + repeated("|map(1", 50'000), "{{ 1" + repeated(" is eq(1", 30'000),
          repeated("{% if 1 %}", 30'000), repeated("{% for x in y %}", 20'000),
          repeated("{% macro f() %}", 20'000), "{% for " + repeated("(", 50'000),
          "{{ " + repeated("2 ** (", 50'000)}) {
        const Failure failed = failure(source);
        EXPECT_EQ(failed.code, ErrorCode::invalid_file) << source.substr(0, 40);
        EXPECT_TRUE(has(failed, "nested") || has(failed, "too many inline ifs")) << failed.sentence;
    }
}

TEST(TemplateLimitsTest, LongChainsAreNotDeep) {
    std::string sum = "{{ 1", chain = "{{ x", logic = "{{ 0", branches = "{% if 0 %}";
    for (int i = 0; i < 20'000; ++i) {
        sum += " + 1";
        chain += "|string";
        logic += " or 0";
        branches += "{% elif 0 %}";
    }
    EXPECT_EQ(render(sum + " }}"), "20001");
    EXPECT_EQ(render(chain + " }}", {{"x", "y"}}), "y");
    EXPECT_EQ(render(logic + " }}"), "0");
    EXPECT_EQ(render(branches + "{% else %}z{% endif %}"), "z");
}

TEST(TemplateLimitsTest, RecursionIsBounded) {
    for (const std::string source :
         {"{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
          "{% macro f() %}{% if true %}{% for x in [1] %}{{ [f()] }}{% endfor %}{% endif %}{% endmacro %}{{ "
          "f() }}",
          "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
          "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
          "{% set a = [] %}{% set _ = a.append(a) %}{{ a }}",
          "{% set a = [] %}{% set _ = a.append(a) %}{{ a == a + [] }}",
          "{% set d = {} %}{% set _ = d.update({'d': d}) %}{{ d | tojson }}",
          "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ "
          "ns.x }}",
          "{% set ns = namespace(x=()) %}{% for i in range(99999) %}{% set ns.x = (ns.x, 1) %}{% endfor %}{{ "
          "ns.x < ns.x }}"}) {
        const Failure failed = failure(source);
        EXPECT_EQ(failed.code, ErrorCode::out_of_budget) << source;
        EXPECT_TRUE(has(failed, "deep")) << failed.sentence;
    }
}

// A chain of values as long as a loop runs is freed without recursion, cycles are freed at the end (the leak
// checker of the sanitizer builds would tell).
TEST(TemplateLimitsTest, LongChainsOfValuesAreFreed) {
    EXPECT_EQ(
        render("{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}"
               "{% set ns.x = 0 %}{{ ns.x }}"),
        "0");
    EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.me = [ns, {'n': ns}] %}"
                     "{% macro m() %}{{ m }}{% endmacro %}{% set l = [m] %}{% set _ = l.append(l) %}x"),
              "x");
}

TEST(TemplateLimitsTest, TimeIsBounded) {
    TemplateLimits limits;
    limits.steps = 200'000;
    const auto begin = std::chrono::steady_clock::now();
    for (const std::string source :
         {"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
          "{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}",
          "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{% if 'b' in s %}{% endif %}{% endfor %}",
          "{% set s = 'ä' * 100000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}",
          "{% set s = 'a' * 500000 %}{% for i in range(100000) %}{% set t = s | upper %}{% endfor %}",
          "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{% set t = s == s ~ 'b' %}{% endfor %}",
          "{% set s = 'a' * 1000000 %}{% set d = {s: 1} %}{% for i in range(100000) %}{% set t = d[s] %}{% "
          "endfor %}",
          "{% for i in range(100000) %}{{ range(100000) | sum }}{% endfor %}",
          "{% set ns = namespace(x=1) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
          "ns.x == ns.x + [] }}"}) {
        const Failure failed = failure(source, ordered_json::object(), limits);
        EXPECT_EQ(failed.code, ErrorCode::out_of_budget) << source;
        EXPECT_TRUE(has(failed, "steps")) << failed.sentence;
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(taken.count(), 20.0);  // sanitizer builds included
}

TEST(TemplateLimitsTest, SizesAreBounded) {
    TemplateLimits limits;
    limits.output_bytes = 1 << 20;
    for (const std::string source :
         {"{{ 'ab' * 9999999 }}",
          "{{ 'ab' * 9223372036854775807 }}",
          "{{ [1, 2] * 9223372036854775807 }}",
          "{{ [1] * 99999999 }}",
          "{{ 'x' | center(99999999999) }}",
          "{{ 'x'.ljust(99999999999) }}",
          "{{ 'x'.zfill(9223372036854775807) }}",
          "{{ ('x' * 9999) | replace('x', 'y' * 9999) }}",
          "{{ ('x' * 9999).replace('', 'y' * 9999) }}",
          "{{ (['y' * 9999] * 9999) | join('x' * 999) }}",
          "{{ ('y\n' * 9999) | indent(9999) }}",
          "{{ '%99999999d' % 1 }}",
          "{{ '{:>99999999}'.format(1) }}",
          "{{ {'a': [1, [2]]} | tojson(indent=99999999) }}",
          "{{ [1] | batch(999999999, 0) | list }}",
          "{% for i in range(100000) %}{{ 'x' * 100 }}{% endfor %}",
          "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
          "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
          "{% set ns = namespace(x=1) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
          "ns.x | tojson }}",
          "{% set ns = namespace(x=1) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
          "ns.x }}",
          "{% set l = [] %}{% for i in range(99999) %}{% set _ = l.append('x' * 10000) %}{% endfor %}",
          "{{ (',' * 1000000).split(',') }}",
          "{% set x %}{% for i in range(99999) %}{{ 'x' * 99 }}{% endfor %}{% endset %}"}) {
        const Failure failed = failure(source, ordered_json::object(), limits);
        EXPECT_EQ(failed.code, ErrorCode::out_of_budget) << source << " " << failed.sentence;
    }
    const Failure range = failure("{{ range(9223372036854775807) }}");
    EXPECT_TRUE(has(range, "Range too big")) << range.sentence;
}

TEST(TemplateLimitsTest, IntegersDoNotWrapAround) {
    for (const std::string expression :
         {"9223372036854775807 + 1", "0 - 9223372036854775807 - 2", "9223372036854775807 * 2", "2 ** 63",
          "10 ** 1000000000", "-(0 - 9223372036854775807 - 1)", "(0 - 9223372036854775807 - 1) // -1",
          "(0 - 9223372036854775807 - 1) | abs", "1e300 | int", "'99999999999999999999' | int"}) {
        const Failure failed = failure("{{ " + expression + " }}");
        EXPECT_EQ(failed.code, ErrorCode::invalid_argument) << expression;
        EXPECT_TRUE(has(failed, "64 bits")) << failed.sentence;
    }
    EXPECT_EQ(render("{{ (0 - 9223372036854775807 - 1) % -1 }}"), "0");
    EXPECT_EQ(
        render("{{ 'abc'[::-9223372036854775807] }}|{{ 'abc'[-9223372036854775807:9223372036854775807] }}"),
        "c|abc");
    EXPECT_EQ(render("{{ range(9223372036854775806, 9223372036854775807) | list }}"),
              "[9223372036854775806]");
}

TEST(TemplateInput, MustBeAnObjectAndNotTooDeep) {
    const ChatTemplate chat_template("{{ x }}");
    EXPECT_THROW(chat_template.render(ordered_json::array(), {}), Error);
    ordered_json deep = 1;
    for (int i = 0; i < 500; ++i) deep = ordered_json::array({std::move(deep)});
    EXPECT_THROW(chat_template.render({{"x", deep}}, {}), Error);
    EXPECT_EQ(chat_template.render({{"y", deep}}, {}).text, "");  // not looked at
}

TEST(TemplateInput, CannotBeChanged) {
    const Failure list = failure("{{ l.append(1) }}", {{"l", ordered_json::array()}});
    EXPECT_TRUE(has(list, "unsafe")) << list.sentence;
    const Failure dict = failure("{{ d.update({'a': 1}) }}", {{"d", ordered_json::object()}});
    EXPECT_TRUE(has(dict, "unsafe")) << dict.sentence;
    EXPECT_EQ(render("{% set l = [1] %}{% set _ = l.append(2) %}{{ l }}{% set d = dict(a=1) %}{% set _ = "
                     "d.update(b=2) %}{{ d }}"),
              "[1, 2]{'a': 1, 'b': 2}");
}

TEST(TemplateInput, AnyBytesAreAccepted) {
    const std::string wild = "\xff\xfe\x80 \xe2\x82 \xf0\x9f";
    EXPECT_EQ(render("{{ s }}{{ s[::-1] | length }}{{ s | upper | trim }}", {{"s", wild}}),
              wild + "9" + wild);
    EXPECT_NO_THROW(render(
        "{{ s | tojson }}{{ s.split() }}{{ s | title }}{{ [s] }}{{ s[1:3] }}{{ s | list }}", {{"s", wild}}));
    EXPECT_EQ(render(wild + "{{ 1 }}"), wild + "1");
}

}  // namespace
}  // namespace sluice
