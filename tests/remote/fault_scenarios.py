"""What the fault server plays: scenario names and what each does."""

import asyncio
import base64
import dataclasses
import email.utils
import json
import re
import time

from fault_encodings import ENCODINGS
from fault_wire import TIME, WEATHER, Answer, Tool, format_of, joined

MODIFIERS = {"split", "crlf", "cr", "bom", "keep-alive", "close", "lines", "no-space", "slow", "no-done", "whole"}
MODIFIERS |= {"one-line-end", "done-in-quotes", "done-in-small"} | ENCODINGS.keys()


def step(scenario, number):
    """(name, modifiers) of request `number` (from 1) of "A.then.BxN.then.C+modifier~key"."""
    plays = scenario.partition("~")[0].split(".then.")
    for play in plays:
        match = re.fullmatch(r"(.+)x(\d+)", play)
        times = int(match[2]) if match else 1
        if number <= times or play is plays[-1]:
            name, *modifiers = (match[1] if match else play).split("+")
            if name in MODIFIERS:  # alone: of the plain answer
                return "answer", {name, *modifiers}
            return name, set(modifiers)
        number -= times
    return "answer", set()


async def play(name, request, reply, state):
    if request.method == "GET" and request.service.endswith(LISTS) and keeps_lists(name):
        await look_up(request, reply)
    elif name in SCENARIOS:
        await SCENARIOS[name](request, reply, state)
    elif name in ANSWERS:
        await give(request, reply, ANSWERS[name]())
    elif name in ERRORS:
        await refuse(request, reply, name)
    else:
        for pattern, function in PATTERNS.items():
            if match := re.fullmatch(pattern, name):
                await function(request, reply, state, match[1])
                return
        await reply.whole(404, {"error": {"message": f"no scenario is called {name}"}})


async def refuse_tunnel(request, reply):
    """As a proxy, to CONNECT: the status that the host's name says, "status-407.invalid:443"."""
    status = int(re.match(r"status-(\d+)\.", request.target)[1])
    wanted = [("Proxy-Authenticate", 'Basic realm="proxy"')] if status == 407 else []
    await reply.whole(status, "<html><title>Proxy</title></html>", "text/html", wanted)


LISTS = ("/models", "/user/balance")


def keeps_lists(name):
    return name not in ERRORS and name not in CONNECTIONS and not name.startswith("status-")


async def look_up(request, reply):
    if request.service.endswith("/models"):
        ids = ("deepseek-flash", "deepseek-v4-pro")
        data = [{"id": name, "object": "model", "owned_by": "deepseek"} for name in ids]
        await reply.whole(200, {"object": "list", "data": data})
    else:
        amounts = {"total_balance": "110.00", "granted_balance": "10.00", "topped_up_balance": "100.00"}
        await reply.whole(200, {"is_available": True, "balance_infos": [{"currency": "USD"} | amounts]})


async def give(request, reply, answer):
    """The answer in the request's format, streamed if it asks for a stream."""
    _, events_of, whole_of = format_of(request.path)
    if answer.model == Answer.model:
        answer.model = request.json().get("model", answer.model)
    if not request.json().get("stream") or "whole" in reply.modifiers:
        await reply.whole(200, whole_of(answer))
        return
    answer.done = answer.done and "no-done" not in reply.modifiers
    events = events_of(answer)
    await reply.events(answer.edit(events) if answer.edit else events)


# ---- answers ---------------------------------------------------------------------------------------


def called(*fragments, **more):
    """One tool call with these arguments."""
    return Answer(content=[], tools=[Tool("call_00_a", "get_weather", list(fragments))], finish="tool_calls", **more)


def two_calls(first=WEATHER.id, second=TIME.id, **more):
    tools = [dataclasses.replace(WEATHER, id=first), dataclasses.replace(TIME, id=second)]
    return Answer(content=[], tools=tools, finish=more.pop("finish", "tool_calls"), **more)


def markup(bar, close="tool_calls"):
    """A tool call as the model itself spells it, leaked into the text."""
    mark = f"{bar}DSML{bar}"
    return (
        f'<{mark}tool_calls>\n<{mark}invoke name="get_weather">\n<{mark}parameter name="city" string="true">Oslo'
        f"</{mark}parameter>\n</{mark}invoke>\n</{mark}{close}>"
    )


