#include "engine/generation.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "engine/impl.h"

namespace sluice {

namespace {

uint32_t tokens_to_choose_from(const Engine::Impl& engine) {
    const uint64_t n = engine.params.n_vocab;
    return uint32_t(engine.tokenizer ? std::min<uint64_t>(engine.tokenizer->size(), n) : n);
}

/// log softmax of the model's own logits, before any sampling option.
TokenLogprobs logprobs_of(std::span<const float> logits, TokenId chosen, uint32_t n_top) {
    const float largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float x : logits) sum += std::exp(double(x) - largest);
    const double log_sum = std::log(sum) + largest;
    const auto entry = [&](TokenId id) {
        return TokenLogprob{id, float(double(logits[size_t(id)]) - log_sum)};
    };
    TokenLogprobs r{entry(chosen), {}};
    std::vector<TokenId> ids(logits.size());
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = TokenId(i);
    const size_t n = std::min<size_t>(n_top, ids.size());
    std::partial_sort(ids.begin(), ids.begin() + ptrdiff_t(n), ids.end(), [&](TokenId a, TokenId b) {
        const float x = logits[size_t(a)], y = logits[size_t(b)];
        return x != y ? x > y : a < b;
    });
    for (size_t i = 0; i < n; ++i) r.top.push_back(entry(ids[i]));
    return r;
}

}  // namespace

Generation::Generation(const Engine::Impl& engine, const GenerateOptions& options,
                       std::span<const TokenId> before)
    : tokenizer_(engine.tokenizer.get()),
      options_(options),
      sampler_(options.sampling, tokens_to_choose_from(engine)),
      stop_(options.stop) {
    if (options.constraint) {
        if (options.ignore_end)
            fail(
                ErrorCode::invalid_argument,
                "expected a grammar or a going on after end tokens, found both: a grammar says where to end");
        constrained_.emplace(options.constraint, options.opens_reasoning ? GrammarStart::inside_thinking
                                                 : options.may_reason    ? GrammarStart::may_think
                                                                         : GrammarStart::answer);
    }
    for (const TokenId t : before) sampler_.accept(t);
    if (!options.stop_in_reasoning && !options.stop.empty()) parts_.emplace(options.opens_reasoning);
    if (tokenizer_ && options.thinking_budget >= 0) {
        thoughts_.emplace(options.opens_reasoning);
        if (options.opens_reasoning && options.thinking_budget == 0) close_thoughts();
    }
}

void Generation::close_thoughts() {
    forced_ = tokenizer_->encode_trusted("\n</think>\n\n");
    std::reverse(forced_.begin(), forced_.end());
    thoughts_.reset();
}

/// Most tokens that models choose are allowed: the mask is made only when one is not. The second draw follows
/// the first in the sampler's sequence, so that the answer still depends on its seed alone.
TokenId Generation::choose(std::span<const float> logits) {
    if (forced_.empty()) {
        const TokenId token = sampler_.sample(logits);
        if (!constrained_ || constrained_->allows(token)) return token;
        return sampler_.sample(logits, constrained_->mask().get());
    }
    const TokenId token = forced_.back();
    forced_.pop_back();
    return token;
}

Generation::Step Generation::next(std::span<const float> logits, uint64_t room) {
    Step step;
    if (options_.max_tokens == 0) {
        step.stop = StopReason::length;
        return step;
    }
    const TokenId token = choose(logits);
    if (!options_.ignore_end && tokenizer_ && tokenizer_->is_end(token)) {
        step.stop = StopReason::end_token;
        return step;
    }
    if (options_.top_logprobs >= 0)
        step.logprobs = logprobs_of(logits, token, uint32_t(options_.top_logprobs));
    sampler_.accept(token);
    if (constrained_) constrained_->accept(token);
    tokens_.push_back(token);
    step.token = token;
    step.text = take_text(token);
    step.stop = reason_to_stop(room);
    return step;
}

std::string Generation::take_text(TokenId token) {
    if (!tokenizer_) return {};
    const std::string piece = characters_.push(tokenizer_->piece(token, options_.show_special));
    if (thoughts_) {
        thoughts_->push(piece);
        if (thoughts_->inside() && tokens_.size() >= uint64_t(options_.thinking_budget)) close_thoughts();
    }
    return parts_ ? search_answer(piece) : stop_.push(piece);
}

/// Looks for stop texts in what belongs to the answer, and lets the rest pass.
std::string Generation::search_answer(const std::string& piece) {
    const bool was_answering = parts_->answering();
    const ReasoningSplitter::Piece parts = parts_->push(piece);
    if (!parts_->answering()) return stop_.finish() + piece;
    if (was_answering) return stop_.push(piece);
    const size_t before = piece.size() - parts.answer.size();  // the answer begins in this piece
    return piece.substr(0, before) + stop_.push(parts.answer);
}

std::optional<StopReason> Generation::reason_to_stop(uint64_t room) const {
    if (stop_.found()) return StopReason::stop_text;
    if (constrained_ && constrained_->finished()) return StopReason::end_token;
    if (room == 0) return StopReason::context_full;
    if (options_.max_tokens >= 0 && tokens_.size() >= uint64_t(options_.max_tokens))
        return StopReason::length;
    return std::nullopt;
}

std::string Generation::finish() {
    if (stop_.found()) return {};
    std::string text = stop_.push(characters_.finish());
    return text + stop_.finish();
}

}  // namespace sluice
