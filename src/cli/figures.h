// What an answer cost: the line of figures under it, and the same as JSON.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "sluice/engine.h"

namespace sluice::cli {

struct Figures {
    const Engine& engine;
    const Session& session;
    KvType kv_type;
    uint64_t seed;
    bool sampled;  // the seed mattered
    StopReason reason;
};

/// One line: load time, tokens of prompt and answer with their rates per second, peak memory of the process,
/// KV bytes; if experts were streamed, what the drive did.
std::string figures_line(const Figures& f);
/// What streaming did in `seconds` of work: "1.2 GB at 3.4 GB/s, 81 % hits, 40 % waiting, 92 % of the limit".
std::string stream_text(const StreamStats& stream, double seconds);
/// The same, and more.
nlohmann::ordered_json stream_json(const StreamStats& stream, double seconds);
nlohmann::ordered_json timings_json(const Figures& f);
nlohmann::ordered_json memory_json(const Figures& f);

/// 1234.5 as "1,234", 56.78 as "56.8", 2.345 as "2.35".
std::string rate_text(double per_second);
/// "20 ms", "3.2 s", "41 s"
std::string seconds_text(double seconds);

}  // namespace sluice::cli
