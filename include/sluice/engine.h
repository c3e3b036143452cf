// Open a model, make sessions, feed them, let them generate.
//
//     sluice::Engine engine = sluice::Engine::open("model.gguf");
//     sluice::Session session(engine);
//     session.prefill(engine.render({.messages = {{.role = "user", .content = "What is 12+30?"}}}).tokens);
//     session.generate({.sampling = engine.recommended_sampling()},
//                      [](std::string_view text) { std::cout << text << std::flush; return true; });
//
// Errors are thrown as sluice::Error. Engine is a cheap handle: copy it freely, use it from any thread. A
// Session is used by one thread at a time (cancel() and stats() by any); several sessions work at once on one
// engine. The same model, prompt and seed give the same tokens for every thread count, batch size and
// neighbour.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/chat.h"
#include "sluice/error.h"
#include "sluice/sampling.h"

namespace sluice {

using TokenId = int32_t;

/// How the KV cache keeps its values. q8_0: blocks of 32 with a half-precision scale.
enum class KvType { f32, f16, q8_0 };
std::string_view to_string(KvType type);
/// Throws invalid_argument naming the choices.
KvType parse_kv_type(std::string_view text);
/// Throw invalid_argument naming the choices if the text is none of EngineOptions::isa, io, cache_policy.
void check_isa(const std::string& text);
void check_io(const std::string& text);
void check_cache_policy(const std::string& text);

struct LoadProgress {
    uint64_t bytes_done = 0, bytes_total = 0;
};

/// A part of the memory that was planned before anything was read, or one to plan.
struct MemoryPart {
    std::string what{};
    uint64_t bytes = 0;
};

struct EngineInfo;
/// What an answer must be, made by Engine::constrain_…: compiled once, for any number of answers and threads.
class Constraint;

struct EngineOptions {
    uint32_t threads = 0;    // 0: one for each physical core available to the process
    uint64_t ram_bytes = 0;  // all memory Sluice may use; 0: what is available here, less an eighth
    // What one session will use: memory for it is set aside, the rest becomes the cache of routed experts.
    uint32_t context =
        0;  // tokens; 0: the model's limit, or what a sixteenth of the memory holds if experts are streamed
    uint32_t sequences = 1;  // that are computed at once, each with a context of its own
    KvType kv_type = KvType::f16;
    uint32_t batch = 0;  // prompt tokens computed at once; 0: 512, or up to 2048 with experts
    // For compiled grammars, schemas and tools, the vocabulary's tables included; 0: 64 MiB, or a 64th of the
    // memory if that is less, and what the vocabulary takes.
    uint64_t constraint_bytes = 0;
    // Memory that the caller will use itself, such as a server for its replies: each part gets what it asks
    // for, or a 64th of the memory if that is less. EngineInfo::set_aside says how much.
    std::vector<MemoryPart> set_aside{};
    bool pin = false;   // keep each thread on a core of its own, the fastest first; the caller's too
    std::string isa{};  // which kernels: "avx512", "avx2", …, "plain"; empty: the best this processor runs
    std::string io{};   // how experts are read: "auto", "uring", "pread", "buffered", "mmap"; empty: auto
    std::string
        cache_policy{};  // which expert leaves when room is needed: "lru", "slru", "lfru"; empty: the default
    std::string route_trace{};  // a file for what the routers choose (sluice replay reads it); empty: none
    // What this model's experts are used for is remembered in a small file, and warms their cache at the next
    // start. Off unless asked for: a library should not write files that nobody expects.
    bool learn = false;
    std::string usage_folder{};  // empty: sluice/usage in the user's cache folder ($XDG_CACHE_HOME, ~/.cache)
    std::vector<std::string> mirrors{};  // folders on other drives with copies of some or all of the files
    bool look_ahead = true;              // idle drive time reads what the next layer will probably ask for
    std::function<void(const EngineInfo&)> on_plan{};  // when memory is planned, before weights are read
    std::function<void(const LoadProgress&)> on_progress{};  // while weights are read; called from one thread
};

/// Where the routed experts' bytes came from: over an engine's life, or over a part of it.
struct StreamStats {
    uint64_t hits = 0, misses = 0;  // experts asked for by routers that were in memory, or were not
    uint64_t bytes_read = 0;        // experts only
    double read_seconds = 0;        // while at least one read was in flight
    double wait_seconds = 0;        // the cores had nothing to compute and waited for the drive
    uint64_t guesses = 0, useful_guesses = 0;  // experts read on look-ahead; of them, asked for
    uint64_t warmed = 0, warmed_useful = 0;    // read because earlier runs used them; of them, asked for
    double drive_rate = 0;  // bytes a second the drive can do: the best seen so far (not a sum)
    double hit_rate() const { return hits + misses ? double(hits) / double(hits + misses) : 0; }
    double read_rate() const { return read_seconds > 0 ? double(bytes_read) / read_seconds : 0; }
    /// What `seconds` of work would have taken if the drive had always read at its rate and the cores had
    /// never waited: max(bytes_read / drive_rate, seconds - wait_seconds).
    double least_seconds(double seconds) const;
    /// least_seconds / seconds: 1 is all that drive and cores allow. 0 if no expert was asked for.
    double share_of_limit(double seconds) const;
    /// Sums, and differences of two moments; drive_rate is the later one's.
    StreamStats& operator+=(const StreamStats& other);
    StreamStats operator-(const StreamStats& earlier) const;
};

/// One forward pass: a batch of the prompt, or one token of the answer.
struct StepStats {
    bool decoding = false;
    uint32_t tokens = 0;
    double seconds = 0;
    StreamStats stream{};
};

struct EngineInfo {
    std::string path{}, architecture{}, name{};
    uint64_t parameters = 0, active_parameters = 0;
    uint64_t file_bytes = 0, weight_bytes = 0;  // on disk; loaded
    uint32_t n_layers = 0, n_embd = 0, n_vocab = 0, context_length = 0;
    uint32_t n_experts = 0, n_experts_used = 0;
    uint32_t threads = 0;
    std::string isa{};        // "avx512", "avxvnni", "avx2", "neon", "plain"
    std::string residency{};  // where the routed experts are: "memory", "412 of 1,664 experts in memory, the
                              // rest on the drive"
    std::string io{};         // "io_uring, direct, …"
    bool streams = false;     // not all experts fit: they are read as they are asked for
    uint32_t cached_experts = 0, total_experts = 0;  // that memory holds; that the model has
    std::string cache_policy{};                      // "lru", "slru", "lfru"
    uint64_t ram_limit = 0;                          // what may be used
    std::vector<MemoryPart> plan{}, set_aside{};
    uint64_t constraint_bytes = 0;    // that compiled grammars may take
    uint32_t context = 0, batch = 0;  // that a session has by default
    bool has_tokenizer = false;
    std::string template_name{};  // "the model's own", or the named default
    double load_seconds = 0;
    std::vector<std::string> notices{};  // what a user should know: a default template was chosen, …
};

class Engine {
  public:
    /// Opens a GGUF file or the first of a split set and reads the weights.
    static Engine open(const std::string& path, const EngineOptions& options = {});

