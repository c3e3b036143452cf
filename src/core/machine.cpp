#include "core/machine.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/fail.h"

namespace sluice {

const char* to_string(Isa isa) noexcept {
    switch (isa) {
        case Isa::neon:
            return "neon";
        case Isa::avx512:
            return "avx512";
        case Isa::avxvnni:
            return "avxvnni";
        case Isa::avx2:
            return "avx2";
        case Isa::plain:
            break;
    }
    return "plain";
}

#if defined(__x86_64__)
namespace {

/// Half-precision conversions (clang's __builtin_cpu_supports does not know them by name).
bool has_f16c() noexcept {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/// VNNI in AVX's encoding (clang 14 and g++ 12 have no name for it in __builtin_cpu_supports).
bool has_avxvnni() noexcept {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}

}  // namespace
#endif

std::vector<Isa> available_isas() {
    std::vector<Isa> isas{Isa::plain};
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi2") && has_f16c();
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
                        __builtin_cpu_supports("gfni");
    if (avx2) isas.push_back(Isa::avx2);
    if (avx2 && has_avxvnni()) isas.push_back(Isa::avxvnni);
    if (avx512) isas.push_back(Isa::avx512);
#elif defined(__aarch64__)
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) isas.push_back(Isa::neon);
#endif
    return isas;
}

Isa best_isa() {
    return available_isas().back();
}

Isa parse_isa(std::string_view name) {
    if (name.empty()) return best_isa();
    std::vector<const char*> names;
    for (const Isa isa : available_isas()) {
        if (name == to_string(isa)) return isa;
        names.push_back(to_string(isa));
    }
    fail(ErrorCode::invalid_argument, "expected an instruction set of this processor ({}), found \"{}\"",
         fmt::join(names, ", "), name);
}

namespace {

std::optional<uint64_t> read_number(const std::string& path) {
    std::ifstream in(path);
    uint64_t x;
    if (in >> x) return x;
    return std::nullopt;  // missing, or "max"
}

/// The cgroup directories of this process, from its own up to the root, for one controller ("" is version 2).
std::vector<std::string> cgroup_dirs(const std::string& controller) {
    std::ifstream in("/proc/self/cgroup");
    std::string line;
    while (std::getline(in, line)) {
        std::stringstream fields(line);
        std::string id, names, path;
        std::getline(fields, id, ':');
        std::getline(fields, names, ':');
        std::getline(fields, path);
        const bool v2 = names.empty();
        if (v2 != controller.empty()) continue;
        if (!v2 && ("," + names + ",").find("," + controller + ",") == std::string::npos) continue;
        const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller;
        std::vector<std::string> dirs;
        for (; path.size() > 1; path.resize(path.rfind('/'))) dirs.push_back(root + path);
        dirs.push_back(root);
        return dirs;
    }
    return {};
}

/// Cache pages that the kernel would give back count as room: they are inactive file pages.
uint64_t reclaimable(const std::string& dir) {
    std::ifstream in(dir + "/memory.stat");
    std::string key;
    uint64_t value, sum = 0;
    while (in >> key >> value)
        if (key == "inactive_file") sum += value;
    return sum;
}

uint64_t room_in(const std::string& dir, const char* limit_file, const char* usage_file) {
    const auto limit = read_number(dir + "/" + limit_file), usage = read_number(dir + "/" + usage_file);
    if (!limit || !usage) return std::numeric_limits<uint64_t>::max();
    const uint64_t held = *usage - std::min(*usage, reclaimable(dir));
    return *limit - std::min(*limit, held);
}

/// CPUs' worth of quota under the tightest cgroup, rounded up; a large number if there is none.
uint32_t cpu_quota() {
    double cores = 1e9;
    for (const auto& dir : cgroup_dirs("")) {
        std::ifstream in(dir + "/cpu.max");
        double quota, period;
        if (in >> quota >> period && period > 0) cores = std::min(cores, quota / period);
    }
    for (const auto& dir : cgroup_dirs("cpu")) {
        const auto quota = read_number(dir + "/cpu.cfs_quota_us"),
                   period = read_number(dir + "/cpu.cfs_period_us");
        if (quota && period && *period > 0 && *quota < (1ull << 40))
            cores = std::min(cores, double(*quota) / double(*period));
    }
    return uint32_t(std::max(1.0, std::ceil(cores)));
}

}  // namespace

std::string processor_name() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("model name")) continue;
        const size_t colon = line.find(':');
        const size_t begin = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
        if (begin != std::string::npos) return line.substr(begin);
    }
    utsname system{};
    return uname(&system) == 0 ? system.machine : "unknown processor";
}

std::vector<uint32_t> available_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        std::vector<uint32_t> all(size_t(std::clamp<long>(sysconf(_SC_NPROCESSORS_ONLN), 1, 1024)));
        std::iota(all.begin(), all.end(), 0u);
        return all;
    }
    std::set<std::string> seen;                        // hardware threads of one core share this list
    std::vector<std::pair<uint64_t, uint32_t>> cores;  // how fast, of the kinds of cores of one processor
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &set)) continue;
        const std::string dir = fmt::format("/sys/devices/system/cpu/cpu{}/", cpu);
        std::ifstream in(dir + "topology/thread_siblings_list");
        std::string siblings;
        if (!(in >> siblings)) siblings = fmt::format("cpu{}", cpu);
        if (!seen.insert(siblings).second) continue;
        auto speed = read_number(dir + "cpu_capacity");  // ARM; elsewhere what it runs at
        if (!speed) speed = read_number(dir + "cpufreq/cpuinfo_max_freq");
        cores.emplace_back(speed.value_or(0), cpu);
    }
    std::stable_sort(cores.begin(), cores.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    cores.resize(std::clamp<size_t>(cores.size(), 1, cpu_quota()));
    std::vector<uint32_t> cpus;
    for (const auto& [speed, cpu] : cores) cpus.push_back(cpu);
    return cpus;
}

uint64_t available_memory() {
    uint64_t room = std::numeric_limits<uint64_t>::max();
    std::ifstream in("/proc/meminfo");
    std::string key, unit;
    uint64_t value;
    while (in >> key >> value && std::getline(in, unit))
        if (key == "MemAvailable:") room = value * 1024;
    for (const auto& dir : cgroup_dirs(""))
        room = std::min(room, room_in(dir, "memory.max", "memory.current"));
    for (const auto& dir : cgroup_dirs("memory"))
        room = std::min(room, room_in(dir, "memory.limit_in_bytes", "memory.usage_in_bytes"));
    return room;
}

uint64_t peak_rss() {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return uint64_t(use.ru_maxrss) * 1024;
}

}  // namespace sluice
