"""llama.cpp's own server, with a model that says what it is told, in three wire formats."""

import json
import socket
import unittest

from real import FORMATS, SCHEMA, TOOLS, Client, RealTest, Relay, Server, main, until

SERVER = None
KEY = "sk-right-key-123456"
CONTEXT_TOKENS = 1024  # of tiny_model.py
SAYS_WHALES = {"messages": [{"role": "user", "content": "say whales"}], "temperature": 0}
SAYS_FOREVER = {"messages": [{"role": "user", "content": "say forever"}]}


def setUpModule():
    global SERVER
    SERVER = Server("llama_server.py")
    unittest.addModuleCleanup(SERVER.stop)


class LlamaTest(RealTest):
    wire_format, stream = "openai", 1

    def client(self, url=None, path=None, **options):
        options.setdefault("wire_format", self.wire_format)
        path = (
            {"openai": "/v1", "anthropic": "", "responses": "/v1"}[options["wire_format"]]
            if path is None
            else path
        )
        base = (url or SERVER.url) + path
        return Client(
            self, model="llama-server:krillet", base_url=base, service_stream=self.stream, **options
        )


class EachWay:
    """What holds in every wire format, streamed or not."""

    def test_text_and_what_it_took(self):
        client = self.client()
        answer = client.chat("say whales", temperature=0)
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text(), "Krill are small crustaceans.")
        prompt, cached, completion, _ = answer.usage
        self.assertEqual((prompt, completion), (29, 7))  # six pieces and the end
        self.assertLess(cached, prompt)
        self.assertEqual(answer.response["model"], "krillet")
        again = client.chat("say whales", temperature=0)
        self.assertEqual(again.usage[0], prompt)
        self.assertGreater(again.usage[1], 0, "the prompt of a moment ago is in the cache")

    def test_reasoning_is_apart_from_the_answer(self):
        answer = self.client().chat("say think", temperature=0)
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text("reasoning"), "Whales filter water.")
        self.assertEqual(answer.text(), "Baleen whales eat krill.")
        kinds = [kind for kind in answer.kinds() if kind != "notice"]
        self.assertEqual(kinds, ["reasoning", "content", "finish"])

    def test_characters_in_pieces_stay_whole(self):
        answer = self.client().chat("say bytes", temperature=0)
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text(), "In pieces: \U0001f433 and \u00e9!")

    def test_bytes_that_are_no_character_are_replaced(self):
        answer = self.client().chat("say broken", temperature=0)
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text(), "Not a character: \ufffd?")

    def test_an_empty_answer_is_a_failure(self):
        answer = self.client(max_retries=1).chat("say nothing", temperature=0)
        self.assert_fails(answer, "service", "empty_response", "empty")
        self.assertEqual(answer.response["service"]["attempts"], 2)

    def test_max_tokens_ends_it(self):
        answer = self.client().chat("say forever", max_tokens=5, temperature=0)
        # Its Responses say "completed" all the same.
        self.assert_done(answer, "stop" if self.wire_format == "responses" else "length")
        self.assertEqual(answer.text().split(), ["la", "li", "la", "li", "la"])
        self.assertEqual(answer.usage[2], 5)

    def test_stop_strings_end_it(self):
        answer = self.client().chat("say whales", stop=[" crusta"], temperature=0)
        if self.wire_format == "responses":
            return self.assertEqual((answer.end, answer.error[:5]), ("invalid_request", "stop:"))
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text(), "Krill are small")

    def test_models(self):
        models = self.client().models()
        self.assertEqual([model["id"] for model in models["value"]["data"]], ["krillet"])

    def test_one_call(self):
        answer = self.client().chat("say weather", tools=TOOLS, temperature=0)
        self.assert_done(answer, "tool_calls")
        self.assertEqual(answer.calls(), [("get_weather", {"city": "Troms\u00f8"})])

    def test_two_calls(self):
        answer = self.client().chat("say pair", tools=TOOLS, temperature=0)
        self.assert_done(answer, "tool_calls")
        self.assertEqual(answer.calls(), [("get_weather", {"city": "Oslo"}), ("get_time", {})])
        ids = {event["id"] for event in answer.events if event["kind"] == "tool_call"}
        self.assertEqual(len(ids), 2)

    def test_results_go_back_and_the_conversation_goes_on(self):
        request = {
            "messages": [{"role": "user", "content": "say pair"}],
            "tools": TOOLS,
            "temperature": 0,
        }
        calls, last = self.client().answers({"chat": request, "replies": ["-4 degrees"]})
        self.assert_done(calls, "tool_calls")
        self.assert_done(last, "stop")
        self.assertEqual(last.text(), "It is cold there.")
        self.assertGreater(last.usage[1], 400, "the turn before is in the cache")

    def test_a_call_is_forced(self):
        answer = self.client().chat(
            "say weather", tools=TOOLS, tool_choice="required", temperature=0
        )
        self.assert_done(answer, "tool_calls")
        self.assertEqual([name for name, _ in answer.calls()], ["get_weather"])

    def test_the_call_that_is_named_is_the_call_that_is_made(self):
        # The model would call get_weather.
        named = {"type": "function", "function": {"name": "get_time"}}
        answer = self.client().chat(
            "say weather", tools=TOOLS, tool_choice=named, temperature=0, max_tokens=300
        )
        self.assertEqual({name for name, _ in answer.calls()} - {"get_time"}, set(), answer.raw)

    def test_a_prompt_beyond_the_context(self):
        client = self.client()
        answer = client.chat("say whales" + " krill" * 400)
        self.assert_fails(answer, "context_full", "context_overflow", "1024 tokens", "shorten")
        self.assertEqual(answer.details["limit"], CONTEXT_TOKENS)
        self.assertGreater(answer.details["requested"], CONTEXT_TOKENS)
        self.assert_done(client.chat("say whales"), "stop")

    def test_an_address_that_does_not_exist(self):
        client = self.client(path="/v9")
        self.assert_fails(
            client.chat("say whales"), "invalid_request", "invalid_request", "404", "base_url"
        )
        self.assertEqual(client.models()["end"], "invalid_request")

    def test_a_cancel_in_the_middle_reaches_the_server(self):
        relay = Relay(SERVER.url)
        self.addCleanup(relay.close)
        client = self.client(url=relay.url)
        after = 5 if self.stream else 0
        answers = client.answers({"chat": SAYS_FOREVER, "cancel_after": after})
        self.assertEqual(answers[0].end, "cancelled", answers[0].raw)
        self.assertGreaterEqual(len(answers[0].events), after)
        until(
            lambda: relay.closed_by_client == relay.connections,
            "the cancelled answer's connection closes",
        )
        self.assert_done(client.chat("say whales"), "stop")


