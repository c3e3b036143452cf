// Softmax attention of a batch over its KV caches: the part that GQA and MLA share.
//
// Positions are divided into chunks, and these into tiles of 64. A tile is decoded once for all queries that
// read it: heads that share a KV head, tokens that follow each other. Each query folds the tiles of a chunk
// in order of position, and merges the chunks in order of position: the same operations whoever computes
// them, and however many at once (promise 1). So chunks can be computed in parallel, which is what keeps
// cores busy when one token looks back on a long context.
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

/// Positions whose results are merged as one.
inline constexpr uint32_t attention_chunk = 256;

/// Bytes of work space: of each worker; and shared.
uint64_t attention_scratch(const AttentionShape& shape);
uint64_t attention_shared_scratch(const AttentionShape& shape, uint32_t workers);

void attend(Kernels& kernels, const AttentionCall& call, std::span<const AttentionSpan> spans);

}  // namespace sluice
