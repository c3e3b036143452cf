#include "hostile_requests.h"

#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace sluice::test {

namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> paths = {"/v1/chat/completions",
                                        "/v1/completions",
                                        "/v1/responses",
                                        "/v1/embeddings",
                                        "/v1/messages",
                                        "/v1/messages/count_tokens",
                                        "/api/chat",
                                        "/api/generate",
                                        "/api/embed",
                                        "/api/show",
                                        "/tokenize",
                                        "/detokenize",
                                        "/apply-template"};

/// As text, so that things can be among them which no JSON library writes.
const std::vector<std::string> odd_values = {"null",
                                             "true",
                                             "false",
                                             "0",
                                             "-1",
                                             "1",
                                             "3.5",
                                             "1e400",
                                             "-1e400",
                                             "NaN",
                                             "Infinity",
                                             "-0",
                                             "1e-400",
                                             "9223372036854775807",
                                             "9223372036854775808",
                                             "-9223372036854775809",
                                             "18446744073709551616",
                                             "100000000000000000000000000000000000000000",
                                             "\"\"",
                                             "\"x\"",
                                             "\"\\u0000\"",
                                             "\"\\ud800\"",
                                             "\"\\udc00\\ud800\"",
                                             "\"\xff\xfe\"",
                                             "\"\xc0\x80\"",
                                             "\"\xf5\x80\x80\x80\"",
                                             "\"\xed\xa0\x80\"",
                                             "[]",
                                             "[[]]",
                                             "[null]",
                                             "[1,2,3]",
                                             "{}",
                                             "{\"\":{}}",
                                             "{\"type\":null}",
                                             "[{\"type\":\"text\"}]",
                                             "{\"role\":1}",
                                             "[{\"role\":\"user\",\"content\":7}]",
                                             "01",
                                             "+1",
                                             ".5",
                                             "0x10",
                                             "'x'",
                                             "undefined",
                                             "\"\\x\"",
                                             "\"",
                                             "[1,",
                                             "{\"a\":1,\"a\":2}",
                                             "\"\t\"",
                                             "\"\n\""};

const std::vector<std::string> fields = {"messages",
                                         "prompt",
                                         "input",
                                         "model",
                                         "stream",
                                         "temperature",
                                         "top_p",
                                         "top_k",
                                         "min_p",
                                         "typical_p",
                                         "seed",
                                         "max_tokens",
                                         "max_completion_tokens",
                                         "max_output_tokens",
                                         "n",
                                         "stop",
                                         "logprobs",
                                         "top_logprobs",
                                         "logit_bias",
                                         "presence_penalty",
                                         "frequency_penalty",
                                         "repeat_penalty",
                                         "repeat_last_n",
                                         "response_format",
                                         "grammar",
                                         "tools",
                                         "tool_choice",
                                         "parallel_tool_calls",
                                         "stream_options",
                                         "reasoning_effort",
                                         "thinking",
                                         "thinking_budget",
                                         "chat_template_kwargs",
                                         "priority",
                                         "ignore_eos",
                                         "system",
                                         "options",
                                         "format",
                                         "encoding_format",
                                         "previous_response_id",
                                         "instructions",
                                         "tokens",
                                         "content",
                                         "keep_alive",
                                         "echo",
                                         "suffix",
                                         "best_of",
                                         "user",
                                         "metadata",
                                         "truncate",
                                         "dimensions",
                                         "raw",
                                         "images",
                                         "text",
                                         "store"};

class Generator {
  public:
    Generator(uint64_t seed, const std::vector<std::string>& bodies) : random_(seed), bodies_(bodies) {}

    HostileRequest next() {
        switch (below(10)) {
            case 0:
                return bad_line();
            case 1:
                return bad_head();
            case 2:
                return bad_chunks();
            case 3:
                return bad_length();
            case 4:
                return deep();
            case 5:
            case 6:
            case 7:
                return wrong_field();
            default:
                return mutated();
        }
    }

