// Conversations that a later request may go on with: of /v1/responses by previous_response_id, of
// /v1/messages as a thread. In memory, bounded in number and bytes; the ones not used for longest are
// forgotten first.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sluice/chat.h"

namespace sluice::server {

struct StoredResponse {
    std::string asker{};              // nobody else may read it
    std::vector<Message> messages{};  // the conversation with the answer; a response's without instructions
    std::string reply{};              // the response object as it was sent; of a thread none
    std::string tools{};              // of a thread
};

class ResponseStore {
  public:
    static constexpr size_t usual_bytes = 64 << 20;
    explicit ResponseStore(size_t most = 1000, size_t most_bytes = usual_bytes)
        : most_(most), most_bytes_(most_bytes) {}
    /// From now on: what the plan of the memory gives it.
    void limit(size_t most_bytes);
    size_t bytes() const;
    void put(const std::string& id, StoredResponse response);
    std::optional<StoredResponse> find(const std::string& id, const std::string& asker);
    bool erase(const std::string& id, const std::string& asker);

  private:
    struct Entry {
        std::string id;
        StoredResponse response;
        size_t bytes;
    };
    void drop(std::list<Entry>::iterator entry);

    const size_t most_;
    mutable std::mutex mutex_;  // of what follows
    size_t most_bytes_;
    std::list<Entry> entries_;  // used last in front
    std::map<std::string, std::list<Entry>::iterator> by_id_;
    size_t bytes_ = 0;
};

}  // namespace sluice::server