for wire_format in FORMATS:
    for stream in (1, 0):
        name = f"{wire_format.capitalize()}{'Streamed' if stream else 'Whole'}"
        globals()[name] = type(
            name, (EachWay, LlamaTest), {"wire_format": wire_format, "stream": stream}
        )


class ChatCompletions(LlamaTest):
    """What the server knows in this format alone."""

    def test_pieces_come_as_they_are_made(self):
        answer = self.client().chat("say whales", temperature=0)
        pieces = [event["text"] for event in answer.events if event["kind"] == "content"]
        self.assertEqual(pieces, ["Krill", " are", " small", " crust", "aceans", "."])

    def test_thinking_is_switched_off(self):
        answer = self.client().chat("say think", temperature=0, thinking={"type": "disabled"})
        self.assert_done(answer, "stop")
        self.assertEqual(
            (answer.text("reasoning"), answer.text()), ("", "Krill are small crustaceans.")
        )

    def test_the_end_of_the_context_ends_it(self):
        answer = self.client().chat("say forever", max_tokens=100000, temperature=0)
        self.assert_done(answer, "length")
        self.assertEqual(answer.usage[0] + answer.usage[2], CONTEXT_TOKENS)

    def test_no_call_where_none_is_allowed(self):
        answer = self.client().chat("say weather", tools=TOOLS, tool_choice="none", temperature=0)
        self.assertNotIn("tool_call", answer.kinds())

    def test_a_json_object(self):
        answer = self.client().chat(
            "say json", response_format={"type": "json_object"}, temperature=0
        )
        self.assert_done(answer, "stop")
        self.assertEqual(json.loads(answer.text()), {"city": "Oslo", "degrees": -4})

    def test_numbers_beyond_the_vocabulary_do_no_harm(self):
        self.assert_done(self.client().chat("say whales", logit_bias={"999999": 5}), "stop")

    def test_seeds_and_sampling_are_taken(self):
        fields = {
            "temperature": 1.5,
            "top_p": 0.9,
            "top_k": 5,
            "min_p": 0.1,
            "seed": 7,
            "logit_bias": {"70": -1},
        }
        texts = {
            self.client().chat("say forever", max_tokens=30, **fields).text() for _ in range(2)
        }
        self.assertEqual(len(texts), 1)


