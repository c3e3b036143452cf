// Python's string operations, on texts that know their origins. Methods (x.strip()) and filters (x|trim) both
// use them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/text.h"

namespace sluice::jinja {

enum class Ends : uint8_t { left = 1, right = 2, both = 3 };
/// Without `characters`, strips white space.
Text strip(Runtime& runtime, const Text& text, Ends ends, const Text* characters = nullptr);

/// str.split(separator, maximum), as string values: no maximum if negative. Without separator, splits at runs
/// of white space.
std::vector<Value> split(Runtime& runtime, const Text& text, const Text* separator, int64_t maximum);
std::vector<Value> split_from_right(Runtime& runtime, const Text& text, const Text* separator,
                                    int64_t maximum);
/// At every kind of line end; the ends are kept if asked.
std::vector<Value> split_lines(Runtime& runtime, const Text& text, bool keep_ends);

/// All occurrences if `maximum` is negative.
Text replace(Runtime& runtime, const Text& text, const Text& from, const Text& to, int64_t maximum);

Text upper(Runtime& runtime, const Text& text);
Text lower(Runtime& runtime, const Text& text);
/// First character upper, the others lower.
Text capitalize(Runtime& runtime, const Text& text);

/// &, <, >, ' and " as HTML entities.
Text escape_html(Runtime& runtime, const Text& text);

/// `width` spaces before and after, in characters; the fill counts as input.
Text pad(Runtime& runtime, const Text& text, int64_t left, int64_t right, std::string_view fill = " ");

/// str(separator).join(parts)
class Joiner {
  public:
    Joiner(Runtime& runtime, Text separator) : runtime_(runtime), separator_(std::move(separator)) {}
    void add(const Text& part);
    Text take() { return std::move(joined_); }

  private:
    Runtime& runtime_;
    Text separator_;
    Text joined_;
    bool first_ = true;
};

}  // namespace sluice::jinja
