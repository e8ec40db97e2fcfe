"""docs/hardware.md: every computed figure is what `finback bench --costs` counts. --print writes the tables."""

import json
import os
import re
import sys
import unittest

from command import SOURCE, CommandTest, finback

DEPTHS = ("0", "8K", "32K", "128K", "1M")
# Bytes a second of the data sheet: channels * transfers * 8 bytes, or the width of the bus.
MACHINES = (
    ("2 channels of DDR4-3200", 2 * 3200e6 * 8),
    ("2 channels of DDR5-5600", 2 * 5600e6 * 8),
    ("8 channels of DDR4-3200", 8 * 3200e6 * 8),
    ("unified, 256 bits of LPDDR5X-8000", 8000e6 * 32),
    ("8 channels of DDR5-4800", 8 * 4800e6 * 8),
    ("unified, 512 bits of LPDDR5-6400", 6400e6 * 64),
    ("12 channels of DDR5-4800", 12 * 4800e6 * 8),
    ("12 channels of DDR5-6400", 12 * 6400e6 * 8),
    ("unified, 1024 bits of LPDDR5-6400", 6400e6 * 128),
)


def page():
    with open(os.path.join(SOURCE, "docs", "hardware.md"), encoding="utf-8") as file:
        return file.read()


def share(words):
    """What the page says was measured."""
    return float(re.search(rf"(\d+) % of {words}", re.sub(r"\s+", " ", page())).group(1)) / 100


def costs(shape):
    run = finback("bench", "--json", "--costs", "--shape", shape, "--depths", ",".join(DEPTHS))
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["token"]


def figure(value):
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def weights_table(models):
    yield "| | Flash | Pro |"
    yield "|---|---|---|"
    for words, member, unit in (("layers", "layers", 1), ("weights, GB", "model_bytes", 1e9),
                                ("of them read for a token, GB", "weight_bytes", 1e9), ("of these, of routed experts, GB", "expert_bytes", 1e9),
                                ("operations of the linear layers for a token, 10^9", "linear_operations", 1e9)):  # fmt: skip
        cells = [model[member] if unit == 1 else figure(model[member] / unit) for model in models]
        yield f"| {words} | {cells[0]} | {cells[1]} |"


def depth_table(models):
    yield "| depth | Flash: MB read | MB held | 10^9 operations | Pro: MB read | MB held | 10^9 operations |"
    yield "|---|---|---|---|---|---|---|"
    for i, depth in enumerate(DEPTHS):
        cells = [depth]
        for model in models:
            row = model["at_depth"][i]
            cells += [figure(row["cache_bytes_read"] / 1e6), figure(row["cache_bytes_held"] / 1e6)]
            cells.append(figure((row["attention_operations"] + row["indexer_operations"]) / 1e9))
        yield "| " + " | ".join(cells) + " |"


def machine_table(models):
    yield "| memory | GB/s | Flash at 0 | at 128K | at most | Pro at 0 | at 128K | at most |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, bandwidth in MACHINES:
        cells = [name, f"{bandwidth / 1e9:.0f}"]
        for model in models:
            most = bandwidth / model["weight_bytes"]
            at_0 = share("the read roof when decoding") * most
            cells += [figure(at_0), figure(share("that speed behind 128K") * at_0), figure(most)]
        yield "| " + " | ".join(cells) + " |"


def prefill_table(models):
    yield "| multiply-adds, 10^12 operations a second | Flash | Pro |"
    yield "|---|---|---|"
    for tera in (1, 2, 5, 10, 20):
        cells = [figure(share("the BF16 roof when reading a prompt") * tera * 1e12 / model["linear_operations"]) for model in models]
        yield f"| {tera} | {cells[0]} | {cells[1]} |"


def tables():
    models = [costs("flash"), costs("pro")]
    for table in (weights_table, depth_table, machine_table, prefill_table):
        yield "\n".join(table(models)) + "\n"


class Page(CommandTest):
    def test_tables_are_what_is_counted(self):
        for table in tables():
            with self.subTest(table.splitlines()[0]):
                self.assertIn(table, page())

    def test_settings_are_those_that_are_taken(self):
        settings = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`\w+`(?:, `\w+`)?) \| [^|]+ \| [^|]+ \|$", page(), re.MULTILINE)))
        with open(os.path.join(SOURCE, "core", "bench", "settings.cc"), encoding="ascii") as file:
            taken = re.findall(r'(?:fields\.\w+\(|&fields, )"(\w+)"', file.read())
        self.assertEqual(sorted(set(settings)), sorted(set(taken)))


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print("\n".join(tables()))
    else:
        unittest.main()
