#include "cli/engine_flags.h"

#include <algorithm>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <fmt/format.h>

#include "cli/interrupt.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "core/sizes.h"

namespace sluice::cli {

namespace {

/// A check that turns the sentence of an Error into the parser's.
template <typename Parse>
CLI::Validator parsed_by(Parse parse) {
    return CLI::Validator(
        [parse](std::string& text) -> std::string {
            try {
                parse(text);
                return {};
            } catch (const Error& e) {
                return e.what();
            }
        },
        "");
}

/// The plan of the memory as a table: what the budget is spent on.
std::string plan_text(const EngineInfo& info) {
    std::string text;
    uint64_t sum = 0;
    for (const MemoryPart& part : info.plan) {
        text += fmt::format("  {:>8}  {}\n", human_bytes(part.bytes), part.what);
        sum += part.bytes;
    }
    return text + fmt::format("  {:>8}  planned, of {} that may be used\n", human_bytes(sum),
                              human_bytes(info.ram_limit));
}

/// A range that the help text does not repeat.
CLI::Validator number_in(uint32_t least, uint32_t most) {
    return CLI::Range(least, most).description("");
}

}  // namespace

void EngineFlags::add_to(CLI::App& command) {
    const char* group = "Model and memory";
    command.add_option("-t,--threads", threads, "Threads that compute (default: one for each physical core)")
        ->check(number_in(1u, 1024u))
        ->type_name("N")
        ->group(group);
    command
        .add_option("--ram", ram,
                    "All memory that may be used, such as 24G (default: what is free, less an eighth)")
        ->check(parsed_by([](const std::string& s) { parse_size(s); }))
        ->type_name("SIZE")
        ->group(group);
    command
        .add_option("-c,--ctx", context,
                    "Tokens of context (default: the model's limit; memory is taken as it fills)")
        ->check(number_in(1u, UINT32_MAX))
        ->type_name("N")
        ->group(group);
    command
        .add_option("--kv-type", kv_type,
                    "How the KV cache keeps its values: f32, f16 or q8_0 (default: f16)")
        ->check(parsed_by([](const std::string& s) { parse_kv_type(s); }))
        ->type_name("TYPE")
        ->group(group);
    command
        .add_option("-b,--batch", batch,
                    "Prompt tokens computed at once; changes speed, never tokens (default: from the memory)")
        ->check(number_in(1u, 1u << 20))
        ->type_name("N")
        ->group(group);
    command
        .add_option(
            "--grammar-memory", grammar_memory,
            "What compiled grammars, schemas and tools may take (default: 64M, or a 64th of the memory)")
        ->check(parsed_by([](const std::string& s) { parse_size(s); }))
        ->type_name("SIZE")
        ->group(group);
    command.add_flag("--pin", pin, "Keep each thread on a core of its own, the fastest first")->group(group);
    command.add_option("--isa", isa, "Instruction set of the kernels (default: the best this processor has)")
        ->check(parsed_by([](const std::string& s) { check_isa(s); }))
        ->type_name("NAME")
        ->group(group);
    const char* drive = "Drive";
    command
        .add_option(
            "--io", io,
            "How weights are read: uring, pread, buffered or mmap (default: the best the file system can)")
        ->check(parsed_by([](const std::string& s) { check_io(s); }))
        ->type_name("MODE")
        ->group(drive);
    command
        .add_option("--cache-policy", cache_policy,
                    "Which experts stay in memory: lru, slru or lfru (default: lfru)")
        ->check(parsed_by([](const std::string& s) { check_cache_policy(s); }))
        ->type_name("NAME")
        ->group(drive);
    command
        .add_flag("!--no-learn", learn,
                  "Neither remember which experts are used nor read at start what was used before")
        ->group(drive);
    command
        .add_flag("!--no-look-ahead", look_ahead,
                  "Do not read ahead what the next layer will probably need (by default, in idle drive time)")
        ->group(drive);
    command
        .add_option("--mirror", mirrors,
                    "A folder on another drive with a copy of some or all of the model's files: reads are "
                    "spread over the drives (repeatable)")
        ->type_name("DIR")
        ->allow_extra_args(false)
        ->group(drive);
    command
        .add_option("--route-trace", route_trace, "Write which experts the routers choose, for sluice replay")
        ->type_name("FILE")
        ->group(drive);
}

EngineOptions EngineFlags::engine_options() const {
    EngineOptions o;
    o.threads = threads;
    o.ram_bytes = ram.empty() ? 0 : parse_size(ram);
    o.context = context;
    o.kv_type = parse_kv_type(kv_type);
    o.batch = batch;
    o.isa = isa;
    o.pin = pin;
    o.io = io;
    o.cache_policy = cache_policy;
    o.look_ahead = look_ahead;
    o.route_trace = route_trace;
    o.mirrors = mirrors;
    o.learn = learn;
    o.sequences = sequences;
    o.constraint_bytes = grammar_memory.empty() ? 0 : std::max<uint64_t>(parse_size(grammar_memory), 1);
    o.set_aside = set_aside;
    return o;
}

SessionOptions EngineFlags::session_options() const {
    return {.context = context, .kv_type = parse_kv_type(kv_type), .batch = batch};
}

Engine open_engine(const std::string& model, const EngineFlags& flags,
                   const std::function<void(const LoadProgress&)>& on_progress) {
    EngineOptions options = flags.engine_options();
    Progress progress("reading weights", Progress::Unit::bytes);
    options.on_progress = [&](const LoadProgress& p) {
        progress.update(p.bytes_done, p.bytes_total);
        if (on_progress) on_progress(p);
        check_interrupt();
    };
    options.on_plan = [](const EngineInfo& info) {
        if (info.streams) write_error(dim(plan_text(info), Stream::error));
    };
    Engine engine = Engine::open(find_model(model).string(), options);
    progress.finish();
    for (const auto& notice : engine.info().notices)
        write_error(dim("note: " + terminal_safe(notice), Stream::error) + "\n");
    return engine;
}

void show_notices(const Engine& engine) {
    for (const auto& notice : engine.take_notices())
        write_error(dim("note: " + terminal_safe(notice), Stream::error) + "\n");
}

}  // namespace sluice::cli
