// Questions that a model answers well, from a file beside it: MODEL.suggest.json for MODEL.gguf,
// {"suggestions": [TEXT, …]}.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sluice::cli {

/// Empty if there is no such file, or it is not as expected: a hint is not worth an error.
std::vector<std::string> suggestions_for(const std::filesystem::path& model);

}  // namespace sluice::cli
