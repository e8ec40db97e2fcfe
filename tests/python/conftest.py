"""Fixtures: krill, the scripted models, and a service on loopback that has bad days."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import pytest

import finback

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def krill():
    """krill on one thread: the machine may be busy."""
    return finback.open("krill", threads=1)


@pytest.fixture(scope="session")
def models():
    """The folder of tiny models with scripted answers that the C tests make."""
    folder = pathlib.Path(os.environ.get("FINBACK_TEST_MODELS", ROOT / "build" / "models"))
    if not folder.is_dir():
        pytest.skip(f"no test models in {folder}: run ctest -R capi/make_models")
    return folder


@pytest.fixture(scope="session")
def scripted(models):
    """A model that thinks "Let me think." and says "Hello world!"."""
    return finback.open(models / "scripted", threads=1, context_tokens=256)


class FaultServer:
    """tests/remote/fault_server.py for as long as the object lives."""

    def __init__(self):
        program = ROOT / "tests" / "remote" / "fault_server.py"
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.port = json.loads(self._process.stdout.readline())["port"]

    def url(self, scenario):
        """The base URL of a scenario; tests/remote/README.md has them."""
        return f"http://127.0.0.1:{self.port}/s/{scenario}"

    def open(self, scenario, model="deepseek:deepseek-v4-flash", **options):
        """An engine at the scenario."""
        options = {"api_key": "sk-test", "max_retries": 0, "environment_proxy": False, **options}
        return finback.open(model, base_url=self.url(scenario), **options)

    def log(self, scenario):
        """The scenario's requests so far."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/log?scenario={scenario}", timeout=60
        ) as answer:
            return json.load(answer)

    def close(self):
        """Ends the server."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="session")
def service():
    """The fault-injecting server."""
    server = FaultServer()
    yield server
    server.close()
