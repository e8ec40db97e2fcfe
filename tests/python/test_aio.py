"""asyncio: the same answers, and cancels that reach the library."""

import asyncio
import gc
import threading

import pytest

import finback
from finback import aio


def run(coroutine):
    return asyncio.run(coroutine)


def finback_threads():
    return [thread for thread in threading.enumerate() if thread.name == "finback"]


@pytest.fixture
def engine(krill):
    return aio.AsyncEngine(krill)


def test_await_gives_the_response(engine, krill):
    answer = run(engine.chat("What is 17 + 25?"))
    assert isinstance(answer, finback.ChatResponse) and answer.text == "17 + 25 = 42."
    assert run(engine.complete("Whales are", max_tokens=1)).text == " not"


def test_async_for_gives_the_events(engine, krill):
    async def collect():
        stream = engine.chat("What is 17 + 25?", stream=True)
        events = [event async for event in stream]
        return events, stream.response

    events, response = run(collect())
    expected = list(krill.chat("What is 17 + 25?", stream=True))
    assert [event.kind for event in events] == [event.kind for event in expected]
    assert events[:-1] == expected[:-1]
    assert events[-1].response is response


def test_a_stream_may_be_awaited_first(engine):
    async def collect():
        stream = await engine.chat("What is 17 + 25?", stream=True)
        return "".join([piece async for piece in stream.text()])

    assert run(collect()) == "17 + 25 = 42."


def test_text_of_a_completion(engine):
    async def collect():
        stream = engine.complete("Whales are", max_tokens=2, stream=True)
        return "".join([piece async for piece in stream.text()])

    assert run(collect()) == " not fish"


def test_many_answers_at_once(engine):
    async def ask():
        return await asyncio.gather(*(engine.chat("What is 17 + 25?") for _ in range(8)))

    assert {answer.text for answer in run(ask())} == {"17 + 25 = 42."}


def test_waiting_answers_do_not_wait_for_one_another(service):
    """Far more than asyncio's own threads: all forty requests are with the silent service at once."""
    remote = aio.AsyncEngine(service.open("hang~forty"))

    async def main():
        tasks = [asyncio.create_task(remote.chat("hi")) for _ in range(40)]
        while len(await asyncio.to_thread(service.log, "hang~forty")) < len(tasks):
            pass
        for task in tasks:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) for result in run(main()))


def test_a_session_keeps_its_conversation(engine):
    async def talk():
        session = await engine.session()
        await session.send("What is 17 + 25?")
        return session, await session.send("What do baleen whales eat?")

    session, answer = run(talk())
    assert answer.usage.cached_tokens > 0 and len(session.messages) == 4


def test_opening_and_text():
    async def main():
        async with await aio.open("krill", threads=1) as engine:
            ids = await engine.tokenize("Baleen whales")
            assert await engine.detokenize(ids) == "Baleen whales"
            assert (await engine.info())["threads"] == 1
            return engine

    engine = run(main())
    with pytest.raises(ValueError, match="closed"):
        run(engine.chat("hi"))


def test_errors_arrive_where_the_answer_would(engine, service):
    with pytest.raises(finback.InvalidRequestError):
        run(engine.chat("hi", temperature=9))

    async def collect(scenario):
        remote = aio.AsyncEngine(service.open(scenario))
        assert await remote.models() and await remote.balance()
        return [event async for event in remote.chat("hi", stream=True)]

    with pytest.raises(finback.RateLimitError):
        run(collect("stream-error-rate_limit"))


@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_the_task_cancels_the_request(service, stream):
    """The service never answers: only a cancel can end this."""
    name = f"hang~task{stream}"
    remote = aio.AsyncEngine(service.open(name))

    async def ask():
        if not stream:
            await remote.chat("hi")
            return
        async for _ in remote.chat("hi", stream=True):
            pass

    async def main():
        task = asyncio.create_task(ask())
        while not await asyncio.to_thread(service.log, name):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while (await asyncio.to_thread(service.log, name))[0]["outcome"] != "client closed":
            pass

    run(main())


def test_a_timeout_cancels_the_request(service):
    remote = aio.AsyncEngine(service.open("hang~wait"))

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(remote.chat("hi"), 0.05)

    run(main())


def test_cancel_ends_the_wait_of_a_reader(service):
    remote = aio.AsyncEngine(service.open("hang~reader"))

    async def main():
        stream = remote.chat("hi", stream=True)
        reader = asyncio.create_task(stream.__anext__())
        while not await asyncio.to_thread(service.log, "hang~reader"):
            pass
        stream.cancel()
        with pytest.raises(finback.CancelledError):
            await reader

    run(main())


def test_leaving_early_ends_the_thread(scripted):
    engine = aio.AsyncEngine(scripted)
    [tick] = scripted.tokenize("tick", recognize_special=True)

    async def main():
        async with engine.chat("hi", stream=True, logit_bias={str(tick): 100}) as stream:
            async for _ in stream:
                break
        return stream

    run(main())
    assert finback_threads() == []


def test_a_dropped_stream_ends_its_thread(scripted):
    engine = aio.AsyncEngine(scripted)
    [tick] = scripted.tokenize("tick", recognize_special=True)

    async def main():
        stream = engine.chat("hi", stream=True, logit_bias={str(tick): 100})
        await stream.__anext__()
        [thread] = finback_threads()
        del stream
        gc.collect()
        return thread

    run(main()).join()
    assert finback_threads() == []


def test_a_slow_reader_is_not_run_ahead_of(scripted):
    engine = aio.AsyncEngine(scripted)
    [tick] = scripted.tokenize("tick", recognize_special=True)

    async def main():
        stream = engine.chat("hi", stream=True, logit_bias={str(tick): 100})
        await stream.__anext__()
        pump = stream._pump
        while len(pump.events) < aio.AHEAD - 1:
            await asyncio.sleep(0)
        # One more is in the thread's hands, and it waits for room.
        assert pump.thread.is_alive() and len(pump.events) <= aio.AHEAD
        await stream.aclose()

    run(main())


def test_the_response_is_there_at_the_end_alone(engine):
    async def main():
        stream = engine.chat("What is 17 + 25?", stream=True)
        with pytest.raises(RuntimeError, match="not complete"):
            _ = stream.response
        async for _ in stream:
            pass
        return stream.response.text

    assert run(main()) == "17 + 25 = 42."


def test_tools_run_at_the_same_time(service):
    started = []
    both = asyncio.Event()

    async def get_weather(city: str) -> str:
        started.append(city)
        if len(started) == 2:
            both.set()
        await both.wait()
        return f"sunny in {city}"

    async def main():
        remote = aio.AsyncEngine(service.open("tools.then.answer~both"))
        return await remote.run_tools("hi", [get_weather, get_time])

    async def get_time() -> str:
        return await get_weather("there")

    answer = run(main())
    assert answer.rounds == 2
    contents = [m["content"] for m in answer.messages if m["role"] == "tool"]
    assert contents == ["sunny in Oslo", "sunny in there"]


def test_structured_answers(service):
    async def main():
        remote = aio.AsyncEngine(service.open("json"))
        return await remote.structured(
            "2 + 2?", {"type": "object", "required": ["answer"], "properties": {}}
        )

    assert run(main()).value == {"answer": "4", "sure": True}
