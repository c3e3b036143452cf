// Which experts a token uses, and with what weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/hparams.h"

namespace sluice {

/// One token's choice, best first.
struct Route {
    std::vector<uint32_t> experts;
    std::vector<float> weights;
};

/// logits (n_experts): the router's output. bias (n_experts) or empty: added to the probabilities for the
/// selection, not to the weights (DeepSeek-V3, "auxiliary-loss-free balancing"). With groups, only experts of
/// the best groups can be chosen: a group is worth the sum of its two best experts under sigmoid gating (V3),
/// its best one under softmax (V2). On ties the lower number wins.
Route route(const MoeParams& params, std::span<const float> logits, std::span<const float> bias);

}  // namespace sluice
