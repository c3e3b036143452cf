// The table of architectures: what distinguishes them, as data.
#pragma once

#include <span>
#include <string_view>

#include "model/hparams.h"

namespace sluice {

struct Architecture {
    std::string_view name;  // general.architecture
    AttentionKind attention;
    RopePairs rope_pairs;
    bool normalise_expert_weights;  // if the file does not say
    std::string_view models;        // that people know, for messages and `sluice --help`
};

std::span<const Architecture> architectures();
/// nullptr if Sluice does not know it.
const Architecture* find_architecture(std::string_view name);

}  // namespace sluice
