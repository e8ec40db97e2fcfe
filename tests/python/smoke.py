"""What every Python that the package supports must do, with its standard library alone."""

import asyncio
import sys

import finback
from finback import aio, cli
from finback.openai import OpenAI
from finback.tools import tool_definition


def add(a: int, b: "int | None" = None) -> int:
    """Adds.

    Args:
        a: the first
    """
    return a + (b or 0)


def main():
    """Uses each room once."""
    engine = finback.open("krill", threads=1)
    stream = engine.chat("What is 17 + 25?", stream=True, logprobs=True)
    text = "".join(event.text for event in stream if event.kind == "content")
    assert text == stream.response.text == "17 + 25 = 42.", text
    assert engine.detokenize(engine.tokenize("Baleen whales")) == "Baleen whales"
    sequence = engine.sequence()
    view = sequence.evaluate_buffer(engine.tokenize("Baleen whales eat"))
    assert view.shape == (1, sequence.vocab) and view.format == "f"
    other = engine.sequence()
    other.restore(sequence.snapshot())
    assert other.position == sequence.position
    try:
        engine.chat([])
    except finback.InvalidRequestError as error:
        assert str(error) == "messages: must not be empty", error
    else:
        raise AssertionError("an empty conversation was taken")

    async def ask():
        pieces = []
        async for event in aio.AsyncEngine(engine).chat("What is 17 + 25?", stream=True):
            if event.kind == "content":
                pieces.append(event.text)
        return "".join(pieces)

    assert asyncio.run(ask()) == "17 + 25 = 42."
    client = OpenAI(engine=engine)
    messages = [{"role": "user", "content": "What is 17 + 25?"}]
    assert client.chat.completions.create(messages=messages).choices[0].message.content == text
    if sys.version_info >= (3, 10):
        assert tool_definition(add)["function"]["parameters"]["required"] == ["a"]
    assert cli.run(["complete", "--max-tokens", "1", "Whales are"]) == 0
    print(f"smoke test passed: Python {sys.version.split()[0]}, finback {finback.__version__}")


if __name__ == "__main__":
    main()
