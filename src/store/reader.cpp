#include "store/reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/descriptor.h"
#include "core/fail.h"
#include "core/memory.h"
#include "store/pread_reader.h"
#include "store/uring_reader.h"

namespace sluice {

namespace {

struct IoName {
    IoMode mode;
    std::string_view name;
};
constexpr IoName io_names[] = {{IoMode::automatic, "auto"},
                               {IoMode::uring, "uring"},
                               {IoMode::pread, "pread"},
                               {IoMode::buffered, "buffered"},
                               {IoMode::mmap, "mmap"}};

/// File systems that take O_DIRECT and buffer all the same, or pass it on to who knows what.
struct SilentlyBuffered {
    long magic;
    std::string_view name;
};
constexpr SilentlyBuffered silently_buffered[] = {
    {0x01021994, "tmpfs"}, {0x858458f6, "ramfs"}, {0x794c7630, "overlay"}, {0x65735546, "FUSE"}};

/// The least alignment of a direct read that works and gives the same bytes as a buffered one; 0 and a reason
/// if none does.
uint64_t verified_alignment(const std::filesystem::path& path, std::string& reason) {
    const Descriptor direct(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT)),
        plain(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (plain.get() < 0) fail(ErrorCode::io, "cannot open {}: {}", path.string(), std::strerror(errno));
    if (direct.get() < 0) {
        reason = "the file system refuses direct reads";
        return 0;
    }
    uint64_t least = 512;
#if defined(STATX_DIOALIGN)
    struct statx st;
    if (::statx(direct.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
        (st.stx_mask & STATX_DIOALIGN) && st.stx_dio_offset_align)
        least = std::max<uint64_t>(st.stx_dio_offset_align, st.stx_dio_mem_align);
#endif
    const Memory a(64 << 10), b(64 << 10);
    for (uint64_t alignment = least; alignment <= 4096; alignment *= 2) {
        const ssize_t n = ::pread(direct.get(), a.data(), alignment, 0);
        if (n < 0 && errno == EINVAL) continue;
        const ssize_t m = ::pread(plain.get(), b.data(), alignment, 0);
        if (n > 0 && n == m && std::memcmp(a.data(), b.data(), size_t(n)) == 0)
            return std::max<uint64_t>(alignment, 4096);
        break;
    }
    reason = "a direct read did not give the file's bytes";
    return 0;
}

bool ring_works(std::string& reason) {
    io_uring ring;
    const int rc = io_uring_queue_init(2, &ring, 0);
    if (rc == 0)
        io_uring_queue_exit(&ring);
    else
        reason = fmt::format("the kernel refuses io_uring ({})", std::strerror(-rc));
    return rc == 0;
}

}  // namespace

std::string_view to_string(IoMode mode) {
    return io_names[size_t(mode)].name;
}

IoMode parse_io_mode(std::string_view text) {
    for (const auto& n : io_names)
        if (n.name == text) return n.mode;
    fail(ErrorCode::invalid_argument,
         "expected --io to be auto, uring, pread, buffered or mmap, found \"{}\"", text);
}

IoProbe probe_io(const std::filesystem::path& file) {
    IoProbe p;
    struct statfs fs;
    if (::statfs(file.c_str(), &fs) == 0)
        for (const auto& s : silently_buffered)
            if (long(fs.f_type) == s.magic) {
                p.reason = fmt::format("{} buffers direct reads silently", s.name);
                p.alignment = 1;
                return p;
            }
    const uint64_t alignment = verified_alignment(file, p.reason);
    if (alignment == 0) {
        p.alignment = 1;
        return p;
    }
    p.alignment = alignment;
    p.mode = ring_works(p.reason) ? IoMode::uring : IoMode::pread;
    return p;
}

std::unique_ptr<Reader> make_reader(const std::vector<std::filesystem::path>& files, const ReaderOptions& o,
                                    ReadDone done) {
    IoProbe found;  // the least that all files allow
    found.mode = IoMode::uring;
    for (const auto& f : files) {
        const IoProbe p = probe_io(f);
        const auto rank = [](IoMode m) { return m == IoMode::uring ? 2 : m == IoMode::pread ? 1 : 0; };
        if (rank(p.mode) < rank(found.mode)) found.mode = p.mode, found.reason = p.reason;
        found.alignment = std::max(found.alignment, p.alignment);
    }
    const IoMode mode = o.mode == IoMode::automatic ? found.mode : o.mode;
    const bool direct = mode == IoMode::uring || mode == IoMode::pread;
    if (direct && found.mode == IoMode::buffered)
        fail(ErrorCode::invalid_argument, "--io {} needs direct reads: {}; use --io buffered",
             to_string(mode), found.reason);
    std::vector<DirectFile> opened;
    for (const auto& f : files) opened.emplace_back(f, direct);
    const uint64_t block = o.block_bytes ? o.block_bytes : 1 << 20;
    const uint64_t alignment = direct ? found.alignment : 1;
    if (mode == IoMode::uring)
        return std::make_unique<UringReader>(std::move(opened), o.depth ? o.depth : 32, block, alignment,
                                             o.arena, std::move(done));
    const uint32_t threads = o.depth ? o.depth : 16;
    std::string description =
        fmt::format("{}, {} threads", direct ? "pread, direct" : "pread through the page cache", threads);
    if (o.mode == IoMode::automatic && !found.reason.empty())
        description += fmt::format(" ({})", found.reason);
    return std::make_unique<PreadReader>(std::move(opened), threads, block, alignment, std::move(description),
                                         std::move(done));
}

}  // namespace sluice
