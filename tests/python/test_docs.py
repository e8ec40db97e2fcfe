"""What the documents print is what happens: docstrings, README.md, docs/python.md."""

import doctest
import importlib
import inspect
import os
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

import finback

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = ["finback"] + [
    f"finback.{module.name}"
    for module in pkgutil.iter_modules(finback.__path__)
    if module.name not in ("__main__", "_finback")
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def python_blocks(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(program, folder):
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme(tmp_path):
    [program] = python_blocks("README.md")
    assert run(program, tmp_path) == (
        "Baleen whales eat krill and small fish, which they filter from the water.\n"
    )


def test_the_readme_without_its_model(tmp_path):
    [program] = python_blocks("README.md")
    with pytest.raises(AssertionError, match=r"finback\.errors\.NotFoundError: .*nowhere"):
        run(program.replace('"krill"', '"nowhere"'), tmp_path)


def test_the_page(tmp_path):
    [program] = python_blocks("docs/python.md")
    assert run(program, tmp_path).splitlines() == [
        "Baleen whales eat krill and small fish, which they filter from the water.",
        "The user asks what baleen whales eat. stop 25",
        "17 + 25 = 42.",
        "True",
        "17 + 25 = 42.",
        "17 * 25 = 425.",
        "temperature: must be between 0 and 2, got 9",
    ]


def test_the_page_is_short():
    assert len((ROOT / "docs" / "python.md").read_text(encoding="utf-8").splitlines()) <= 60


def public_names():
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module_name:
                continue
            yield f"{module_name}.{name}", value
            if isinstance(value, type):
                for member_name, member in vars(value).items():
                    function = getattr(member, "fget", None) or member
                    if not member_name.startswith("_") and callable(function):
                        yield f"{module_name}.{name}.{member_name}", function


def test_every_public_name_has_a_docstring():
    bare = [
        name
        for name, value in public_names()
        if inspect.isroutine(value) or isinstance(value, type)
        if not (getattr(value, "__doc__", None) or "").strip()
    ]
    assert bare == []
