// Where the files of a recorded exchange lie and what their lines are:
// what recorder and replay agree on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finback {

inline constexpr char kRequestFile[] = "request.json";
inline constexpr char kResponseFile[] = "response.json";
inline constexpr char kBodyFile[] = "response.sse";
inline constexpr char kEventsFile[] = "events.jsonl";
inline constexpr char kErrorFile[] = "error.json";

// What stands around the body's bytes in request.json.
inline constexpr char kBodyMark[] = "\n\"body\": ";
inline constexpr char kBodyEnd[] = "\n}\n";

// The folder of exchange 1, 2, ...
std::string RecordPlace(const std::string& folder, int number);

// A request's body as it is recorded: without keys; a JSON string if it is no JSON.
std::string RecordedBody(std::string_view body, const std::vector<std::string>& secrets);

}  // namespace finback
