"""A LiteLLM proxy: its mocks, models that fail as we like, and llama.cpp's server behind it."""

import json
import unittest

from real import FORMATS, SCHEMA, TOOLS, Client, RealTest, Relay, Server, main, until

LLAMA = PROXY = None
KEY = "sk-master-key-123456"  # of litellm_server.py
PROMPT_TOKENS, COMPLETION_TOKENS = 12, 34  # of litellm_models.py
SAID = "Krill are small crustaceans."


def setUpModule():
    global LLAMA, PROXY
    LLAMA = Server("llama_server.py")
    unittest.addModuleCleanup(LLAMA.stop)
    PROXY = Server("litellm_server.py", LLAMA.url)
    unittest.addModuleCleanup(PROXY.stop)


class ProxyTest(RealTest):
    wire_format, stream = "openai", 1

    def client(self, model, provider="litellm", url=None, **options):
        options.setdefault("wire_format", self.wire_format)
        options.setdefault("api_key", KEY)
        options.setdefault("max_retries", 0)
        path = "" if options["wire_format"] == "anthropic" else "/v1"
        return Client(
            self,
            model=f"{provider}:{model}",
            base_url=(url or PROXY.url) + path,
            service_stream=self.stream,
            **options,
        )


class EachWay:
    """What holds in every wire format, streamed or not."""

    def test_text_and_usage(self):
        answer = self.client("whales").chat("hello", max_tokens=2000)
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text(), SAID)
        self.assertEqual(answer.usage[:3], [PROMPT_TOKENS, 0, COMPLETION_TOKENS])
        self.assertEqual(answer.response["model"], "whales")
        self.assertEqual(answer.notices(), [])

    def test_reasoning(self):
        if (self.wire_format, self.stream) == ("responses", 1):
            self.skipTest("the proxy cannot count reasoning that a handler streams there")
        answer = self.client("think").chat("hello")
        self.assert_done(answer, "stop")
        self.assertEqual(
            (answer.text("reasoning"), answer.text()),
            ("Whales filter water.", "Baleen whales eat krill."),
        )

    def test_a_call_after_text(self):
        answer = self.client("call").chat("hello", tools=TOOLS)
        self.assert_done(answer, "tool_calls")
        self.assertEqual(answer.text(), "Let me look. ")
        self.assertEqual(answer.calls(), [("get_weather", {"city": "Troms\u00f8"})])

    def test_two_calls(self):
        answer = self.client("calls").chat("hello", tools=TOOLS)
        self.assert_done(answer, "tool_calls")
        self.assertEqual(
            answer.calls(), [("get_weather", {"city": "Troms\u00f8"}), ("get_time", {})]
        )

    def test_an_answer_cut_by_its_length(self):
        answer = self.client("long").chat("hello")
        self.assert_done(answer, "length")
        self.assertEqual(answer.text(), "Cut short")

    def test_a_schema_that_the_answer_fits(self):
        answer = self.client("json").chat("hello", response_format=SCHEMA)
        self.assert_done(answer, "stop")
        self.assertEqual(json.loads(answer.text()), {"city": "Oslo", "degrees": -4})

    def test_failures_by_kind(self):
        for model, end, kind in [
            ("error-400", "invalid_request", "invalid_request"),
            ("error-401", "authentication", "authentication"),
            ("error-429", "rate_limit", "rate_limit"),
            ("error-500", "service", "server"),
        ]:
            with self.subTest(model):
                answer = self.client(model).chat("hello")
                self.assert_fails(answer, end, kind, "the model answered " + model[-3:])
                self.assertEqual(answer.text(), "")

    def test_a_failure_that_may_pass_is_tried_again(self):
        answer = self.client("error-503", max_retries=1).chat("hello")
        self.assertEqual((answer.end, answer.response["service"]["attempts"]), ("service", 2))
        answer = self.client("error-400", max_retries=1).chat("hello")
        self.assertEqual(
            (answer.end, answer.response["service"]["attempts"]), ("invalid_request", 1)
        )

    def test_a_failure_in_the_middle_keeps_what_came(self):
        answer = self.client("broken", max_retries=2).chat("hello")
        self.assert_fails(answer, "service", "server", "the model answered 500")
        self.assertEqual(answer.text(), "Half an ans" if self.stream else "")
        self.assertEqual(answer.response["service"]["attempts"], 1 if self.stream else 3)

    def test_a_model_that_is_not_there(self):
        answer = self.client("nobody").chat("hello")
        self.assert_fails(answer, "invalid_request", "invalid_request", "nobody")

    def test_a_wrong_key(self):
        client = self.client("whales", api_key="sk-wrong-key-654321")
        answer = client.chat("hello")
        self.assert_fails(answer, "authentication", "authentication", "key")
        self.assertNotIn("wrong-key", json.dumps(answer.raw))
        self.assertEqual(client.models()["end"], "authentication")

    def test_models(self):
        models = {model["id"] for model in self.client("whales").models()["value"]["data"]}
        self.assertLessEqual({"whales", "llama", "mock"}, models)

    def test_a_model_of_another_server(self):
        answer = self.client("llama").chat("say think", temperature=0)
        self.assert_done(answer, "stop")
        # On its way through to Messages the proxy loses the reasoning.
        reasoning = "" if self.wire_format == "anthropic" else "Whales filter water."
        self.assertEqual(
            (answer.text("reasoning"), answer.text()), (reasoning, "Baleen whales eat krill.")
        )
        self.assertEqual((answer.usage[0], answer.usage[2]), (28, 9))

    def test_a_conversation_with_calls_at_another_server(self):
        request = {
            "messages": [{"role": "user", "content": "say pair"}],
            "tools": TOOLS,
            "temperature": 0,
        }
        answers = self.client("llama").answers({"chat": request, "replies": ["-4 degrees"]})
        self.assert_done(answers[0], "tool_calls")
        self.assertEqual(answers[0].calls(), [("get_weather", {"city": "Oslo"}), ("get_time", {})])
        self.assert_done(answers[1], "stop")
        self.assertEqual(answers[1].text(), "It is cold there.")

    def test_a_prompt_beyond_the_other_servers_context(self):
        answer = self.client("llama").chat("say whales" + " krill" * 400)
        self.assert_fails(answer, "context_full", "context_overflow", "1024 tokens")

    def test_thinking_fields_that_the_proxy_refuses_are_left_out(self):
        for provider in ("custom", "litellm"):
            answer = self.client("llama-unknown", provider).chat("say whales", temperature=0)
            self.assert_done(answer, "stop")
            self.assertEqual(answer.text(), SAID)

    def test_a_cancel_closes_the_connection(self):
        relay = Relay(PROXY.url)
        self.addCleanup(relay.close)
        client = self.client("forever", url=relay.url)
        client.send(
            {
                "chat": {"messages": [{"role": "user", "content": "hello"}]},
                **({"cancel_after": 3} if self.stream else {"cancel_line": 1}),
            }
        )
        if not self.stream:
            until(lambda: b"hello" in relay.sent, "the request arrives")
            client.send({})
        answer = client.receive()["streams"][0]
        self.assertEqual(answer["end"], "cancelled", answer)
        until(lambda: relay.closed_by_client == relay.connections == 1, "the connection closes")


