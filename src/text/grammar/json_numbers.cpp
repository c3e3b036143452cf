#include "text/grammar/json_numbers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace sluice {

namespace {

using Expr = GrammarRules::Expr;

constexpr size_t max_digits = 16;

/// Numbers without sign whose whole part has one given length, between bounds. Digits are chosen from the
/// left; while they equal a bound's they are "tight" to it, afterwards that bound is no concern.
class DigitRange {
  public:
    DigitRange(GrammarRules& rules, size_t whole_length, bool integer)
        : rules_(rules), whole_(whole_length), integer_(integer) {}

    std::string least, most;  // digits of whole and fraction in a row; past their ends come zeros
    bool least_exclusive = false, most_exclusive = false;
    size_t max_length = 0;  // digits in all

    Expr from(size_t i, bool tight_least, bool tight_most);

  private:
    char digit(const std::string& bound, size_t i) const { return i < bound.size() ? bound[i] : '0'; }
    bool may_end(size_t i, bool tight_least, bool tight_most) const;
    Expr next(size_t i, bool tight_least, bool tight_most);

    GrammarRules& rules_;
    size_t whole_;
    bool integer_;
};

/// If zeros follow: is the number within the bounds?
bool DigitRange::may_end(size_t i, bool tight_least, bool tight_most) const {
    const auto rest_is_zero = [i](const std::string& bound) {
        return bound.find_first_not_of('0', std::min(i, bound.size())) == std::string::npos;
    };
    if (tight_least && !(rest_is_zero(least) && !least_exclusive)) return false;
    return !tight_most || !rest_is_zero(most) || !most_exclusive;
}

Expr DigitRange::next(size_t i, bool tight_least, bool tight_most) {
    if (i >= max_length) return rules_.chars({});
    char low = tight_least ? digit(least, i) : '0';
    const char high = tight_most ? digit(most, i) : '9';
    if (i == 0 && whole_ > 1) low = std::max(low, '1');
    const bool low_tight = tight_least && low == digit(least, i);
    std::vector<Expr> ways;
    const auto add = [&](char first, char last, bool tl, bool tm) {
        if (first > last) return;
        ways.push_back(
            rules_.sequence({rules_.chars({{char32_t(first), char32_t(last)}}), from(i + 1, tl, tm)}));
    };
    if (low == high) {
        add(low, high, low_tight, tight_most);
    } else if (low < high) {
        const char begin = low_tight ? char(low + 1) : low, end = tight_most ? char(high - 1) : high;
        if (low_tight) add(low, low, true, false);
        add(begin, end, false, false);
        if (tight_most) add(high, high, false, true);
    }
    return rules_.choice(std::move(ways));
}

/// What may follow the first i digits.
Expr DigitRange::from(size_t i, bool tight_least, bool tight_most) {
    if (i < whole_) {
        if (!tight_least && !tight_most && i > 0 && integer_)
            return rules_.repeat(rules_.chars({{'0', '9'}}), uint32_t(whole_ - i), uint32_t(whole_ - i));
        return next(i, tight_least, tight_most);
    }
    const bool end = may_end(i, tight_least, tight_most);
    std::vector<Expr> ways;
    if (end) ways.push_back(rules_.literal(""));
    if (!integer_ && i < max_length) {
        const Expr more = !tight_least && !tight_most
                              ? rules_.repeat(rules_.chars({{'0', '9'}}), 1, uint32_t(max_length - i))
                              : next(i, tight_least, tight_most);
        ways.push_back(i == whole_ ? rules_.sequence({rules_.literal("."), more}) : more);
    }
    return rules_.choice(std::move(ways));
}

std::string digits_of(const Decimal& d) {
    return d.whole + d.fraction;
}

/// -1, 0, 1 by size, signs aside.
int compare_size(const Decimal& a, const Decimal& b) {
    if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
    if (const int c = a.whole.compare(b.whole); c != 0) return c < 0 ? -1 : 1;
    const int c = a.fraction.compare(b.fraction);
    return c < 0 ? -1 : c > 0 ? 1 : 0;
}

using Bound = std::optional<NumberBound>;

/// Numbers from 0 up, signs of the bounds aside.
Expr unsigned_between(GrammarRules& rules, const NumberBound& least, const Bound& most, bool integer) {
    std::vector<Expr> ways;
    const size_t longest = most ? most->value.whole.size() : std::max(max_digits, least.value.whole.size());
    if (most) {
        const int order = compare_size(least.value, most->value);
        if (order > 0 || (order == 0 && (least.exclusive || most->exclusive))) return rules.chars({});
    }
    for (size_t length = least.value.whole.size(); length <= longest; ++length) {
        DigitRange range(rules, length, integer);
        const bool tight_least = length == least.value.whole.size();
        const bool tight_most = most && length == most->value.whole.size();
        if (tight_least) range.least = digits_of(least.value), range.least_exclusive = least.exclusive;
        if (tight_most) range.most = digits_of(most->value), range.most_exclusive = most->exclusive;
        range.max_length = length + (integer ? 0 : max_digits);
        ways.push_back(range.from(0, tight_least, tight_most));
    }
    return rules.choice(std::move(ways));
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view text) {
    Decimal d;
    if (text.starts_with('-')) d.negative = true, text.remove_prefix(1);
    int exponent = 0;
    if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
        std::string_view digits = text.substr(e + 1);
        if (digits.starts_with('+')) digits.remove_prefix(1);
        const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
        if (r.ec != std::errc() || exponent < -40 || exponent > 40) return std::nullopt;
        text = text.substr(0, e);
    }
    const size_t point = std::min(text.find('.'), text.size());
    std::string digits(text.substr(0, point));
    if (point < text.size()) digits += text.substr(point + 1);
    long at = long(point) + exponent;  // where the point is in `digits`
    if (at < 0) digits.insert(0, size_t(-at), '0'), at = 0;
    if (size_t(at) > digits.size()) digits.append(size_t(at) - digits.size(), '0');
    d.whole = digits.substr(0, size_t(at));
    d.fraction = digits.substr(size_t(at));
    d.whole.erase(0, std::min(d.whole.find_first_not_of('0'), d.whole.size()));
    if (d.whole.empty()) d.whole = "0";
    d.fraction.erase(d.fraction.find_last_not_of('0') + 1);
    if (d.whole.size() > 19 || d.fraction.size() > max_digits) return std::nullopt;
    if (d.is_zero()) d.negative = false;
    return d;
}

Expr number_between(GrammarRules& rules, const Bound& least, const Bound& most, bool integer) {
    std::vector<Expr> ways;
    const NumberBound zero{};
    if (!most || !most->value.negative) {
        const NumberBound from = least && !least->value.negative ? *least : zero;
        ways.push_back(unsigned_between(rules, from, most, integer));
    }
    if (!least || least->value.negative) {
        // Below zero larger digits are smaller numbers: the bounds change places. No -0.
        const NumberBound from = most && most->value.negative ? *most : NumberBound{Decimal{}, true};
        ways.push_back(rules.sequence({rules.literal("-"), unsigned_between(rules, from, least, integer)}));
    }
    return rules.choice(std::move(ways));
}

}  // namespace sluice
