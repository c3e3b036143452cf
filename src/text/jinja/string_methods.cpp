// Methods of str.
#include <algorithm>
#include <array>

#include "text/jinja/characters.h"
#include "text/jinja/formatting.h"
#include "text/jinja/methods.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"
#include "text/jinja/search.h"
#include "text/jinja/text_operations.h"

namespace sluice::jinja {
namespace {

template <Ends ends>
Value strip_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("strip", arguments, {"chars"});
    return runtime.string(strip(runtime, self.text(), ends, given.absent(0) ? nullptr : &given.text(0)));
}

using Splitter = std::vector<Value> (*)(Runtime&, const Text&, const Text*, int64_t);
template <Splitter splitter>
Value split_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("split", arguments, {"sep", "maxsplit"});
    const Text* const separator = given.absent(0) ? nullptr : &given.text(0);
    return runtime.list(splitter(runtime, self.text(), separator, given.integer(1, -1)));
}

Value splitlines(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("splitlines", arguments, {"keepends"});
    return runtime.list(split_lines(runtime, self.text(), given.flag(0, false)));
}

// Python's s[start:end] as bytes; nothing if start lies behind the end.
std::optional<std::pair<size_t, size_t>> byte_window(Runtime& runtime, const Value& self,
                                                     const Parameters& given) {
    const auto n = static_cast<int64_t>(self.as<String>().characters());
    const auto bound = [&](size_t parameter, int64_t otherwise) {
        const int64_t i = given.absent(parameter) ? otherwise : given.integer(parameter);
        return i < 0 ? (i < -n ? 0 : i + n) : i;
    };
    const int64_t start = bound(1, 0), end = std::min(bound(2, n), n);
    if (start > n || start > end) return std::nullopt;
    if (self.as<String>().one_byte_each())
        return std::pair(static_cast<size_t>(start), static_cast<size_t>(end));
    runtime.work(self.text().size());
    return std::pair(byte_of_character(self.view(), static_cast<size_t>(start)),
                     byte_of_character(self.view(), static_cast<size_t>(end)));
}

enum class Side : uint8_t { first, last };

std::optional<int64_t> find_in(Runtime& runtime, std::string_view function, const Value& self,
                               const Arguments& arguments, Side side) {
    const Parameters given(function, arguments, {"sub", "start", "end"});
    const std::string_view wanted = given.text(0).view();
    const auto window = byte_window(runtime, self, given);
    if (!window) return std::nullopt;
    const std::string_view part = self.view().substr(window->first, window->second - window->first);
    runtime.work(part.size());
    const size_t found = side == Side::first ? find_bytes(part, wanted) : find_last_bytes(part, wanted);
    if (found == part.npos) return std::nullopt;
    return static_cast<int64_t>(count_characters(self.view().substr(0, window->first + found)));
}

template <Side side>
Value find_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    return Value(find_in(runtime, "find", self, arguments, side).value_or(-1));
}

template <Side side>
Value index_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const auto found = find_in(runtime, "index", self, arguments, side);
    if (!found) refuse("substring not found");
    return Value(*found);
}

Value count(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("count", arguments, {"sub", "start", "end"});
    const std::string_view wanted = given.text(0).view();
    const auto window = byte_window(runtime, self, given);
    if (!window) return Value(int64_t{0});
    const std::string_view part = self.view().substr(window->first, window->second - window->first);
    runtime.work(part.size());
    if (wanted.empty()) return Value(static_cast<int64_t>(count_characters(part)) + 1);
    int64_t occurrences = 0;
    for (size_t at = find_bytes(part, wanted); at != part.npos;
         at = find_bytes(part, wanted, at + wanted.size())) {
        runtime.step();
        ++occurrences;
    }
    return Value(occurrences);
}

template <Side side>
Value has_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given(side == Side::first ? "startswith" : "endswith", arguments,
                           {"prefix", "start", "end"});
    const auto window = byte_window(runtime, self, given);
    const auto matches = [&](const Value& affix) {
        require_defined(affix);
        if (!affix.is_string()) {
            refuse("{} first arg must be str or a tuple of str, not {}",
                   side == Side::first ? "startswith" : "endswith", type_name(affix));
        }
        if (!window) return false;
        runtime.copy(affix.text().size());
        const std::string_view part = self.view().substr(window->first, window->second - window->first);
        return side == Side::first ? part.starts_with(affix.view()) : part.ends_with(affix.view());
    };
    const Value& wanted = given.required(0);
    if (!wanted.is(Kind::tuple)) return Value(matches(wanted));
    const auto& several = wanted.as<Sequence>().items();
    return Value(std::any_of(several.begin(), several.end(), matches));
}

