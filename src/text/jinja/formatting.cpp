#include "text/jinja/formatting.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "text/jinja/characters.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {
namespace {

constexpr size_t max_precision = 400;  // more digits than any double has

// [[fill]align][sign][#][0][width][,][.precision][type], shared by both ways of formatting.
struct Specification {
    std::string_view fill = " ";  // lies in the pattern, or is a literal
    char align = 0;               // '<', '>', '^', '=' or not given
    char sign = '-';
    bool alternate = false;
    size_t width = 0;
    char grouping = 0;
    std::optional<size_t> precision;
    char type = 0;
};

bool is_decimal(char c) noexcept {
    return c >= '0' && c <= '9';
}

// Reads digits at `at`; widths beyond any string's size become that size, which check_size() then refuses.
size_t read_number(std::string_view text, size_t& at) {
    size_t number = 0;
    for (; at < text.size() && is_decimal(text[at]); ++at) {
        number = std::min<size_t>(number * 10 + static_cast<size_t>(text[at] - '0'), size_t{1} << 40);
    }
    return number;
}

Specification parse_specification(std::string_view text) {
    Specification spec;
    size_t at = 0;
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    if (!text.empty()) {
        const size_t fill_bytes = character_at(text, 0).bytes;
        if (fill_bytes < text.size() && is_align(text[fill_bytes])) {
            spec.fill = text.substr(0, fill_bytes);
            spec.align = text[fill_bytes];
            at = fill_bytes + 1;
        } else if (is_align(text[0])) {
            spec.align = text[0];
            at = 1;
        }
    }
    const auto next = [&] { return at < text.size() ? text[at] : '\0'; };
    if (next() == '+' || next() == '-' || next() == ' ') spec.sign = text[at++];
    if (next() == '#') spec.alternate = ++at > 0;
    if (next() == '0') {
        if (!spec.align) spec.align = '=', spec.fill = "0";
        ++at;
    }
    spec.width = read_number(text, at);
    if (next() == ',' || next() == '_') spec.grouping = text[at++];
    if (next() == '.') {
        ++at;
        spec.precision = read_number(text, at);
    }
    if (at < text.size()) spec.type = text[at++];
    if (at != text.size()) refuse("Invalid format specifier '{}'", text);
    return spec;
}

std::string grouped(const std::string& digits, char separator) {
    if (!separator) return digits;
    const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    std::string out;
    for (size_t i = 0; i < whole; ++i) {
        if (i > 0 && (whole - i) % 3 == 0) out += separator;
        out += digits[i];
    }
    return out.append(digits, whole);
}

std::string real_digits(double magnitude, const Specification& spec) {
    if (std::isnan(magnitude)) return "nan";
    if (std::isinf(magnitude)) return "inf";
    const size_t precision = std::min(spec.precision.value_or(6), max_precision);
    switch (spec.type) {
        case 'f':
        case 'F':
            return fmt::format("{:.{}f}", magnitude, precision);
        case 'e':
            return fmt::format("{:.{}e}", magnitude, precision);
        case 'E':
            return fmt::format("{:.{}E}", magnitude, precision);
        case 'g':
            return fmt::format("{:.{}g}", magnitude, std::max<size_t>(precision, 1));
        case 'G':
            return fmt::format("{:.{}G}", magnitude, std::max<size_t>(precision, 1));
        case '%':
            return fmt::format("{:.{}f}%", magnitude * 100, precision);
        case 0:
            return spec.precision ? fmt::format("{:.{}g}", magnitude, std::max<size_t>(precision, 1))
                                  : real_text(magnitude);
        default:
            refuse("Unknown format code '{}' for object of type 'float'", spec.type);
    }
}

std::string integer_digits(uint64_t magnitude, const Specification& spec) {
    switch (spec.type) {
        case 0:
        case 'd':
        case 'i':
        case 'u':
        case 'n':
            return fmt::format("{}", magnitude);
        case 'x':
            return fmt::format("{}{:x}", spec.alternate ? "0x" : "", magnitude);
        case 'X':
            return fmt::format("{}{:X}", spec.alternate ? "0X" : "", magnitude);
        case 'o':
            return fmt::format("{}{:o}", spec.alternate ? "0o" : "", magnitude);
        case 'b':
            return fmt::format("{}{:b}", spec.alternate ? "0b" : "", magnitude);
        default:
            refuse("Unknown format code '{}' for object of type 'int'", spec.type);
    }
}

Text padded(Runtime& runtime, const Text& sign, const Text& body, const Specification& spec,
            char default_align) {
    const size_t present = count_characters(sign.view()) + count_characters(body.view());
    const size_t missing = spec.width > present ? spec.width - present : 0;
    runtime.check_size(runtime.checked_product(missing, spec.fill.size()));
    const char align = spec.align ? spec.align : default_align;
    const size_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
    Text out;
    const auto fill = [&](size_t count) {
        for (size_t i = 0; i < count; ++i) out.append(spec.fill, Origin::input);
    };
    if (align == '=') out.append(sign);
    fill(before);
    if (align != '=') out.append(sign);
    out.append(body);
    fill(missing - before);
    return out;
}

Text format_number(Runtime& runtime, const Value& value, const Specification& spec) {
    const std::string_view real_types = "fFeEgG%";
    const bool as_float =
        value.is(Kind::real) || real_types.find(spec.type ? spec.type : 'd') != std::string_view::npos;
    std::string digits;
    bool negative = false;
    // Hundreds of digits take microseconds.
    if (as_float) runtime.step(100 + std::min(spec.precision.value_or(0), max_precision));
    if (as_float) {
        const double real = *as_real(value);
        negative = std::signbit(real) && !std::isnan(real);
        digits = real_digits(std::abs(real), spec);
    } else {
        const int64_t integer = *as_integer(value);
        negative = integer < 0;
        digits = integer_digits(
            negative ? 0 - static_cast<uint64_t>(integer) : static_cast<uint64_t>(integer), spec);
    }
    const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
    return padded(runtime, Text(sign, Origin::source), Text(grouped(digits, spec.grouping), Origin::source),
                  spec, '>');
}

Text format_string(Runtime& runtime, Text text, const Specification& spec) {
    if (spec.precision) text = text.slice(0, byte_of_character(text.view(), *spec.precision));
    return padded(runtime, Text(), text, spec, '<');
}

Text format_value(Runtime& runtime, const Value& value, const Specification& spec) {
    const bool number =
        value.is(Kind::integer) || value.is(Kind::real) || (value.is(Kind::boolean) && spec.type);
    if (number && spec.type != 's') return format_number(runtime, value, spec);
    if (spec.type && spec.type != 's') {
        refuse("Unknown format code '{}' for object of type '{}'", spec.type, type_name(value));
    }
    return format_string(runtime, to_text(runtime, value), spec);
}

Text repr_text(Runtime& runtime, const Value& value) {
    return Text(repr(runtime, value), Origin::input);
}

// %-formatting: one conversion after another, taking values from a tuple, a dict or a single value.
class PercentFormatter {
  public:
    PercentFormatter(Runtime& runtime, const Text& pattern, const Value& values)
        : runtime_(runtime), pattern_(pattern), text_(pattern.view()), values_(values) {}

