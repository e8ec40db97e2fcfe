"""The types: the package under mypy's strictest, and its stub beside the module."""

import os
import pathlib
import subprocess
import sys

import pytest

import finback

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytest.importorskip("mypy")


def run(*command, **options):
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_is_strictly_typed(tmp_path):
    config = str(ROOT / "pyproject.toml")
    run("mypy", "--strict", "--config-file", config, "--cache-dir", str(tmp_path), "-p", "finback",
        cwd=ROOT / "python")  # fmt: skip


def test_the_stub_is_the_module(tmp_path):
    allowed = tmp_path / "allowed"
    # pybind11's classes have a metaclass of its own (their members are still compared). Before
    # Python 3.12 the buffer protocol has no name in the module.
    rows = [r"finback\._finback\.[A-Z]\w*"]
    if sys.version_info < (3, 12):
        rows.append(r"finback\._finback\.Logits\.__buffer__")
    allowed.write_text("\n".join(rows))
    options = ["--allowlist", str(allowed)]
    folder = pathlib.Path(finback.__file__).parent.parent
    environment = {**os.environ, "MYPYPATH": str(folder), "PYTHONPATH": str(folder)}
    run("mypy.stubtest", *options, "finback._finback", cwd=tmp_path, env=environment)


PROGRAM = """
import finback
from finback import aio
from typing_extensions import assert_type

engine = finback.open("krill", threads=2)
assert_type(engine.chat("hi"), finback.ChatResponse)
assert_type(engine.chat("hi", max_tokens=3, stop=["x"]).text, str)
for event in engine.chat([{"role": "user", "content": "hi"}], stream=True):
    if event.kind == "content":
        assert_type(event, finback.Content)
    elif isinstance(event, finback.Finish):
        assert_type(event.usage.total_tokens, int)
assert_type(engine.complete("hi"), finback.Completion)
assert_type(engine.tokenize("hi"), list[int])
assert_type(engine.sequence().snapshot(), bytes)

class Answer:
    pass

assert_type(engine.structured("hi", Answer).value, Answer)

async def main() -> None:
    other = await aio.open("krill")
    assert_type(await other.chat("hi"), finback.ChatResponse)
    async for event in other.chat("hi", stream=True):
        assert_type(event, finback.Event)
"""

WRONG = [
    'finback.open("krill", thread=2)',
    'finback.open("krill").chat("hi", max_token=2)',
    'finback.open("krill").chat("hi", temperature="hot")',
    'finback.open("krill").chat(3)',
]


def test_users_get_types(tmp_path):
    program = tmp_path / "program.py"
    environment = {**os.environ, "MYPYPATH": str(ROOT / "python")}
    options = ["--strict", "--cache-dir", str(tmp_path / "cache")]
    program.write_text(PROGRAM)
    run("mypy", *options, str(program), env=environment)
    for line in WRONG:
        program.write_text(f"import finback\n{line}\n")
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *options, str(program)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 1 and "program.py:2: error:" in done.stdout, (line, done.stdout)
