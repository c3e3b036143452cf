#include "text/grammar/parse.h"

#include <algorithm>
#include <cstring>

#include "core/fail.h"

namespace sluice {

namespace {

constexpr size_t max_configs = 2048;  // at one place of the text
constexpr size_t few = 16;            // searched one by one
constexpr size_t max_nodes = 2'000'000;
constexpr size_t max_fingerprint = 512;  // configurations and nodes

[[noreturn]] void too_ambiguous() {
    fail(ErrorCode::out_of_budget,
         "the grammar is too ambiguous: it can read this text in more than {} ways at once", max_configs);
}

bool same_call(const Parse::Node& a, const Parse::Node& b) {
    return a.back == b.back && a.counted == b.counted && a.rest == b.rest && a.need == b.need &&
           (!a.counted || a.start == b.start);
}

}  // namespace

Parse::Parse(std::shared_ptr<const Automaton> automaton, GrammarStart start) : Parse(std::move(automaton)) {
    nodes_.push_back({0, 0, 0, 0, Automaton::none, false});
    begin_level();
    levels_[0].nodes = 1;  // the bottom may be popped at once: an empty text
    add({automaton_->start(start), bottom});
    close();
}

Parse Parse::within(std::shared_ptr<const Automaton> automaton, uint32_t state, const Node* counted) {
    Parse p(std::move(automaton));
    p.nodes_.push_back({0, 0, 0, 0, Automaton::none, false});
    p.begin_level();
    uint32_t top = bottom;
    if (counted) top = p.push(*counted, bottom);
    p.configs_.push_back({state, top});  // not closed: only this state's own bytes count
    return p;
}

void Parse::begin_level() {
    levels_.push_back({uint32_t(configs_.size()), uint32_t(nodes_.size()), uint32_t(links_.size()), false});
    if (!seen_.empty()) seen_.clear();
}

void Parse::back() {
    const Level& level = levels_.back();
    configs_.resize(level.configs);
    nodes_.resize(level.nodes);
    links_.resize(level.links);
    levels_.pop_back();
}

void Parse::back_to(size_t depth) {
    while (this->depth() > depth) back();
}

bool Parse::is_new(Config c) {
    const size_t begin = levels_.back().configs, n = configs_.size() - begin;
    if (n < few) return std::find(configs_.begin() + ptrdiff_t(begin), configs_.end(), c) == configs_.end();
    const auto key = [](Config x) { return uint64_t(x.state) << 32 | x.node; };
    if (seen_.empty())
        for (size_t i = begin; i < configs_.size(); ++i) seen_.insert(key(configs_[i]));
    if (n >= max_configs) too_ambiguous();
    return seen_.insert(key(c)).second;
}

void Parse::add(Config c) {
    ++work_;
    if (is_new(c)) configs_.push_back(c);
}

bool Parse::advance(uint8_t byte) {
    const size_t begin = levels_.back().configs, end = configs_.size();
    begin_level();
    for (size_t i = begin; i < end; ++i) {
        const Config from = configs_[i];
        for (const auto& e : automaton_->bytes(automaton_->state(from.state))) {
            if (byte < e.first) break;
            if (byte <= e.last) add({e.to, from.node});
        }
    }
    if (configs_.size() == end) {
        back();
        return false;
    }
    close();
    return true;
}

bool Parse::advance(std::string_view bytes) {
    const size_t before = depth();
    for (const char byte : bytes)
        if (!advance(uint8_t(byte))) {
            back_to(before);
            return false;
        }
    return true;
}

/// Follows calls and ends of rules until nothing new appears.
void Parse::close() {
    for (size_t i = levels_.back().configs; i < configs_.size(); ++i) {
        const Config c = configs_[i];
        const Automaton::State& state = automaton_->state(c.state);
        if (state.plain()) continue;
        if (state.final) pop(c.node);
        for (const auto& call : automaton_->calls(state)) {
            if (call.tail) {
                add({call.start, c.node});
                continue;
            }
            const bool endless = call.max == Automaton::none;
            const Node like{call.start,   call.back,       endless ? Automaton::none : call.max - 1,
                            call.min - 1, Automaton::none, call.counted()};
            add({call.start, push(like, c.node)});
        }
    }
}

/// The rule called from node n ends. One that was called at this very place matched the empty text, which the
/// way around the call stands for already.
void Parse::pop(uint32_t n) {
    if (n >= levels_.back().nodes) return;
    if (n == bottom)
        levels_.back().complete = true;
    else
        leave(nodes_[n]);
}

void Parse::leave(const Node& left) {
    const Node n = left;  // nodes_ grows
    for (uint32_t l = n.links; l != Automaton::none; l = links_[l].next) {
        const uint32_t below = links_[l].node;
        if (n.counted && n.rest > 0) {
            Node again = n;
            if (again.rest != Automaton::none) --again.rest;
            if (again.need > 0) --again.need;
            add({n.start, push(again, below)});
        }
        if (n.need == 0) add({n.back, below});
    }
}

/// The node of this place for this call, on top of `below` (and of what it was on top of before).
uint32_t Parse::push(const Node& like, uint32_t below) {
    work_ += 1 + (nodes_.size() - levels_.back().nodes) / 4;
    for (size_t i = nodes_.size(); i > levels_.back().nodes; --i)
        if (same_call(nodes_[i - 1], like)) {
            add_link(uint32_t(i - 1), below);
            return uint32_t(i - 1);
        }
    if (nodes_.size() >= max_nodes || nodes_.size() - levels_.back().nodes >= max_configs) too_ambiguous();
    nodes_.push_back(like);
    nodes_.back().links = Automaton::none;
    add_link(uint32_t(nodes_.size() - 1), below);
    return uint32_t(nodes_.size() - 1);
}

void Parse::add_link(uint32_t node, uint32_t below) {
    uint32_t n = 0;
    for (uint32_t l = nodes_[node].links; l != Automaton::none; l = links_[l].next, ++n)
        if (links_[l].node == below) return;
    if (n >= max_configs) too_ambiguous();
    links_.push_back({below, nodes_[node].links});
    nodes_[node].links = uint32_t(links_.size() - 1);
}

void Parse::enter_pop(const std::vector<uint32_t>& nodes) {
    begin_level();
    for (const uint32_t n : nodes) pop(n);
    close();
}

std::vector<uint32_t> Parse::below(uint32_t n) const {
    std::vector<uint32_t> out;
    for (uint32_t l = nodes_[n].links; l != Automaton::none; l = links_[l].next)
        out.push_back(links_[l].node);
    return out;
}

std::vector<Parse::Config> Parse::active() const {
    std::vector<Config> out;
    for (const Config& c : configs()) {
        const auto& s = automaton_->state(c.state);
        if (s.bytes_begin != s.bytes_end) out.push_back(c);
    }
    return out;
}

bool Parse::exhausted() const {
    const auto reads = [&](const Config& c) {
        const auto& s = automaton_->state(c.state);
        return s.bytes_begin != s.bytes_end;
    };
    const auto all = configs();
    return std::none_of(all.begin(), all.end(), reads);
}

std::array<bool, 256> Parse::first_bytes() const {
    std::array<bool, 256> out{};
    for (const Config& c : configs())
        for (const auto& e : automaton_->bytes(automaton_->state(c.state)))
            std::fill(out.begin() + e.first, out.begin() + e.last + 1, true);
    return out;
}

/// The last level alone, over the nodes it can reach, renumbered.
void Parse::forget_past() {
    const Level last = levels_.back();
    configs_.erase(configs_.begin(), configs_.begin() + last.configs);
    levels_.assign(1, {0, uint32_t(nodes_.size()), uint32_t(links_.size()), last.complete});
    if (nodes_.size() < collect_at_ && links_.size() < 4 * collect_at_) return;

    std::vector<uint32_t> ids(nodes_.size(), Automaton::none);
    std::vector<uint32_t> order{bottom};
    ids[bottom] = 0;
    const auto id_of = [&](uint32_t n) {
        if (ids[n] == Automaton::none) ids[n] = uint32_t(order.size()), order.push_back(n);
        return ids[n];
    };
    for (Config& c : configs_) c.node = id_of(c.node);
    std::vector<Node> nodes;
    std::vector<Link> links;
    for (size_t i = 0; i < order.size(); ++i) {
        Node n = nodes_[order[i]];
        const uint32_t first = uint32_t(links.size());
        for (uint32_t l = n.links; l != Automaton::none; l = links_[l].next)
            links.push_back({id_of(links_[l].node), uint32_t(links.size() + 1)});
        if (links.size() > first) links.back().next = Automaton::none;
        n.links = links.size() > first ? first : Automaton::none;
        nodes.push_back(n);
    }
    nodes_ = std::move(nodes);
    links_ = std::move(links);
    levels_[0].nodes = uint32_t(nodes_.size());
    levels_[0].links = uint32_t(links_.size());
    collect_at_ = std::max<size_t>(1024, 2 * nodes_.size());
}

std::string Parse::fingerprint() const {
    std::vector<uint32_t> words{complete()}, order;
    std::vector<std::pair<uint32_t, uint32_t>> ids;  // node, number; few
    const auto number = [&](uint32_t n) {
        for (const auto& [node, id] : ids)
            if (node == n) return id;
        ids.emplace_back(n, uint32_t(order.size()));
        order.push_back(n);
        return ids.back().second;
    };
    for (const Config& c : active()) {
        words.push_back(c.state);
        words.push_back(number(c.node));
        if (words.size() > max_fingerprint) return {};
    }
    words.push_back(Automaton::none);
    for (size_t i = 0; i < order.size(); ++i) {
        const Node& n = nodes_[order[i]];
        words.insert(words.end(),
                     {n.counted ? n.start : 0, n.back, n.rest, n.need, n.counted, order[i] == bottom});
        for (uint32_t l = n.links; l != Automaton::none; l = links_[l].next)
            words.push_back(number(links_[l].node));
        words.push_back(Automaton::none);
        if (words.size() > max_fingerprint) return {};
    }
    return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(uint32_t)};
}

}  // namespace sluice
