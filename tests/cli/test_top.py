"""The live view: on model and hardware, on a terminal and on none, and when it ends."""

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from postern import Counters, FaultRecord, Limit, Pool, Quota, State, Status, VmStatus
from postern_cli.errors import CommandError
from postern_cli.main import main
from postern_cli.top import frame, run
from postern_spec.regmap import Fault

ROOT = Path(__file__).resolve().parents[2]
MODEL = ("--model", "--cycles", "20000")
LONG = ("--model", "--cycles", "90000", "--interval", "0")
"""Several tables."""


def tables(text: str) -> list[str]:
    """Split what was printed into its tables."""
    return [f"cycle {part}" for part in re.split(r"^cycle ", text, flags=re.MULTILINE)[1:]]


def total(table: str, name: str) -> int:
    """Add up a column of the second table."""
    heads, *rows = table.split("since they were opened\n")[1].split("\n\n")[0].splitlines()
    start = re.search(rf"(?:^|  ){name}(?:  |$)", heads)
    assert start is not None
    at = heads.index(name, start.start())
    return sum(int(row[at:].split()[0]) for row in rows)


def test_once_on_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", *MODEL, "--once"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("postern: 8 virtual machines behind 4 axi4-lite ports, on the functional model\n")
    (table,) = tables(text)
    assert "\x1b" not in text
    assert re.search(r"^2 +open +1 +\d+/16 ", table, re.MULTILINE)
    assert total(table, "sent") > 10
    assert total(table, "received") > 10
    assert re.search(r"^fault of VM 4: read of 0x[0-9a-f]+ at port \d, DIRECTION, x\d+$", table, re.MULTILINE)


def test_tables_one_behind_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", *LONG]) == 0
    found = tables(capsys.readouterr().out)
    assert len(found) > 2
    cycles = [int(re.match(r"cycle ([\d,]+)", table)[1].replace(",", "")) for table in found]  # type: ignore[index]
    assert cycles == sorted(set(cycles))
    assert cycles[-1] >= 90000
    sent = [total(table, "sent") for table in found]
    assert sent == sorted(sent)
    assert sent[-1] > sent[0]


@pytest.mark.parametrize(
    "config",
    [
        'preset = "default"\nblocks = 0\nwords = 1\nlanes = 1\ncounters = true\n',
        'preset = "default"\nblocks = 0\nopen_at_reset = true\nread_error = true\n',
        'preset = "default"\nvms = 3\nmanager = "page"\nport = [{identity = "page", cores = 4}]\ncounters = true\n',
        'preset = "default"\nmanager = "port"\nmanager_port = 3\nblocks = 8\n',
    ],
)
def test_other_configurations(capsys: pytest.CaptureFixture[str], tmp_path: Path, config: str) -> None:
    file = tmp_path / "block.toml"
    file.write_text(config)
    assert main(["top", "--config", str(file), *MODEL, "--once"]) == 0
    (table,) = tables(capsys.readouterr().out)
    assert ("since they were opened" in table) == ("counters" in config)
    assert ("blocks without an owner" in table) == ("blocks = 0" not in config)


@pytest.mark.sim
def test_on_the_hardware_guests_wait_for_each_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "block.toml"
    file.write_text(
        'preset = "default"\nvms = 4\nlanes = 1\nwords = 4\nblocks = 0\ncounters = true\n[[port]]\ncount = 3\n'
    )
    assert run(str(file), once=True, cycles=6000) == 0
    text = capsys.readouterr().out
    (table,) = tables(text)
    assert "on the generated Verilog, in Verilator\n" in text
    assert total(table, "sent") > 10
    assert max(map(float, re.findall(r"  (\d+\.\d)%$", table, re.MULTILINE))) > 0


