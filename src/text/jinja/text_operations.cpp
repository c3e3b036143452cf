#include "text/jinja/text_operations.h"

#include <algorithm>

#include "text/jinja/characters.h"
#include "text/jinja/search.h"

namespace sluice::jinja {
namespace {

bool goes(Ends ends, Ends side) noexcept {
    return (static_cast<int>(ends) & static_cast<int>(side)) != 0;
}

std::vector<Value> split_at_space(Runtime& runtime, const Text& text, int64_t maximum) {
    std::vector<Value> parts;
    const std::string_view view = text.view();
    size_t at = 0;
    const auto skip = [&](bool space) {
        while (at < view.size()) {
            const Character c = character_at(view, at);
            if (is_space(c.code) != space) return;
            at += c.bytes;
        }
    };
    for (skip(true); at < view.size(); skip(true)) {
        const size_t begin = at;
        if (maximum >= 0 && parts.size() == static_cast<size_t>(maximum)) {
            parts.push_back(
                runtime.string(text.slice(begin, view.size())));  // the rest, trailing space and all
            break;
        }
        skip(false);
        runtime.step();
        parts.push_back(runtime.string(text.slice(begin, at)));
    }
    return parts;
}

std::vector<Value> split_at_space_from_right(Runtime& runtime, const Text& text, int64_t maximum) {
    std::vector<Value> parts;
    const std::string_view view = text.view();
    size_t end = view.size();
    const auto skip = [&](bool space) {
        while (end > 0) {
            const size_t before = character_before(view, end);
            if (is_space(character_at(view, before).code) != space) return;
            end = before;
        }
    };
    for (skip(true); end > 0; skip(true)) {
        const size_t part_end = end;
        if (maximum >= 0 && parts.size() == static_cast<size_t>(maximum)) {
            parts.push_back(runtime.string(text.slice(0, part_end)));
            break;
        }
        skip(false);
        runtime.step();
        parts.push_back(runtime.string(text.slice(end, part_end)));
    }
    std::reverse(parts.begin(), parts.end());
    return parts;
}

// Applies a mapping to every character; the mapped one keeps the character's origin.
template <typename Map>
Text map_characters(Runtime& runtime, const Text& text, Map map) {
    runtime.work(4 * text.size());
    Text mapped;
    const std::string_view view = text.view();
    std::string run;
    Origin origin = Origin::input;
    size_t origin_end = 0;  // `origin` holds up to here
    auto range = text.trusted().begin();
    for (size_t at = 0; at < view.size();) {
        if (at >= origin_end) {
            mapped.append(run, origin);
            run.clear();
            while (range != text.trusted().end() && range->end <= at) ++range;
            const bool trusted = range != text.trusted().end() && range->begin <= at;
            origin = trusted ? Origin::source : Origin::input;
            origin_end = trusted ? range->end : range != text.trusted().end() ? range->begin : view.size();
        }
        const Character c = character_at(view, at);
        map(run, c.code, view.substr(at, c.bytes));
        at += c.bytes;
    }
    mapped.append(run, origin);
    return mapped;
}

void append_upper(std::string& out, char32_t code, std::string_view bytes) {
    if (code == 0xDF) {
        out += "SS";
    } else if (const char32_t upper = to_upper(code); upper != code) {
        append_character(out, upper);
    } else {
        out += bytes;
    }
}

void append_lower(std::string& out, char32_t code, std::string_view bytes) {
    if (const char32_t lower = to_lower(code); lower != code) {
        append_character(out, lower);
    } else {
        out += bytes;
    }
}

}  // namespace

Text strip(Runtime& runtime, const Text& text, Ends ends, const Text* characters) {
    const std::string_view view = text.view();
    const auto unwanted = [&](size_t at) {
        const Character c = character_at(view, at);
        if (!characters) return is_space(c.code);
        runtime.work(characters->size());
        return find_bytes(characters->view(), view.substr(at, c.bytes)) != view.npos;
    };
    size_t begin = 0, end = view.size();
    if (goes(ends, Ends::left)) {
        while (begin < end && unwanted(begin)) begin += character_at(view, begin).bytes;
    }
    if (goes(ends, Ends::right)) {
        while (end > begin) {
            const size_t before = std::max(begin, character_before(view, end));
            if (!unwanted(before)) break;
            end = before;
        }
    }
    runtime.work(view.size() - (end - begin));
    return text.slice(begin, end);
}

std::vector<Value> split(Runtime& runtime, const Text& text, const Text* separator, int64_t maximum) {
    runtime.work(text.size());
    if (!separator) return split_at_space(runtime, text, maximum);
    if (separator->empty()) refuse("empty separator");
    std::vector<Value> parts;
    size_t begin = 0;
    while (maximum < 0 || parts.size() < static_cast<size_t>(maximum)) {
        const size_t found = find_bytes(text.view(), separator->view(), begin);
        if (found == std::string_view::npos) break;
        runtime.step();
        parts.push_back(runtime.string(text.slice(begin, found)));
        begin = found + separator->size();
    }
    parts.push_back(runtime.string(text.slice(begin, text.size())));
    return parts;
}

std::vector<Value> split_from_right(Runtime& runtime, const Text& text, const Text* separator,
                                    int64_t maximum) {
    runtime.work(text.size());
    if (!separator) return split_at_space_from_right(runtime, text, maximum);
    if (separator->empty()) refuse("empty separator");
    std::vector<Value> parts;
    size_t end = text.size();
    while (maximum < 0 || parts.size() < static_cast<size_t>(maximum)) {
        if (separator->size() > 16) runtime.work(end);  // each such search copies the text
        const size_t found = find_last_bytes(text.view().substr(0, end), separator->view());
        if (found == std::string_view::npos) break;
        runtime.step();
        parts.push_back(runtime.string(text.slice(found + separator->size(), end)));
        end = found;
    }
    parts.push_back(runtime.string(text.slice(0, end)));
    std::reverse(parts.begin(), parts.end());
    return parts;
}

std::vector<Value> split_lines(Runtime& runtime, const Text& text, bool keep_ends) {
    runtime.work(text.size());
    std::vector<Value> lines;
    const std::string_view view = text.view();
    size_t begin = 0;
    for (size_t at = 0; at < view.size();) {
        const Character c = character_at(view, at);
        const bool ends_line = (c.code >= 0xA && c.code <= 0xD) || (c.code >= 0x1C && c.code <= 0x1E) ||
                               c.code == 0x85 || c.code == 0x2028 || c.code == 0x2029;
        const size_t line_end = at;
        at += c.bytes;
        if (!ends_line) continue;
        if (c.code == '\r' && at < view.size() && view[at] == '\n') ++at;
        runtime.step();
        lines.push_back(runtime.string(text.slice(begin, keep_ends ? at : line_end)));
        begin = at;
    }
    if (begin < view.size()) lines.push_back(runtime.string(text.slice(begin, view.size())));
    return lines;
}

Text replace(Runtime& runtime, const Text& text, const Text& from, const Text& to, int64_t maximum) {
    runtime.work(text.size());
    Text out;
    size_t done = 0, kept = 0;
    const auto limit = maximum < 0 ? SIZE_MAX : static_cast<size_t>(maximum);
    const auto put = [&](size_t begin, size_t end) {
        out.append(text, begin, end);
        out.append(to);
        runtime.check_size(out.size());
        runtime.copy(to.cost());
        runtime.step();
        ++done;
    };
    if (from.empty()) {  // between all characters, and at both ends
        for (size_t at = 0; done < limit && at < text.size(); at += character_at(text.view(), at).bytes) {
            put(kept, at);
            kept = at;
        }
        if (done < limit) {
            put(kept, text.size());
            kept = text.size();
        }
    }
    while (!from.empty() && done < limit) {
        const size_t found = find_bytes(text.view(), from.view(), kept);
        if (found == std::string_view::npos) break;
        put(kept, found);
        kept = found + from.size();
    }
    out.append(text, kept, text.size());
    return out;
}

Text upper(Runtime& runtime, const Text& text) {
    return map_characters(runtime, text, append_upper);
}

Text lower(Runtime& runtime, const Text& text) {
    return map_characters(runtime, text, append_lower);
}

Text capitalize(Runtime& runtime, const Text& text) {
    if (text.empty()) return {};
    const size_t first = character_at(text.view(), 0).bytes;
    Text out = upper(runtime, text.slice(0, first));
    out.append(lower(runtime, text.slice(first, text.size())));
    return out;
}

Text escape_html(Runtime& runtime, const Text& text) {
    Text out;
    size_t kept = 0;
    const auto entity = [](char c) -> std::string_view {
        switch (c) {
            case '&':
                return "&amp;";
            case '<':
                return "&lt;";
            case '>':
                return "&gt;";
            case '\'':
                return "&#39;";
            case '"':
                return "&#34;";
            default:
                return {};
        }
    };
    runtime.work(text.size());
    for (size_t at = 0; at < text.size(); ++at) {
        const std::string_view escaped = entity(text.view()[at]);
        if (escaped.empty()) continue;
        runtime.step();
        out.append(text, kept, at);
        out.append(escaped, text.origin_at(at));
        runtime.check_size(out.size());
        kept = at + 1;
    }
    out.append(text, kept, text.size());
    return out;
}

Text pad(Runtime& runtime, const Text& text, int64_t left, int64_t right, std::string_view fill) {
    const auto bytes = [&](int64_t count) {
        const size_t total =
            runtime.checked_product(static_cast<size_t>(std::max<int64_t>(count, 0)), fill.size());
        runtime.check_size(total);
        return total;
    };
    const size_t total = bytes(left) + bytes(right);
    runtime.check_size(total + text.size());
    runtime.work(total);
    const auto filling = [&](int64_t count) {
        std::string out;
        for (int64_t i = 0; i < count; ++i) out += fill;
        return out;
    };
    Text out(filling(left), Origin::input);
    out.append(text);
    out.append(filling(right), Origin::input);
    return out;
}

void Joiner::add(const Text& part) {
    runtime_.step();
    runtime_.check_size(joined_.size() + part.size() + separator_.size());
    runtime_.copy(part.cost() + separator_.cost());
    if (!std::exchange(first_, false)) joined_.append(separator_);
    joined_.append(part);
}

}  // namespace sluice::jinja
