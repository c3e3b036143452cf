// Ends an answer at a stop text while it streams: text that may be the beginning of one is held back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class StopText {
  public:
    /// Empty stop texts are ignored.
    explicit StopText(std::vector<std::string> stops);
    /// Adds text; returns what certainly belongs to the answer. Nothing more comes after found().
    std::string push(std::string_view text);
    /// The end of the text: what was held is part of the answer.
    std::string finish();
    bool found() const { return found_; }
    /// The stop text that was found.
    const std::string& which() const { return which_; }

  private:
    std::vector<std::string> stops_;
    std::string held_, which_;
    bool found_ = false;
};

}  // namespace sluice
