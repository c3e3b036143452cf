// Puts the lines a user types together into turns: a line that ends with a backslash goes on in the next one,
// and what stands between """ and """ is one turn, line breaks included.
#pragma once

#include <optional>
#include <string>

namespace sluice::cli {

class TurnLines {
  public:
    /// Adds a line; the turn if it is complete now.
    std::optional<std::string> add(std::string line);
    /// A turn has begun and is not complete.
    bool pending() const { return in_block_ || continued_; }
    /// The end of the input: what has begun is a turn too.
    std::optional<std::string> finish();
    void clear();

  private:
    std::optional<std::string> add_to_block(std::string_view line);

    std::string text_;
    bool in_block_ = false, continued_ = false;
};

}  // namespace sluice::cli
