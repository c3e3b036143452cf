#include "server/stats.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include <unistd.h>

#include "engine/impl.h"
#include "server/base64.h"
#include "server/json_fields.h"

namespace sluice::server {

namespace {

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
}

const char* state_name(RequestStatus::State state) {
    switch (state) {
        case RequestStatus::State::queued:
            return "queued";
        case RequestStatus::State::prefill:
            return "prefill";
        case RequestStatus::State::decode:
            break;
    }
    return "decode";
}

Json memory_json(ModelService& model, const SchedulerStats& s, uint64_t responses) {
    const Engine::Impl& engine = *model.engine().impl();
    const StorePlan& plan = engine.store->plan();
    const uint64_t in_memory = engine.store->bytes(), dense = std::min(in_memory, plan.dense_bytes);
    const uint64_t experts = std::min(in_memory - dense, plan.all_expert_bytes);
    const uint64_t kv = s.kv_bytes_used + s.kv_bytes_cached, scratch = engine.scratch_bytes;
    const uint64_t grammars = engine.constraints->stats().bytes;
    const uint64_t counted = dense + experts + kv + scratch + grammars + responses,
                   resident = resident_bytes();
    Json ram = {{"name", "RAM"}, {"capacity", model.engine().info().ram_limit}, {"parts", Json::array()}};
    const auto part = [](Json& tier, const char* name, uint64_t bytes) {
        if (bytes) tier["parts"].push_back({{"name", name}, {"bytes", bytes}});
    };
    part(ram, "dense", dense);
    part(ram, "experts", experts);
    part(ram, "kv", kv);
    part(ram, "scratch", scratch);
    part(ram, "grammars", grammars);
    part(ram, "responses", responses);
    part(ram, "program", resident > counted ? resident - counted : 0);
    Json ssd = {{"name", "SSD"}, {"capacity", nullptr}, {"parts", Json::array()}};
    part(ssd, "dense", plan.dense_bytes - dense);
    part(ssd, "experts", plan.all_expert_bytes - experts);
    return {{"budget", model.engine().info().ram_limit}, {"tiers", {std::move(ram), std::move(ssd)}}};
}

Json sessions_json(ModelService& model) {
    Json sessions = Json::array();
    for (const RequestStatus& r : model.scheduler().status())
        sessions.push_back(
            {{"id", r.id},
             {"state", state_name(r.state)},
             {"prompt_tokens", r.prompt_tokens},
             {"processed", r.processed},
             {"generated", r.generated},
             {"tokens_per_second", r.decode_seconds > 0 ? double(r.generated) / r.decode_seconds : 0}});
    return sessions;
}

/// Compiled grammars, schemas and tools.
Json grammars_json(const ModelService& model) {
    const ConstraintStats c = model.engine().impl()->constraints->stats();
    return {{"kept", c.kept},   {"bytes", c.bytes},       {"limit", c.limit},
            {"found", c.found}, {"compiled", c.compiled}, {"evicted", c.evicted}};
}

/// Null without --kv-disk.
Json kv_disk_json(const ModelService& model, const KvDiskStats& d) {
    if (model.scheduler().options().kv_disk.empty()) return nullptr;
    return {{"pages", d.pages},     {"bytes", d.bytes},
            {"limit", d.limit},     {"read", d.read},
            {"written", d.written}, {"not_written", d.not_written},
            {"damaged", d.damaged}, {"failure", d.failure.empty() ? Json() : Json(d.failure)}};
}

}  // namespace

uint64_t resident_bytes() {
    std::ifstream in("/proc/self/statm");
    uint64_t size = 0, resident = 0;
    in >> size >> resident;
    return resident * uint64_t(sysconf(_SC_PAGESIZE));
}

StatsFeed::StatsFeed(std::function<uint64_t()> responses)
    : responses_(std::move(responses)), thread_([this] { main(); }) {}

StatsFeed::~StatsFeed() {
    stop();
    thread_.join();
}

void StatsFeed::use(std::shared_ptr<ModelService> model) {
    std::lock_guard lock(mutex_);
    model_ = std::move(model);
    last_ = take_sample();
}

void StatsFeed::join(const std::shared_ptr<Exchange>& exchange) {
    exchange->start_stream({.type = "text/event-stream",
                            .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}},
                           ": keep-alive\n\n");
    std::lock_guard lock(mutex_);
    if (stop_ || !model_) {
        exchange->finish();
        return;
    }
    Listener listener{exchange, last_};
    update_heat();
    exchange->write(text(listener, take_sample()));
    listeners_.push_back(std::move(listener));
}

void StatsFeed::stop() {
    std::lock_guard lock(mutex_);
    stop_ = true;
    for (const Listener& l : listeners_)
        if (const auto exchange = l.exchange.lock()) exchange->finish();
    listeners_.clear();
    changed_.notify_all();
}