class ChatCompletionsWhole(ChatCompletions):
    stream = 0
    test_pieces_come_as_they_are_made = None


class Logprobs(LlamaTest):
    def tokens_of(self, answer, text):
        self.assert_done(answer, "stop")
        tokens = [token for event in answer.events for token in event.get("logprobs", [])]
        self.assertEqual("".join(token["token"] for token in tokens), text)
        for token in tokens:
            self.assertEqual(bytes(token["bytes"]).decode(), token["token"])
            self.assertEqual(len(token["top_logprobs"]), 2)
            self.assertGreater(token["logprob"], token["top_logprobs"][1]["logprob"])

    def test_of_a_chat(self):
        answer = self.client().chat("say whales", logprobs=True, top_logprobs=2, temperature=0)
        self.tokens_of(answer, "Krill are small crustaceans.")

    def test_of_a_completion(self):
        answer = self.client().complete("<|whales|>", logprobs=2, temperature=0)
        self.tokens_of(answer, "Krill are small crustaceans.")


class LogprobsWhole(Logprobs):
    stream = 0


class Schemas(LlamaTest):
    def test_the_servers_grammar_makes_the_answer_fit(self):
        # Without the grammar these are "Krill are small crustaceans." and nothing at all.
        for content in ("say whales", "say nothing", "say json"):
            client = self.client(schema_repairs=0)
            answer = client.chat(content, response_format=SCHEMA, max_tokens=300, temperature=0)
            self.assert_done(answer, "stop")
            self.assertEqual(sorted(json.loads(answer.text())), ["city", "degrees"])

    def test_an_answer_without_a_grammar_is_judged(self):
        # Its /v1/responses takes a schema and forgets it; its /v1/messages takes none.
        for wire_format in ("responses", "anthropic"):
            client = self.client(wire_format=wire_format)
            answer = client.chat("say json", response_format=SCHEMA, max_tokens=200, temperature=0)
            self.assert_done(answer, "stop")
            self.assertEqual(json.loads(answer.text()), {"city": "Oslo", "degrees": -4})
            answer = client.chat(
                "say whales", response_format=SCHEMA, max_tokens=200, temperature=0
            )
            self.assert_fails(answer, "schema", "schema", "not JSON", "after 1 repair")


class SchemasWhole(Schemas):
    stream = 0


