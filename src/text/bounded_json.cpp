#include "text/bounded_json.h"

#include <string>
#include <vector>

#include "core/fail.h"

namespace sluice {

namespace {

using Json = nlohmann::ordered_json;

/// "the parser's own words" without its prefix and without quoting the whole text.
std::string reason_of(const nlohmann::json::exception& e) {
    std::string text = e.what();
    const size_t at = text.find("] ");
    if (at != std::string::npos) text.erase(0, at + 2);
    if (const size_t last = text.find("; last read"); last != std::string::npos) text.resize(last);
    return text.substr(0, 160);
}

/// Counts and keeps nothing.
class Look : public nlohmann::json_sax<Json> {
  public:
    explicit Look(const JsonLimits& limits) : limits_(limits) {}

    bool null() override { return value(); }
    bool boolean(bool) override { return value(); }
    bool number_integer(number_integer_t) override { return value(); }
    bool number_unsigned(number_unsigned_t) override { return value(); }
    bool number_float(number_float_t, const string_t&) override { return value(); }
    bool string(string_t&) override { return value(); }
    bool binary(binary_t&) override { return value(); }
    bool start_object(size_t) override { return open(); }
    bool end_object() override { return close(); }
    bool start_array(size_t) override { return open(); }
    bool end_array() override { return close(); }
    bool key(string_t&) override {
        comparisons_ += names_.back()++;
        if (comparisons_ > limits_.name_comparisons)
            fail(ErrorCode::invalid_argument,
                 "expected JSON objects of at most some thousand names, found more");
        return true;
    }
    bool parse_error(size_t, const std::string&, const nlohmann::json::exception& e) override {
        fail(ErrorCode::invalid_argument, "expected JSON, found a mistake: {}", reason_of(e));
    }

  private:
    bool value() {
        if (++values_ > limits_.values)
            fail(ErrorCode::invalid_argument, "expected JSON of at most {} values, found more",
                 limits_.values);
        return true;
    }
    bool open() {
        names_.push_back(0);
        if (names_.size() > size_t(limits_.depth))
            fail(ErrorCode::invalid_argument, "expected JSON nested at most {} deep, found more",
                 limits_.depth);
        return value();
    }
    bool close() {
        names_.pop_back();
        return true;
    }

    const JsonLimits& limits_;
    std::vector<uint64_t> names_;  // in each open object; 0 for arrays
    uint64_t values_ = 0, comparisons_ = 0;
};

}  // namespace

nlohmann::ordered_json parse_bounded_json(std::string_view text, const JsonLimits& limits) {
    try {
        Look look(limits);
        Json::sax_parse(text, &look);
        return Json::parse(text);
    } catch (const nlohmann::json::exception& e) {  // a number that is none, …
        fail(ErrorCode::invalid_argument, "expected JSON, found a mistake: {}", reason_of(e));
    }
}

}  // namespace sluice
