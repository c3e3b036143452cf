#include "store/route_trace.h"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <nlohmann/json.hpp>

#include "core/fail.h"

namespace sluice {

namespace {

constexpr std::string_view format_name = "sluice-route-trace";
constexpr uint64_t most_layers = 4096, most_experts = 65536, most_bytes = 1ull << 40,
                   longest_header = 1 << 20;

[[noreturn]] void fail_line(const std::filesystem::path& path, uint64_t line, const std::string& what) {
    fail(ErrorCode::invalid_file, "{}, line {}: {}; it is not a trace of --route-trace, or was cut",
         path.string(), line, what);
}

uint64_t number_of(const nlohmann::json& json, const char* key, uint64_t most,
                   const std::filesystem::path& path) {
    const auto it = json.find(key);
    if (it == json.end() || !it->is_number_unsigned() || it->get<uint64_t>() > most)
        fail_line(path, 1, fmt::format("expected \"{}\" to be a number of at most {}", key, most));
    return it->get<uint64_t>();
}

void read_header(const std::string& line, const std::filesystem::path& path, RouteTrace& trace) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || json.value("format", nlohmann::json()) != format_name)
        fail_line(path, 1, fmt::format("expected a JSON object with the format \"{}\"", format_name));
    if (const uint64_t version = number_of(json, "version", 1000, path); version != 1)
        fail_line(path, 1, fmt::format("expected version 1, found {}", version));
    if (const auto model = json.find("model"); model != json.end() && model->is_string())
        trace.model = *model;
    const auto layers = json.find("layers");
    if (layers == json.end() || !layers->is_array() || layers->empty() || layers->size() > most_layers)
        fail_line(path, 1, fmt::format("expected a list of 1 to {} layers", most_layers));
    uint64_t experts = 0;
    for (const auto& layer : *layers) {
        if (!layer.is_object()) fail_line(path, 1, "expected each layer to be an object");
        trace.layers.push_back({uint32_t(number_of(layer, "experts", most_experts, path)),
                                number_of(layer, "bytes", most_bytes, path)});
        experts += trace.layers.back().experts;
        if (trace.layers.back().experts && !trace.layers.back().bytes)
            fail_line(path, 1, "expected experts to have bytes, found 0");
    }
    if (experts == 0 || experts > (1 << 22)) fail_line(path, 1, "expected 1 to 4 million experts in all");
}

void read_access(std::string_view line, uint64_t line_number, const std::filesystem::path& path,
                 RouteTrace& trace) {
    const char *at = line.data(), *const end = at + line.size();
    bool is_layer = true;
    uint32_t layer = 0, previous = 0;
    while (at < end) {
        uint32_t x = 0;
        const auto [after, error] = std::from_chars(at, end, x);
        if (error != std::errc() || (after < end && *after != ' '))
            fail_line(path, line_number, "expected numbers between single spaces");
        at = after < end ? after + 1 : end;
        if (is_layer) {
            if (x >= trace.layers.size() || trace.layers[x].experts == 0)
                fail_line(path, line_number, fmt::format("expected a layer that has experts, found {}", x));
            layer = x;
            trace.accesses.push_back({layer, trace.experts.size()});
            is_layer = false;
            continue;
        }
        const bool first = trace.accesses.back().first == trace.experts.size();
        if (x >= trace.layers[layer].experts || (!first && x <= previous))
            fail_line(
                path, line_number,
                fmt::format("expected ascending experts below {}, found {}", trace.layers[layer].experts, x));
        previous = x;
        trace.experts.push_back(x);
    }
    if (is_layer || trace.accesses.back().first == trace.experts.size())
        fail_line(path, line_number, "expected a layer and its experts");
}

}  // namespace

RouteTraceWriter::RouteTraceWriter(const std::filesystem::path& path, const std::string& model,
                                   std::span<const TraceLayer> layers)
    : path_(path), out_(path, std::ios::binary | std::ios::trunc) {
    nlohmann::ordered_json header = {{"format", format_name}, {"version", 1}, {"model", model}};
    for (const TraceLayer& l : layers)
        header["layers"].push_back({{"experts", l.experts}, {"bytes", l.bytes}});
    out_ << header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
    check();
}

void RouteTraceWriter::add(uint32_t layer, std::span<const uint32_t> experts) {
    std::string line = std::to_string(layer);
    for (const uint32_t e : experts) line += ' ' + std::to_string(e);
    line += '\n';
    std::lock_guard lock(mutex_);
    out_ << line;
    check();
}

void RouteTraceWriter::check() {
    if (!out_)
        fail(ErrorCode::io, "could not write the route trace {}: {}", path_.string(),
             std::strerror(errno ? errno : EIO));
}

uint64_t RouteTrace::passes() const {
    uint64_t n = 0;
    for (const Access& a : accesses) n += a.layer == accesses.front().layer;
    return n;
}

uint64_t RouteTrace::all_bytes() const {
    uint64_t sum = 0;
    for (const TraceLayer& l : layers) sum += l.experts * l.bytes;
    return sum;
}

RouteTrace RouteTrace::read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) fail(ErrorCode::io, "could not open {}: {}", path.string(), std::strerror(errno));
    RouteTrace trace;
    std::string line;
    uint64_t number = 0;
    while (std::getline(in, line)) {
        ++number;
        if (number == 1) {
            if (line.size() > longest_header) fail_line(path, 1, "expected a header of at most a megabyte");
            read_header(line, path, trace);
        } else if (!in.eof()) {
            read_access(line, number, path, trace);
        }  // else: the last line was cut off while it was written
    }
    if (number == 0) fail_line(path, 1, "expected a header, found nothing");
    if (trace.accesses.empty()) fail_line(path, number, "expected at least one access, found none");
    return trace;
}

}  // namespace sluice