def with_unknown_events(events):
    """Events and fields that no document names, and pings, between the others."""
    strange = [("ping", {"type": "ping"}), ("x.unheard_of", {"type": "x.unheard_of", "x": [1, {"y": None}]})]
    if events[0][0] is None:
        strange = [(None, {"id": "c1", "object": "x", "choices": []})]
        for _, data in events:
            if isinstance(data, dict) and data["choices"]:
                data["choices"][0]["delta"]["x_unheard_of"] = {"y": [None]}
    return events[:1] + strange + events[1:2] + strange + events[2:]


WIDE = "\uff5c"
LEAK = "Let me look.\n\n"
ANSWERS = {
    "answer": Answer,
    "plain": lambda: Answer(reasoning=None),
    "tool": lambda: called(*WEATHER.fragments),
    "tools": two_calls,
    "tools-stop": lambda: two_calls(finish="stop"),
    "tools-text": lambda: dataclasses.replace(two_calls(), content=["Let me", " look."]),
    "ids-missing": lambda: two_calls(None, None),
    "ids-blank": lambda: two_calls("", ""),
    "ids-duplicate": lambda: two_calls("call_x", "call_x"),
    "late-names-null": lambda: two_calls(late_names=None),
    "late-names-blank": lambda: two_calls(late_names=""),
    "empty-tool-lists": lambda: Answer(empty_tool_lists=True),
    "arguments-empty": lambda: called(""),
    "arguments-null": lambda: called("null"),
    "arguments-string": lambda: called(json.dumps('{"city":"Oslo"}')),
    "arguments-wrapped": lambda: called('{"arguments":', '{"city":"Oslo"}}'),
    "arguments-input": lambda: called('{"input":{"city":"Oslo"}}'),
    "arguments-fenced": lambda: called('```json\n{"city":"Oslo"}\n```'),
    "arguments-truncated": lambda: called('{"city":', '"Os'),
    "unknown-tool": lambda: Answer(content=[], tools=[Tool("call_z", "no_such_tool", ["{}"])], finish="tool_calls"),
    "reasoning-empty": lambda: Answer(reasoning=[]),
    "reasoning-null": lambda: Answer(reasoning=[None]),
    "reasoning-absent": lambda: Answer(reasoning=None),
    "reasoning-field": lambda: Answer(reasoning_fields=("reasoning",)),
    "reasoning-details": lambda: Answer(reasoning_fields=("reasoning", "reasoning_details")),
    "reasoning-only": lambda: Answer(content=[]),
    "truncated-in-reasoning": lambda: Answer(content=[], finish="length"),
    "empty": lambda: Answer(reasoning=None, content=[]),
    "finish-null": lambda: Answer(finish=None),
    "no-finish": lambda: Answer(finish=False, done=False),
    "no-done": lambda: Answer(done=False),
    "usage-finish": Answer,
    "usage-separate": lambda: Answer(usage="separate"),
    "usage-absent": lambda: Answer(usage="absent"),
    "usage-null": lambda: Answer(usage="null"),
    "markup": lambda: Answer(content=list(LEAK + markup(WIDE))),
    "markup-ascii": lambda: Answer(content=list(LEAK + markup("|"))),
    "markup-double": lambda: Answer(content=list(LEAK + markup(2 * WIDE))),
    "markup-norm": lambda: Answer(content=list(LEAK + markup("\u2016"))),
    "markup-reasoning": lambda: Answer(reasoning=list("I must look." + markup(WIDE)), content=[]),
    "markup-cut": lambda: Answer(content=list((LEAK + markup(WIDE))[:60]), finish="length"),
    "less-than-tail": lambda: Answer(content=["1 is less than", " 2 <"]),
    "json": lambda: Answer(reasoning=None, content=['{"answer"', ': "4", "sure": true}']),
    "json-fenced": lambda: Answer(reasoning=None, content=["Here you are:\n```json\n", '{"answer": "4"}', "\n```"]),
    "json-wrong": lambda: Answer(reasoning=None, content=['{"answer": 4, "extra"', ": []}"]),
    "model-mismatch": lambda: Answer(model="deepseek-other"),
    "unknown-events": lambda: Answer(edit=with_unknown_events),
}


