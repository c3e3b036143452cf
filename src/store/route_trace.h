// What the routers chose, written as it happens and read back for the replay simulator. A text file:
//
//   {"format": "sluice-route-trace", "version": 1, "model": …, "layers": [{"experts": 64, "bytes": 5308416},
//   …]} 3 7 12 40 41 52 60          layer, then the experts asked for, ascending: one line for each layer of
//   a pass
//
// It says nothing of the text itself, but what a model routes to depends on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace sluice {

/// Of one layer: number of experts (0: none), bytes of one in memory.
struct TraceLayer {
    uint32_t experts = 0;
    uint64_t bytes = 0;
};

class RouteTraceWriter {
  public:
    /// Throws io naming the file.
    RouteTraceWriter(const std::filesystem::path& path, const std::string& model,
                     std::span<const TraceLayer> layers);
    /// From any thread. Throws io naming the file (a full disk).
    void add(uint32_t layer, std::span<const uint32_t> experts);

  private:
    void check();
    std::filesystem::path path_;
    std::mutex mutex_;
    std::ofstream out_;
};

struct RouteTrace {
    std::string model;
    std::vector<TraceLayer> layers;
    /// Accesses one after the other: `first` and the next one's `first` bound its part of `experts`.
    struct Access {
        uint32_t layer = 0;
        uint64_t first = 0;
    };
    std::vector<Access> accesses;
    std::vector<uint32_t> experts;

    std::span<const uint32_t> experts_of(size_t access) const {
        const uint64_t end = access + 1 < accesses.size() ? accesses[access + 1].first : experts.size();
        return std::span(experts).subspan(accesses[access].first, end - accesses[access].first);
    }
    /// Forward passes: how often the first layer that has experts was asked.
    uint64_t passes() const;
    uint64_t all_bytes() const;  // of every expert

    /// Throws io, or invalid_file naming line, what was expected and what was found. Memory is in proportion
    /// to the file.
    static RouteTrace read(const std::filesystem::path& path);
};

}  // namespace sluice
