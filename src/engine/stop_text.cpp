#include "engine/stop_text.h"

#include <algorithm>
#include <utility>

namespace sluice {

StopText::StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {
    std::erase_if(stops_, [](const std::string& s) { return s.empty(); });
}

std::string StopText::push(std::string_view text) {
    if (found_) return {};
    held_ += text;
    size_t first = std::string::npos;
    for (const auto& stop : stops_)
        if (const size_t at = held_.find(stop); at < first) first = at, which_ = stop;
    if (first != std::string::npos) {
        found_ = true;
        held_.resize(first);
        return std::exchange(held_, {});
    }
    size_t keep = 0;  // the longest end of the text that begins a stop text
    for (const auto& stop : stops_)
        for (size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n)
            if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
    std::string certain = held_.substr(0, held_.size() - keep);
    held_.erase(0, certain.size());
    return certain;
}

std::string StopText::finish() {
    return found_ ? std::string() : std::exchange(held_, {});
}

}  // namespace sluice
