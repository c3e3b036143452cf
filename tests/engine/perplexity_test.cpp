// Rill reads a text as well with the kernels of every instruction set as with the plain ones: what speed may
// cost.
#include <cmath>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "sluice/engine.h"

#include "core/machine.h"
#include "test_models.h"

namespace sluice {
namespace {

std::string story() {
    std::ostringstream text;
    text << std::ifstream(test::data("rill/stories.txt")).rdbuf();
    return text.str();
}

/// -log p(next) from unnormalised logits.
double surprise(std::span<const float> logits, TokenId next) {
    double largest = -INFINITY, sum = 0;
    for (const float l : logits) largest = std::max(largest, double(l));
    for (const float l : logits) sum += std::exp(l - largest);
    return largest + std::log(sum) - logits[size_t(next)];
}

double perplexity(Isa isa, const std::string& text) {
    const Engine engine = Engine::open(test::rill(), {.threads = 2, .isa = to_string(isa)});
    EXPECT_EQ(engine.info().isa, to_string(isa));
    const auto tokens = engine.tokenize_prompt(text);
    EXPECT_GT(tokens.size(), 400u);
    Session session(engine);
    const auto logits = session.append_all_logits(tokens);
    const size_t n_vocab = engine.info().n_vocab;
    double sum = 0;
    for (size_t i = 0; i + 1 < tokens.size(); ++i)
        sum += surprise({logits.data() + i * n_vocab, n_vocab}, tokens[i + 1]);
    return std::exp(sum / double(tokens.size() - 1));
}

TEST(Perplexity, KeepsItsAccuracyOnEveryInstructionSet) {
    const std::string text = story();
    const double reference = perplexity(Isa::plain, text);
    EXPECT_GT(reference, 1.0);
    EXPECT_LT(reference, 10.0) << "Rill was taught such stories";
    for (const Isa isa : available_isas())
        EXPECT_NEAR(perplexity(isa, text), reference, 1e-3 * reference) << to_string(isa);
}

}  // namespace
}  // namespace sluice
