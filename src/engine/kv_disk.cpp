#include "engine/kv_disk.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/descriptor.h"
#include "core/fail.h"

namespace sluice {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view magic = "SLUICEKV";
constexpr uint32_t version = 2;  // 1: positions before heads in a page
constexpr size_t checksum_bytes = 8;
constexpr uint64_t most_queued_bytes = 256 << 20;
constexpr int64_t second = 1'000'000'000;

/// Four FNV-1a sums over words of 8 bytes: against accidents, not against malice; several GB a second.
class Checksum {
  public:
    void add(const void* data, size_t n) {
        const auto* bytes = static_cast<const unsigned char*>(data);
        for (; n >= 32; n -= 32, bytes += 32)
            for (size_t i = 0; i < 4; ++i) {
                uint64_t word;
                std::memcpy(&word, bytes + 8 * i, 8);
                lanes_[i] = (lanes_[i] ^ word) * prime;
                lanes_[i] ^= lanes_[i] >> 29;
            }
        for (; n > 0; --n, ++bytes) lanes_[0] = (lanes_[0] ^ *bytes) * prime;
    }
    template <typename T>
    void add_value(T value) {
        add(&value, sizeof value);
    }
    uint64_t sum() const {
        uint64_t h = 0xcbf29ce484222325;
        for (const uint64_t lane : lanes_) h = (h ^ lane ^ (lane >> 32)) * prime;
        return h;
    }

