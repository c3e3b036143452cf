#include "cli/step_log.h"

#include <nlohmann/json.hpp>

#include "cli/figures.h"

namespace sluice::cli {

namespace {

std::string line(const nlohmann::ordered_json& json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

nlohmann::ordered_json cost_json(std::string_view kind, uint64_t tokens, double seconds,
                                 const StreamStats& stream) {
    nlohmann::ordered_json json = {{"kind", kind}, {"tokens", tokens}, {"seconds", seconds}};
    json.update(stream_json(stream, seconds));
    return json;
}

}  // namespace

StepLog::StepLog(const std::string& file, const Engine& engine) {
    if (file.empty()) return;
    file_.emplace(file);
    const EngineInfo& i = engine.info();
    file_->write(line({{"kind", "engine"},
                       {"model", i.name},
                       {"file_bytes", i.file_bytes},
                       {"weight_bytes", i.weight_bytes},
                       {"experts", i.residency},
                       {"io", i.io},
                       {"isa", i.isa},
                       {"threads", i.threads},
                       {"context", i.context},
                       {"batch", i.batch},
                       {"load_seconds", i.load_seconds}}));
}

SessionOptions StepLog::observe(SessionOptions options) {
    if (file_) options.on_step = [this](const StepStats& step) { write(step); };
    return options;
}

void StepLog::write(const StepStats& step) {
    file_->write(
        line(cost_json(step.decoding ? "decode" : "prefill", step.tokens, step.seconds, step.stream)));
}

void StepLog::commit(const SessionStats& s) {
    if (!file_) return;
    file_->write(line(
        cost_json("prefill total", s.prompt_tokens - s.reused_tokens, s.prefill_seconds, s.prefill_stream)));
    file_->write(line(cost_json("decode total", s.generated_tokens, s.decode_seconds, s.decode_stream)));
    file_->commit();
}

}  // namespace sluice::cli