# ---- refusals --------------------------------------------------------------------------------------

HTML = "<html><head><title>Bad gateway</title></head><body><h1>nginx</h1></body></html>"
INVALID = "invalid_request_error"
REASONING = "The `reasoning_content` in the thinking mode must be passed back to the API."
# name -> status, message, type, headers; the message may be a whole body of another form
ERRORS = {
    "400-role": (
        400,
        "Failed to deserialize the JSON body into the target type: messages[0].role: unknown variant `developer`, "
        "expected one of `system`, `user`, `assistant`, `tool`, `latest_reminder` at line 1 column 97",
        INVALID,
    ),
    "400-reasoning": (400, REASONING, INVALID),
    "400-thinking": (
        400,
        "The `content[].thinking` in the thinking mode must be passed back to the API.",
        INVALID,
    ),
    "400-context": (
        400,
        "This model's maximum context length is 1048576 tokens. However, you requested 1049600 tokens "
        "(656384 in the messages, 393216 in the completion). Please reduce the length of the messages or completion.",
        INVALID,
    ),
    "400-content": (400, "content or tool_calls must be set", INVALID),
    "400-risk": (400, "Content Exists Risk", INVALID),
    "400-max-tokens": (400, "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]", INVALID),
    "400-clamp": (400, "max_tokens is too large: 384000. This model supports at most 131072", INVALID),
    "401-key": (401, "Authentication Fails, Your api key: ****{tail} is invalid", "authentication_error"),
    "401-header": (
        401,
        "Authentication Fails (auth header format should be Bearer sk-...)",
        "authentication_error",
    ),
    "402": (402, "Insufficient Balance", "unknown_error"),
    "413": (413, "Request body is too large", INVALID),
    "422": (422, "temperature must be in [0, 2]", INVALID),
    "429": (429, "Rate limit reached for TPM", "rate_limit_error"),
    "429-seconds": (429, "Too many requests", "rate_limit_error", lambda: [("Retry-After", "1")]),
    "429-date": (
        429,
        "Too many requests",
        "rate_limit_error",
        lambda: [("Retry-After", email.utils.formatdate(time.time() + 2, usegmt=True))],
    ),
    "429-ms": (429, "Too many requests", "rate_limit_error", lambda: [("Retry-After-Ms", "20"), ("Retry-After", "9")]),
    "429-huge": (429, "Too many requests", "rate_limit_error", lambda: [("Retry-After", "86400")]),
    "429-balance": (
        429,
        "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your remaining balance. "
        "Please top up your balance to restore your concurrency.",
        "rate_limit_error",
    ),
    "429-quota": (429, "You exceeded your current quota, your balance is exhausted", "insufficient_quota"),
    "500": (500, "Internal Server Error", "server_error"),
    "502": (502, HTML.encode(), "text/html"),
    "503": (503, "Service is too busy. Please try again later.", "service_unavailable_error"),
    "504": (504, HTML.encode(), "text/html"),
    "529": (529, "Overloaded", "overloaded_error"),
    "octet-stream": (400, "Model Not Exist", INVALID),
    "200-error": (200, "Service is too busy. Please try again later.", "service_unavailable_error"),
    "200-html": (200, HTML.encode(), "text/html"),
    "200-text": (200, b"Service overloaded, please wait", "text/plain"),
    "200-events-json": (200, b'{"code": 50505, "message": "Service overloaded"}', "text/event-stream"),
    "200-events-text": (200, b"Service overloaded", "text/event-stream"),
    "200-last-line": (200, b'data: {"code": 503, "message": "Service overloaded"}', "text/event-stream"),
    "200-empty": (200, b"", "application/json"),
    "200-blank": (200, b"\n\n\n", "application/json"),
    "200-cut": (200, b'{"id":"c1","object":"chat.completion","choices":[{"index":0,"mess', "application/json"),
    "redirect": (307, "Moved", INVALID, lambda: [("Location", "/s/answer/chat/completions")]),
}
OCTET_STREAM = {"octet-stream", "200-error"}


