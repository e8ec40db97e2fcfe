"""Builds the module for another Python against the installed library, and runs smoke.py with it.

check_interpreter.py VERSION --source ROOT --build FOLDER. It is looked for on PATH, in the folders of
FINBACK_PYTHONS (separated by colons) and where pyenv and uv keep theirs. Exit status 77: no such
Python here, or one without headers.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77
ASK = """
import sys, sysconfig
print('%d.%d' % sys.version_info[:2])
print(sysconfig.get_path('include'))
"""


def folders(version):
    """Where the interpreter may be."""
    home = pathlib.Path.home()
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    uv = home / ".local" / "share" / "uv" / "python"
    named = [os.environ.get("PATH", ""), os.environ.get("FINBACK_PYTHONS", "")]
    kept = [*pyenv.glob(f"{version}.*/bin"), *uv.glob(f"cpython-{version}.*/bin")]
    return ":".join(named).split(":") + [str(folder) for folder in sorted(kept)]


def find(version):
    """The interpreter's path; None when there is none that works, with the reasons on stdout."""
    paths = [shutil.which(f"python{version}", path=folder) for folder in folders(version)]
    for path in filter(None, paths):
        asked = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False)
        if asked.returncode != 0 or asked.stdout.split()[0] != version:
            print(f"{path} is no Python {version}: {asked.stderr.strip()}")
        elif not os.path.exists(os.path.join(asked.stdout.split()[1], "Python.h")):
            print(f"{path} has no headers in {asked.stdout.split()[1]}")
        else:
            return path
    print(f"no python{version} that a module can be built for; FINBACK_PYTHONS may name its folder")
    return None


def absolute(path):
    """The path, whatever the present folder is later."""
    return pathlib.Path(path).resolve()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--source", type=absolute, required=True)
    parser.add_argument("--build", type=absolute, required=True)
    options = parser.parse_args()
    path = find(options.version)
    if path is None:
        return SKIPPED
    try:
        import pybind11
    except ImportError:
        print("pybind11 is not installed for the tests: Debian's is too old for some Pythons")
        return SKIPPED

    folder = options.build / f"python-{options.version}"
    prefix = folder / "prefix"

    def run(*command, **options_of_run):
        subprocess.run([str(part) for part in command], check=True, **options_of_run)

    run("cmake", "--install", options.build, "--prefix", prefix, stdout=subprocess.DEVNULL)
    # Unoptimized: what is tried is that it compiles and works.
    run(
        "cmake", "-G", "Ninja", "-S", options.source / "python", "-B", folder,
        f"-DPython_EXECUTABLE={path}", f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O0",
    )  # fmt: skip
    run("cmake", "--build", folder)
    environment = {
        **os.environ,
        "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "python"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run(path, options.source / "tests" / "python" / "smoke.py", env=environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
