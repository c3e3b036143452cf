// Which expert leaves when room is needed. A policy sees keys and sizes only, so the same code runs in the
// engine, in unit tests and in the replay simulator. All calls are O(1).
//
// Entries that may leave are in the policy's lists; a pinned or in-flight entry is taken out (remove) and
// comes back (add) when it is unpinned, so that it can never be a victim.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace sluice {

/// layer * n_experts + expert: dense and small, so that policies use arrays.
using ExpertKey = uint32_t;

enum class CachePolicy { lru, slru, lfru };
std::string_view to_string(CachePolicy policy);
CachePolicy parse_cache_policy(std::string_view text);  // throws invalid_argument naming the choices

class EvictionPolicy {
  public:
    virtual ~EvictionPolicy() = default;
    /// The router asked for a key, resident or not: called once for each demand, before add/remove. Guesses
    /// are not demands.
    virtual void demand(ExpertKey key) = 0;
    /// The key was asked for that often in earlier runs. Called before anything is demanded.
    virtual void remember(ExpertKey, uint32_t) {}
    /// The key may leave from now on. demanded: false for one that only a guess brought in, and no demand
    /// since.
    virtual void add(ExpertKey key, bool demanded) = 0;
    /// The key may not leave any more (pinned, or gone). Does nothing if it is not in the lists.
    virtual void remove(ExpertKey key) = 0;
    /// The key, which was removed from the lists, has left memory.
    virtual void evicted(ExpertKey) {}
    /// The entry to leave next among those that were demanded; it stays in the lists until remove(). Nothing
    /// if there is none.
    virtual std::optional<ExpertKey> victim() const = 0;
    /// The same among those that only guesses brought in, oldest first: what a guess may evict.
    virtual std::optional<ExpertKey> guessed_victim() const = 0;
};

/// n_keys: all keys are below it. capacity: entries that fit, roughly (segment sizes derive from it).
std::unique_ptr<EvictionPolicy> make_policy(CachePolicy policy, uint32_t n_keys, uint32_t capacity);

}  // namespace sluice
