// The maths of a forward pass, divided over a thread pool. One object per engine; the instruction set is
// chosen when it is made. Calls are for one thread at a time (they use the pool).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/machine.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "kernels/kernel_table.h"
#include "kernels/matrix.h"

namespace sluice {

/// The table for one instruction set; it must be one of available_isas().
const KernelTable& kernel_table(Isa isa);

/// One product of a group that is computed together: y (n, w.rows) = x (n, w.cols) @ w^T.
struct Product {
    MatrixView w;
    ConstRows x;
    Rows y;
    uint32_t n = 0;           // tokens
    bool transposed = false;  // y (n, w.cols) = x (n, w.rows) @ w
};

class Kernels {
  public:
    Kernels(ThreadPool& pool, Isa isa) : pool_(pool), table_(kernel_table(isa)), scratch_(pool.size()) {}

    const KernelTable& table() const { return table_; }
    ThreadPool& pool() { return pool_; }
    /// A buffer of at least n floats that belongs to a worker until its task ends.
    float* scratch(uint32_t worker, uint64_t n);
    /// A buffer of at least n floats for the caller, until it asks again.
    float* shared_scratch(uint64_t n);
    uint64_t scratch_bytes() const;

    /// All products of a group, as one job: small ones do not leave cores idle.
    void multiply(std::span<const Product> products);
    void multiply(const Product& product) { multiply(std::span(&product, 1)); }
    /// Runs fn(i, worker) for i in [0, n).
    template <typename Fn>
    void each(uint32_t n, const Fn& fn) {
        pool_.run(n, fn);
    }

  private:
    struct Piece {
        uint32_t product, begin, end;
    };
    /// Rows of activations that products of a group share, and where their quantised form lies.
    struct Quantised {
        ActivationKind kind;
        ConstRows x;
        uint32_t n, cols;
        uint64_t place;
        uint32_t first_row;  // counted over all of the group
    };
    void quantise(std::span<const Product> products);
    uint32_t place_quantised(const Product& product, uint64_t& bytes, uint32_t& rows);
    ThreadPool& pool_;
    const KernelTable& table_;
    std::vector<Memory> scratch_;
    Memory shared_scratch_;
    std::vector<Piece> pieces_;
    std::vector<Quantised> quantised_;
    std::vector<uint32_t> quantised_of_;  // of each product: index into quantised_
    Memory activations_;
};

}  // namespace sluice
