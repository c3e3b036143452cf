// Counts of a model's parameters and bytes by what they are for: what `sluice inspect` shows. Reads the
// tensor directory only, and copes with architectures that Sluice cannot run.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "format/gguf.h"
#include "model/hparams.h"

namespace sluice {

enum class TensorRole {
    embedding,
    head,
    attention,
    dense_ffn,
    routed_experts,
    shared_experts,
    router,
    norms,
    mtp,
    other
};
/// "routed experts"
std::string_view to_string(TensorRole role);

struct RoleCount {
    TensorRole role;
    uint64_t tensors = 0, parameters = 0, bytes = 0;
};

struct TypeCount {
    TensorType type;
    uint64_t tensors = 0, parameters = 0, bytes = 0;
};

struct Census {
    std::vector<RoleCount> roles;  // those that occur, in order of the enum
    std::vector<TypeCount> types;  // those that occur, the most bytes first
    uint64_t parameters = 0, bytes = 0;
    /// Parameters one token uses: routed experts count by n_used / n_experts, the embedding table by one row,
    /// MTP blocks not at all (tied embeddings count whole, as the head). Equal to `parameters` for a dense
    /// model, tables aside.
    uint64_t active_parameters = 0;
    double bits_per_weight() const { return parameters ? 8.0 * double(bytes) / double(parameters) : 0; }
};

/// params: nullptr for an architecture Sluice does not know.
Census take_census(const GgufFile& file, const HyperParams* params);

}  // namespace sluice
