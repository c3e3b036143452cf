#include "engine/scheduler.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/fail.h"
#include "engine/impl.h"

namespace sluice {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_between(Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
}

size_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
    return size_t(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

/// A request from its arrival to its last event.
class Scheduler::Job {
  public:
    Request request;
    std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
    Clock::time_point arrived = Clock::now(), started{}, read{};

    // Once it runs:
    std::optional<KvCache> cache{};
    std::optional<Generation> generation{};
    std::vector<TokenId> tokens{};  // the prompt and the answer; the cache holds the first of them
    uint32_t shared_pages = 0;      // of the cache's, that the prefix cache holds too
    uint32_t reused = 0;
    std::vector<float> logits{}, hidden_sum{};
    bool restoring = false;  // the next page of its prompt may be on disk
    bool ended = false;
    uint64_t told_before = UINT64_MAX;  // requests that wait before it, as its asker knows

    /// The tokens last fed were of the prompt.
    bool read_prompt() const { return cache->size() <= request.prompt.size(); }
    bool reading() const { return cache->size() < request.prompt.size(); }
    uint64_t own_pages() const { return cache ? cache->pages().size() - shared_pages : 0; }
    std::span<const TokenId> unfed() const { return std::span(tokens).subspan(cache->size()); }
};

Scheduler::Scheduler(const Engine& engine, const SchedulerOptions& options)
    : engine_(engine),
      options_(options),
      context_(choose_context(options.context, engine.info())),
      page_limit_(options.parallel * KvCache::pages_for(context_)) {
    if (options_.parallel == 0 || options_.parallel > engine.info().batch)
        sluice::fail(ErrorCode::invalid_argument, "expected --parallel from 1 to the batch of {}, found {}",
                     engine.info().batch, options_.parallel);
    options_.prefill_chunk = std::max(1u, options_.prefill_chunk);
    const uint64_t page_bytes =
        KvCache(KvLayout(engine_.impl()->params, to_format(options_.kv_type)), context_).page_bytes();
    engine_.impl()->check_room(
        page_limit_ * page_bytes,
        fmt::format("a KV cache for {} requests of {} tokens", options_.parallel, context_));
    stats_.kv_bytes_limit = page_limit_ * page_bytes;
    if (!options_.kv_disk.empty()) {
        const Engine::Impl& impl = *engine_.impl();
        const KvLayout layout(impl.params, to_format(options_.kv_type));
        disk_ = std::make_unique<KvDisk>(options_.kv_disk, options_.kv_disk_bytes,
                                         kv_scope(impl.file, layout, engine_.info().isa), page_bytes,
                                         options_.kv_disk_retry);
    }
    thread_ = std::thread([this] { main(); });
}

Scheduler::~Scheduler() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Scheduler::check(const Request& request) const {
    if (request.prompt.empty())
        sluice::fail(ErrorCode::invalid_argument, "expected a prompt of at least one token, found none");
    check_context(request.prompt.size(), context_, engine_.info());
    for (const TokenId token : request.prompt)
        if (token < 0 || uint32_t(token) >= engine_.info().n_vocab)
            sluice::fail(ErrorCode::invalid_argument, "expected token ids from 0 to {}, found {}",
                         engine_.info().n_vocab - 1, token);
}

Scheduler::Ticket Scheduler::submit(Request request) {
    std::vector<Request> one;
    one.push_back(std::move(request));
    return submit(std::move(one)).front();
}

std::vector<Scheduler::Ticket> Scheduler::submit(std::vector<Request> requests) {
    std::vector<std::unique_ptr<Job>> jobs;
    for (Request& request : requests) {
        check(request);
        auto job = std::make_unique<Job>();
        job->tokens = request.prompt;
        // Built now: options that cannot be are told to the caller, and the sampler's work on the prompt does
        // not delay a step.
        if (!request.embed) job->generation.emplace(*engine_.impl(), request.options, request.prompt);
        job->request = std::move(request);
        jobs.push_back(std::move(job));
    }
    std::vector<Ticket> tickets;
    {
        std::lock_guard lock(mutex_);
        if (stop_) sluice::fail(ErrorCode::busy, "the server is stopping");
        const size_t running = stats_.reading + stats_.answering;
        const size_t free = options_.parallel > running ? options_.parallel - running : 0;
        if (waiting_.size() + jobs.size() > free + options_.queue) {
            stats_.refused += jobs.size();
            sluice::fail(ErrorCode::busy, "{} requests wait already; try again later, or raise --queue",
                         waiting_.size());
        }
        for (auto& job : jobs) {
            tickets.push_back(Ticket(job->cancelled));
            waiting_.push_back(std::move(job));
        }
        stats_.waiting = waiting_.size();
    }
    changed_.notify_all();
    return tickets;
}

SchedulerStats Scheduler::stats() const {
    SchedulerStats stats;
    {
        std::lock_guard lock(mutex_);
        stats = stats_;
    }
    if (disk_) stats.kv_disk = disk_->stats();
    return stats;
}

std::vector<std::string> Scheduler::take_notices() {
    return disk_ ? disk_->take_notices() : std::vector<std::string>();
}

bool Scheduler::idle() const {
    std::lock_guard lock(mutex_);
    return waiting_.empty() && stats_.reading + stats_.answering == 0;
}

void Scheduler::main() {
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            if (active_.empty() && waiting_.empty() && !stop_) {
                last_decode_ = {};
                lock.unlock();
                if (engine_.impl()->usage) engine_.impl()->usage->rest();
                lock.lock();
                changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
            }
            if (stop_) {
                for (const auto& job : waiting_) *job->cancelled = true;
                for (const auto& job : active_) *job->cancelled = true;
                if (waiting_.empty() && active_.empty()) return;
            }
        }
        cancel_waiting();
        admit();
        tell_waiting();
        if (!active_.empty()) step();
        drop_ended();
        publish();
    }
}

