#include "engine/usage_memory.h"

#include <fmt/format.h>

namespace sluice {

namespace {

std::filesystem::path chosen(const std::string& folder) {
    return folder.empty() ? default_usage_folder() : std::filesystem::path(folder);
}

}  // namespace

UsageMemory::UsageMemory(const GgufFile& file, uint32_t n_layers, uint32_t n_experts,
                         const WeightStore& store, const std::string& folder,
                         std::vector<std::string>& notices, std::chrono::seconds save_every)
    : store_(store),
      file_(chosen(folder), model_fingerprint(file), n_layers, n_experts),
      save_every_(save_every),
      counts_(n_layers, n_experts) {
    const auto tell = [&](const std::string& problem) {
        notices.push_back(
            fmt::format("what this model's experts are used for is not remembered: {}", problem));
    };
    if (chosen(folder).empty()) {
        tell("there is no cache folder (neither XDG_CACHE_HOME nor HOME)");
        return;
    }
    UsageFile::Loaded loaded = file_.load();
    if (!loaded.problem.empty()) notices.push_back(loaded.problem + "; it will be replaced");
    if (const std::string problem = file_.prepare_folder(); !problem.empty())
        tell(problem);
    else
        writable_ = true;
    if (!loaded.counts) return;
    counts_ = std::move(*loaded.counts);
    store_.warm(counts_);
}

UsageMemory::~UsageMemory() {
    std::lock_guard lock(mutex_);
    save();
}

void UsageMemory::rest() {
    store_.resume_warming();
    std::lock_guard lock(mutex_);
    if (Clock::now() - saved_ >= save_every_) save();
}

/// A problem at this point is not worth an error: the file stays as it was.
void UsageMemory::save() {
    saved_ = Clock::now();
    if (!writable_) return;
    UsageCounts newer(counts_.n_layers(), counts_.n_experts());
    store_.take_demands(newer);
    if (newer.empty()) return;
    counts_.add(newer);
    file_.save(counts_);
}

}  // namespace sluice
