"""A LiteLLM proxy on loopback until stdin closes; prints {"address": URL} when it listens.

Its models, by the name that clients ask for:

    NAME of litellm_models.SAYINGS   what the handler of litellm_models.py says for it
    mock, mock-ERROR                 LiteLLM's own mock responses, and its own mock errors
    llama                            the server whose URL is the first argument, if there is one
"""

import json
import os
import socket
import sys

KEY = "sk-master-key-123456"
MOCK_ERRORS = {
    "rate-limit": "litellm.RateLimitError",
    "context": "litellm.ContextWindowExceededError",
    "internal": "litellm.InternalServerError",
}


def configuration(llama):
    import litellm_models

    models = [
        {"model_name": name, "litellm_params": {"model": f"scripted/{name}"}} for name in litellm_models.SAYINGS
    ]
    mock = {"model": "openai/mock", "api_key": "none"}
    models.append({"model_name": "mock", "litellm_params": {**mock, "mock_response": "Krill are small crustaceans."}})
    for name, error in MOCK_ERRORS.items():
        models.append({"model_name": f"mock-{name}", "litellm_params": {**mock, "mock_response": error}})
    if llama:
        server = {"model": "openai/krillet", "api_base": llama + "/v1", "api_key": "none"}
        models.append({"model_name": "llama", "litellm_params": server})
    return {
        "model_list": models,
        "litellm_settings": {
            "custom_provider_map": [{"provider": "scripted", "custom_handler": "litellm_models.handler"}],
            "num_retries": 0,
            "telemetry": False,
        },
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"master_key": KEY},
    }


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it is fetched
    os.environ["LITELLM_MODE"] = "PRODUCTION"  # no .env files
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # it greets
    llama = sys.argv[1] if len(sys.argv) > 1 else ""
    # Beside the handler, where LiteLLM looks for it.
    with open(os.path.join(here, "litellm_models.py"), encoding="utf-8") as source:
        handler = source.read()
    with open("litellm_models.py", "w", encoding="utf-8") as file:
        file.write(handler)
    with open("config.yaml", "w", encoding="utf-8") as file:
        json.dump(configuration(llama), file)
    os.environ["CONFIG_FILE_PATH"] = os.path.abspath("config.yaml")

    import uvicorn
    from litellm.proxy.proxy_server import app

    listener = socket.create_server(("127.0.0.1", 0))

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            print(json.dumps({"address": "http://127.0.0.1:%d" % listener.getsockname()[1]}), file=answer, flush=True)

    import threading

    server = Server(uvicorn.Config(app, log_level="info"))

    def stop():
        sys.stdin.read()
        os._exit(0)  # open streams would keep it

    threading.Thread(target=stop, daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
