#include "format/gguf.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/sizes.h"
#include "format/gguf_reader.h"

namespace sluice {

namespace {

/// A regular file, read at offsets.
class FileBytes : public ByteSource {
  public:
    explicit FileBytes(const std::filesystem::path& path)
        : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
        if (fd_ < 0) fail(ErrorCode::io, "cannot open {}: {}", path_.string(), std::strerror(errno));
        struct stat st;
        const bool known = ::fstat(fd_, &st) == 0;
        if (!known || !S_ISREG(st.st_mode)) {
            ::close(fd_);
            fail(ErrorCode::invalid_file, "{}: expected a GGUF file, found {}", path_.string(),
                 known && S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
        }
        size_ = uint64_t(st.st_size);
    }
    ~FileBytes() override { ::close(fd_); }
    FileBytes(const FileBytes&) = delete;
    FileBytes& operator=(const FileBytes&) = delete;

    uint64_t size() const override { return size_; }
    void read(uint64_t offset, std::span<std::byte> out) override {
        while (!out.empty()) {
            const ssize_t n = ::pread(fd_, out.data(), out.size(), off_t(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0)
                fail(ErrorCode::io, "reading {} at byte {} failed: {}", path_.string(), offset,
                     n < 0 ? std::strerror(errno) : "the file was cut");
            out = out.subspan(size_t(n));
            offset += uint64_t(n);
        }
    }

  private:
    std::filesystem::path path_;
    int fd_;
    uint64_t size_ = 0;
};

uint32_t read_version(GgufReader& in) {
    if (in.remaining() < 4)
        in.fail_here(fmt::format("expected a GGUF file, found only {} bytes", in.remaining()));
    char magic[4];
    for (char& c : magic) c = in.number<char>("the magic");
    if (std::memcmp(magic, "GGUF", 4) != 0)
        in.fail_here(
            fmt::format("expected the magic \"GGUF\" at byte 0, found \"{}\"; this is not a GGUF file",
                        printable({magic, 4})));
    const uint32_t version = in.number<uint32_t>("the version");
    if (version == 2 || version == 3) return version;
    if (__builtin_bswap32(version) <= 3)
        in.fail_here("expected a little-endian GGUF file, found a big-endian one; convert it");
    in.fail_here(fmt::format("expected GGUF version 2 or 3, found {}{}", version,
                             version == 1 ? "; convert the model again" : ""));
}

uint64_t read_alignment(const GgufReader& in, const GgufMetadata& metadata) {
    const uint64_t a = metadata.get_uint("general.alignment", 32);
    if (a < 1 || a > (1u << 20) || (a & (a - 1)))
        in.fail_here(
            fmt::format("expected general.alignment to be a power of two up to 1048576, found {}", a));
    return a;
}

/// One entry of the tensor directory; offset is still relative to the data.
GgufTensor read_tensor(GgufReader& in) {
    GgufTensor t;
    t.name = in.string("a tensor's name", 1024);
    if (t.name.empty())
        in.fail_here(
            fmt::format("expected a tensor's name before byte {}, found an empty one", in.position()));
    const std::string name = printable(t.name);
    t.n_dims = in.number<uint32_t>("a tensor's number of dimensions");
    if (t.n_dims < 1 || t.n_dims > 4)
        in.fail_here(fmt::format("expected tensor {} to have 1 to 4 dimensions, found {}", name, t.n_dims));
    std::optional<uint64_t> weights = 1;
    for (uint32_t i = 0; i < t.n_dims; ++i) {
        t.shape[i] = in.number<uint64_t>("a tensor's dimension");
        if (t.shape[i] == 0 || t.shape[i] >= (1ull << 32))
            in.fail_here(fmt::format("expected the dimensions of tensor {} between 1 and 2^32 - 1, found {}",
                                     name, t.shape[i]));
        if (weights) weights = checked_mul(*weights, t.shape[i]);
    }
    const uint32_t id = in.number<uint32_t>("a tensor's type");
    const TensorTypeInfo* type = find_tensor_type(id);
    if (!type)
        in.fail_here(fmt::format(
            "tensor {} has the type {}, which Sluice does not know; a newer quantisation or a damaged file",
            name, id));
    t.type = type->type;
    const auto row = row_bytes(t.type, t.shape[0]);
    if (!row)
        in.fail_here(
            fmt::format("expected the rows of tensor {} to be whole {} blocks of {}, found {} weights", name,
                        type->name, type->block_weights, t.shape[0]));
    const auto bytes = weights ? checked_mul(*weights / t.shape[0], *row) : std::nullopt;
    if (!bytes || *bytes > uint64_t(INT64_MAX))
        in.fail_here(fmt::format("expected tensor {} to have a size that fits 63 bits, found {}", name,
                                 t.shape_text()));
    t.n_bytes = *bytes;
    t.offset = in.number<uint64_t>("a tensor's offset");
    return t;
}

/// Makes offsets absolute and checks that every tensor lies in the file, apart from the others.
void place_tensors(const GgufReader& in, std::vector<GgufTensor>& tensors, const GgufShard& shard) {
    for (GgufTensor& t : tensors) {
        const std::string name = printable(t.name);
        if (t.offset % shard.alignment)
            in.fail_here(fmt::format("expected the offset of tensor {} to be a multiple of {}, found {}",
                                     name, shard.alignment, t.offset));
        const auto begin = checked_add(shard.data_offset, t.offset);
        const auto end = begin ? checked_add(*begin, t.n_bytes) : std::nullopt;
        if (!end || *end > shard.file_bytes)
            in.fail_here(
                fmt::format("expected tensor {} to end within the file's {} bytes, found offset {} and {} "
                            "bytes; the file is cut off or damaged",
                            name, shard.file_bytes, t.offset, t.n_bytes));
        t.offset = *begin;
    }
    std::vector<const GgufTensor*> order;
    for (const auto& t : tensors) order.push_back(&t);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
    for (size_t i = 1; i < order.size(); ++i)
        if (order[i - 1]->offset + order[i - 1]->n_bytes > order[i]->offset)
            in.fail_here(fmt::format("expected tensors that do not overlap, found {} reaching into {}",
                                     printable(order[i - 1]->name), printable(order[i]->name)));
}

}  // namespace

std::string GgufTensor::shape_text() const {
    std::string s;
    for (uint32_t i = 0; i < n_dims; ++i) s += fmt::format("{}{}", i ? " x " : "", shape[i]);
    return s;
}

GgufFile GgufFile::parse(ByteSource& bytes, const std::filesystem::path& path) {
    GgufReader in(bytes, path.filename().string());
    GgufFile file;
    file.version_ = read_version(in);
    file.metadata_.source = in.name();
    const uint64_t n_tensors = in.number<uint64_t>("the number of tensors");
    const uint64_t n_values = in.number<uint64_t>("the number of metadata values");
    constexpr uint64_t least_value = 8 + 4 + 1, least_tensor = 8 + 1 + 4 + 8 + 4 + 8;
    if (n_values > in.remaining() / least_value || n_tensors > in.remaining() / least_tensor)
        in.fail_here(
            fmt::format("expected room for {} metadata values and {} tensors, found {} bytes; the counts are "
                        "wrong or the file is cut off",
                        n_values, n_tensors, in.remaining()));
    for (uint64_t i = 0; i < n_values; ++i) {
        std::string key = in.string("a metadata key", 65535);
        if (key.empty())
            in.fail_here(
                fmt::format("expected a metadata key before byte {}, found an empty one", in.position()));
        const uint32_t type = in.number<uint32_t>("a metadata type");
        file.metadata_.add(printable(key).size() == key.size() ? key : printable(key), in.value(type));
    }
    GgufShard shard{path, bytes.size(), 0, read_alignment(in, file.metadata_)};
    for (uint64_t i = 0; i < n_tensors; ++i) {
        file.tensors_.push_back(read_tensor(in));
        if (!file.index_.emplace(file.tensors_.back().name, i).second)
            in.fail_here(fmt::format("expected each tensor once, found {} twice",
                                     printable(file.tensors_.back().name)));
    }
    shard.data_offset = *checked_align(in.position(), shard.alignment);
    place_tensors(in, file.tensors_, shard);
    file.shards_.push_back(std::move(shard));
    return file;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
    const auto it = index_.find(std::string(name));
    return it == index_.end() ? nullptr : &tensors_[it->second];
}

uint64_t GgufFile::total_bytes() const {
    uint64_t sum = 0;
    for (const auto& s : shards_) sum += s.file_bytes;
    return sum;
}

namespace {

GgufFile open_one(const std::filesystem::path& path) {
    FileBytes bytes(path);
    return GgufFile::parse(bytes, path);
}

/// PREFIX-00002-of-00005.gguf
struct SplitName {
    std::string prefix;
    uint32_t number = 0, count = 0;
    std::string shard(uint32_t n) const { return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, n, count); }
};

std::optional<SplitName> parse_split_name(const std::string& name) {
    constexpr size_t tail = 20;  // -00001-of-00005.gguf
    if (name.size() <= tail) return {};
    const std::string t = name.substr(name.size() - tail);
    if (t[0] != '-' || t.substr(6, 4) != "-of-" || t.substr(15) != ".gguf") return {};
    const auto digits = [](const std::string& s) {
        return std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    if (!digits(t.substr(1, 5)) || !digits(t.substr(10, 5))) return {};
    return SplitName{name.substr(0, name.size() - tail), uint32_t(std::stoul(t.substr(1, 5))),
                     uint32_t(std::stoul(t.substr(10, 5)))};
}

/// Checks that a shard belongs to the set: its own number, the set's count, the same model.
void check_member(const GgufFile& shard, const GgufFile& first, uint64_t number, uint64_t count) {
    const GgufMetadata& m = shard.metadata();
    const uint64_t says_count = m.get_uint("split.count", 0),
                   says_number = m.get_uint("split.no", UINT64_MAX);
    if (says_count != count)
        fail(ErrorCode::invalid_file,
             "{}: expected a shard of a set of {}, found one that says split.count {}; it is foreign to this "
             "set",
             m.source, count, says_count);
    if (says_number != number)
        fail(ErrorCode::invalid_file,
             "{}: expected shard number {} of {}, found split.no {}: a shard is doubled or renamed", m.source,
             number + 1, count, says_number);
    for (const char* key : {"general.architecture", "general.name"})
        if (m.has(key) && first.metadata().has(key) && m.get_string(key) != first.metadata().get_string(key))
            fail(
                ErrorCode::invalid_file,
                "{}: expected {} to be \"{}\" as in the first shard, found \"{}\"; it is foreign to this set",
                m.source, key, printable(first.metadata().get_string(key)), printable(m.get_string(key)));
}

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
    GgufFile set = open_one(path);
    const uint64_t count = set.metadata_.get_uint("split.count", 0);
    const auto name = parse_split_name(path.filename().string());
    if (count <= 1 && (!name || name->count <= 1)) return set;
    if (count > 1 && !name)
        fail(ErrorCode::invalid_file,
             "{}: expected a name that ends in -00001-of-{:05}.gguf, because it is one of {} shards; give it "
             "its name back",
             set.metadata_.source, count, count);
    if (name->number != 1)
        fail(ErrorCode::invalid_argument, "{} is shard {} of {}; open the first one, {}",
             set.metadata_.source, name->number, name->count, name->shard(1));
    if (count != name->count)
        fail(ErrorCode::invalid_file, "{}: expected split.count {} as its name says, found {}",
             set.metadata_.source, name->count, count);
    check_member(set, set, 0, count);
    for (uint32_t i = 1; i < count; ++i) {
        const auto shard_path = path.parent_path() / name->shard(i + 1);
        if (!std::filesystem::exists(shard_path))
            fail(ErrorCode::invalid_file,
                 "{}: expected {} shards, and {} is missing; put it beside the first one",
                 set.metadata_.source, count, shard_path.filename().string());
        GgufFile shard = open_one(shard_path);
        check_member(shard, set, i, count);
        for (GgufTensor& t : shard.tensors_) {
            t.shard = i;
            if (!set.index_.emplace(t.name, set.tensors_.size()).second)
                fail(ErrorCode::invalid_file,
                     "{}: expected each tensor in one shard, found {} in {} too; a shard is doubled",
                     shard.metadata_.source, printable(t.name),
                     set.shards_[set.find(t.name)->shard].path.filename().string());
            set.tensors_.push_back(std::move(t));
        }
        set.shards_.push_back(std::move(shard.shards_.front()));
    }
    const uint64_t expected = set.metadata_.get_uint("split.tensors.count", set.tensors_.size());
    if (expected != set.tensors_.size())
        fail(ErrorCode::invalid_file, "{}: expected {} tensors in all shards, found {}", set.metadata_.source,
             expected, set.tensors_.size());
    return set;
}

}  // namespace sluice