async def refuse(request, reply, name):
    status, text, kind, *headers = ERRORS[name]
    headers = headers[0]() if headers else []
    if isinstance(text, bytes):
        await reply.whole(status, text, kind, headers)
        return
    key = request.headers.get("x-api-key") or request.headers.get("authorization", "")
    body = {"message": text.replace("{tail}", key[-4:]), "type": kind, "param": None, "code": INVALID}
    if name == "529":
        body = {"type": kind, "message": text}
    content_type = "application/octet-stream" if name in OCTET_STREAM else "application/json"
    shape = {"type": "error"} if name == "529" else {}
    await reply.whole(status, shape | {"error": body}, content_type, headers)


async def refuse_as(reply, text, status=400, kind=INVALID):
    await reply.whole(status, {"error": {"message": text, "type": kind, "param": None, "code": kind}})


# ---- what happens to the connection ----------------------------------------------------------------


async def some_events(request, reply, count=3):
    _, events_of, _ = format_of(request.path)
    events = events_of(Answer())
    await reply.begin_events()
    for name, data in events[:count]:
        await reply.event(name, data)
    return events[count:]


async def hang(request, reply, state):
    await reply.hang()


async def hang_headers(request, reply, state):
    await reply.begin_events()
    await reply.hang()


async def stall(request, reply, state):
    await some_events(request, reply)
    await reply.hang()


async def comments(request, reply, state, count="0"):
    """Comments every 20 ms; after `count` of them the answer, with 0 never."""
    await reply.begin_events()
    sent = 0
    while sent == 0 or sent != int(count):
        await reply.comment("keep-alive")
        await asyncio.sleep(0.02)
        sent += 1
    _, events_of, _ = format_of(request.path)
    for name, data in events_of(Answer()):
        await reply.event(name, data)
    await reply.end()


async def comment_flood(request, reply, state):
    await reply.begin_events()
    while True:
        await reply.data(b": keep-alive\n\n" * 4096)


async def stall_comments(request, reply, state):
    await some_events(request, reply)
    while True:
        await reply.comment("keep-alive")
        await asyncio.sleep(0.02)


async def trickle(request, reply, state):
    """A token every 20 ms, for minutes."""
    answer = Answer(reasoning=None, content=["tick "] * 10_000)
    await reply.begin_events()
    for name, data in format_of(request.path)[1](answer):
        await reply.event(name, data)
        await asyncio.sleep(0.02)
    await reply.end()


async def reset_before_headers(request, reply, state):
    reply.reset()


async def close_before_headers(request, reply, state):
    reply.close()


async def reset_after_headers(request, reply, state):
    await reply.begin_events()
    await asyncio.sleep(0.05)  # a reset overtakes what the client has not read yet
    reply.reset()


