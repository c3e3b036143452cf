// Copies of a model's files in other folders: found, and compared before they are trusted.
#pragma once

#include <filesystem>
#include <vector>

#include "format/gguf.h"
#include "store/drive_set.h"

namespace sluice {

/// The model's own folder and each mirror, with the shards it has. Throws invalid_argument or invalid_file
/// naming folder, file and offset if a folder has none of them, or a copy differs: in size, in the header, or
/// in one of some blocks spread over the file (a copy is not read whole).
std::vector<DriveFiles> find_drives(const GgufFile& file, const std::vector<std::filesystem::path>& mirrors);

}  // namespace sluice
