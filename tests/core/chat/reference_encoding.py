"""An independent implementation of the DeepSeek-V4 prompt encoding, for comparison with core/chat.

Written from the description of the format, in its order of steps: merge, order tool results, drop old
reasoning, render. Messages are plain dicts as they come out of json.loads. Nothing here is shared with
the C++ code; even the wire strings are spelled out again.
"""
import json

BAR, BLOCK = "\uff5c", "\u2581"
BOS = f"<{BAR}begin{BLOCK}of{BLOCK}sentence{BAR}>"
EOS = f"<{BAR}end{BLOCK}of{BLOCK}sentence{BAR}>"
USER, ASSISTANT, REMINDER = f"<{BAR}User{BAR}>", f"<{BAR}Assistant{BAR}>", f"<{BAR}latest_reminder{BAR}>"
DSML = f"{BAR}DSML{BAR}"
TASKS = ("action", "query", "authority", "domain", "title", "read_url")
ROLES = ("system", "developer", "user", "assistant", "tool", "latest_reminder")

EFFORT = {
    "none": "",
    "max": """\
Reasoning Effort: Absolute maximum with no shortcuts permitted.
You MUST be very thorough in your thinking and comprehensively decompose the problem to resolve the root cause, \
rigorously stress-testing your logic against all potential paths, edge cases, and adversarial scenarios.
Explicitly write out your entire deliberation process, documenting every intermediate step, considered alternative, \
and rejected hypothesis to ensure absolutely no assumption is left unchecked.

""",
    "beyond_max": """\
Reasoning Effort: Beyond maximum \u2014 exhaustive, relentless, and uncompromising.
You MUST reason with the utmost depth and rigor, leaving absolutely nothing to chance: exhaustively decompose the \
problem into its most fundamental components, trace every causal chain to its root, and resolve the underlying cause \
rather than any surface symptom.
Do not stop reasoning until you have independently verified the solution from multiple angles and are certain that \
no assumption remains unchecked and no error remains undiscovered.

""",
}

TOOLS = """\
## Tools

You have access to a set of tools to help answer the user's question. You can invoke tools by writing a \
"<@tool_calls>" block like the following:

<@tool_calls>
<@invoke name="$TOOL_NAME">
<@parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</@parameter>
...
</@invoke>
<@invoke name="$TOOL_NAME2">
...
</@invoke>
</@tool_calls>

String parameters should be specified as is and set `string="true"`. For all other types (numbers, booleans, arrays, \
objects), pass the value in JSON format and set `string="false"`.

If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning inside \
<think>...</think> BEFORE any tool calls or final response.

Otherwise, output directly after </think> with tool calls or final response.

### Available Tool Schemas

%SCHEMAS%

You MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.
""".replace("@", DSML)

RESPONSE_FORMAT = """\
## Response Format:

You MUST strictly adhere to the following schema to reply:
"""


class BadRequest(Exception):
    pass


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def part_text(part):
    return part.get("text") or "" if part["type"] == "text" else f"[Unsupported {part['type']}]"


def flat(content):
    """Content as one string; list contents have their parts joined by an empty line."""
    if isinstance(content, list):
        return "\n\n".join(part_text(part) for part in content)
    return content or ""


def merge(messages):
    out = []
    for message in messages:
        role = message["role"]
        last = out[-1] if out and out[-1]["role"] == "user" else None
        if role == "tool":
            block = ("tool_result", message.get("tool_call_id") or "", flat(message.get("content")))
            if last is None:
                out.append({"role": "user", "blocks": [block]})
            else:
                last["blocks"].append(block)
        elif role == "user":
            content = message.get("content")
            blocks = [("text", "", flat(content))]
            if isinstance(content, list) and content:
                blocks = [("text", "", part_text(part)) for part in content]
            if last is not None and not last.get("task"):
                last["blocks"] += blocks
            else:
                out.append({"role": "user", "blocks": blocks, "task": message.get("task")})
        else:
            out.append(dict(message))
    return out


