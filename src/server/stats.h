// /stats: what the engine does, once a second, as server-sent events. docs/stats.md is the contract with the
// page.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "server/exchange.h"
#include "server/model_service.h"
#include "store/expert_cache.h"

namespace sluice::server {

uint64_t resident_bytes();

class StatsFeed {
  public:
    /// `responses` tells how many bytes of earlier answers are kept.
    explicit StatsFeed(std::function<uint64_t()> responses);
    ~StatsFeed();
    StatsFeed(const StatsFeed&) = delete;
    StatsFeed& operator=(const StatsFeed&) = delete;

    void use(std::shared_ptr<ModelService> model);
    /// The exchange becomes a stream of samples.
    void join(const std::shared_ptr<Exchange>& exchange);
    /// Ends all streams.
    void stop();

  private:
    using Clock = std::chrono::steady_clock;
    /// Counters at one moment.
    struct Sample {
        Clock::time_point at{};
        SchedulerStats scheduler{};
        StreamStats stream{};
    };
    struct Listener {
        std::weak_ptr<Exchange> exchange;
        std::optional<Sample> previous{};
        std::string heat{};  // as it was sent last
    };
    void main();
    Sample take_sample() const;
    void update_heat();
    std::string text(Listener& listener, const Sample& now) const;

    const Clock::time_point began_ = Clock::now();
    const std::function<uint64_t()> responses_;
    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::shared_ptr<ModelService> model_;
    std::vector<Listener> listeners_;
    bool stop_ = false;
    // How often each expert was asked for lately: counts that halve in about half a minute.
    std::vector<float> heat_;
    std::vector<uint32_t> seen_demands_;
    ExpertHeat experts_;
    Clock::time_point heat_at_{};
    Sample last_;
    std::thread thread_;
};

}  // namespace sluice::server
