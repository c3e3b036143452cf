#include <algorithm>

#include <fmt/format.h>

#include "cli/inspect.h"
#include "cli/terminal.h"
#include "core/sizes.h"
#include "text/utf8.h"

namespace sluice::cli {

namespace {

constexpr size_t template_lines = 6;

/// 671026419200 as "671 B"
std::string count_text(uint64_t n) {
    constexpr struct {
        double unit;
        const char* name;
    } units[] = {{1e12, " T"}, {1e9, " B"}, {1e6, " M"}, {1e3, " k"}};
    for (const auto& u : units) {
        if (double(n) < u.unit) continue;
        const double x = double(n) / u.unit;
        return fmt::format("{:.{}f}{}", x, x >= 100 ? 0 : x >= 10 ? 1 : 2, u.name);
    }
    return std::to_string(n);
}

/// Text of a file, fit for one line of a terminal.
std::string shown(std::string_view text) {
    return one_line(sanitize_utf8(text));
}

std::string label(std::string_view text) {
    return dim(fmt::format("{:<16}", text), Stream::output);
}
std::string row(std::string_view name, const std::string& value) {
    return label(name) + value + "\n";
}

std::string bar(double fraction) {
    constexpr int width = 24;
    const int eighths = int(fraction * width * 8 + 0.5);
    static constexpr std::string_view parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    std::string s;
    for (int i = 0; i < eighths / 8; ++i) s += "█";
    return s + std::string(parts[eighths % 8]);
}

std::string model_text(const Inspection& i) {
    std::string s = bold(i.name.empty() ? "(no name)" : shown(i.name), Stream::output) + "\n";
    s += row("architecture", i.architecture.empty() ? "none given" : shown(i.architecture));
    const bool has_weights = i.census.parameters > 0;
    s += row("parameters", has_weights
                               ? fmt::format("{}, {} active for a token", count_text(i.census.parameters),
                                             count_text(i.census.active_parameters))
                               : "none: the file holds a vocabulary only");
    std::string shape =
        fmt::format("{} layers, width {}, vocabulary {}", i.n_layers, grouped(i.n_embd), grouped(i.n_vocab));
    if (i.n_experts) shape += fmt::format(", {} experts of which {} are used", i.n_experts, i.n_experts_used);
    if (i.params && i.params->n_mtp_layers) shape += fmt::format(", {} MTP block", i.params->n_mtp_layers);
    s += row("shape", shape);
    s += row("context", fmt::format("{} tokens", grouped(i.context_length)));
    std::string kv;
    for (const char* type : {"f32", "f16", "q8_0"})
        if (const auto bytes = i.kv_bytes_per_token(type))
            kv += fmt::format("{}{} B ({})", kv.empty() ? "" : ", ", grouped(*bytes), type);
    if (!kv.empty()) s += row("KV for a token", kv);
    s += row("size", fmt::format("{}, {:.2f} bits per weight", human_bytes(i.file.total_bytes()),
                                 i.census.bits_per_weight()));
    return s;
}

std::string kinds_text(const Census& c) {
    std::string s = "\n" + bold("Bytes by kind of tensor", Stream::output) + "\n";
    for (const auto& r : c.roles) {
        const double part = c.bytes ? double(r.bytes) / double(c.bytes) : 0;
        s += label(to_string(r.role)) +
             fmt::format("{:>9} {:5.1f} %  {}\n", human_bytes(r.bytes), 100 * part, bar(part));
    }
    s += "\n" + bold("Quantization", Stream::output) + "\n";
    for (const auto& t : c.types) {
        const double part = c.bytes ? double(t.bytes) / double(c.bytes) : 0;
        s += label(info(t.type).name) + fmt::format("{:>9} {:5.1f} %  {} tensors, {:.4g} bits per weight\n",
                                                    human_bytes(t.bytes), 100 * part, t.tensors,
                                                    info(t.type).bits_per_weight());
    }
    return s;
}

std::string template_text(const Inspection& i) {
    std::string s = row("tokenizer", shown(i.tokenizer));
    s += row("chat template", i.template_name.empty() ? "none" : shown(i.template_name));
    const std::string source = sanitize_utf8(i.template_source);
    size_t at = 0;
    for (size_t n = 0; n < template_lines && at < source.size(); ++n) {
        const size_t end = std::min(source.find('\n', at), source.size());
        std::string line = source.substr(at, end - at);
        if (line.size() > 100) line = sanitize_utf8(line.substr(0, 97)) + "…";
        s += dim("  | " + terminal_safe(line), Stream::output) + "\n";
        at = end + 1;
    }
    if (at < source.size()) s += dim("  | …", Stream::output) + "\n";
    return s;
}

std::string shards_text(const GgufFile& file) {
    if (file.shards().size() < 2) return {};
    std::string s = "\n" + bold(fmt::format("{} shards", file.shards().size()), Stream::output) + "\n";
    for (const auto& shard : file.shards())
        s += fmt::format("{:>9}  {}\n", human_bytes(shard.file_bytes), shown(shard.path.string()));
    return s;
}

std::string tensors_text(const GgufFile& file) {
    size_t longest = 4;
    for (const auto& t : file.tensors()) longest = std::max(longest, std::min<size_t>(t.name.size(), 48));
    std::string s = "\n" + bold(fmt::format("{} tensors", file.tensors().size()), Stream::output) + "\n" +
                    dim(fmt::format("{:<{}}  {:<8} {:<22} {:>14} {:>5} {:>14}", "name", longest, "type",
                                    "shape", "bytes", "shard", "offset"),
                        Stream::output) +
                    "\n";
    for (const auto& t : file.tensors())
        s += fmt::format("{:<{}}  {:<8} {:<22} {:>14} {:>5} {:>14}\n", shown(t.name), longest,
                         info(t.type).name, t.shape_text(), grouped(t.n_bytes), t.shard, grouped(t.offset));
    return s;
}

std::string metadata_text(const GgufFile& file) {
    std::string s =
        "\n" + bold(fmt::format("{} keys", file.metadata().entries().size()), Stream::output) + "\n";
    for (const auto& [key, value] : file.metadata().entries())
        s += fmt::format("{} = {}\n", shown(key), short_value(value));
    return s;
}

std::string element_text(const std::string& v) {
    return "\"" + (v.size() > 60 ? shown(v.substr(0, 57)) + "…" : shown(v)) + "\"";
}
template <typename T>
std::string element_text(const T& v) {
    return fmt::format("{}", v);
}

template <typename T>
std::string array_text(const std::vector<T>& values) {
    constexpr size_t most = 6;
    std::string s = "[";
    for (size_t i = 0; i < std::min(most, values.size()); ++i)
        s += (i ? ", " : "") + element_text(T(values[i]));
    return s + (values.size() > most ? fmt::format(", …] ({} values)", grouped(values.size())) : "]");
}

struct ValueText {
    std::string operator()(std::monostate) const { return "(an array of arrays)"; }
    template <typename T>
    std::string operator()(const std::vector<T>& values) const {
        return array_text(values);
    }
    template <typename T>
    std::string operator()(const T& v) const {
        return element_text(v);
    }
};

}  // namespace

std::string short_value(const GgufValue& value) {
    return std::visit(ValueText{}, value);
}

std::string inspection_text(const Inspection& i, const InspectDetails& details) {
    std::string s = model_text(i) + template_text(i);
    for (const auto& notice : i.notices) s += row("note", shown(notice));
    if (!i.file.tensors().empty()) s += kinds_text(i.census);
    s += shards_text(i.file);
    if (details.metadata) s += metadata_text(i.file);
    if (details.tensors) s += tensors_text(i.file);
    return s;
}

}  // namespace sluice::cli
