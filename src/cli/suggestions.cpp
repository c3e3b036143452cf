#include "cli/suggestions.h"

#include "sluice/error.h"

#include "cli/input.h"

namespace sluice::cli {

std::vector<std::string> suggestions_for(const std::filesystem::path& model) {
    constexpr size_t most = 8, longest = 200;
    std::filesystem::path path = model;
    path.replace_extension(".suggest.json");
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return {};
    std::vector<std::string> texts;
    try {
        const auto json = parse_json(read_all(path.string()), path.string());
        const auto list = json.is_object() ? json.find("suggestions") : json.end();
        if (list == json.end() || !list->is_array()) return {};
        for (const auto& s : *list)
            if (s.is_string() && texts.size() < most && s.get_ref<const std::string&>().size() <= longest)
                texts.push_back(s.get<std::string>());
    } catch (const Error&) {
        return {};
    }
    return texts;
}

}  // namespace sluice::cli