class Completions(LlamaTest):
    def test_raw_text_is_continued(self):
        answer = self.client().complete("<|whales|>", temperature=0)
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text(), "Krill are small crustaceans.")
        self.assertEqual(answer.usage[0], 1)
        self.assertEqual(answer.response["object"], "text_completion")

    def test_it_is_not_parsed(self):
        answer = self.client().complete("<|weather|>", temperature=0)
        self.assert_done(answer, "stop")
        self.assertEqual(answer.kinds(), ["content", "finish"])
        self.assertIn("<tool_call>", answer.text())

    def test_stop_strings_and_max_tokens(self):
        answer = self.client().complete("<|whales|>", stop=[" small"], temperature=0)
        self.assertEqual((answer.text(), answer.finish), ("Krill are", "stop"))
        answer = self.client().complete("<|forever|>", max_tokens=3, temperature=0)
        self.assertEqual((answer.text(), answer.finish), (" la li la", "length"))

    def test_a_suffix_is_refused(self):
        answer = self.client().complete("a", suffix="b")
        self.assertEqual((answer.end, answer.error[:7]), ("invalid_request", "suffix:"))


class CompletionsWhole(Completions):
    stream = 0


class Keys(LlamaTest):
    @classmethod
    def setUpClass(cls):
        cls.locked = Server("llama_server.py", json.dumps({"api_keys": [KEY]}))
        cls.addClassCleanup(cls.locked.stop)

    def test_the_right_key_and_a_wrong_one(self):
        for wire_format in FORMATS:
            for key, end in [(KEY, "done"), ("sk-wrong-key-654321", "authentication")]:
                with self.subTest(wire_format=wire_format, key=key):
                    client = self.client(url=self.locked.url, wire_format=wire_format, api_key=key)
                    answer = client.chat("say whales")
                    self.assertEqual(answer.end, end, answer.raw)
                    self.assertNotIn(key, json.dumps(answer.raw))

    def test_no_key(self):
        answer = self.client(url=self.locked.url).chat("say whales")
        self.assert_fails(answer, "authentication", "authentication", "LLAMA_API_KEY")


class Connections(LlamaTest):
    def relayed(self, **options):
        relay = Relay(SERVER.url)
        self.addCleanup(relay.close)
        return relay, self.client(url=relay.url, **options)

    def test_one_connection_serves_many_requests(self):
        self.stream = 0  # this server closes after each stream
        relay, client = self.relayed()
        for _ in range(20):
            self.assert_done(client.chat("say whales"), "stop")
        self.assertEqual(relay.connections, 1)

    def test_a_connection_that_the_server_gave_up_is_replaced_unseen(self):
        # It gives up a connection after a hundred requests, and after some idle seconds.
        self.stream = 0
        relay, client = self.relayed(max_retries=0)
        for _ in range(120):
            self.assert_done(client.chat("say whales"), "stop")
        self.assertLess(relay.connections, 5)
        closed = relay.closed_by_server
        until(lambda: relay.closed_by_server > closed, "the server closes an idle connection")
        self.assert_done(client.chat("say whales"), "stop")

    def test_a_prompt_of_megabytes(self):
        answer = self.client().chat("krill " * 700_000)
        self.assert_fails(answer, "context_full", "context_overflow")

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        answer = self.client(url=f"http://127.0.0.1:{port}", max_retries=0).chat("hello")
        self.assert_fails(answer, "service", "transport", f"127.0.0.1:{port}")

    def test_more_answers_at_once_than_the_server_has_slots(self):
        answers = self.client().answers({"chat": SAYS_WHALES, "streams": 8})
        self.assertEqual(len(answers), 8)
        for answer in answers:
            self.assert_done(answer, "stop")
            self.assertEqual(answer.text(), "Krill are small crustaceans.")

    def test_many_cancels_at_once(self):
        client = self.client()
        for after in (0, 1, 20):
            answers = client.answers({"chat": SAYS_FOREVER, "streams": 6, "cancel_after": after})
            self.assertEqual({answer.end for answer in answers}, {"cancelled"})
        self.assert_done(client.chat("say whales"), "stop")


if __name__ == "__main__":
    main()
