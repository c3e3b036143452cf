#include "cli/input.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "core/fail.h"

namespace sluice::cli {

namespace {

/// read(2) that goes on after signals, unless one of them asks to stop: then the input ends (0).
ssize_t read_some(int fd, char* to, size_t size) {
    for (;;) {
        const ssize_t n = ::read(fd, to, size);
        if (n >= 0 || errno != EINTR) return n;
        if (interrupted()) return 0;
    }
}

struct Descriptor {
    int fd;
    ~Descriptor() {
        if (fd > STDERR_FILENO) ::close(fd);
    }
};

}  // namespace

std::string source_name(const std::string& path) {
    return path == "-" ? "standard input" : path;
}

std::string read_all(const std::string& path) {
    const Descriptor file{path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0) fail(ErrorCode::io, "could not open {}: {}", path, std::strerror(errno));
    std::string bytes;
    std::string block(1 << 16, '\0');
    for (;;) {
        const ssize_t n = read_some(file.fd, block.data(), block.size());
        if (n < 0) fail(ErrorCode::io, "could not read {}: {}", source_name(path), std::strerror(errno));
        check_interrupt();
        if (n == 0) return bytes;
        bytes.append(block.data(), size_t(n));
        if (bytes.size() > max_input_bytes)
            fail(ErrorCode::invalid_argument, "expected {} to hold at most {} MiB, found more",
                 source_name(path), max_input_bytes >> 20);
    }
}

nlohmann::ordered_json parse_json(const std::string& text, const std::string& source) {
    constexpr int deepest = 100;
    const auto limit_depth = [&](int depth, nlohmann::ordered_json::parse_event_t, nlohmann::ordered_json&) {
        if (depth > deepest)
            fail(ErrorCode::invalid_argument, "expected JSON nested at most {} deep in {}, found more",
                 deepest, source_name(source));
        return true;
    };
    try {
        return nlohmann::ordered_json::parse(text, limit_depth);
    } catch (const nlohmann::ordered_json::exception& e) {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: …": people need what follows the
        // tag
        const std::string_view words = e.what();
        const size_t tag = words.find("] ");
        fail(ErrorCode::invalid_argument, "expected JSON in {}, found: {}", source_name(source),
             tag == std::string_view::npos ? words : words.substr(tag + 2));
    }
}

bool InputLines::fill() {
    std::string block(1 << 14, '\0');
    const ssize_t n = read_some(STDIN_FILENO, block.data(), block.size());
    if (n < 0) fail(ErrorCode::io, "could not read standard input: {}", std::strerror(errno));
    if (n == 0) return false;
    held_.append(block.data(), size_t(n));
    return true;
}

std::optional<std::string> InputLines::next() {
    for (;;) {
        if (const size_t end = held_.find('\n', searched_); end != std::string::npos) {
            std::string line = held_.substr(0, end);
            held_.erase(0, end + 1);
            searched_ = 0;
            return line;
        }
        searched_ = held_.size();
        if (held_.size() > max_input_bytes)
            fail(ErrorCode::invalid_argument,
                 "expected lines of at most {} MiB on standard input, found more", max_input_bytes >> 20);
        if (at_end_ || !fill()) {
            at_end_ = true;
            if (held_.empty()) return {};
            searched_ = 0;
            return std::exchange(held_, {});
        }
    }
}

}  // namespace sluice::cli
