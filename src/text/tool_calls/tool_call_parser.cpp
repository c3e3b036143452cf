#include "text/tool_calls/tool_call_parser.h"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr std::string_view tag_open = "<tool_call>", tag_close = "</tool_call>", function_open = "<function=";
constexpr std::string_view python_tag = "<|python_tag|>", mistral_open = "[TOOL_CALLS]",
                           mistral_args = "[ARGS]", mistral_call_id = "[CALL_ID]";
constexpr size_t longest_header = 1024;  // names and what is around them

/// The markers of a family whose calls stand in a section.
struct SectionMarkers {
    std::string_view begin, end, call_begin, header_end, call_end;
};
constexpr SectionMarkers deepseek_markers{"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>",
                                          "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"};
constexpr SectionMarkers kimi_markers{"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>",
                                      "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
                                      "<|tool_call_end|>"};

const SectionMarkers& markers(ToolFormat format) {
    return format == ToolFormat::kimi ? kimi_markers : deepseek_markers;
}

/// How a family marks parameters that are not JSON.
struct ParameterMarkers {
    std::string_view key_open, key_close, value_open, value_close, end;
};
constexpr ParameterMarkers glm_markers{"<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", tag_close};
constexpr ParameterMarkers coder_markers{"<parameter=", ">", "", "</parameter>", "</function>"};

std::string_view trimmed(std::string_view text) {
    const size_t begin = std::min(text.find_first_not_of(blanks), text.size());
    const size_t end = text.find_last_not_of(blanks);
    return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

/// Bytes at the end of `text` that may begin `marker`.
size_t partial(std::string_view text, std::string_view marker) {
    for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n)
        if (text.substr(text.size() - n) == marker.substr(0, n)) return n;
    return 0;
}

size_t trailing(std::string_view text, std::string_view of) {
    const size_t last = text.find_last_not_of(of);
    return last == std::string_view::npos ? text.size() : text.size() - last - 1;
}

}  // namespace

ToolCallParser::ToolCallParser(ToolFormat format, std::shared_ptr<const ToolSet> tools)
    : format_(format), tools_(std::move(tools)) {
    switch (format_) {
        case ToolFormat::none:
            break;
        case ToolFormat::hermes:
        case ToolFormat::qwen_coder:
        case ToolFormat::glm:
            openings_ = {tag_open};
            if (format_ == ToolFormat::qwen_coder) openings_.push_back(function_open);
            break;
        case ToolFormat::llama:
            openings_ = {python_tag};
            break;
        case ToolFormat::mistral:
        case ToolFormat::mistral_named:
            openings_ = {mistral_open};
            break;
        default:
            openings_ = {markers(format_).begin, markers(format_).call_begin};
    }
}

ToolCallParser::Piece ToolCallParser::push(std::string_view text) {
    held_ += text;
    while (step()) {
    }
    return std::exchange(out_, {});
}

ToolCallParser::Piece ToolCallParser::finish() {
    ended_ = true;
    const auto give_up = [&] {  // on a call that did not begin; blanks after one are dropped
        if (raw_.empty() || in_call_) return false;
        return n_calls_ > 0 && trimmed(raw_).empty() ? (raw_.clear(), true) : not_a_call();
    };
    while (step() || give_up()) {
    }
    if (in_call_) end_call();  // it broke off: what was written of it is all there is
    out_.content += std::exchange(held_, {});
    return std::exchange(out_, {});
}

bool ToolCallParser::step() {
    switch (at_) {
        case At::content:
            return content();
        case At::object:
            return object();
        case At::after_object:
            return after_object();
        case At::tag:
            return tag();
        case At::glm_name:
            return glm_name();
        case At::coder_name:
            return coder_name();
        case At::parameters:
            return parameters();
        case At::coder_end:
            return coder_end();
        case At::section:
            return section();
        case At::header:
            return header();
        case At::deepseek_name:
            return deepseek_name();
        case At::fence:
            return fence();
        case At::arguments:
            return arguments();
        case At::mistral:
            return mistral();
        case At::mistral_id:
            return mistral_id();
        case At::mistral_value:
            return mistral_value();
        case At::list:
            return list();
    }
    return false;
}

