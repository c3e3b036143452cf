// sluice serve: one model for programs and browsers, over HTTP.
#include <chrono>
#include <csignal>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/fail.h"
#include "core/sizes.h"
#include "server/listen_socket.h"
#include "server/server.h"
#include "server/text_log.h"

namespace sluice::cli {

namespace {

struct ServeOptions {
    std::string model{bundled_model};
    std::string host = "127.0.0.1";
    uint16_t port = 8080;
    std::vector<std::string> aliases, api_keys, cors_origins, hosts;
    std::string api_key_file, tls_certificate, tls_key;
    bool insecure = false, quiet = false, log_prompts = false;
    uint32_t rate_limit = 0, drain_seconds = 60;
    std::string max_body = "32M", kv_disk_size = "20G";
    SchedulerOptions scheduler;
    EngineFlags engine;
};

std::string read_pem(const std::string& path) {
    std::ifstream in(path);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && text.empty()) fail(ErrorCode::io, "could not read {}", path);
    return text;
}

server::AccessOptions access_options(const ServeOptions& o) {
    server::AccessOptions a;
    if (!o.api_key_file.empty()) a.keys = server::read_api_keys(o.api_key_file);
    for (const auto& key : o.api_keys) {
        if (key.empty()) throw UsageError("expected an --api-key of at least one character, found none");
        a.keys.push_back({fmt::format("key{}", a.keys.size() + 1), key});
    }
    a.cors_origins = o.cors_origins;
    a.hosts = o.hosts;
    a.requests_per_minute = o.rate_limit;
    return a;
}

/// A server that others can reach must know who asks, unless its owner says that all may.
void check_reach(int listener, const server::AccessOptions& access, const ServeOptions& o) {
    if (server::is_loopback(listener) || !access.keys.empty() || o.insecure) return;
    throw UsageError(
        fmt::format("--host {} lets other machines reach the server: give it an --api-key or --api-key-file, "
                    "or say --insecure if everybody who reaches it may use it",
                    o.host));
}

std::string log_line(const std::string& line) {
    return fmt::format("time={:%Y-%m-%dT%H:%M:%SZ} {}\n", fmt::gmtime(std::time(nullptr)), line);
}

server::ServerOptions server_options(const ServeOptions& o) {
    server::ServerOptions s;
    s.access = access_options(o);
    if (o.tls_certificate.empty() != o.tls_key.empty())
        throw UsageError("expected --tls-cert and --tls-key together, found one of them");
    if (!o.tls_certificate.empty()) {
        s.tls_certificate = read_pem(o.tls_certificate);
        s.tls_key = read_pem(o.tls_key);
    }
    s.limits.body_bytes = parse_size(o.max_body);
    s.version = SLUICE_VERSION;
    if (o.quiet && o.log_prompts)
        throw UsageError(
            "expected --log-prompts or --quiet, found both: prompts are part of the lines that "
            "--quiet leaves out");
    s.log_prompts = o.log_prompts;
    if (!o.quiet) s.log = [](const std::string& line) { write_error(log_line(line)); };
    const auto inherited = server::inherited_listener();
    s.listen_fd = inherited ? *inherited : server::open_listener(o.host, o.port);
    check_reach(s.listen_fd, s.access, o);
    s.access.any_host = !server::is_loopback(s.listen_fd);
    return s;
}

/// By what names requests may call the model; the first is its own.
std::vector<std::string> names_of(const ServeOptions& o, const EngineInfo& info) {
    std::vector<std::string> names = o.aliases;
    std::string stem = std::filesystem::path(info.path).stem().string();
    if (const size_t shard = stem.rfind("-00001-of-"); shard != std::string::npos) stem.resize(shard);
    for (const std::string& name : {stem, o.model, info.name})
        if (!name.empty()) names.push_back(name);
    return names;
}

std::string is_size(const std::string& text) {
    try {
        parse_size(text);
        return {};
    } catch (const Error& e) {
        return e.what();
    }
}

int serve(const ServeOptions& o) {
    std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of --kv-disk, not the server's end
    server::ServerOptions options = server_options(o);
    const bool tls = !options.tls_certificate.empty();
    server::Server server(std::move(options));
    EngineFlags flags = o.engine;
    flags.sequences = o.scheduler.parallel;
    flags.set_aside = {server::responses_part()};
    const Engine engine = open_engine(
        o.model, flags, [&](const LoadProgress& p) { server.loading(p.bytes_done, p.bytes_total); });
    SchedulerOptions scheduler = o.scheduler;
    scheduler.kv_type = parse_kv_type(flags.kv_type);
    scheduler.kv_disk_bytes = parse_size(o.kv_disk_size);
    const auto model = std::make_shared<server::ModelService>(engine, scheduler, names_of(o, engine.info()));
    server.serve(model);
    if (o.log_prompts)
        write_error(
            "warning: --log-prompts: what people ask and what they are answered is written to standard "
            "error, for all who can read it\n");
    write_error(fmt::format("{} is served at {}://{}:{} · {} at once, {} tokens each · Ctrl-C stops\n",
                            terminal_safe(engine.info().name), tls ? "https" : "http", o.host, server.port(),
                            scheduler.parallel, engine.info().context));
    while (!interrupted()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        show_notices(engine);
        for (const auto& notice : model->scheduler().take_notices())
            write_error(log_line(fmt::format("level=warning message={}", server::log_text(notice))));
    }
    write_error(fmt::format("stopping: answers in progress get {} s\n", o.drain_seconds));
    clear_termination();
    if (!server.drain(std::chrono::seconds(o.drain_seconds))) write_error("some answers were cut\n");
    return exit_ok;
}

}  // namespace

