// What an Engine owns. Everything but the forward pass is immutable after open(); tokens are fed through
// `passes`.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "sluice/engine.h"

#include "core/thread_pool.h"
#include "engine/constraint_cache.h"
#include "engine/passes.h"
#include "engine/usage_memory.h"
#include "format/gguf.h"
#include "kernels/kernels.h"
#include "model/transformer.h"
#include "store/weight_store.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "text/tool_calls/tool_format.h"

namespace sluice {

KvFormat to_format(KvType type);
/// The tokens a sequence may have: what was asked for, or the engine's. Throws if the model cannot.
uint32_t choose_context(uint32_t asked, const EngineInfo& info);
/// Throws out_of_budget with both numbers if a prompt of n tokens exceeds the context.
void check_context(uint64_t n, uint32_t context, const EngineInfo& info);

struct Engine::Impl {
    Impl(const std::string& path, const EngineOptions& options);

    /// Throws out_of_budget if `more` bytes do not fit beside what is held; `what` says what they are for.
    void check_room(uint64_t more, const std::string& what) const;
    /// The tokenizer, or an Error that says the model has none.
    const Tokenizer& need_tokenizer() const;
    Prompt render(const ChatRequest& request) const;
    /// Compiled, or as it was compiled before from the same text.
    std::shared_ptr<const Constraint> constraint(const std::string& key,
                                                 const ConstraintCache::MakeRules& rules) const;
    /// How the chat template writes calls of tools.
    ToolFormat tool_format() const;
    StreamStats stream_stats() const;

    GgufFile file;
    HyperParams params;
    ModelTensors tensors;
    ThreadPool pool;
    Kernels kernels;
    uint64_t ram_limit;
    uint64_t expert_budget = 0,
             beside_bytes = 0;  // of the plan: for experts; for what is no part of the model
    std::unique_ptr<Tokenizer> tokenizer;
    std::optional<ChatTemplate> chat_template;
    std::unique_ptr<WeightStore> store;
    std::unique_ptr<Transformer> transformer;
    std::unique_ptr<UsageMemory> usage;  // none: nothing is learnt. After the store, which it uses to the end
    std::atomic<uint64_t> scratch_bytes{0};        // as of the last forward pass
    std::unique_ptr<ConstraintCache> constraints;  // as large as was planned
    Passes passes{*this};
    EngineInfo info;

  private:
    void read_text(const GgufMetadata& metadata);
    void plan_beside(const EngineOptions& options);
    void plan_memory(const EngineOptions& options);
    void load(const EngineOptions& options);
};

}  // namespace sluice
