// Finds the calls of tools in what a model writes, while it writes it. Nothing is lost: what turns out to be
// no call is content, markers included, and a call that breaks off keeps what was written of it.
//
// A call becomes certain once its name is known and its arguments begin; its arguments then leave as they
// come. Each family's forms are read leniently: a model that was trained on one writes the other at times.
// Control tokens must be part of the text by name (GenerateOptions::show_special).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tool_calls/call_object.h"
#include "text/tool_calls/tool_format.h"
#include "text/tool_calls/tool_set.h"

namespace sluice {

/// A piece of a call: the first of each has its name, and its id if the model gave one.
struct ToolCallPiece {
    size_t index = 0;
    std::string id{}, name{}, arguments{};
};

class ToolCallParser {
  public:
    struct Piece {
        std::string content{};
        std::vector<ToolCallPiece> calls{};
    };
    ToolCallParser(ToolFormat format, std::shared_ptr<const ToolSet> tools);

    /// Adds text; returns what is certain. Held back: what may be the beginning of a marker, the blanks
    /// before it, and a call before its arguments. Blanks around calls are dropped.
    Piece push(std::string_view text);
    Piece finish();
    size_t n_calls() const { return n_calls_; }

  private:
    enum class At {
        content,
        object,         // {"name": …
        after_object,   // hermes: </tool_call>; llama: another object
        tag,            // after <tool_call>
        glm_name,       // …\n or <arg_key>
        coder_name,     // …>
        parameters,     // of glm and qwen_coder
        coder_end,      // </tool_call>, which some leave out
        section,        // deepseek and kimi: between calls
        header,         // of their calls
        deepseek_name,  // after function<｜tool▁sep｜>
        fence,          // ``` before arguments
        arguments,      // up to a marker
        mistral,        // after [TOOL_CALLS]
        mistral_id,
        mistral_value,  // arguments, up to their end
        list,           // mistral's, between objects
    };
    /// One step; false: it needs more text (or, at the end, cannot go on).
    bool step();
    bool content();
    bool object();
    bool after_object();
    bool tag();
    bool glm_name();
    bool coder_name();
    bool parameters();
    bool coder_end();
    bool section();
    bool header();
    bool deepseek_name();
    bool fence();
    bool arguments();
    bool mistral();
    bool mistral_id();
    bool mistral_value();
    bool list();

    bool starts(std::string_view marker) const { return held_.starts_with(marker); }
    /// More text could make held_ begin with it.
    bool may_start(std::string_view marker) const;
    void skip_blanks();
    std::string consume(size_t n);
    bool go(At next);
    bool open(size_t at, size_t marker_size, At next);
    /// False if that cannot be a name: then there is no call.
    bool begin_call(std::string name, std::string id);
    void add_arguments(std::string text);
    void end_call();
    bool not_a_call();
    bool known(std::string_view name) const;
    bool take_parameter(std::string_view rest, size_t before);
    bool leave_parameters(bool marked);
    void add_parameter(const std::string& key, std::string_view text);

    ToolFormat format_;
    std::shared_ptr<const ToolSet> tools_;
    std::vector<std::string_view> openings_;  // markers that begin calls
    At at_ = At::content;
    std::string held_;  // not looked at yet
    std::string raw_;   // looked at, and content should it be no call
    Piece out_{};
    bool ended_ = false, in_call_ = false, said_something_ = false, wrote_arguments_ = false;
    bool fenced_ = false, coder_ = false;
    size_t n_calls_ = 0;
    std::string id_, name_;  // of the call that is being read
    CallObject object_;
    JsonValueEnd value_end_;
};

}  // namespace sluice
