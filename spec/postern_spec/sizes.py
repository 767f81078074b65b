"""What the memories of a block hold, and how long accesses and its manager's commands take at most, for estimates. The
hardware computes the same sizes (``postern_hw.native``)."""

from .config import Config, Manager
from .model import pow2

__all__ = [
    "block_rams",
    "kill_cycles",
    "kill_steps",
    "longest_waits",
    "open_steps",
    "pool_banks",
    "scrub_window",
    "slots",
    "sram_block_rams",
    "step_wait",
    "write_cycles",
]


def slots(c: Config) -> int:
    """Return the message slots of the pool: the queues', one for each lane of each VM at a port, one spare per port."""
    lanes = sum(len(c.port_vms(port)) * c.lanes for port in range(len(c.ports)))
    return c.vms * c.depth + lanes + len(c.ports)


def pool_banks(c: Config) -> tuple[int, int]:
    """Return the banks of the pool, and the 32-bit words in each."""
    banks = min(pow2(len(c.ports)), pow2(c.words))
    return banks, slots(c) * (pow2(c.words) // banks)


def block_rams(c: Config) -> int:
    """Return the block RAMs that the pool takes, as memories of 512 words of 36 bits (DP16KD, half a RAMB36)."""
    banks, words = pool_banks(c)
    return banks * -(-words // 512)


def sram_block_rams(c: Config) -> int:
    """Return the block RAMs that the shared SRAM takes: a memory for each byte of each bank, 2,048 bytes in each."""
    if not c.blocks:
        return 0
    lanes = c.sram_width // 8
    return c.banks * lanes * -(-c.sram_bytes // (c.banks * lanes * 2048))


def open_steps(c: Config) -> int:
    """Return the steps of opening a VM: a row of doorbells or a lane each, and a last one for the VM itself."""
    return max(c.vms, c.lanes) + 1


def kill_steps(c: Config) -> int:
    """Return the steps of the walk that tears down a killed VM: a row of doorbells and a block each."""
    return max(c.vms, c.blocks)


def write_cycles(c: Config) -> int:
    """Return for how many cycles a write of one port keeps the write engine from others, at most.

    Three; after a commit with a block, where there are any, one more for a staged word that goes to the same bank. By
    turns there is no such word.
    """
    return 4 if c.blocks and not c.strict else 3


def longest_waits(c: Config) -> dict[str, int]:
    """Return of each kind of access the cycles from acceptance to answer, at most, whatever all ports do.

    Derived in docs/theory_of_operation.md. Without request register they count from the cycle of the offer. What the
    opening of a VM adds for the manager is not in them.
    """
    ports, managed, register = len(c.ports), c.manager is not Manager.NONE, c.request_register
    stages = register or c.blocks > 0  # reads take one more
    engine = 3 * (ports + managed) - 1 if c.strict else 3 + write_cycles(c) * (ports - 1) + managed
    return {
        "staged word": register + (engine if c.strict else 2 * ports + 2) + 1,
        "commit": register + engine + 2,
        "other write": register + engine + 4,
        "payload read": register + stages + ports + 3,
        "other read": register + stages + (ports - 1) + 3,
    }


def step_wait(c: Config) -> int:
    """Return how many cycles after it was offered a step of that walk acts, at most, whatever all ports do.

    It waits for one write of each port, or by turns for one turn of each.
    """
    return write_cycles(c) * len(c.ports) + 1


def kill_cycles(c: Config) -> int:
    """Return in how many cycles after a kill, at most, ``CONTROL.KILLING`` is 0, whatever all ports do.

    Each step waits for its turn (``step_wait``), and the next one is offered two cycles after it acted; the queue loses
    a message a cycle. To be added is the time for VMs that were killed before, this many cycles each, and for openings
    that begin meanwhile, whose steps go first.
    """
    return c.depth + kill_steps(c) * (step_wait(c) + 2) + 3


def scrub_window(c: Config) -> int:
    """Return the cycles of a window of the scrubber in a strict block: a turn for each word that a bank has of a block.

    A VM has every ``vms``-th window, and in it one block of its pool becomes clean.
    """
    rows = c.block_size * 8 // (c.sram_width * c.banks)
    return rows * (len(c.ports) + 1) + 3