  private:
    static constexpr uint64_t prime = 0x100000001b3;
    uint64_t lanes_[4] = {1, 2, 3, 4};
};

/// Goes on over pages: the hash of a text's beginning is that of each of its pages in turn.
uint64_t hash_page(uint64_t hash, std::span<const TokenId> page) {
    for (const TokenId t : page) hash = (hash ^ uint32_t(t)) * 0x100000001b3;
    return hash ^ (hash >> 31);
}
constexpr uint64_t first_hash = 0xcbf29ce484222325;

uint64_t hash_of(std::span<const TokenId> tokens) {
    uint64_t hash = first_hash;
    for (size_t i = 0; i + KvCache::page_tokens <= tokens.size(); i += KvCache::page_tokens)
        hash = hash_page(hash, tokens.subspan(i, KvCache::page_tokens));
    return hash;
}

int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

bool read_all(int fd, void* data, size_t n) {
    auto* bytes = static_cast<char*>(data);
    while (n > 0) {
        const ssize_t done = ::read(fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        bytes += done, n -= size_t(done);
    }
    return true;
}

template <typename T>
void append(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// The half of a file whose writer was killed: a writer that lives holds its lock.
void remove_if_abandoned(const fs::path& temporary) {
    const Descriptor fd(::open(temporary.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd.get() >= 0 && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(temporary.c_str());
}

/// Not the file's fault: nothing can be opened at the moment.
bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR;
}

bool is_name(std::string_view text) {
    return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

uint64_t kv_scope(const GgufFile& file, const KvLayout& layout, std::string_view isa) {
    Checksum sum;
    sum.add_value(version);
    sum.add_value(uint32_t(layout.format));
    sum.add_value(layout.bytes_per_token());
    sum.add(isa.data(), isa.size());
    std::vector<std::ifstream> shards;
    for (const GgufShard& shard : file.shards()) {
        auto& in = shards.emplace_back(shard.path, std::ios::binary);
        std::string head(shard.data_offset, '\0');
        in.read(head.data(), std::streamsize(head.size()));
        sum.add(head.data(), head.size());
        sum.add_value(shard.file_bytes);
    }
    for (const GgufTensor& t : file.tensors()) {  // another model's weights may have the same header
        char sample[64] = {};
        const uint64_t n = std::min<uint64_t>(sizeof sample, t.n_bytes);
        auto& in = shards[t.shard];
        in.clear();
        in.seekg(std::streamoff(t.offset + (t.n_bytes - n) / 2));
        in.read(sample, std::streamsize(n));
        sum.add(sample, sizeof sample);
    }
    return sum.sum();
}

KvDisk::KvDisk(const fs::path& folder, uint64_t most_bytes, uint64_t scope, uint64_t page_bytes,
               std::chrono::nanoseconds retry_after)
    : folder_(folder),
      most_bytes_(most_bytes),
      scope_(scope),
      page_bytes_(page_bytes),
      retry_after_(retry_after.count()) {
    stats_.limit = most_bytes;
    const fs::path mine = folder_ / fmt::format("{:016x}", scope_);
    std::error_code error;
    fs::create_directories(mine, error);
    if (error)
        fail(ErrorCode::io, "could not make the folder {} for KV pages: {}", mine.string(), error.message());
    fs::permissions(mine, fs::perms::owner_all, error);
    if (::access(mine.c_str(), W_OK | X_OK) != 0)
        fail(ErrorCode::io, "could not write KV pages in {}: {}", mine.string(), std::strerror(errno));
    scan();
    make_room(0);
    thread_ = std::thread([this] { main(); });
}

KvDisk::~KvDisk() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

std::string KvDisk::name_of(uint64_t hash) const {
    return fmt::format("{:016x}/{:016x}", scope_, hash);
}

std::string KvDisk::head_of(std::span<const TokenId> tokens) const {
    std::string head(magic);
    append(head, version);
    append(head, uint32_t(tokens.size()));
    append(head, scope_);
    append(head, page_bytes_);
    head.append(reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes());
    return head;
}

uint64_t KvDisk::file_bytes(size_t n_tokens) const {
    return magic.size() + 2 * sizeof(uint32_t) + 2 * sizeof(uint64_t) + n_tokens * sizeof(TokenId) +
           page_bytes_ + checksum_bytes;
}

/// What earlier runs left. Files that are none of ours are let be, but for the halves of a run that was
/// killed.
void KvDisk::scan() {
    std::error_code error;
    for (const auto& scope : fs::directory_iterator(folder_, error)) {
        if (!is_name(scope.path().filename().string()) || !scope.is_directory(error)) continue;
        for (const auto& file : fs::directory_iterator(scope.path(), error)) {
            const std::string name = file.path().filename().string();
            struct stat status {};
            if (::lstat(file.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
            const int64_t used = int64_t(status.st_mtim.tv_sec) * second + status.st_mtim.tv_nsec;
            if (name.ends_with(".tmp")) remove_if_abandoned(file.path());
            if (!is_name(name)) continue;
            // Longer texts have larger files: their size orders those that were used at the same moment.
            put(scope.path().filename().string() + "/" + name,
                {used, int64_t(status.st_size), uint64_t(status.st_size)});
        }
    }
}

void KvDisk::put(const std::string& name, const Entry& entry) {
    drop(name);
    entries_[name] = entry;
    order_.emplace(entry.used, -entry.depth, name);
    ++stats_.pages;
    stats_.bytes += entry.bytes;
}

void KvDisk::drop(const std::string& name) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    order_.erase({found->second.used, -found->second.depth, name});
    --stats_.pages;
    stats_.bytes -= found->second.bytes;
    entries_.erase(found);
}

void KvDisk::touch(const std::string& name, int64_t now) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    order_.erase({found->second.used, -found->second.depth, name});
    found->second.used = now;
    order_.emplace(now, -found->second.depth, name);
    const timespec times[2] = {{now / second, now % second}, {now / second, now % second}};
    ::utimensat(AT_FDCWD, (folder_ / name).c_str(), times, AT_SYMLINK_NOFOLLOW);  // for the next run
}

void KvDisk::make_room(uint64_t bytes) {
    while (!order_.empty() && stats_.bytes + bytes > most_bytes_) {
        const std::string name = std::get<2>(*order_.begin());
        std::error_code error;
        fs::remove(folder_ / name, error);
        drop(name);
    }
}

bool KvDisk::has(std::span<const TokenId> tokens) const {
    const std::string name = name_of(hash_of(tokens));
    std::lock_guard lock(mutex_);
    return entries_.contains(name);
}

KvPage KvDisk::read(std::span<const TokenId> tokens) {
    const std::string name = name_of(hash_of(tokens));
    {
        std::lock_guard lock(mutex_);
        if (!entries_.contains(name)) return nullptr;
    }
    const fs::path path = folder_ / name;
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd.get() < 0 && is_shortage(errno)) return nullptr;
    const std::string expected = head_of(tokens);
    std::string head(expected.size(), '\0');
    struct stat status {};
    auto page = std::make_shared<Memory>(Memory::exact(page_bytes_));
    uint64_t sum = 0;
    const bool whole = fd.get() >= 0 && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                       uint64_t(status.st_size) == file_bytes(tokens.size()) &&
                       read_all(fd.get(), head.data(), head.size()) &&
                       read_all(fd.get(), page->data(), page_bytes_) && read_all(fd.get(), &sum, sizeof sum);
    Checksum checksum;
    checksum.add(head.data(), head.size());
    checksum.add(page->data(), page_bytes_);
    const bool valid = whole && checksum.sum() == sum;
    std::lock_guard lock(mutex_);
    if (!valid) {
        ::unlink(path.c_str());
        if (entries_.contains(name)) ++stats_.damaged;
        drop(name);
        return nullptr;
    }
    if (head != expected) return nullptr;  // another text with the same hash
    touch(name, now_ns());
    ++stats_.read;
    return page;
}

void KvDisk::write(std::span<const TokenId> tokens, std::span<const KvPage> pages) {
    const auto copy = std::make_shared<const std::vector<TokenId>>(tokens.begin(), tokens.end());
    const int64_t now = now_ns();
    uint64_t hash = first_hash;
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < pages.size(); ++i) {
        hash = hash_page(hash, std::span(*copy).subspan(i * KvCache::page_tokens, KvCache::page_tokens));
        const std::string name = name_of(hash);
        if (entries_.contains(name)) {
            touch(name, now);
        } else if ((work_.size() + 1) * page_bytes_ > most_queued_bytes || now < quiet_until_ || stop_) {
            ++stats_.not_written;
        } else if (queued_.insert(name).second) {
            work_.push_back({name, copy, (i + 1) * KvCache::page_tokens, pages[i], now});
        }
    }
    changed_.notify_all();
}

void KvDisk::flush() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queued_.empty(); });
}

