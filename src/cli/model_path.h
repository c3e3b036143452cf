// Which file MODEL means: a path, a folder that holds one model, or a name looked up where models are kept.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

/// The model that `sluice chat` opens when none is named.
inline constexpr std::string_view bundled_model = "rill";

/// Folders searched for names, in order: $SLUICE_MODELS, beside the installed program, where it was
/// configured to be installed, the source tree of a program that lies in its build folder.
std::vector<std::filesystem::path> model_folders();

/// The file to open (of a split set the first shard). Throws invalid_argument if a name is unknown or fits
/// several.
std::filesystem::path find_model(const std::string& model);

}  // namespace sluice::cli