void StatsFeed::main() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        changed_.wait_for(lock, std::chrono::seconds(1), [&] { return stop_; });
        if (stop_ || !model_) continue;
        const Sample now = take_sample();
        if (!listeners_.empty()) update_heat();
        std::erase_if(listeners_, [](const Listener& l) {
            const auto exchange = l.exchange.lock();
            return !exchange || exchange->gone();
        });
        for (Listener& l : listeners_)
            if (const auto exchange = l.exchange.lock()) exchange->write(text(l, now));
        last_ = now;
    }
}

StatsFeed::Sample StatsFeed::take_sample() const {
    return {Clock::now(), model_->scheduler().stats(), model_->engine().stream_stats()};
}

/// Between two looks about a second passes while anybody listens; who joins does not make it less.
void StatsFeed::update_heat() {
    const auto now = Clock::now();
    if (seconds_between(heat_at_, now) < 0.5) return;
    heat_at_ = now;
    experts_ = model_->engine().impl()->store->expert_heat();
    heat_.resize(experts_.demands.size());
    if (seen_demands_.empty()) seen_demands_ = experts_.demands;  // loading demanded all: that is no heat
    for (size_t i = 0; i < heat_.size(); ++i) {
        heat_[i] = heat_[i] * 0.977f + float(experts_.demands[i] - seen_demands_[i]);
        seen_demands_[i] = experts_.demands[i];
    }
}

std::string StatsFeed::text(Listener& listener, const Sample& now) const {
    ModelService& model = *model_;
    const EngineInfo& info = model.engine().info();
    const SchedulerStats& s = now.scheduler;
    const SchedulerStats& before = listener.previous->scheduler;
    const double seconds = std::max(seconds_between(listener.previous->at, now.at), 1e-3);
    const StreamStats stream = now.stream - listener.previous->stream;
    Json j;
    j["uptime"] = seconds_between(began_, now.at);
    j["rss"] = resident_bytes();
    j["model"] = {{"name", model.id()},
                  {"architecture", info.architecture},
                  {"layers", info.n_layers},
                  {"experts", info.n_experts},
                  {"experts_used", info.n_experts_used},
                  {"bytes", model.engine().impl()->store->plan().dense_bytes +
                                model.engine().impl()->store->plan().all_expert_bytes}};
    j["memory"] = memory_json(model, s, responses_());
    j["cache"] = nullptr;
    if (info.n_experts)
        j["cache"] = {
            {"hits", now.stream.hits},
            {"misses", now.stream.misses},
            {"guesses_useful", now.stream.useful_guesses},
            {"guesses_wasted", now.stream.guesses - std::min(now.stream.guesses, now.stream.useful_guesses)}};
    j["drive"] = {{"bytes_read", now.stream.bytes_read},
                  {"rate", uint64_t(double(stream.bytes_read) / seconds)},
                  {"limit", now.stream.drive_rate > 0 ? Json(uint64_t(now.stream.drive_rate)) : Json()}};
    j["tokens"] = {{"prefill_total", s.prompt_tokens},
                   {"decode_total", s.generated_tokens},
                   {"prefill_per_second", double(s.prompt_tokens - before.prompt_tokens) / seconds},
                   {"decode_per_second", double(s.generated_tokens - before.generated_tokens) / seconds}};
    j["time_per_token"] = nullptr;
    if (const double steps = double(s.decode_steps - before.decode_steps); steps > 0) {
        const double passes = s.decode_step_seconds - before.decode_step_seconds;
        const double drive = std::clamp(s.decode_wait_seconds - before.decode_wait_seconds, 0.0, passes);
        const double busy = std::max(s.decode_busy_seconds - before.decode_busy_seconds, passes);
        j["time_per_token"] = {{"drive", 1000 * drive / steps},
                               {"compute", 1000 * (passes - drive) / steps},
                               {"wait", 1000 * (busy - passes) / steps}};
    }
    j["queue"] = {{"active", s.reading + s.answering},
                  {"waiting", s.waiting},
                  {"limit", model.scheduler().options().queue}};
    j["sessions"] = sessions_json(model);
    j["grammars"] = grammars_json(model);
    j["kv_disk"] = kv_disk_json(model, s.kv_disk);
    if (!info.n_experts) {
        j["heat"] = nullptr;
    } else {
        const float most = std::max(1.0f, *std::max_element(heat_.begin(), heat_.end()));
        std::string data, tier;
        for (size_t i = 0; i < heat_.size(); ++i) {
            data += char(uint8_t(std::lround(255 * heat_[i] / most)));
            tier += char(experts_.in_memory[i]);
        }
        Json heat = {{"layers", experts_.layers},
                     {"experts", experts_.experts},
                     {"first_layer", experts_.first_layer},
                     {"data", base64(data)},
                     {"tier", base64(tier)}};
        if (std::string sent = dump(heat); sent != listener.heat) {
            listener.heat = std::move(sent);
            j["heat"] = std::move(heat);
        }
    }
    listener.previous = now;
    return "data: " + dump(j) + "\n\n";
}

}  // namespace sluice::server
