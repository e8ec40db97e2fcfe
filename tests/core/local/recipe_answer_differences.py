"""Where Finback reads a model's answer otherwise than DeepSeek's official converter, on purpose.

The generator of compare_recipe_answers.py plants each of these by its name. Beside the answer stands its twin, written so that
both must read it alike: what Finback reads in the answer has to be what the converter reads in the twin, byte for byte. So
nothing else of such an answer escapes the comparison. A difference that no answer shows any more is to be removed.
"""

# name: reason
PLANTED = {
    "think tags": "think tags out of place are never text; the converter keeps `<think>`, and newlines around the others",
    "thought unasked": "an answer that opens with `<think>` has reasoning, also where none was asked for",
    "spelling of think tags": "reasoning ends at any usual spelling of its tag; the converter takes the answer for reasoning",
    "thought again": "what stands in think tags where the content would begin is reasoning too",
    "begin token": "a begin-of-sentence token is never text",
    "end token": "an end-of-sentence token that comes as text ends the answer",
    "tags that make no call": "are text; the converter drops all that follows one, in reasoning too",
    "tags in values": "what looks like a tag is part of a value unless it ends the parameter or its call",
    "value that is no JSON": "is a JSON string, so that arguments are JSON whatever a model writes",
    "names": "blanks, quotes and backslashes in names are read as they are; the converter's arguments are no JSON then",
    "spelling of tags": "attributes in any order, in either quotes or none, others beside them, or without `string`",
    "body in JSON": "a call whose body is a JSON object has that as its arguments; the converter says {}",
    "missing end of a call": "a call that begins ends the one before; the converter makes one of both",
    "text between calls": "is content; the converter drops it",
    "empty block": "a block without calls is none, and text goes on behind it; the converter drops that",
    "block in a line of reasoning": "is text that speaks of markup; a block counts there at the beginning of a line",
    "newline that stops": "newlines before the content are none of it, so a stop string `\\n` does not stop there",
    "stop string in a tag": "stop strings count in content; the converter finds those with which a tag begins",
    "json_object": "content is what the model wrote; the converter makes blanks of what stands around the JSON",
    "continued content": "newlines stay where an answer goes on; the converter drops them when not thinking",
}

# Found by what the answer is, not planted.
FOUND = {
    "cut in a call": "what is told of a name, number or word before its end: of a cut call one has a little more",
    "newlines behind a bracket": "at the seams they are left out; the converter keeps one behind what could begin a tag",
    "broken markup": "mutated at random: only what stands before the damage is compared",
}
