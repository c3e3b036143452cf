// Plays a trace of routers' choices through a cache of some size: with the policies the engine has, in the
// same code and the same order of calls, and with Belady's optimum (what is needed farthest in the future
// leaves: Belady 1966), which no policy can beat.
#pragma once

#include <cstdint>

#include "store/policy.h"
#include "store/route_trace.h"

namespace sluice {

struct ReplayResult {
    uint32_t slots = 0;  // experts that fit
    uint64_t hits = 0, misses = 0, bytes_read = 0;
    double hit_rate() const { return hits + misses ? double(hits) / double(hits + misses) : 0; }
};

/// Experts that a cache of `bytes` holds, at most all.
uint32_t slots_of(const RouteTrace& trace, uint64_t bytes);

/// slots: at least 1. The first `warm_up` accesses fill the cache and are not counted.
ReplayResult replay(const RouteTrace& trace, CachePolicy policy, uint32_t slots, size_t warm_up);
ReplayResult replay_optimum(const RouteTrace& trace, uint32_t slots, size_t warm_up);

}  // namespace sluice
