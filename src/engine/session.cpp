#include <algorithm>
#include <atomic>
#include <chrono>

#include "core/fail.h"
#include "core/machine.h"
#include "engine/generation.h"
#include "engine/impl.h"

namespace sluice {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
}

}  // namespace

std::string_view to_string(StopReason reason) {
    switch (reason) {
        case StopReason::end_token:
            return "eos";
        case StopReason::stop_text:
            return "stop";
        case StopReason::length:
            return "length";
        case StopReason::context_full:
            return "context";
        case StopReason::cancelled:
            break;
    }
    return "cancelled";
}

double SessionStats::prefill_tokens_per_second() const {
    return prefill_seconds > 0 ? double(prompt_tokens - reused_tokens) / prefill_seconds : 0;
}
double SessionStats::decode_tokens_per_second() const {
    return decode_seconds > 0 ? double(generated_tokens) / decode_seconds : 0;
}

double StreamStats::least_seconds(double seconds) const {
    const double rate = std::max(drive_rate, read_rate());  // what was just done can be done
    return std::max(rate > 0 ? double(bytes_read) / rate : 0, seconds - wait_seconds);
}

double StreamStats::share_of_limit(double seconds) const {
    return hits + misses > 0 && seconds > 0 ? least_seconds(seconds) / seconds : 0;
}

StreamStats& StreamStats::operator+=(const StreamStats& o) {
    hits += o.hits, misses += o.misses, bytes_read += o.bytes_read;
    read_seconds += o.read_seconds, wait_seconds += o.wait_seconds;
    guesses += o.guesses, useful_guesses += o.useful_guesses;
    warmed += o.warmed, warmed_useful += o.warmed_useful;
    drive_rate = std::max(drive_rate, o.drive_rate);
    return *this;
}

StreamStats StreamStats::operator-(const StreamStats& earlier) const {
    StreamStats d = *this;
    d.hits -= earlier.hits, d.misses -= earlier.misses, d.bytes_read -= earlier.bytes_read;
    d.read_seconds -= earlier.read_seconds, d.wait_seconds -= earlier.wait_seconds;
    d.guesses -= earlier.guesses, d.useful_guesses -= earlier.useful_guesses;
    d.warmed -= earlier.warmed, d.warmed_useful -= earlier.warmed_useful;
    return d;
}

struct Session::Impl {
    Impl(std::shared_ptr<Engine::Impl> engine_impl, const SessionOptions& session_options)
        : engine(std::move(engine_impl)),
          options(session_options),
          context(choose_context(options.context, engine->info)),
          cache(KvLayout(engine->params, to_format(options.kv_type)), context) {
        if (options.batch == 0) options.batch = engine->info.batch;
    }

    /// Feeds tokens in batches. Logits of the last one are kept, or of all are appended to `all`.
    void feed(std::span<const TokenId> more, const std::function<void(uint64_t, uint64_t)>& on_progress,
              std::vector<float>* all);
    void feed_batch(std::span<const TokenId> batch, WantLogits want, std::vector<float>* all);
    void start(bool decode);
    void check_fits(uint64_t n) const;
    Generated generate(const GenerateOptions& o, const std::function<bool(std::string_view)>& on_text);

    std::shared_ptr<Engine::Impl> engine;
    SessionOptions options;
    uint32_t context;
    KvCache cache;
    std::vector<TokenId> tokens;  // in the cache
    std::vector<float> logits;    // after the last of them; empty if not known
    std::atomic<bool> cancelled{false};
    std::atomic<uint64_t> prompt_tokens{0}, reused_tokens{0}, generated_tokens{0}, kv_tokens{0}, kv_bytes{0};
    std::atomic<double> prefill_seconds{0}, decode_seconds{0};
    bool decoding = false;
    mutable std::mutex stream_mutex;  // stats() is for any thread
    StreamStats prefill_stream, decode_stream;
};

void Session::Impl::check_fits(uint64_t n) const {
    check_context(n, context, engine->info);
    const uint64_t bytes = KvCache::pages_for(n) * cache.page_bytes();
    if (bytes > cache.allocated_bytes())
        engine->check_room(bytes, fmt::format("a KV cache for {} tokens", n));
}

void Session::Impl::feed_batch(std::span<const TokenId> batch, WantLogits want, std::vector<float>* all) {
    logits.clear();
    const Feed feed{{&cache, batch, want}, all ? all : &logits};
    StepStats step = engine->passes.run({&feed, 1}, &cancelled);
    step.decoding = decoding;
    tokens.insert(tokens.end(), batch.begin(), batch.end());
    kv_tokens = cache.size();
    kv_bytes = cache.allocated_bytes();
    {
        std::lock_guard lock(stream_mutex);
        (decoding ? decode_stream : prefill_stream) += step.stream;
    }
    if (options.on_step) options.on_step(step);
}

/// Prompt or answer: its figures begin at 0.
void Session::Impl::start(bool decode) {
    decoding = decode;
    std::lock_guard lock(stream_mutex);
    (decode ? decode_stream : prefill_stream) = StreamStats();
}

void Session::Impl::feed(std::span<const TokenId> more,
                         const std::function<void(uint64_t, uint64_t)>& on_progress,
                         std::vector<float>* all) {
    check_fits(tokens.size() + more.size());
    for (size_t at = 0; at < more.size(); at += options.batch) {
        const auto batch = more.subspan(at, std::min<size_t>(options.batch, more.size() - at));
        const bool last = at + batch.size() == more.size();
        feed_batch(batch, all ? WantLogits::all : last ? WantLogits::last : WantLogits::none, all);
        if (on_progress) on_progress(at + batch.size(), more.size());
    }
}

