// Shows on standard error how far long work is: a bar with rate and time left on a terminal, a line every few
// seconds elsewhere, and nothing at all for work that is done within two seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sluice::cli {

class Progress {
  public:
    enum class Unit { bytes, tokens };

    Progress(std::string what, Unit unit) : what_(std::move(what)), unit_(unit), begin_(Clock::now()) {}
    ~Progress() { finish(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void update(uint64_t done, uint64_t total);
    /// Removes the bar.
    void finish() noexcept;

  private:
    using Clock = std::chrono::steady_clock;
    std::string line(uint64_t done, uint64_t total, double seconds) const;

    std::string what_;
    Unit unit_;
    Clock::time_point begin_;
    Clock::time_point shown_{};
    bool bar_shown_ = false;
};

}  // namespace sluice::cli