    Text run() {
        while (at_ < text_.size()) {
            const size_t percent = std::min(text_.find('%', at_), text_.size());
            out_.append(pattern_, at_, percent);
            at_ = percent;
            if (at_ < text_.size()) conversion();
            runtime_.check_size(out_.size());
        }
        const bool tuple = values_.is(Kind::tuple);
        const size_t given = tuple ? values_.as<Sequence>().items().size() : 1;
        if (used_ < given && (tuple || !values_.is(Kind::dict))) {
            refuse("not all arguments converted during string formatting");
        }
        return std::move(out_);
    }

  private:
    char peek() const {
        if (at_ >= text_.size()) refuse("incomplete format");
        return text_[at_];
    }

    Value next_value() {
        if (!values_.is(Kind::tuple)) {
            if (used_++ > 0) refuse("not enough arguments for format string");
            return values_;
        }
        const auto& items = values_.as<Sequence>().items();
        if (used_ >= items.size()) refuse("not enough arguments for format string");
        return items[used_++];
    }

    Value named_value() {
        const size_t close = text_.find(')', at_);
        if (close == text_.npos) refuse("incomplete format key");
        if (!values_.is(Kind::dict)) refuse("format requires a mapping");
        const std::string_view name = text_.substr(at_ + 1, close - at_ - 1);
        at_ = close + 1;
        const Value* const found = values_.as<Dict>().find(name);
        if (!found) refuse("the format's name '{}' is not given", name);
        return *found;
    }

    void conversion() {
        ++at_;
        if (peek() == '%') {
            out_.append(pattern_, at_, at_ + 1);
            ++at_;
            return;
        }
        std::optional<Value> named;
        if (peek() == '(') named = named_value();
        Specification spec;
        spec.align = '>';
        for (bool flags = true; flags;) {
            switch (peek()) {
                case '-':
                    spec.align = '<';
                    break;
                case '+':
                    spec.sign = '+';
                    break;
                case ' ':
                    spec.sign = ' ';
                    break;
                case '#':
                    spec.alternate = true;
                    break;
                case '0':
                    spec.align = '=', spec.fill = "0";
                    break;
                default:
                    flags = false;
                    continue;
            }
            ++at_;
        }
        spec.width = read_number(text_, at_);
        if (peek() == '.') {
            ++at_;
            spec.precision = read_number(text_, at_);
        }
        spec.type = peek();
        ++at_;
        const Value value = named ? *named : next_value();
        append_converted(value, spec);
    }

