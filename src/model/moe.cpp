// Mixture of experts, and the feed-forward that a dense layer or a shared expert is.
//
// The batch's tokens are grouped by expert: each expert that some token was routed to is asked of the store
// once, and computed as it becomes ready. Its outputs are kept by (token, rank) and summed in order of rank
// afterwards, so that the order of arrival cannot change a bit.
#include <algorithm>

#include "model/router.h"
#include "model/transformer.h"

namespace sluice {

/// out (n, n_embd) = down(silu(gate(h)) * up(h))
void Transformer::ffn(const FfnTensors& t, uint32_t n, uint32_t n_ff, ConstRows h, Rows out) {
    const Rows gate = gate_.rows(n, n_ff), up = up_.rows(n, n_ff);
    const Product products[] = {{store_.matrix(*t.gate), h, gate, n}, {store_.matrix(*t.up), h, up, n}};
    kernels_.multiply(products);
    kernels_.each(n, [&](uint32_t i, uint32_t) { kernels_.table().swiglu(gate.row(i), up.row(i), n_ff); });
    kernels_.multiply({store_.matrix(*t.down), gate, out, n});
}

namespace {

/// Where the batch's tokens go: for each expert used, the tokens routed to it, as rows that follow each
/// other.
struct Grouping {
    std::vector<uint32_t> experts;  // used, ascending
    std::vector<uint32_t> first;    // of each: its first row; one more at the end
    std::vector<uint32_t> token;    // of each row
    std::vector<uint32_t> row_of;   // of each (token, rank)
};

Grouping group(const std::vector<Route>& routes, uint32_t n_experts, uint32_t n_used) {
    std::vector<std::vector<uint32_t>> places(n_experts);  // of each expert: token * n_used + rank
    for (uint32_t t = 0; t < routes.size(); ++t)
        for (uint32_t rank = 0; rank < n_used; ++rank)
            places[routes[t].experts[rank]].push_back(t * n_used + rank);
    Grouping g;
    g.row_of.resize(routes.size() * n_used);
    for (uint32_t e = 0; e < n_experts; ++e) {
        if (places[e].empty()) continue;
        g.experts.push_back(e);
        g.first.push_back(uint32_t(g.token.size()));
        for (const uint32_t place : places[e]) {
            g.row_of[place] = uint32_t(g.token.size());
            g.token.push_back(place / n_used);
        }
    }
    g.first.push_back(uint32_t(g.token.size()));
    return g;
}

}  // namespace

/// Computes experts in whatever order their weights become ready: first[i] is expert i's first row in `in`
/// and `out`.
void Transformer::run_experts(Lease& lease, std::span<const uint32_t> first, Rows in, Rows out) {
    const uint32_t n_ff = p_.moe.n_ff;
    const Rows gate = gate_.rows(first.back(), n_ff), up = up_.rows(first.back(), n_ff);
    const auto at = [](Rows all, uint32_t row) { return Rows{all.row(row), all.stride}; };
    std::vector<Product> products;
    for (auto ready = lease.take_ready(); !ready.empty(); ready = lease.take_ready()) {
        products.clear();
        for (const uint32_t i : ready.gate_up) {
            const uint32_t row = first[i], count = first[i + 1] - row;
            products.push_back({lease[i].gate, at(in, row), at(gate, row), count});
            products.push_back({lease[i].up, at(in, row), at(up, row), count});
        }
        kernels_.multiply(products);
        kernels_.each(uint32_t(ready.gate_up.size()), [&](uint32_t j, uint32_t) {
            for (uint32_t row = first[ready.gate_up[j]]; row < first[ready.gate_up[j] + 1]; ++row)
                kernels_.table().swiglu(gate.row(row), up.row(row), n_ff);
        });
        products.clear();
        for (const uint32_t i : ready.down)
            products.push_back(
                {lease[i].down, at(gate, first[i]), at(out, first[i]), first[i + 1] - first[i]});
        kernels_.multiply(products);
        for (const uint32_t i : ready.down) lease.release(i);
    }
}

/// Guesses which experts the next layer will ask for: what its router says of the present state, which lacks
/// this layer's experts. Right for most of them; their reads begin when this layer's are done.
void Transformer::look_ahead(const Batch& batch, uint32_t layer, ConstRows x) {
    if (batch.n != 1 || layer >= p_.n_layers || !p_.has_experts(layer) || !store_.wants_guesses()) return;
    const MoeParams& m = p_.moe;
    const LayerTensors& t = tensors_.layers[layer];
    const Rows h = expert_in_.rows(1, p_.n_embd), router = router_logits_.rows(1, m.n_experts);
    norm(*t.ffn_norm, x, h, 1, p_.n_embd);
    kernels_.multiply({store_.matrix(*t.router), h, router, 1});
    const Route guess = route(m, {router.row(0), m.n_experts}, router_bias(t));
    store_.guess(layer, {guess.experts.data(), (m.n_used + 1) / 2});
}

std::span<const float> Transformer::router_bias(const LayerTensors& t) const {
    return t.router_bias ? std::span(store_.vector(*t.router_bias), p_.moe.n_experts)
                         : std::span<const float>();
}

void Transformer::moe(const Batch& batch, uint32_t layer, Rows h, Rows x) {
    const LayerTensors& t = tensors_.layers[layer];
    const MoeParams& m = p_.moe;
    const uint32_t n = batch.n;
    const Rows router = router_logits_.rows(n, m.n_experts);
    kernels_.multiply({store_.matrix(*t.router), h, router, n});
    const std::span<const float> bias = router_bias(t);
    std::vector<Route> routes(n);
    kernels_.each(n, [&](uint32_t i, uint32_t) { routes[i] = route(m, {router.row(i), m.n_experts}, bias); });
    const Grouping g = group(routes, m.n_experts, m.n_used);
    // From here on the drive works; so do the cores, on what needs no expert.
    const auto lease = store_.acquire(layer, g.experts);
    if (m.n_shared) {
        const Rows shared = ffn_out_.rows(n, p_.n_embd);
        ffn(t.ffn, n, m.n_shared * m.n_ff, h, shared);
        add(shared, x, n, p_.n_embd);
    }
    look_ahead(batch, layer + 1, x);
    const uint32_t rows = uint32_t(g.token.size());
    const Rows in = expert_in_.rows(rows, p_.n_embd), out = expert_out_.rows(rows, p_.n_embd);
    kernels_.each(rows, [&](uint32_t r, uint32_t) { std::copy_n(h.row(g.token[r]), p_.n_embd, in.row(r)); });
    run_experts(*lease, g.first, in, out);
    kernels_.each(n, [&](uint32_t i, uint32_t) {
        for (uint32_t rank = 0; rank < m.n_used; ++rank)
            kernels_.table().add_scaled(out.row(g.row_of[i * m.n_used + rank]), routes[i].weights[rank],
                                        x.row(i), p_.n_embd);
    });
}

}  // namespace sluice
