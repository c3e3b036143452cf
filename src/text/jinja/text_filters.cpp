// Filters that make text: case, space, escaping, JSON.
#include <algorithm>
#include <array>

#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/formatting.h"
#include "text/jinja/json_text.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace sluice::jinja {
namespace {

template <Text (*change)(Runtime&, const Text&)>
Value filter_case(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("case", arguments, {});
    return runtime.string_like(value, change(runtime, to_text(runtime, value)));
}

// Words begin at the start and behind spaces, hyphens and opening brackets; unlike str.title(), not behind an
// apostrophe.
Text title_words(Runtime& runtime, const Text& text) {
    Text out;
    const std::string_view view = text.view();
    const auto separates = [](char32_t c) {
        return is_space(c) ||
               (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) != std::string_view::npos);
    };
    size_t begin = 0;
    for (size_t at = 0; at <= view.size();) {
        const Character c = at < view.size() ? character_at(view, at) : Character{' ', 1};
        if (separates(c.code)) {
            runtime.step();
            out.append(capitalize(runtime, text.slice(begin, at)));
            if (at < view.size()) out.append(text, at, at + c.bytes);
            begin = at + c.bytes;
        }
        at += c.bytes;
    }
    return out;
}

Value trim(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("trim", arguments, {"chars"});
    const Text* const characters = given.absent(0) ? nullptr : &given.text(0);
    return runtime.string_like(value, strip(runtime, to_text(runtime, value), Ends::both, characters));
}

Value replace_filter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("replace", arguments, {"old", "new", "count"});
    const Text from = to_text(runtime, given.required(0)), to = to_text(runtime, given.required(1));
    const int64_t maximum = given.absent(2) ? -1 : given.integer(2);
    return runtime.string(replace(runtime, to_text(runtime, value), from, to, maximum));
}

// Indents lines by spaces or by a string: not the first line unless asked, nor blank ones unless asked.
Value indent(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("indent", arguments, {"width", "first", "blank"});
    const bool by_string = given.get(0) && given.get(0)->is_string();
    const Text indentation = by_string ? given.text(0) : pad(runtime, Text(), given.integer(0, 4), 0);
    const bool first = given.flag(1, false), blank = given.flag(2, false);
    Text text = to_text(runtime, value);
    text.append("\n", Origin::input);  // so that text ending in a line end keeps it
    Text out;
    const std::vector<Value> lines = split_lines(runtime, text, false);
    for (size_t i = 0; i < lines.size(); ++i) {
        if (i > 0) out.append("\n", Origin::input);
        const bool wanted = i == 0 ? first : blank || !lines[i].text().empty();
        if (wanted) out.append(indentation);
        out.append(lines[i].text());
        runtime.check_size(out.size());
        runtime.copy(indentation.cost());
    }
    return runtime.string_like(value, std::move(out));
}

Value center(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("center", arguments, {"width"});
    const Text text = to_text(runtime, value);
    const auto present = static_cast<int64_t>(count_characters(text.view()));
    const int64_t width = given.integer(0, 80);
    if (width <= present) return runtime.string_like(value, text);
    const int64_t missing = width - present, left = missing / 2 + (missing & width & 1);
    return runtime.string_like(value, pad(runtime, text, left, missing - left));
}

Value truncate(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("truncate", arguments, {"length", "killwords", "end", "leeway"});
    const int64_t limit = given.integer(0, 255), leeway = given.absent(3) ? 5 : given.integer(3);
    const Text end = given.get(2) ? given.text(2) : Text("...", Origin::source);
    const Text text = to_text(runtime, value);
    const auto end_size = static_cast<int64_t>(count_characters(end.view()));
    if (limit < end_size || leeway < 0)
        refuse("truncate() expects a length of at least {} and no negative leeway", end_size);
    const auto present = static_cast<int64_t>(count_characters(text.view()));
    runtime.work(text.size());
    if (present <= limit || present - limit <= leeway) return runtime.string_like(value, text);
    Text cut = text.slice(0, byte_of_character(text.view(), static_cast<size_t>(limit - end_size)));
    if (!given.flag(1, false)) {
        const size_t space = cut.view().rfind(' ');
        if (space != std::string_view::npos) cut = cut.slice(0, space);
    }
    cut.append(end);
    return runtime.string_like(value, std::move(cut));
}

Value word_count(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("wordcount", arguments, {});
    const Text text = to_text(runtime, value);
    runtime.work(text.size());
    int64_t words = 0;
    bool in_word = false;
    for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text.view(), at);
        const bool word = c.code == '_' || is_letter(c.code) || is_digit(c.code);
        words += word && !in_word ? 1 : 0;
        in_word = word;
        at += c.bytes;
    }
    return Value(words);
}