async def half_event(request, reply):
    name, data = (await some_events(request, reply))[0]
    event = reply.event_bytes(name, data)
    await reply.data(event[: len(event) // 2])
    await asyncio.sleep(0.05)


async def reset_mid_event(request, reply, state):
    await half_event(request, reply)
    reply.reset()


async def reset_after_finish(request, reply, state):
    await reply.begin_events()
    for name, data in format_of(request.path)[1](Answer(done=False)):
        await reply.event(name, data)
    await asyncio.sleep(0.05)
    reply.reset()


async def close_mid_event(request, reply, state):
    await half_event(request, reply)
    reply.close()


async def end_mid_event(request, reply, state):
    """The body ends in order, but amid an event."""
    await half_event(request, reply)
    await reply.end()


async def garbage(request, reply, state):
    """No HTTP at all, and it quotes the key."""
    await reply.send(f"{request.headers.get('authorization', '')}\r\n\r\n".encode())
    reply.close()


async def interim(request, reply, state):
    """103 before the answer, a trailer after it."""
    await reply.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-Interim: 1\r\n\r\n")
    await reply.head(200, "text/plain")
    await reply.data(b"body")
    await reply.send(b"0\r\nX-Trailer: 1\r\n\r\n")


async def header_flood(request, reply, state):
    await reply.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await reply.send(b"".join(b"X-%d: %s\r\n" % (i, 1000 * b"x") for i in range(64)))


async def echo(request, reply, state):
    entry = {"method": request.method, "path": request.service, "headers": request.headers}
    await reply.whole(200, entry | {"body": request.body.decode()})


async def bomb(request, reply, state, size):
    """An event of that many bytes; with an encoding next to nothing that is sent, in one piece."""
    await reply.whole(200, b"data: " + b"x" * int(size), "text/event-stream")


async def error_bomb(request, reply, state, size):
    """The same as the words of an error."""
    await reply.whole(500, b'{"error": {"message": "' + b"x" * int(size) + b'"}}')


TAILS = {
    "json": '{"error": {"message": "Service overloaded", "code": 503}}',
    "list": '[{"error": {"message": "Service overloaded", "code": 503}}]',
    "page": "<html><title>Gateway</title></html>",
    "text": "bye",
}


async def raw_tail(request, reply, state, kind):
    """What is no event behind some events."""
    events = format_of(request.path)[1](Answer())
    await reply.begin_events()
    for name, data in events[:4]:
        await reply.event(name, data)
    await reply.data(TAILS[kind].encode())
    await reply.end()


async def string_body(request, reply, state):
    await reply.whole(200, '"quota exceeded"')


async def big(request, reply, state, size):
    """That many bytes; byte i is i mod 251."""
    piece, left = bytes(i % 251 for i in range(251 * 256)), int(size)
    await reply.head(200, "application/octet-stream", length=left)
    while left > 0:
        await reply.send(piece[:left])
        left -= min(left, len(piece))


# ---- what depends on the request -------------------------------------------------------------------


async def stream_error(request, reply, state, kind, before=4):
    """An error object after some events; a number is its code, a word its type."""
    message = {"message": "Provider returned error", "type": kind, "param": None, "code": kind}
    if kind.isdigit():
        message = {"message": "Provider returned error", "code": int(kind)}
    await some_events(request, reply, before)
    form = format_of(request.path)[0]
    if form == "anthropic":
        await reply.event("error", {"type": "error", "error": message})
    elif form == "responses":
        failed = {"id": "r1", "object": "response", "status": "failed", "error": message, "output": []}
        await reply.event("response.failed", {"type": "response.failed", "sequence_number": 99, "response": failed})
    else:
        await reply.event(None, {"error": message})
    await reply.end()


async def early_error(request, reply, state, kind):
    await stream_error(request, reply, state, kind, before=0)


async def finish(request, reply, state, reason):
    await give(request, reply, Answer(finish=reason))


async def chunks(request, reply, state, count):
    """Content of that many characters, one in each event."""
    await give(request, reply, Answer(reasoning=None, content=["x"] * int(count)))


async def status(request, reply, state, code):
    await refuse_as(reply, f"status {code}", int(code))


async def spill(request, reply, state, code):
    """An error that tells what the request's headers hold: whole, in pieces, coded."""
    told = []
    for name, value in request.headers.items():
        if name in ("authorization", "x-api-key", "x-tenant", "proxy-authorization"):
            word = value.split(" ")[-1]
            half = len(word) // 2
            coded = base64.b64encode(word.encode()).decode()
            quoted = "".join(f"%{ord(c):02X}" if c in "+/@:=" else c for c in word)
            told += [value, word, word[:half], word[half:], word[3:-3], coded, quoted, word[:6] + "..." + word[-4:]]
    text = "\n".join(told)
    where = f"http://{told[1]}@far.invalid/x?session={told[1]}" if told else "/x"
    error = {"message": text, "code": told[1], "type": told[2], "metadata": {"raw": text}, "request_id": told[1]}
    if code == "200":
        await reply.begin_events()
        await reply.event(None, {"model": told[1], "id": told[1], "choices": [], "system_fingerprint": told[2]})
        await reply.event(None, {"error": error})
        await reply.end()
        return
    await reply.whole(int(code), {"error": error, "where": where}, headers=[("Location", where)])


async def limit(request, reply, state, most):
    """At most that many requests at once, each of which takes 50 ms."""
    if state["active"] > int(most):
        await refuse_as(
            reply,
            f"Your current concurrency is {state['active']}, which exceeds your concurrency limit of {most} based on "
            "your remaining balance. Please top up your balance to restore your concurrency.",
            429,
            "rate_limit_error",
        )
        return
    await asyncio.sleep(0.05)
    await give(request, reply, Answer())


async def json_whitespace(request, reply, state):
    """JSON mode gone wrong: blanks until max_tokens."""
    await give(request, reply, Answer(reasoning=None, content=["{"] + ["\n    "] * 4096, finish="length"))


async def json_whitespace_endless(request, reply, state):
    """The same until the client goes: more than the buffers between them hold."""
    await reply.begin_events()
    _, (name, data), *_ = format_of(request.path)[1](Answer(reasoning=None, content=["\n    "]))
    while True:
        await reply.event(name, data)


async def thinking_off(request, reply, state):
    """400 as long as thinking is on: the history lacks reasoning."""
    if request.json().get("thinking", {}).get("type") != "disabled":
        await refuse_as(reply, REASONING)
    else:
        await give(request, reply, Answer(reasoning=None))


async def thinking_unknown(request, reply, state):
    """400 as long as a field says how to think, in a gateway's words."""
    known = {"thinking", "reasoning_effort", "reasoning"} & set(request.json())
    if known:
        names = ", ".join(f"'{name}'" for name in sorted(known))
        await refuse_as(reply, f"UnsupportedParamsError: it does not support parameters: [{names}], for model=m.")
    else:
        await give(request, reply, Answer(reasoning=None))


async def clamp(request, reply, state, most):
    asked = request.json().get("max_tokens", 0)
    if asked > int(most):
        await refuse_as(reply, f"max_tokens is too large: {asked}. This model supports at most {most}")
    else:
        await give(request, reply, Answer())


async def model_len(request, reply, state, most):
    """As vLLM: an answer is at most what the prompt, here 10 tokens, leaves of the context."""
    asked = request.json().get("max_tokens", 0)
    if asked > int(most):
        await refuse_as(reply, f"max_tokens={asked} cannot be greater than max_model_len=max_total_tokens={most}.")
    elif asked > int(most) - 10:
        await refuse_as(
            reply,
            f"This model's maximum context length is {most} tokens. However, you requested {asked + 10} tokens "
            f"(10 in the messages, {asked} in the completion).",
        )
    else:
        await give(request, reply, Answer())


async def strict(request, reply, state):
    """Refuses what the official host refuses."""
    body = request.json()
    messages = body.get("messages", [])
    forced = body.get("tool_choice") not in (None, "auto", "none")
    thinking = body.get("thinking", {}).get("type", "enabled") == "enabled"
    if any(message["role"] == "developer" for message in messages):
        await refuse_as(reply, ERRORS["400-role"][1])
    elif forced and thinking:
        await refuse_as(reply, "tool_choice must be auto or none in the thinking mode")
    elif "stream_options" in body and not body.get("stream"):
        await refuse_as(reply, "stream_options should be set along with stream = true")
    elif any(m["role"] == "assistant" and m.get("content") is None and not m.get("tool_calls") for m in messages):
        await refuse_as(reply, ERRORS["400-content"][1])
    else:
        await give(request, reply, Answer())


# The loop asks for two tools twice, then answers. Spelled to break whoever spells it anew.
ROUNDS = [
    (
        ["Round 1:  two  spaces,\ttab, \"quotes\", ", "caf\u00e9 \u2028 \U0001f600 </think>\n"],
        ['{"city" :  "Z\\u00fcrich", "n": 1.0, ', '"big": 12345678901234567890}'],
        ['{"b":1,"a":[ ]}'],
    ),
    ([" Round 2"], ["{}"], ['{"x":"\\/\\u0041","x":2}']),
]


def earlier_turns(form, body):
    """(reasoning texts, arguments) of the assistant's turns, in order."""
    reasoning, arguments = [], []
    for item in body.get("input") or [] if form == "responses" else body.get("messages", []):
        if form == "openai" and item.get("role") == "assistant":
            reasoning.append(item.get("reasoning_content", item.get("reasoning")))
            arguments += [call["function"]["arguments"] for call in item.get("tool_calls") or []]
        if form == "anthropic" and item.get("role") == "assistant":
            blocks = [block for block in item["content"] if isinstance(block, dict)]
            signed = [block for block in blocks if block["type"] == "thinking" and block.get("signature") == "opaque"]
            reasoning.append(joined(block["thinking"] for block in signed) if signed else None)
            arguments += [block["input"] for block in blocks if block["type"] == "tool_use"]
        if form == "responses" and item.get("type") == "reasoning":
            reasoning.append(joined(part["text"] for part in item["content"]))
        if form == "responses" and item.get("type") == "function_call":
            arguments.append(item["arguments"])
    return reasoning, arguments


async def tool_loop(request, reply, state):
    """Refuses every request that does not give back exactly what earlier rounds said."""
    form = format_of(request.path)[0]
    reasoning, arguments = earlier_turns(form, request.json())
    done = len(arguments) // 2
    sent = [joined(text) for _, *calls in ROUNDS[:done] for text in calls]
    if form == "anthropic":
        sent = [json.loads(text) for text in sent]
    thought = [joined(pieces) for pieces, *_ in ROUNDS[:done]]
    thought += [joined(Answer().reasoning)] * (len(reasoning) - len(thought))
    if reasoning != thought:
        await refuse_as(reply, ERRORS["400-thinking"][1] if form == "anthropic" else REASONING)
    elif arguments != sent:
        await refuse_as(reply, f"arguments were not passed back as they came: {arguments}")
    elif done == len(ROUNDS):
        await give(request, reply, Answer())
    else:
        pieces, first, second = ROUNDS[done]
        tools = [Tool(f"call_{done}_a", "get_weather", first), Tool(f"call_{done}_b", "get_time", second)]
        await give(request, reply, Answer(reasoning=pieces, content=[], tools=tools, finish="tool_calls"))


async def tool_turn(request, reply, state):
    """Asks for the weather once, then answers; refuses what does not give back its reasoning and its arguments."""
    form = format_of(request.path)[0]
    reasoning, arguments = earlier_turns(form, request.json())
    said = joined(WEATHER.fragments)
    if not arguments:
        await give(request, reply, Answer(content=[], tools=[WEATHER], finish="tool_calls"))
    elif reasoning != [joined(Answer().reasoning)]:
        await refuse_as(reply, REASONING)
    elif arguments != [json.loads(said) if form == "anthropic" else said]:
        await refuse_as(reply, f"arguments were not passed back as they came: {arguments}")
    else:
        await give(request, reply, Answer())


# These answer every path in their way; all others give the list of models and the balance.
CONNECTIONS = {
    "hang": hang,
    "hang-headers": hang_headers,
    "stall": stall,
    "stall-comments": stall_comments,
    "comments": comments,
    "comment-flood": comment_flood,
    "trickle": trickle,
    "reset-before-headers": reset_before_headers,
    "close-before-headers": close_before_headers,
    "reset-after-headers": reset_after_headers,
    "reset-mid-event": reset_mid_event,
    "reset-after-finish": reset_after_finish,
    "close-mid-event": close_mid_event,
    "end-mid-event": end_mid_event,
    "garbage": garbage,
    "interim": interim,
    "header-flood": header_flood,
    "echo": echo,
}
SCENARIOS = CONNECTIONS | {
    "200-string": string_body,
    "json-whitespace": json_whitespace,
    "json-whitespace-endless": json_whitespace_endless,
    "strict": strict,
    "thinking-off": thinking_off,
    "thinking-unknown": thinking_unknown,
    "tool-loop": tool_loop,
    "tool-turn": tool_turn,
}
PATTERNS = {
    r"big-(\d+)": big,
    r"bomb-(\d+)": bomb,
    r"error-bomb-(\d+)": error_bomb,
    r"chunks-(\d+)": chunks,
    r"clamp-(\d+)": clamp,
    r"comments-(\d+)": comments,
    r"early-error-(\w+)": early_error,
    r"finish-(\w+)": finish,
    r"limit-(\d+)": limit,
    r"model-len-(\d+)": model_len,
    r"raw-tail-(\w+)": raw_tail,
    r"spill-(\d+)": spill,
    r"status-(\d+)": status,
    r"stream-error-(\w+)": stream_error,
}
