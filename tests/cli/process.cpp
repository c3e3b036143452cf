#include "process.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace sluice::test {

namespace {

using Clock = std::chrono::steady_clock;

/// NULL-terminated pointers into strings that the caller keeps.
std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> p;
    for (auto& t : texts) p.push_back(t.data());
    p.push_back(nullptr);
    return p;
}

/// What programs under test remember must not end up in the cache of who runs the tests.
const std::string& cache_folder() {
    static const TemporaryFolder folder;
    return folder.path();
}

std::vector<std::string> merged_environment(Environment added) {
    std::vector<std::string> all;
    added.try_emplace("XDG_CACHE_HOME", cache_folder());
    for (char** e = environ; *e; ++e) {
        const std::string entry = *e;
        if (!added.contains(entry.substr(0, entry.find('=')))) all.push_back(entry);
    }
    for (const auto& [name, value] : added) all.push_back(name + "=" + value);
    return all;
}

pid_t spawn(const Arguments& arguments, const Environment& environment, posix_spawn_file_actions_t& actions,
            short flags, const std::string& program = SLUICE_BINARY) {
    std::vector<std::string> words = {program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    auto variables = merged_environment(environment);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int s : {SIGINT, SIGPIPE, SIGHUP, SIGTERM}) sigaddset(&defaults, s);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, short(POSIX_SPAWN_SETSIGDEF | flags));
    pid_t pid = -1;
    const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, pointers(words).data(),
                                  pointers(variables).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error) throw std::runtime_error("cannot start " + program);
    return pid;
}

int status_of(int raw) {
    return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

/// Waits; kills the child when time runs out.
int reap(pid_t& pid, Clock::time_point until) {
    int raw = 0;
    while (waitpid(pid, &raw, WNOHANG) == 0) {
        if (Clock::now() > until) kill(pid, SIGKILL);
        std::this_thread::sleep_for(2ms);
    }
    pid = -1;
    return status_of(raw);
}

void end(pid_t& pid) {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pid = -1;
}

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n <= 0) return;  // the child may have left
        text.remove_prefix(size_t(n));
    }
}

}  // namespace

Process::Process(const Arguments& arguments, const Environment& environment, const std::string& program) {
    std::signal(SIGPIPE, SIG_IGN);
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    pid_ = spawn(arguments, environment, actions, 0, program);
    for (const int fd : {in[0], out[1], err[1]}) close(fd);
    in_ = in[1], out_ = out[0], err_ = err[0];
}

Process::~Process() {
    end(pid_);
    for (const int fd : {in_, out_, err_})
        if (fd >= 0) close(fd);
}

void Process::write(const std::string& text) {
    write_all(in_, text);
}
void Process::close_input() {
    if (in_ >= 0) close(in_);
    in_ = -1;
}
void Process::close_output() {
    if (out_ >= 0) close(out_);
    out_ = -1;
}
void Process::signal(int number) {
    kill(pid_, number);
}

/// False when both streams have ended or nothing came in time.
bool Process::read_some(std::chrono::milliseconds limit) {
    pollfd fds[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
    if (out_ < 0 && err_ < 0) return false;
    if (poll(fds, 2, int(limit.count())) <= 0) return false;
    for (int i = 0; i < 2; ++i) {
        if (!fds[i].revents) continue;
        char block[65536];
        const ssize_t n = read(fds[i].fd, block, sizeof block);
        int& fd = i ? err_ : out_;
        if (n > 0)
            (i ? result_.err : result_.out).append(block, size_t(n));
        else
            close(fd), fd = -1;
    }
    return true;
}

bool Process::wait_for(const std::string& text, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    for (;;) {
        if (result_.out.find(text) != std::string::npos || result_.err.find(text) != std::string::npos)
            return true;
        if (Clock::now() > until || (out_ < 0 && err_ < 0)) return false;
        read_some(50ms);
    }
}

Finished Process::finish(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    close_input();
    while ((out_ >= 0 || err_ >= 0) && Clock::now() < until) read_some(50ms);
    result_.status = reap(pid_, until);
    return result_;
}

TerminalProcess::TerminalProcess(const Arguments& arguments, const Environment& environment) {
    int slave = -1;
    char name[256];
    winsize size{};
    size.ws_row = 40, size.ws_col = 80;
    if (openpty(&terminal_, &slave, name, nullptr, &size)) throw std::runtime_error("openpty");
    fcntl(terminal_, F_SETFD, FD_CLOEXEC);
    // A session of its own: the terminal it opens first becomes its controlling one, so that ^C signals it.
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawn_file_actions_addclose(&actions, slave);
    pid_ = spawn(arguments, environment, actions, POSIX_SPAWN_SETSID);
    close(slave);
}

TerminalProcess::~TerminalProcess() {
    end(pid_);
    close(terminal_);
}

void TerminalProcess::type(const std::string& keys) {
    write_all(terminal_, keys);
}

bool TerminalProcess::read_some(std::chrono::milliseconds limit) {
    pollfd fd{terminal_, POLLIN, 0};
    if (poll(&fd, 1, int(limit.count())) <= 0) return false;
    char block[65536];
    const ssize_t n = read(terminal_, block, sizeof block);
    if (n <= 0) return false;
    shown_.append(block, size_t(n));
    return true;
}

bool TerminalProcess::wait_for(const std::string& text, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    for (;;) {
        if (const size_t at = shown_.find(text, found_); at != std::string::npos) {
            found_ = at + text.size();
            return true;
        }
        if (Clock::now() > until) return false;
        read_some(50ms);
    }
}

int TerminalProcess::finish(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    int raw = 0;
    while (waitpid(pid_, &raw, WNOHANG) == 0) {
        if (Clock::now() > until) kill(pid_, SIGKILL);
        read_some(10ms);
    }
    while (read_some(0ms)) {
    }
    pid_ = -1;
    return status_of(raw);
}

Finished sluice(const Arguments& arguments, const std::string& input, const Environment& environment) {
    Process process(arguments, environment);
    process.write(input);  // inputs of tests fit a pipe
    return process.finish();
}

TemporaryFolder::TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
}
TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + path);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return bytes.str();
}

void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace sluice::test