    void append_converted(const Value& value, Specification spec) {
        const char type = spec.type;
        if (type == 's' || type == 'r' || type == 'a') {
            if (spec.align == '=') spec.align = '>', spec.fill = " ";
            out_.append(format_string(
                runtime_, type == 's' ? to_text(runtime_, value) : repr_text(runtime_, value), spec));
            return;
        }
        const std::string_view integers = "diuxXo", reals = "feEFgG";
        const bool wants_integer = integers.find(type) != std::string_view::npos;
        if (!wants_integer && reals.find(type) == std::string_view::npos)
            refuse("unsupported format character '{}'", type);
        const auto real = as_real(value);
        if (!real) refuse("%{} format: a real number is required, not {}", type, type_name(value));
        if (wants_integer && value.is(Kind::real)) {
            if (!(std::abs(*real) < 0x1p63)) refuse("%{} format: the number is too large", type);
            out_.append(format_number(runtime_, Value(static_cast<int64_t>(*real)), spec));
            return;
        }
        out_.append(format_number(runtime_, value, spec));
    }

    Runtime& runtime_;
    const Text& pattern_;
    std::string_view text_;
    const Value& values_;
    size_t at_ = 0, used_ = 0;
    Text out_;
};

// str.format(): replacement fields in braces.
class BraceFormatter {
  public:
    BraceFormatter(Runtime& runtime, const Text& pattern, const Arguments& arguments)
        : runtime_(runtime), pattern_(pattern), text_(pattern.view()), arguments_(arguments) {}

    Text run() {
        while (at_ < text_.size()) {
            const size_t brace = std::min(text_.find_first_of("{}", at_), text_.size());
            out_.append(pattern_, at_, brace);
            at_ = brace;
            if (at_ < text_.size()) at_brace();
            runtime_.check_size(out_.size());
        }
        return std::move(out_);
    }

  private:
    void at_brace() {
        const char brace = text_[at_];
        if (at_ + 1 < text_.size() && text_[at_ + 1] == brace) {
            out_.append(pattern_, at_, at_ + 1);
            at_ += 2;
            return;
        }
        if (brace == '}') refuse("Single '}}' encountered in format string");
        const size_t close = text_.find('}', at_);
        if (close == text_.npos) refuse("expected '}}' before end of string");
        field(text_.substr(at_ + 1, close - at_ - 1));
        at_ = close + 1;
    }

    void field(std::string_view field) {
        if (field.find('{') != field.npos)
            refuse("fields inside the format specification '{}' are not supported", field);
        const size_t colon = std::min(field.find(':'), field.size());
        const Specification spec = parse_specification(colon < field.size() ? field.substr(colon + 1) : "");
        std::string_view name = field.substr(0, colon);
        const size_t mark = std::min(name.find('!'), name.size());
        const std::string_view conversion = name.substr(mark);
        const Value value = look_up(name.substr(0, mark));
        if (conversion == "!r" || conversion == "!a") {
            out_.append(format_string(runtime_, repr_text(runtime_, value), spec));
        } else if (conversion == "!s") {
            out_.append(format_string(runtime_, to_text(runtime_, value), spec));
        } else if (conversion.empty()) {
            out_.append(format_value(runtime_, value, spec));
        } else {
            refuse("Unknown conversion specifier '{}'", conversion);
        }
    }

    Value look_up(std::string_view path) {
        const size_t end = std::min(path.find_first_of(".["), path.size());
        const std::string_view first = path.substr(0, end);
        Value value = first_value(first);
        for (path.remove_prefix(end); !path.empty();) {
            runtime_.step();
            if (path[0] == '.') {
                const size_t stop = std::min(path.find_first_of(".[", 1), path.size());
                value = attribute(runtime_, value, path.substr(1, stop - 1));
                path.remove_prefix(stop);
            } else {
                const size_t stop = path.find(']');
                if (path[0] != '[' || stop == path.npos) refuse("Missing ']' in format string");
                value = item(runtime_, value, key(path.substr(1, stop - 1)));
                path.remove_prefix(stop + 1);
            }
        }
        return value;
    }

    Value key(std::string_view name) {
        size_t at = 0;
        const size_t number = read_number(name, at);
        if (!name.empty() && at == name.size()) return Value(static_cast<int64_t>(number));
        return runtime_.string(std::string(name), Origin::input);
    }

    Value first_value(std::string_view name) {
        size_t at = 0;
        size_t index = read_number(name, at);
        if (name.empty()) {
            index = next_++;
        } else if (at != name.size()) {
            const Value* const found = arguments_.find(name);
            if (!found) refuse("format() misses the argument '{}'", name);
            return *found;
        }
        if (index >= arguments_.positional.size()) {
            refuse("Replacement index {} out of range for positional args tuple", index);
        }
        return arguments_.positional[index];
    }

    Runtime& runtime_;
    const Text& pattern_;
    std::string_view text_;
    const Arguments& arguments_;
    size_t at_ = 0, next_ = 0;
    Text out_;
};

}  // namespace

Value percent_format(Runtime& runtime, const Text& pattern, const Value& values) {
    runtime.work(pattern.size());
    return runtime.string(PercentFormatter(runtime, pattern, values).run());
}

Value brace_format(Runtime& runtime, const Text& pattern, const Arguments& arguments) {
    runtime.work(pattern.size());
    return runtime.string(BraceFormatter(runtime, pattern, arguments).run());
}

}  // namespace sluice::jinja
