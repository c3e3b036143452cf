#include "cli/step_log.h"

#include "cli/figures.h"

namespace sluice::cli {

namespace {

nlohmann::ordered_json cost_json(std::string_view kind, const StepStats& s) {
    nlohmann::ordered_json json = {{"kind", kind}, {"tokens", s.tokens}, {"seconds", s.seconds}};
    json.update(stream_json(s.stream, s.seconds));
    return json;
}

}  // namespace

StepLog::StepLog(const std::string& file, const Engine& engine) {
    if (file.empty()) return;
    file_.emplace(file);
    const EngineInfo& i = engine.info();
    write({{"kind", "engine"},
           {"model", i.name},
           {"file_bytes", i.file_bytes},
           {"weight_bytes", i.weight_bytes},
           {"ram_bytes", i.ram_limit},
           {"experts", i.residency},
           {"cached_experts", i.cached_experts},
           {"total_experts", i.total_experts},
           {"cache_policy", i.cache_policy},
           {"io", i.io},
           {"drive_bytes_per_second", engine.stream_stats().drive_rate},
           {"isa", i.isa},
           {"threads", i.threads},
           {"context", i.context},
           {"batch", i.batch},
           {"load_seconds", i.load_seconds}});
}

SessionOptions StepLog::observe(SessionOptions options) {
    if (file_) options.on_step = [this](const StepStats& step) { take(step); };
    return options;
}

void StepLog::take(const StepStats& step) {
    StepStats& sum = step.decoding ? decode_ : prefill_;
    sum.tokens += step.tokens;
    sum.seconds += step.seconds;
    sum.stream += step.stream;
    write(cost_json(step.decoding ? "decode" : "prefill", step));
}

void StepLog::write(const nlohmann::ordered_json& line) {
    if (failed_) return;
    try {
        file_->write(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    } catch (const Error& e) {
        failed_ = e;
    }
}

void StepLog::commit() {
    if (!file_) return;
    write(cost_json("prefill total", prefill_));
    write(cost_json("decode total", decode_));
    if (failed_) throw *failed_;
    file_->commit();
}

}  // namespace sluice::cli