for wire_format in FORMATS:
    for stream in (1, 0):
        name = f"{wire_format.capitalize()}{'Streamed' if stream else 'Whole'}"
        globals()[name] = type(
            name, (EachWay, ProxyTest), {"wire_format": wire_format, "stream": stream}
        )


class Mocks(ProxyTest):
    def test_a_mock_response(self):
        for wire_format in FORMATS:
            self.stream = 0 if wire_format == "responses" else 1  # where its mocks do not stream
            answer = self.client("mock", wire_format=wire_format).chat("hello")
            self.assert_done(answer, "stop")
            self.assertEqual(answer.text(), SAID)

    def test_mock_errors(self):
        for wire_format in ("openai", "anthropic"):
            for error, end, kind in [
                ("rate-limit", "rate_limit", "rate_limit"),
                ("context", "context_full", "context_overflow"),
                ("internal", "service", "server"),
            ]:
                with self.subTest(wire_format=wire_format, error=error):
                    answer = self.client("mock-" + error, wire_format=wire_format).chat("hello")
                    self.assert_fails(answer, end, kind, "mock")

    def test_an_error_in_the_shape_of_a_stream(self):
        answer = self.client("mock", wire_format="responses").chat("hello")
        self.assert_fails(answer, "service", "server", ": Error processing stream start;")


class Connections(ProxyTest):
    def test_streams_leave_the_connection_for_the_next(self):
        relay = Relay(PROXY.url)
        self.addCleanup(relay.close)
        for wire_format in FORMATS:
            for self.stream in (1, 0):
                before = relay.connections
                client = self.client("whales", url=relay.url, wire_format=wire_format)
                for _ in range(5):
                    self.assert_done(client.chat("hello"), "stop")
                self.assertLess(relay.connections - before, 5, (wire_format, self.stream))

    def test_many_at_once(self):
        answers = self.client("whales").answers(
            {"chat": {"messages": [{"role": "user", "content": "hello"}]}, "streams": 12}
        )
        self.assertEqual([answer.text() for answer in answers], [SAID] * 12)

    def test_a_chain_goes_on_to_the_next_model(self):
        answer = self.client("error-503,litellm:whales").chat("hello")
        self.assert_done(answer, "stop")
        self.assertEqual(answer.text(), SAID)
        self.assertIn("other_target", answer.notices())


if __name__ == "__main__":
    main()
