// strftime() in English, independent of the process's locale.
#include <array>
#include <cctype>
#include <ctime>
#include <optional>

#include <fmt/format.h>

#include "text/jinja/globals.h"

namespace sluice::jinja {
namespace {

constexpr std::array<std::string_view, 7> days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                  "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months = {"January",   "February", "March",    "April",
                                                     "May",       "June",     "July",     "August",
                                                     "September", "October",  "November", "December"};

template <size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, int index) {
    return index >= 0 && static_cast<size_t>(index) < N ? names[static_cast<size_t>(index)]
                                                        : std::string_view("?");
}

// A number and how strftime pads it; the flags may pad otherwise.
struct Padded {
    long long number;
    int width;
    char pad;
};

int twelve_hour(const std::tm& time) {
    const int hour = time.tm_hour % 12;
    return hour == 0 ? 12 : hour;
}

std::optional<Padded> number_for(char directive, const std::tm& time) {
    const long long year = 1900LL + time.tm_year;
    switch (directive) {
        case 'd':
            return Padded{time.tm_mday, 2, '0'};
        case 'e':
            return Padded{time.tm_mday, 2, ' '};
        case 'H':
            return Padded{time.tm_hour, 2, '0'};
        case 'k':
            return Padded{time.tm_hour, 2, ' '};
        case 'I':
            return Padded{twelve_hour(time), 2, '0'};
        case 'l':
            return Padded{twelve_hour(time), 2, ' '};
        case 'j':
            return Padded{time.tm_yday + 1LL, 3, '0'};
        case 'm':
            return Padded{time.tm_mon + 1LL, 2, '0'};
        case 'M':
            return Padded{time.tm_min, 2, '0'};
        case 'S':
            return Padded{time.tm_sec, 2, '0'};
        case 'f':
            return Padded{0, 6, '0'};
        case 'u':
            return Padded{time.tm_wday == 0 ? 7 : time.tm_wday, 1, '0'};
        case 'w':
            return Padded{time.tm_wday, 1, '0'};
        case 'y':
            return Padded{((year % 100) + 100) % 100, 2, '0'};
        case 'Y':
            return Padded{year, 1, '0'};
        case 'C':
            return Padded{year / 100, 2, '0'};
        case 'U':
            return Padded{(time.tm_yday + 7LL - time.tm_wday) / 7, 2, '0'};
        case 'W':
            return Padded{(time.tm_yday + 7LL - (time.tm_wday + 6) % 7) / 7, 2, '0'};
        default:
            return std::nullopt;
    }
}

// ISO 8601 weeks: the week of a day is the one its Thursday lies in.
std::pair<long long, long long> iso_week(const std::tm& time) {
    const auto leap = [](long long y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
    const auto days_in = [&](long long y) { return leap(y) ? 366 : 365; };
    long long year = 1900LL + time.tm_year, thursday = time.tm_yday - (time.tm_wday + 6) % 7 + 3LL;
    if (thursday < 0) thursday += days_in(--year);
    if (thursday >= days_in(year)) thursday -= days_in(year++);
    return {year, thursday / 7 + 1};
}

std::string_view composite_for(char directive) {
    switch (directive) {
        case 'c':
            return "%a %b %e %H:%M:%S %Y";
        case 'D':
        case 'x':
            return "%m/%d/%y";
        case 'F':
            return "%Y-%m-%d";
        case 'r':
            return "%I:%M:%S %p";
        case 'R':
            return "%H:%M";
        case 'T':
        case 'X':
            return "%H:%M:%S";
        default:
            return {};
    }
}

std::optional<std::string> text_for(char directive, const std::tm& time) {
    switch (directive) {
        case 'a':
            return std::string(name_of(days, time.tm_wday).substr(0, 3));
        case 'A':
            return std::string(name_of(days, time.tm_wday));
        case 'b':
        case 'h':
            return std::string(name_of(months, time.tm_mon).substr(0, 3));
        case 'B':
            return std::string(name_of(months, time.tm_mon));
        case 'p':
            return time.tm_hour < 12 ? "AM" : "PM";
        case 'P':
            return time.tm_hour < 12 ? "am" : "pm";
        case 'n':
            return "\n";
        case 't':
            return "\t";
        case '%':
            return "%";
        case 'z':
        case 'Z':
            return "";  // a local time without zone, as Python's datetime.now() is
        case 'G':
            return fmt::format("{}", iso_week(time).first);
        case 'V':
            return fmt::format("{:02}", iso_week(time).second);
        case 'g':
            return fmt::format("{:02}", ((iso_week(time).first % 100) + 100) % 100);
        default:
            break;
    }
    const std::string_view composite = composite_for(directive);
    return composite.empty() ? std::nullopt : std::optional(format_time(composite, time));
}

std::string padded(const Padded& value, char flag) {
    const char pad = flag == '_' ? ' ' : flag == '0' ? '0' : value.pad;
    std::string digits = fmt::format("{}", value.number);
    if (flag != '-' && digits.size() < static_cast<size_t>(value.width)) {
        digits.insert(0, static_cast<size_t>(value.width) - digits.size(), pad);
    }
    return digits;
}

void change_case(std::string& text, char flag) {
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (flag == '^') c = static_cast<char>(std::toupper(byte));
        if (flag == '#') c = static_cast<char>(std::isupper(byte) ? std::tolower(byte) : std::toupper(byte));
    }
}

}  // namespace

std::string format_time(std::string_view format, const std::tm& time) {
    std::string out;
    for (size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%' || at + 1 >= format.size()) {
            out += format[at];
            continue;
        }
        const size_t start = at++;
        char flag = '\0';
        while (at + 1 < format.size() && std::string_view("-_0^#").find(format[at]) != std::string_view::npos)
            flag = format[at++];
        std::optional<std::string> text;
        if (const auto number = number_for(format[at], time)) {
            text = padded(*number, flag);
        } else {
            text = text_for(format[at], time);
            if (text) change_case(*text, flag);
        }
        out += text ? *text : std::string(format.substr(start, at - start + 1));
    }
    return out;
}

}  // namespace sluice::jinja
