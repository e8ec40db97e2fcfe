"""The surface, in process: krill's answers are always the same."""

import json
import logging
import pickle

import pytest

import finback

ANSWER = "Baleen whales eat krill and small fish, which they filter from the water."


def test_a_string_is_one_user_message(krill):
    assert krill.chat("What do baleen whales eat?").text == ANSWER


def test_a_response_has_all_its_parts(krill):
    answer = krill.chat([{"role": "user", "content": "What do baleen whales eat?"}])
    assert answer.text == ANSWER
    assert answer.reasoning == "The user asks what baleen whales eat."
    assert answer.finish_reason == "stop"
    assert answer.tool_calls == ()
    assert answer.logprobs is None
    assert answer.message == {
        "role": "assistant",
        "content": ANSWER,
        "reasoning_content": answer.reasoning,
    }
    usage = answer.usage
    assert usage.prompt_tokens == len(krill.encode_tokens("What do baleen whales eat?"))
    # Both ends are marked by a token of their own.
    assert usage.reasoning_tokens == len(krill.tokenize(answer.reasoning)) + 1
    assert usage.completion_tokens == usage.reasoning_tokens + len(krill.tokenize(ANSWER)) + 1
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert answer.id.startswith("chatcmpl-") and answer.model == "krill"
    assert answer.cost is None


def test_a_stream_yields_the_pieces_of_the_response(krill):
    stream = krill.chat("What do baleen whales eat?", stream=True)
    events = list(stream)
    reasoning = "".join(event.text for event in events if event.kind == "reasoning")
    content = "".join(event.text for event in events if isinstance(event, finback.Content))
    finish = events[-1]
    assert (reasoning, content) == ("The user asks what baleen whales eat.", ANSWER)
    assert isinstance(finish, finback.Finish) and finish.reason == "stop"
    assert finish.response is stream.response and finish.usage == stream.usage
    assert finish.response.text == ANSWER
    assert len(events) > 15
    assert list(stream) == []


def test_text_leaves_out_the_reasoning(krill):
    stream = krill.chat("What do baleen whales eat?", stream=True)
    assert "".join(stream.text()) == ANSWER


def test_thinking_is_a_switch_or_an_effort(krill):
    assert krill.chat("What is 17 + 25?", thinking=False).reasoning == ""
    assert krill.chat("What is 17 + 25?", thinking=True).reasoning != ""
    assert krill.encode("hi", thinking="max") != krill.encode("hi", thinking="low")
    assert krill.encode("hi", thinking={"type": "disabled"}) == krill.encode("hi", thinking=False)


def test_none_means_absent(krill):
    bare = krill.encode("hi")
    assert krill.encode("hi", tools=None, thinking=None, max_tokens=None, stop=None) == bare


def test_options_reach_the_model(krill):
    answer = krill.chat("What do baleen whales eat?", max_tokens=3, thinking=False, seed=1)
    assert answer.finish_reason == "length"
    assert answer.usage.completion_tokens == 3
    stopped = krill.chat("What do baleen whales eat?", stop=["krill"])
    assert stopped.text == "Baleen whales eat "


def test_responses_stand_for_their_message(krill):
    answer = krill.chat("What is 17 + 25?")
    question = {"role": "user", "content": "What do baleen whales eat?"}
    first = {"role": "user", "content": "What is 17 + 25?"}
    assert krill.encode([first, answer, question]) == krill.encode(
        [first, answer.message, question]
    )


def test_logprobs_come_with_events_and_response(krill):
    stream = krill.chat("What is 17 + 25?", stream=True, logprobs=True, top_logprobs=3)
    tokens = []
    for event in stream:
        if isinstance(event, finback.Content):
            tokens += event.logprobs
    assert tuple(tokens) == stream.response.logprobs
    assert b"".join(token.bytes for token in tokens) == b"17 + 25 = 42."
    for token in tokens:
        assert token.logprob <= 0 and len(token.top) == 3
        assert token.top[0].logprob >= token.top[1].logprob >= token.top[2].logprob
        assert krill.detokenize([token.id]) == token.token


def test_events_without_logprobs_have_none(krill):
    event = next(krill.chat("What is 17 + 25?", stream=True))
    assert event == finback.Reasoning(event.text, None)


def test_progress_events_count_the_prompt(scripted):
    stream = scripted.chat("hi " * 40, stream=True, progress=True)
    events = [event for event in stream if isinstance(event, finback.Progress)]
    assert events and events[-1].done == events[-1].total == stream.usage.prompt_tokens


def test_a_session_reuses_its_prefix():
    engine = finback.open("krill", threads=1)
    with engine.session() as session:
        first = session.send("What do baleen whales eat?")
        assert first.usage.cached_tokens == 0
        second = session.send("What is 17 + 25?")
        assert second.text == "17 + 25 = 42."
        assert second.usage.cached_tokens >= first.usage.prompt_tokens - 1
        roles = [message["role"] for message in session.messages]
        assert roles == ["user", "assistant", "user", "assistant"]


def test_a_session_that_fails_keeps_its_conversation(krill):
    session = krill.session()
    session.send("What is 17 + 25?")
    before = list(session.messages)
    with pytest.raises(finback.InvalidRequestError):
        session.send("hi", temperature=9)
    assert session.messages == before


def test_a_session_serves_one_stream_at_a_time(krill):
    session = krill.session()
    stream = session.chat("What is 17 + 25?", stream=True)
    next(stream)
    with pytest.raises(finback.InvalidArgumentError, match="busy"):
        session.chat("What is 17 + 25?")
    stream.close()
    assert session.chat("What is 17 + 25?").text == "17 + 25 = 42."


