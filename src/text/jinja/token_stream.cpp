#include "text/jinja/token_stream.h"

namespace sluice::jinja {
namespace {

std::string describe(const Token& token) {
    switch (token.type) {
        case TokenType::end:
            return "the end of the template";
        case TokenType::data:
            return "text";
        default:
            break;
    }
    constexpr size_t shown = 40;
    return fmt::format("'{}'", token.text.substr(0, shown));
}

std::string_view describe(TokenType type) {
    switch (type) {
        case TokenType::name:
            return "a name";
        case TokenType::print_end:
            return "\"}}\"";
        case TokenType::block_end:
            return "\"%}\"";
        default:
            return "another token";
    }
}

}  // namespace

TokenStream::TokenStream(std::string_view source, uint32_t depth_limit, Syntax& syntax)
    : tokens_(tokenize(source)), depth_limit_(depth_limit), syntax_(syntax) {}

Token TokenStream::take() {
    const Token token = current();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
}

bool TokenStream::skip_symbol(std::string_view symbol) {
    if (!at_symbol(symbol)) return false;
    take();
    return true;
}

bool TokenStream::skip_name(std::string_view name) {
    if (!at_name(name)) return false;
    take();
    return true;
}

void TokenStream::expect_symbol(std::string_view symbol) {
    if (!skip_symbol(symbol)) unexpected(fmt::format("'{}'", symbol));
}

void TokenStream::expect_name(std::string_view name) {
    if (!skip_name(name)) unexpected(fmt::format("'{}'", name));
}

Token TokenStream::expect(TokenType type) {
    if (current().type != type) unexpected(describe(type));
    return take();
}

void TokenStream::unexpected(std::string_view expected) const {
    wrong(line(), "expected {}, found {}", expected, describe(current()));
}

NameId TokenStream::name_id(std::string_view name) {
    const auto [entry, added] = name_ids_.emplace(name, static_cast<NameId>(syntax_.names.size()));
    if (added) syntax_.names.emplace_back(name);
    return entry->second;
}

TextId TokenStream::text_id(std::string text) {
    syntax_.texts.push_back(std::move(text));
    return static_cast<TextId>(syntax_.texts.size() - 1);
}

TokenStream::Depth::Depth(TokenStream& stream) : stream_(stream) {
    if (stream.depth_ >= stream.depth_limit_) {
        stream.wrong(stream.line(), "constructs are nested more than {} deep", stream.depth_limit_);
    }
    ++stream.depth_;
}

}  // namespace sluice::jinja
