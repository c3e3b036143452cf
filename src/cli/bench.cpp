// sluice bench: tokens per second of prompts and answers, repeated, with their spread.
#include <algorithm>
#include <memory>
#include <optional>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/bench_tests.h"
#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/figures.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/fail.h"
#include "core/machine.h"
#include "core/sizes.h"
#include "model/hparams.h"

namespace sluice::cli {

namespace {

using Json = nlohmann::ordered_json;

struct BenchFlags {
    std::string model, format = "text";
    std::vector<uint32_t> prompts{512}, answers{32}, depths{0};
    uint32_t repetitions = 3;
    bool warm_up = true;
    EngineFlags engine;
};

/// Memory is planned for the longest test, no more, and what cannot fit is said before weights are read.
uint32_t context_of(const BenchFlags& f, const std::vector<BenchTest>& tests) {
    uint64_t longest = 0;
    const BenchTest* test = nullptr;
    for (const BenchTest& t : tests)
        if (uint64_t(t.depth) + t.tokens > longest) longest = uint64_t(t.depth) + t.tokens, test = &t;
    const uint32_t limit = HyperParams::from(GgufFile::open(find_model(f.model))).context_length;
    if (longest > limit)
        fail(ErrorCode::invalid_argument, "{} needs a context of {} tokens and the model's limit is {}",
             test->name(), longest, limit);
    if (f.engine.context && longest > f.engine.context)
        fail(ErrorCode::invalid_argument, "{} needs a context of {} tokens and --ctx is {}; raise it",
             test->name(), longest, f.engine.context);
    return f.engine.context ? f.engine.context : uint32_t(longest);
}

std::string short_count(uint64_t n) {
    return n >= 1'000'000'000 ? fmt::format("{:.1f}B", double(n) / 1e9)
                              : fmt::format("{:.1f}M", double(n) / 1e6);
}

/// Rows as they are finished, under a header that says what was measured where.
class Report {
  public:
    Report(const Engine& engine, const BenchFlags& flags) : engine_(engine), flags_(flags) {}
    virtual ~Report() = default;
    virtual void begin(const std::vector<BenchTest>& tests) = 0;
    virtual void row(const BenchResult& result) = 0;
    virtual void end() {}

  protected:
    std::string machine_line() const {
        const EngineInfo& i = engine_.info();
        return fmt::format("{}, {}, {} thread{}", processor_name(), i.isa, i.threads,
                           i.threads == 1 ? "" : "s");
    }
    std::string model_line() const {
        const EngineInfo& i = engine_.info();
        std::string line =
            fmt::format("{}, {} parameters, {}, KV {}, batch {}", one_line(i.name), short_count(i.parameters),
                        human_bytes(i.file_bytes), flags_.engine.kv_type, i.batch);
        if (i.streams) line += ", " + i.residency;
        return line;
    }
    std::string drive(const BenchResult& r) const {
        return engine_.info().streams ? stream_text(r.stream, r.total_seconds()) : "";
    }
    static std::string spread(const BenchResult& r) { return "± " + rate_text(r.deviation()); }

    const Engine& engine_;
    const BenchFlags& flags_;
};

class TextReport : public Report {
  public:
    using Report::Report;
    void begin(const std::vector<BenchTest>& tests) override {
        for (const BenchTest& t : tests) width_ = std::max(width_, t.name().size());
        write_output(fmt::format("{}\n{}\n\n{:<{}}  {:>9}\n", machine_line(), model_line(), "test", width_,
                                 "tokens/s"));
    }
    void row(const BenchResult& r) override {
        const std::string streamed = drive(r);
        write_output(fmt::format("{:<{}}  {:>9}  {}{}\n", r.test.name(), width_, rate_text(r.mean()),
                                 spread(r), streamed.empty() ? "" : "  drive " + streamed));
    }

