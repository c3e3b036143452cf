#include "store/uring_reader.h"

#include <cerrno>
#include <cstring>

#include <sys/eventfd.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/sizes.h"

namespace sluice {

namespace {
constexpr uint64_t wakeup_tag = UINT64_MAX;
}

UringReader::UringReader(std::vector<DirectFile> files, uint32_t depth, uint64_t block_bytes,
                         uint64_t alignment, std::span<std::byte> arena, ReadDone done)
    : files_(std::move(files)),
      depth_(depth),
      alignment_(alignment),
      arena_(arena),
      queue_(block_bytes, std::move(done)),
      flights_(depth) {
    const int rc = io_uring_queue_init(depth + 1, &ring_, 0);
    if (rc < 0) fail(ErrorCode::io, "the kernel refuses io_uring: {}; use --io pread", std::strerror(-rc));
    wakeup_ = ::eventfd(0, EFD_CLOEXEC);
    std::vector<int> fds;
    for (const auto& f : files_) fds.push_back(f.fd());
    if (wakeup_ < 0 || io_uring_register_files(&ring_, fds.data(), unsigned(fds.size())) < 0) {
        const int error = errno;
        io_uring_queue_exit(&ring_);
        if (wakeup_ >= 0) ::close(wakeup_);
        fail(ErrorCode::io, "setting up io_uring failed: {}; use --io pread", std::strerror(error));
    }
    register_arena();
    description_ =
        fmt::format("io_uring, direct, {} blocks of {} in flight{}", depth, human_bytes(block_bytes),
                    arena.empty() ? ""
                    : registered_ ? ", registered buffers"
                                  : ", buffers not registered (memory lock limit)");
    for (uint32_t i = 0; i < depth; ++i) free_.push_back(i);
    thread_ = std::thread([this] { run(); });
}

UringReader::~UringReader() {
    queue_.stop();
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wakeup_, &one, sizeof one);
    thread_.join();
    io_uring_queue_exit(&ring_);
    ::close(wakeup_);
}

/// The kernel takes at most 1 GiB in one registered buffer.
void UringReader::register_arena() {
    if (arena_.empty()) return;
    constexpr uint64_t largest = 1ull << 30;
    std::vector<iovec> parts;
    for (uint64_t at = 0; at < arena_.size(); at += largest)
        parts.push_back({arena_.data() + at, std::min(largest, arena_.size() - at)});
    registered_ = io_uring_register_buffers(&ring_, parts.data(), unsigned(parts.size())) == 0;
}

void UringReader::submit(std::span<const ReadRequest> requests) {
    queue_.push(requests);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wakeup_, &one, sizeof one);
}

void UringReader::watch_wakeups() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_read(sqe, wakeup_, &wakeup_count_, sizeof wakeup_count_, 0);
    io_uring_sqe_set_data64(sqe, wakeup_tag);
}

void UringReader::start(uint32_t flight) {
    const Flight& f = flights_[flight];
    std::byte* to = f.block.dst.data() + f.done;
    const unsigned n = unsigned(f.block.dst.size() - f.done);
    const uint64_t from = f.block.offset + f.done;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    constexpr uint64_t largest = 1ull << 30;
    const uint64_t at = uint64_t(to - arena_.data());
    if (registered_ && to >= arena_.data() && at + n <= arena_.size() &&
        at / largest == (at + n - 1) / largest)
        io_uring_prep_read_fixed(sqe, int(f.block.file), to, n, from, int(at / largest));
    else
        io_uring_prep_read(sqe, int(f.block.file), to, n, from);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, flight);
}

void UringReader::complete(uint32_t flight, int result) {
    Flight& f = flights_[flight];
    if (result == -EINTR || result == -EAGAIN) {
        start(flight);
        return;
    }
    if (result > 0) {
        f.done += uint64_t(result);
        if (f.done < f.block.dst.size() &&
            f.done % alignment_ == 0) {  // short, and not at the end of the file
            start(flight);
            return;
        }
    }
    queue_.finish(f.block, result < 0 ? -result : 0, f.done);
    free_.push_back(flight);
}

void UringReader::run() {
    watch_wakeups();
    for (;;) {
        while (!free_.empty()) {
            const auto block = queue_.try_pop();
            if (!block) break;
            const uint32_t flight = free_.back();
            free_.pop_back();
            flights_[flight] = {*block, 0};
            start(flight);
        }
        if (free_.size() == depth_ && queue_.stopped()) return;
        io_uring_submit_and_wait(&ring_, 1);
        io_uring_cqe* cqe;
        while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
            const uint64_t tag = io_uring_cqe_get_data64(cqe);
            const int result = cqe->res;
            io_uring_cqe_seen(&ring_, cqe);
            if (tag == wakeup_tag)
                watch_wakeups();
            else
                complete(uint32_t(tag), result);
        }
    }
}

}  // namespace sluice
