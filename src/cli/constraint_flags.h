// What an answer must be: the flags, and the constraint they make.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <CLI/App.hpp>

#include "sluice/engine.h"

namespace sluice::cli {

struct ConstraintFlags {
    std::optional<std::string> grammar, grammar_file, schema;
    bool json_object = false;

    void add_to(CLI::App& command);
    /// Reads the files and throws UsageError or what is wrong with the grammar, before any model is opened.
    void check();
    /// None if no flag was given.
    std::shared_ptr<const Constraint> compile(const Engine& engine) const;

  private:
    std::string text_{};
};

}  // namespace sluice::cli
