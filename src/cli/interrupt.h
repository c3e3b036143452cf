// Ctrl-C and its relatives. The first SIGINT asks whatever runs to stop: it sets a flag that loops look at
// and cancels the session that is computing. A second one, before the first was obeyed, ends the program on
// the spot. SIGTERM and SIGHUP do the same and cannot be taken back by clear_interrupt().
#pragma once

#include "sluice/engine.h"

namespace sluice::cli {

/// Installs the handlers for the life of the program.
void catch_interrupts();

/// A signal came since the last clear_interrupt().
bool interrupted() noexcept;
void clear_interrupt() noexcept;
/// SIGTERM was obeyed in good order: the program's status does not show it.
void clear_termination() noexcept;
/// SIGTERM or SIGHUP if one came, else 0.
int termination_signal() noexcept;
/// Throws Error (cancelled) if interrupted().
void check_interrupt();

/// While it lives, Ctrl-C cancels this session.
class CancelOnInterrupt {
  public:
    explicit CancelOnInterrupt(Session& session) noexcept;
    ~CancelOnInterrupt();
    CancelOnInterrupt(const CancelOnInterrupt&) = delete;
    CancelOnInterrupt& operator=(const CancelOnInterrupt&) = delete;
};

}  // namespace sluice::cli
