"""llama.cpp's server (of the package xllamacpp) with the model of tiny_model.py, until stdin closes.

Prints {"port": N} when it answers. Options, as JSON in the first argument, are fields of its parameters.
"""

import json
import os
import sys
import tempfile

import tiny_model
import xllamacpp


def main():
    with tempfile.TemporaryDirectory(prefix="finback-llama-") as folder:
        path = os.path.join(folder, "krillet.gguf")
        tiny_model.write(path)
        parameters = xllamacpp.CommonParams()
        parameters.model.path = path
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.model_alias = ["krillet"]
        parameters.n_parallel = 2
        parameters.n_ctx = 2 * tiny_model.CONTEXT_TOKENS
        parameters.cpuparams.n_threads = 1
        parameters.endpoint_slots = True
        for name, value in json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}").items():
            setattr(parameters, name, value)
        server = xllamacpp.Server(parameters)
        print(json.dumps({"address": server.listening_address}), flush=True)
        sys.stdin.read()
        # Its threads do not end while a connection is open.
        os._exit(0)


if __name__ == "__main__":
    main()