Value replace_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("replace", arguments, {"old", "new", "count"});
    return runtime.string(replace(runtime, self.text(), given.text(0), given.text(1), given.integer(2, -1)));
}

Value join_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("join", arguments, {"iterable"});
    Joiner joiner(runtime, self.text());
    Iteration items(runtime, given.required(0));
    for (size_t i = 0; const auto item = items.next(); ++i) {
        require_defined(*item);
        if (!item->is_string())
            refuse("sequence item {}: expected str instance, {} found", i, type_name(*item));
        joiner.add(item->text());
    }
    return runtime.string(joiner.take());
}

template <Text (*change)(Runtime&, const Text&)>
Value change_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("case", arguments, {});
    return runtime.string(change(runtime, self.text()));
}

// Letters that follow no letter are upper, the others lower.
Text python_title(Runtime& runtime, const Text& text) {
    Text out;
    const std::string_view view = text.view();
    bool in_word = false;
    size_t begin = 0;  // text[begin, at) is still to be written, in one case
    const auto flush = [&](size_t end) {
        if (end == begin) return;
        out.append(lower(runtime, text.slice(begin, end)));
        begin = end;
    };
    for (size_t at = 0; at < view.size();) {
        const Character c = character_at(view, at);
        const bool cased = is_upper(c.code) || is_lower(c.code);
        if (cased && !in_word) {
            flush(at);
            out.append(upper(runtime, text.slice(at, at + c.bytes)));
            begin = at + c.bytes;
            runtime.step();
        }
        in_word = cased;
        at += c.bytes;
    }
    flush(view.size());
    return out;
}

Text swap_case(Runtime& runtime, const Text& text) {
    Text out;
    for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text.view(), at);
        const Text one = text.slice(at, at + c.bytes);
        runtime.step();
        out.append(is_upper(c.code) ? lower(runtime, one) : upper(runtime, one));
        at += c.bytes;
    }
    return out;
}

// True if there are characters and all of them are of a kind.
template <bool (*of_kind)(char32_t)>
Value all_characters(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("is…", arguments, {});
    const std::string_view view = self.view();
    runtime.work(view.size());
    for (size_t at = 0; at < view.size();) {
        const Character c = character_at(view, at);
        if (!of_kind(c.code)) return Value(false);
        at += c.bytes;
    }
    return Value(!view.empty());
}
bool letter(char32_t c) {
    return is_letter(c);
}
bool digit(char32_t c) {
    return is_digit(c);
}
bool letter_or_digit(char32_t c) {
    return is_letter(c) || is_digit(c);
}
bool space(char32_t c) {
    return is_space(c);
}
bool ascii(char32_t c) {
    return c < 0x80;
}

// isupper(), islower(): letters with case exist, and none is of the other case.
template <bool (*wanted)(char32_t) noexcept, bool (*other)(char32_t) noexcept>
Value is_cased(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("is…", arguments, {});
    const std::string_view view = self.view();
    runtime.work(view.size());
    bool found = false;
    for (size_t at = 0; at < view.size();) {
        const Character c = character_at(view, at);
        if (other(c.code)) return Value(false);
        found |= wanted(c.code);
        at += c.bytes;
    }
    return Value(found);
}

template <Side side>
Value remove_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("removeprefix", arguments, {"affix"});
    const std::string_view affix = given.text(0).view();
    const Text& text = self.text();
    if (side == Side::first) {
        if (!text.view().starts_with(affix)) return self;
        return runtime.string(text.slice(affix.size(), text.size()));
    }
    if (affix.empty() || !text.view().ends_with(affix)) return self;
    return runtime.string(text.slice(0, text.size() - affix.size()));
}

template <Side side>
Value partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("partition", arguments, {"sep"});
    const Text& text = self.text();
    const std::string_view separator = given.text(0).view();
    if (separator.empty()) refuse("empty separator");
    runtime.work(text.size());
    const size_t found =
        side == Side::first ? find_bytes(text.view(), separator) : find_last_bytes(text.view(), separator);
    if (found == separator.npos) {
        const Value nothing = runtime.string(Text());
        if (side == Side::first) return runtime.tuple({self, nothing, nothing});
        return runtime.tuple({nothing, nothing, self});
    }
    const size_t end = found + separator.size();
    return runtime.tuple({runtime.string(text.slice(0, found)), runtime.string(text.slice(found, end)),
                          runtime.string(text.slice(end, text.size()))});
}