void Scheduler::cancel_waiting() {
    std::vector<std::unique_ptr<Job>> gone;
    {
        std::lock_guard lock(mutex_);
        for (auto& job : waiting_)
            if (*job->cancelled) gone.push_back(std::move(job));
        std::erase(waiting_, nullptr);
        stats_.waiting = waiting_.size();
    }
    for (const auto& job : gone) {
        job->started = job->read = Clock::now();
        finish(*job, StopReason::cancelled, {});
    }
}

/// Only this thread takes jobs out of the queue, so they stay while their askers are told.
void Scheduler::tell_waiting() {
    std::vector<Job*> jobs;
    {
        std::lock_guard lock(mutex_);
        for (const auto& job : waiting_) jobs.push_back(job.get());
    }
    for (size_t i = 0; i < jobs.size(); ++i)
        if (jobs[i]->told_before != i) {
            jobs[i]->told_before = i;
            tell(*jobs[i], RequestWaiting{i});
        }
}

/// The highest priority first; of equal ones whoever has least running, then whose last turn is longest ago,
/// then who came first. Requests whose beginning is just being computed by another wait for it.
bool Scheduler::next_waiting(size_t& index) const {
    std::map<std::string_view, uint64_t> running;
    for (const auto& job : active_) ++running[job->request.key];
    const auto rank = [&](const Job& job) {
        const auto last = last_turn_.find(job.request.key);
        const auto now = running.find(job.request.key);
        return std::tuple(-int64_t(job.request.priority), now == running.end() ? 0 : now->second,
                          last == last_turn_.end() ? 0 : last->second);
    };
    bool found = false;
    for (size_t i = 0; i < waiting_.size(); ++i)
        if ((!found || rank(*waiting_[i]) < rank(*waiting_[index])) && !will_share_more(*waiting_[i]))
            index = i, found = true;
    return found;
}

/// A prompt that is being read begins like this one, for longer than what is at hand.
bool Scheduler::will_share_more(const Job& job) const {
    if (job.request.embed) return false;
    const std::span<const TokenId> prompt = job.request.prompt;
    uint32_t held = 0;
    bool held_known = false;
    for (const auto& other : active_) {
        if (other->ended || other->request.embed || !other->reading()) continue;
        const size_t same = common_prefix(prompt, other->request.prompt);
        if (same < KvCache::page_tokens) continue;
        if (!held_known) held = prefixes_.length(prompt), held_known = true;
        if (same / KvCache::page_tokens > held / KvCache::page_tokens) return true;
    }
    return false;
}

