// What the model answered lately, token for token. In the next turn of a conversation the client sends an
// answer back as it understood it: the blanks around a call of a tool are gone, its arguments were written
// anew by some JSON library, and the same text may be cut into other tokens. What the cache of prefixes holds
// would be of no use from there on, and the model would read words that it did not write. So where a prompt
// goes on as an answer that was given here to the same beginning, the answer's own tokens are put in.
//
// Only where both read the same: reasoning, content, names and arguments of calls, blanks at the ends and the
// writing of JSON aside. What a template leaves out (thoughts) or a client changed stays as it came.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sluice/chat.h"

#include "text/tokenizer.h"
#include "text/tool_calls/answer_parser.h"

namespace sluice::server {

class TurnMemory {
  public:
    static constexpr size_t most_tokens = 1 << 20;  // 4 MiB, of all answers together

    /// tokenizer: none for models without one, which have no chats either.
    explicit TurnMemory(const Tokenizer* tokenizer);

    struct Turn {
        std::vector<TokenId> answer{};
        bool opens_reasoning = false;      // as in Prompt
        std::vector<std::string> calls{};  // ids of the calls it made
        std::string reasoning{};           // that was before them
    };
    /// `answer` was given to `prompt`. asker: nobody else will find it.
    void keep(std::string_view asker, std::span<const TokenId> prompt, Turn turn);

    /// The prompt with the answers that were given here as the model wrote them. `reading`: the format and
    /// tools of the request.
    std::vector<TokenId> replay(std::string_view asker, std::span<const TokenId> prompt,
                                const AnswerParser::Options& reading);

    /// What was thought before the calls of these ids: many clients do not send it back, and some templates
    /// show a model what it thought until it has answered.
    std::optional<std::string> thoughts_before(std::string_view asker, std::span<const ToolCall> calls) const;

  private:
    struct Kept {
        uint64_t place = 0;  // hash of asker and prompt
        std::vector<uint64_t> calls{};
        std::shared_ptr<const Turn> turn{};
    };
    using Turns = std::list<Kept>;
    static constexpr size_t cost_of_one = 64;  // in tokens: what an entry takes besides its answer

    uint64_t start(std::string_view asker) const;
    uint64_t call_key(std::string_view asker, std::string_view id) const;
    void forget(Turns::iterator turn);
    /// The answers that were given at this place; counts as a use of them.
    std::vector<std::shared_ptr<const Turn>> given(uint64_t place);
    bool read_alike(std::span<const TokenId> a, std::span<const TokenId> b,
                    const AnswerParser::Options& reading) const;

    const Tokenizer* tokenizer_;
    const uint64_t seed_;
    mutable std::mutex mutex_;
    Turns turns_;  // the oldest use first
    std::unordered_multimap<uint64_t, Turns::iterator> by_place_;
    std::unordered_map<uint64_t, Turns::iterator> by_call_;
    size_t tokens_ = 0;
};

}  // namespace sluice::server
