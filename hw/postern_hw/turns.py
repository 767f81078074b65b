"""Whose turn it is: the clock of a strict block."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Manager

__all__ = ["WRITE_TURN", "Turns", "TurnsSignature", "rotated"]

WRITE_TURN = 3
"""Cycles of a turn at the write engine: as many as its longest write keeps it."""


class TurnsSignature(wiring.Signature):
    """Whose turn it is, seen from what is divided. All members but ``strict`` are one bit at a time.

    Members
    -------
    strict : Out(1)
        Go by these turns; otherwise round robin.
    write : Out(ports), or Out(ports + 1) with a manager
        At the write engine, and for staged words: ``WRITE_TURN`` cycles each. The last one belongs to the steps of VMs
        that are opened or torn down.
    first : Out(1)
        First cycle of such a turn. What takes longer than a cycle begins here.
    read : Out(ports)
        At the read engine and in the log of refused accesses, a cycle each. Banks read in the same order, each a cycle
        after the one before it (``rotated``), so that a port that reads one word after another keeps its turn.
    guard : Out(ports + 1)
        Writes of bank 0 of the SRAM, a cycle each; the last turn is the scrubber's.
    """

    def __init__(self, config: Config):
        ports = len(config.ports)
        super().__init__(
            {
                "strict": Out(1),
                "write": Out(ports + (config.manager is not Manager.NONE)),
                "first": Out(1),
                "read": Out(ports),
                "guard": Out(ports + 1),
            }
        )


def rotated(turn: Value, bank: int) -> Value:
    """Return the turn of a bank, where ``turn`` is that of bank 0: each bank is a cycle behind the one before it."""
    return turn.rotate_left(-bank % len(turn))


class Turns(wiring.Component):
    """Rings of turns. They run from reset on, whatever happens, so that nobody can move them.

    Parameters
    ----------
    config : Config
        With ``strict``.

    Members
    -------
    strict : In(1)
        As chosen by the manager.
    turns : Out(TurnsSignature)
    """

    def __init__(self, config: Config):
        super().__init__({"strict": In(1), "turns": Out(TurnsSignature(config))})

    def elaborate(self, platform):
        m = Module()

        def ring(name: str, length: int) -> Signal:
            return Signal(length, name=name, init=1)

        rings = {name: ring(name, len(getattr(self.turns, name))) for name in ("write", "read", "guard")}
        phase = ring("phase", WRITE_TURN)
        steps = {name: bits.eq(bits.rotate_left(1)) for name, bits in rings.items()}
        m.d.sync += [phase.eq(phase.rotate_left(1)), steps["read"], steps["guard"]]
        with m.If(phase[-1]):
            m.d.sync += steps["write"]
        m.d.comb += [
            self.turns.strict.eq(self.strict),
            self.turns.first.eq(phase[0]),
            *(getattr(self.turns, name).eq(bits) for name, bits in rings.items()),
        ]
        return m
