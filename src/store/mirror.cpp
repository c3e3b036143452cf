#include "store/mirror.h"

#include <algorithm>
#include <cstring>

#include "core/fail.h"
#include "store/file.h"

namespace sluice {

namespace {

constexpr uint64_t sample_bytes = 4096, sampled_blocks = 64, most_header = 64 << 20;

/// Throws if bytes [offset, offset + n) of the two files differ.
void compare(const ReadFile& original, const ReadFile& copy, uint64_t offset, uint64_t n) {
    constexpr uint64_t piece = 1 << 20;
    std::vector<std::byte> a(std::min(n, piece)), b(a.size());
    for (uint64_t at = 0; at < n; at += piece) {
        const uint64_t here = std::min(piece, n - at);
        original.read(offset + at, std::span(a).first(here));
        copy.read(offset + at, std::span(b).first(here));
        const auto different =
            std::mismatch(a.begin(), a.begin() + ptrdiff_t(here), b.begin()).first - a.begin();
        if (uint64_t(different) < here)
            fail(ErrorCode::invalid_file,
                 "expected the mirror's {} to be a copy of {}, found a different byte at offset {}; copy it "
                 "again or leave out that --mirror",
                 copy.path().string(), original.path().string(), offset + at + uint64_t(different));
    }
}

void check_copy(const GgufShard& shard, const std::filesystem::path& path) {
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(path, error);
    if (error || size != shard.file_bytes)
        fail(ErrorCode::invalid_file,
             "expected the mirror's {} to have the {} bytes of {}, found {}; copy it again or leave out that "
             "--mirror",
             path.string(), shard.file_bytes, shard.path.string(),
             error ? error.message() : std::to_string(size));
    const ReadFile original(shard.path), copy(path);
    compare(original, copy, 0, std::min({shard.data_offset, most_header, size}));
    for (uint64_t i = 0; i <= sampled_blocks; ++i) {
        const uint64_t n = std::min(sample_bytes, size), at = (size - n) / sampled_blocks * i;
        compare(original, copy, i == sampled_blocks ? size - n : at, n);
    }
}

}  // namespace

std::vector<DriveFiles> find_drives(const GgufFile& file, const std::vector<std::filesystem::path>& mirrors) {
    constexpr size_t most_mirrors = 15;
    if (mirrors.size() > most_mirrors)
        fail(ErrorCode::invalid_argument, "expected at most {} --mirror folders, found {}", most_mirrors,
             mirrors.size());
    std::vector<DriveFiles> drives(1);
    const auto& shards = file.shards();
    drives[0].name = shards.front().path.has_parent_path() ? shards.front().path.parent_path().string() : ".";
    for (uint32_t i = 0; i < shards.size(); ++i) {
        drives[0].files.push_back(i);
        drives[0].paths.push_back(shards[i].path);
    }
    for (const auto& folder : mirrors) {
        DriveFiles d{folder.string(), {}, {}};
        for (uint32_t i = 0; i < shards.size(); ++i) {
            const auto path = folder / shards[i].path.filename();
            std::error_code ignored;
            if (!std::filesystem::exists(path, ignored)) continue;
            if (std::filesystem::equivalent(path, shards[i].path, ignored))
                fail(ErrorCode::invalid_argument,
                     "expected --mirror {} to be another folder than the model's own", folder.string());
            check_copy(shards[i], path);
            d.files.push_back(i);
            d.paths.push_back(path);
        }
        if (d.files.empty())
            fail(ErrorCode::invalid_argument,
                 "expected --mirror {} to hold a copy of {}, found none of its files", folder.string(),
                 shards.front().path.filename().string());
        drives.push_back(std::move(d));
    }
    return drives;
}

}  // namespace sluice
