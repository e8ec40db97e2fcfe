// The JSON files of this folder, compiled in. Each has a comment field that says where its figures
// come from and when they were true.
#pragma once

namespace finback {

extern const char kPricesJson[];    // prices.json
extern const char kCalendarJson[];  // calendar.json

}  // namespace finback
