#include "text/jinja/loop_state.h"

#include "text/jinja/methods.h"

namespace sluice::jinja {
namespace {

const Method cycle_method{"cycle", [](Runtime&, const Value& self, const Arguments& arguments) {
                              return self.as<LoopState>().cycle(arguments);
                          }};
const Method changed_method{"changed", [](Runtime& runtime, const Value& self, const Arguments& arguments) {
                                return self.as<LoopState>().changed(runtime, arguments);
                            }};

}  // namespace

LoopState::LoopState(Evaluator& evaluator, const ForStatement& statement, Ref<Scope> outside,
                     const Value& iterable, int64_t depth)
    : evaluator_(evaluator),
      statement_(statement),
      outside_(std::move(outside)),
      items_(std::in_place, evaluator.runtime(), iterable),
      depth_(depth) {
    // A plain list's length is known without drawing it.
    if (!statement.condition && !iterable.is(Kind::generator))
        length_ = static_cast<int64_t>(sluice::jinja::length(iterable));
}

void LoopState::clear() noexcept {
    outside_ = {};
    items_.reset();
    ahead_.clear();
    previous_.reset();
    current_.reset();
    last_changed_.reset();
}

std::optional<Value> LoopState::draw() {
    while (auto item = items_->next()) {
        evaluator_.runtime().step();
        if (!statement_.condition || evaluator_.passes(statement_, outside_, *item)) return item;
    }
    return std::nullopt;
}

bool LoopState::fill(size_t count) {
    while (ahead_.size() < count) {
        auto item = draw();
        if (!item) return false;
        heap().charge(*this, sizeof(Value));
        ahead_.push_back(std::move(*item));
    }
    return true;
}

std::optional<Value> LoopState::advance() {
    previous_ = std::move(current_);
    current_.reset();
    if (ahead_.empty()) {
        current_ = draw();
    } else {
        current_ = std::move(ahead_.front());
        ahead_.pop_front();
    }
    if (current_) ++index0_;
    return current_;
}

int64_t LoopState::length() {
    if (!length_) {
        while (fill(ahead_.size() + 1)) continue;
        length_ = index0_ + 1 + static_cast<int64_t>(ahead_.size());
    }
    return *length_;
}

Value LoopState::call(Runtime& runtime, const Arguments& arguments) {
    const Parameters given("loop", arguments, {"iterable"});
    if (!statement_.recursive) {
        refuse("The loop must have the 'recursive' marker to be called recursively.");
    }
    static_cast<void>(runtime);
    return evaluator_.run_loop_again(*this, given.required(0));
}

std::optional<Value> LoopState::attribute(Runtime& runtime, std::string_view name) {
    const auto in_place = [&] { return Value(Ref<Object>(this)); };
    if (name == "index") return Value(index0_ + 1);
    if (name == "index0") return Value(index0_);
    if (name == "first") return Value(index0_ == 0);
    if (name == "last") return Value(!fill(1));
    if (name == "length") return Value(length());
    if (name == "revindex") return Value(length() - index0_);
    if (name == "revindex0") return Value(length() - index0_ - 1);
    if (name == "depth") return Value(depth_ + 1);
    if (name == "depth0") return Value(depth_);
    if (name == "previtem") return previous_ ? *previous_ : runtime.undefined("there is no previous item");
    if (name == "nextitem") return fill(1) ? ahead_.front() : runtime.undefined("there is no next item");
    if (name == "cycle") return bind(runtime, cycle_method, in_place());
    if (name == "changed") return bind(runtime, changed_method, in_place());
    return std::nullopt;
}

std::string LoopState::description() const {
    return fmt::format("<LoopContext {}/{}>", index0_ + 1, length_.value_or(0));
}

Value LoopState::cycle(const Arguments& arguments) const {
    if (arguments.positional.empty()) refuse("no items for cycling given");
    return arguments.positional[static_cast<size_t>(index0_) % arguments.positional.size()];
}

Value LoopState::changed(Runtime& runtime, const Arguments& arguments) {
    const auto same = [&] {
        if (!last_changed_ || last_changed_->size() != arguments.positional.size()) return false;
        for (size_t i = 0; i < last_changed_->size(); ++i) {
            if (!equal(runtime, (*last_changed_)[i], arguments.positional[i])) return false;
        }
        return true;
    };
    if (same()) return Value(false);
    last_changed_ = arguments.positional;
    return Value(true);
}

}  // namespace sluice::jinja
