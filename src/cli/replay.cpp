// sluice replay: how a recorded trace would have fared with other cache sizes and policies.
#include "store/replay.h"

#include <algorithm>
#include <memory>
#include <sstream>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/line_chart.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "core/fail.h"
#include "core/sizes.h"

namespace sluice::cli {

namespace {

struct ReplayFlags {
    std::string trace, svg;
    std::vector<std::string> sizes, policies;
    uint64_t warm_up = 0;
    bool json = false;
};

struct Column {
    std::string name;
    std::vector<ReplayResult> results;  // one for each size
};

/// Sizes from what one pass uses up to everything.
std::vector<uint64_t> usual_sizes(const RouteTrace& trace) {
    std::vector<uint64_t> sizes;
    for (const double share : {0.03, 0.06, 0.12, 0.18, 0.25, 0.35, 0.5, 0.75, 1.0})
        sizes.push_back(uint64_t(share * double(trace.all_bytes())));
    return sizes;
}

std::vector<uint64_t> sizes_of(const ReplayFlags& f, const RouteTrace& trace) {
    if (f.sizes.empty()) return usual_sizes(trace);
    std::vector<uint64_t> sizes;
    for (const auto& s : f.sizes) sizes.push_back(parse_size(s));
    std::sort(sizes.begin(), sizes.end());
    return sizes;
}

std::vector<Column> simulate(const ReplayFlags& f, const RouteTrace& trace,
                             const std::vector<uint64_t>& sizes) {
    std::vector<std::string> names =
        f.policies.empty() ? std::vector<std::string>{"lru", "slru", "lfru"} : f.policies;
    Progress progress("replaying", Progress::Unit::tokens);
    uint64_t done = 0;
    const uint64_t all = (names.size() + 1) * sizes.size() * trace.accesses.size();
    std::vector<Column> columns;
    const auto column = [&](const std::string& name, const auto& run) {
        Column c{name, {}};
        for (const uint64_t bytes : sizes) {
            check_interrupt();
            c.results.push_back(run(slots_of(trace, bytes)));
            progress.update(done += trace.accesses.size(), all);
        }
        columns.push_back(std::move(c));
    };
    for (const auto& name : names) {
        const CachePolicy policy = parse_cache_policy(name);
        column(name, [&](uint32_t slots) { return replay(trace, policy, slots, f.warm_up); });
    }
    column("optimum", [&](uint32_t slots) { return replay_optimum(trace, slots, f.warm_up); });
    return columns;
}

double passes_counted(const RouteTrace& trace, const ReplayFlags& f) {
    const double share = double(trace.accesses.size() - f.warm_up) / double(trace.accesses.size());
    return std::max(1.0, double(trace.passes()) * share);
}

void print_table(const RouteTrace& trace, const ReplayFlags& f, const std::vector<uint64_t>& sizes,
                 const std::vector<Column>& columns) {
    std::string text =
        fmt::format("{}: {} passes, {} accesses, {} of experts\n\n", one_line(trace.model),
                    grouped(trace.passes()), grouped(trace.accesses.size()), human_bytes(trace.all_bytes()));
    text += fmt::format("{:>9} {:>9}", "cache", "experts");
    for (const Column& c : columns) text += fmt::format(" {:>9}", c.name);
    text += "   read for a pass\n";
    for (size_t i = 0; i < sizes.size(); ++i) {
        text += fmt::format("{:>9} {:>9}", human_bytes(sizes[i]), grouped(columns[0].results[i].slots));
        const ReplayResult* best = &columns[0].results[i];
        for (const Column& c : columns) {
            text += fmt::format(" {:>7.1f} %", 100 * c.results[i].hit_rate());
            if (&c != &columns.back() && c.results[i].hits > best->hits) best = &c.results[i];
        }
        text += fmt::format("   {}\n",
                            human_bytes(uint64_t(double(best->bytes_read) / passes_counted(trace, f))));
    }
    write_output(text);
}

void print_json(const RouteTrace& trace, const ReplayFlags& f, const std::vector<uint64_t>& sizes,
                const std::vector<Column>& columns) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Column& c : columns)
        for (size_t i = 0; i < sizes.size(); ++i)
            rows.push_back(
                {{"policy", c.name},
                 {"cache_bytes", sizes[i]},
                 {"slots", c.results[i].slots},
                 {"hits", c.results[i].hits},
                 {"misses", c.results[i].misses},
                 {"hit_rate", c.results[i].hit_rate()},
                 {"bytes_read_per_pass", double(c.results[i].bytes_read) / passes_counted(trace, f)}});
    const nlohmann::ordered_json json = {{"model", trace.model},
                                         {"passes", trace.passes()},
                                         {"all_bytes", trace.all_bytes()},
                                         {"results", rows}};
    write_output(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void write_svg(const RouteTrace& trace, const std::string& file, const std::vector<uint64_t>& sizes,
               const std::vector<Column>& columns) {
    LineChart chart;
    chart.title = "Hit rate over cache size: " + one_line(trace.model);
    chart.x_label = "memory for experts";
    chart.y_label = "hits";
    chart.x_text = [](double x) { return human_bytes(uint64_t(x)); };
    chart.y_text = [](double y) { return fmt::format("{:.0f} %", 100 * y); };
    for (const Column& c : columns) {
        ChartSeries s{c.name, {}, &c == &columns.back()};
        for (size_t i = 0; i < sizes.size(); ++i)
            s.points.emplace_back(double(sizes[i]), c.results[i].hit_rate());
        chart.series.push_back(std::move(s));
    }
    OutputFile out(file);
    out.write(to_svg(chart));
    out.commit();
}

int run(const ReplayFlags& f) {
    for (const auto& p : f.policies) parse_cache_policy(p);
    const RouteTrace trace = RouteTrace::read(f.trace);
    if (f.warm_up >= trace.accesses.size())
        fail(ErrorCode::invalid_argument, "expected --warm-up below the trace's {} accesses, found {}",
             trace.accesses.size(), f.warm_up);
    const auto sizes = sizes_of(f, trace);
    const auto columns = simulate(f, trace, sizes);
    if (!f.svg.empty()) write_svg(trace, f.svg, sizes, columns);
    if (f.json)
        print_json(trace, f, sizes, columns);
    else if (f.svg != "-")
        print_table(trace, f, sizes, columns);
    return exit_ok;
}

}  // namespace

void add_replay(CLI::App& app, Action& chosen) {
    auto f = std::make_shared<ReplayFlags>();
    CLI::App* command =
        app.add_subcommand("replay", "Replay a --route-trace through cache sizes and policies");
    command->add_option("TRACE", f->trace, "What --route-trace wrote")->required()->type_name("");
    command
        ->add_option("--cache", f->sizes,
                     "Memory for experts, such as 8G,16G (default: from 3 % of them to all)")
        ->delimiter(',')
        ->type_name("SIZES");
    command->add_option("--policy", f->policies, "Policies to compare, beside the optimum (default: all)")
        ->delimiter(',')
        ->type_name("NAMES");
    command->add_option("--warm-up", f->warm_up, "Accesses that fill the cache and are not counted")
        ->type_name("N");
    command->add_option("--svg", f->svg, "Draw hit rate over cache size; - is standard output")
        ->type_name("FILE");
    command->add_flag("--json", f->json, "Print one JSON object");
    command->footer(
        "The optimum knows the future (Belady 1966): no policy can beat it.\n"
        "Example:\n  sluice run r1.gguf -f questions.txt --route-trace r1.trace\n"
        "  sluice replay r1.trace --cache 16G,32G,64G --svg hits.svg");
    command->callback([f, &chosen] { chosen = [f] { return run(*f); }; });
}

}  // namespace sluice::cli