enum class Alignment : uint8_t { left, right, center };

template <Alignment alignment>
Value align(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("center", arguments, {"width", "fillchar"});
    const std::string_view fill = given.absent(1) ? " " : given.text(1).view();
    if (count_characters(fill) != 1) refuse("The fill character must be exactly one character long");
    const auto present = static_cast<int64_t>(self.as<String>().characters());
    const int64_t width = given.integer(0);
    if (width <= present) return self;
    const int64_t missing = width - present;
    // str.center() puts the odd space on the left where the width is odd.
    const int64_t left = alignment == Alignment::left    ? 0
                         : alignment == Alignment::right ? missing
                                                         : missing / 2 + (missing & width & 1);
    return runtime.string(pad(runtime, self.text(), left, missing - left, fill));
}

Value zfill(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("zfill", arguments, {"width"});
    const auto present = static_cast<int64_t>(self.as<String>().characters());
    const int64_t width = given.integer(0);
    if (width <= present) return self;
    const Text& text = self.text();
    const size_t sign = text.view().starts_with('-') || text.view().starts_with('+') ? 1 : 0;
    Text out = text.slice(0, sign);
    out.append(pad(runtime, text.slice(sign, text.size()), width - present, 0, "0"));
    return runtime.string(std::move(out));
}

Value format(Runtime& runtime, const Value& self, const Arguments& arguments) {
    return brace_format(runtime, self.text(), arguments);
}

Value expandtabs(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Parameters given("expandtabs", arguments, {"tabsize"});
    const int64_t size = std::max<int64_t>(given.integer(0, 8), 0);
    const Text& text = self.text();
    Text out;
    int64_t column = 0;
    runtime.work(text.size());
    for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text.view(), at);
        if (c.code == '\t') {
            const int64_t spaces = size == 0 ? 0 : size - column % size;
            out.append(pad(runtime, Text(), spaces, 0));
            column += spaces;
        } else {
            out.append(text, at, at + c.bytes);
            column = c.code == '\n' || c.code == '\r' ? 0 : column + 1;
        }
        runtime.check_size(out.size());
        at += c.bytes;
    }
    return runtime.string(std::move(out));
}

constexpr std::array<Method, 40> string_methods{{
    {"capitalize", change_case<capitalize>},
    {"casefold", change_case<lower>},
    {"center", align<Alignment::center>},
    {"count", count},
    {"endswith", has_affix<Side::last>},
    {"expandtabs", expandtabs},
    {"find", find_method<Side::first>},
    {"format", format},
    {"index", index_method<Side::first>},
    {"isalnum", all_characters<letter_or_digit>},
    {"isalpha", all_characters<letter>},
    {"isascii", all_characters<ascii>},
    {"isdecimal", all_characters<digit>},
    {"isdigit", all_characters<digit>},
    {"islower", is_cased<is_lower, is_upper>},
    {"isnumeric", all_characters<digit>},
    {"isspace", all_characters<space>},
    {"isupper", is_cased<is_upper, is_lower>},
    {"join", join_method},
    {"ljust", align<Alignment::left>},
    {"lower", change_case<lower>},
    {"lstrip", strip_method<Ends::left>},
    {"partition", partition<Side::first>},
    {"removeprefix", remove_affix<Side::first>},
    {"removesuffix", remove_affix<Side::last>},
    {"replace", replace_method},
    {"rfind", find_method<Side::last>},
    {"rindex", index_method<Side::last>},
    {"rjust", align<Alignment::right>},
    {"rpartition", partition<Side::last>},
    {"rsplit", split_method<split_from_right>},
    {"rstrip", strip_method<Ends::right>},
    {"split", split_method<split>},
    {"splitlines", splitlines},
    {"startswith", has_affix<Side::first>},
    {"strip", strip_method<Ends::both>},
    {"swapcase", change_case<swap_case>},
    {"title", change_case<python_title>},
    {"upper", change_case<upper>},
    {"zfill", zfill},
}};

}  // namespace

const Method* find_string_method(std::string_view name) noexcept {
    const auto found = std::find_if(string_methods.begin(), string_methods.end(),
                                    [&](const Method& method) { return method.name == name; });
    return found == string_methods.end() ? nullptr : &*found;
}

}  // namespace sluice::jinja
