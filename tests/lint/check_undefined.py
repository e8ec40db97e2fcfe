"""The library never prints, aborts, exits, installs handlers or reads the environment: its objects do not
refer to the functions that do. Given the build folder, looks at every object of core/ and capi/."""

import fnmatch
import os
import re
import subprocess
import sys

import source_tree

# symbol pattern -> what it would do
FORBIDDEN = {
    "prints": "printf vprintf puts putchar putc fputs fputc fwrite fprintf vfprintf dprintf vdprintf perror psignal "
    "__printf_chk __vprintf_chk __fprintf_chk __vfprintf_chk __dprintf_chk stdout stderr "
    "_ZSt4cout _ZSt4cerr _ZSt4clog _ZSt5wcout _ZSt5wcerr syslog",
    "ends the process": "abort exit _exit _Exit quick_exit __assert_fail __assert_perror_fail raise kill err errx",
    "touches the host's settings": "setlocale signal sigaction atexit at_quick_exit __cxa_at_quick_exit putenv "
    "setenv unsetenv srand rand chdir umask",
    "reads the environment": "getenv secure_getenv __secure_getenv",
}
# (object's source, symbol) that may be: with the reason.
ALLOWED = {
    ("core/kernels/isa.cc", "getenv"): "FINBACK_ISA, documented in the public header",
    ("core/kernels/isa.cc", "secure_getenv"): "FINBACK_ISA, documented in the public header",
    ("core/remote/client.cc", "getenv"): "keys of services, documented in the public header",
}
# Where the objects of the library lie in a CMake build folder.
OBJECT = re.compile(r"CMakeFiles/finback(?:_\w+)?\.dir/((?:core|capi)/.*)\.o$")


def library_objects(build):
    for folder, _, names in os.walk(os.path.join(build, "CMakeFiles")):
        for name in names:
            match = OBJECT.search(os.path.join(folder, name))
            if match:
                yield match.group(1), os.path.join(folder, name)


def undefined(path):
    lines = subprocess.run(
        ["nm", "--undefined-only", "--format=posix", path], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line.split()[0].split("@")[0] for line in lines if line.strip()]


def check_object(source, path):
    for symbol in undefined(path):
        for what, patterns in FORBIDDEN.items():
            if any(fnmatch.fnmatchcase(symbol, pattern) for pattern in patterns.split()):
                if (source, symbol) not in ALLOWED:
                    yield f"{source}: refers to {symbol}, which {what}"


def main():
    arguments = source_tree.parser(__doc__)
    arguments.add_argument("build", help="the CMake build folder")
    options = arguments.parse_args()
    findings, checked = [], 0
    for source, path in sorted(library_objects(options.build)):
        # Objects of sources that were since deleted stay in a build folder.
        if os.path.exists(os.path.join(options.root, source)):
            checked += 1
            findings += check_object(source, path)
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
