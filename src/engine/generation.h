// One answer while it is made: logits in, tokens and certain text out, until there is a reason to stop.
// Session and scheduler both generate by it, so that a request's answer is the one a session gives.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/engine.h"

#include "engine/sampler.h"
#include "engine/stop_text.h"
#include "text/grammar/constraint.h"
#include "text/reasoning.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace sluice {

class Generation {
  public:
    /// `before`: the tokens that the answer follows. Throws invalid_argument for options that cannot be.
    Generation(const Engine::Impl& engine, const GenerateOptions& options, std::span<const TokenId> before);

    /// What one token added.
    struct Step {
        std::optional<TokenId> token{};  // part of the answer; none if the answer ended before it
        std::string text{};              // certain now
        std::optional<TokenLogprobs> logprobs{};
        std::optional<StopReason> stop{};  // else the token is to be fed
    };
    /// Logits after the last token. `room`: positions left in the cache. Not after a reason to stop.
    Step next(std::span<const float> logits, uint64_t room);
    /// The end, whatever the reason: text that was held back.
    std::string finish();

    const std::vector<TokenId>& tokens() const { return tokens_; }
    /// The stop text that ended it; empty if none did.
    const std::string& stop_text() const { return stop_.which(); }

  private:
    TokenId choose(std::span<const float> logits);
    std::string take_text(TokenId token);
    std::string search_answer(const std::string& piece);
    std::optional<StopReason> reason_to_stop(uint64_t room) const;
    void close_thoughts();

    const Tokenizer* tokenizer_;  // may be none
    GenerateOptions options_;
    Sampler sampler_;
    Utf8Stream characters_;
    StopText stop_;
    std::optional<ReasoningSplitter> thoughts_;  // while they are limited
    std::optional<ConstrainedText> constrained_;
    std::optional<ReasoningSplitter> parts_;  // while stop texts count in the answer alone
    std::vector<TokenId> forced_;             // to come next, whatever the model says; last one first
    std::vector<TokenId> tokens_;
};

}  // namespace sluice
