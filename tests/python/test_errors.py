"""The tree of exceptions."""

import pickle

import pytest

import finback
from finback import _finback, errors


def test_every_code_of_the_library_has_its_class():
    codes = []
    code = -1
    while _finback.status_name(code) != "unknown":
        codes.append(code)
        code -= 1
    assert sorted(errors.BY_CODE) == sorted(codes) and len(codes) == 18


def test_classes_are_what_people_catch():
    assert issubclass(finback.InvalidRequestError, ValueError)
    assert issubclass(finback.NotFoundError, LookupError)
    assert issubclass(finback.BudgetError, MemoryError)
    assert issubclass(finback.ServiceTimeoutError, TimeoutError)
    for name in ("Authentication", "Quota", "RateLimit", "Service", "ServiceTimeout", "Refused"):
        assert issubclass(getattr(finback, name + "Error"), finback.RemoteError)
    for kind in errors.BY_CODE.values():
        assert issubclass(kind, finback.FinbackError)


def test_messages_name_what_was_wrong(krill, tmp_path):
    with pytest.raises(finback.InvalidRequestError, match=r'messages\[0\].role: unknown role "x"'):
        krill.chat([{"role": "x", "content": ""}])
    with pytest.raises(finback.NotFoundError, match="no such model folder"):
        finback.open("/nowhere")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(finback.CheckpointError, match="config.json"):
        finback.open(tmp_path)
    with pytest.raises(finback.BudgetError, match="bytes"):
        finback.open("krill", memory_budget_bytes=1000).chat("hi")
    with pytest.raises(finback.ContextFullError):
        finback.open("krill", context_tokens=8, threads=1).chat("a long question " * 9)
    with pytest.raises(finback.UnsupportedError):
        krill.models()
    with pytest.raises(TypeError, match="no form in JSON"):
        krill.chat([{"role": "user", "content": object()}])


def test_unknown_fields_are_told_or_refused(krill):
    fields = {"colour": "blue", "max_tokens": 1}
    ((code, message),) = krill.chat("hi", **fields).notices
    assert (code, message) == ("unknown_fields", "unknown fields have no effect: colour")
    assert krill.chat("hi", max_tokens=1, colour=None).notices == ()
    strict = finback.open("krill", threads=1, unknown_fields="refuse")
    with pytest.raises(finback.InvalidRequestError, match="colour: unknown field"):
        strict.chat("hi", **fields)


def test_messages_of_the_openai_client_are_taken_whole(krill):
    openai = pytest.importorskip("openai.types.chat.chat_completion_message")
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    answer = openai.ChatCompletionMessage.model_validate(
        {"role": "assistant", "content": "a", "tool_calls": calls, "reasoning_content": "r"}
    )
    messages = [
        {"role": "user", "content": "hi"},
        answer.model_dump(),
        {"role": "tool", "tool_call_id": "c", "content": []},
        {"role": "assistant", "content": "an answer at the end"},
    ]
    assert krill.chat(messages, max_tokens=1).notices == ()


def test_codes_and_details(krill):
    with pytest.raises(finback.FinbackError) as caught:
        krill.chat([])
    error = caught.value
    assert (error.code, error.details, error.retryable) == (-2, {}, False)
    assert error.http_status is None and error.retry_after is None
    assert error.message == str(error)


def test_errors_survive_pickling():
    error = errors.from_code(-14, "too many", '{"retry_after_ms": 1500, "http_status": 429}')
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, finback.RateLimitError)
    assert (copy.code, str(copy), copy.retry_after, copy.http_status) == (-14, "too many", 1.5, 429)


def test_unknown_codes_are_errors_all_the_same():
    error = errors.from_code(-99, "of a later version", "{}")
    assert type(error) is finback.FinbackError and error.code == -99