Value escape(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("escape", arguments, {});
    if (value.is_markup()) return value;
    return runtime.string(escape_html(runtime, to_text(runtime, value)), Markup::yes);
}

Value force_escape(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("forceescape", arguments, {});
    return runtime.string(escape_html(runtime, to_text(runtime, value)), Markup::yes);
}

Value safe(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("safe", arguments, {});
    return runtime.string(to_text(runtime, value), Markup::yes);
}

Value format_filter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Text pattern = to_text(runtime, value);
    if (!arguments.named.empty() && !arguments.positional.empty()) {
        refuse("can't handle positional and keyword arguments at the same time");
    }
    if (arguments.named.empty()) return percent_format(runtime, pattern, runtime.tuple(arguments.positional));
    const Ref<Dict> values = runtime.heap().make<Dict>();
    for (const auto& [name, argument] : arguments.named)
        values->set(runtime.string(name, Origin::input), argument);
    return percent_format(runtime, pattern, Value(values));
}

std::string percent_encoded(std::string_view text, bool in_query) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !in_query);
        if (plain) {
            out += c;
        } else if (c == ' ' && in_query) {
            out += '+';
        } else {
            out += fmt::format("%{:02X}", static_cast<uint8_t>(c));
        }
    }
    return out;
}

Value urlencode(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("urlencode", arguments, {});
    const bool several =
        value.is(Kind::dict) || value.is(Kind::list) || value.is(Kind::tuple) || value.is(Kind::view);
    if (!several) {
        const Text text = to_text(runtime, value);
        runtime.work(8 * text.size());
        runtime.check_size(runtime.checked_product(3, text.size()));
        return runtime.string(percent_encoded(text.view(), false), Origin::input);
    }
    Joiner joiner(runtime, Text("&", Origin::input));
    const auto add = [&](const Value& key, const Value& member) {
        std::string pair = percent_encoded(to_text(runtime, key).view(), true);
        pair.append("=").append(percent_encoded(to_text(runtime, member).view(), true));
        joiner.add(Text(std::move(pair), Origin::input));
    };
    if (value.is(Kind::dict)) {
        for (const Dict::Entry& entry : value.as<Dict>().entries()) add(entry.key, entry.value);
    } else {
        for (const Value& pair : items_of(runtime, value)) {
            const std::vector<Value> parts = items_of(runtime, pair);
            if (parts.size() != 2) refuse("urlencode() expects pairs");
            add(parts[0], parts[1]);
        }
    }
    return runtime.string(joiner.take());
}

Value to_json_filter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style;
    style.ensure_ascii = given.flag(0, false);
    style.sort_keys = given.flag(3, false);
    if (!given.absent(1)) {
        const bool by_string = given.get(1)->is_string();
        style.indent = by_string ? std::string(given.text(1).view())
                                 : std::string(pad(runtime, Text(), given.integer(1), 0).view());
        style.item_separator.assign(1, ',');
    }
    if (!given.absent(2)) {
        const std::vector<Value> separators = items_of(runtime, *given.get(2));
        if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string()) {
            refuse("tojson() expects two strings as separators");
        }
        style.item_separator = separators[0].view();
        style.key_separator = separators[1].view();
    }
    return runtime.string(to_json(runtime, value, style), Origin::input);
}

Value pretty_print(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("pprint", arguments, {});
    return runtime.string(repr(runtime, value), Origin::input);
}

Value string(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("string", arguments, {});
    return to_string(runtime, value);
}

constexpr std::array<Filter, 19> text_filters{{
    {"capitalize", filter_case<capitalize>},
    {"center", center},
    {"e", escape},
    {"escape", escape},
    {"forceescape", force_escape},
    {"format", format_filter},
    {"indent", indent},
    {"lower", filter_case<lower>},
    {"pprint", pretty_print},
    {"replace", replace_filter},
    {"safe", safe},
    {"string", string},
    {"title", filter_case<title_words>},
    {"tojson", to_json_filter},
    {"trim", trim},
    {"truncate", truncate},
    {"upper", filter_case<upper>},
    {"urlencode", urlencode},
    {"wordcount", word_count},
}};

}  // namespace

const Filter* find_text_filter(std::string_view name) noexcept {
    const auto found = std::find_if(text_filters.begin(), text_filters.end(),
                                    [&](const Filter& f) { return f.name == name; });
    return found == text_filters.end() ? nullptr : &*found;
}

}  // namespace sluice::jinja
