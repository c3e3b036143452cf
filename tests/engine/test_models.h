// The models that tests run: Rill in its two layouts, and the golden models of each architecture with exact
// logits.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice::test {

inline std::filesystem::path data(const std::string& name) {
    return std::filesystem::path(SLUICE_TEST_DATA) / name;
}
inline std::string rill() {
    return (std::filesystem::path(SLUICE_MODELS) / "rill-q8_0.gguf").string();
}
/// Rill without MTP block, in the attn_kv_b layout.
inline std::string rill_old() {
    return data("rill/rill-old-q8_0.gguf").string();
}

inline nlohmann::json read_json(const std::filesystem::path& path) {
    return nlohmann::json::parse(std::ifstream(path));
}

inline std::vector<float> read_floats(const std::filesystem::path& path) {
    std::vector<float> v(std::filesystem::file_size(path) / sizeof(float));
    std::ifstream(path, std::ios::binary)
        .read(reinterpret_cast<char*>(v.data()), std::streamsize(v.size() * sizeof(float)));
    return v;
}

}  // namespace sluice::test
