// GBNF, llama.cpp's notation for grammars:
//
//     # a comment
//     root   ::= "yes" | "no" | number ("," number){0,3}
//     number ::= [0-9]+ ("." [^a-z]*)? .
//
// Literals and classes know \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH; `.` is any character; * + ? {n} {n,}
// {,n} {n,m} repeat what stands before them. A rule ends with its line, except inside parentheses and after
// ::= and |. <name> is a control token of the vocabulary, such as <|python_tag|>.
#pragma once

#include <string_view>

#include "text/grammar/rules.h"

namespace sluice {

/// Throws invalid_argument with line and column, what was expected and what was found.
GrammarRules parse_gbnf(std::string_view text);

}  // namespace sluice