void Scheduler::admit() {
    while (active_.size() < options_.parallel) {
        std::unique_ptr<Job> job;
        {
            std::lock_guard lock(mutex_);
            size_t index = 0;
            if (!next_waiting(index)) return;
            job = std::move(waiting_[index]);
            waiting_.erase(waiting_.begin() + ptrdiff_t(index));
            stats_.waiting = waiting_.size();
            ++stats_.reading;
        }
        start(std::move(job));
    }
}

void Scheduler::start(std::unique_ptr<Job> job) {
    constexpr size_t most_askers = 10000;
    if (last_turn_.size() > most_askers) last_turn_.clear();
    last_turn_[job->request.key] = ++turns_;
    job->started = Clock::now();
    job->cache.emplace(KvLayout(engine_.impl()->params, to_format(options_.kv_type)), context_);
    active_.push_back(std::move(job));
    Job& j = *active_.back();
    if (j.request.embed) {
        j.hidden_sum.assign(engine_.info().n_embd, 0.0f);
        return;
    }
    // The logits after the last token are wanted: it is always computed.
    const std::span<const TokenId> prompt = j.request.prompt;
    PrefixCache::Match match = prefixes_.find(prompt.first(prompt.size() - 1));
    const uint32_t full = match.tokens / KvCache::page_tokens * KvCache::page_tokens;
    j.restoring = disk_ && full + KvCache::page_tokens < prompt.size() &&
                  disk_->has(prompt.first(full + KvCache::page_tokens));
    if (j.restoring) match.tokens = full;
    try {
        if (match.tokens % KvCache::page_tokens) make_room(1);
        j.cache->adopt(match.pages, match.tokens);
        j.shared_pages = match.tokens / KvCache::page_tokens;
        j.reused = match.tokens;
    } catch (const Error& e) {
        fail(j, e.code(), e.what());
    }
}

/// Pages that requests take come from those kept for later ones.
void Scheduler::make_room(uint64_t pages) {
    uint64_t held = prefixes_.pages();
    for (const auto& job : active_) held += job->own_pages();
    if (held + pages <= page_limit_) return;
    const uint64_t more = held + pages - page_limit_, given = prefixes_.evict(more);
    if (given >= more || !disk_) return;
    disk_->give_up_queue();  // the pages that wait there cannot be evicted
    prefixes_.evict(more - given);
}

bool Scheduler::add_feed(Job& job, std::span<const TokenId> tokens, std::vector<Feed>& feeds,
                         std::vector<Job*>& jobs) {
    KvCache& cache = *job.cache;
    try {
        const uint64_t after = cache.size() + tokens.size();
        make_room(KvCache::pages_for(after) -
                  std::min(KvCache::pages_for(after), uint64_t(cache.pages().size())));
        cache.reserve(uint32_t(after));
    } catch (const Error& e) {
        fail(job, e.code(), e.what());
        return false;
    }
    job.logits.clear();
    const bool last = cache.size() + tokens.size() == job.tokens.size() && !job.request.embed;
    feeds.push_back({{&cache, tokens, last ? WantLogits::last : WantLogits::none,
                      job.request.embed ? job.hidden_sum.data() : nullptr},
                     &job.logits});
    jobs.push_back(&job);
    return true;
}

/// One token of every answer, then parts of prompts.
std::vector<Feed> Scheduler::plan(std::vector<Job*>& jobs) {
    std::vector<Feed> feeds;
    for (const auto& job : active_)
        if (!job->ended && !job->reading()) add_feed(*job, job->unfed(), feeds, jobs);
    add_prefill(feeds, jobs);
    return feeds;
}

/// The room is shared equally; what one does not need goes to those after it.
void Scheduler::add_prefill(std::vector<Feed>& feeds, std::vector<Job*>& jobs) {
    std::vector<Job*> readers;
    for (const auto& job : active_)
        if (!job->ended && !job->restoring && job->reading()) readers.push_back(job.get());
    if (readers.empty()) return;
    const uint32_t batch = engine_.info().batch;
    uint32_t room = batch - std::min(batch, uint32_t(feeds.size()));
    if (!feeds.empty()) room = std::min(room, options_.prefill_chunk);
    ++first_to_read_;
    for (size_t i = 0; i < readers.size() && room > 0; ++i) {
        Job& job = *readers[(first_to_read_ + i) % readers.size()];
        const uint32_t share = std::max<uint32_t>(1, room / uint32_t(readers.size() - i));
        const auto rest = job.unfed();
        const uint32_t n = std::min<uint32_t>(share, uint32_t(rest.size()));
        if (add_feed(job, rest.first(n), feeds, jobs)) room -= n;
    }
}

