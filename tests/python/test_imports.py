"""Every module of the package can be the first to be imported."""

import pathlib
import pkgutil
import subprocess
import sys

import pytest

import finback

FOLDER = pathlib.Path(finback.__file__).parent
# __main__ runs the command.
MODULES = [
    module.name for module in pkgutil.iter_modules([str(FOLDER)]) if module.name != "__main__"
]

# Without the package's __init__, which would import the others first.
ALONE = """
import importlib, sys, types
package = types.ModuleType("finback")
package.__path__ = [sys.argv[1]]
sys.modules["finback"] = package
importlib.import_module("finback." + sys.argv[2])
"""


@pytest.mark.parametrize("name", MODULES)
def test_alone(name):
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(FOLDER), name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_those_that_are_there():
    assert {"_finback", "aio", "chats", "engine", "openai", "request", "tools"} <= set(MODULES)
