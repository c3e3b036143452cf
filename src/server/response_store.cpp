#include "server/response_store.h"

namespace sluice::server {

namespace {

size_t bytes_of(const StoredResponse& r) {
    size_t n = 512 + r.reply.size() + r.tools.size();
    for (const Message& m : r.messages) {
        n += 256 + m.content.size() + m.reasoning.size();
        for (const ToolCall& call : m.tool_calls) n += 128 + call.arguments.size() + call.name.size();
    }
    return n;
}

}  // namespace

void ResponseStore::drop(std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes;
    by_id_.erase(entry->id);
    entries_.erase(entry);
}

void ResponseStore::put(const std::string& id, StoredResponse response) {
    std::lock_guard lock(mutex_);
    const size_t bytes = bytes_of(response);
    if (bytes > most_bytes_) return;
    while (!entries_.empty() && (entries_.size() >= most_ || bytes_ + bytes > most_bytes_))
        drop(std::prev(entries_.end()));
    entries_.push_front({id, std::move(response), bytes});
    by_id_[id] = entries_.begin();
    bytes_ += bytes;
}

void ResponseStore::limit(size_t most_bytes) {
    std::lock_guard lock(mutex_);
    most_bytes_ = most_bytes;
    while (!entries_.empty() && bytes_ > most_bytes_) drop(std::prev(entries_.end()));
}

size_t ResponseStore::bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
}

std::optional<StoredResponse> ResponseStore::find(const std::string& id, const std::string& asker) {
    std::lock_guard lock(mutex_);
    const auto found = by_id_.find(id);
    if (found == by_id_.end() || found->second->response.asker != asker) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->response;
}

bool ResponseStore::erase(const std::string& id, const std::string& asker) {
    std::lock_guard lock(mutex_);
    const auto found = by_id_.find(id);
    if (found == by_id_.end() || found->second->response.asker != asker) return false;
    drop(found->second);
    return true;
}

}  // namespace sluice::server
