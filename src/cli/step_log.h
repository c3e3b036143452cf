// --stats-json: what each forward pass cost, a JSON object a line: the engine first, the sums last.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "sluice/engine.h"

#include "cli/output.h"

namespace sluice::cli {

class StepLog {
  public:
    /// file: empty for none, - for standard output. The first line describes model and machine.
    StepLog(const std::string& file, const Engine& engine);
    /// The options of a session whose steps are written. The log must outlive it.
    SessionOptions observe(SessionOptions options);
    /// Writes the sums over all prompts and answers, and the file to its place. Throws io if this or an
    /// earlier line could not be written (a full disk): until then the answer goes on.
    void commit();

  private:
    void take(const StepStats& step);
    void write(const nlohmann::ordered_json& line);
    std::optional<OutputFile> file_;
    std::optional<Error> failed_;  // the first line that could not be written
    StepStats prefill_, decode_;   // sums
};

}  // namespace sluice::cli
