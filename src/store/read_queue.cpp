#include "store/read_queue.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace sluice {

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void ReadQueue::push(std::span<const ReadRequest> requests) {
    {
        std::lock_guard lock(mutex_);
        for (const ReadRequest& r : requests) {
            auto request = std::make_unique<Request>();
            request->asked = r;
            (r.kind == ReadClass::demanded ? demanded_ : idle_).push_back(std::move(request));
        }
    }
    changed_.notify_all();
}

std::optional<ReadQueue::Block> ReadQueue::next_block() {
    const bool demanded = !demanded_.empty();
    if (!demanded && (idle_.empty() || demanded_in_flight_ > 0 || idle_in_flight_ >= most_idle_in_flight))
        return {};
    auto& queue = demanded ? demanded_ : idle_;
    Request* r = queue.front().get();
    const uint64_t n = std::min(block_bytes_, r->asked.dst.size() - r->handed_out);
    Block block{r, r->asked.file, r->asked.offset + r->handed_out, r->asked.dst.subspan(r->handed_out, n)};
    r->handed_out += n;
    if (r->handed_out == r->asked.dst.size()) {
        queue.front().release();  // finish() of its last block deletes it
        queue.pop_front();
    }
    if (demanded_in_flight_ + idle_in_flight_ == 0) busy_since_ = now();
    ++(demanded ? demanded_in_flight_ : idle_in_flight_);
    return block;
}

std::optional<ReadQueue::Block> ReadQueue::try_pop() {
    std::lock_guard lock(mutex_);
    if (stop_) return {};
    return next_block();
}

std::optional<ReadQueue::Block> ReadQueue::pop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (stop_) return {};
        if (auto block = next_block()) return block;
        changed_.wait(lock);
    }
}

void ReadQueue::finish(const Block& block, int error, uint64_t bytes) {
    ReadOutcome outcome;
    bool whole = false;
    {
        std::lock_guard lock(mutex_);
        Request* r = block.request;
        --(r->asked.kind == ReadClass::demanded ? demanded_in_flight_ : idle_in_flight_);
        r->finished += block.dst.size();
        r->bytes += bytes;
        if (error && !r->error) r->error = error;
        stats_.bytes += bytes;
        ++stats_.reads;
        if (demanded_in_flight_ + idle_in_flight_ == 0) stats_.busy_seconds += now() - busy_since_;
        whole = r->finished == r->asked.dst.size();
        if (whole) {
            outcome = {r->asked.tag, r->error, r->bytes, false, r->asked.kind};
            delete r;
        }
    }
    changed_.notify_all();
    if (whole) done_(outcome);
}

void ReadQueue::report_dropped(std::deque<std::unique_ptr<Request>>& dropped) {
    for (const auto& r : dropped) done_({r->asked.tag, 0, 0, true, r->asked.kind});
}

void ReadQueue::drop_idle() {
    std::deque<std::unique_ptr<Request>> dropped;
    {
        std::lock_guard lock(mutex_);
        // One that was begun is finished: its bytes are half there.
        std::unique_ptr<Request> begun;
        if (!idle_.empty() && idle_.front()->handed_out > 0) {
            begun = std::move(idle_.front());
            idle_.pop_front();
        }
        dropped.swap(idle_);
        if (begun) idle_.push_back(std::move(begun));
    }
    report_dropped(dropped);
}

void ReadQueue::stop() {
    std::deque<std::unique_ptr<Request>> dropped;
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
        for (auto* queue : {&demanded_, &idle_}) {
            if (!queue->empty() &&
                queue->front()->handed_out > 0) {  // blocks of it are in flight: finish() reports it
                Request* r = queue->front().release();
                r->finished += r->asked.dst.size() - r->handed_out;
                r->error = ECANCELED;
                queue->pop_front();
            }
            for (auto& r : *queue) dropped.push_back(std::move(r));
            queue->clear();
        }
    }
    changed_.notify_all();
    report_dropped(dropped);
}

bool ReadQueue::stopped() const {
    std::lock_guard lock(mutex_);
    return stop_;
}

ReaderStats ReadQueue::stats() const {
    std::lock_guard lock(mutex_);
    ReaderStats s = stats_;
    if (demanded_in_flight_ + idle_in_flight_ > 0) s.busy_seconds += now() - busy_since_;
    return s;
}

}  // namespace sluice
