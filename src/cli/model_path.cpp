#include "cli/model_path.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/ranges.h>

#include "core/fail.h"

namespace sluice::cli {

namespace fs = std::filesystem;

namespace {

/// True for "…-00002-of-00005.gguf": not the file by which a set is opened.
bool is_later_shard(const std::string& name) {
    constexpr std::string_view pattern = "-00000-of-00000.gguf";
    if (name.size() < pattern.size()) return false;
    const std::string_view tail = std::string_view(name).substr(name.size() - pattern.size());
    for (size_t i = 0; i < pattern.size(); ++i)
        if (pattern[i] == '0' ? (tail[i] < '0' || tail[i] > '9') : tail[i] != pattern[i]) return false;
    return tail.substr(1, 5) != "00001";
}

/// Models in a folder whose names begin with `prefix`, sorted.
std::vector<fs::path> models_in(const fs::path& folder, std::string_view prefix) {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.starts_with(prefix) && name.ends_with(".gguf") && !is_later_shard(name))
            found.push_back(it->path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

[[noreturn]] void fail_ambiguous(const std::string& model, const std::vector<fs::path>& found) {
    std::vector<std::string> names;
    for (const auto& p : found) names.push_back(p.filename().string());
    fail(ErrorCode::invalid_argument, "expected {} to mean one model in {}, found {}: {}; name the file",
         model, found.front().parent_path().string(), found.size(), fmt::join(names, ", "));
}

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored) && !fs::is_directory(path, ignored);
}

fs::path find_in_folder(const std::string& model) {
    const auto found = models_in(model, "");
    if (found.size() > 1) fail_ambiguous(model, found);
    if (found.empty())
        fail(ErrorCode::invalid_argument, "expected a GGUF file in the folder {}, found none", model);
    return found.front();
}

}  // namespace

std::vector<fs::path> model_folders() {
    std::vector<fs::path> folders;
    if (const char* named = std::getenv("SLUICE_MODELS"); named && *named) folders.emplace_back(named);
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) folders.push_back((program.parent_path() / "../share/sluice/models").lexically_normal());
    folders.emplace_back(SLUICE_INSTALLED_MODELS);
    if (!error) folders.push_back((program.parent_path() / "../models").lexically_normal());
    return folders;
}

fs::path find_model(const std::string& model) {
    std::error_code ignored;
    if (is_file(model)) return model;
    if (fs::is_directory(model, ignored)) return find_in_folder(model);
    if (model.empty() || model.find('/') != std::string::npos || model.ends_with(".gguf"))
        fail(ErrorCode::io, "could not open the model {}: there is no such file",
             model.empty() ? "\"\"" : model);
    const auto folders = model_folders();
    for (const auto& folder : folders) {
        if (is_file(folder / (model + ".gguf"))) return folder / (model + ".gguf");
        const auto found = models_in(folder, model + "-");
        if (found.size() > 1) fail_ambiguous(model, found);
        if (!found.empty()) return found.front();
    }
    std::vector<std::string> names;
    for (const auto& f : folders) names.push_back(f.string());
    fail(ErrorCode::invalid_argument,
         "expected a file or the name of a model, found \"{}\"; looked for {}*.gguf in {}", model, model,
         fmt::join(names, ", "));
}

}  // namespace sluice::cli
