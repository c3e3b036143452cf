#include "cli/line_chart.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace sluice::cli {

namespace {

constexpr double width = 720, height = 420, left = 70, right = 130, top = 44, bottom = 56;
// Distinguishable without colour vision (Okabe and Ito 2008), on white and on black.
constexpr std::array colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                "#e69f00", "#56b4e9", "#999999", "#f0e442"};

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else if (static_cast<unsigned char>(c) >= 32)
            out += c;
    }
    return out;
}

struct Frame {
    double x_least, x_most, y_least, y_most;
    double x(double v) const {
        return left + (v - x_least) / std::max(x_most - x_least, 1e-300) * (width - left - right);
    }
    double y(double v) const {
        return height - bottom - (v - y_least) / std::max(y_most - y_least, 1e-300) * (height - top - bottom);
    }
};

Frame frame_of(const LineChart& chart) {
    Frame f{1e300, -1e300, chart.y_least, chart.y_most};
    for (const auto& s : chart.series)
        for (const auto& [x, y] : s.points)
            f.x_least = std::min(f.x_least, x), f.x_most = std::max(f.x_most, x);
    return f;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text, const char* more = "") {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more,
                       escaped(text));
}

std::string axes(const LineChart& chart, const Frame& f) {
    std::string out;
    constexpr int steps = 5;
    for (int i = 0; i <= steps; ++i) {
        const double v = f.y_least + (f.y_most - f.y_least) * i / steps, y = f.y(v);
        out += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", left,
                           width - right, y, y);
        out += text_at(left - 8, y + 4, "end", chart.y_text(v));
        const double u = f.x_least + (f.x_most - f.x_least) * i / steps;
        out += text_at(f.x(u), height - bottom + 18, "middle", chart.x_text(u));
    }
    out += text_at((left + width - right) / 2, height - 12, "middle", chart.x_label);
    out += text_at(16, top - 14, "start", chart.y_label);
    return out;
}

/// Names at the right ends of the lines, moved apart where they would overlap.
std::string legend(const LineChart& chart, const Frame& f) {
    std::vector<std::pair<double, size_t>> places;
    for (size_t i = 0; i < chart.series.size(); ++i)
        if (!chart.series[i].points.empty())
            places.emplace_back(f.y(chart.series[i].points.back().second), i);
    std::sort(places.begin(), places.end());
    for (size_t i = 1; i < places.size(); ++i)
        places[i].first = std::max(places[i].first, places[i - 1].first + 16);
    std::string out;
    for (const auto& [y, i] : places)
        out += text_at(width - right + 8, y + 4, "start", chart.series[i].name,
                       fmt::format(" style=\"fill:{}\"", colours[i % colours.size()]).c_str());
    return out;
}

}  // namespace

std::string to_svg(const LineChart& chart) {
    const Frame f = frame_of(chart);
    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
        "role=\"img\">\n"
        "<title>{2}</title>\n"
        "<style>text{{font:12px sans-serif;fill:#333}}.back{{fill:#fff}}.grid{{stroke:#ddd}}"
        "@media(prefers-color-scheme:dark){{text{{fill:#ccc}}.back{{fill:#161616}}.grid{{stroke:#333}}}}</"
        "style>\n"
        "<rect class=\"back\" width=\"{0}\" height=\"{1}\"/>\n",
        width, height, escaped(chart.title));
    out += text_at(left, 18, "start", chart.title, " font-weight=\"bold\"");
    out += axes(chart, f);
    for (size_t i = 0; i < chart.series.size(); ++i) {
        const ChartSeries& s = chart.series[i];
        std::string points;
        for (const auto& [x, y] : s.points) points += fmt::format("{:.1f},{:.1f} ", f.x(x), f.y(y));
        out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n",
                           points, colours[i % colours.size()], s.dashed ? " stroke-dasharray=\"6 4\"" : "");
    }
    return out + legend(chart, f) + "</svg>\n";
}

}  // namespace sluice::cli
