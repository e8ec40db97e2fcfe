"""Text that is no text: half surrogate pairs, bytes, NUL, names of files that are not UTF-8."""

import os
import pathlib
import shutil

import pytest

import finback

ROOT = pathlib.Path(__file__).resolve().parents[2]
HALVES = ["a\udcffb", "a\ud800", "\udfff"]


@pytest.mark.parametrize("text", HALVES)
def test_half_a_surrogate_pair_is_an_error(krill, text):
    calls = [
        (finback.InvalidArgumentError, lambda: krill.tokenize(text)),
        (finback.InvalidArgumentError, lambda: finback.parse(text)),
        (finback.InvalidArgumentError, lambda: krill.verify(text)),
        (finback.InvalidArgumentError, lambda: finback.open("krill", **{text: "1"})),
        (finback.InvalidRequestError, lambda: krill.chat(text)),
        (finback.InvalidRequestError, lambda: krill.chat("Hi", stop=text)),
        (finback.InvalidRequestError, lambda: krill.chat("Hi", metadata={text: "1"})),
        (finback.InvalidRequestError, lambda: krill.complete(text)),
        (finback.InvalidRequestError, lambda: krill.encode(text)),
        (finback.InvalidRequestError, lambda: finback.encode_messages([{"role": text}])),
    ]
    for expected, call in calls:
        with pytest.raises(expected, match="half a surrogate pair") as caught:
            call()
        # It can be printed anywhere.
        str(caught.value).encode("ascii")
        assert len(str(caught.value)) < 250


def test_where_it_stands_is_said(krill):
    with pytest.raises(finback.InvalidRequestError, match=r"content\": \"Krill \\udcff': character"):
        krill.chat("Krill \udcff")


def test_a_key_is_in_no_error():
    for key in ("sk-secret\ud800", b"sk-secret", 5j):
        with pytest.raises(Exception) as caught:
            finback.open("deepseek:deepseek-flash", api_key=key, threads="many")
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [b"k\xff\xe9", b"\xc3", "whale \u9cb8".encode()])
def test_folders_by_their_bytes(tmp_path, name):
    folder = os.fsencode(tmp_path) + b"/" + name
    try:
        shutil.copytree(os.fsencode(ROOT / "examples" / "krill"), folder)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    decoded = os.fsdecode(folder)
    for spelled in (decoded, pathlib.Path(decoded), folder):
        engine = finback.open(spelled, threads=1)
        assert engine.chat("What is 17 + 25?").text == "17 + 25 = 42."
        assert engine.model == decoded
        assert engine.info()["model"].encode()
    with pytest.raises(finback.NotFoundError) as caught:
        finback.open(decoded + "x")
    str(caught.value).encode()


def test_files_that_options_name(tmp_path):
    ledger = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.sqlite")
    with pytest.raises(finback.FinbackError) as caught:
        finback.open("deepseek:deepseek-flash", api_key="none", prices_file=ledger)
    assert "\\xff" in ascii(str(caught.value)) or "\\ufffd" in ascii(str(caught.value))


def test_nul_ends_nothing_early(krill):
    with pytest.raises(finback.InvalidArgumentError, match="option model: NUL character at byte 5"):
        finback.open("krill\0 and more")
    with pytest.raises(finback.InvalidArgumentError, match="option ledger: NUL character"):
        finback.cost_report("a\0b")
    with pytest.raises(finback.InvalidArgumentError, match="option name: NUL character"):
        finback.open("krill", **{"threads\0": "1"})
    with pytest.raises(finback.InvalidArgumentError, match="NUL character"):
        krill.verify("\0")
    assert krill.detokenize(krill.tokenize("a\0b")) == "a\0b"
    assert "a\0b" in krill.encode("a\0b")
    assert finback.parse("a\0b")["content"] == "a\0b"


def test_bytes_where_text_belongs(krill):
    with pytest.raises(TypeError, match="messages: expected text or a list of messages, got bytes"):
        krill.chat(b"What is krill?")
    with pytest.raises(TypeError, match="messages: .* got int"):
        krill.encode(5)
    with pytest.raises(TypeError, match="bytes has no form in JSON"):
        krill.chat([{"role": "user", "content": b"Hi"}])
    with pytest.raises(TypeError, match="text: expected text, got int"):
        krill.tokenize(5)
    with pytest.raises(TypeError, match="text: expected text, got NoneType"):
        finback.parse(None)
    with pytest.raises(finback.InvalidArgumentError, match="invalid UTF-8 at byte 1"):
        krill.tokenize(b"a\xff")
    with pytest.raises(TypeError):
        krill.sequence().restore(10**12)


def test_pieces_of_characters_come_out_whole(krill):
    """Ids of single bytes: what is no character yet is U+FFFD, never an exception."""
    ids = krill.tokenize("\U0001f433")
    for cut in range(1, len(ids) + 1):
        krill.detokenize(ids[:cut]).encode()
