// Experts of one layer, asked for together and lent until they are released.
//
//     auto lease = store.acquire(layer, experts);
//     for (auto ready = lease->take_ready(); !ready.empty(); ready = lease->take_ready()) {
//         … compute gate and up of ready.gate_up, then down of ready.down, then release(each of ready.down)
//     }
//
// They are handed out in two steps, as their bytes land: gate and up can be multiplied before down is there.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/matrix.h"

namespace sluice {

/// One routed expert's weights, usable until it is released.
struct ExpertView {
    MatrixView gate{}, up{}, down{};
};

class Lease {
  public:
    virtual ~Lease() = default;  // releases what is left

    /// Indices into the experts that were asked for.
    struct Ready {
        std::vector<uint32_t> gate_up;  // whose gate and up were not handed out before
        std::vector<uint32_t>
            down;  // whose down may be used now; their gate and up were handed out, now or before
        bool empty() const { return gate_up.empty() && down.empty(); }
    };
    /// What is ready now; waits for something. Empty when everything was handed out. Throws io.
    virtual Ready take_ready() = 0;
    virtual ExpertView operator[](uint32_t index) const = 0;
    /// The expert's weights are not used any more.
    virtual void release(uint32_t index) = 0;
};

}  // namespace sluice
