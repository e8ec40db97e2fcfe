"""Writes a GGUF model of a few hundred kilobytes that says what a script tells it to.

Its one layer adds nothing: the logits depend on the last token alone, and each token of a script
makes the next one certain. The chat template opens the answer with a token that no text contains,
and so picks the script: what the last message says to say, or what the conversation calls for.
Bytes are tokens as well, so any text can be read, a grammar can be followed, and characters can
come in pieces.
"""

import sys

import gguf
import numpy

CONTEXT_TOKENS = 1024

# What is said by whom. A piece is one token, so no two are alike; bytes are tokens anyway.
SCRIPTS = {
    "whales": ["Krill", " are", " small", " crust", "aceans", "."],
    "think": [
        "<think>",
        "Whales",
        " filter",
        " water.",
        "</think>",
        "Baleen",
        " whales eat",
        " krill.",
    ],
    "weather": [
        "<tool_call>",
        '\n{"name": "get_weather", ',
        '"arguments": {"city": ',
        '"Troms\u00f8"}}',
        "\n</tool_call>",
    ],
    "pair": [
        "<tool_call>\n",
        '{"name": "get_weather", "arguments": ',
        '{"city": "Oslo"}}\n',
        "</tool_call>\n<tool_call>\n",
        '{"name": "get_time", ',
        '"arguments": {}}',
        "\n</tool_call>\n",
    ],
    "thanks": ["It is", " cold", " there."],
    "forever": [" la", " li"],
    "bytes": ["In pieces: ", "\U0001f433", " and ", "\u00e9", "!"],
    "broken": ["Not a character: ", b"\xff", "?"],
    "json": ['{"city": ', '"Oslo", ', '"degrees": ', "-4}"],
    "nothing": [],
}
SPLIT_TO_BYTES = {"\U0001f433", "\u00e9"}
CONTROL = ["<|im_start|>", "<|im_end|>", *(f"<|{name}|>" for name in SCRIPTS)]
USUAL = "."  # what follows a token that no script knows
# Preferred where a grammar forbids what would come next: ends strings and objects soon.
CLOSING = {'"': 0.6, "}": 0.5, ":": 0.4, "0": 0.3, ",": 0.2}

TEMPLATE = """
{%- if tools -%}
<|im_start|>system
You may call functions. Their signatures:
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
Call one so: <tool_call>
{"name": NAME, "arguments": OBJECT}
</tool_call><|im_end|>
{% endif -%}
{%- for message in messages -%}
{%- if message.role == "tool" -%}
<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else -%}
<|im_start|>{{ message.role }}
{%- if message.reasoning_content %}
<think>{{ message.reasoning_content }}</think>
{%- endif %}
{% if message.content %}{{ message.content }}{% endif %}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor -%}
<|im_end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% if messages[-1].role == "tool" -%}<|thanks|>
{%- elif "say think" in messages[-1].content and enable_thinking is defined
    and not enable_thinking -%}<|whales|>
SAYINGS
{%- else -%}<|whales|>{%- endif -%}
{%- endif -%}
"""


def template():
    sayings = ""
    for name in SCRIPTS:
        sayings += '{%%- elif "say %s" in (messages[-1].content or "") -%%}<|%s|>' % (name, name)
    return TEMPLATE.strip().replace("\nSAYINGS\n", sayings)


def byte_characters():
    """The printable stand-ins that byte-level BPE vocabularies have for the 256 bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        byte: chr(byte if byte in printable else 256 + others.index(byte)) for byte in range(256)
    }


class Vocabulary:
    """Tokens, and which one follows which."""

    def __init__(self):
        self._characters = byte_characters()
        self.texts = [self._characters[byte] for byte in range(256)]
        self.kinds = [gguf.TokenType.NORMAL] * 256
        for name in CONTROL:
            self.texts.append(name)
            self.kinds.append(gguf.TokenType.CONTROL)
        self.next = {}
        for name, pieces in SCRIPTS.items():
            self._add_script(self.texts.index(f"<|{name}|>"), pieces)

    def _add_script(self, token, pieces):
        end = self.texts.index("<|im_end|>")
        first = None
        for piece in pieces:
            data = piece if isinstance(piece, bytes) else piece.encode()
            if len(data) == 1 or piece in SPLIT_TO_BYTES:
                following = list(data)
            else:
                self.texts.append("".join(self._characters[byte] for byte in data))
                self.kinds.append(gguf.TokenType.NORMAL)
                following = [len(self.texts) - 1]
            for successor in following:
                assert token not in self.next, f"two tokens would follow {self.texts[token]}"
                self.next[token] = successor
                token = successor
                first = token if first is None else first
        self.next[token] = first if pieces == SCRIPTS["forever"] else end


def write(path):
    vocabulary = Vocabulary()
    count = len(vocabulary.texts)
    assert len(set(vocabulary.texts)) == count, "a piece occurs twice"
    # One dimension for each token, and one that is always on.
    width = (count + 1 + 31) // 32 * 32
    head = 32
    embedding = numpy.zeros((count, width), numpy.float32)
    output = numpy.zeros((count, width), numpy.float32)
    for token in range(count):
        embedding[token, token] = embedding[token, count] = 1
        output[vocabulary.next.get(token, ord(USUAL)), token] = 2
    for character, preference in CLOSING.items():
        output[ord(character), count] = preference

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("krillet")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(head)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(count)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary.texts)
    writer.add_token_types([int(kind) for kind in vocabulary.kinds])
    writer.add_token_merges(["\u0120 \u0120"])  # the reader wants a list that is not empty
    writer.add_bos_token_id(vocabulary.texts.index("<|im_start|>"))
    writer.add_eos_token_id(vocabulary.texts.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(template())
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    ones = numpy.ones(width, numpy.float32)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", ones)
    narrow, wide = numpy.zeros((head, width), numpy.float32), numpy.zeros(
        (width, head), numpy.float32
    )
    for name in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"):
        writer.add_tensor(f"blk.0.{name}.weight", narrow)
    for name in ("attn_output", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", wide)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1])
