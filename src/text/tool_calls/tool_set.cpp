#include "text/tool_calls/tool_set.h"

#include <algorithm>

#include "core/fail.h"

namespace sluice {

namespace {

using Json = nlohmann::ordered_json;

Tool read_tool(const Json& entry, size_t index) {
    const Json* f = &entry;
    if (entry.is_object() && entry.contains("function")) f = &entry["function"];
    if (!f->is_object() || !f->contains("name") || !(*f)["name"].is_string() ||
        (*f)["name"].get_ref<const std::string&>().empty())
        fail(ErrorCode::invalid_argument, "expected tools[{}] to be a function with a name", index);
    Tool tool{(*f)["name"].get<std::string>(), Json::object()};
    if (f->contains("parameters") && !(*f)["parameters"].is_null()) tool.parameters = (*f)["parameters"];
    return tool;
}

}  // namespace

ToolSet::ToolSet(std::string_view json) {
    if (json.empty()) return;
    const Json list = Json::parse(json, nullptr, false);
    if (!list.is_array()) fail(ErrorCode::invalid_argument, "expected tools to be a JSON array");
    for (size_t i = 0; i < list.size(); ++i) tools_.push_back(read_tool(list[i], i));
}

const Tool* ToolSet::find(std::string_view name) const {
    const auto it =
        std::find_if(tools_.begin(), tools_.end(), [&](const Tool& tool) { return tool.name == name; });
    return it == tools_.end() ? nullptr : &*it;
}

bool is_tool_name(std::string_view name) {
    const auto fine = [](char c) {
        return uint8_t(c) > ' ' && c != 0x7F &&
               std::string_view("<>{}[]()\"'`\\,:;").find(c) == std::string_view::npos;
    };
    return !name.empty() && name.size() <= 256 && std::all_of(name.begin(), name.end(), fine);
}

const Json* parameter_schema(const Tool& tool, const std::string& parameter) {
    const auto properties = tool.parameters.find("properties");
    if (properties == tool.parameters.end() || !properties->is_object()) return nullptr;
    const auto it = properties->find(parameter);
    return it == properties->end() ? nullptr : &*it;
}

bool wants_text(const Json& schema) {
    if (!schema.is_object()) return false;
    const auto is_string = [](const Json& v) { return v.is_string(); };
    if (const auto values = schema.find("enum"); values != schema.end() && values->is_array())
        return std::any_of(values->begin(), values->end(), is_string);
    if (const auto value = schema.find("const"); value != schema.end()) return value->is_string();
    if (const auto type = schema.find("type"); type != schema.end())
        return *type == "string" ||
               (type->is_array() && std::find(type->begin(), type->end(), "string") != type->end());
    for (const char* keyword : {"anyOf", "oneOf"})
        if (const auto any = schema.find(keyword); any != schema.end() && any->is_array())
            return std::any_of(any->begin(), any->end(), [](const Json& one) { return wants_text(one); });
    return false;
}

std::string argument_json(const Tool* tool, const std::string& parameter, std::string_view text) {
    const Json* schema = tool ? parameter_schema(*tool, parameter) : nullptr;
    if (!(schema && wants_text(*schema)) && Json::accept(text)) return std::string(text);
    return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sluice
