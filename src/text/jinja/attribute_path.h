// "a.b.0": how filters such as sort(attribute=…) and map(attribute=…) name a member of a member.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

class AttributePath {
  public:
    /// From a string with dots, or an index. The default replaces what is undefined.
    AttributePath(Runtime& runtime, const Value& path, const Value* otherwise = nullptr);
    Value of(Runtime& runtime, const Value& item) const;

  private:
    std::vector<Value> parts_;
    const Value* otherwise_;
};

/// Sorting and grouping take "A" and "a" for the same unless told otherwise.
Value ignore_case(Runtime& runtime, const Value& value);

}  // namespace sluice::jinja
