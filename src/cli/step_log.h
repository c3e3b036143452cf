// --stats-json: what each forward pass cost, a JSON object a line.
#pragma once

#include <optional>
#include <string>

#include "sluice/engine.h"

#include "cli/output.h"

namespace sluice::cli {

class StepLog {
  public:
    /// file: empty for none, - for standard output. The first line describes model and machine.
    StepLog(const std::string& file, const Engine& engine);
    /// The options of a session whose steps are written. The log must outlive it.
    SessionOptions observe(SessionOptions options);
    /// Writes the totals of prompt and answer, and the file to its place. Throws io (a full disk).
    void commit(const SessionStats& stats);

  private:
    void write(const StepStats& step);
    std::optional<OutputFile> file_;
};

}  // namespace sluice::cli
