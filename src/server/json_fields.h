// Strict reading of JSON that comes from outside: every field is asked for with its type and range, and what
// is wrong is told by the field's full name. null counts as absent. Fields that nobody asks for are ignored,
// as the servers whose interfaces these are do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/api_error.h"

namespace sluice::server {

using Json = nlohmann::ordered_json;

/// Throws ApiError (invalid) for anything but one JSON value of limited depth in valid UTF-8.
Json parse_body(const std::string& text);
/// Text for a reply; bytes that are not UTF-8 are replaced.
std::string dump(const Json& json);

/// The arguments of a tool call as an object. What a model wrote may be no object: then it is the value of
/// "arguments" in one.
Json arguments_object(const std::string& text);

class Fields {
  public:
    /// An object's fields. `path`: its name in the request, empty for the whole. Throws if it is no object.
    Fields(const Json& json, std::string path);

    /// None if absent or null.
    const Json* find(std::string_view name) const;
    bool has(std::string_view name) const { return find(name) != nullptr; }
    std::optional<std::string> text(std::string_view name) const;
    std::string need_text(std::string_view name) const;
    std::optional<double> number(std::string_view name, double least, double most) const;
    std::optional<int64_t> integer(std::string_view name, int64_t least, int64_t most) const;
    std::optional<bool> boolean(std::string_view name) const;
    bool boolean(std::string_view name, bool otherwise) const { return boolean(name).value_or(otherwise); }
    /// Of at most so many items.
    const Json* array(std::string_view name, size_t most = 100'000) const;
    std::optional<Fields> object(std::string_view name) const;
    /// One of the names; `choices` in the error. None if absent.
    std::optional<std::string> choice(std::string_view name, const std::vector<std::string>& choices) const;

    std::string path(std::string_view name) const;
    const Json& json() const { return json_; }
    [[noreturn]] void fail(std::string_view name, std::string_view expected) const;
    [[noreturn]] void unsupported(std::string_view name, const std::string& sentence) const;

  private:
    const Json& json_;
    std::string path_;
};

/// An item of an array as an object.
inline Fields item(const Json& array, size_t i, const std::string& path) {
    return Fields(array[i], path + "[" + std::to_string(i) + "]");
}
/// Throws if the value is not a text.
std::string text_of(const Json& value, const std::string& path);
/// The beginning of a value, for errors.
std::string shown(const Json& value);

}  // namespace sluice::server
