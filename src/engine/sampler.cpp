#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"

namespace sluice {

namespace {

constexpr float forbidden = -std::numeric_limits<float>::infinity();

void check(bool fine, const char* flag, const char* expected, double found) {
    if (!fine) fail(ErrorCode::invalid_argument, "expected {} {}, found {}", flag, expected, found);
}

void check_options(const SamplingOptions& o) {
    check(o.temperature >= 0 && std::isfinite(o.temperature), "--temp", "of at least 0", o.temperature);
    check(o.top_p > 0 && o.top_p <= 1, "--top-p", "above 0 and at most 1", o.top_p);
    check(o.min_p >= 0 && o.min_p <= 1, "--min-p", "from 0 to 1", o.min_p);
    check(o.typical_p > 0 && o.typical_p <= 1, "--typical-p", "above 0 and at most 1", o.typical_p);
    check(o.repeat_penalty > 0 && std::isfinite(o.repeat_penalty), "--repeat-penalty", "above 0",
          o.repeat_penalty);
    check(std::isfinite(o.presence_penalty), "--presence-penalty", "to be a finite number",
          o.presence_penalty);
    check(std::isfinite(o.frequency_penalty), "--frequency-penalty", "to be a finite number",
          o.frequency_penalty);
    check(o.penalty_last_n >= -1, "--penalty-last-n", "of at least -1", o.penalty_last_n);
    for (const auto& [id, bias] : o.logit_bias) {
        check(id >= 0, "--logit-bias", "to name a token id of at least 0", id);
        check(!std::isnan(bias) && bias < std::numeric_limits<float>::infinity(), "--logit-bias",
              "to add a number below infinity", bias);
    }
}

[[noreturn]] void none_left(bool constrained) {
    if (constrained)
        fail(
            ErrorCode::invalid_argument,
            "no token is left to choose: the grammar and --logit-bias together forbid all of the vocabulary");
    fail(ErrorCode::invalid_argument, "no token is left to choose: --logit-bias forbids them all");
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, uint32_t n_vocab)
    : options_(options), n_vocab_(n_vocab), random_(options.seed) {
    check_options(options);
    for (const auto& [id, bias] : options.logit_bias) bias_[id] += bias;
    const bool no_penalty =
        options.repeat_penalty == 1 && options.presence_penalty == 0 && options.frequency_penalty == 0;
    if (no_penalty) options_.penalty_last_n = 0;
}

void Sampler::accept(int32_t token) {
    if (options_.penalty_last_n == 0) return;
    recent_.push_back(token);
    ++counts_[token];
    if (options_.penalty_last_n > 0 && recent_.size() > size_t(options_.penalty_last_n)) {
        const auto oldest = counts_.find(recent_.front());
        if (--oldest->second == 0) counts_.erase(oldest);
        recent_.pop_front();
    }
}

/// A logit after bias and penalties.
float Sampler::penalised(int32_t id, float logit) const {
    if (const auto b = bias_.find(id); b != bias_.end()) logit += b->second;
    if (const auto c = counts_.find(id); c != counts_.end()) {
        logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
        logit -= options_.presence_penalty + options_.frequency_penalty * float(c->second);
    }
    return logit;
}

int32_t Sampler::sample(std::span<const float> logits, const TokenMask* allowed) {
    logits = logits.first(std::min<size_t>(logits.size(), n_vocab_));
    for (const float x : logits)
        if (std::isnan(x))
            fail(ErrorCode::internal,
                 "the model gave a logit that is not a number; its file or this machine's memory is damaged");
    if (options_.temperature == 0 || options_.top_k == 1) return greedy(logits, allowed);
    collect(logits, allowed);
    keep_top_k();
    normalise();
    keep_typical();
    keep_top_p();
    keep_min_p();
    return draw();
}

int32_t Sampler::greedy(std::span<const float> logits, const TokenMask* allowed) const {
    const bool plain = bias_.empty() && counts_.empty();
    int32_t best = -1;
    float most = forbidden;
    for (size_t i = 0; i < logits.size(); ++i) {
        if (allowed && !allowed->test(int32_t(i))) continue;
        const float x = plain ? logits[i] : penalised(int32_t(i), logits[i]);
        if (x > most) most = x, best = int32_t(i);
    }
    if (best < 0) none_left(allowed != nullptr);
    return best;
}

void Sampler::collect(std::span<const float> logits, const TokenMask* allowed) {
    const bool plain = bias_.empty() && counts_.empty();
    candidates_.clear();
    for (size_t i = 0; i < logits.size(); ++i) {
        if (allowed && !allowed->test(int32_t(i))) continue;
        const float x = plain ? logits[i] : penalised(int32_t(i), logits[i]);
        if (x > forbidden) candidates_.push_back({int32_t(i), x, 0});
    }
    if (candidates_.empty()) none_left(allowed != nullptr);
}

/// Afterwards the candidates are sorted, best first, the lower id on a tie.
void Sampler::keep_top_k() {
    const auto better = [](const Candidate& a, const Candidate& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    };
    const size_t k =
        options_.top_k == 0 ? candidates_.size() : std::min<size_t>(options_.top_k, candidates_.size());
    std::partial_sort(candidates_.begin(), candidates_.begin() + ptrdiff_t(k), candidates_.end(), better);
    candidates_.resize(k);
}

void Sampler::normalise() {
    const double largest =
        std::max_element(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) {
            return a.logit < b.logit;
        })->logit;
    double sum = 0;
    for (auto& c : candidates_) sum += c.probability = std::exp(double(c.logit) - largest);
    for (auto& c : candidates_) c.probability /= sum;
}

/// Locally typical sampling (Meister et al. 2022): those whose information is nearest to the expected one.
void Sampler::keep_typical() {
    if (options_.typical_p >= 1) return;
    double entropy = 0;
    for (const auto& c : candidates_)
        entropy -= c.probability > 0 ? c.probability * std::log(c.probability) : 0;
    const auto distance = [&](const Candidate& c) {
        return std::abs(-std::log(std::max(c.probability, 1e-300)) - entropy);
    };
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
    double sum = 0;
    size_t n = 0;
    while (n < candidates_.size() && sum < options_.typical_p) sum += candidates_[n++].probability;
    candidates_.resize(std::max<size_t>(n, 1));
    std::stable_sort(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    });
    normalise();
}

void Sampler::keep_top_p() {
    if (options_.top_p >= 1) return;
    double sum = 0;
    size_t n = 0;
    while (n < candidates_.size() && sum < options_.top_p) sum += candidates_[n++].probability;
    candidates_.resize(std::max<size_t>(n, 1));
    normalise();
}

void Sampler::keep_min_p() {
    if (options_.min_p <= 0) return;
    const double least = options_.min_p * candidates_.front().probability;
    std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < least; });
}

int32_t Sampler::draw() {
    const double largest = candidates_.front().logit;
    double sum = 0;
    for (auto& c : candidates_)
        sum += c.probability = std::exp((double(c.logit) - largest) / options_.temperature);
    double at = double(random_() >> 11) * 0x1p-53 * sum;
    for (const auto& c : candidates_) {
        at -= c.probability;
        if (at < 0) return c.id;
    }
    return candidates_.back().id;  // rounding used up the sum
}

}  // namespace sluice
