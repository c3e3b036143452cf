#include <algorithm>
#include <chrono>

#include "core/fail.h"
#include "core/sizes.h"
#include "engine/impl.h"
#include "model/census.h"

namespace sluice {

namespace {

struct KvName {
    KvType type;
    KvFormat format;
    std::string_view name;
};
constexpr KvName kv_names[] = {{KvType::f32, KvFormat::f32, "f32"},
                               {KvType::f16, KvFormat::f16, "f16"},
                               {KvType::q8_0, KvFormat::q8_0, "q8_0"}};

const KvName& entry(KvType type) {
    return kv_names[size_t(type)];
}

/// What stays free for the system and other programs when no budget is given.
uint64_t reserve_of(uint64_t available) {
    return available / 8;
}

uint32_t choose_threads(uint32_t asked) {
    constexpr uint32_t most = 1024;
    if (asked > most)
        fail(ErrorCode::invalid_argument, "expected --threads from 1 to {}, found {}", most, asked);
    return asked ? asked : uint32_t(available_cores().size());
}

}  // namespace

std::string_view to_string(KvType type) {
    return entry(type).name;
}
KvFormat to_format(KvType type) {
    return entry(type).format;
}

uint32_t choose_context(uint32_t asked, const EngineInfo& info) {
    if (asked > info.context_length)
        fail(ErrorCode::invalid_argument, "expected --ctx of at most the model's {} tokens, found {}",
             info.context_length, asked);
    return asked ? asked : info.context;
}

void check_context(uint64_t n, uint32_t context, const EngineInfo& info) {
    if (n > context)
        fail(ErrorCode::out_of_budget, "the prompt has {} tokens and the context holds {}; shorten it{}", n,
             context,
             context < info.context_length
                 ? fmt::format(" or raise --ctx (the model allows {})", info.context_length)
                 : "");
}

KvType parse_kv_type(std::string_view text) {
    for (const auto& k : kv_names)
        if (k.name == text) return k.type;
    fail(ErrorCode::invalid_argument, "expected a KV type of f32, f16 or q8_0, found \"{}\"", text);
}

void check_isa(const std::string& text) {
    parse_isa(text);
}
void check_io(const std::string& text) {
    if (!text.empty()) parse_io_mode(text);
}
void check_cache_policy(const std::string& text) {
    if (!text.empty()) parse_cache_policy(text);
}

Engine::Impl::Impl(const std::string& path, const EngineOptions& options)
    : file(GgufFile::open(path)),
      params(HyperParams::from(file)),
      tensors(ModelTensors::bind(file, params)),
      pool(choose_threads(options.threads), options.pin ? available_cores() : std::vector<uint32_t>()),
      kernels(pool, parse_isa(options.isa)),
      ram_limit(options.ram_bytes) {
    info.path = path;
    info.architecture = params.architecture;
    info.name = file.metadata().get_string("general.name", std::filesystem::path(path).stem().string());
    const Census census = take_census(file, &params);
    info.parameters = census.parameters;
    info.active_parameters = census.active_parameters;
    info.file_bytes = file.total_bytes();
    info.n_layers = params.n_layers;
    info.n_embd = params.n_embd;
    info.n_vocab = params.n_vocab;
    info.context_length = params.context_length;
    info.n_experts = params.moe.n_experts;
    info.n_experts_used = params.moe.n_used;
    info.threads = pool.size();
    info.isa = kernels.table().name;
    read_text(file.metadata());
    load(options);
}

void Engine::Impl::read_text(const GgufMetadata& metadata) {
    const std::string model = metadata.get_string("tokenizer.ggml.model", "none");
    if (model == "none" || model == "no_vocab") {
        info.notices.push_back("the file has no tokenizer: only token ids can be fed and read");
        return;
    }
    tokenizer = Tokenizer::from(metadata);
    info.has_tokenizer = true;
    if (const std::string source = metadata.get_string("tokenizer.chat_template", ""); !source.empty()) {
        try {
            chat_template.emplace(source);
            info.template_name = "the model's own";
            return;
        } catch (const Error& e) {
            info.notices.push_back(fmt::format("the model's own chat template cannot be used: {}", e.what()));
        }
    }
    const DefaultTemplate fallback = default_template(*tokenizer);
    chat_template.emplace(std::string(fallback.source));
    info.template_name = fallback.name;
    info.notices.push_back(
        fmt::format("no chat template of the model's own: using the default \"{}\"", fallback.name));
}

namespace {

/// The program itself: code, libraries, thread stacks.
constexpr uint64_t program_bytes = 24 << 20;

/// The vocabulary and its tables, from the bytes of its texts.
uint64_t text_bytes(const GgufMetadata& metadata) {
    uint64_t sum = 0;
    for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"})
        if (const auto* texts = metadata.find_strings(key))
            for (const auto& t : *texts) sum += t.size() + 160;  // the string twice, and its place in tables
    return sum;
}

/// What Vocabulary takes of it: a string, a place in the trie's ids and about three nodes for each token.
uint64_t constraint_vocabulary_bytes(const GgufMetadata& metadata) {
    uint64_t sum = 0;
    if (const auto* texts = metadata.find_strings("tokenizer.ggml.tokens"))
        for (const auto& t : *texts) sum += 96 + (t.size() > 15 ? t.size() + 17 : 0);
    return sum;
}

}  // namespace

/// What the memory is divided over besides the model's own needs.
void Engine::Impl::plan_beside(const EngineOptions& options) {
    const auto modest = [&](uint64_t bytes) { return std::min(bytes, ram_limit / 64); };
    constexpr uint64_t usual_constraints = 64 << 20;
    info.constraint_bytes = options.constraint_bytes
                                ? options.constraint_bytes
                                : modest(usual_constraints) + constraint_vocabulary_bytes(file.metadata());
    if (!info.has_tokenizer) info.constraint_bytes = 0;
    for (const MemoryPart& part : options.set_aside)
        info.set_aside.push_back({part.what, modest(part.bytes)});
}

/// Divides the memory before anything is read: what must be there, a session's KV cache, and the rest for
/// experts.
void Engine::Impl::plan_memory(const EngineOptions& options) {
    if (ram_limit == 0) {
        const uint64_t available = available_memory();
        ram_limit = available - reserve_of(available);
    }
    const StorePlan& plan = store->plan();
    const KvLayout layout(params, to_format(options.kv_type));
    const auto kv_bytes = [&](uint64_t tokens) {
        return options.sequences * KvCache::pages_for(tokens) * KvCache::page_tokens *
               layout.bytes_per_token();
    };
    plan_beside(options);
    beside_bytes = info.constraint_bytes;
    for (const MemoryPart& part : info.set_aside) beside_bytes += part.bytes;
    const uint64_t program = program_bytes + text_bytes(file.metadata());
    const uint64_t fixed = program + plan.dense_bytes + beside_bytes;
    constexpr uint32_t least_batch = 32, small_batch = 512, medium_batch = 1024, large_batch = 2048;
    const auto fits_with = [&](uint32_t batch) {
        return fixed + plan.all_expert_bytes + transformer->planned_scratch(batch, options.sequences) +
                   kv_bytes(KvCache::page_tokens) <=
               ram_limit;
    };
    const bool fits = fits_with(small_batch);

    // A large batch reads each expert once for many tokens; its scratch may take an eighth of the memory.
    // From memory that saves less, and of several sequences the others would wait for it.
    info.batch = options.batch ? options.batch : small_batch;
    const uint32_t most = !fits                                                 ? large_batch
                          : plan.all_expert_bytes > 0 && options.sequences == 1 ? medium_batch
                                                                                : small_batch;
    if (!options.batch)
        for (uint32_t n = most; n > small_batch; n /= 2)
            if (transformer->planned_scratch(n, options.sequences) <= ram_limit / 8 &&
                (!fits || fits_with(n))) {
                info.batch = n;
                break;
            }
    if (options.context > info.context_length)
        fail(ErrorCode::invalid_argument, "expected --ctx of at most the model's {} tokens, found {}",
             info.context_length, options.context);
    const auto scratch = [&] { return transformer->planned_scratch(info.batch, options.sequences); };
    const uint64_t taken = fixed + scratch() + (fits ? plan.all_expert_bytes : 0);
    const uint64_t for_kv = fits ? ram_limit - std::min(ram_limit, taken) : ram_limit / 16;
    constexpr uint32_t usual_context = 4096, least_context = 512;
    const uint64_t affordable = std::max<uint64_t>(
        usual_context, for_kv / std::max<uint64_t>(options.sequences * layout.bytes_per_token(), 1));
    info.context =
        options.context ? options.context : uint32_t(std::min<uint64_t>(info.context_length, affordable));

    // A session's KV cache grows into what is set aside; when everything fits it grows into what is left. For
    // several sequences it is set aside in any case, so that none can take what another was promised.
    const auto kv = [&] {
        return kv_bytes(fits && !options.context && options.sequences == 1 ? 1 : info.context);
    };
    const auto needed = [&] { return fixed + scratch() + kv() + plan.least_expert_bytes; };
    // Long prompts and long contexts must not leave the cache less than a token uses, if they can be shorter.
    const auto cramped = [&] {
        return !fits && fixed + scratch() + kv() + plan.working_set_bytes > ram_limit;
    };
    constexpr uint32_t modest_batch = 256, modest_context = 2048;
    while (!options.batch && info.batch > modest_batch && cramped()) info.batch /= 2;
    while (!options.context && info.context > modest_context && cramped())
        info.context = std::max(modest_context, info.context / 2);
    while (!options.batch && info.batch > least_batch && needed() > ram_limit) info.batch /= 2;
    while (!options.context && info.context > least_context && needed() > ram_limit)
        info.context = std::max(least_context, info.context / 2);
    if (needed() > ram_limit)
        fail(ErrorCode::out_of_budget,
             "{} needs at least {} of memory ({} dense weights, {} for the experts of one token, {} KV cache "
             "of {} "
             "tokens, {} to compute {} tokens at once, {} program, {} grammars and replies), and {} may be "
             "used "
             "({}); raise --ram, "
             "choose a "
             "smaller --ctx or --batch, --kv-type q8_0, or a smaller model",
             info.name, human_bytes(needed()), human_bytes(plan.dense_bytes),
             human_bytes(plan.least_expert_bytes), human_bytes(kv()), info.context, human_bytes(scratch()),
             info.batch, human_bytes(program), human_bytes(beside_bytes), human_bytes(ram_limit),
             options.ram_bytes ? "--ram" : "what is available here, less an eighth for the system");
    const uint64_t without_experts = needed() - plan.least_expert_bytes;
    expert_budget = std::min(plan.all_expert_bytes, ram_limit - without_experts);
    info.ram_limit = ram_limit;
    info.streams = expert_budget < plan.all_expert_bytes;
    info.plan = {
        {"dense weights: attention, norms, routers, shared experts, head", plan.dense_bytes},
        {fmt::format("cache of routed experts, {:.0f} % of them",
                     100.0 * double(expert_budget) / double(std::max<uint64_t>(plan.all_expert_bytes, 1))),
         expert_budget},
        {fmt::format("KV cache of {}{} tokens, {}",
                     options.sequences > 1 ? fmt::format("{} × ", options.sequences) : "", info.context,
                     to_string(options.kv_type)),
         kv()},
        {fmt::format("to compute {} tokens at once", info.batch), scratch()},
        {"program and vocabulary", program}};
    if (info.constraint_bytes)
        info.plan.push_back({"compiled grammars, schemas and tools, at most", info.constraint_bytes});
    info.plan.insert(info.plan.end(), info.set_aside.begin(), info.set_aside.end());
}

void Engine::Impl::load(const EngineOptions& options) {
    const auto begin = std::chrono::steady_clock::now();
    StoreOptions store_options;
    store_options.io = options.io.empty() ? IoMode::automatic : parse_io_mode(options.io);
    store_options.policy =
        options.cache_policy.empty() ? CachePolicy::lfru : parse_cache_policy(options.cache_policy);
    store_options.look_ahead = options.look_ahead;
    store_options.route_trace = options.route_trace;
    store_options.mirrors.assign(options.mirrors.begin(), options.mirrors.end());
    store = std::make_unique<WeightStore>(file, tensors.load_plan(), params.moe.n_used, store_options);
    transformer = std::make_unique<Transformer>(params, tensors, *store, kernels);
    plan_memory(options);
    constraints = std::make_unique<ConstraintCache>(info.constraint_bytes);
    if (options.on_plan) options.on_plan(info);
    store->load(expert_budget, [&](uint64_t done, uint64_t total) {
        if (options.on_progress) options.on_progress({done, total});
    });
    transformer->weights_are_there();
    info.weight_bytes = store->bytes();
    info.io = store->io_description();
    info.cache_policy = to_string(store_options.policy);
    info.cached_experts = store->cached_experts();
    info.total_experts = store->total_experts();
    info.residency = store->cached_experts() == store->total_experts()
                         ? "memory"
                         : fmt::format("{} of {} experts in memory, the rest on the drive",
                                       store->cached_experts(), store->total_experts());
    if (store_options.io == IoMode::mmap) info.residency = "the kernel's page cache";
    // What fits in memory needs no warming, and the kernel's page cache cannot be warmed by us.
    if (options.learn && info.streams && store->cached_experts() > 0)
        usage = std::make_unique<UsageMemory>(file, params.n_layers, params.moe.n_experts, *store,
                                              options.usage_folder, info.notices);
    info.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Engine::Impl::check_room(uint64_t more, const std::string& what) const {
    const uint64_t held = info.weight_bytes + scratch_bytes + beside_bytes;
    if (held + more > ram_limit)
        fail(ErrorCode::out_of_budget,
             "{} would take {} beside {} of weights, scratch and grammars, and {} may be used; choose a "
             "smaller --ctx, "
             "--batch or --kv-type q8_0, or raise --ram",
             what, human_bytes(more), human_bytes(held), human_bytes(ram_limit));
}

StreamStats Engine::Impl::stream_stats() const {
    const CacheStats c = store->cache_stats();
    const ReaderStats r = store->reader_stats();
    return {.hits = c.hits,
            .misses = c.misses,
            .bytes_read = r.bytes,
            .read_seconds = r.busy_seconds,
            .wait_seconds = c.wait_seconds,
            .guesses = c.guesses,
            .useful_guesses = c.useful_guesses,
            .warmed = c.warmed,
            .warmed_useful = c.warmed_useful,
            .drive_rate = store->drive_rate()};
}

StreamStats Engine::stream_stats() const {
    return impl_->stream_stats();
}

std::vector<std::string> Engine::take_notices() const {
    return impl_->store->take_notices();
}

const Tokenizer& Engine::Impl::need_tokenizer() const {
    if (!tokenizer)
        fail(ErrorCode::invalid_argument, "{} has no tokenizer: feed it token ids (sluice logits --tokens …)",
             info.path);
    return *tokenizer;
}

Engine Engine::open(const std::string& path, const EngineOptions& options) {
    Engine e;
    e.impl_ = std::make_shared<Impl>(path, options);
    return e;
}

const EngineInfo& Engine::info() const {
    return impl_->info;
}

SamplingOptions Engine::recommended_sampling() const {
    SamplingOptions s;
    const GgufMetadata& m = impl_->file.metadata();
    const auto number = [&](const char* key, float otherwise) {
        return float(m.get_float(fmt::format("general.sampling.{}", key), double(otherwise)));
    };
    s.temperature = number("temp", s.temperature);
    s.top_p = number("top_p", s.top_p);
    s.min_p = number("min_p", s.min_p);
    s.repeat_penalty = number("penalty_repeat", s.repeat_penalty);
    s.top_k = uint32_t(std::clamp<int64_t>(m.get_int("general.sampling.top_k", s.top_k), 0, 1 << 30));
    s.penalty_last_n = int32_t(
        std::clamp<int64_t>(m.get_int("general.sampling.penalty_last_n", s.penalty_last_n), -1, 1 << 30));
    return s;
}

uint64_t Engine::kv_bytes_per_token(KvType type) const {
    return KvLayout(impl_->params, to_format(type)).bytes_per_token();
}

std::vector<TokenId> Engine::tokenize(std::string_view text, bool parse_special) const {
    const Tokenizer& t = impl_->need_tokenizer();
    return parse_special ? t.encode_trusted(text) : t.encode_plain(text);
}

std::vector<TokenId> Engine::tokenize_prompt(std::string_view text) const {
    const Tokenizer& t = impl_->need_tokenizer();
    std::vector<TokenId> ids = t.encode_trusted(text);
    const SpecialTokens& s = t.special();
    if (s.add_bos && s.bos != no_token && (ids.empty() || ids.front() != s.bos))
        ids.insert(ids.begin(), s.bos);
    return ids;
}

std::string Engine::detokenize(std::span<const TokenId> tokens, bool show_special) const {
    return impl_->need_tokenizer().decode(tokens, show_special);
}

Prompt Engine::render(const ChatRequest& request) const {
    return impl_->render(request);
}

bool Engine::is_end(TokenId token) const {
    return impl_->tokenizer && impl_->tokenizer->is_end(token);
}

}  // namespace sluice
