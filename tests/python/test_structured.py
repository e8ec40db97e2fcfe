"""Answers as values."""

import builtins
import json

import pytest

import finback
from finback.structured import Attempts, strip_fence, target_of

pydantic = pytest.importorskip("pydantic")
pytest.importorskip("jsonschema")


class Sum(pydantic.BaseModel):
    answer: str
    sure: bool


SCHEMA = {
    "title": "sum of two",
    "type": "object",
    "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}


def answer(text):
    message = {"role": "assistant", "content": text}
    usage = finback.Usage(0, 0, 0, 0)
    return finback.ChatResponse(text, "", (), "stop", usage, None, message, {})


def test_a_pydantic_model(service):
    result = service.open("json").structured("2 + 2?", Sum)
    assert result.value == Sum(answer="4", sure=True)
    assert result.response.text.startswith("{")


def test_a_json_schema(service):
    result = service.open("json~schema").structured("2 + 2?", SCHEMA)
    assert result.value == {"answer": "4", "sure": True}


def test_an_answer_that_never_fits_is_an_error(service):
    engine = service.open("json-wrong~never", schema_repairs=0)
    with pytest.raises(finback.SchemaError) as caught:
        engine.structured("2 + 2?", Sum, repairs=1)
    assert caught.value.code == finback.SchemaError.code


def test_a_repair_shows_the_model_what_was_wrong():
    attempts = Attempts("2 + 2?", Sum, repairs=1)
    assert attempts.take(answer('{"answer": 4}')) is None
    said = attempts.messages[-1]
    assert said["role"] == "user" and "sure" in said["content"]
    assert attempts.take(answer('```json\n{"answer": "4", "sure": false}\n```')).value == Sum(
        answer="4", sure=False
    )
    with pytest.raises(finback.SchemaError, match="sure") as caught:
        attempts.take(answer("{}"))
    assert caught.value.text == "{}"


def test_a_schema_failure_names_the_path():
    target = target_of(SCHEMA)
    assert target.name == "sum_of_two"
    with pytest.raises(ValueError, match=r"\$\.sure"):
        target.read('{"answer": "4", "sure": 1}')
    with pytest.raises(ValueError):
        target.read("four")


def test_other_types_that_pydantic_knows():
    assert target_of(list[int]).read("[1, 2]") == [1, 2]


def test_a_model_in_process_is_instructed(krill):
    """krill cannot write JSON: what counts is that it was asked, and that its answer is judged."""
    with pytest.raises(finback.SchemaError, match="Sum"):
        krill.structured("What is 17 + 25?", Sum, repairs=0)
    attempts = Attempts(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x"}], SCHEMA, 0
    )
    refused = finback.InvalidRequestError("response_format.type: not supported")
    assert attempts.fall_back(refused)
    assert attempts.response_format == {"type": "json_object"}
    system = attempts.messages[0]["content"]
    assert system.startswith("Be brief.") and json.dumps(SCHEMA) in system
    assert not attempts.fall_back(refused)


def test_other_refusals_are_not_the_schemas(krill):
    with pytest.raises(finback.InvalidRequestError, match="temperature"):
        krill.structured("hi", Sum, temperature=9)
    with pytest.raises(ValueError, match="repairs"):
        krill.structured("hi", Sum, repairs=-1)


def test_missing_packages_are_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name in ("pydantic", "jsonschema"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="install it, or give a JSON schema"):
        target_of(Sum)
    with pytest.raises(ImportError, match="needs jsonschema"):
        target_of(SCHEMA)


def test_fences_are_stripped():
    assert strip_fence('```json\n{"a": 1}\n```') == '{"a": 1}'
    assert strip_fence('{"a": "```"}') == '{"a": "```"}'
