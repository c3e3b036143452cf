#include "server/turn_memory.h"

#include <algorithm>
#include <random>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/fail.h"
#include "text/bounded_json.h"

namespace sluice::server {

namespace {

/// The finaliser of splitmix64: each bit of the result depends on each of the input's.
uint64_t mixed(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

uint64_t with(uint64_t hash, uint64_t value) {
    return mixed(hash + 0x9e3779b97f4a7c15 + value);
}

uint64_t random_seed() {
    std::random_device device;
    return uint64_t(device()) << 32 | device();
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

/// One value, however it is written. What is no JSON is as it is written.
bool same_json(const std::string& a, const std::string& b) {
    if (a == b) return true;
    try {
        return nlohmann::json(parse_bounded_json(a)) == nlohmann::json(parse_bounded_json(b));
    } catch (const Error&) {
        return false;
    }
}

struct Reading {
    std::string reasoning, content;
    std::vector<ToolCall> calls;

    void add(const AnswerPiece& piece) {
        reasoning += piece.reasoning;
        content += piece.content;
        for (const ToolCallPiece& c : piece.calls) {
            if (c.index >= calls.size()) calls.resize(c.index + 1);
            calls[c.index].name += c.name;
            calls[c.index].arguments += c.arguments;
        }
    }
    bool operator==(const Reading& o) const {
        return trimmed(reasoning) == trimmed(o.reasoning) && trimmed(content) == trimmed(o.content) &&
               std::equal(calls.begin(), calls.end(), o.calls.begin(), o.calls.end(),
                          [](const ToolCall& a, const ToolCall& b) {
                              return a.name == b.name && same_json(a.arguments, b.arguments);
                          });
    }
};

Reading read(const std::string& text, const AnswerParser::Options& options) {
    AnswerParser parser(options);
    Reading reading;
    reading.add(parser.push(text));
    reading.add(parser.finish());
    return reading;
}

}  // namespace

TurnMemory::TurnMemory(const Tokenizer* tokenizer) : tokenizer_(tokenizer), seed_(random_seed()) {}

uint64_t TurnMemory::start(std::string_view asker) const {
    return with(seed_, std::hash<std::string_view>()(asker));
}

uint64_t TurnMemory::call_key(std::string_view asker, std::string_view id) const {
    return with(start(asker), ~std::hash<std::string_view>()(id));
}

void TurnMemory::forget(Turns::iterator turn) {
    const auto [begin, end] = by_place_.equal_range(turn->place);
    by_place_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == turn; }));
    for (const uint64_t call : turn->calls)
        if (const auto it = by_call_.find(call); it != by_call_.end() && it->second == turn)
            by_call_.erase(it);
    tokens_ -= turn->turn->answer.size() + cost_of_one;
    turns_.erase(turn);
}

void TurnMemory::keep(std::string_view asker, std::span<const TokenId> prompt, Turn turn) {
    constexpr size_t most_here = 4;  // different answers to one prompt
    const size_t cost = turn.answer.size() + cost_of_one;
    if (turn.answer.empty() || cost > most_tokens / 4) return;
    Kept kept{start(asker), {}, {}};
    for (const TokenId t : prompt) kept.place = with(kept.place, uint32_t(t));
    for (const std::string& id : turn.calls) kept.calls.push_back(call_key(asker, id));
    kept.turn = std::make_shared<const Turn>(std::move(turn));

    std::lock_guard lock(mutex_);
    if (by_place_.count(kept.place) >= most_here) forget(by_place_.find(kept.place)->second);
    while (!turns_.empty() && tokens_ + cost > most_tokens) forget(turns_.begin());
    tokens_ += cost;
    const auto it = turns_.insert(turns_.end(), std::move(kept));
    by_place_.emplace(it->place, it);
    for (const uint64_t call : it->calls) by_call_[call] = it;
}

std::vector<std::shared_ptr<const TurnMemory::Turn>> TurnMemory::given(uint64_t place) {
    std::vector<std::shared_ptr<const Turn>> found;
    std::lock_guard lock(mutex_);
    for (auto [it, end] = by_place_.equal_range(place); it != end; ++it) {
        turns_.splice(turns_.end(), turns_, it->second);
        found.push_back(it->second->turn);
    }
    return found;
}

bool TurnMemory::read_alike(std::span<const TokenId> a, std::span<const TokenId> b,
                            const AnswerParser::Options& reading) const {
    const auto text = [&](std::span<const TokenId> tokens) {
        std::string joined;
        for (const TokenId t : tokens) joined += tokenizer_->piece(t, true);
        return joined;
    };
    const std::string text_a = text(a), text_b = text(b);
    return text_a == text_b || read(text_a, reading) == read(text_b, reading);
}

std::vector<TokenId> TurnMemory::replay(std::string_view asker, std::span<const TokenId> prompt,
                                        const AnswerParser::Options& reading) {
    std::vector<TokenId> out;
    out.reserve(prompt.size());
    uint64_t place = start(asker);
    const auto put = [&](TokenId t) {
        out.push_back(t);
        place = with(place, uint32_t(t));
    };
    while (!prompt.empty()) {
        put(prompt.front());
        prompt = prompt.subspan(1);
        for (const auto& turn : given(place)) {
            // An answer's text ends where its template marks the end of a turn.
            const auto end =
                std::find_if(prompt.begin(), prompt.end(), [&](TokenId t) { return tokenizer_->is_end(t); });
            if (end == prompt.end()) break;
            AnswerParser::Options options = reading;
            options.opens_reasoning = turn->opens_reasoning;
            const auto found = prompt.first(size_t(end - prompt.begin()));
            if (!read_alike(found, turn->answer, options)) continue;
            for (const TokenId t : turn->answer) put(t);
            prompt = prompt.subspan(found.size());
            break;
        }
    }
    return out;
}

std::optional<std::string> TurnMemory::thoughts_before(std::string_view asker,
                                                       std::span<const ToolCall> calls) const {
    if (calls.empty()) return std::nullopt;
    std::lock_guard lock(mutex_);
    const auto it = by_call_.find(call_key(asker, calls.front().id));
    if (it == by_call_.end()) return std::nullopt;
    const Turn& turn = *it->second->turn;
    const bool same = std::equal(calls.begin(), calls.end(), turn.calls.begin(), turn.calls.end(),
                                 [](const ToolCall& call, const std::string& id) { return call.id == id; });
    if (!same || turn.reasoning.empty()) return std::nullopt;
    return turn.reasoning;
}

}  // namespace sluice::server
