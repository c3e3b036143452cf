// A call as a JSON object, read while it is written: {"name": "f", "arguments": {…}}, the members in any
// order, "parameters" for "arguments", {"function": {…}} around them. Nothing is read twice.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sluice {

/// Finds the end of one JSON value. Looks at brackets and strings alone: what is inside may be wrong.
class JsonValueEnd {
  public:
    enum class Seen {
        inside,
        last,   // this byte ends the value
        after,  // the value (a number or word) ended before this byte
    };
    Seen push(char c);

  private:
    size_t depth_ = 0;
    bool in_string_ = false, escaped_ = false, begun_ = false;
};

class CallObject {
  public:
    enum class Seen { inside, last, broken };  // broken: this byte cannot be part of a call
    Seen push(char c);

    bool has_name() const { return !name_.empty(); }
    const std::string& name() const { return name_; }
    const std::string& id() const { return id_; }
    bool has_arguments() const { return has_arguments_; }
    /// What was written of the arguments since the last time.
    std::string take_arguments() { return std::exchange(arguments_, {}); }

  private:
    enum class At { start, key_or_end, key, colon, value, after_value };
    void begin_value(char c);
    void end_value();

    At at_ = At::start;
    bool wrapped_ = false, inside_function_ = false;  // in {"function": {…}}
    bool value_begun_ = false, is_arguments_ = false, escaped_ = false;
    bool has_arguments_ = false;
    JsonValueEnd end_;
    std::string key_, value_, name_, id_, arguments_;
};

}  // namespace sluice
