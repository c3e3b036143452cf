#include "model/attention.h"

#include <algorithm>
#include <limits>

namespace sluice {

namespace {

constexpr uint32_t tokens_at_once = 8;  // that share a decoded tile

/// One worker's share: some tokens of a span, some query heads of one KV head.
struct Task {
    uint32_t span, token, n_tokens;
    uint32_t kv_head, head, n_heads;
};

std::vector<Task> divide(const AttentionCall& call, std::span<const AttentionSpan> spans, uint32_t kv_heads,
                         uint32_t workers) {
    uint32_t blocks = 0;
    for (const auto& s : spans) blocks += (s.count + tokens_at_once - 1) / tokens_at_once * kv_heads;
    const uint32_t group = call.n_heads / kv_heads;
    // Splitting a group decodes its tiles once more: only as far as cores would idle otherwise.
    const uint32_t splits = std::clamp((2 * workers + blocks - 1) / std::max(blocks, 1u), 1u, group);
    const uint32_t share = (group + splits - 1) / splits;
    std::vector<Task> tasks;
    for (uint32_t s = 0; s < spans.size(); ++s)
        for (uint32_t t = 0; t < spans[s].count; t += tokens_at_once)
            for (uint32_t kv = 0; kv < kv_heads; ++kv)
                for (uint32_t h = 0; h < group; h += share)
                    tasks.push_back({s, t, std::min(tokens_at_once, spans[s].count - t), kv, kv * group + h,
                                     std::min(share, group - h)});
    return tasks;
}

class TaskRun {
  public:
    TaskRun(Kernels& kernels, const AttentionCall& call, const AttentionSpan& span, const Task& task,
            uint32_t worker)
        : table_(kernels.table()), call_(call), span_(span), task_(task), layout_(span.cache->layout()) {
        const uint32_t n_states = task.n_tokens * task.n_heads;
        const uint64_t key_floats = uint64_t(attention_tile) * layout_.key_width;
        const uint64_t value_floats = uint64_t(attention_tile) * layout_.value_width;
        keys_ = kernels.scratch(worker, key_floats + value_floats + 2 * n_states);
        values_ = keys_ + key_floats;
        states_ = reinterpret_cast<AttentionState*>(values_ + value_floats);
    }

    void run() {
        for (uint32_t i = 0; i < task_.n_tokens * task_.n_heads; ++i) {
            states_[i] = {-std::numeric_limits<float>::infinity(), 0.0f};
            std::fill_n(out(i), call_.value_width, 0.0f);
        }
        const uint32_t end =
            span_.first_position + task_.token + task_.n_tokens;  // one beyond the last position seen
        for (uint32_t p = 0; p < end; p += attention_tile) fold_tile(p, std::min(attention_tile, end - p));
        for (uint32_t i = 0; i < task_.n_tokens * task_.n_heads; ++i) {
            float* o = out(i);
            const float scale = 1.0f / states_[i].sum;
            for (uint32_t j = 0; j < call_.value_width; ++j) o[j] *= scale;
        }
    }

  private:
    uint32_t token(uint32_t i) const { return task_.token + i / task_.n_heads; }
    uint32_t head(uint32_t i) const { return task_.head + i % task_.n_heads; }
    float* out(uint32_t i) const {
        return call_.out.row(span_.row + token(i)) + uint64_t(head(i)) * call_.value_width;
    }

    void fold_tile(uint32_t position, uint32_t n) {
        const std::byte* k = span_.cache->key(call_.layer, position, task_.kv_head);
        for (uint32_t i = 0; i < n; ++i)
            table_.kv_decode(layout_.format, k + i * span_.cache->key_stride(),
                             keys_ + uint64_t(i) * layout_.key_width, layout_.key_width);
        if (layout_.value_width) {
            const std::byte* v = span_.cache->value(call_.layer, position, task_.kv_head);
            for (uint32_t i = 0; i < n; ++i)
                table_.kv_decode(layout_.format, v + i * span_.cache->value_stride(),
                                 values_ + uint64_t(i) * layout_.value_width, layout_.value_width);
        }
        AttentionTile tile{keys_,
                           layout_.value_width ? values_ : keys_,
                           layout_.key_width,
                           call_.value_width,
                           layout_.key_width,
                           layout_.value_width ? layout_.value_width : layout_.key_width,
                           0};
        for (uint32_t i = 0; i < task_.n_tokens * task_.n_heads; ++i) {
            const uint32_t seen = span_.first_position + token(i) + 1;  // positions [0, seen)
            if (seen <= position) continue;
            tile.n = std::min(n, seen - position);
            const float* query =
                call_.queries.row(span_.row + token(i)) + uint64_t(head(i)) * layout_.key_width;
            table_.attend(tile, query, states_[i], out(i));
        }
    }

    const KernelTable& table_;
    const AttentionCall& call_;
    const AttentionSpan& span_;
    const Task& task_;
    const KvLayout& layout_;
    float *keys_, *values_;
    AttentionState* states_;
};

}  // namespace

void attend(Kernels& kernels, const AttentionCall& call, std::span<const AttentionSpan> spans) {
    if (spans.empty()) return;
    const auto tasks = divide(call, spans, spans[0].cache->layout().heads, kernels.pool().size());
    kernels.each(uint32_t(tasks.size()), [&](uint32_t i, uint32_t worker) {
        TaskRun(kernels, call, spans[tasks[i].span], tasks[i], worker).run();
    });
}

}  // namespace sluice
