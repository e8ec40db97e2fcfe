"""The sdist builds, and what it builds installs and runs where there is no compiler.

check_packages.py --source ROOT --out FOLDER [--wheel WHEEL]. Leaves sdist and wheel in FOLDER.
Compiles the library once, unless a wheel is given.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import venv

# What docs/python.md and the import's message name, with the C and C++ runtimes.
SYSTEM_LIBRARIES = {
    "libcurl.so.4", "libpcre2-8.so.0", "libsqlite3.so.0", "libcrypto.so.3",
    "libedit.so.2", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6",
}  # fmt: skip


def run(*command, **options):
    """Runs a command; its output is shown, a failure ends the program."""
    command = [str(part) for part in command]
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True, **options)


def printed(source, page, pattern):
    """What the page prints by that pattern."""
    text = (source / page).read_text(encoding="utf-8")
    [found] = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return found


def readme_program(source):
    return printed(source, "README.md", r"^```python\n(.*?)^```$")


def build(source, out):
    """The sdist in `out`; in what it unpacks to, README.md's commands as printed, of which the wheel is left in `out`."""
    run(sys.executable, "-m", "build", "--sdist", "--outdir", out, source)
    [sdist] = out.glob("finback-*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        run("tar", "-xf", sdist, "-C", folder)
        [clone] = pathlib.Path(folder).iterdir()
        (clone / "answer.py").write_text(readme_program(source), encoding="utf-8")
        # Compiled once for both.
        environment = {**os.environ, "SKBUILD_BUILD_DIR": f"{folder}/compiled"}
        install = printed(source, "README.md", r"^    (python3 -m venv venv && .*?)$")
        run("bash", "-e", "-c", install, cwd=clone, env=environment)
        run("venv/bin/pip", "wheel", ".", "--no-deps", "--wheel-dir", out, cwd=clone, env=environment)
    [wheel] = out.glob("finback-*.whl")
    return wheel


def check_packages_of_debian(source):
    """docs/python.md names what ./dev installs before it builds."""
    page = set(printed(source, "docs/python.md", r"^    sudo apt-get install (.*?[^\\])$").split()) - {"\\"}
    builds = printed(source, "dev", r"^readonly BUILD_PACKAGES=\((.*?)\)").split()
    missing = set(builds) - page - {"cmake", "ninja-build"}  # pip brings those
    if missing:
        raise SystemExit(f"docs/python.md does not say to install {sorted(missing)}")


def check_libraries(folder):
    """The installed files ask for no library of the system that is not named."""
    own = {path.name for path in folder.rglob("*.so*")}
    for path in [*folder.rglob("*.so*"), folder / "bin" / "finback"]:
        output = subprocess.run(
            ["readelf", "-d", path], capture_output=True, text=True, check=True
        ).stdout
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output))
        unknown = {
            name for name in needed - own - SYSTEM_LIBRARIES if not name.startswith("ld-linux")
        }
        if unknown:
            raise SystemExit(
                f"{path.name} needs libraries that no document names: {sorted(unknown)}"
            )


def check_wheel(wheel, source):
    """Installs the wheel in a clean environment without network or compilers, and uses it."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        venv.create(place / "venv", with_pip=True)
        programs = place / "venv" / "bin"
        # Nothing but the environment's own programs: no compiler, no cmake.
        environment = {"PATH": str(programs), "HOME": folder, "LANG": "C.UTF-8"}
        run(
            programs / "pip",
            "install",
            "-q",
            "--no-index",
            "--only-binary=:all:",
            wheel,
            env=environment,
        )
        [package] = (place / "venv").rglob("site-packages/finback")
        check_libraries(package)
        (place / "answer.py").write_text(readme_program(source), encoding="utf-8")
        run(programs / "python", place / "answer.py", cwd=folder, env=environment)
        run(
            programs / "python",
            source / "tests" / "python" / "smoke.py",
            cwd=folder,
            env=environment,
        )
        run(
            programs / "python",
            "-m",
            "finback",
            "chat",
            "What is 17 + 25?",
            cwd=folder,
            env=environment,
        )
        run(programs / "finback", "chat", "What is 17 + 25?", cwd=folder, env=environment)
        run(programs / "pip", "uninstall", "-q", "-y", "finback", env=environment)
        if package.exists():
            raise SystemExit(f"left behind by pip uninstall: {sorted(os.listdir(package))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--wheel", type=pathlib.Path)
    options = parser.parse_args()
    source, out = options.source.resolve(), options.out.resolve()
    check_packages_of_debian(source)
    if options.wheel is None:
        out.mkdir(parents=True, exist_ok=True)
        for old in out.glob("finback-*"):
            old.unlink()
    wheel = options.wheel.resolve() if options.wheel else build(source, out)
    check_wheel(wheel, source)
    print(f"checked: {wheel}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
