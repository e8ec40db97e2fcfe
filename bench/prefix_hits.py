"""How much of each request of recorded conversations was computed before: the bodies are played in order.

    python3 prefix_hits.py MODEL FOLDER [FOLDER ...] [--max-tokens 8] [--context 65536] [--option NAME=VALUE]

Each FOLDER has turn1.json, turn2.json, ...: Chat Completions bodies as a client sent them. All are answered by one engine,
so that what folders have in common counts, too. Each line is a request: tokens of the prompt, of them those that were
there (and from the disk), and those that were computed.
"""

import argparse
import json
import os
import sys

import finback

# What the client said to its service, and says nothing to a model in this process.
PLAYED = ("messages", "tools", "tool_choice", "thinking", "reasoning_effort", "response_format")


def turns(folder: str) -> list[tuple[str, dict]]:
    names = [name for name in os.listdir(folder) if name.startswith("turn") and name.endswith(".json")]
    names.sort(key=lambda name: int(name[4:-5]))
    bodies = []
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            bodies.append((name, json.load(file)))
    return bodies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--max-tokens", type=int, default=8)
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--option", action="append", default=[])
    arguments = parser.parse_args()
    options = dict(option.split("=", 1) for option in arguments.option)
    engine = finback.Engine(arguments.model, context_tokens=arguments.context, **options)
    print(f"{'request':40} {'prompt':>8} {'cached':>8} {'of disk':>8} {'computed':>8}")
    for folder in arguments.folders:
        for name, body in turns(folder):
            if "messages" not in body or body.get("system") is not None:
                sys.exit(f"prefix_hits.py: {folder}/{name} is no Chat Completions body")
            fields = {key: body[key] for key in PLAYED if key in body and key != "messages"}
            usage = engine.chat(body["messages"], max_tokens=arguments.max_tokens, **fields).usage
            computed = usage.prompt_tokens - usage.cached_tokens
            label = f"{os.path.basename(os.path.normpath(folder))}/{name}"
            print(f"{label:40} {usage.prompt_tokens:8} {usage.cached_tokens:8} {usage.disk_tokens:8} {computed:8}")


if __name__ == "__main__":
    main()
