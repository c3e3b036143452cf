#include "cli/interrupt.h"

#include <atomic>
#include <csignal>

#include <unistd.h>

#include "cli/exit_code.h"
#include "core/fail.h"

namespace sluice::cli {

namespace {

// A signal handler can reach nothing but globals; these are all of them.
std::atomic<int> interrupts{0};
std::atomic<int> terminated{0};
std::atomic<Session*> computing{nullptr};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<Session*>::is_always_lock_free);

extern "C" void on_signal(int signal) {
    if (interrupts.fetch_add(1) >= 1) {
        constexpr char plain[] = "\033[0m\n";  // leave no style behind
        if (isatty(STDERR_FILENO)) [[maybe_unused]]
            const auto n = write(STDERR_FILENO, plain, sizeof plain - 1);
        _exit(signal == SIGINT ? exit_interrupted : 128 + signal);
    }
    if (signal != SIGINT) terminated = signal;
    if (Session* session = computing) session->cancel();
}

}  // namespace

void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = on_signal;  // without SA_RESTART: reads return, so that a prompt can be left
    sigemptyset(&action.sa_mask);
    // What the caller had ignored stays ignored (nohup, jobs in the background of a script).
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before {};
        sigaction(signal, nullptr, &before);
        if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
    }
}

bool interrupted() noexcept {
    return interrupts > 0;
}
void clear_interrupt() noexcept {
    if (!terminated) interrupts = 0;
}
void clear_termination() noexcept {
    terminated = 0;
}
int termination_signal() noexcept {
    return terminated;
}
void check_interrupt() {
    if (interrupted()) fail(ErrorCode::cancelled, "interrupted");
}

CancelOnInterrupt::CancelOnInterrupt(Session& session) noexcept {
    computing = &session;
}
CancelOnInterrupt::~CancelOnInterrupt() {
    computing = nullptr;
}

}  // namespace sluice::cli
