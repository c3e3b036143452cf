// Pages of KV rows on disk: a conversation goes on without being read again after the server was stopped,
// killed, or needed the memory for others. Each full page of page_tokens positions is a file of its own:
//
//   FOLDER/SCOPE/HASH: magic "SLUICEKV" · u32 version · u32 n_tokens · u64 scope · u64 page bytes ·
//                      i32 token[n_tokens] · the page · u64 checksum of everything before
//
// A row depends on all tokens up to its own, so the file holds them all, and they are compared: the hash in
// its name only finds it. The scope is the model (its headers and a sample of every tensor) with the settings
// that decide a row's bits. Files appear whole or not at all (written beside their place, renamed); what a
// power cut tears is found by the checksum and removed. The folder keeps its size: what was not used for
// longest leaves first, ends before beginnings. The files hold what people wrote, as tokens: they are
// readable for their owner alone.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "sluice/engine.h"

#include "format/gguf.h"
#include "model/kv_cache.h"

namespace sluice {

/// Tells what pages may be used with: model, encoding, instruction set.
uint64_t kv_scope(const GgufFile& file, const KvLayout& layout, std::string_view isa);

struct KvDiskStats {
    uint64_t pages = 0, bytes = 0;                    // in the folder, all scopes
    uint64_t read = 0, written = 0, not_written = 0;  // pages, since the start
    uint64_t damaged = 0;                             // files that were removed: torn, cut, unreadable
    uint64_t limit = 0;                               // bytes
    std::string failure{};  // why pages are not written at the moment; empty: they are
};

class KvDisk {
  public:
    /// Makes the folder if need be. Throws io if nothing can be written in it. After a failed write the next
    /// one is tried when `retry_after` has passed.
    KvDisk(const std::filesystem::path& folder, uint64_t most_bytes, uint64_t scope, uint64_t page_bytes,
           std::chrono::nanoseconds retry_after = std::chrono::seconds(5));
    /// Writes what was handed in.
    ~KvDisk();
    KvDisk(const KvDisk&) = delete;
    KvDisk& operator=(const KvDisk&) = delete;

    /// Whether there is a file for the last page of `tokens` (a multiple of page_tokens).
    bool has(std::span<const TokenId> tokens) const;
    /// The last page of `tokens`. None if it is not there (any more) or damaged.
    KvPage read(std::span<const TokenId> tokens);
    /// Hands in the full pages of a text; those that are there count as used again. Never blocks: a thread
    /// writes, and what it cannot keep up with is not written. The pages must not change any more.
    void write(std::span<const TokenId> tokens, std::span<const KvPage> pages);
    /// Lets go of the pages that wait to be written: their memory is needed.
    void give_up_queue();
    /// Until everything handed in is written.
    void flush();
    KvDiskStats stats() const;
    /// What its owner should know and was not told yet: that writing failed, and that it works again. Each
    /// once, however many pages there were.
    std::vector<std::string> take_notices();

  private:
    struct Entry {
        int64_t used = 0;   // nanoseconds since 1970
        int64_t depth = 0;  // pages of the text up to its end
        uint64_t bytes = 0;
    };
    struct Work {
        std::string name;
        std::shared_ptr<const std::vector<TokenId>> tokens;
        size_t n_tokens;
        KvPage page;
        int64_t used;  // the same for all pages of a text, so that its end leaves before its beginning
    };
    using Order = std::set<std::tuple<int64_t, int64_t, std::string>>;  // what leaves first is first

    std::string name_of(uint64_t hash) const;
    uint64_t file_bytes(size_t n_tokens) const;
    std::string head_of(std::span<const TokenId> tokens) const;
    void scan();
    void main();
    std::string write_file(const Work& work) const;
    void count_failure(const std::string& why);
    void count_success();
    void put(const std::string& name, const Entry& entry);
    void drop(const std::string& name);
    void touch(const std::string& name, int64_t now);
    void make_room(uint64_t bytes);

    const std::filesystem::path folder_;
    const uint64_t most_bytes_, scope_, page_bytes_;
    const int64_t retry_after_;  // nanoseconds
    mutable std::mutex mutex_;   // of what follows
    std::condition_variable changed_;
    std::unordered_map<std::string, Entry> entries_;  // by name: SCOPE/HASH
    Order order_;
    std::set<std::string> queued_;
    std::deque<Work> work_;
    KvDiskStats stats_;
    std::vector<std::string> notices_;
    int64_t failed_at_ = 0, quiet_until_ = 0;  // after a failure nothing is written for a while
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace sluice
