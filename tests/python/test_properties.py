"""What holds for all inputs."""

import json

import pytest

import finback
from finback.request import chat_json, option_text, to_json
from finback.tools import parse_docstring, tool_definition

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

# Other work on the machine must not fail a test: there are no deadlines.
settings.register_profile(
    "finback", deadline=None, max_examples=60, derandomize=True, database=None
)
settings.load_profile("finback")

TEXT = st.text(st.characters(blacklist_categories=("Cs",)))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def engine():
    return finback.open("krill", threads=1)


@given(text=TEXT)
def test_text_survives_tokens(engine, text):
    assert engine.detokenize(engine.tokenize(text)) == text


@given(text=TEXT)
def test_user_text_is_in_the_prompt_as_it_is(engine, text):
    assert f"<\uff5cUser\uff5c>{text}<\uff5cAssistant\uff5c>" in engine.encode(
        [{"role": "user", "content": text}]
    )


@given(messages=JSON, options=st.dictionaries(TEXT, JSON, max_size=3))
def test_any_request_is_taken_or_refused(engine, messages, options):
    request = {"messages": messages, **options}
    try:
        stream = engine._start(to_json(request))
    except finback.FinbackError as error:
        assert str(error) and "\n" not in str(error)
    else:
        stream.cancel()


@given(text=st.text())
def test_lone_surrogates_are_refused_with_an_error(engine, text):
    """What is not Unicode text never reaches the library as bytes it would have to doubt."""
    try:
        engine.encode(text)
    except finback.InvalidRequestError:
        pass


@given(text=TEXT, thinking=st.booleans())
def test_parse_takes_any_completion(text, thinking):
    message = finback.parse(text, thinking=thinking)
    assert message["role"] == "assistant"


@given(messages=st.lists(st.fixed_dictionaries({"role": TEXT, "content": TEXT})), value=JSON)
def test_requests_are_json_of_what_was_given(messages, value):
    written = json.loads(chat_json(messages, None, None, {"metadata": value}))
    assert written["messages"] == messages
    assert written.get("metadata") == value


@given(value=st.floats(min_value=0, max_value=1e6))
def test_decimal_options_have_no_exponent(value):
    text = option_text("budget", value)
    assert "e" not in text and float(text) == pytest.approx(value, abs=5e-7)


@given(text=TEXT)
def test_any_docstring_is_parsed(text):
    summary, descriptions = parse_docstring(text)
    assert isinstance(summary, str) and all(descriptions.values())


@given(
    names=st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), unique=True, max_size=5)
)
def test_definitions_name_all_parameters(names):
    names = [name + "_" for name in names]
    scope = {}
    exec(f"def tool({', '.join(names)}): pass", scope)  # pylint: disable=exec-used
    parameters = tool_definition(scope["tool"])["function"]["parameters"]
    assert list(parameters["properties"]) == names == parameters.get("required", [])


@given(splits=st.lists(st.integers(1, 5), max_size=6))
@settings(max_examples=15)
def test_logits_do_not_depend_on_the_split(engine, splits):
    np = pytest.importorskip("numpy")
    ids = engine.tokenize("Baleen whales eat krill and small fish, which they filter.")
    expected = engine.sequence().evaluate(ids)
    sequence, position = engine.sequence(), 0
    for size in splits:
        if position + size < len(ids):
            sequence.evaluate(ids[position : position + size], "none")
            position += size
    assert np.array_equal(sequence.evaluate(ids[position:]), expected)
