"""A LiteLLM proxy: prints {"address": URL} when it listens, and ends when stdin closes.

Its models, by the name that clients ask for:

    of litellm_models.SAYINGS   what the handler there says for that name
    mock, mock-ERROR            LiteLLM's own mock answers, and its own mock errors
    llama, llama-unknown        the server whose URL is the first argument, if there is one;
                                LiteLLM knows only of the first that its model reasons
"""

import json
import os
import shutil
import socket
import sys
import threading

KEY = "sk-master-key-123456"
MOCK_ERRORS = {
    "rate-limit": "litellm.RateLimitError",
    "context": "litellm.ContextWindowExceededError",
    "internal": "litellm.InternalServerError",
}


def model(name, provider_model, **parameters):
    return {"model_name": name, "litellm_params": {"model": provider_model, **parameters}}


def models(llama):
    import litellm_models

    for name in litellm_models.SAYINGS:
        yield model(name, f"scripted/{name}", drop_params=True)
    answers = {"mock": "Krill are small crustaceans."}
    answers.update((f"mock-{name}", error) for name, error in MOCK_ERRORS.items())
    for name, answer in answers.items():
        yield model(name, "openai/mock", api_key="none", mock_response=answer)
    if llama:
        upstream = {"api_base": llama + "/v1", "api_key": "none"}
        reasons = {"model_info": {"supports_reasoning": True}}
        yield {**model("llama", "openai/krillet", **upstream), **reasons}
        yield model("llama-unknown", "openai/krillet", **upstream)


def configure(llama):
    """Writes the configuration into the working folder, and the handler beside it, where LiteLLM
    looks for one."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it is fetched
    os.environ["LITELLM_MODE"] = "PRODUCTION"  # reads no .env
    os.environ["CONFIG_FILE_PATH"] = os.path.abspath("config.yaml")
    handler = {"provider": "scripted", "custom_handler": "litellm_models.handler"}
    configuration = {
        "model_list": list(models(llama)),
        "litellm_settings": {"custom_provider_map": [handler], "num_retries": 0},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"master_key": KEY},
    }
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.copy(os.path.join(here, "litellm_models.py"), ".")
    with open("config.yaml", "w", encoding="utf-8") as file:
        json.dump(configuration, file)


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)  # an orderly end would wait for open streams


def main():
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # it prints a greeting
    configure(sys.argv[1] if len(sys.argv) > 1 else "")

    # These read the environment when they are imported.
    import uvicorn
    from litellm.proxy.proxy_server import app

    listener = socket.create_server(("127.0.0.1", 0))
    address = "http://127.0.0.1:%d" % listener.getsockname()[1]

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            print(json.dumps({"address": address}), file=answer, flush=True)

    threading.Thread(target=end_with_stdin, daemon=True).start()
    Server(uvicorn.Config(app, log_level="info")).run(sockets=[listener])


if __name__ == "__main__":
    main()
