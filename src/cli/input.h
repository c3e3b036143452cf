// Reading what users hand over: bounded, and with the name of the source in every message.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace sluice::cli {

/// No prompt, template or conversation comes near this.
inline constexpr uint64_t max_input_bytes = 64u << 20;

/// How messages call a path: "standard input" for "-".
std::string source_name(const std::string& path);

/// All bytes of a file; "-" is standard input. Throws io, invalid_argument if it is larger than
/// max_input_bytes.
std::string read_all(const std::string& path);

/// JSON that nests at most 100 deep (writing it out again recurses). `source` is used in messages.
nlohmann::ordered_json parse_json(const std::string& text, const std::string& source);

/// Standard input line by line, without the newline.
class InputLines {
  public:
    /// Nothing at the end of the input and after a signal that asks to stop.
    std::optional<std::string> next();

  private:
    bool fill();
    std::string held_;
    size_t searched_ = 0;  // bytes of held_ known to hold no newline
    bool at_end_ = false;
};

}  // namespace sluice::cli
