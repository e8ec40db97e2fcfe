"""One answer in each wire format: as the events of a stream and as a whole body."""

import dataclasses
import itertools
import json


@dataclasses.dataclass
class Tool:
    id: object  # None: left out
    name: str
    fragments: list


WEATHER = Tool("call_00_a", "get_weather", ['{"city":', '"Oslo"}'])
TIME = Tool("call_01_b", "get_time", ["{}"])


@dataclasses.dataclass
class Answer:
    reasoning: object = dataclasses.field(default_factory=lambda: ["Two and", " two", " make four."])
    content: list = dataclasses.field(default_factory=lambda: ["It is", " 4, na\u00efve", " \u2713 \U0001f600."])
    tools: list = dataclasses.field(default_factory=list)
    finish: object = "stop"  # in OpenAI's words
    usage: str = "finish"  # or separate, absent, null
    model: str = "deepseek-flash"
    reasoning_fields: tuple = ("reasoning_content",)
    late_names: object = False  # what later fragments of a tool call say of its name; False: nothing
    empty_tool_lists: bool = False  # amid the reasoning
    done: bool = True
    edit: object = None  # a function over the events of a stream


USAGE = {
    "prompt_tokens": 310,
    "prompt_cache_hit_tokens": 256,
    "prompt_cache_miss_tokens": 54,
    "prompt_tokens_details": {"cached_tokens": 256},
    "completion_tokens": 61,
    "completion_tokens_details": {"reasoning_tokens": 22},
    "total_tokens": 371,
}


def joined(pieces):
    return "".join(piece for piece in pieces or [] if piece)


def reasoning_values(answer, text):
    for field in answer.reasoning_fields:
        if field == "reasoning_details":
            yield field, [{"type": "reasoning.text", "text": text, "signature": "opaque", "format": "x", "index": 0}]
        else:
            yield field, text


# ---- OpenAI ----------------------------------------------------------------------------------------


def openai_deltas(answer):
    first = {"role": "assistant", "content": None}
    if answer.reasoning is not None:
        first |= dict(reasoning_values(answer, ""))
    yield first
    for text in answer.reasoning or []:
        yield dict(reasoning_values(answer, text))
        if answer.empty_tool_lists:
            yield {"tool_calls": []}
            yield {"tool_calls": None, "content": None}
    for text in answer.content:
        yield {"content": text}
    for index, tool in enumerate(answer.tools):
        call = {"index": index, "id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": ""}}
        if tool.id is None:
            del call["id"]
        yield {"tool_calls": [call]}
    rounds = itertools.zip_longest(*(tool.fragments for tool in answer.tools))
    for fragments in rounds:
        for index, fragment in enumerate(fragments):
            if fragment is None:
                continue
            call = {"index": index, "function": {"arguments": fragment}}
            if answer.late_names is not False:
                call |= {"id": answer.late_names, "type": answer.late_names}
                call["function"]["name"] = answer.late_names
            yield {"tool_calls": [call]}


def openai_events(answer):
    def chunk(delta, finish=None):
        value = {"id": "c1", "object": "chat.completion.chunk", "created": 1795219201, "model": answer.model}
        value["system_fingerprint"] = "fp_x"
        value["choices"] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        if answer.usage in ("finish", "null"):
            value["usage"] = None
        return value

    chunks = [chunk(delta) for delta in openai_deltas(answer)]
    if answer.finish is not False:
        chunks.append(chunk({"content": "", "role": None, "reasoning_content": None}, answer.finish))
        if answer.usage == "finish":
            chunks[-1]["usage"] = USAGE
        if answer.usage == "separate":
            chunks.append(chunk({}) | {"choices": [], "usage": USAGE})
    return [(None, value) for value in chunks] + ([(None, "[DONE]")] if answer.done else [])


def openai_whole(answer):
    message = {"role": "assistant", "content": joined(answer.content)}
    if answer.reasoning is not None:
        message |= dict(reasoning_values(answer, joined(answer.reasoning)))
    if answer.tools:
        message["tool_calls"] = []
        for tool in answer.tools:
            call = {"id": tool.id, "type": "function"}
            call["function"] = {"name": tool.name, "arguments": joined(tool.fragments)}
            message["tool_calls"].append({key: value for key, value in call.items() if value is not None})
    body = {"id": "c1", "object": "chat.completion", "created": 1795219201, "model": answer.model}
    finish = None if answer.finish is False else answer.finish
    body["choices"] = [{"index": 0, "finish_reason": finish, "logprobs": None, "message": message}]
    if answer.usage != "absent":
        body["usage"] = None if answer.usage == "null" else USAGE
    return body


def fim_events(answer):
    def chunk(text, finish=None):
        choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
        return {"id": "c1", "object": "text_completion", "created": 1, "model": answer.model, "choices": [choice]}

    chunks = [chunk(text) for text in answer.content] + [chunk("", answer.finish) | {"usage": USAGE}]
    return [(None, value) for value in chunks] + [(None, "[DONE]")]


def fim_whole(answer):
    choice = {"text": joined(answer.content), "index": 0, "logprobs": None, "finish_reason": answer.finish}
    body = {"id": "c1", "object": "text_completion", "created": 1, "model": answer.model}
    return body | {"choices": [choice], "usage": USAGE}


# ---- Anthropic -------------------------------------------------------------------------------------

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
ANTHROPIC_USAGE = {"input_tokens": 54, "cache_read_input_tokens": 256, "output_tokens": 61}