/// A few pages a step, so that others' answers go on.
void Scheduler::restore() {
    uint64_t room = 32 << 20;
    for (const auto& job : active_)
        if (!job->ended && job->restoring) restore(*job, room);
}

void Scheduler::restore(Job& job, uint64_t& room) {
    KvCache& cache = *job.cache;
    const std::span<const TokenId> prompt = job.request.prompt;
    const uint64_t page = cache.page_bytes();
    for (bool first = true; first || room >= page; first = false) {
        const size_t after = cache.size() + KvCache::page_tokens;
        KvPage found;
        try {
            if (after < prompt.size()) {  // the logits after the last token are wanted
                make_room(1);
                found = disk_->read(prompt.first(after));
            }
        } catch (const Error&) {  // no memory: what computes the page will say so
        }
        if (!found) {
            job.restoring = false;
            return;
        }
        cache.adopt_next(std::move(found));
        job.reused += KvCache::page_tokens;
        room -= std::min(room, page);
        tell(job, RequestProgress{cache.size(), prompt.size()});
    }
}

void Scheduler::step() {
    if (disk_) restore();
    for (const auto& job : active_)
        if (!job->ended && *job->cancelled) finish(*job, StopReason::cancelled, {});
    std::vector<Job*> jobs;
    const std::vector<Feed> feeds = plan(jobs);
    if (feeds.empty()) return;
    StepStats cost;
    try {
        cost = engine_.impl()->passes.run(feeds, jobs.size() == 1 ? jobs.front()->cancelled.get() : nullptr);
    } catch (const Error& e) {
        for (Job* job : jobs)
            if (e.code() == ErrorCode::cancelled)
                finish(*job, StopReason::cancelled, {});
            else
                fail(*job, e.code(), e.what());
        return;
    } catch (const std::exception& e) {
        for (Job* job : jobs) fail(*job, ErrorCode::internal, e.what());
        return;
    }
    const bool decoding =
        std::any_of(jobs.begin(), jobs.end(), [](const Job* j) { return !j->read_prompt(); });
    count_step(cost, decoding);
    for (size_t i = 0; i < jobs.size(); ++i) after_step(*jobs[i], uint32_t(feeds[i].segment.tokens.size()));
}

void Scheduler::count_step(const StepStats& cost, bool decoding) {
    const auto now = Clock::now();
    std::lock_guard lock(mutex_);
    ++stats_.steps;
    stats_.step_seconds += cost.seconds;
    stats_.stream += cost.stream;
    if (decoding) {
        ++stats_.decode_steps;
        stats_.decode_step_seconds += cost.seconds;
        stats_.decode_wait_seconds += cost.stream.wait_seconds;
        stats_.decode_busy_seconds +=
            last_decode_ == Clock::time_point() ? cost.seconds : seconds_between(last_decode_, now);
    }
    last_decode_ = decoding ? now : Clock::time_point();
}

void Scheduler::after_step(Job& job, uint32_t tokens) {
    if (job.read_prompt()) {
        {
            std::lock_guard lock(mutex_);
            stats_.prompt_tokens += tokens;
        }
        tell(job, RequestProgress{job.cache->size(), job.request.prompt.size()});
        if (job.reading()) return;
        job.read = Clock::now();
        if (job.request.embed) {
            finish(job, StopReason::end_token, {});
            return;
        }
        // Others with the same beginning need not wait for the answer.
        const uint32_t full = job.cache->size() / KvCache::page_tokens;
        prefixes_.insert(std::span(job.tokens).first(full * KvCache::page_tokens),
                         job.cache->pages_to_share().first(full));
        job.shared_pages = full;
        keep(job, full);
    }
    try {
        answer(job);
    } catch (const Error& e) {
        fail(job, e.code(), e.what());
    }
}

void Scheduler::answer(Job& job) {
    const Generation::Step step = job.generation->next(job.logits, context_ - job.cache->size());
    if (step.token) {
        job.tokens.push_back(*step.token);
        std::lock_guard lock(mutex_);
        ++stats_.generated_tokens;
    }
    if (step.token) tell(job, step);
    if (job.ended) return;
    if (step.stop) finish(job, *step.stop, job.generation->finish());
}

