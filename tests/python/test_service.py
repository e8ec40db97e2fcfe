"""The same calls at a service, on its good and its bad days."""

import json

import pytest

import finback

TEXT = "It is 4, na\u00efve \u2713 \U0001f600."


def test_an_answer_and_what_it_cost(service):
    answer = service.open("answer").chat("What is 2 + 2?")
    assert answer.text == TEXT and answer.reasoning == "Two and two make four."
    assert answer.usage.cached_tokens == 256
    assert answer.cost == pytest.approx(answer.raw["service"]["cost_picodollars"] / 1e12)


def test_a_stream_in_single_bytes(service):
    stream = service.open("answer+split").chat("What is 2 + 2?", stream=True)
    assert "".join(stream.text()) == TEXT


def test_tool_calls_are_named_in_every_event(service):
    events = list(service.open("tools").chat("Weather and time?", stream=True))
    ends = [event for event in events if isinstance(event, finback.ToolCallEnd)]
    assert [(end.index, end.id, end.name, end.arguments) for end in ends] == [
        (0, "call_00_a", "get_weather", '{"city":"Oslo"}'),
        (1, "call_01_b", "get_time", "{}"),
    ]
    pieces = [event for event in events if isinstance(event, finback.ToolArguments)]
    assert {piece.name for piece in pieces} == {"get_weather", "get_time"}
    assert events[-1].response.tool_calls[0].parsed() == {"city": "Oslo"}


def test_the_request_is_sent_as_asked(service):
    engine = service.open("answer~sent", http_headers={"X-Team": "whales"})
    engine.chat("hi", max_tokens=7, thinking=False, tools=[weather])
    [request] = service.log("answer~sent")
    body = json.loads(request["body"])
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert body["max_tokens"] == 7 and body["thinking"] == {"type": "disabled"}
    assert body["tools"][0]["function"]["name"] == "weather"
    headers = {name.lower(): value for name, value in dict(request["headers"]).items()}
    assert headers["x-team"] == "whales"


def weather(city: str) -> str:
    """Tells the weather."""
    return city


@pytest.mark.parametrize(
    "scenario, kind, status",
    [
        ("401-key", finback.AuthenticationError, 401),
        ("402", finback.QuotaError, 402),
        ("429-seconds", finback.RateLimitError, 429),
        ("500", finback.ServiceError, 500),
        ("400-risk", finback.RefusedError, 400),
        ("400-context", finback.ContextFullError, 400),
    ],
)
def test_failures_have_their_class_and_fields(service, scenario, kind, status):
    with pytest.raises(kind) as caught:
        service.open(scenario).chat("hi")
    error = caught.value
    assert error.http_status == status and error.provider == "deepseek"
    assert error.model == "deepseek-v4-flash" and error.request_id == "req-1"
    assert "sk-test" not in str(error) + str(error.details)


def test_rate_limits_tell_how_long(service):
    with pytest.raises(finback.RateLimitError) as caught:
        service.open("429-seconds").chat("hi")
    assert caught.value.retry_after == 1.0 and caught.value.retryable


def test_the_context_overflow_has_the_limit(service):
    with pytest.raises(finback.ContextFullError) as caught:
        service.open("400-context").chat("hi")
    assert caught.value.limit == 1048576


def test_a_service_that_is_silent_times_out(service):
    engine = service.open("hang~timeout", first_token_timeout_ms=100)
    with pytest.raises(finback.ServiceTimeoutError):
        engine.chat("hi")


def test_a_broken_stream_fails_after_its_events(service):
    stream = service.open("stream-error-rate_limit").chat("hi", stream=True)
    assert isinstance(next(event for event in stream if event.kind != "notice"), finback.Reasoning)
    with pytest.raises(finback.RateLimitError):
        list(stream)
    with pytest.raises(finback.RateLimitError):
        next(stream)


def test_failures_are_tried_again(service):
    answer = service.open("503.then.answer~again", max_retries=2).chat("hi")
    assert answer.text == TEXT and answer.raw["service"]["attempts"] == 2


def test_notices_are_events_and_kept(service):
    stream = service.open("arguments-fenced").chat("hi", stream=True)
    notices = [event for event in stream if isinstance(event, finback.Notice)]
    assert notices and all(notice.code and notice.message for notice in notices)
    assert stream.response.notices == tuple((n.code, n.message) for n in notices)
    assert service.open("arguments-fenced").chat("hi").notices == stream.response.notices


def test_models_and_balance(service):
    engine = service.open("answer")
    assert "deepseek-v4-pro" in [model["id"] for model in engine.models()]
    assert engine.balance()["is_available"] is True


def test_a_service_has_no_tokens(service):
    engine = service.open("answer")
    with pytest.raises(finback.UnsupportedError):
        engine.tokenize("hi")
    with pytest.raises(finback.UnsupportedError):
        engine.sequence()


def test_the_ledger_is_reported(service, tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    service.open("answer", ledger=ledger).chat("hi")
    report = finback.cost_report(ledger, group_by="model")
    [row] = report["rows"]
    assert row["group"] == "deepseek-v4-flash" and row["attempts"] == 1
    with pytest.raises(finback.InvalidRequestError, match="group_by"):
        finback.cost_report(ledger, group_by="phase of the moon")


def test_a_recording_answers_without_the_service(service, tmp_path):
    service.open("answer~recorded", record=tmp_path).chat("hi")
    [folder] = {path.parent for path in tmp_path.rglob("request.json")}
    asked = len(service.log("answer~recorded"))
    assert service.open("answer~recorded", replay=folder).chat("hi").text == TEXT
    assert len(service.log("answer~recorded")) == asked == 1
