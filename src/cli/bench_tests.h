// What `sluice bench` measures: how fast prompts are read (pp) and answers written (tg), at chosen depths of
// the cache. The tokens are random, from a fixed seed, and nothing is sampled: speed does not depend on what
// they say.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "sluice/engine.h"

namespace sluice::cli {

struct BenchTest {
    enum class Kind { prompt, answer };
    Kind kind;
    uint32_t tokens;
    uint32_t depth;  // tokens that the cache holds before

    /// "pp512", "tg32 @ d16384"
    std::string name() const;
};

/// One test, repeated.
struct BenchResult {
    BenchTest test;
    std::vector<double> seconds{};  // of each repetition
    StreamStats stream{};           // of all of them

    std::vector<double> rates() const;  // tokens per second of each repetition
    double mean() const;
    double deviation() const;  // of the sample; 0 for a single repetition
    double total_seconds() const;
};

/// Every depth with every prompt, then every answer; lengths of 0 are left out.
std::vector<BenchTest> bench_tests(const std::vector<uint32_t>& prompts, const std::vector<uint32_t>& answers,
                                   const std::vector<uint32_t>& depths);

class BenchRunner {
  public:
    struct Options {
        uint32_t repetitions;
        bool warm_up;
    };
    BenchRunner(const Engine& engine, const SessionOptions& session, Options options)
        : engine_(engine), session_(engine, session), options_(options) {}

    /// Throws cancelled on Ctrl-C.
    BenchResult run(const BenchTest& test);
    Session& session() { return session_; }

  private:
    using OnProgress = std::function<void(uint64_t)>;  // tokens done

    /// The same tokens for the same n, beginning alike for any other: deeper caches reuse what is there.
    std::vector<TokenId> random_tokens(uint32_t n, uint64_t seed) const;
    void set_depth(uint32_t depth);
    double measure(const BenchTest& test, uint32_t tokens, const OnProgress& on_progress);

    const Engine& engine_;
    Session session_;
    Options options_;
};

}  // namespace sluice::cli
