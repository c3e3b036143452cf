#include "cli/bench_tests.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "cli/interrupt.h"
#include "cli/progress.h"

namespace sluice::cli {

namespace {

constexpr uint64_t depth_seed = 1, prompt_seed = 2;
/// A few tokens bring the weights of a pass into the caches and the workers out of their sleep.
constexpr uint32_t answer_warm_up = 4;

}  // namespace

std::string BenchTest::name() const {
    const std::string what = fmt::format("{}{}", kind == Kind::prompt ? "pp" : "tg", tokens);
    return depth ? fmt::format("{} @ d{}", what, depth) : what;
}

std::vector<double> BenchResult::rates() const {
    std::vector<double> r;
    for (const double s : seconds) r.push_back(double(test.tokens) / s);
    return r;
}

double BenchResult::mean() const {
    const auto r = rates();
    return std::accumulate(r.begin(), r.end(), 0.0) / double(r.size());
}

double BenchResult::deviation() const {
    if (seconds.size() < 2) return 0;
    const double m = mean();
    double squares = 0;
    for (const double r : rates()) squares += (r - m) * (r - m);
    return std::sqrt(squares / double(seconds.size() - 1));
}

double BenchResult::total_seconds() const {
    return std::accumulate(seconds.begin(), seconds.end(), 0.0);
}

std::vector<BenchTest> bench_tests(const std::vector<uint32_t>& prompts, const std::vector<uint32_t>& answers,
                                   const std::vector<uint32_t>& depths) {
    std::vector<BenchTest> tests;
    for (const uint32_t depth : depths) {
        for (const uint32_t n : prompts)
            if (n) tests.push_back({BenchTest::Kind::prompt, n, depth});
        for (const uint32_t n : answers)
            if (n) tests.push_back({BenchTest::Kind::answer, n, depth});
    }
    return tests;
}

std::vector<TokenId> BenchRunner::random_tokens(uint32_t n, uint64_t seed) const {
    std::mt19937_64 random(seed);
    std::vector<TokenId> tokens(n);
    for (TokenId& t : tokens) t = TokenId(random() % engine_.info().n_vocab);
    return tokens;
}

void BenchRunner::set_depth(uint32_t depth) {
    if (depth == 0) return session_.clear();
    Progress progress(fmt::format("filling the cache to d{}", depth), Progress::Unit::tokens);
    session_.prefill(random_tokens(depth, depth_seed), [&](uint64_t done, uint64_t total) {
        progress.update(done, total);
        check_interrupt();
    });
}

double BenchRunner::measure(const BenchTest& test, uint32_t tokens, const OnProgress& on_progress) {
    const auto input = random_tokens(tokens, prompt_seed);
    const auto begin = std::chrono::steady_clock::now();
    if (test.kind == BenchTest::Kind::prompt) {
        session_.append(input, [&](uint64_t done, uint64_t) { on_progress(done); });
    } else {
        for (uint32_t i = 0; i < tokens; ++i) {
            session_.append({&input[i], 1});
            on_progress(i + 1);
        }
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

BenchResult BenchRunner::run(const BenchTest& test) {
    BenchResult result{test};
    const CancelOnInterrupt cancel(session_);
    set_depth(test.depth);
    const uint32_t warm_up =
        !options_.warm_up ? 0
                          : std::min(test.tokens, test.kind == BenchTest::Kind::prompt ? engine_.info().batch
                                                                                       : answer_warm_up);
    if (warm_up) measure(test, warm_up, [](uint64_t) {});
    Progress progress(test.name(), Progress::Unit::tokens);
    const uint64_t all = uint64_t(test.tokens) * options_.repetitions;
    for (uint32_t i = 0; i < options_.repetitions; ++i) {
        set_depth(test.depth);
        const StreamStats before = engine_.stream_stats();
        result.seconds.push_back(measure(test, test.tokens, [&](uint64_t done) {
            progress.update(uint64_t(test.tokens) * i + done, all);
            check_interrupt();
        }));
        result.stream += engine_.stream_stats() - before;
    }
    return result;
}

}  // namespace sluice::cli
