#include "text/jinja/python_text.h"

#include <cmath>

#include "text/jinja/characters.h"

namespace sluice::jinja {
namespace {

void append_escape(std::string& out, char32_t code) {
    if (code < 0x100) {
        out += fmt::format("\\x{:02x}", static_cast<uint32_t>(code));
    } else if (code < 0x10000) {
        out += fmt::format("\\u{:04x}", static_cast<uint32_t>(code));
    } else {
        out += fmt::format("\\U{:08x}", static_cast<uint32_t>(code));
    }
}

class ReprWriter {
  public:
    explicit ReprWriter(Runtime& runtime) : runtime_(runtime) {}

    void write(const Value& value) {
        const Runtime::Depth depth(runtime_);
        runtime_.step();
        switch (value.kind()) {
            case Kind::undefined:
                return put("Undefined");
            case Kind::none:
                return put("None");
            case Kind::boolean:
                return put(value.boolean() ? "True" : "False");
            case Kind::integer:
                return put(fmt::format("{}", value.integer()));
            case Kind::real:
                return put(real_text(value.real()));
            case Kind::string:
                return write_string(value.view());
            case Kind::list:
                return write_items(value.as<Sequence>(), "[", "]");
            case Kind::tuple:
                return write_items(value.as<Sequence>(), "(", ")");
            case Kind::view:
                put(value.as<Sequence>().view_name);
                return write_items(value.as<Sequence>(), "([", "])");
            case Kind::generator:
                return put("<generator object>");
            case Kind::dict:
                return write_dict(value.as<Dict>());
            case Kind::space:
                return write_space(value.as<Space>());
            case Kind::callable:
                return put(value.as<Callable>().description());
            case Kind::scope:
                return;
        }
    }
    std::string take() { return std::move(out_); }

  private:
    void put(std::string_view text) {
        runtime_.check_size(out_.size() + text.size());
        out_ += text;
    }

    void write_string(std::string_view text) {
        runtime_.work(text.size());
        runtime_.check_size(out_.size() + text.size());
        put(quoted(text));
    }

    void write_items(const Sequence& sequence, std::string_view open, std::string_view close) {
        put(open);
        const auto& items = sequence.items();
        for (size_t i = 0; i < items.size(); ++i) {
            if (i > 0) put(", ");
            write(items[i]);
        }
        if (sequence.kind() == Kind::tuple && items.size() == 1) put(",");
        put(close);
    }

    void write_dict(const Dict& dict) {
        put("{");
        bool first = true;
        for (const Dict::Entry& entry : dict.entries()) {
            if (!std::exchange(first, false)) put(", ");
            write(entry.key);
            put(": ");
            write(entry.value);
        }
        put("}");
    }

    void write_space(const Space& space) {
        put("<Namespace {");
        bool first = true;
        for (const auto& [name, value] : space.members) {
            if (!std::exchange(first, false)) put(", ");
            put(jinja::quoted(name));
            put(": ");
            write(value);
        }
        put("}>");
    }

    Runtime& runtime_;
    std::string out_;
};

}  // namespace

std::string quoted(std::string_view text) {
    const bool double_quotes = text.find('\'') != text.npos && text.find('"') == text.npos;
    const char32_t quote = double_quotes ? '"' : '\'';
    std::string out(1, static_cast<char>(quote));
    for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text, at);
        if (c.code == quote || c.code == '\\') {
            out += '\\';
            out += static_cast<char>(c.code);
        } else if (c.code == '\n') {
            out += "\\n";
        } else if (c.code == '\r') {
            out += "\\r";
        } else if (c.code == '\t') {
            out += "\\t";
        } else if (!is_printable(c.code)) {
            append_escape(out, c.code);
        } else {
            out += text.substr(at, c.bytes);
        }
        at += c.bytes;
    }
    out += static_cast<char>(quote);
    return out;
}

std::string real_text(double real) {
    if (std::isnan(real)) return "nan";
    if (std::isinf(real)) return real > 0 ? "inf" : "-inf";
    // fmt's default gives the shortest digits and takes to exponents where Python does; only ".0" is left
    // out.
    std::string text = fmt::format("{}", real);
    if (text.find_first_of(".e") == text.npos) text += ".0";
    return text;
}

std::string repr(Runtime& runtime, const Value& value) {
    ReprWriter writer(runtime);
    writer.write(value);
    return writer.take();
}

Text to_text(Runtime& runtime, const Value& value) {
    switch (value.kind()) {
        case Kind::undefined:
            return {};
        case Kind::string:
            return value.text();
        case Kind::none:
        case Kind::boolean:
        case Kind::integer:
        case Kind::real:
            return Text(repr(runtime, value), Origin::source);
        default:
            return Text(repr(runtime, value), Origin::input);
    }
}

Value to_string(Runtime& runtime, const Value& value) {
    return value.is_string() ? value : runtime.string(to_text(runtime, value));
}

std::string_view type_name(const Value& value) noexcept {
    switch (value.kind()) {
        case Kind::undefined:
            return "Undefined";
        case Kind::none:
            return "NoneType";
        case Kind::boolean:
            return "bool";
        case Kind::integer:
            return "int";
        case Kind::real:
            return "float";
        case Kind::string:
            return "str";
        case Kind::list:
            return "list";
        case Kind::tuple:
            return "tuple";
        case Kind::view:
            return value.as<Sequence>().view_name;
        case Kind::generator:
            return "generator";
        case Kind::dict:
            return "dict";
        case Kind::space:
            return "Namespace";
        case Kind::callable:
            return "function";
        case Kind::scope:
            break;
    }
    return "object";
}

}  // namespace sluice::jinja
