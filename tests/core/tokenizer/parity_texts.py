"""Texts for tokenizer_parity.py, the same for the same random generator."""

import sys
import unicodedata

# Newer Pythons know code points that PCRE2 10.42 does not; then Unicode 3.2's database has to do.
DATABASE = unicodedata if unicodedata.unidata_version == "14.0.0" else unicodedata.ucd_3_2_0

WHITE_SPACE = ("\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
               "\u2009\u200a\u2028\u2029\u202f\u205f\u3000")
NEARLY_SPACE = "\u180e\u200b\u200c\u200d\u2060\ufeff\x1c\x1d\x1e\x1f\u3164\u115f\u2800"
EMOJI = ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\u2764\ufe0f",
         "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3", "#\ufe0f\u20e3",
         "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\u2603",
         "\U0001f9d1\U0001f3ff\u200d\U0001f680", "\U0001f40b", "\u00a9\ufe0f", "\U0001fae0"]
WORDS = """the and of whale baleen don't I'll we've it's O'Neil naive na\u00efve cafe\u0301 Stra\u00dfe
\u0130stanbul \u03ba\u1f71\u03bb\u03bb\u03bf\u03c2 \u0441\u043b\u043e\u0432\u043e
\u0645\u0631\u062d\u0628\u0627 \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd
\u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \ud55c\uad6d\uc5b4
\u9be8\u9b5a \u4f60\u597d\u4e16\u754c \u9fa5\u9fa6\u9fff \u3053\u3093\u306b\u3061\u306f
\u30a2\u30fb\u30a4 \u30e9\u30fc\u30e1\u30f3 \uff76\uff9e \u6f22\u5b57\u304b\u306a \u3001\u3002\u300c\u300d
mc\u00b2 x\u2081 \u00bd \u2167 \u0661\u0662\u0663\u0664 \u0967\u0968\u0969 \u3007 \u4e09 \u2460 3.14159
1,234,567 0x1F 1e-9 192.168.0.1 user@example.org https://example.org/a?b=c&d=%20#e C++ foo_bar
$x @y #z ~/.config ... --- ==> <= !== ;; </div> <tool_result> <think> </think> <|im_start|>
\uff5cDSML\uff5c <\uff5cUser\uff5c> <\uff5cend\u2581of\u2581sentence\uff5c>""".split()
CODE = [
    "def f(x):\n    return {'a': x[0], \"b\": x[1:]}  # note\n\n\nclass A(B):\n\tpass\n",
    "#include <stdio.h>\r\nint main(void)\r\n{\r\n  printf(\"%d\\n\", 1 << 3);\r\n  return 0;\r\n}\r\n",
    "for (let i = 0; i < n; ++i) { a[i] = `x${i}`; } // done\n",
    "fn main() -> Result<(), Box<dyn Error>> {\n    let v: Vec<_> = (0..10).map(|x| x * 2).collect();\n}",
    "SELECT * FROM t WHERE a >= 10 AND b LIKE '%x%';\n-- end\n",
    "<html>\n  <body class=\"a b\">&nbsp;</body>\n</html>",
    "\\begin{align}\n  \\int_0^1 x^2\\,dx &= \\frac{1}{3} \\\\\n\\end{align}",
    "{\"key\": [1, 2.5, -3e10, null, true], \"\\u00e9\": \"\\n\"}",
    "if [ -f \"$1\" ]; then\n\techo ${x:-y} | sed 's/a/b/g' > /dev/null 2>&1\nfi\n",
    "| a | b |\n|---|:-:|\n| 1 | 2 |\n\n* x\n  * y\n\n```py\nprint()\n```\n",
]


def assigned():
    return [chr(c) for c in range(sys.maxunicode + 1)
            if DATABASE.category(chr(c)) not in ("Cn", "Cs")]


