// A line chart as an SVG: readable in light and dark, in a browser or a README.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sluice::cli {

struct ChartSeries {
    std::string name;
    std::vector<std::pair<double, double>> points;  // ascending x
    bool dashed = false;
};

struct LineChart {
    std::string title, x_label, y_label;
    /// What stands at a place of an axis: "4.3 GB", "60 %".
    std::string (*x_text)(double) = nullptr;
    std::string (*y_text)(double) = nullptr;
    double y_least = 0, y_most = 1;
    std::vector<ChartSeries> series;
};

/// At most eight series have colours of their own. Text is escaped.
std::string to_svg(const LineChart& chart);

}  // namespace sluice::cli