def test_complete_continues_raw_text(krill):
    answer = krill.complete("Whales are", max_tokens=2, logprobs=2)
    assert answer.text == " not fish"
    assert answer.finish_reason == "length"
    assert [len(token.top) for token in answer.logprobs] == [2, 2]
    stream = krill.complete("Whales are", max_tokens=2, stream=True)
    assert "".join(stream.text()) == " not fish"
    assert stream.response.text == " not fish" and stream.response.logprobs is None


def test_text_and_tokens(krill):
    ids = krill.tokenize("Baleen whales")
    assert ids and all(isinstance(token, int) for token in ids)
    assert krill.detokenize(ids) == krill.detokenize(tuple(ids)) == "Baleen whales"
    plain, special = krill.tokenize("<think>"), krill.tokenize("<think>", recognize_special=True)
    assert len(special) == 1 < len(plain)
    prompt = krill.encode("hi")
    assert krill.encode_tokens("hi") == krill.tokenize(prompt, recognize_special=True)


def test_parse_reads_a_completion():
    message = finback.parse("Hm.</think>Whales.", thinking=True)
    assert message["reasoning_content"] == "Hm." and message["content"] == "Whales."
    with pytest.raises(finback.InvalidArgumentError):
        finback.parse("Hm.", thinking=True, strict=True)


def test_encode_messages_needs_no_model():
    text = finback.encode_messages([{"role": "user", "content": "Hi"}], thinking_mode="chat")
    assert text.endswith("Hi<\uff5cAssistant\uff5c></think>")


def test_encode_messages_says_what_the_service_would_refuse():
    hello = [{"role": "user", "content": "Hi"}]
    assert json.loads(finback.encode_messages(hello, check_service=True, temperature=1)) == []
    found = json.loads(finback.encode_messages(hello, check_service=True, temperature=3, seed=-1))
    assert [problem["path"] for problem in found] == ["temperature", "seed"]


def test_closed_things_say_so(krill):
    engine = finback.open("krill", threads=1)
    stream = engine.chat("What is 17 + 25?", stream=True)
    session = engine.session()
    engine.close()
    assert stream.finish().text == "17 + 25 = 42."  # it keeps what it needs
    with pytest.raises(ValueError, match="closed"):
        engine.chat("hi")
    session.close()
    with pytest.raises(ValueError, match="closed"):
        session.chat("hi")
    with krill.chat("hi", stream=True) as other:
        next(other)
    assert list(other) == []
    with pytest.raises(ValueError, match="closed"):
        _ = other.usage
    assert "krill" in repr(krill)


def test_options_are_described_and_checked(krill):
    rows = {row["name"]: row for row in finback.options()}
    assert rows["threads"]["type"] == "integer"
    with pytest.raises(finback.NotFoundError, match='no option named "thread"'):
        finback.open("krill", thread=1)
    with pytest.raises(finback.InvalidArgumentError, match="threads"):
        finback.open("krill", threads=-1)
    with pytest.raises(TypeError, match="option threads"):
        finback.open("krill", threads=[1])
    assert krill.info()["config"]["layers"] == 5
    krill.verify()


def test_engine_options_are_those_of_the_library():
    from finback.request import EngineOptions

    names = {row["name"] for row in finback.options()} - {"model"}
    assert set(EngineOptions.__annotations__) == names


def test_numbers_of_options_are_written_in_decimal():
    from finback.request import option_text

    assert [option_text("x", value) for value in (True, 7, 2.5, 0.0001, 3.0)] == [
        "1",
        "7",
        "2.5",
        "0.0001",
        "3",
    ]
    assert option_text("http_headers", {"X-A": "b"}) == '{"X-A": "b"}'


def test_values_survive_pickling(krill):
    answer = krill.chat("What is 17 + 25?", logprobs=True)
    assert pickle.loads(pickle.dumps(answer)) == answer


def test_the_log_goes_to_logging(caplog):
    with caplog.at_level("INFO", logger="finback"):
        finback.open("krill", threads=1)
    assert any("opened" in record.message for record in caplog.records)


class Raising(logging.Handler):
    """Raises while a line is written, as Ctrl-C and time limits may."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def emit(self, record):
        if "opened" in record.getMessage():
            raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_a_program_in_the_log_ends_the_call(caplog, error):
    handler = Raising(error)
    logger = logging.getLogger("finback")
    logger.addHandler(handler)
    try:
        with caplog.at_level("INFO", logger="finback"), pytest.raises(type(error)) as raised:
            finback.open("krill", threads=1)
        assert raised.value is error
    finally:
        logger.removeHandler(handler)
    assert finback.open("krill", threads=1).chat("hi").text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_other_errors_of_the_log_do_not(caplog):
    handler = Raising(ValueError("full"))
    logger = logging.getLogger("finback")
    logger.addHandler(handler)
    try:
        with caplog.at_level("INFO", logger="finback"):
            assert finback.open("krill", threads=1).chat("hi").text
    finally:
        logger.removeHandler(handler)


def test_progress_functions_see_the_phases():
    calls = []
    engine = finback.open("krill", threads=1, progress=lambda *call: calls.append(call))
    engine.verify()
    assert {phase for phase, _, _ in calls} >= {"load", "verify"}
    assert all(0 <= done <= total for _, done, total in calls)


def test_progress_bars_are_tqdm(monkeypatch):
    tqdm = pytest.importorskip("tqdm.auto")
    bars = []

    class Recorded(tqdm.tqdm):
        def __init__(self, **options):
            super().__init__(**options, file=open("/dev/null", "w", encoding="utf-8"))
            bars.append(self)

    monkeypatch.setattr(tqdm, "tqdm", Recorded)
    finback.open("krill", threads=1, progress=True).verify()
    assert [bar.desc for bar in bars][-1] == "verify"
    assert bars[-1].n == bars[-1].total
