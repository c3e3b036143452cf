// The memory that all constraints of an engine hold together: what they were compiled to, the masks they
// remember, the places of answers in them. It was planned before anything was read, so it has a limit;
// whoever would exceed it is told and does without, refuses, or gives up something else first.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace sluice {

/// From any thread.
class ConstraintBudget {
  public:
    explicit ConstraintBudget(size_t most_bytes) : most_(most_bytes) {}
    ConstraintBudget(const ConstraintBudget&) = delete;
    ConstraintBudget& operator=(const ConstraintBudget&) = delete;

    /// False, and nothing is taken, if it would be more than there is.
    bool take(size_t bytes) noexcept {
        for (size_t used = used_;;) {
            if (bytes > most_ || used > most_ - bytes) return false;
            if (used_.compare_exchange_weak(used, used + bytes)) return true;
        }
    }
    void give(size_t bytes) noexcept { used_ -= bytes; }
    size_t used() const noexcept { return used_; }
    size_t most() const noexcept { return most_; }

  private:
    const size_t most_;
    std::atomic<size_t> used_{0};
};

/// What one holder has taken; given back when it goes.
class ConstraintShare {
  public:
    ConstraintShare() = default;
    explicit ConstraintShare(std::shared_ptr<ConstraintBudget> budget) : budget_(std::move(budget)) {}
    ConstraintShare(ConstraintShare&& other) noexcept
        : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
    ConstraintShare& operator=(ConstraintShare&& other) noexcept {
        std::swap(budget_, other.budget_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~ConstraintShare() { resize(0); }

    /// Holds so many from now on; false if there is no room, and it holds what it held. Less is always
    /// possible.
    bool resize(size_t bytes) noexcept {
        if (bytes > bytes_ && budget_ && !budget_->take(bytes - bytes_)) return false;
        if (bytes < bytes_ && budget_) budget_->give(bytes_ - bytes);
        bytes_ = bytes;
        return true;
    }
    size_t bytes() const noexcept { return bytes_; }

  private:
    std::shared_ptr<ConstraintBudget> budget_;
    size_t bytes_ = 0;
};

}  // namespace sluice
