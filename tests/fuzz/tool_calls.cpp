// Any bytes as a model's answer: the first says in which family's form, the second where the text is cut.
// However it is cut, the same pieces come out; without calls the text is all there; calls have names.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "text/tool_calls/tool_call_parser.h"

namespace {

using namespace sluice;

struct Whole {
    std::string content, calls;
    size_t n = 0;
    void add(const ToolCallParser::Piece& piece) {
        content += piece.content;
        for (const auto& c : piece.calls) {
            if (c.index == n) {
                if (c.name.empty()) std::abort();
                ++n;
                calls += "\n#" + c.id + "#" + c.name + "#";
            } else if (c.index + 1 != n || !c.name.empty()) {
                std::abort();
            }
            calls += c.arguments;
        }
    }
};

Whole parsed(ToolFormat format, std::string_view text, size_t step) {
    static const auto tools = std::make_shared<const ToolSet>(
        R"([{"name":"f","parameters":{"properties":{"s":{"type":"string"},"n":{"type":"integer"}}}},{"name":"g"}])");
    ToolCallParser parser(format, tools);
    Whole whole;
    for (size_t at = 0; at < text.size(); at += step) whole.add(parser.push(text.substr(at, step)));
    whole.add(parser.finish());
    return whole;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const auto format = ToolFormat((data[0] + 2) % 10);
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Whole whole = parsed(format, text, text.size() + 1), cut = parsed(format, text, 1 + data[1] % 32);
    if (whole.content != cut.content || whole.calls != cut.calls) std::abort();
    if (whole.n == 0 && whole.content != text) std::abort();
    return 0;
}