  private:
    size_t below(size_t n) { return size_t(random_() % n); }
    const std::string& any(const std::vector<std::string>& of) { return of[below(of.size())]; }
    std::string bytes(size_t n) {
        std::string s;
        for (size_t i = 0; i < n; ++i) s += char(below(256));
        return s;
    }
    std::string letters(size_t n) {
        std::string s;
        for (size_t i = 0; i < n; ++i) s += char('a' + below(26));
        return s;
    }
    HostileRequest post(std::string kind, const std::string& body, const std::string& path) {
        return {std::move(kind),
                fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}", path,
                            body.size(), body)};
    }

    HostileRequest bad_line() {
        static const std::vector<std::string> targets = {"/v1/../../../../etc/passwd",
                                                         "/..%2f..%2fetc%2fpasswd",
                                                         "/v1/responses/../../x",
                                                         "/%00",
                                                         "/v1/models/%ff%fe",
                                                         "//",
                                                         "/v1//chat/completions",
                                                         "http://elsewhere.example/",
                                                         "*",
                                                         "/?a=b&c",
                                                         "/v1/chat/completions/",
                                                         "/v1/models/\x01",
                                                         "/stats/../health",
                                                         "/%2e%2e/%2e%2e/etc/shadow",
                                                         "\\..\\..\\windows",
                                                         "/v1/responses/'; DROP"};
        static const std::vector<std::string> methods = {"GET",   "PUT",      "DELETE",   "PATCH",
                                                         "TRACE", "CONNECT",  "HEAD",     "OPTIONS",
                                                         "get",   "PROPFIND", "POST\x01", ""};
        static const std::vector<std::string> versions = {"HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0",
                                                          "HTTP/9.9", "HTP/1.1",  "",         "HTTP/1.1 x"};
        if (below(4) == 0) return {"noise", bytes(1 + below(400)) + "\r\n\r\n", false};
        return {"request line",
                fmt::format("{} {} {}\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", any(methods),
                            below(2) ? any(targets) : any(paths), any(versions)),
                false};
    }

    HostileRequest bad_head() {
        std::string head = "POST " + any(paths) + " HTTP/1.1\r\n";
        switch (below(8)) {
            case 0:
                head += "Host: localhost\r\nX: " + std::string(1 + below(60'000), 'x') + "\r\n";
                break;
            case 1:
                head += "Host: localhost\r\n";
                for (size_t i = 0; i < below(2000); ++i) head += letters(4) + ": " + letters(4) + "\r\n";
                break;
            case 2:
                head += "Host: localhost\r\nHost: elsewhere\r\n";
                break;
            case 3:
                head += "Host: localhost\r\n: no name\r\n no value\r\nno colon\r\n";
                break;
            case 4:
                head += std::string("Host: local\0host\r\n", 18);
                break;
            case 5:
                head += "Host: localhost\r\nAuthorization: Bearer " + bytes(50) + "\r\n";
                break;
            case 6:
                head += "Host: localhost\r\nContent-Type: " + letters(3000) + "\r\nExpect: 100-continue\r\n";
                break;
            default:
                head += "Host: localhost\nX: bare newlines\n";
        }
        return {"head", head + "Content-Length: 2\r\n\r\n{}", false};
    }

    HostileRequest bad_chunks() {
        static const std::vector<std::string> sizes = {
            "zz", "-1", "ffffffffffffffff", "10000000000000000",       "0x5",
            "",   " 5", "5;ext=1",          "00000000000000000000005", "5\x01"};
        std::string text =
            "POST " + any(paths) + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n";
        if (below(3) == 0) text += "Content-Length: 3\r\n";
        text += "\r\n";
        for (size_t i = 0; i < below(4); ++i) text += "2\r\n{}\r\n";
        text += any(sizes) + "\r\n" + bytes(5) + (below(2) ? "\r\n0\r\n\r\n" : "");
        return {"chunks", text, false};
    }

    HostileRequest bad_length() {
        static const std::vector<std::string> lengths = {"-1", "1e3",  "99999999999999999999", "0x10",
                                                         "",   "3, 3", "4294967297",           "2 2"};
        const std::string body = any(bodies_);
        std::string text = "POST " + any(paths) + " HTTP/1.1\r\nHost: localhost\r\n";
        if (below(2))
            text += "Content-Length: " + any(lengths) + "\r\n";
        else  // it leaves in the middle of its body
            text += fmt::format("Content-Length: {}\r\n", body.size() + 1 + below(100'000));
        return {"length", text + "\r\n" + body, false};
    }

    HostileRequest deep() {
        const size_t depth = 10 + below(5000);
        std::string body;
        switch (below(4)) {
            case 0:
                body = std::string(depth, '[') + std::string(depth, ']');
                break;
            case 1:
                for (size_t i = 0; i < depth; ++i) body += "{\"a\":";
                break;
            case 2:  // a schema
                for (size_t i = 0; i < 60; ++i) body += "{\"type\":\"array\",\"items\":";
                body += "{}" + std::string(60, '}');
                body =
                    R"({"messages":[{"role":"user","content":"x"}],"max_tokens":2,"response_format":{"type":"json_schema",)"
                    R"("json_schema":{"name":"x","schema":)" +
                    body + "}}}";
                break;
            default:  // a grammar that goes on and on
                body = R"({"messages":[{"role":"user","content":"x"}],"max_tokens":2,"grammar":"root ::= )" +
                       std::string(depth, '(') + "[a]" + std::string(depth, ')') + "{1,100000}\"}";
        }
        return post("deep", body, any(paths));
    }

    /// One field of a request that is right otherwise gets a value that it cannot have, or that nobody
    /// expects.
    HostileRequest wrong_field() {
        std::string body = "{";
        if (below(4)) body += R"("messages":[{"role":"user","content":"x"}],)";
        if (below(4)) body += R"("prompt":"x","input":"x","content":"x",)";
        body += R"("max_tokens":2,"max_output_tokens":2,"options":{"num_predict":2},)";
        const std::string& field = any(fields);
        body += "\"" + field + "\":" + any(odd_values);
        for (size_t i = 0; i < below(3); ++i) body += ",\"" + any(fields) + "\":" + any(odd_values);
        if (below(5) == 0)
            body += ",\"messages\":[{\"role\":" + any(odd_values) + ",\"content\":" + any(odd_values) +
                    ",\"tool_calls\":" + any(odd_values) + "}]";
        return post("field " + field, body + "}", any(paths));
    }

    HostileRequest mutated() {
        std::string body = any(bodies_);
        for (size_t i = 0; i < 1 + below(6) && !body.empty(); ++i) {
            const size_t at = below(body.size());
            switch (below(5)) {
                case 0:
                    body[at] = char(below(256));
                    break;
                case 1:
                    body.erase(at, 1 + below(20));
                    break;
                case 2:
                    body.insert(at, any(odd_values));
                    break;
                case 3:
                    body.insert(at, body.substr(below(body.size()), below(60)));
                    break;
                default:
                    body.insert(at, 1 + below(3), "\0{}[]\",:\\"[below(9)]);
            }
        }
        return post("mutated", body, any(paths));
    }

    std::mt19937_64 random_;
    const std::vector<std::string>& bodies_;
};

}  // namespace

std::vector<HostileRequest> hostile_requests(uint64_t seed, size_t n,
                                             const std::vector<std::string>& bodies) {
    Generator generator(seed, bodies);
    std::vector<HostileRequest> all;
    for (size_t i = 0; i < n; ++i) all.push_back(generator.next());
    return all;
}

}  // namespace sluice::test
