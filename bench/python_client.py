"""The same load as stream_client, by the official Python client of the OpenAI protocol: one JSON object.

    python3 python_client.py {sync|async} URL STREAMS EVENTS
"""

import asyncio
import json
import resource
import sys
import threading
import time

import openai

MODEL = "deepseek-v4-pro"


def expected(stream: int, first: int, last: int) -> str:
    return "".join(f" s{stream}n{number}" for number in range(first, last))


def messages(stream: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"stream {stream} please"}]


class Answer:
    """What one stream said; kept as it came and joined when nothing is measured any more."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.reasoning: list[str] = []
        self.content: list[str] = []

    def take(self, chunk) -> None:
        if not chunk.choices:
            return
        delta = chunk.choices[0].delta
        reasoning = getattr(delta, "reasoning_content", None)
        if reasoning:
            self.reasoning.append(reasoning)
        if delta.content:
            self.content.append(delta.content)

    def events(self) -> int:
        return len(self.reasoning) + len(self.content)

    def is_right(self, events: int) -> bool:
        said = "".join(self.reasoning), "".join(self.content)
        return said == (expected(self.number, 0, events // 4), expected(self.number, events // 4, events))


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def pss_bytes() -> int:
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))


class Load:
    def __init__(self, url: str, streams: int) -> None:
        self.url = url
        self.answers = [Answer(number) for number in range(streams)]
        self.pss = 0

    def note_memory(self) -> None:
        self.pss = pss_bytes()

    def run_sync(self) -> None:
        client = openai.OpenAI(base_url=self.url, api_key="sk-load", max_retries=0, timeout=600)
        begun = threading.Barrier(len(self.answers), action=self.note_memory)

        def ask(answer: Answer) -> None:
            stream = client.chat.completions.create(model=MODEL, messages=messages(answer.number), stream=True)
            for chunk in stream:
                if not answer.events():
                    answer.take(chunk)
                    begun.wait()
                    continue
                answer.take(chunk)

        threads = [threading.Thread(target=ask, args=(answer,)) for answer in self.answers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run_async(self) -> None:
        asyncio.run(self.ask_all())

    async def ask_all(self) -> None:
        client = openai.AsyncOpenAI(base_url=self.url, api_key="sk-load", max_retries=0, timeout=600)
        begun = 0
        go = asyncio.Event()

        async def ask(answer: Answer) -> None:
            nonlocal begun
            stream = await client.chat.completions.create(model=MODEL, messages=messages(answer.number), stream=True)
            async for chunk in stream:
                first = not answer.events()
                answer.take(chunk)
                if first:
                    begun += 1
                    if begun == len(self.answers):
                        self.note_memory()
                        go.set()
                    await go.wait()

        await asyncio.gather(*(ask(answer) for answer in self.answers))


def main() -> None:
    kind, url, streams, events = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = Load(url, streams)
    pss_before, begin, processor_begin = pss_bytes(), time.monotonic(), processor_seconds()
    load.run_async() if kind == "async" else load.run_sync()
    processor, seconds = processor_seconds() - processor_begin, time.monotonic() - begin
    count = sum(answer.events() for answer in load.answers)
    wrong = sum(not answer.is_right(events) for answer in load.answers)
    report = {
        "streams": streams,
        "threads": streams if kind == "sync" else 1,
        "events": count,
        "wrong": wrong,
        "seconds": round(seconds, 3),
        "processor_seconds": round(processor, 4),
        "processor_us_per_event": round(1e6 * processor / max(count, 1), 3),
        "pss_bytes_per_stream": (load.pss - pss_before) // streams,
        "version": openai.__version__,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
