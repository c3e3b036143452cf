// Runs the real program for tests: with pipes or in a pseudo-terminal, and never longer than a test may wait.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace sluice::test {

using namespace std::chrono_literals;

using Arguments = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;  // added to ours

struct Finished {
    int status = -1;  // exit status; 128 + signal if a signal ended it
    std::string out, err;
};

/// A child whose three streams are pipes.
class Process {
  public:
    explicit Process(const Arguments& arguments, const Environment& environment = {},
                     const std::string& program = SLUICE_BINARY);
    ~Process();  // kills it if it still runs
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void write(const std::string& text);
    void close_input();
    void close_output();
    void signal(int number);
    pid_t pid() const { return pid_; }
    /// Reads until standard output and error contain the text together; false if the child ends or time runs
    /// out first.
    bool wait_for(const std::string& text, std::chrono::milliseconds limit = 20s);
    /// What standard error and output said so far.
    std::string shown() const { return result_.err + result_.out; }
    Finished finish(std::chrono::milliseconds limit = 60s);

  private:
    bool read_some(std::chrono::milliseconds limit);

    pid_t pid_ = -1;
    int in_ = -1, out_ = -1, err_ = -1;
    Finished result_;
};

/// A child whose streams are all one terminal, 80 columns wide; what it shows is in `out`.
class TerminalProcess {
  public:
    explicit TerminalProcess(const Arguments& arguments, const Environment& environment = {});
    ~TerminalProcess();
    TerminalProcess(const TerminalProcess&) = delete;
    TerminalProcess& operator=(const TerminalProcess&) = delete;

    void type(const std::string& keys);
    /// Waits for text that appears after what the last wait found.
    bool wait_for(const std::string& text, std::chrono::milliseconds limit = 20s);
    const std::string& shown() const { return shown_; }
    /// The exit status.
    int finish(std::chrono::milliseconds limit = 20s);

  private:
    bool read_some(std::chrono::milliseconds limit);

    pid_t pid_ = -1;
    int terminal_ = -1;
    std::string shown_;
    size_t found_ = 0;
};

/// sluice ARGUMENTS, with `input` piped in.
Finished sluice(const Arguments& arguments, const std::string& input = "",
                const Environment& environment = {});

/// A folder of its own for each test, removed at its end.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);
inline std::string rill() {
    return SLUICE_MODELS "/rill-q8_0.gguf";
}

}  // namespace sluice::test
