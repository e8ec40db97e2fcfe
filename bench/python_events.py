"""What an event costs in Python, beside ctypes and beside a plain C loop over the same answer.

The answer is recorded once from the fault-injecting server and replayed by the library, so that no
network is measured. Times are processor time of the reading thread, the best of several rounds;
"above C" is what the way adds to the C loop.
"""

import argparse
import asyncio
import ctypes
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

import conftest  # noqa: E402
import results_file  # noqa: E402

import finback  # noqa: E402

MODEL = "deepseek:deepseek-v4-flash"
REQUEST = b'{"messages": [{"role": "user", "content": "hi"}]}'


class Ctypes:
    """The C ABI by hand, as a program without a binding would use it."""

    def __init__(self, library):
        self.library = ctypes.CDLL(str(library))
        for name in ("finback_options_new", "finback_engine_open", "finback_engine_chat"):
            getattr(self.library, name).restype = ctypes.c_void_p
        self.library.finback_stream_text.restype = ctypes.c_char_p
        self.library.finback_stream_text.argtypes = [ctypes.c_void_p]
        self.library.finback_stream_step.argtypes = [ctypes.c_void_p]
        self.library.finback_stream_kind.argtypes = [ctypes.c_void_p]
        for name in ("options", "engine", "stream"):
            getattr(self.library, f"finback_{name}_free").argtypes = [ctypes.c_void_p]

    def run(self, settings):
        """Nanoseconds per event."""
        library = self.library
        options = ctypes.c_void_p(library.finback_options_new())
        for name, value in settings.items():
            library.finback_options_set(options, name.encode(), str(value).encode())
        engine = ctypes.c_void_p(library.finback_engine_open(options))
        stream = library.finback_engine_chat(engine, REQUEST)
        step, kind, text = (
            getattr(library, f"finback_stream_{name}") for name in ("step", "kind", "text")
        )
        step(stream)
        events, pieces = 0, []
        begin = time.thread_time_ns()
        while step(stream) == 0:
            events += 1
            if kind(stream) == 2:
                pieces.append(text(stream).decode())
        spent = time.thread_time_ns() - begin
        for name, handle in (("stream", stream), ("engine", engine), ("options", options)):
            getattr(library, f"finback_{name}_free")(handle)
        return spent / events


def stream(settings):
    options = {name: value for name, value in settings.items() if name != "model"}
    return finback.open(settings["model"], **options).chat("hi", stream=True)


def iterate(settings):
    """Nanoseconds per event of `for event in stream`."""
    events = stream(settings)
    next(events)
    count, pieces = 0, []
    begin = time.thread_time_ns()
    for event in events:
        count += 1
        if event.kind == "content":
            pieces.append(event.text)
    return (time.thread_time_ns() - begin) / count


def steps(settings):
    """Nanoseconds per event of the module alone."""
    handle = stream(settings)._handle  # pylint: disable=protected-access
    step, count = handle.step, 0
    step()
    begin = time.thread_time_ns()
    while step() is not None:
        count += 1
    return (time.thread_time_ns() - begin) / count


def iterate_async(settings):
    """Nanoseconds per event of `async for`, both threads together."""

    async def read():
        options = {name: value for name, value in settings.items() if name != "model"}
        engine = finback.aio.AsyncEngine(finback.open(settings["model"], **options))
        count, begin = 0, 0
        async for _ in engine.chat("hi", stream=True):
            begin = begin or time.process_time_ns()
            count += 1
        return (time.process_time_ns() - begin) / count

    return asyncio.run(read())


def machine():
    """The processor's name, where Linux tells."""
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--csv", type=pathlib.Path)
    arguments = parser.parse_args()
    server = conftest.FaultServer()
    with tempfile.TemporaryDirectory() as folder:
        scenario = f"chunks-{arguments.events}"
        server.open(scenario, record=folder).chat("hi")
        [replay] = {path.parent for path in pathlib.Path(folder).rglob("request.json")}
        settings = {
            "model": MODEL,
            "api_key": "none",
            "base_url": server.url(scenario),
            "replay": replay,
        }

        def c_loop(_):
            program = arguments.build / "bin" / "events_loop"
            output = subprocess.run(
                [program, settings["base_url"], replay], capture_output=True, text=True, check=True
            ).stdout
            return float(output.split()[0])

        ways = {
            "C loop": c_loop,
            "ctypes": Ctypes(arguments.build / "lib" / "libfinback.so").run,
            "finback._finback step()": steps,
            "finback, for": iterate,
            "finback.aio, async for": iterate_async,
        }
        # Round by round, so that a busy moment of the machine meets all alike.
        rounds = [
            {name: way(settings) for name, way in ways.items()} for _ in range(arguments.rounds)
        ]
    server.close()
    best = {name: min(row[name] for row in rounds) / 1000 for name in ways}
    print(
        f"{machine()}, Python {platform.python_version()}: microseconds per event, "
        f"best of {arguments.rounds}"
    )
    print(f"{'':<26}{'us':>8}{'above C':>10}")
    for name, spent in best.items():
        print(f"{name:<26}{spent:>8.2f}{spent - best['C loop']:>10.2f}")
    rows = [[name, f"{us:.3f}", f"{us - best['C loop']:.3f}"] for name, us in best.items()]
    results_file.write(arguments.csv, ["way", "us_per_event", "us_above_c"], rows)


if __name__ == "__main__":
    main()
