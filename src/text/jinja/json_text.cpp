#include "text/jinja/json_text.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {
namespace {

class JsonWriter {
  public:
    JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

    void write(const Value& value) {
        const Runtime::Depth depth(runtime_);
        runtime_.step();
        switch (value.kind()) {
            case Kind::none:
                return put("null");
            case Kind::boolean:
                return put(value.boolean() ? "true" : "false");
            case Kind::integer:
                return put(fmt::format("{}", value.integer()));
            case Kind::real:
                return put(number(value.real()));
            case Kind::string:
                return write_string(value.view());
            case Kind::list:
            case Kind::tuple:
                return write_list(value.as<Sequence>());
            case Kind::dict:
                return write_dict(value.as<Dict>());
            case Kind::undefined:
                require_defined(value);
                return;
            default:
                refuse("Object of type {} is not JSON serializable", type_name(value));
        }
    }
    std::string take() { return std::move(out_); }

  private:
    void put(std::string_view text) {
        runtime_.check_size(out_.size() + text.size());
        out_ += text;
    }

    static std::string number(double real) {
        if (std::isnan(real)) return "NaN";
        if (std::isinf(real)) return real > 0 ? "Infinity" : "-Infinity";
        return real_text(real);
    }

    void new_line() {
        if (!style_.indent) return;
        put("\n");
        for (size_t i = 0; i < level_ && !style_.indent->empty(); ++i) put(*style_.indent);
    }

    void write_list(const Sequence& list) {
        if (list.items().empty()) return put("[]");
        put("[");
        ++level_;
        bool first = true;
        for (const Value& item : list.items()) {
            if (!std::exchange(first, false)) put(style_.item_separator);
            new_line();
            write(item);
        }
        --level_;
        new_line();
        put("]");
    }

    void write_dict(const Dict& dict) {
        if (dict.size() == 0) return put("{}");
        std::vector<const Dict::Entry*> entries;
        for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
        if (style_.sort_keys) {
            std::stable_sort(entries.begin(), entries.end(),
                             [&](const auto* a, const auto* b) { return less(runtime_, a->key, b->key); });
        }
        put("{");
        ++level_;
        bool first = true;
        for (const Dict::Entry* entry : entries) {
            if (!std::exchange(first, false)) put(style_.item_separator);
            new_line();
            write_key(entry->key);
            put(style_.key_separator);
            write(entry->value);
        }
        --level_;
        new_line();
        put("}");
    }

    void write_key(const Value& key) {
        switch (key.kind()) {
            case Kind::string:
                return write_string(key.view());
            case Kind::none:
                return put("\"null\"");
            case Kind::boolean:
                return put(key.boolean() ? "\"true\"" : "\"false\"");
            case Kind::integer:
                return put(fmt::format("\"{}\"", key.integer()));
            case Kind::real:
                return put(fmt::format("\"{}\"", number(key.real())));
            default:
                refuse("keys must be str, int, float, bool or None, not {}", type_name(key));
        }
    }

    void write_string(std::string_view text) {
        runtime_.work(text.size());
        runtime_.check_size(out_.size() + text.size());
        out_ += '"';
        for (size_t at = 0; at < text.size();) {
            const Character c = character_at(text, at);
            write_character(c.code, text.substr(at, c.bytes));
            runtime_.check_size(out_.size());
            at += c.bytes;
        }
        put("\"");
    }

    void write_escape(char32_t unit) {
        constexpr std::string_view hexadecimal = "0123456789abcdef";
        out_ += "\\u";
        for (const int shift : {12, 8, 4, 0}) out_ += hexadecimal[unit >> shift & 0xF];
    }

    void write_character(char32_t code, std::string_view bytes) {
        switch (code) {
            case '"':
                out_ += "\\\"";
                return;
            case '\\':
                out_ += "\\\\";
                return;
            case '\n':
                out_ += "\\n";
                return;
            case '\r':
                out_ += "\\r";
                return;
            case '\t':
                out_ += "\\t";
                return;
            case '\b':
                out_ += "\\b";
                return;
            case '\f':
                out_ += "\\f";
                return;
            default:
                break;
        }
        if (code < 0x20 || (style_.ensure_ascii && code > 0x7E && code < 0x10000 && code != 0x7F)) {
            write_escape(code);
        } else if (style_.ensure_ascii && code >= 0x10000) {
            const char32_t rest = code - 0x10000;  // a surrogate pair, as in UTF-16
            write_escape(0xD800 + (rest >> 10));
            write_escape(0xDC00 + (rest & 0x3FF));
        } else {
            out_ += bytes;
        }
    }

    Runtime& runtime_;
    const JsonStyle& style_;
    std::string out_;
    size_t level_ = 0;
};

}  // namespace

std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
    JsonWriter writer(runtime, style);
    writer.write(value);
    return writer.take();
}

}  // namespace sluice::jinja
