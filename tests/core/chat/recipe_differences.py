"""Where Finback differs from DeepSeek's official converter on purpose, in prompts.

Each entry has what it is about, a predicate over the request that was compared, and its reason. A request that an entry
matches is not compared; an entry that no request needs any more is to be removed.
"""
import json


def arguments_of(body):
    return [call["function"]["arguments"] for message in body["messages"] for call in message.get("tool_calls") or []]


def holds_number_of_other_spelling(body):
    """Anything whose numbers Python does not print as Rust does."""

    def any_number(value):
        if isinstance(value, dict):
            return any(any_number(v) for v in value.values())
        if isinstance(value, list):
            return any(any_number(v) for v in value)
        if isinstance(value, int) and not isinstance(value, bool):
            return not -2**63 <= value < 2**64
        return isinstance(value, float) and "e" in repr(value)

    for text in arguments_of(body):
        if "-0" in text:  # an integer there, -0.0 to the converter
            return True
        try:
            if any_number(json.loads(text)):
                return True
        except ValueError:
            continue
    return any_number(body.get("tools")) or any_number(body.get("response_format"))


# (about, predicate over the request, reason)
PROMPTS = [
    ("numbers", holds_number_of_other_spelling,
     "numbers are printed as the published encoder prints them, in both dialects"),
]
