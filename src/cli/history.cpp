#include "cli/history.h"

#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include "sluice/error.h"

#include "cli/input.h"
#include "cli/output.h"

namespace sluice::cli {

namespace fs = std::filesystem;

namespace {

constexpr size_t most_entries = 1000;
constexpr size_t longest_entry = 16 << 10;

fs::path state_folder() {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/')
        return fs::path(state) / "sluice";
    if (const char* home = std::getenv("HOME"); home && *home == '/')
        return fs::path(home) / ".local/state/sluice";
    return {};
}

std::string as_line(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<std::string> parse_lines(const std::string& bytes) {
    std::vector<std::string> entries;
    for (size_t at = 0; at < bytes.size();) {
        const size_t end = std::min(bytes.find('\n', at), bytes.size());
        // A string and nothing else: nothing here can nest.
        const bool is_string = bytes[at] == '"';
        const auto json = is_string ? nlohmann::json::parse(bytes.begin() + ptrdiff_t(at),
                                                            bytes.begin() + ptrdiff_t(end), nullptr, false)
                                    : nlohmann::json();
        if (json.is_string()) entries.push_back(json.get<std::string>());
        at = end + 1;
    }
    return entries;
}

}  // namespace

History::History() {
    const fs::path folder = state_folder();
    std::error_code error;
    if (folder.empty()) return;
    fs::create_directories(folder, error);
    if (!error) path_ = folder / "history";
}

std::vector<std::string> History::load() {
    std::error_code ignored;
    if (path_.empty() || !fs::is_regular_file(path_, ignored)) return {};
    try {
        auto entries = parse_lines(read_all(path_.string()));
        if (entries.size() <= most_entries) return entries;
        entries.erase(entries.begin(), entries.end() - ptrdiff_t(most_entries / 2));
        OutputFile file(path_.string(), OutputFile::Access::owner_only);
        for (const auto& e : entries) file.write(as_line(e));
        file.commit();
        return entries;
    } catch (const Error&) {
        return {};
    }
}

void History::add(const std::string& text) noexcept {
    if (path_.empty() || text.empty() || text.front() == ' ' || text.size() > longest_entry) return;
    try {
        const std::string line = as_line(text);
        const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) return;
        // One write, so that lines of two chats do not mix.
        [[maybe_unused]] const ssize_t n = ::write(fd, line.data(), line.size());
        ::close(fd);
    } catch (const std::exception&) {
    }
}

}  // namespace sluice::cli