def stop_reason(answer):
    return STOP_REASONS.get(answer.finish, answer.finish)


def anthropic_blocks(answer):
    """(the block when it is whole, the block as it starts, its deltas)"""
    if joined(answer.reasoning):
        block = {"type": "thinking", "thinking": joined(answer.reasoning), "signature": "opaque"}
        deltas = [{"type": "thinking_delta", "thinking": text} for text in answer.reasoning]
        deltas.append({"type": "signature_delta", "signature": "opaque"})
        yield block, block | {"thinking": "", "signature": ""}, deltas
    if answer.content:
        block = {"type": "text", "text": joined(answer.content)}
        yield block, block | {"text": ""}, [{"type": "text_delta", "text": text} for text in answer.content]
    for tool in answer.tools:
        try:
            value = json.loads(joined(tool.fragments))
        except ValueError:
            value = {}
        block = {"type": "tool_use", "id": tool.id, "name": tool.name, "input": value}
        deltas = [{"type": "input_json_delta", "partial_json": text} for text in tool.fragments]
        yield block, block | {"input": {}}, deltas


def anthropic_events(answer):
    message = {"id": "m1", "type": "message", "role": "assistant", "model": answer.model, "content": []}
    message |= {"stop_reason": None, "usage": ANTHROPIC_USAGE | {"output_tokens": 0}}
    events = [{"type": "message_start", "message": message}]
    for index, (_, start, deltas) in enumerate(anthropic_blocks(answer)):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    if answer.finish is not False:
        delta = {"stop_reason": stop_reason(answer), "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 61}})
    if answer.done:
        events.append({"type": "message_stop"})
    return [(event["type"], event) for event in events]


def anthropic_whole(answer):
    body = {"id": "m1", "type": "message", "role": "assistant", "model": answer.model}
    body["content"] = [block for block, _, _ in anthropic_blocks(answer)]
    return body | {"stop_reason": stop_reason(answer), "stop_sequence": None, "usage": ANTHROPIC_USAGE}


# ---- Responses -------------------------------------------------------------------------------------

RESPONSES_USAGE = {
    "input_tokens": 310,
    "input_tokens_details": {"cached_tokens": 256},
    "output_tokens": 61,
    "output_tokens_details": {"reasoning_tokens": 22},
    "total_tokens": 371,
}


def responses_items(answer):
    """(the item when it is whole, the item as it starts, what its deltas are called, the deltas)"""
    if joined(answer.reasoning):
        content = [{"type": "reasoning_text", "text": joined(answer.reasoning)}]
        item = {"type": "reasoning", "id": "rs1", "content": content}
        yield item, item | {"content": []}, "reasoning_text", answer.reasoning
    if answer.content:
        content = [{"type": "output_text", "text": joined(answer.content)}]
        item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": content}
        yield item, item | {"status": "in_progress", "content": []}, "output_text", answer.content
    for index, tool in enumerate(answer.tools):
        item = {"type": "function_call", "id": f"fc{index}", "call_id": tool.id, "name": tool.name}
        item |= {"arguments": joined(tool.fragments), "status": "completed"}
        start = item | {"arguments": "", "status": "in_progress"}
        yield item, start, "function_call_arguments", tool.fragments


def responses_whole(answer):
    body = {"id": "r1", "object": "response", "status": "completed", "model": answer.model}
    body["output"] = [item for item, *_ in responses_items(answer)]
    body["usage"] = RESPONSES_USAGE
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    if answer.finish in reasons:
        body |= {"status": "incomplete", "incomplete_details": {"reason": reasons[answer.finish]}}
    elif answer.finish not in ("stop", "tool_calls"):
        body |= {"status": "failed", "error": {"code": "server_error", "message": str(answer.finish)}}
    return body


def responses_events(answer):
    whole = responses_whole(answer)
    start = whole | {"status": "in_progress", "output": [], "usage": None}
    events = [{"type": "response.created", "response": start}, {"type": "response.in_progress", "response": start}]
    for index, (item, empty, kind, deltas) in enumerate(responses_items(answer)):
        where = {"output_index": index, "item_id": item["id"]}
        events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
        parts = [] if kind == "function_call_arguments" else [{"content_index": 0}]
        for part in parts:
            new = {"type": kind, "text": ""}
            events.append({"type": "response.content_part.added"} | where | part | {"part": new})
        more = parts[0] if parts else {}
        events += [{"type": f"response.{kind}.delta"} | where | more | {"delta": text} for text in deltas]
        name = "text" if parts else "arguments"
        events.append({"type": f"response.{kind}.done"} | where | more | {name: joined(deltas)})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    if answer.done and answer.finish is not False:
        events.append({"type": f"response.{whole['status']}", "response": whole})
    for number, event in enumerate(events):
        event["sequence_number"] = number
    return [(event["type"], event) for event in events]


# path -> format: events of a stream, whole body
FORMATS = {
    "/chat/completions": ("openai", openai_events, openai_whole),
    "/completions": ("fim", fim_events, fim_whole),
    "/messages": ("anthropic", anthropic_events, anthropic_whole),
    "/responses": ("responses", responses_events, responses_whole),
}


def format_of(path):
    return next((FORMATS[end] for end in FORMATS if path.endswith(end)), FORMATS["/chat/completions"])