    const EngineInfo& info() const;
    /// The values the file recommends (general.sampling.*), else Sluice's defaults.
    SamplingOptions recommended_sampling() const;
    /// Bytes of KV cache one token needs over all layers.
    uint64_t kv_bytes_per_token(KvType type) const;
    StreamStats stream_stats() const;
    /// What happened since the last call that a user should know: a mirror failed and was dropped.
    std::vector<std::string> take_notices() const;

    /// Token ids of a text, without BOS. Control tokens are recognised only if parse_special.
    std::vector<TokenId> tokenize(std::string_view text, bool parse_special) const;
    /// As tokenize(text, true) with BOS in front where the model wants one: a prompt written by hand.
    std::vector<TokenId> tokenize_prompt(std::string_view text) const;
    std::string detokenize(std::span<const TokenId> tokens, bool show_special = false) const;
    /// Runs the chat template and tokenises: special tokens come from the template alone.
    Prompt render(const ChatRequest& request) const;
    /// True for the tokens that end an answer.
    bool is_end(TokenId token) const;

    /// Answers are texts of a GBNF grammar (docs/grammar.md). These throw invalid_argument, unsupported or
    /// out_of_budget, with a sentence that names the place.
    std::shared_ptr<const Constraint> constrain_to_grammar(std::string_view gbnf) const;
    /// Answers are JSON that is valid under a JSON schema.
    std::shared_ptr<const Constraint> constrain_to_schema(std::string_view json_schema) const;
    /// Answers are JSON objects.
    std::shared_ptr<const Constraint> constrain_to_json_object() const;
    /// Answers call one of `tools` (as in ChatRequest), or the one named, the way the chat template writes
    /// it. Their markers may be control tokens: GenerateOptions::show_special makes them part of the text.
    std::shared_ptr<const Constraint> constrain_to_tool_call(std::string_view tools,
                                                             std::string_view name = {},
                                                             bool parallel = true) const;

