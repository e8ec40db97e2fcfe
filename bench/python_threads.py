"""Whether Python threads compute at the same time: answers per second of krill, from one thread up.

Every thread has a session of its own on one engine with `threads=1`. As many processes, which share no
interpreter, are the roof; all are measured in the same rounds.
"""

import argparse
import concurrent.futures
import os
import pathlib
import platform
import threading
import time

import results_file

import finback

QUESTION = [{"role": "user", "content": "What do baleen whales eat?"}]
_engine = None
_own = threading.local()


def session():
    """One engine per process, one session per thread."""
    global _engine  # pylint: disable=global-statement
    _engine = _engine or finback.open("krill", threads=1)
    if not hasattr(_own, "session"):
        _own.session = _engine.session()
    return _own.session


def answer(count):
    """`count` answers, event by event."""
    conversation = session()
    for _ in range(count):
        for _event in conversation.chat(QUESTION, stream=True):
            pass


def rate(pool, workers, count):
    """Answers per second of `workers` that give `count` each."""
    begin = time.perf_counter()
    for done in [pool.submit(answer, count) for _ in range(workers)]:
        done.result()
    return workers * count / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=50, help="of each worker")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--csv", type=pathlib.Path)
    arguments = parser.parse_args()
    workers = arguments.workers
    with concurrent.futures.ProcessPoolExecutor(workers) as processes:
        rate(processes, workers, 1)  # before there are threads: the processes are forked
        with concurrent.futures.ThreadPoolExecutor(workers) as threads:
            rate(threads, workers, 1)
            ways = {"1 thread": (threads, 1), f"{workers} threads": (threads, workers)}
            ways[f"{workers} processes"] = (processes, workers)
            rounds = [
                {name: rate(*way, arguments.answers) for name, way in ways.items()}
                for _ in range(arguments.rounds)
            ]
    best = {name: max(row[name] for row in rounds) for name in ways}
    print(f"Python {platform.python_version()}: answers per second, best of {arguments.rounds}")
    for name, value in best.items():
        print(f"{name:<16}{value:>8.1f}{value / best['1 thread']:>8.2f}")
    rows = [[name, f"{value:.1f}", f"{value / best['1 thread']:.2f}"] for name, value in best.items()]
    results_file.write(arguments.csv, ["way", "answers_per_second", "of_one_thread"], rows)


if __name__ == "__main__":
    main()