class Generator:
    def __init__(self, rng, added):
        self.rng = rng
        self.added = added
        everything = assigned()
        by_category = {}
        for c in everything:
            by_category.setdefault(DATABASE.category(c), []).append(c)

        def of(*categories):
            return [c for k in categories for c in by_category.get(k, [])]

        def block(low, high):
            return [chr(c) for c in range(low, high + 1) if DATABASE.category(chr(c)) != "Cn"]

        self.pools = [
            [chr(c) for c in range(0x20, 0x7f)], list(WHITE_SPACE), list(WHITE_SPACE + NEARLY_SPACE),
            list(" \n"), list(" \t\r\n"), list("0123456789"), of("Nd"), of("Nl", "No"),
            of("Nd", "Nl", "No"), block(0x4e00, 0x9fff), block(0x3400, 0x4dbf),
            block(0x20000, 0x2a6df), block(0x3000, 0x30ff), block(0x3040, 0x30ff),
            block(0xff00, 0xffef), block(0xac00, 0xd7a3), block(0x370, 0x5ff), block(0x600, 0x6ff),
            block(0x900, 0xdff), block(0xc0, 0x24f), of("Mn", "Mc", "Me"), of("Lu", "Ll", "Lt"),
            of("Lm", "Lo"), of("Cc"), of("Cf"), of("Co"), of("Sm", "Sc", "Sk"), of("So"),
            of("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"), list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
            block(0x1f300, 0x1faff), everything, list("'sStTrReEvVmMlLdD\u017f\u212a "),
        ]

    def characters(self):
        pools = self.rng.sample(self.pools, self.rng.randrange(1, 5))
        return "".join(self.rng.choice(self.rng.choice(pools))
                       for _ in range(self.rng.randrange(0, 60)))

    def run(self):
        pool = self.rng.choice(self.pools)
        return self.rng.choice(pool) * self.rng.choice([2, 3, 4, 5, 8, 17, 64, 300])

    def runs(self):
        return "".join(self.run() for _ in range(self.rng.randrange(1, 5)))

    def sentence(self):
        out = ""
        for _ in range(self.rng.randrange(1, 20)):
            out += self.rng.choice(WORDS)
            out += self.rng.choice(["", " ", " ", " ", " ", "  ", "\n", "\n\n", ".", ", ", "\t", "\u3000"])
        return out

    def code(self):
        text = self.rng.choice(CODE)
        begin = self.rng.randrange(len(text))
        return self.rng.choice([text, text[begin:], text[:begin],
                                text.replace("\n", "\r\n"), text.replace("    ", "\t")])

    def emoji(self):
        return "".join(self.rng.choice(EMOJI + [" ", "\u200d", "\ufe0f", "a", "\U0001f3fd"])
                       for _ in range(self.rng.randrange(1, 20)))

    def with_added(self):
        out = ""
        for _ in range(self.rng.randrange(1, 6)):
            token = self.rng.choice(self.added)
            cut = self.rng.random()
            if cut < 0.15:
                token = token[:self.rng.randrange(len(token))]
            elif cut < 0.3:
                token = token[self.rng.randrange(len(token)):]
            out += token + self.rng.choice(["", " ", "\n", self.sentence(), self.characters()])
        return out

    def mixed(self):
        makers = [self.characters, self.runs, self.sentence, self.code, self.emoji]
        return "".join(self.rng.choice(makers)() for _ in range(self.rng.randrange(2, 5)))

    def text(self):
        makers = [self.characters] * 6 + [self.runs, self.sentence, self.code, self.emoji,
                                          self.with_added, self.mixed]
        return self.rng.choice(makers)()


def generate(rng, count, added):
    generator = Generator(rng, added)
    long_texts = [c * 100000 for c in ("a", " ", "\n", "1", "\u4e00", "!", "\u0301", "\x00", "\U0001f600")]
    long_texts += [" " * 50000 + "x", "a1" * 30000, "ab " * 30000]
    return ["", *long_texts] + [generator.text() for _ in range(count - 1 - len(long_texts))]


def sweep():
    """Every assigned code point beside letters, digits, spaces and punctuation; private use sampled."""
    everything = [c for c in assigned() if DATABASE.category(c) != "Co" or ord(c) % 61 == 0]
    return ["".join(f"a{c}b{c}{c}1 {c}\n{c} ." for c in everything[begin:begin + 32])
            for begin in range(0, len(everything), 32)]
