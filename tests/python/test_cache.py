"""Conversations that come back after a restart, and what is kept of them."""

import pytest

import finback

QUESTION = "What do baleen whales eat, where do they find it, and how much of it do they need in a day?"


def ask(folder):
    engine = finback.open("krill", threads=1, cache_folder=folder)
    return engine.chat(QUESTION, thinking=False, max_tokens=8)


def test_a_conversation_comes_back(tmp_path):
    folder = tmp_path / "cache"
    assert finback.cache(folder)["models"] == []
    first = ask(folder)
    again = ask(folder)
    assert again.text == first.text
    assert again.usage.cached_tokens > 0
    [model] = finback.cache(folder, verify=True)["models"]
    assert model["points"] >= 1
    with pytest.raises(finback.NotFoundError, match="v1-other"):
        finback.cache(folder, clear="v1-other")
    assert finback.cache(folder, clear=model["name"])["cleared"]["files"] > 0
    assert finback.cache(folder)["bytes"] == 0