    struct Impl;  // internal
    const std::shared_ptr<Impl>& impl() const { return impl_; }

  private:
    std::shared_ptr<Impl> impl_;
};

struct SessionOptions {
    uint32_t context = 0;  // tokens; 0: the engine's. Memory is taken as the conversation grows
    KvType kv_type = KvType::f16;
    uint32_t batch =
        0;  // prompt tokens computed at once, 0: the engine's; decides speed and memory, never tokens
    std::function<void(const StepStats&)> on_step{};  // after each forward pass, from the thread that asked
};

enum class StopReason { end_token, stop_text, length, context_full, cancelled };
/// "eos", "stop", "length", "context", "cancelled"
std::string_view to_string(StopReason reason);

struct GenerateOptions {
    SamplingOptions sampling{};
    int64_t max_tokens = -1;          // -1: until an end token or the context is full
    std::vector<std::string> stop{};  // texts that end the answer; not part of it
    bool stop_in_reasoning = true;    // else they count after </think> alone
    bool ignore_end = false;          // goes on after end tokens (which are then part of the answer)
    bool show_special = false;        // control tokens appear in the text by name (tool calls are marked so)
    int32_t top_logprobs = -1;        // 0 and more: log probabilities, of each token and of so many best ones
    int64_t thinking_budget = -1;     // tokens after which open reasoning is closed; -1: never
    std::shared_ptr<const Constraint> constraint{};  // what the answer must be, after its reasoning
    // As in Prompt: for thinking_budget and constraint.
    bool opens_reasoning = false, may_reason = false;
};

struct TokenLogprob {
    TokenId token = 0;
    float logprob = 0;  // natural, by the model itself: before sampling options change anything
};
struct TokenLogprobs {
    TokenLogprob chosen{};
    std::vector<TokenLogprob> top{};  // the best first
};

struct Generated {
    std::vector<TokenId> tokens{};  // without the end token
    std::string text{};             // whole UTF-8 characters, up to a stop text
    StopReason reason = StopReason::end_token;
    std::vector<TokenLogprobs> logprobs{};  // of each token, if asked for
};

struct SessionStats {
    uint64_t prompt_tokens = 0;     // of the last prefill, those reused included
    uint64_t reused_tokens = 0;     // of them, found in the cache
    double prefill_seconds = 0;     // for prompt_tokens - reused_tokens
    uint64_t generated_tokens = 0;  // of the last generate
    double decode_seconds = 0;
    uint64_t kv_tokens = 0, kv_bytes = 0;  // in the cache; allocated for it
    StreamStats prefill_stream{}, decode_stream{};
    double prefill_tokens_per_second() const;
    double decode_tokens_per_second() const;
};

/// Bytes held now, by purpose.
struct MemoryUse {
    uint64_t weights = 0, kv = 0, scratch = 0;
    uint64_t peak_rss = 0;  // of the process, as the kernel counts it
};

class Session {
  public:
    explicit Session(const Engine& engine, const SessionOptions& options = {});
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    /// Makes the cache hold exactly `tokens`: the longest prefix it already holds is kept, the rest is
    /// computed. At least one token. Throws out_of_budget with both numbers if they exceed the context,
    /// invalid_argument for ids outside the vocabulary, cancelled. on_progress(done, total) after each batch.
    void prefill(std::span<const TokenId> tokens,
                 const std::function<void(uint64_t, uint64_t)>& on_progress = {});
    /// Adds tokens after those in the cache.
    void append(std::span<const TokenId> tokens,
                const std::function<void(uint64_t, uint64_t)>& on_progress = {});
    /// Logits after the last token: n_vocab values. Throws invalid_argument if nothing was fed.
    std::span<const float> logits() const;
    /// Computes `tokens` as append() does and returns the logits after each: [token][n_vocab].
    std::vector<float> append_all_logits(std::span<const TokenId> tokens);

    /// Samples until a reason to stop. on_text gets whole UTF-8 characters as they are certain (text that may
    /// be the beginning of a stop text is held back); returning false stops with `cancelled`.
    Generated generate(const GenerateOptions& options,
                       const std::function<bool(std::string_view)>& on_text = {});

    /// From any thread: makes the running prefill or generate stop soon.
    void cancel() noexcept;
    /// The tokens in the cache.
    std::span<const TokenId> tokens() const;
    /// Forgets all tokens.
    void clear();

    SessionStats stats() const;
    MemoryUse memory() const;
    uint32_t context() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
