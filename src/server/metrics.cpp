#include "server/metrics.h"

#include <fmt/format.h>

#include "engine/impl.h"
#include "server/stats.h"

namespace sluice::server {

namespace {

class Page {
  public:
    void counter(std::string_view name, std::string_view help, double value) {
        add(name, "counter", help, value);
    }
    void gauge(std::string_view name, std::string_view help, double value) {
        add(name, "gauge", help, value);
    }
    std::string take() { return std::move(text_); }

  private:
    void add(std::string_view name, std::string_view type, std::string_view help, double value) {
        text_ += fmt::format("# HELP sluice_{0} {1}\n# TYPE sluice_{0} {2}\nsluice_{0} {3}\n", name, help,
                             type, value);
    }
    std::string text_;
};

}  // namespace

std::string metrics_text(ModelService& model, const HttpCounts& http) {
    const SchedulerStats s = model.scheduler().stats();
    const StreamStats stream = model.engine().stream_stats();
    Page p;
    p.gauge("requests_waiting", "Requests in the queue.", double(s.waiting));
    p.gauge("requests_prefill", "Requests whose prompt is read.", double(s.reading));
    p.gauge("requests_decode", "Requests that are answered.", double(s.answering));
    p.counter("requests_finished_total", "Answers that came to their end.", double(s.finished));
    p.counter("requests_cancelled_total", "Requests whose client left.", double(s.cancelled));
    p.counter("requests_failed_total", "Requests that failed while they ran.", double(s.failed));
    p.counter("requests_refused_total", "Requests the queue had no room for.", double(s.refused));
    p.counter("prompt_tokens_total", "Tokens of prompts that were computed.", double(s.prompt_tokens));
    p.counter("prompt_tokens_reused_total", "Tokens of prompts found in the cache.", double(s.reused_tokens));
    p.counter("generated_tokens_total", "Tokens of answers.", double(s.generated_tokens));
    p.counter("steps_total", "Forward passes.", double(s.steps));
    p.counter("step_seconds_total", "Time in forward passes.", s.step_seconds);
    p.gauge("kv_used_bytes", "KV cache of running requests.", double(s.kv_bytes_used));
    p.gauge("kv_cached_bytes", "KV cache kept for later requests.", double(s.kv_bytes_cached));
    p.gauge("kv_limit_bytes", "KV cache at most.", double(s.kv_bytes_limit));
    p.gauge("kv_disk_bytes", "KV pages on disk.", double(s.kv_disk.bytes));
    p.counter("kv_disk_pages_read_total", "KV pages read from disk.", double(s.kv_disk.read));
    p.counter("kv_disk_pages_written_total", "KV pages written to disk.", double(s.kv_disk.written));
    p.counter("kv_disk_pages_not_written_total", "KV pages that were not: too fast, or the disk failed.",
              double(s.kv_disk.not_written));
    p.counter("kv_disk_pages_damaged_total", "Files of KV pages that were removed: torn, cut or unreadable.",
              double(s.kv_disk.damaged));
    p.gauge("kv_disk_failing", "1 while KV pages cannot be written.", s.kv_disk.failure.empty() ? 0 : 1);
    const ConstraintStats forms = model.engine().impl()->constraints->stats();
    p.gauge("grammars_bytes", "Compiled grammars, schemas and tools.", double(forms.bytes));
    p.gauge("grammars_limit_bytes", "What they may take.", double(forms.limit));
    p.gauge("grammars_kept", "How many are kept.", double(forms.kept));
    p.counter("grammars_compiled_total", "Grammars that were compiled.", double(forms.compiled));
    p.counter("grammars_found_total", "Grammars that were found compiled.", double(forms.found));
    p.counter("grammars_evicted_total", "Compiled grammars that left for others.", double(forms.evicted));
    p.gauge("responses_bytes", "Answers kept for previous_response_id.", double(http.responses_bytes));
    p.counter("experts_hit_total", "Routed experts that were in memory.", double(stream.hits));
    p.counter("experts_missed_total", "Routed experts that were read from the drive.", double(stream.misses));
    p.counter("drive_read_bytes_total", "Bytes of experts read.", double(stream.bytes_read));
    p.counter("drive_read_seconds_total", "Time with a read in flight.", stream.read_seconds);
    p.counter("drive_wait_seconds_total", "Time the cores waited for the drive.", stream.wait_seconds);
    p.gauge("weight_bytes", "Weights in memory.", double(model.engine().info().weight_bytes));
    p.gauge("resident_bytes", "Resident memory of the process.", double(resident_bytes()));
    p.gauge("http_connections", "Open connections.", double(http.connections));
    p.counter("http_requests_total", "HTTP requests received.", double(http.requests));
    p.counter("http_refused_total", "HTTP requests refused before they reached the model.",
              double(http.refused));
    return p.take();
}

}  // namespace sluice::server
