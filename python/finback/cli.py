"""``python -m finback``: chat, complete and look at models from a terminal or a pipe.

Standard output carries the answer alone; reasoning, progress and errors go to standard error. The
exit status is 0, 1 for a failure, 2 for a wrong command line, 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional

from . import _finback, engine
from .engine import Engine
from .errors import FinbackError
from .events import Content, Event, Notice, Reasoning, ToolCallEnd


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finback",
        description="DeepSeek-V4 in this process, or at a service.",
        epilog="MODEL is krill, the folder of a checkpoint, or PROVIDER:MODEL.",
    )
    parser.add_argument("--version", action="version", version=f"finback {_finback.version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, with_model: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        if with_model:
            added.add_argument(
                "--model",
                default=os.environ.get("FINBACK_MODEL", "krill"),
                help="default: FINBACK_MODEL, else krill",
            )
            added.add_argument(
                "--set",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="an option of the engine, see: python -m finback options",
            )
            added.add_argument(
                "-v", "--verbose", action="count", default=0, help="the library's log; twice: all"
            )
        return added

    chat = command("chat", "Answer a question; without one, a conversation.")
    chat.add_argument("prompt", nargs="*", help="the question; - reads it from standard input")
    chat.add_argument("--system", help="the system message")
    chat.add_argument("--no-think", action="store_true", help="answer without reasoning")
    chat.add_argument("--effort", help="how hard to think: low, high or max")
    chat.add_argument("--reasoning", action="store_true", help="show it, on standard error")
    complete = command("complete", "Continue a text.")
    complete.add_argument("prompt", help="the text; - reads it from standard input")
    for sub in (chat, complete):
        sub.add_argument("--max-tokens", type=int, metavar="N")
        sub.add_argument("--temperature", type=float, metavar="T")
        sub.add_argument("--top-p", type=float, metavar="P")
        sub.add_argument("--seed", type=int, metavar="N")
        sub.add_argument("--stop", action="append", metavar="TEXT")
        sub.add_argument("--json", action="store_true", help="the whole response, as JSON")
    tokenize = command("tokenize", "Token ids of a text, one line of JSON.")
    tokenize.add_argument("text", help="- reads it from standard input")
    tokenize.add_argument("--special", action="store_true", help="recognize special tokens")
    detokenize = command("detokenize", "The text of token ids.")
    detokenize.add_argument("ids", nargs="+", type=int)
    command("info", "What a model is and what it takes, as JSON.")
    verify = command("verify", "Read and check every weight.")
    verify.add_argument("--sha256", metavar="FILE", help="what sha256sum printed for the folder")
    command("models", "The models of a service.")
    command("options", "The options of --set.", with_model=False)
    command("build-info", "How the library was built.", with_model=False)
    return parser


def _settings(rows: Sequence[str]) -> dict[str, Any]:
    settings = {}
    for row in rows:
        name, equals, value = row.partition("=")
        if not equals:
            raise SystemExit(f"finback: --set {row}: expected NAME=VALUE")
        settings[name] = value
    return settings


def _open(arguments: argparse.Namespace) -> Engine:
    if arguments.verbose:
        level = logging.INFO if arguments.verbose == 1 else logging.DEBUG
        logging.basicConfig(level=level, format="finback: %(message)s")
    shown = sys.stderr.isatty()
    return engine.open(arguments.model, progress=shown or None, **_settings(arguments.set))


def _read(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("max_tokens", "temperature", "top_p", "seed", "stop")
    return {name: getattr(arguments, name) for name in names}


def _printable(text: str) -> str:
    """On a terminal a model's control characters are shown, not obeyed."""
    if not sys.stdout.isatty():
        return text
    return "".join(
        c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _show(events: Iterable[Event], reasoning: bool) -> None:
    for event in events:
        if isinstance(event, Content):
            print(_printable(event.text), end="", flush=True)
        elif isinstance(event, Reasoning) and reasoning:
            print(_printable(event.text), end="", file=sys.stderr, flush=True)
        elif isinstance(event, ToolCallEnd):
            print(_printable(f"{event.name}({event.arguments})"), end="")
        elif isinstance(event, Notice):
            print(f"finback: {event.message}", file=sys.stderr)
    print()


def _chat_options(arguments: argparse.Namespace) -> dict[str, Any]:
    thinking: Any = False if arguments.no_think else arguments.effort
    return {**_options(arguments), "thinking": thinking}


def _chat(arguments: argparse.Namespace) -> None:
    system = [{"role": "system", "content": arguments.system}] if arguments.system else []
    opened = _open(arguments)
    if not arguments.prompt and sys.stdin.isatty():
        _converse(opened, system, arguments)
        return
    prompt = _read("-" if not arguments.prompt else " ".join(arguments.prompt))
    messages = [*system, {"role": "user", "content": prompt}]
    if arguments.json:
        print(json.dumps(opened.chat(messages, **_chat_options(arguments)).raw, ensure_ascii=False))
        return
    _show(opened.chat(messages, stream=True, **_chat_options(arguments)), arguments.reasoning)


def _converse(opened: Engine, system: list[dict[str, str]], arguments: argparse.Namespace) -> None:
    """Questions from the terminal until its end; Ctrl-C stops an answer, not the program."""
    session = opened.session()
    messages: list[Any] = list(system)
    while True:
        try:
            question = input("> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not question.strip():
            continue
        asked = [*messages, {"role": "user", "content": question}]
        stream = session.chat(asked, stream=True, **_chat_options(arguments))
        try:
            _show(stream, arguments.reasoning)
            messages = [*asked, stream.response.message]
        except KeyboardInterrupt:
            print()
        except FinbackError as error:
            print(f"finback: {error}", file=sys.stderr)
        finally:
            stream.close()


def _complete(arguments: argparse.Namespace) -> None:
    opened, prompt, options = _open(arguments), _read(arguments.prompt), _options(arguments)
    if arguments.json:
        print(json.dumps(opened.complete(prompt, **options).raw, ensure_ascii=False))
        return
    _show(opened.complete(prompt, stream=True, **options), reasoning=False)


def _tokenize(arguments: argparse.Namespace) -> None:
    text = _read(arguments.text)
    print(json.dumps(_open(arguments).tokenize(text, recognize_special=arguments.special)))


def _verify(arguments: argparse.Namespace) -> None:
    listed = None
    if arguments.sha256:
        with open(arguments.sha256, encoding="utf-8") as file:
            listed = file.read()
    opened = _open(arguments)
    opened.verify(listed)
    tensors = opened.info()["tensors"]
    print(f"ok: {tensors['count']} tensors, {tensors['bytes']} bytes")


def _describe_options(arguments: argparse.Namespace) -> None:
    del arguments
    for row in engine.options():
        print(f"{row['name']:<24} {row['default'] or '(none)':<16} {row['doc']}")


_RUN: dict[str, Callable[[argparse.Namespace], Any]] = {
    "chat": _chat,
    "complete": _complete,
    "tokenize": _tokenize,
    "detokenize": lambda arguments: print(_open(arguments).detokenize(arguments.ids)),
    "info": lambda arguments: print(json.dumps(_open(arguments).info(), indent=2)),
    "verify": _verify,
    "models": lambda arguments: [print(row["id"]) for row in _open(arguments).models()],
    "options": _describe_options,
    "build-info": lambda arguments: print(json.dumps(engine.build_info(), indent=2)),
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs one command; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        _RUN[parsed.command](parsed)
    except FinbackError as error:
        print(f"finback: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"finback: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    return 0
