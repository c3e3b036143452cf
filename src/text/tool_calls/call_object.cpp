#include "text/tool_calls/call_object.h"

#include <nlohmann/json.hpp>

namespace sluice {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// The text of a JSON string; empty if it is none.
std::string text_of(const std::string& json) {
    const auto value = nlohmann::json::parse(json, nullptr, false);
    return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

JsonValueEnd::Seen JsonValueEnd::push(char c) {
    if (in_string_) {
        if (escaped_)
            escaped_ = false;
        else if (c == '\\')
            escaped_ = true;
        else if (c == '"')
            in_string_ = false;
        return !in_string_ && depth_ == 0 ? Seen::last : Seen::inside;
    }
    const bool closes = c == '}' || c == ']';
    if (depth_ == 0 && begun_ && (closes || c == ',' || is_blank(c))) return Seen::after;
    begun_ = true;
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (closes) return depth_ == 0 || --depth_ == 0 ? Seen::last : Seen::inside;
    return Seen::inside;
}

CallObject::Seen CallObject::push(char c) {
    switch (at_) {
        case At::start:
            if (c == '{')
                at_ = At::key_or_end;
            else if (!is_blank(c))
                return Seen::broken;
            break;
        case At::key_or_end:
            if (c == '"')
                at_ = At::key, key_ = c, escaped_ = false;
            else if (c == '}' && inside_function_)
                inside_function_ = false, at_ = At::after_value;
            else if (c == '}')
                return Seen::last;
            else if (!is_blank(c))
                return Seen::broken;
            break;
        case At::key:
            key_ += c;
            if (escaped_)
                escaped_ = false;
            else if (c == '\\')
                escaped_ = true;
            else if (c == '"')
                at_ = At::colon, key_ = text_of(key_);
            break;
        case At::colon:
            if (c == ':')
                at_ = At::value, value_.clear(), value_begun_ = false;
            else if (!is_blank(c))
                return Seen::broken;
            break;
        case At::value: {
            if (!value_begun_) {
                if (is_blank(c)) break;
                if (c == ',' || c == '}' || c == ']' || c == ':') return Seen::broken;
                begin_value(c);
                if (at_ != At::value) break;
            }
            const auto seen = end_.push(c);
            if (seen != JsonValueEnd::Seen::after) (is_arguments_ ? arguments_ : value_) += c;
            if (seen == JsonValueEnd::Seen::inside) break;
            end_value();
            if (seen == JsonValueEnd::Seen::after) return push(c);
            break;
        }
        case At::after_value:
            if (c == ',')
                at_ = At::key_or_end;
            else if (c == '}' && inside_function_)
                inside_function_ = false;
            else if (c == '}')
                return Seen::last;
            else if (!is_blank(c))
                return Seen::broken;
            break;
    }
    return Seen::inside;
}

void CallObject::begin_value(char c) {
    end_ = JsonValueEnd();
    value_begun_ = true;
    if (key_ == "function" && c == '{' && !wrapped_) {
        wrapped_ = inside_function_ = true;
        at_ = At::key_or_end;
        return;
    }
    // Arguments as JSON inside a string are known when it ends.
    is_arguments_ = (key_ == "arguments" || key_ == "parameters") && !has_arguments_ && c != '"';
    has_arguments_ |= is_arguments_;
}

void CallObject::end_value() {
    at_ = At::after_value;
    if (is_arguments_) return void(is_arguments_ = false);
    if (key_ == "name" || (key_ == "function" && name_.empty())) name_ = text_of(value_);
    if (key_ == "id") id_ = text_of(value_);
    if ((key_ == "arguments" || key_ == "parameters") && !has_arguments_) {
        arguments_ = text_of(value_);
        has_arguments_ = true;
    }
}

}  // namespace sluice