Generated Session::Impl::generate(const GenerateOptions& o,
                                  const std::function<bool(std::string_view)>& on_text) {
    if (logits.empty())
        fail(ErrorCode::invalid_argument, "expected a prompt before generate(): call prefill() first");
    Generation generation(*engine, o, tokens);
    Generated result;
    const auto emit = [&](const std::string& text) {
        result.text += text;
        if (!text.empty() && on_text && !on_text(text)) cancelled = true;
    };
    start(true);
    const auto begin = Clock::now();
    generated_tokens = 0;
    for (std::optional<StopReason> stop; !stop;) {
        Generation::Step step = generation.next(logits, context - cache.size());
        generated_tokens = generation.tokens().size();
        decode_seconds = seconds_since(begin);
        if (step.logprobs) result.logprobs.push_back(std::move(*step.logprobs));
        emit(step.text);
        stop = step.stop;
        if (step.token && cancelled && stop != StopReason::stop_text) stop = StopReason::cancelled;
        if (stop) {
            result.reason = *stop;
            break;
        }
        try {
            feed({&*step.token, 1}, {}, nullptr);
        } catch (const Error& e) {
            if (e.code() != ErrorCode::cancelled) throw;
            stop = result.reason = StopReason::cancelled;
        }
    }
    emit(generation.finish());
    result.tokens = generation.tokens();
    decode_seconds = seconds_since(begin);
    return result;
}

Session::Session(const Engine& engine, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(engine.impl(), options)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::prefill(std::span<const TokenId> tokens,
                      const std::function<void(uint64_t, uint64_t)>& on_progress) {
    Impl& s = *impl_;
    if (tokens.empty())
        fail(ErrorCode::invalid_argument, "expected a prompt of at least one token, found none");
    s.cancelled = false;
    s.check_fits(tokens.size());
    size_t same = size_t(std::mismatch(s.tokens.begin(), s.tokens.end(), tokens.begin(), tokens.end()).first -
                         s.tokens.begin());
    // The logits after the last token are wanted: compute it again unless they are at hand.
    if (same == tokens.size() && (same < s.tokens.size() || s.logits.empty())) --same;
    if (same < s.tokens.size()) {
        s.cache.truncate(uint32_t(same));
        s.tokens.resize(same);
        s.logits.clear();
    }
    s.start(false);
    const auto begin = Clock::now();
    s.prompt_tokens = tokens.size();
    s.reused_tokens = same;
    s.generated_tokens = 0;
    s.feed(tokens.subspan(same), on_progress, nullptr);
    s.prefill_seconds = seconds_since(begin);
}

void Session::append(std::span<const TokenId> tokens,
                     const std::function<void(uint64_t, uint64_t)>& on_progress) {
    Impl& s = *impl_;
    s.cancelled = false;
    s.start(false);
    const auto begin = Clock::now();
    s.reused_tokens = s.tokens.size();
    s.prompt_tokens = s.tokens.size() + tokens.size();
    s.feed(tokens, on_progress, nullptr);
    s.prefill_seconds = seconds_since(begin);
}

std::vector<float> Session::append_all_logits(std::span<const TokenId> tokens) {
    impl_->cancelled = false;
    std::vector<float> all;
    impl_->feed(tokens, {}, &all);
    if (!all.empty()) impl_->logits.assign(all.end() - impl_->engine->params.n_vocab, all.end());
    return all;
}

std::span<const float> Session::logits() const {
    if (impl_->logits.empty()) fail(ErrorCode::invalid_argument, "no logits yet: feed at least one token");
    return impl_->logits;
}

Generated Session::generate(const GenerateOptions& options,
                            const std::function<bool(std::string_view)>& on_text) {
    impl_->cancelled = false;
    Generated generated = impl_->generate(options, on_text);
    if (impl_->engine->usage) impl_->engine->usage->rest();
    return generated;
}

void Session::cancel() noexcept {
    impl_->cancelled = true;
}
std::span<const TokenId> Session::tokens() const {
    return impl_->tokens;
}
uint32_t Session::context() const {
    return impl_->context;
}

void Session::clear() {
    impl_->cache.truncate(0);
    impl_->tokens.clear();
    impl_->logits.clear();
    impl_->kv_tokens = 0;
    impl_->kv_bytes = impl_->cache.allocated_bytes();
}

SessionStats Session::stats() const {
    const Impl& s = *impl_;
    SessionStats r;
    r.prompt_tokens = s.prompt_tokens;
    r.reused_tokens = s.reused_tokens;
    r.prefill_seconds = s.prefill_seconds;
    r.generated_tokens = s.generated_tokens;
    r.decode_seconds = s.decode_seconds;
    r.kv_tokens = s.kv_tokens;
    r.kv_bytes = s.kv_bytes;
    std::lock_guard lock(s.stream_mutex);
    r.prefill_stream = s.prefill_stream;
    r.decode_stream = s.decode_stream;
    return r;
}

MemoryUse Session::memory() const {
    return {impl_->engine->info.weight_bytes, impl_->kv_bytes, impl_->engine->scratch_bytes, peak_rss()};
}

}  // namespace sluice