void KvDisk::give_up_queue() {
    std::lock_guard lock(mutex_);
    stats_.not_written += work_.size();
    for (const Work& work : work_) queued_.erase(work.name);
    work_.clear();
    changed_.notify_all();
}

KvDiskStats KvDisk::stats() const {
    std::lock_guard lock(mutex_);
    return stats_;
}

void KvDisk::main() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return stop_ || !work_.empty(); });
        if (work_.empty()) return;  // it stops
        const Work work = std::move(work_.front());
        work_.pop_front();
        const uint64_t bytes = file_bytes(work.n_tokens);
        if (bytes > most_bytes_ || now_ns() < quiet_until_) {  // it never fits; the disk is full, or gone
            ++stats_.not_written;
        } else {
            make_room(bytes);
            lock.unlock();
            const std::string failure = write_file(work);
            lock.lock();
            if (failure.empty()) {
                put(work.name, {work.used, int64_t(bytes), bytes});
                count_success();
            } else {
                count_failure(failure);
            }
        }
        queued_.erase(work.name);
        changed_.notify_all();
    }
}

void KvDisk::count_success() {
    ++stats_.written;
    // A disk that is almost full fails now and then: that is one failure until it has been well for a while.
    if (stats_.failure.empty() || now_ns() - failed_at_ < 2 * retry_after_) return;
    notices_.push_back(fmt::format("KV pages are written to {} again", folder_.string()));
    stats_.failure.clear();
}

void KvDisk::count_failure(const std::string& why) {
    ++stats_.not_written;
    failed_at_ = now_ns();
    quiet_until_ = failed_at_ + retry_after_;
    if (stats_.failure.empty())
        notices_.push_back(fmt::format(
            "KV pages could not be written to {}: {}; requests are answered all the same, and it is "
            "tried again every {:.3g} s: make room there, or lower --kv-disk-size",
            folder_.string(), why, double(retry_after_) / double(second)));
    stats_.failure = why;
}

std::vector<std::string> KvDisk::take_notices() {
    std::lock_guard lock(mutex_);
    return std::exchange(notices_, {});
}

/// What the system said if it could not; empty: the file is there.
std::string KvDisk::write_file(const Work& work) const {
    const std::string head = head_of(std::span(*work.tokens).first(work.n_tokens));
    Checksum checksum;
    checksum.add(head.data(), head.size());
    checksum.add(work.page->data(), page_bytes_);
    const uint64_t sum = checksum.sum();
    const std::string path = (folder_ / work.name).string(),
                      temporary = fmt::format("{}.{}.tmp", path, ::getpid());
    const auto open_it = [&] {
        return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    };
    int opened = open_it();
    if (opened < 0 && errno == ENOENT) {  // somebody has emptied the folder
        std::error_code ignored;
        fs::create_directories((folder_ / work.name).parent_path(), ignored);
        opened = open_it();
    }
    const Descriptor fd(opened);
    if (fd.get() < 0) return std::strerror(errno);
    ::flock(fd.get(), LOCK_EX | LOCK_NB);  // until it has its name: see remove_if_abandoned
    if (write_all(fd.get(), head.data(), head.size()) &&
        write_all(fd.get(), work.page->data(), page_bytes_) && write_all(fd.get(), &sum, sizeof sum) &&
        ::rename(temporary.c_str(), path.c_str()) == 0)
        return {};
    const std::string why = std::strerror(errno);
    ::unlink(temporary.c_str());
    return why;
}

}  // namespace sluice
