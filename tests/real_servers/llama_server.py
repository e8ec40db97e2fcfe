"""llama.cpp's server, of the package xllamacpp, with the model of tiny_model.py.

Prints {"address": URL} when it answers, and ends when stdin closes. The first argument may be a
JSON object with fields of its parameters.
"""

import json
import os
import shutil
import sys
import tempfile

import tiny_model
import xllamacpp


def parameters(path):
    values = xllamacpp.CommonParams()
    values.model.path = path
    values.model_alias = ["krillet"]
    values.hostnames = ["127.0.0.1"]
    values.port = 0  # any
    values.n_parallel = 2
    values.n_ctx = values.n_parallel * tiny_model.CONTEXT_TOKENS
    values.cpuparams.n_threads = 1
    for name, value in json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}").items():
        setattr(values, name, value)
    return values


def main():
    folder = tempfile.mkdtemp(prefix="finback-llama-")
    path = os.path.join(folder, "krillet.gguf")
    tiny_model.write(path)
    server = xllamacpp.Server(parameters(path))
    print(json.dumps({"address": server.listening_address}), flush=True)
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # its threads stay as long as connections are open


if __name__ == "__main__":
    main()
