"""The chunks of a stream, put together, are its response: in process and from services, which speak every format."""

import asyncio
import copy

import pytest

import finback

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def fold_delta(delta, message):
    message.update({key: delta[key] for key in ("role", "reasoning_details") if key in delta})
    for key in ("content", "reasoning_content"):
        if key in delta:
            message[key] = (message[key] or "") + delta[key]
    for piece in delta.get("tool_calls", []):
        calls = message.setdefault("tool_calls", [])
        if "id" in piece:
            assert piece["index"] == len(calls)
            calls.append(copy.deepcopy(piece))
        else:
            calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]


def fold(chunks):
    """One object of many, as clients make it."""
    first, last = chunks[0], chunks[-1]
    chat = first["object"] == "chat.completion.chunk"
    whole = {**last, "object": "chat.completion" if chat else first["object"]}
    choice = {"index": 0, "logprobs": None}
    message = {"content": "", "reasoning_content": None}
    for chunk in chunks:
        assert all(chunk[key] == first[key] for key in ("id", "object", "created", "model"))
        assert chunk is last or (chunk["usage"] is None and "service" not in chunk)
        [piece] = chunk["choices"]
        assert piece["index"] == 0 and (chunk is last) == (piece["finish_reason"] is not None)
        assert not chat or (chunk is first) == ("role" in piece["delta"])
        choice["finish_reason"] = piece["finish_reason"]
        if chat:
            fold_delta(piece["delta"], message)
        else:
            choice["text"] = choice.get("text", "") + piece["text"]
        for kind, tokens in piece.get("logprobs", {}).items():
            choice["logprobs"] = choice["logprobs"] or {}
            choice["logprobs"].setdefault(kind, []).extend(tokens)
    if chat:
        choice["message"] = message
    return {**whole, "choices": [choice]}


def check(stream):
    chunks = list(stream.chunks())
    assert fold(chunks) == stream.response.raw
    return chunks


@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize("logprobs", [{}, {"logprobs": True, "top_logprobs": 2}])
def test_of_krill(krill, thinking, logprobs):
    chunks = check(
        krill.chat("What is 17 + 25?", stream=True, thinking=thinking, progress=True, **logprobs)
    )
    assert any("reasoning_content" in chunk["choices"][0]["delta"] for chunk in chunks) == thinking
    assert any("logprobs" in chunk["choices"][0] for chunk in chunks) == bool(logprobs)


def test_of_krill_with_a_call(krill):
    def weather(city: str) -> str:
        """The weather.

        Args:
            city: where
        """
        return city

    stream = krill.chat(
        "What is the weather in Oslo?", stream=True, tools=[weather], thinking=False
    )
    check(stream)
    assert stream.response.tool_calls[0].parsed() == {"city": "Oslo"}


def test_of_a_completion(krill):
    chunks = check(krill.complete("Whales are", stream=True, max_tokens=3, logprobs=1))
    assert [chunk["object"] for chunk in chunks] == ["text_completion"] * len(chunks)


@pytest.mark.parametrize("wire", ["openai", "anthropic", "responses"])
@pytest.mark.parametrize("scenario", ["answer", "plain", "tools", "tools-text", "finish-length"])
def test_of_a_service(service, wire, scenario):
    engine = service.open(scenario, wire_format=wire)
    stream = engine.chat("What is the weather?", stream=True, tools=TOOLS)
    chunks = check(stream)
    assert chunks[0]["id"] == stream.response.id and chunks[0]["model"] == stream.response.model
    assert chunks[-1]["service"]["provider"] == "deepseek"


@pytest.mark.parametrize(
    "scenario",
    ["late-names-null", "ids-duplicate", "arguments-empty", "reasoning-details", "usage-absent",
     "500.then.answer", "reasoning-only"],
)  # fmt: skip
def test_of_a_service_on_a_bad_day(service, scenario):
    engine = service.open(scenario, max_retries=1)
    check(engine.chat("What is the weather?", stream=True, tools=TOOLS))


def test_repaired_arguments_cannot_be_unsaid(service):
    stream = service.open("arguments-fenced").chat("Weather?", stream=True, tools=TOOLS)
    folded = fold(list(stream.chunks()))
    assert folded != stream.response.raw and stream.response.notices
    folded["choices"][0]["message"]["tool_calls"] = stream.response.message["tool_calls"]
    assert folded == stream.response.raw


def test_asynchronously(krill):
    async def main():
        engine = finback.aio.AsyncEngine(krill)
        stream = engine.chat("What is 17 + 25?", stream=True)
        chunks = [chunk async for chunk in stream.chunks()]
        other = engine.chat("What is 17 + 25?", stream=True)
        await other.__anext__()
        with pytest.raises(RuntimeError, match="in their place"):
            await other.chunks().__anext__()
        await other.aclose()
        return chunks, stream.response.raw

    chunks, whole = asyncio.run(main())
    assert fold(chunks) == whole