  private:
    size_t width_ = 4;
};

class MarkdownReport : public Report {
  public:
    using Report::Report;
    void begin(const std::vector<BenchTest>&) override {
        const bool streams = engine_.info().streams;
        write_output(fmt::format("{}; {}\n\n| test | tokens/s | spread |{}\n|---|---:|---:|{}\n",
                                 machine_line(), model_line(), streams ? " drive |" : "",
                                 streams ? "---|" : ""));
    }
    void row(const BenchResult& r) override {
        const std::string streamed = drive(r);
        write_output(fmt::format("| {} | {} | {} |{}\n", r.test.name(), rate_text(r.mean()), spread(r),
                                 streamed.empty() ? "" : " " + streamed + " |"));
    }
};

class JsonReport : public Report {
  public:
    using Report::Report;
    void begin(const std::vector<BenchTest>&) override {}
    void row(const BenchResult& r) override {
        Json j = {{"test", r.test.name()},
                  {"kind", r.test.kind == BenchTest::Kind::prompt ? "prompt" : "answer"},
                  {"tokens", r.test.tokens},
                  {"depth", r.test.depth},
                  {"tokens_per_second", r.mean()},
                  {"stddev", r.deviation()},
                  {"samples", r.rates()},
                  {"seconds", r.seconds}};
        if (engine_.info().streams) j["stream"] = stream_json(r.stream, r.total_seconds());
        tests_.push_back(std::move(j));
    }
    void end() override {
        const EngineInfo& i = engine_.info();
        const Json j = {
            {"version", SLUICE_VERSION},
            {"machine", {{"processor", processor_name()}, {"isa", i.isa}, {"threads", i.threads}}},
            {"model",
             {{"name", i.name},
              {"path", i.path},
              {"architecture", i.architecture},
              {"parameters", i.parameters},
              {"active_parameters", i.active_parameters},
              {"file_bytes", i.file_bytes}}},
            {"settings",
             {{"kv_type", flags_.engine.kv_type},
              {"batch", i.batch},
              {"context", i.context},
              {"ram_bytes", i.ram_limit},
              {"residency", i.residency},
              {"repetitions", flags_.repetitions}}},
            {"tests", tests_}};
        write_output(j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    }

  private:
    Json tests_ = Json::array();
};

std::unique_ptr<Report> make_report(const Engine& engine, const BenchFlags& f) {
    if (f.format == "json") return std::make_unique<JsonReport>(engine, f);
    if (f.format == "md") return std::make_unique<MarkdownReport>(engine, f);
    return std::make_unique<TextReport>(engine, f);
}

int run(const BenchFlags& f) {
    const auto tests = bench_tests(f.prompts, f.answers, f.depths);
    if (tests.empty()) throw UsageError("nothing to measure: expected a -p or -n above 0");
    EngineFlags flags = f.engine;
    flags.context = context_of(f, tests);
    flags.learn = false;  // random tokens say nothing of the user's work
    const Engine engine = open_engine(f.model, flags);
    BenchRunner runner(engine, flags.session_options(), {f.repetitions, f.warm_up});
    const auto report = make_report(engine, f);
    report->begin(tests);
    for (const BenchTest& test : tests) {
        report->row(runner.run(test));
        show_notices(engine);
    }
    report->end();
    return exit_ok;
}

}  // namespace

void add_bench(CLI::App& app, Action& chosen) {
    auto f = std::make_shared<BenchFlags>();
    CLI::App* command = app.add_subcommand("bench", "Measure tokens per second of prompts and answers");
    command->add_option("MODEL", f->model, "A GGUF file or a model's name")->required()->type_name("");
    const auto list = [&](const char* name, std::vector<uint32_t>& values, const char* help) {
        command->add_option(name, values, help)
            ->delimiter(',')
            ->allow_extra_args(false)
            ->check(CLI::Range(0u, 1u << 30).description(""))
            ->type_name("N");
    };
    list("-p,--n-prompt", f->prompts, "Lengths of prompts; 0 leaves them out (default: 512)");
    list("-n,--n-gen", f->answers, "Lengths of answers; 0 leaves them out (default: 32)");
    list("-d,--n-depth", f->depths, "Tokens in the cache before each test (default: 0)");
    command->add_option("-r,--repetitions", f->repetitions, "How often each test is measured (default: 3)")
        ->check(CLI::Range(1u, 10000u).description(""))
        ->type_name("N");
    command->add_flag("!--no-warm-up", f->warm_up, "Measure at once, without a short run before each test");
    command->add_option("--format", f->format, "text, md (a Markdown table) or json (with every sample)")
        ->check(CLI::IsMember({"text", "md", "json"}).description(""))
        ->type_name("FORMAT");
    f->engine.add_to(*command);
    command->footer("Example:\n  sluice bench rill -p 512,2048 -n 32 -d 0,1024");
    command->callback([f, &chosen] { chosen = [f] { return run(*f); }; });
}

}  // namespace sluice::cli