// What all families share.

bool ToolCallParser::may_start(std::string_view marker) const {
    return !ended_ && held_.size() < marker.size() && marker.starts_with(held_);
}

std::string ToolCallParser::consume(size_t n) {
    std::string text = held_.substr(0, n);
    held_.erase(0, n);
    if (!in_call_) raw_ += text;
    return text;
}

void ToolCallParser::skip_blanks() {
    consume(std::min(held_.find_first_not_of(blanks), held_.size()));
}

bool ToolCallParser::go(At next) {
    at_ = next;
    return true;
}

/// A marker in the content: what is before it is certain but for its last blanks.
bool ToolCallParser::open(size_t at, size_t marker_size, At next) {
    const size_t n = trailing(std::string_view(held_).substr(0, at), blanks);
    if (at > n) said_something_ = true;
    out_.content += held_.substr(0, at - n);
    held_.erase(0, at - n);
    raw_.clear();
    consume(n + marker_size);
    object_ = CallObject();
    coder_ = false;
    return go(next);
}

bool ToolCallParser::begin_call(std::string name, std::string id) {
    if (!is_tool_name(name)) return not_a_call(), false;
    in_call_ = true;
    wrote_arguments_ = false;
    raw_.clear();
    name_ = std::move(name);
    out_.calls.push_back({n_calls_++, std::move(id), name_, {}});
    return true;
}

void ToolCallParser::add_arguments(std::string text) {
    if (text.empty()) return;
    wrote_arguments_ = true;
    const size_t index = n_calls_ - 1;
    if (out_.calls.empty() || out_.calls.back().index != index) out_.calls.push_back({index, {}, {}, {}});
    out_.calls.back().arguments += text;
}

void ToolCallParser::end_call() {
    if (!wrote_arguments_) add_arguments("{}");
    in_call_ = false;
    object_ = CallObject();
}

/// What was looked at is content after all.
bool ToolCallParser::not_a_call() {
    out_.content += std::exchange(raw_, {});
    said_something_ = true;
    return go(At::content);
}

bool ToolCallParser::known(std::string_view name) const {
    return tools_ && tools_->find(name);
}