def test_on_a_terminal_it_stays_in_its_place() -> None:
    """Every table begins at the top, nothing is longer than the terminal, and the cursor is there again at the end."""
    ours, theirs = pty.openpty()
    os.set_inheritable(theirs, True)
    code = "import os, sys; from postern_cli.main import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "top", *LONG],
        stdout=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    ) as process:
        os.close(theirs)
        text = bytearray()

        def read() -> None:
            try:
                while part := os.read(ours, 65536):
                    text.extend(part)
            except OSError:  # the other end is closed
                pass

        reader = threading.Thread(target=read)
        reader.start()
        assert process.wait(timeout=120) == 0
        reader.join()
    os.close(ours)
    shown = text.decode().replace("\r\n", "\n")
    frames = shown.split("\x1b[?25l\x1b[H")[1:]
    assert len(frames) > 2
    assert all(part.count("\n") < 24 and "\x1b[J" in part and "\ncycle " in part for part in frames)
    assert all(len(line.removesuffix("\x1b[K")) <= 80 for part in frames for line in part.split("\n"))
    assert shown.endswith("\x1b[?25h")


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, sentence in (
        (["--config", "small"], "manager of postern_small must be one that has a page to look at, not none"),
        (["--interval", "-1"], "interval must be at least 0 seconds, not -1"),
        (["--cycles", "0"], "cycles must be at least 1, not 0"),
    ):
        assert main(["top", "--model", *arguments]) == 1
        seen = capsys.readouterr()
        assert (seen.out, seen.err) == ("", f"postern: {sentence}\n")


def test_nobody_to_be_shown(tmp_path: Path) -> None:
    file = tmp_path / "block.toml"
    file.write_text('preset = "default"\nvms = 2\nblocks = 0\n')
    with pytest.raises(
        CommandError, match=r"^VMs that reach a port of postern beside the manager must be at least 2, not 1$"
    ):
        run(str(file), model=True)


def status(counters: Counters | None, generation: int = 1) -> Status:
    """Return what a manager sees of a VM that was opened and of one that never was."""
    limits = (Limit(4, 1), Limit(2, 0))
    one = VmStatus(0, State.PAUSED, generation, 3, (1,), limits, (2, 5), True, armed=True, faults=7, counters=counters)
    other = VmStatus(1, State.CLOSED, 0, 0, (), (Limit(0, 0),) * 2, (), False)
    return Status(1, (one, other), (FaultRecord(0, True, Fault.BLOCK, 1, 64, 7),), depth=16)


def test_a_frame() -> None:
    before = status(Counters(sent=2**32 - 10, waited=100))
    after = status(Counters(sent=40, received=25, no_credit=5, ignored=3, waited=600, queue_peak=9))
    assert frame(after, before, 12_345, 2_000) == [
        "cycle 12,345, 1 VM (1 never opened)",
        "",
        "VM  state   gen  queue  peak  credits  cores  waiting     faults  sent/k  recv/k  refused/k  waited",
        "0   paused  1    3/16   9     1/6      2 5    yes, armed  7       25.0    12.5    2.5        25.0%",
        "",
        "since they were opened",
        "VM  sent  received  no credit  denied  peer gone  torn  ignored  doorbells",
        "0   40    25        5          0       0          0     3        0",
        "",
        "fault of VM 0: write of 0x40 at port 1, BLOCK, x7",
    ]


def test_a_frame_after_a_vm_was_opened_again() -> None:
    """What was counted before belongs to another incarnation."""
    lines = frame(status(Counters(sent=10), generation=2), status(Counters(sent=500)), 1, 1000)
    assert lines[3].split() == [
        "0",
        "paused",
        "2",
        "3/16",
        "0",
        "1/6",
        "2",
        "5",
        "yes,",
        "armed",
        "7",
        "10.0",
        "0.0",
        "0.0",
        "0.0%",
    ]


def test_a_frame_without_counters_and_with_blocks() -> None:
    plain = status(None)
    vms = tuple(
        VmStatus(it.vm, it.state, it.generation, it.queued, it.senders, it.limits, it.cores, False, quota=Quota(2, 4))
        for it in plain.vms
    )
    lines = frame(Status(1, vms, (), 16, pool=Pool(3, 1)), None, 1, 1)
    assert lines == [
        "cycle 1, 1 VM (1 never opened)",
        "",
        "VM  state   gen  queue  credits  blocks  peak  cores  waiting  faults",
        "0   paused  1    3/16   1/6      2/4     -     2 5    -        -",
        "",
        "blocks without an owner: 3 clean, 1 dirty",
    ]
