#include "store/usage.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/descriptor.h"

namespace sluice {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view magic = "SLUICEUS";
constexpr uint32_t version = 1;
constexpr size_t header_bytes = 8 + 3 * 4 + 8, checksum_bytes = 8;

/// FNV-1a, 64 bits: against accidents, not against malice.
uint64_t fnv1a(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325) {
    for (const char c : bytes) hash = (hash ^ uint8_t(c)) * 0x100000001b3;
    return hash;
}

template <typename T>
void put(std::string& out, T value) {
    for (size_t i = 0; i < sizeof(T); ++i) out += char(uint8_t(uint64_t(value) >> (8 * i)));
}

template <typename T>
T get(std::string_view bytes, size_t& at) {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= uint64_t(uint8_t(bytes[at++])) << (8 * i);
    return T(value);
}

/// At most `most` bytes of what is left.
std::string read_up_to(int fd, size_t most) {
    std::string bytes(most, '\0');
    size_t done = 0;
    while (done < most) {
        const ssize_t n = ::read(fd, bytes.data() + done, most - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += size_t(n);
    }
    bytes.resize(done);
    return bytes;
}

constexpr std::string_view temporary_end = ".tmp";

}  // namespace

bool UsageCounts::empty() const {
    return std::all_of(counts_.begin(), counts_.end(), [](uint32_t c) { return c == 0; });
}

void UsageCounts::add(const UsageCounts& newer) {
    for (size_t i = 0; i < counts_.size(); ++i)
        counts_[i] = uint32_t(std::min<uint64_t>(UINT32_MAX, uint64_t(counts_[i]) + newer.counts_[i]));
    const auto too_many = [&] {
        const uint64_t sum = std::accumulate(counts_.begin(), counts_.end(), uint64_t(0));
        const uint32_t largest = counts_.empty() ? 0 : *std::max_element(counts_.begin(), counts_.end());
        return sum > uint64_t(most_mean) * counts_.size() || largest > UINT16_MAX;
    };
    while (too_many())
        for (auto& c : counts_) c /= 2;
}

uint64_t model_fingerprint(const GgufFile& file) {
    std::string text = file.metadata().get_string("general.name", "");
    put(text, file.total_bytes());
    put(text, uint64_t(file.tensors().size()));
    uint64_t hash = fnv1a(text);
    for (const GgufTensor& t : file.tensors()) {
        std::string entry = t.name;
        put(entry, uint8_t(0));  // ends the name
        put(entry, uint32_t(t.type));
        for (const uint64_t n : t.shape) put(entry, n);
        hash = fnv1a(entry, hash);
    }
    return hash;
}

fs::path default_usage_folder() {
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/')
        return fs::path(cache) / "sluice/usage";
    if (const char* home = std::getenv("HOME"); home && *home == '/')
        return fs::path(home) / ".cache/sluice/usage";
    return {};
}

UsageFile::UsageFile(const fs::path& folder, uint64_t fingerprint, uint32_t n_layers, uint32_t n_experts)
    : path_(folder / fmt::format("{:016x}", fingerprint)),
      fingerprint_(fingerprint),
      n_layers_(n_layers),
      n_experts_(n_experts) {}

std::string UsageFile::encode(const UsageCounts& counts) const {
    std::string bytes(magic);
    put(bytes, version);
    put(bytes, n_layers_);
    put(bytes, n_experts_);
    put(bytes, fingerprint_);
    for (const uint32_t c : counts.counts_) put(bytes, uint16_t(std::min<uint32_t>(c, UINT16_MAX)));
    put(bytes, fnv1a(bytes));
    return bytes;
}

std::optional<UsageCounts> UsageFile::decode(const std::string& bytes, std::string& problem) const {
    UsageCounts counts(n_layers_, n_experts_);
    const size_t expected = header_bytes + 2 * counts.counts_.size() + checksum_bytes;
    const auto refuse = [&](std::string why) {
        problem = std::move(why);
        return std::nullopt;
    };
    if (bytes.size() < header_bytes + checksum_bytes || !bytes.starts_with(magic))
        return refuse("it is no usage file of Sluice");
    size_t at = magic.size();
    if (const auto v = get<uint32_t>(bytes, at); v != version)
        return refuse(fmt::format("expected version {}, found {}", version, v));
    const auto layers = get<uint32_t>(bytes, at), experts = get<uint32_t>(bytes, at);
    if (get<uint64_t>(bytes, at) != fingerprint_ || layers != n_layers_ || experts != n_experts_)
        return refuse("it belongs to another model");
    if (bytes.size() != expected)
        return refuse(fmt::format("expected {} bytes, found {}", expected, bytes.size()));
    for (auto& c : counts.counts_) c = get<uint16_t>(bytes, at);
    if (get<uint64_t>(bytes, at) != fnv1a({bytes.data(), expected - checksum_bytes}))
        return refuse("its checksum does not fit");
    return counts;
}

UsageFile::Loaded UsageFile::load() const {
    Loaded loaded;
    // Not blocking: a pipe in its place must not stop the start.
    const Descriptor fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            loaded.problem = fmt::format("cannot read {}: {}", path_.string(), std::strerror(errno));
        return loaded;
    }
    struct stat status {};
    std::string why;
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        why = "it is no file";
    } else {
        const size_t most = header_bytes + 2ull * n_layers_ * n_experts_ + checksum_bytes + 1;
        loaded.counts = decode(read_up_to(fd.get(), most), why);
    }
    if (!loaded.counts) loaded.problem = fmt::format("{} is not used: {}", path_.string(), why);
    return loaded;
}

std::string UsageFile::prepare_folder() const {
    std::error_code error;
    const fs::path folder = path_.parent_path();
    fs::create_directories(folder, error);
    if (error) return fmt::format("cannot make {}: {}", folder.string(), error.message());
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        return fmt::format("cannot write in {}: {}", folder.string(), std::strerror(errno));
    return {};
}

std::string UsageFile::save(const UsageCounts& counts) const {
    if (std::string problem = prepare_folder(); !problem.empty()) return problem;
    remove_old_temporaries();
    return write_and_rename(encode(counts));
}

std::string UsageFile::write_and_rename(const std::string& bytes) const {
    std::random_device random;
    const std::string temporary =
        fmt::format("{}.{:08x}{:08x}{}", path_.string(), random(), random(), temporary_end);
    const auto problem = [&](const char* doing) {
        const int error = errno;
        ::unlink(temporary.c_str());
        return fmt::format("cannot {} {}: {}", doing, path_.string(), std::strerror(error));
    };
    {
        const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (fd.get() < 0) return problem("make a file beside");
        if (!write_all(fd.get(), bytes.data(), bytes.size()) || ::fsync(fd.get()) != 0)
            return problem("write");
    }
    if (::rename(temporary.c_str(), path_.c_str()) != 0) return problem("replace");
    // The new name is safe once its folder is; where folders cannot be synced nothing is lost but the news.
    const Descriptor folder(::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() >= 0) ::fsync(folder.get());
    return {};
}

/// What a process left that died before its rename. Young ones may be another process at work.
void UsageFile::remove_old_temporaries() const {
    std::error_code error;
    const std::string begin = path_.filename().string() + ".";
    const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
    for (fs::directory_iterator i(path_.parent_path(), error), end; !error && i != end; i.increment(error)) {
        const std::string name = i->path().filename().string();
        if (!name.starts_with(begin) || !name.ends_with(temporary_end)) continue;
        std::error_code ignored;
        const auto written = fs::last_write_time(i->path(), ignored);
        if (!ignored && written < old) fs::remove(i->path(), ignored);
    }
}

}  // namespace sluice
