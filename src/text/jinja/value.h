// What an expression of a template evaluates to: Python's values, as far as chat templates use them. Scalars
// are held in place, everything else by reference, so passing the list of messages around costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/jinja/heap.h"
#include "text/jinja/text.h"

namespace sluice::jinja {

class Runtime;
struct Arguments;

class Value {
  public:
    Value() noexcept : integer_(0) {}  // none
    explicit Value(bool boolean) noexcept : kind_(Kind::boolean), integer_(0) { boolean_ = boolean; }
    explicit Value(int64_t integer) noexcept : kind_(Kind::integer), integer_(integer) {}
    explicit Value(double real) noexcept : kind_(Kind::real), real_(real) {}
    template <typename T>
    explicit Value(const Ref<T>& object) noexcept
        : kind_(object->kind()), integer_(0), object_(object.get()) {}

    Kind kind() const noexcept { return kind_; }
    bool is(Kind kind_wanted) const noexcept { return kind() == kind_wanted; }
    bool is_undefined() const noexcept { return is(Kind::undefined); }
    bool is_none() const noexcept { return is(Kind::none); }
    bool is_string() const noexcept { return is(Kind::string); }

    // The caller has looked at kind().
    bool boolean() const noexcept { return boolean_; }
    int64_t integer() const noexcept { return integer_; }
    double real() const noexcept { return real_; }
    const Text& text() const;
    std::string_view view() const { return text().view(); }
    bool is_markup() const noexcept;
    /// The object behind the value as its class; the caller has looked at kind().
    template <typename T>
    T& as() const {
        return static_cast<T&>(*object_);
    }
    /// True if both are the same object, or equal scalars of one kind.
    bool same_as(const Value& other) const noexcept;

  private:
    Kind kind_ = Kind::none;
    union {
        bool boolean_;
        int64_t integer_;
        double real_;
    };
    Ref<Object> object_;  // of every kind that is no scalar
};

/// What |safe and |escape give is markup. It prints as it is, but + with a plain string escapes that string's
/// &<>'".
enum class Markup : uint8_t { no, yes };

class String final : public Object {
  public:
    explicit String(Text text, Markup markup = Markup::no) noexcept
        : Object(Kind::string), text_(std::move(text)), markup_(markup) {}
    const Text& text() const noexcept { return text_; }
    Markup markup() const noexcept { return markup_; }
    /// Length in code points; counted once.
    size_t characters() const noexcept;
    bool one_byte_each() const noexcept { return characters() == text_.size(); }

  private:
    Text text_;
    Markup markup_;
    mutable std::optional<size_t> characters_;
};

/// A name or member that is not there. Prints as nothing and is false; anything more says what was missing.
class Undefined final : public Object {
  public:
    explicit Undefined(std::string reason) noexcept : Object(Kind::undefined), reason_(std::move(reason)) {}
    const std::string& reason() const noexcept { return reason_; }

  private:
    std::string reason_;
};

enum class Access : uint8_t {
    open,
    frozen,  // came with the input: the sandbox lets nobody change it
};

/// Lists, tuples, views and generators, told apart by their kind.
class Sequence final : public Object {
  public:
    Sequence(Kind kind, std::vector<Value> items, Access access = Access::open) noexcept
        : Object(kind), items_(std::move(items)), access_(access) {}
    const std::vector<Value>& items() const noexcept { return items_; }
    std::vector<Value>& items() noexcept { return items_; }
    bool frozen() const noexcept { return access_ == Access::frozen; }

    size_t consumed = 0;              // of a generator: how far it has been run
    bool is_group = false;            // an entry of groupby: (grouper, list)
    std::string_view view_name = "";  // of a view: what Python calls it

  private:
    void clear() noexcept override { items_.clear(); }
    std::vector<Value> items_;
    Access access_;
};

/// Keeps the order of insertion. Found by linear search while small, then by an index.
class Dict final : public Object {
  public:
    struct Entry {
        Value key, value;
    };
    explicit Dict(Access access = Access::open) noexcept : Object(Kind::dict), access_(access) {}
    const std::vector<Entry>& entries() const noexcept { return entries_; }
    bool frozen() const noexcept { return access_ == Access::frozen; }
    size_t size() const noexcept { return entries_.size(); }

    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;
    void set(const Value& key, Value value);
    /// Takes out an entry; nothing if it is not there.
    std::optional<Entry> erase(const Value& key);
    void erase_all() noexcept { clear(); }

  private:
    static constexpr size_t linear_limit = 8;
    void clear() noexcept override;
    std::optional<size_t> position(const Value& key) const;
    void build_index();

    std::vector<Entry> entries_;
    std::unordered_map<std::string, size_t> index_;  // by key_code(), once there are more than linear_limit
    Access access_;
};

/// Text that two keys share exactly if Python takes them for the same key (1, 1.0 and True do). Throws for
/// lists and dicts, which cannot be keys.
std::string key_code(const Value& key);

/// namespace(): the one thing a loop's body can write to and be heard outside.
class Space final : public Object {
  public:
    Space() noexcept : Object(Kind::space) {}
    std::map<std::string, Value, std::less<>> members;

  private:
    void clear() noexcept override { members.clear(); }
};

class Callable : public Object {
  public:
    Callable() noexcept : Object(Kind::callable) {}
    virtual Value call(Runtime& runtime, const Arguments& arguments) = 0;
    /// `.name` of the object, if it has such an attribute.
    virtual std::optional<Value> attribute(Runtime&, std::string_view) { return std::nullopt; }
    /// As Python would print it: "<Macro 'name'>".
    virtual std::string description() const = 0;
};

}  // namespace sluice::jinja
