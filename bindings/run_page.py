"""Runs a page of docs/.

run_page.py PAGE FENCE COMMAND...: its code as one program, by COMMAND. FENCE is the language after the three backquotes.
run_page.py --as-printed PAGE: its commands in the current folder, from the first to the last, with the code in the file
whose name stands on the page ("The program below in `page.lua`").

What is answered to the page's questions must be in the output.
"""

import os
import re
import subprocess
import sys
import tempfile

ANSWERS = {
    "What do baleen whales eat?": "krill and small fish",
    "What is the weather in Oslo?": "The weather in Oslo: Rain",
    "robot": 'unknown role "robot"',
}
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Indented lines after an empty one.
COMMANDS = re.compile(r"(?<=\n\n)(?:    \S.*\n)+")


def lacks_answers(page, program, output):
    print(output)
    asked = [question for question in ANSWERS if question in program]
    missing = [ANSWERS[question] for question in asked or ANSWERS if ANSWERS[question] not in output]
    if missing:
        print(f"{page}: not in the output: {missing}")
    return bool(missing)


def run_as_printed(page, text):
    [file_name] = re.findall(r"The program below in `([\w./]+)`", text)
    program = "\n".join(code for _, code in FENCED.findall(text))
    os.makedirs(os.path.dirname(file_name) or ".", exist_ok=True)
    with open(file_name, "w", encoding="utf-8") as file:
        file.write(program)
    blocks = COMMANDS.findall(FENCED.sub("", text))
    commands = "".join(re.sub("^    ", "", block, flags=re.MULTILINE) for block in blocks)
    print(commands, flush=True)
    run = subprocess.run(["bash", "-e", "-c", commands], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    output = run.stdout.decode(errors="replace")
    if run.returncode != 0:
        print(output)
        print(f"{page}: a command failed: {run.returncode}")
        return run.returncode
    return lacks_answers(page, program, output)


def run_program(page, text, fence, command):
    blocks = [code for language, code in FENCED.findall(text) if language == fence]
    if not blocks:
        print(f"{page}: no block of {fence}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(blocks))
        run = subprocess.run([*command, path], stdout=subprocess.PIPE, check=False)
    return lacks_answers(page, "".join(blocks), run.stdout.decode()) or run.returncode


def main() -> int:
    as_printed = sys.argv[1] == "--as-printed"
    page, *rest = sys.argv[1 + as_printed :]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    return run_as_printed(page, text) if as_printed else run_program(page, text, rest[0], rest[1:])


if __name__ == "__main__":
    sys.exit(main())
