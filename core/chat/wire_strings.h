// The literal prompt strings the models were trained on, from DeepSeek's published prompt encoder.
// Protocol data: byte exact, and checked against their SHA-256 by a test. Never edit.
// \uFF5C is the fullwidth bar, \u2581 the lower block, \u2014 the em dash.
#pragma once

#include <string_view>

namespace finback::wire {

inline constexpr std::string_view kBos = "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>";
inline constexpr std::string_view kEos = "<\uFF5Cend\u2581of\u2581sentence\uFF5C>";
inline constexpr std::string_view kUser = "<\uFF5CUser\uFF5C>";
inline constexpr std::string_view kAssistant = "<\uFF5CAssistant\uFF5C>";
inline constexpr std::string_view kLatestReminder = "<\uFF5Clatest_reminder\uFF5C>";
inline constexpr std::string_view kThinkOpen = "<think>";
inline constexpr std::string_view kThinkClose = "</think>";
inline constexpr std::string_view kDsml = "\uFF5CDSML\uFF5C";  // one token; brackets are plain text

inline constexpr std::string_view kTasks[] = {"action", "query", "authority",
                                              "domain", "title", "read_url"};
inline constexpr std::string_view kTaskOpen = "<\uFF5C";
inline constexpr std::string_view kTaskClose = "\uFF5C>";

inline constexpr std::string_view kToolResultOpen = "<tool_result>";
inline constexpr std::string_view kToolResultClose = "</tool_result>";

// The tool block of an assistant turn.
inline constexpr std::string_view kToolCallsMarker = "\n\n<\uFF5CDSML\uFF5Ctool_calls";
inline constexpr std::string_view kToolCallsClose = "</\uFF5CDSML\uFF5Ctool_calls>";
inline constexpr std::string_view kInvokeOpen = "<\uFF5CDSML\uFF5Cinvoke";
inline constexpr std::string_view kInvokeClose = "</\uFF5CDSML\uFF5Cinvoke";
inline constexpr std::string_view kParameterOpen = "<\uFF5CDSML\uFF5Cparameter";
inline constexpr std::string_view kParameterClose = "</\uFF5CDSML\uFF5Cparameter";

inline constexpr std::string_view kEffortMax =
    "Reasoning Effort: Absolute maximum with no shortcuts permitted.\n"
    "You MUST be very thorough in your thinking and comprehensively decompose the problem to "
    "resolve the root cause, rigorously stress-testing your logic against all potential paths, "
    "edge cases, and adversarial scenarios.\n"
    "Explicitly write out your entire deliberation process, documenting every intermediate step, "
    "considered alternative, and rejected hypothesis to ensure absolutely no assumption is left "
    "unchecked.\n\n";

// `max` of the 0731 ladder, where `high` is the text above.
inline constexpr std::string_view kEffortBeyondMax =
    "Reasoning Effort: Beyond maximum \u2014 exhaustive, relentless, and uncompromising.\n"
    "You MUST reason with the utmost depth and rigor, leaving absolutely nothing to chance: "
    "exhaustively decompose the problem into its most fundamental components, trace every "
    "causal chain to its root, and resolve the underlying cause rather than any surface symptom.\n"
    "Do not stop reasoning until you have independently verified the solution from multiple "
    "angles and are certain that no assumption remains unchecked and no error remains "
    "undiscovered.\n\n";

// The tools section, before and after the schemas (one JSON line each).
inline constexpr std::string_view kToolsBefore =
    "## Tools\n\n"
    "You have access to a set of tools to help answer the user's question. You can invoke tools by "
    "writing a \"<\uFF5CDSML\uFF5Ctool_calls>\" block like the following:\n\n"
    "<\uFF5CDSML\uFF5Ctool_calls>\n"
    "<\uFF5CDSML\uFF5Cinvoke name=\"$TOOL_NAME\">\n"
    "<\uFF5CDSML\uFF5Cparameter name=\"$PARAMETER_NAME\" string=\"true|false\">$PARAMETER_VALUE"
    "</\uFF5CDSML\uFF5Cparameter>\n"
    "...\n"
    "</\uFF5CDSML\uFF5Cinvoke>\n"
    "<\uFF5CDSML\uFF5Cinvoke name=\"$TOOL_NAME2\">\n"
    "...\n"
    "</\uFF5CDSML\uFF5Cinvoke>\n"
    "</\uFF5CDSML\uFF5Ctool_calls>\n\n"
    "String parameters should be specified as is and set `string=\"true\"`. For all other types "
    "(numbers, booleans, arrays, objects), pass the value in JSON format and set "
    "`string=\"false\"`.\n\n"
    "If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning "
    "inside <think>...</think> BEFORE any tool calls or final response.\n\n"
    "Otherwise, output directly after </think> with tool calls or final response.\n\n"
    "### Available Tool Schemas\n\n";
inline constexpr std::string_view kToolsAfter =
    "\n\nYou MUST strictly follow the above defined tool name and parameter schemas to invoke tool "
    "calls.\n";

inline constexpr std::string_view kResponseFormat =
    "## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n";

// What services show a model for response_format json_object.
inline constexpr std::string_view kJsonObject =
    "You are a helpful assistant designed to output JSON.\n"
    "## Response Format:\n\nReply with JSON object ONLY.";

}  // namespace finback::wire
