// A conversation with a model: its messages, and a session whose cache already holds what was said. Each turn
// renders all messages; the session computes only what is new.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sluice/engine.h"

#include "cli/answer.h"
#include "cli/chat_settings.h"
#include "cli/conversation.h"

namespace sluice::cli {

class ChatConversation {
  public:
    ChatConversation(const Engine& engine, const SessionOptions& options)
        : engine_(engine), session_(engine, options), kv_type_(options.kv_type) {}

    /// Says `text` as the user and shows the answer. If the prompt cannot be computed (too long,
    /// interrupted), the conversation is as before and an Error is thrown.
    void say(const std::string& text, const ChatSettings& settings);
    /// Forgets everything but the system message.
    void clear();
    void set_system(const std::string& text);
    /// Throws invalid_argument, io; on an error nothing has changed.
    void load(const std::string& path);
    void save(const std::string& path) const;

    const std::vector<Message>& messages() const { return conversation_.messages; }
    void set_tools(std::string tools) { conversation_.tools = std::move(tools); }
    /// Tokens, memory and rates, a line each.
    std::string stats_text() const;

  private:
    using Row = std::function<void(std::string_view name, const std::string& value)>;
    void stream_rows(const Row& row) const;
    Prompt render(const ChatSettings& settings) const;
    void print_figures(const GenerateOptions& options, StopReason reason) const;

    Engine engine_;
    Session session_;
    KvType kv_type_;
    Conversation conversation_;
};

}  // namespace sluice::cli
