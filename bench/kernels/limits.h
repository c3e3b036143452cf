// What this machine can do at most, measured as the kernels are: with the same threads, in the same run.
#pragma once

#include "core/machine.h"
#include "core/thread_pool.h"

namespace sluice::bench {

/// Bytes per second that the pool's threads read from memory together: the best of several passes over a
/// block that no cache holds.
double read_bandwidth(ThreadPool& pool);

/// Multiply-adds of bytes per second that the pool's threads do together on an instruction set, by its widest
/// instructions on registers alone. 0 where none are known (plain).
double peak_multiply_adds(ThreadPool& pool, Isa isa);

}  // namespace sluice::bench
