// The options that say how a model is opened and how a session keeps its context: shared by every command
// that runs one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "sluice/engine.h"

namespace sluice::cli {

struct EngineFlags {
    uint32_t threads = 0;
    std::string ram;
    uint32_t context = 0;
    std::string kv_type = "f16";
    std::string grammar_memory{};  // empty: the engine's choice
    uint32_t batch = 0;
    std::string isa, io, cache_policy, route_trace;
    std::vector<std::string> mirrors;
    bool look_ahead = true, learn = true, pin = false;
    uint32_t sequences = 1;               // not a flag of most commands
    std::vector<MemoryPart> set_aside{};  // no flag: what the command keeps beside the engine

    void add_to(CLI::App& command);
    EngineOptions engine_options() const;
    SessionOptions session_options() const;
};

/// Finds and opens a model; shows progress if that takes long, and the engine's notices, on standard error.
/// Throws cancelled on Ctrl-C.
Engine open_engine(const std::string& model, const EngineFlags& flags,
                   const std::function<void(const LoadProgress&)>& on_progress = {});

/// Shows what happened to the drives since the last call, on standard error.
void show_notices(const Engine& engine);

}  // namespace sluice::cli
