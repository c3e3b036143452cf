#include "cli/figures.h"

#include <algorithm>

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

std::string stream_text(const StreamStats& d, double seconds) {
    return fmt::format("{} at {}/s, {:.0f} % hits, {:.0f} % waiting, {:.0f} % of the limit",
                       human_bytes(d.bytes_read), human_bytes(uint64_t(d.read_rate())), 100 * d.hit_rate(),
                       seconds > 0 ? 100 * d.wait_seconds / seconds : 0, 100 * d.share_of_limit(seconds));
}

namespace {

/// What streaming did for the answer (for the prompt if there is none); nothing if nothing was read.
std::string drive_text(const SessionStats& s) {
    const bool decoded = s.decode_stream.bytes_read > 0;
    const StreamStats& d = decoded ? s.decode_stream : s.prefill_stream;
    if (d.bytes_read == 0) return "";
    return " · drive " + stream_text(d, decoded ? s.decode_seconds : s.prefill_seconds);
}

}  // namespace

nlohmann::ordered_json stream_json(const StreamStats& d, double seconds) {
    return {{"hits", d.hits},
            {"misses", d.misses},
            {"bytes_read", d.bytes_read},
            {"read_seconds", d.read_seconds},
            {"read_bytes_per_second", d.read_rate()},
            {"drive_bytes_per_second", d.drive_rate},
            {"wait_seconds", d.wait_seconds},
            {"compute_seconds", seconds - d.wait_seconds},
            {"look_ahead",
             {{"read", d.guesses},
              {"useful", d.useful_guesses},
              {"wasted", d.guesses - std::min(d.guesses, d.useful_guesses)}}},
            {"warmed", {{"read", d.warmed}, {"useful", d.warmed_useful}}},
            {"share_of_limit", d.share_of_limit(seconds)}};
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
    line += drive_text(s);
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
