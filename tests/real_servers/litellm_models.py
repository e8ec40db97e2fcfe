"""The models behind the LiteLLM proxy: a handler that says what its model's name asks for."""

import asyncio

from litellm import CustomLLM, ModelResponse
from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices
from litellm.llms.custom_llm import CustomLLMError

USAGE = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
CALLS = [("call_1", "get_weather", '{"city": "Troms\u00f8"}'), ("call_2", "get_time", "{}")]

# Pieces of text; a tuple is reasoning, an int an error's status, "..." no end.
SAYINGS = {
    "whales": ["Krill are ", "small ", "crustaceans."],
    "think": [("Whales ",), ("filter water.",), "Baleen whales ", "eat krill."],
    "call": ["Let me look. ", CALLS[:1]],
    "calls": [CALLS],
    "json": ['{"city": "Oslo", ', '"degrees": -4}'],
    "long": ["Cut sho", "rt"],
    "forever": ["la ", "..."],
    "slow": ["..."],
    "broken": ["Half an ans", 500],
    "error-400": [400],
    "error-401": [401],
    "error-429": [429],
    "error-500": [500],
    "error-503": [503],
}


def pieces(model):
    for piece in SAYINGS[model]:
        if isinstance(piece, int):
            raise CustomLLMError(status_code=piece, message=f"the model answered {piece}")
        yield piece


def finish_of(model):
    if any(isinstance(piece, list) for piece in SAYINGS[model]):
        return "tool_calls"
    return "length" if model == "long" else "stop"


def call_object(index, call):
    identifier, name, arguments = call
    return {
        "index": index,
        "id": identifier,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


class Scripted(CustomLLM):
    async def acompletion(self, model, messages, model_response: ModelResponse, **rest):
        text, reasoning, calls = "", "", []
        for piece in pieces(model):
            if piece == "...":
                await asyncio.sleep(3600)
            elif isinstance(piece, tuple):
                reasoning += piece[0]
            elif isinstance(piece, list):
                calls = [call_object(i, call) for i, call in enumerate(piece)]
            else:
                text += piece
        message = {"role": "assistant", "content": text}
        if reasoning:
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": finish_of(model)}
        return ModelResponse(model=model, choices=[choice], usage=USAGE)

    async def astreaming(self, model, messages, **rest):
        for piece in pieces(model):
            if piece == "...":
                while True:
                    yield chunk("la ")
                    await asyncio.sleep(0.01)
            elif isinstance(piece, tuple):
                # The other kind of chunk has no place for it.
                delta = Delta(reasoning_content=piece[0])
                yield ModelResponseStream(choices=[StreamingChoices(index=0, delta=delta)])
            elif isinstance(piece, list):
                for i, call in enumerate(piece):
                    yield chunk("", tool_use=call_object(i, call))
            else:
                yield chunk(piece)
        yield chunk("", is_finished=True, finish_reason=finish_of(model), usage=USAGE)


def chunk(text, **fields):
    rest = {"tool_use": None, "is_finished": False, "finish_reason": "", "usage": None, "index": 0}
    return {"text": text, **rest, **fields}


handler = Scripted()
