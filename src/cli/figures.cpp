#include "cli/figures.h"

#include <fmt/format.h>

#include "cli/terminal.h"
#include "core/sizes.h"

namespace sluice::cli {

std::string rate_text(double per_second) {
    if (per_second >= 1000) return grouped(uint64_t(per_second + 0.5));
    return fmt::format("{:.{}f}", per_second, per_second >= 100 ? 0 : per_second >= 10 ? 1 : 2);
}

std::string seconds_text(double seconds) {
    if (seconds < 0.1) return fmt::format("{:.0f} ms", 1000 * seconds);
    return fmt::format("{:.{}f} s", seconds, seconds >= 10 ? 0 : 1);
}

std::string figures_line(const Figures& f) {
    const SessionStats s = f.session.stats();
    const MemoryUse m = f.session.memory();
    std::string line = fmt::format("load {} · prompt {}", seconds_text(f.engine.info().load_seconds),
                                   grouped(s.prompt_tokens));
    if (s.reused_tokens) line += fmt::format(" ({} cached)", grouped(s.reused_tokens));
    line += fmt::format(" at {}/s · answer {} at {}/s · memory {}, KV {} · {}",
                        rate_text(s.prefill_tokens_per_second()), grouped(s.generated_tokens),
                        rate_text(s.decode_tokens_per_second()), human_bytes(m.peak_rss), human_bytes(m.kv),
                        to_string(f.reason));
    if (f.sampled) line += fmt::format(" · seed {}", f.seed);
    return line;
}

nlohmann::ordered_json timings_json(const Figures& f) {
    const SessionStats s = f.session.stats();
    return {{"load_seconds", f.engine.info().load_seconds},
            {"prefill_seconds", s.prefill_seconds},
            {"decode_seconds", s.decode_seconds},
            {"prefill_tokens_per_second", s.prefill_tokens_per_second()},
            {"decode_tokens_per_second", s.decode_tokens_per_second()}};
}

nlohmann::ordered_json memory_json(const Figures& f) {
    const MemoryUse m = f.session.memory();
    return {{"weights_bytes", m.weights},
            {"kv_bytes", m.kv},
            {"scratch_bytes", m.scratch},
            {"peak_rss_bytes", m.peak_rss},
            {"kv_bytes_per_token", f.engine.kv_bytes_per_token(f.kv_type)}};
}

}  // namespace sluice::cli
