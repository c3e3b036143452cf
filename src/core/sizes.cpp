#include "core/sizes.h"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/fail.h"

namespace sluice {

std::string human_bytes(uint64_t bytes) {
    static constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double x = double(bytes);
    int u = 0;
    while (x >= 999.5 && u < 6) x /= 1000, ++u;
    if (u == 0) return fmt::format("{} B", bytes);
    return fmt::format("{:.{}f} {}", x, x < 9.995 ? 2 : x < 99.95 ? 1 : 0, units[u]);
}

uint64_t parse_size(const std::string& text) {
    const char* begin = text.c_str();
    char* end = nullptr;
    const double number = std::strtod(begin, &end);
    std::string unit;
    for (const char* p = end; *p; ++p)
        if (!std::isspace(static_cast<unsigned char>(*p)))
            unit += char(std::toupper(static_cast<unsigned char>(*p)));
    if (unit.ends_with("IB"))
        unit.resize(unit.size() - 2);
    else if (unit.ends_with("B"))
        unit.pop_back();
    const std::string letters = "KMGTP";
    const auto at = unit.size() == 1 ? letters.find(unit[0]) : std::string::npos;
    const bool known = unit.empty() || at != std::string::npos;
    if (end == begin || !known || !std::isfinite(number) || number < 0)
        fail(ErrorCode::invalid_argument, "expected a size such as 24G, 512M or 1.5GiB, found \"{}\"", text);
    const double bytes = unit.empty() ? number : std::ldexp(number, 10 * (int(at) + 1));
    if (bytes >= 0x1p63) fail(ErrorCode::invalid_argument, "the size \"{}\" is larger than any memory", text);
    return uint64_t(bytes);
}

}  // namespace sluice
