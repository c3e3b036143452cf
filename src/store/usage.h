// What the user's own work routes to, remembered from run to run: how often each routed expert was asked for.
// The counts fade as new ones come, so that recent work counts more. They decide what is read first at the
// next start, never a token.
//
// One small file for each model, in the user's cache folder; it may be deleted at any time. Little endian:
//
//   magic "SLUICEUS" · u32 version · u32 n_layers · u32 n_experts · u64 fingerprint
//   u16 count[n_layers][n_experts] · u64 FNV-1a of everything before
//
// The file appears whole or not at all (written beside its place, synced, renamed): a crash leaves the old
// one, and of two processes the last one wins.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/gguf.h"

namespace sluice {

/// Demands of each expert: [layer][expert].
class UsageCounts {
  public:
    UsageCounts(uint32_t n_layers, uint32_t n_experts)
        : n_experts_(n_experts), counts_(uint64_t(n_layers) * n_experts) {}

    uint32_t n_layers() const { return n_experts_ ? uint32_t(counts_.size() / n_experts_) : 0; }
    uint32_t n_experts() const { return n_experts_; }
    uint32_t& at(uint32_t layer, uint32_t expert) { return counts_[uint64_t(layer) * n_experts_ + expert]; }
    uint32_t at(uint32_t layer, uint32_t expert) const {
        return counts_[uint64_t(layer) * n_experts_ + expert];
    }
    bool empty() const;  // nothing was counted
    /// Adds newer counts of the same shape; then all are halved until their mean is at most `most_mean` and
    /// each fits in 16 bits.
    void add(const UsageCounts& newer);

    /// With 8 of 256 experts a token, the mean grows by 1 in 32 tokens: 4,096 tokens halve what was before.
    static constexpr uint32_t most_mean = 128;

  private:
    friend class UsageFile;
    uint32_t n_experts_;
    std::vector<uint32_t> counts_;
};

/// Tells one model from another by its header alone: name, size, and each tensor's name, type and shape.
uint64_t model_fingerprint(const GgufFile& file);

/// $XDG_CACHE_HOME/sluice/usage, else ~/.cache/sluice/usage; empty if there is neither.
std::filesystem::path default_usage_folder();

/// One model's file. Nothing here throws: what cannot be remembered must not stop the work.
class UsageFile {
  public:
    UsageFile(const std::filesystem::path& folder, uint64_t fingerprint, uint32_t n_layers,
              uint32_t n_experts);

    const std::filesystem::path& path() const { return path_; }
    struct Loaded {
        std::optional<UsageCounts> counts{};  // none: no file, or one that cannot be used
        std::string problem{};                // why it cannot be used, one sentence
    };
    Loaded load() const;
    /// Makes the folder. Empty if files can be made in it, else why not.
    std::string prepare_folder() const;
    /// Replaces the file. Empty, or why it could not be written; the file is then as it was.
    std::string save(const UsageCounts& counts) const;

  private:
    std::string encode(const UsageCounts& counts) const;
    std::optional<UsageCounts> decode(const std::string& bytes, std::string& problem) const;
    std::string write_and_rename(const std::string& bytes) const;
    void remove_old_temporaries() const;

    std::filesystem::path path_;
    uint64_t fingerprint_;
    uint32_t n_layers_, n_experts_;
};

}  // namespace sluice
