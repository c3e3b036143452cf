// Regular expressions in a JSON schema ("pattern", and the formats, which are patterns) as grammar
// expressions for the contents of a JSON string.
//
// Known: characters, . [ ] [^ ] \d \D \w \W \s \S, escapes (\n \t \r \f \v \0 \xHH \uHHHH \u{H…} \cX, and
// \ before punctuation), groups ( ) (?: ) (?<name> ), |, * + ? {n} {n,} {n,m}, lazy or not; ^ only where an
// alternative begins and $ only where one ends, at the top or in groups that begin or end the pattern. As in
// JSON schema a pattern without ^ or $ may match anywhere. What is not regular, and \b, \B, \p, is
// unsupported.
#pragma once

#include <string_view>

#include "text/grammar/json_parts.h"

namespace sluice {

/// Throws invalid_argument or unsupported with a sentence that quotes the pattern; `where` begins it.
GrammarRules::Expr pattern_contents(GrammarRules& rules, JsonParts& parts, std::string_view pattern,
                                    std::string_view where);

/// The pattern that strings of a format match, anchored; empty if the format is unknown. Known: date, time,
/// date-time, duration, uuid, email, hostname, ipv4, ipv6, uri.
std::string_view format_pattern(std::string_view format);

}  // namespace sluice