void Scheduler::finish(Job& job, StopReason reason, std::string text) {
    if (job.ended) return;
    job.ended = true;
    const auto now = Clock::now();
    RequestDone done;
    done.reason = reason;
    done.text = std::move(text);
    if (job.generation) done.stop_text = job.generation->stop_text();
    done.prompt_tokens = job.request.prompt.size();
    done.reused_tokens = job.reused;
    done.generated_tokens = job.generation ? job.generation->tokens().size() : 0;
    done.queue_seconds = seconds_between(job.arrived, job.started);
    const bool was_read = job.read != Clock::time_point();
    done.prefill_seconds = seconds_between(job.started, was_read ? job.read : now);
    done.decode_seconds = was_read ? seconds_between(job.read, now) : 0;
    if (job.request.embed && reason == StopReason::end_token) {
        double sum = 0;
        for (const float x : job.hidden_sum) sum += double(x) * x;
        const double scale = sum > 0 ? 1 / std::sqrt(sum) : 0;
        for (const float x : job.hidden_sum) done.embedding.push_back(float(x * scale));
    }
    release(job);
    {
        std::lock_guard lock(mutex_);
        ++(reason == StopReason::cancelled ? stats_.cancelled : stats_.finished);
        stats_.reused_tokens += job.reused;
    }
    publish();  // first, so that its asker's next request finds its place free
    tell(job, done);
}

void Scheduler::fail(Job& job, ErrorCode code, const std::string& sentence) {
    if (job.ended) return;
    job.ended = true;
    release(job);
    {
        std::lock_guard lock(mutex_);
        ++stats_.failed;
    }
    publish();
    tell(job, RequestFailed{code, sentence});
}

/// What was computed stays for requests that begin alike.
void Scheduler::release(Job& job) {
    if (!job.cache) return;
    if (!job.request.embed && job.cache->size() > 0) {
        prefixes_.insert(std::span(job.tokens).first(job.cache->size()), job.cache->pages_to_share());
        keep(job, job.cache->size() / KvCache::page_tokens);
    }
    job.cache.reset();
}

void Scheduler::keep(Job& job, uint32_t full_pages) {
    if (!disk_ || full_pages == 0) return;
    disk_->write(std::span(job.tokens).first(size_t(full_pages) * KvCache::page_tokens),
                 job.cache->pages().first(full_pages));
}

void Scheduler::tell(Job& job, const RequestEvent& event) {
    if (!job.request.on_event) return;
    try {
        job.request.on_event(event);
    } catch (...) {
        *job.cancelled = true;  // whoever asked cannot take the answer
    }
}

void Scheduler::drop_ended() {
    std::erase_if(active_, [](const auto& job) { return job->ended; });
}

void Scheduler::publish() {
    uint64_t pages = 0;
    std::vector<RequestStatus> running;
    for (const auto& job : active_) {
        if (job->ended) continue;
        pages += job->own_pages();
        RequestStatus r;
        r.id = job->request.id;
        r.state = job->reading() ? RequestStatus::State::prefill : RequestStatus::State::decode;
        r.prompt_tokens = job->request.prompt.size();
        r.processed = std::min<uint64_t>(job->cache->size(), r.prompt_tokens);
        r.generated = job->tokens.size() - job->request.prompt.size();
        if (!job->reading()) r.decode_seconds = seconds_between(job->read, Clock::now());
        running.push_back(std::move(r));
    }
    const uint64_t page_bytes = stats_.kv_bytes_limit / page_limit_;
    std::lock_guard lock(mutex_);
    running_ = std::move(running);
    stats_.reading = uint64_t(std::count_if(running_.begin(), running_.end(), [](const RequestStatus& r) {
        return r.state == RequestStatus::State::prefill;
    }));
    stats_.answering = running_.size() - stats_.reading;
    stats_.kv_bytes_used = pages * page_bytes;
    stats_.kv_bytes_cached = prefixes_.pages() * page_bytes;
}

std::vector<RequestStatus> Scheduler::status() const {
    std::lock_guard lock(mutex_);
    std::vector<RequestStatus> all = running_;
    for (const auto& job : waiting_)
        all.push_back({.id = job->request.id, .prompt_tokens = job->request.prompt.size()});
    return all;
}

}  // namespace sluice
