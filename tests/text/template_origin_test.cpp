// Which bytes of the result are the template's own, through every operation.
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "text/chat_template.h"

namespace sluice {
namespace {

using nlohmann::ordered_json;

// The text with its trusted parts in «guillemets».
std::string marked(const std::string& source, const ordered_json& input = ordered_json::object()) {
    TemplateContext context;
    context.bos_token = "<s>";
    context.eos_token = "</s>";
    const RenderedText rendered = ChatTemplate(source).render(input, context);
    std::string out;
    size_t at = 0;
    for (const TextRange& range : rendered.trusted) {
        out += rendered.text.substr(at, range.begin - at) + "«" +
               rendered.text.substr(range.begin, range.end - range.begin) + "»";
        at = range.end;
    }
    return out + rendered.text.substr(at);
}

const ordered_json given = {{"u", "user"},       {"e", ""},      {"i", 12},          {"l", {"a", "b"}},
                            {"d", {{"k", "v"}}}, {"w", " a b "}, {"m", "x<T>y<T>z"}, {"ae", "äö"}};

TEST(TemplateOrigin, LiteralsAndTokensAreTrustedInputIsNot) {
    EXPECT_EQ(marked("text {{ u }} more", given), "«text »user« more»");
    EXPECT_EQ(marked("{{ bos_token }}{{ u }}{{ eos_token }}", given), "«<s>»user«</s>»");
    EXPECT_EQ(marked("{{ bos_token }}", {{"bos_token", "forged"}}), "«<s>»");
    EXPECT_EQ(marked("{{ 'a' }}b{{ 1 }}{{ e }}c", given), "«ab1c»");  // neighbours merge
    EXPECT_EQ(marked("{{ u }}", given), "user");
    EXPECT_EQ(marked("{{ d }}{{ l }}", given), "{'k': 'v'}['a', 'b']");
    EXPECT_EQ(marked("{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", given), "k«=»v");
}

TEST(TemplateOrigin, NumbersAreHarmless) {
    EXPECT_EQ(marked("a{{ i }}{{ true }}{{ none }}{{ 1.5 }}", given), "«a12TrueNone1.5»");
}

TEST(TemplateOrigin, JoiningKeepsEachPart) {
    EXPECT_EQ(marked("{{ '<' + u + '>' }}{{ '[' ~ u ~ ']' }}", given), "«<»user«>[»user«]»");
    EXPECT_EQ(marked("{{ l | join('-') }}{{ '+'.join(l) }}", given), "a«-»ba«+»b");
    EXPECT_EQ(marked("{{ (u + '!') * 2 }}", given), "user«!»user«!»");
    EXPECT_EQ(marked("{% set x %}<{{ u }}>{% endset %}{{ x | upper }}", given), "«<»USER«>»");
    EXPECT_EQ(marked("{% macro f(a) %}({{ a }}){% endmacro %}{{ f(u) }}{{ f('s') }}", given),
              "«(»user«)(s)»");
    EXPECT_EQ(marked("{% filter upper %}a{{ u }}{% endfilter %}", given), "«A»USER");
}

TEST(TemplateOrigin, TakingApartKeepsEachPart) {
    EXPECT_EQ(
        marked("{% set x = '<' + u + '>' %}{{ x[0] }}{{ x[1] }}{{ x[1:-1] }}{{ x[-1] }}{{ x[::-1] }}", given),
        "«<»uuser«>>»resu«<»");
    EXPECT_EQ(marked("{% for c in '<' + u %}{{ c }}{% endfor %}", given), "«<»user");
    EXPECT_EQ(marked("{{ (' s ' + w).strip() }}|{{ w.split()[0] }}", given), "«s » a b«|»a");
    EXPECT_EQ(marked("{{ m.split('<T>') | join('<T>') }}", given), "x«<T>»y«<T>»z");
    EXPECT_EQ(marked("{{ m.partition('<T>')[1] }}{{ ('a=' + u).partition('=')[2] }}", given), "<T>user");
    EXPECT_EQ(marked("{{ ('a\n' + u + '\nb').splitlines() | join(',') }}", given), "«a,»user«,b»");
    EXPECT_EQ(marked("{{ ('p' + u).removeprefix('p') }}{{ 'ab'.removesuffix('b') }}", given), "user«a»");
}

TEST(TemplateOrigin, ReplacingAndChangingKeepsEachPart) {
    EXPECT_EQ(marked("{{ m.replace('<T>', '[]') }}", given), "x«[]»y«[]»z");
    EXPECT_EQ(marked("{{ 'a-b' | replace('-', u) }}", given), "«a»user«b»");
    EXPECT_EQ(marked("{{ ('ß' + ae) | upper }}{{ ('X' + u) | capitalize }}{{ ('a ' + u) | title }}", given),
              "«SS»ÄÖ«X»user«A »User");
    EXPECT_EQ(marked("{{ ('a\n' + u) | indent('>', true) }}", given), "«>a»\n«>»user");
    EXPECT_EQ(marked("{{ '%s=%s' | format('k', u) }}{{ '<{}>'.format(u) }}", given), "«k=»user«<»user«>»");
    EXPECT_EQ(marked("{{ (u ~ '</s>') | trim('>') }}", given), "user«</s»");
    EXPECT_EQ(marked("{{ 'ab'.center(4) }}{{ u | truncate(3, true, '…', 0) }}", given), " «ab» us«…»");
}

TEST(TemplateOrigin, SerializedValuesAreInput) {
    EXPECT_EQ(marked("{{ d | tojson }}{{ 'lit' | tojson }}{{ [u, 'x'] }}", given),
              "{\"k\": \"v\"}\"lit\"['user', 'x']");
    EXPECT_EQ(marked("{{ {'a': 'b'} | tojson }}"), "{\"a\": \"b\"}");
}

// Names of keyword arguments may come from the input by way of **.
TEST(TemplateOrigin, KeywordNamesAreInput) {
    EXPECT_EQ(marked("{% for k in dict(**d) %}{{ k }}{% endfor %}", given), "k");
    EXPECT_EQ(
        marked("{% macro f() %}{% for k in kwargs %}{{ k }}{% endfor %}{% endmacro %}{{ f(**d) }}", given),
        "k");
    EXPECT_EQ(marked("{% set x = {} %}{% set _ = x.update(**d) %}{% for k in x %}{{ k }}{% endfor %}", given),
              "k");
}

TEST(TemplateOrigin, SelectedLiteralsAreTrustedWhateverSelectedThem) {
    EXPECT_EQ(marked("{{ {'user': '<|u|>'}[u] }}{{ '<|a|>' if u else '<|b|>' }}", given), "«<|u|><|a|>»");
    EXPECT_EQ(marked("{{ q | default('<d>') }}{{ e or '<e>' }}", given), "«<d><e>»");
}

}  // namespace
}  // namespace sluice