void add_serve(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<ServeOptions>();
    CLI::App* c = app.add_subcommand(
        "serve", "Answer programs over HTTP: the interfaces of OpenAI, Anthropic and Ollama");
    c->add_option("MODEL", o->model, "A GGUF file, a folder, or a name (default: rill)");
    const char* net = "Network";
    c->add_option("--host", o->host, "Address to listen on (default: 127.0.0.1, this machine alone)")
        ->group(net);
    c->add_option("--port", o->port, "Port; 0: a free one (default: 8080)")->group(net);
    c->add_option("--tls-cert", o->tls_certificate, "Certificate chain in PEM: HTTPS instead of HTTP")
        ->type_name("FILE")
        ->group(net);
    c->add_option("--tls-key", o->tls_key, "The certificate's private key in PEM")
        ->type_name("FILE")
        ->group(net);
    const char* who = "Access";
    c->add_option("--api-key", o->api_keys,
                  "A key that requests must carry (repeatable; others see it in the list of processes)")
        ->type_name("KEY")
        ->allow_extra_args(false)
        ->group(who);
    c->add_option("--api-key-file", o->api_key_file, "Keys, one a line, each with a name before it if wanted")
        ->type_name("FILE")
        ->group(who);
    c->add_flag("--insecure", o->insecure, "Let everybody in who reaches the server")->group(who);
    c->add_option("--cors-origin", o->cors_origins,
                  "Pages of this origin may ask, such as https://example.org; * for any (repeatable)")
        ->type_name("ORIGIN")
        ->allow_extra_args(false)
        ->group(who);
    c->add_option("--allow-host", o->hosts,
                  "A name by which this server is called, besides localhost (repeatable)")
        ->type_name("NAME")
        ->allow_extra_args(false)
        ->group(who);
    c->add_option("--rate-limit", o->rate_limit,
                  "Requests a minute of each key, or of each address without keys (default: any)")
        ->type_name("N")
        ->group(who);
    const char* work = "Requests";
    c->add_option("--alias", o->aliases,
                  "A name for the model in requests; the first is shown, * takes any (repeatable)")
        ->type_name("NAME")
        ->allow_extra_args(false)
        ->group(work);
    c->add_option("--parallel", o->scheduler.parallel,
                  "Requests computed at once, each with a context of --ctx (default: 4)")
        ->check(CLI::Range(1u, 512u).description(""))
        ->type_name("N")
        ->group(work);
    c->add_option("--queue", o->scheduler.queue, "Requests that may wait (default: 64)")
        ->type_name("N")
        ->group(work);
    c->add_option("--prefill-chunk", o->scheduler.prefill_chunk,
                  "Prompt tokens computed in a step while others are answered (default: 128)")
        ->check(CLI::Range(1u, 1u << 20).description(""))
        ->type_name("N")
        ->group(work);
    c->add_option("--max-body", o->max_body, "Bytes of a request at most (default: 32M)")
        ->check(is_size)
        ->type_name("SIZE")
        ->group(work);
    c->add_option("--kv-disk", o->scheduler.kv_disk,
                  "Folder where what was read of conversations outlives the server (it holds their tokens)")
        ->type_name("DIR")
        ->group(work);
    c->add_option("--kv-disk-size", o->kv_disk_size, "What that folder may take (default: 20G)")
        ->check(is_size)
        ->type_name("SIZE")
        ->group(work);
    c->add_option("--drain", o->drain_seconds,
                  "Seconds that answers in progress get when the server stops (default: 60)")
        ->type_name("N")
        ->group(work);
    c->add_flag("-q,--quiet", o->quiet, "No line for each request on standard error")->group(work);
    c->add_flag("--log-prompts", o->log_prompts,
                "The line for each request has its prompt and answer, too: for whoever reads the log")
        ->group(work);
    o->engine.add_to(*c);
    c->callback([o, &chosen] { chosen = [o] { return serve(*o); }; });
}

}  // namespace sluice::cli
