// What a terminal needs: dim text, and text of a model shown harmlessly.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

bool IsTerminal(std::FILE* file);

// Dim text may be used on this terminal (NO_COLOR and TERM=dumb are respected).
bool MayStyle(std::FILE* file);

// Control characters but newline and tab become U+FFFD, so that a model cannot steer the terminal.
std::string WithoutControls(std::string_view text);
