"""The shape of the openai client, judged by that client's own types."""

import asyncio
import json

import pytest

import finback
from finback.openai import AsyncOpenAI, OpenAI, request_fields

MESSAGES = [{"role": "user", "content": "What is 17 + 25?"}]


@pytest.fixture
def client(krill):
    return OpenAI(engine=krill)


@pytest.fixture
def types():
    return pytest.importorskip("openai.types.chat")


def test_create(client, types):
    completion = client.chat.completions.create(model="krill", messages=MESSAGES)
    assert completion.choices[0].message.content == "17 + 25 = 42."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens > 0 and completion.system_fingerprint is None
    parsed = types.ChatCompletion.model_validate(completion.model_dump())
    assert parsed.choices[0].message.content == "17 + 25 = 42."
    assert json.loads(completion.model_dump_json()) == completion.to_dict()
    with pytest.raises(AttributeError):
        _ = completion.__nothing__


def test_create_as_a_stream(client, types):
    stream = client.chat.completions.create(
        model="krill",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
        logprobs=True,
    )
    chunks = [types.ChatCompletionChunk.model_validate(chunk.model_dump()) for chunk in stream]
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert content == "17 + 25 = 42."
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].id.startswith("chatcmpl")
    assert any(chunk.choices and chunk.choices[0].logprobs for chunk in chunks)


def test_tool_calls_in_both_forms(service, types):
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
    client = OpenAI(
        api_key="sk-test", base_url=service.url("tools"), environment_proxy=False, max_retries=0
    )
    model = "deepseek:deepseek-v4-flash"
    whole = client.chat.completions.create(model=model, messages=MESSAGES, tools=tools)
    call = types.ChatCompletion.model_validate(whole.model_dump()).choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Oslo"}')
    arguments = {}
    with client.chat.completions.create(
        model=model, messages=MESSAGES, tools=tools, stream=True
    ) as stream:
        for chunk in stream:
            types.ChatCompletionChunk.model_validate(chunk.model_dump())
            for piece in chunk.choices[0].delta.tool_calls or []:
                arguments.setdefault(piece.index, "")
                arguments[piece.index] += piece.function.arguments
    assert arguments == {0: '{"city":"Oslo"}', 1: "{}"}
    assert "deepseek-v4-pro" in [model.id for model in client.models.list(model).data]
    client.close()


def test_arguments_of_the_client_alone_are_taken(client):
    openai = pytest.importorskip("openai")
    completion = client.chat.completions.create(
        model="krill",
        messages=MESSAGES,
        timeout=None,
        extra_headers={},
        extra_query=openai.NOT_GIVEN,
        temperature=openai.NOT_GIVEN,
        extra_body={"thinking": {"type": "disabled"}},
    )
    assert completion.choices[0].message.reasoning_content is None
    other = client.chat.completions.create(
        model="krill", messages=MESSAGES, thinking={"type": "disabled"}, frobnicate=1, temperature=0
    )
    assert other.choices[0].message.content
    with pytest.raises(finback.InvalidRequestError, match="frobnicate"):
        strict = finback.open("krill", unknown_fields="refuse")
        OpenAI(engine=strict).chat.completions.create(
            model="krill", messages=MESSAGES, frobnicate=1
        )


def test_extra_body_is_for_the_service():
    extra = {
        "thinking": {"type": "disabled"},
        "top_k": 3,
        "repetition_penalty": 1.1,
        "chat_template_kwargs": {"documents": []},
    }
    fields = request_fields({"model": "m", "extra_body": extra})
    assert fields["thinking"] == {"type": "disabled"}
    assert fields["top_k"] == 3
    assert fields["extra_body"] == {
        "repetition_penalty": 1.1,
        "chat_template_kwargs": {"documents": []},
    }
    assert "extra_body" not in request_fields({"extra_body": {"seed": 1}})
    assert "repetition_penalty" in extra


def test_extra_body_is_unknown_to_models_in_this_process(client):
    for name in ("repetition_penalty", "structured_outputs", "priority"):
        with pytest.raises(finback.InvalidRequestError, match=f"extra_body.{name}"):
            client.chat.completions.create(
                model="krill", messages=MESSAGES, extra_body={name: 1}
            )


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("timeout", 3, "client, OpenAI"),
        ("extra_headers", {"X": "y"}, "client, OpenAI"),
        ("extra_query", {"a": "b"}, "gateway"),
    ],
)
def test_what_a_call_cannot_have_is_refused_by_name(client, name, value, instead):
    with pytest.raises(TypeError, match=f"{name}: .*{instead}"):
        client.chat.completions.create(model="krill", messages=MESSAGES, **{name: value})


def test_timeout_and_headers_of_the_client_are_options_of_its_engines(service):
    model, common = "deepseek:deepseek-flash", {"api_key": "sk-of-a-test", "max_retries": 0}
    answer = {"base_url": service.url("answer~headers"), **common}
    with OpenAI(timeout=60, default_headers={"X-Team": "whales"}, **answer) as client:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert service.log("answer~headers")[0]["headers"]["x-team"] == "whales"
    with OpenAI(timeout=0.1, base_url=service.url("hang~client"), **common) as client:
        with pytest.raises(finback.ServiceTimeoutError):
            client.chat.completions.create(model=model, messages=MESSAGES)
    with pytest.raises(TypeError, match="seconds"):
        OpenAI(timeout="soon")
    with finback.open("krill") as engine, pytest.raises(TypeError, match="total_timeout_ms"):
        OpenAI(engine=engine, timeout=3)


def test_engines_are_opened_once_by_their_name():
    with OpenAI(threads=1) as client:
        create = client.chat.completions.create
        assert create(model="krill", messages=MESSAGES).model == "krill"
        assert create(model="krill", messages=MESSAGES).usage.prompt_tokens_details.cached_tokens
        with pytest.raises(finback.NotFoundError):
            create(model="squid", messages=MESSAGES)
        with pytest.raises(TypeError, match="model"):
            create(messages=MESSAGES)
        text = client.completions.create(model="krill", prompt="Whales are", max_tokens=1)
        assert text.choices[0].text == " not"


def test_asynchronously(krill, types):
    async def main():
        async with AsyncOpenAI(engine=krill) as client:
            create = client.chat.completions.create
            whole = await create(model="krill", messages=MESSAGES)
            pieces = []
            async with await create(model="krill", messages=MESSAGES, stream=True) as stream:
                async for chunk in stream:
                    types.ChatCompletionChunk.model_validate(chunk.model_dump())
                    pieces.append(chunk.choices[0].delta.content or "")
            return whole.choices[0].message.content, "".join(pieces)

    assert asyncio.run(main()) == ("17 + 25 = 42.", "17 + 25 = 42.")
