"""Processor time for each streamed event: finback against the official Python client, on the same server.

    python3 streams.py [--json] [--streams 500] [--events 100] [--pause-ms 500] [--build FOLDER]

Every client has all streams open at once, each with a text of its own that is compared in the end. Only the
client's own processor time counts (getrusage), from the first request to the end of the last. The server sends as
fast as the client takes it ("flood"), then one event for each stream in every pause ("paced").
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    """tests/remote/load/stream_server; ends with the with-block."""

    def __init__(self, build: str) -> None:
        self.process = subprocess.Popen(
            [os.path.join(build, "bin", "stream_server")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> str:
        return f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait()


def run(command: list[str]) -> dict:
    # No proxy between the client and loopback.
    environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"streams.py: {os.path.basename(command[0])} failed with {done.returncode}")
    return json.loads(done.stdout)


def clients(options: argparse.Namespace, url: str) -> dict[str, list[str]]:
    ours = [os.path.join(options.build, "bin", "stream_client"), "--url", url]
    ours += ["--streams", str(options.streams), "--events", str(options.events)]
    theirs = [options.python, os.path.join(HERE, "python_client.py")]
    size = [str(options.streams), str(options.events)]
    return {
        "finback, a thread each": ours,
        "finback, 2 threads": ours + ["--threads", "2"],
        "openai (Python), async": theirs + ["async", url, *size],
        "openai (Python), sync": theirs + ["sync", url, *size],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--events", type=int, default=100, help="of each stream")
    parser.add_argument("--pause-ms", type=int, default=500, help="between the events of a stream, when paced")
    parser.add_argument("--build", default=os.path.join(HERE, os.pardir, "build"))
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the package openai")
    options = parser.parse_args()
    rows = []
    with Server(options.build) as base:
        for mode, suffix in (("flood", ""), ("paced", f"-every-{options.pause_ms * 1000}")):
            for name, command in clients(options, f"{base}/events-{options.events}{suffix}").items():
                rows.append({"mode": mode, "client": name, **run(command)})
                if rows[-1]["wrong"]:
                    sys.exit(f"streams.py: {name} ({mode}) got {rows[-1]['wrong']} streams wrong")
    for row in rows:
        best = min(r["processor_us_per_event"] for r in rows if r["mode"] == row["mode"] and "openai" in r["client"])
        row["times_cheaper_than_python"] = round(best / row["processor_us_per_event"], 1)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{options.streams} streams of {options.events} events; openai {rows[-1]['version']}")
    print(f"{'mode':6} {'client':24} {'us/event':>9} {'factor':>7} {'KB/stream':>10} {'seconds':>8}")
    for row in rows:
        cells = (row["processor_us_per_event"], row["times_cheaper_than_python"], row["pss_bytes_per_stream"] / 1024)
        print(f"{row['mode']:6} {row['client']:24} {cells[0]:9.1f} {cells[1]:7.1f} {cells[2]:10.0f} {row['seconds']:8.1f}")


if __name__ == "__main__":
    main()