bool ToolCallParser::content() {
    if (held_.empty()) return false;
    size_t first = std::string::npos;
    std::string_view marker;
    for (const auto opening : openings_)
        if (const size_t at = held_.find(opening); at < first) first = at, marker = opening;
    if (format_ == ToolFormat::llama && !said_something_) {
        const size_t begin = held_.find_first_not_of(blanks);
        if (begin == std::string::npos && !ended_) return false;
        if (begin != std::string::npos && held_[begin] == '{') return open(begin, 0, At::object);
    }
    if (first != std::string::npos) {
        At next = At::section;
        if (marker == tag_open) next = At::tag;
        if (marker == function_open) next = At::coder_name;
        if (marker == python_tag) next = At::object;
        if (marker == mistral_open) next = At::mistral;
        if (format_ != ToolFormat::none && marker == markers(format_).call_begin) next = At::header;
        return open(first, marker.size(), next);
    }
    size_t keep = 0;
    for (const auto opening : openings_) keep = std::max(keep, ended_ ? 0 : partial(held_, opening));
    const bool may_open = !openings_.empty() && !ended_;
    if (may_open) keep += trailing(std::string_view(held_).substr(0, held_.size() - keep), blanks);
    if (ended_ && n_calls_ > 0 && !said_something_ && trimmed(held_).empty()) held_.clear();
    said_something_ |= keep < held_.size();
    out_.content += held_.substr(0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
    return false;
}

/// A call as JSON. Text that only looks like one (llama: the whole answer may be JSON) names no tool.
bool ToolCallParser::object() {
    if (held_.empty()) return false;
    size_t n = 0;
    auto seen = CallObject::Seen::inside;
    const auto named = [&] {
        return object_.has_name() && (object_.has_arguments() || seen == CallObject::Seen::last);
    };
    while (n < held_.size() && seen == CallObject::Seen::inside && (in_call_ || !named()))
        seen = object_.push(held_[n++]);
    if (seen == CallObject::Seen::broken) --n;
    consume(n);
    if (!in_call_ && named()) {
        if (format_ == ToolFormat::llama && !known(object_.name())) return not_a_call();
        if (!begin_call(object_.name(), object_.id())) return true;
        add_arguments(object_.take_arguments());
        if (seen == CallObject::Seen::inside) return true;
    }
    if (in_call_) add_arguments(object_.take_arguments());
    if (seen == CallObject::Seen::inside) return false;
    if (!in_call_) return not_a_call();
    end_call();
    said_something_ = false;
    if (seen == CallObject::Seen::broken) return go(At::content);
    const bool mistral = format_ == ToolFormat::mistral || format_ == ToolFormat::mistral_named;
    return go(mistral ? At::list : At::after_object);
}

/// What belongs to a call behind its object. Else it is content.
bool ToolCallParser::after_object() {
    skip_blanks();
    if (held_.empty()) return false;
    if (format_ == ToolFormat::llama) {
        if (held_[0] == ';' || held_[0] == ',') return consume(1), go(At::after_object);
        if (held_[0] == '{') return go(At::object);
        if (starts(python_tag)) return consume(python_tag.size()), go(At::object);
        return may_start(python_tag) ? false : not_a_call();
    }
    if (starts(tag_close)) {
        consume(tag_close.size());
        raw_.clear();
        return go(At::content);
    }
    return may_start(tag_close) ? false : not_a_call();
}

// <tool_call>: three families, told apart by what follows.

bool ToolCallParser::tag() {
    skip_blanks();
    if (held_.empty()) return false;
    if (held_[0] == '{') return go(At::object);
    if (starts(function_open)) return consume(function_open.size()), go(At::coder_name);
    return may_start(function_open) ? false : go(At::glm_name);
}

bool ToolCallParser::glm_name() {
    const size_t end = held_.find_first_of("\n<");
    if (end == std::string::npos) return held_.size() > longest_header ? not_a_call() : false;
    const std::string name(trimmed(std::string_view(held_).substr(0, end)));
    const size_t next = std::min(held_.find_first_not_of(blanks, end), held_.size());
    const std::string_view rest = std::string_view(held_).substr(next);
    const auto follows = [&](std::string_view marker) { return rest.starts_with(marker); };
    const auto may = [&](std::string_view marker) { return !ended_ && marker.starts_with(rest); };
    if (!follows(glm_markers.key_open) && !follows(tag_close))
        return may(glm_markers.key_open) || may(tag_close) ? false : not_a_call();
    if (!known(name)) return not_a_call();  // there is little else to tell it by
    consume(end);
    if (!begin_call(name, {})) return true;
    return go(At::parameters);
}

bool ToolCallParser::coder_name() {
    const size_t end = held_.find('>');
    if (end == std::string::npos) return held_.size() > longest_header ? not_a_call() : false;
    const std::string name(trimmed(std::string_view(held_).substr(0, end)));
    consume(end + 1);
    if (!begin_call(name, {})) return true;
    coder_ = true;
    return go(At::parameters);
}

void ToolCallParser::add_parameter(const std::string& key, std::string_view text) {
    const std::string value = argument_json(tools_ ? tools_->find(name_) : nullptr, key, text);
    add_arguments((wrote_arguments_ ? ", " : "{") +
                  nlohmann::json(key).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + ": " +
                  value);
}

/// The next parameter, if it is whole; at the end of the text what there is of it.
bool ToolCallParser::take_parameter(std::string_view rest, size_t before) {
    const ParameterMarkers& m = coder_ ? coder_markers : glm_markers;
    const size_t key_end = rest.find(m.key_close, m.key_open.size());
    size_t value =
        key_end == std::string_view::npos ? key_end : rest.find(m.value_open, key_end + m.key_close.size());
    if (value == std::string_view::npos) return ended_ && leave_parameters(false);
    value += m.value_open.size();
    const size_t value_end = rest.find(m.value_close, value);
    const bool whole = value_end != std::string_view::npos;
    if (!whole && !ended_) return false;
    std::string_view text = rest.substr(value, whole ? value_end - value : value_end);
    if (coder_ && text.starts_with('\n')) text.remove_prefix(1);
    if (coder_ && text.ends_with('\n')) text.remove_suffix(1);
    add_parameter(std::string(trimmed(rest.substr(m.key_open.size(), key_end - m.key_open.size()))), text);
    consume(whole ? before + value_end + m.value_close.size() : held_.size());
    return true;
}

bool ToolCallParser::leave_parameters(bool marked) {
    add_arguments(wrote_arguments_ ? "}" : "{}");
    end_call();
    said_something_ = false;
    return go(coder_ && marked ? At::coder_end : At::content);
}

bool ToolCallParser::parameters() {
    const ParameterMarkers& m = coder_ ? coder_markers : glm_markers;
    const size_t begin = std::min(held_.find_first_not_of(blanks), held_.size());
    const std::string_view rest = std::string_view(held_).substr(begin);
    if (rest.starts_with(m.key_open)) return take_parameter(rest, begin);
    if (rest.starts_with(m.end)) {
        consume(begin + m.end.size());
        return leave_parameters(true);
    }
    if (rest.empty() || (!ended_ && (m.key_open.starts_with(rest) || m.end.starts_with(rest)))) return false;
    return leave_parameters(false);
}

bool ToolCallParser::coder_end() {
    skip_blanks();
    if (starts(tag_close)) {
        consume(tag_close.size());
        raw_.clear();
        return go(At::content);
    }
    if (held_.empty() || may_start(tag_close)) return false;
    held_.insert(0, std::exchange(raw_, {}));  // the blanks
    return go(At::content);
}

// DeepSeek and Kimi: a section of calls.

bool ToolCallParser::section() {
    const SectionMarkers& m = markers(format_);
    skip_blanks();
    if (held_.empty()) return false;
    if (starts(m.call_begin)) return consume(m.call_begin.size()), go(At::header);
    if (starts(m.end)) {
        consume(m.end.size());
        // An empty section is text.
        if (n_calls_ == 0) return not_a_call();
        raw_.clear();
        return go(At::content);
    }
    return may_start(m.call_begin) || may_start(m.end) ? false : not_a_call();
}

bool ToolCallParser::header() {
    const SectionMarkers& m = markers(format_);
    const size_t end = held_.find(m.header_end);
    if (end == std::string::npos) return held_.size() > longest_header ? not_a_call() : false;
    const std::string text(trimmed(std::string_view(held_).substr(0, end)));
    consume(end + m.header_end.size());
    if (format_ != ToolFormat::kimi && text == "function") return go(At::deepseek_name);
    std::string name = text;
    if (format_ == ToolFormat::kimi) {  // functions.NAME:0
        if (name.starts_with("functions.")) name.erase(0, 10);
        name.resize(std::min(name.rfind(':'), name.size()));
    }
    if (!begin_call(name, format_ == ToolFormat::kimi ? text : std::string())) return true;
    return go(At::fence);
}

/// The name stands behind "function", unless that is a tool's name (V3.1).
bool ToolCallParser::deepseek_name() {
    skip_blanks();
    const size_t end = held_.find_first_of("\n`{<");
    if (end == std::string::npos) return held_.size() > longest_header ? not_a_call() : false;
    const std::string name(end == 0 ? "function" : trimmed(std::string_view(held_).substr(0, end)));
    consume(end);
    if (!begin_call(name, {})) return true;
    return go(At::fence);
}

/// Blanks and ```json in front of arguments.
bool ToolCallParser::fence() {
    skip_blanks();
    if (held_.empty()) return ended_ && go(At::arguments);
    fenced_ = starts("```");
    if (!fenced_) return may_start("```") ? false : go(At::arguments);
    const size_t end = held_.find_first_of("\n{", 3);
    if (end == std::string::npos) return ended_ && go(At::arguments);
    consume(end);
    skip_blanks();
    return go(At::arguments);
}

bool ToolCallParser::arguments() {
    const std::string_view marker = markers(format_).call_end;
    const std::string_view dropped = fenced_ ? " \t\r\n`" : blanks;
    const size_t end = held_.find(marker);
    if (!wrote_arguments_) {
        const size_t begin = std::min(held_.find_first_not_of(blanks), held_.size());
        if (begin > 0) return consume(begin), true;
    }
    if (end != std::string::npos || ended_) {
        const std::string_view text = std::string_view(held_).substr(0, end);
        add_arguments(std::string(text.substr(0, text.size() - trailing(text, dropped))));
        held_.erase(0, end == std::string::npos ? held_.size() : end + marker.size());
        end_call();
        said_something_ = false;
        return go(At::section);
    }
    size_t keep = partial(held_, marker);
    keep += trailing(std::string_view(held_).substr(0, held_.size() - keep), dropped);
    add_arguments(held_.substr(0, held_.size() - keep));
    held_.erase(0, held_.size() - keep);
    return false;
}

// Mistral: a list of objects, or a name and its arguments.

bool ToolCallParser::mistral() {
    skip_blanks();
    if (held_.empty()) return false;
    if (held_[0] == '[') return consume(1), go(At::list);
    if (held_[0] == '{') return go(At::object);
    const size_t end = held_.find_first_of("[{ \n");
    if (end == std::string::npos) return held_.size() > longest_header ? not_a_call() : false;
    const std::string_view rest = std::string_view(held_).substr(end);
    const auto may = [&](std::string_view marker) { return !ended_ && marker.starts_with(rest); };
    const bool args = rest.starts_with(mistral_args), id = rest.starts_with(mistral_call_id);
    if (!args && !id && rest[0] != '{')
        return may(mistral_args) || may(mistral_call_id) ? false : not_a_call();
    const std::string name = held_.substr(0, end);
    if (!is_tool_name(name)) return not_a_call();
    id_.clear();
    name_ = name;
    if (id) return consume(end + mistral_call_id.size()), go(At::mistral_id);
    consume(end + (args ? mistral_args.size() : 0));
    if (!begin_call(name, {})) return true;
    value_end_ = JsonValueEnd();
    return go(At::mistral_value);
}

bool ToolCallParser::mistral_id() {
    const size_t end = held_.find(mistral_args);
    if (end == std::string::npos) return held_.size() > longest_header ? not_a_call() : false;
    std::string id(trimmed(std::string_view(held_).substr(0, end)));
    consume(end + mistral_args.size());
    if (!begin_call(name_, std::move(id))) return true;
    value_end_ = JsonValueEnd();
    return go(At::mistral_value);
}

bool ToolCallParser::mistral_value() {
    if (!wrote_arguments_) skip_blanks();
    if (held_.empty()) return false;
    size_t n = 0;
    auto seen = JsonValueEnd::Seen::inside;
    for (; n < held_.size() && seen == JsonValueEnd::Seen::inside; ++n) seen = value_end_.push(held_[n]);
    if (seen == JsonValueEnd::Seen::after) --n;
    add_arguments(held_.substr(0, n));
    held_.erase(0, n);
    if (seen == JsonValueEnd::Seen::inside) return false;
    end_call();
    said_something_ = false;
    return go(At::content);
}

bool ToolCallParser::list() {
    skip_blanks();
    if (held_.empty()) return false;
    if (held_[0] == ',') return consume(1), true;
    if (held_[0] == '{') return object_ = CallObject(), go(At::object);
    if (held_[0] == ']') {
        consume(1);
        if (n_calls_ == 0) return not_a_call();
        raw_.clear();
        return go(At::content);
    }
    return not_a_call();
}

}  // namespace sluice
