#include "text/jinja/heap.h"

#include "text/jinja/problem.h"

namespace sluice::jinja {

void Object::retire() noexcept {
    heap_->retire(*this);
}

void Heap::link(Object& object) noexcept {
    object.heap_ = this;
    object.next_ = first_;
    if (first_) first_->previous_ = &object;
    first_ = &object;
}

void Heap::unlink(Object& object) noexcept {
    if (object.previous_) object.previous_->next_ = object.next_;
    if (object.next_) object.next_->previous_ = object.previous_;
    if (first_ == &object) first_ = object.next_;
    object.previous_ = object.next_ = nullptr;
}

void Heap::charge(Object& object, size_t bytes) {
    if (bytes > limit_ - live_) {
        throw Problem(ErrorCode::out_of_budget,
                      "the values of the template take more memory than allowed; shorten the conversation");
    }
    object.charged_ += bytes;
    live_ += bytes;
}

// Deleting an object releases others, which may release others: a chain as long as a template cares to build.
// So the deletions wait in a queue instead of nesting on the stack.
void Heap::retire(Object& object) noexcept {
    unlink(object);
    live_ -= object.charged_;
    object.next_ = retired_;
    retired_ = &object;
    if (deleting_) return;
    deleting_ = true;
    while (retired_) {
        Object* const next = retired_;
        retired_ = next->next_;
        delete next;
    }
    deleting_ = false;
}

Heap::~Heap() {
    for (Object* object = first_; object; object = object->next_) object->retain();
    for (Object* object = first_; object; object = object->next_) object->clear();
    while (first_) first_->release();
}

}  // namespace sluice::jinja
