// Softmax attention of a batch over its KV caches: the part that GQA and MLA share. Tiles of positions are
// decoded to float once for all queries that read them; each query folds them in, in order of position.
#pragma once

#include "kernels/kernels.h"
#include "model/batch.h"

namespace sluice {

struct AttentionCall {
    uint32_t layer = 0;
    uint32_t n_heads = 0;      // query heads; a multiple of the cache's heads
    uint32_t value_width = 0;  // of the output; for MLA the first values of each key
    ConstRows queries;         // (n, n_heads * key_width), scaled
    Rows out;                  // (n, n_heads * value_width)
};

/// For tokens [begin, begin + count) of one segment; queries and out have `count` rows for them. The cache
/// holds the rows of these tokens and all before them.
struct AttentionSpan {
    const KvCache* cache = nullptr;
    uint32_t first_position = 0, count = 0;
    uint32_t row = 0;  // of the first token in queries and out
};

void attend(Kernels& kernels, const AttentionCall& call, std::span<const AttentionSpan> spans);

}  // namespace sluice
