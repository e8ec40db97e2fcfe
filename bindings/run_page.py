"""Runs the code of a page of docs/ as one program: run_page.py PAGE FENCE COMMAND...

FENCE is the language after the three backquotes. What krill answers to the page's questions must be in the output.
"""

import os
import re
import subprocess
import sys
import tempfile

ANSWERS = {
    "What do baleen whales eat?": "krill and small fish",
    "What is the weather in Oslo?": "The weather in Oslo: Rain",
}


def main() -> int:
    page, fence, *command = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        blocks = re.findall(rf"^```{re.escape(fence)}\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    if not blocks:
        print(f"{page}: no block of {fence}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "program")
        with open(program, "w", encoding="utf-8") as file:
            file.write("\n".join(blocks))
        run = subprocess.run([*command, program], stdout=subprocess.PIPE, check=False)
    output = run.stdout.decode()
    print(output)
    asked = [question for question in ANSWERS if any(question in block for block in blocks)]
    missing = [question for question in asked or ANSWERS if ANSWERS[question] not in output]
    if missing:
        print(f"{page}: krill's answer is missing: {missing}")
        return 1
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