def order_results(messages):
    order = {}
    for message in messages:
        if message["role"] == "assistant" and message.get("tool_calls"):
            order = {}
            for index, call in enumerate(message["tool_calls"]):
                identity = call.get("id") or call["function"].get("id")
                if identity:
                    order[identity] = index
        if message["role"] != "user" or not order:
            continue
        results = [b for b in message["blocks"] if b[0] == "tool_result"]
        results.sort(key=lambda b: order.get(b[1], 0))
        message["blocks"] = [results.pop(0) if b[0] == "tool_result" else b for b in message["blocks"]]


def last_question(messages):
    indices = [i for i, m in enumerate(messages) if m["role"] in ("user", "developer")]
    return indices[-1] if indices else -1


def drop_old(messages):
    u = last_question(messages)
    out = []
    for i, message in enumerate(messages):
        if message["role"] in ("user", "system", "tool", "latest_reminder") or i >= u:
            out.append(message)
        elif message["role"] == "assistant":
            out.append({k: v for k, v in message.items() if k != "reasoning_content"})
    return out


def arguments_of(call):
    text = call["function"]["arguments"]
    try:
        value = json.loads(text)
    except ValueError:
        return {"arguments": text}
    if not isinstance(value, dict):
        return {"arguments": text}
    return value


def render_calls(calls):
    invokes = []
    for call in calls:
        params = []
        for key, value in arguments_of(call).items():
            is_string = isinstance(value, str)
            params.append(f'<{DSML}parameter name="{key}" string="{"true" if is_string else "false"}">'
                          + (value if is_string else dumps(value)) + f"</{DSML}parameter>")
        name = call["function"]["name"]
        invokes.append(f'<{DSML}invoke name="{name}">\n' + "\n".join(params) + f"\n</{DSML}invoke>")
    return f"\n\n<{DSML}tool_calls>\n" + "\n".join(invokes) + f"\n</{DSML}tool_calls>"


def suffixes(message):
    text = ""
    if message.get("tools"):
        text += "\n\n" + TOOLS.replace("%SCHEMAS%", "\n".join(dumps(t["function"]) for t in message["tools"]))
    if message.get("response_format"):
        text += "\n\n" + RESPONSE_FORMAT + dumps(message["response_format"])
    return text


def render(messages, i, thinking, drop, effort):
    message = messages[i]
    role, content = message["role"], flat(message.get("content"))
    u = last_question(messages)
    text = EFFORT[effort] if i == 0 and thinking else ""
    if role == "system":
        text += content + suffixes(message)
    elif role == "developer":
        if not content:
            raise BadRequest("developer")
        text += USER + content + suffixes(message)
    elif role == "user":
        text += USER + "\n\n".join(
            f"<tool_result>{b[2]}</tool_result>" if b[0] == "tool_result" else b[2] for b in message["blocks"])
    elif role == "latest_reminder":
        text += REMINDER + content
    elif role == "assistant":
        after_task = i > 0 and messages[i - 1].get("task")
        if thinking and not after_task and (not drop or i > u):
            text += (message.get("reasoning_content") or "") + "</think>"
        text += content
        if message.get("tool_calls"):
            text += render_calls(message["tool_calls"])
        if not message.get("wo_eos"):
            text += EOS
    if i + 1 < len(messages) and messages[i + 1]["role"] not in ("assistant", "latest_reminder"):
        return text
    if message.get("task"):
        if message["task"] == "action":
            text += ASSISTANT + ("<think>" if thinking else "</think>")
        text += f"<{BAR}{message['task']}{BAR}>"
    elif role in ("user", "developer"):
        text += ASSISTANT + ("<think>" if thinking and (not drop or i >= u) else "</think>")
    return text


def encode(messages, context=(), thinking_mode="thinking", drop_thinking=True, add_bos=True, effort_prefix="none"):
    for message in list(context) + list(messages):
        if message["role"] not in ROLES or (message.get("task") or "action") not in TASKS:
            raise BadRequest("role or task")
    thinking = thinking_mode == "thinking"
    first = merge(context)
    full = merge(context) + merge(messages)
    order_results(full)
    drop = drop_thinking and not any(m.get("tools") for m in full)
    done = len(first)
    if thinking and drop:
        full = drop_old(full)
        done = len(drop_old(first))
    text = BOS if add_bos and not context else ""
    return text + "".join(render(full, i, thinking, drop, effort_prefix) for i in range(done, len(full)))
