// The memory of one rendering. Objects are counted by reference, so that a loop's temporary strings go at
// once; what a template ties into a cycle (a list appended to itself, a macro in the scope it closes over)
// goes when the heap does. Every object says what it costs, and the sum is bounded: a template cannot use up
// the machine's memory.
//
// Single-threaded: a heap and its objects belong to one call of ChatTemplate::render().
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace sluice::jinja {

class Heap;

enum class Kind : uint8_t {
    undefined,
    none,
    boolean,
    integer,
    real,
    string,
    list,
    tuple,
    view,       // what dict.items(), keys() and values() give: has a length, no subscripts
    generator,  // what map, select and their like give: can be run through once
    dict,
    space,  // namespace()
    callable,
    scope,  // the evaluator's own: never seen by a template
};

class Object {
  public:
    explicit Object(Kind kind) noexcept : kind_(kind) {}
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    virtual ~Object() = default;

    Kind kind() const noexcept { return kind_; }
    Heap& heap() const noexcept { return *heap_; }
    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) retire();
    }

  protected:
    /// Lets go of every other object.
    virtual void clear() noexcept {}
    bool unshared() const noexcept { return references_ == 1; }

  private:
    friend class Heap;
    void retire() noexcept;

    Kind kind_;
    uint64_t references_ = 0;
    size_t charged_ = 0;
    Heap* heap_ = nullptr;
    Object* previous_ = nullptr;
    Object* next_ = nullptr;
};

/// A counted reference to an object of a heap; may be empty.
template <typename T>
class Ref {
  public:
    Ref() = default;
    explicit Ref(T* object) noexcept : object_(object) {
        if (object_) object_->retain();
    }
    Ref(const Ref& other) noexcept : Ref(other.object_) {}
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_) object_->release();
    }

    T* get() const noexcept { return object_; }
    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }

  private:
    T* object_ = nullptr;
};

class Heap {
  public:
    explicit Heap(size_t limit) noexcept : limit_(limit) {}
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;
    /// Frees everything; no reference from outside may be left.
    ~Heap();

    template <typename T, typename... Arguments>
    Ref<T> make(Arguments&&... arguments) {
        Ref<T> object(adopt(new T(std::forward<Arguments>(arguments)...)));
        charge(*object, sizeof(T) + allocation_overhead);
        return object;
    }
    /// Adds to what an object costs; throws out_of_budget beyond the limit.
    void charge(Object& object, size_t bytes);
    /// What is charged from now on counts; what the input itself takes does not.
    void allow_more(size_t bytes) noexcept { limit_ += bytes; }
    size_t live_bytes() const noexcept { return live_; }

  private:
    friend class Object;
    static constexpr size_t allocation_overhead = 32;

    template <typename T>
    T* adopt(T* object) noexcept {
        link(*object);
        return object;
    }
    void link(Object& object) noexcept;
    void unlink(Object& object) noexcept;
    void retire(Object& object) noexcept;

    size_t limit_;
    size_t live_ = 0;
    Object* first_ = nullptr;
    Object* retired_ = nullptr;  // waiting for deletion, linked by next_
    bool deleting_ = false;
};

}  // namespace sluice::jinja
