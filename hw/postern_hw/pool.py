"""The message slots: block RAM in banks, shared by all ports."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config

from .arbiter import arbitrate
from .ecc import check_bits, decode, encode
from .native import Sizes
from .select import any_of, choose, gated, log2
from .turns import TurnsSignature, rotated

__all__ = ["Pool", "PoolReadSignature", "PoolWriteSignature"]


class PoolWriteSignature(wiring.Signature):
    """One port's writes into the pool, seen from the port.

    Members
    -------
    request : Out(banks), enable : Out(1)
        A word is to be written into that bank, one bit each; what asks without being enabled is served, but writes
        nothing.
    slot, word, data : Out
        Where, and what.
    grant : In(1)
        It is taken. Until then the request must stay.
    """

    def __init__(self, sizes: Sizes):
        super().__init__(
            {
                "request": Out(sizes.banks),
                "enable": Out(1),
                "slot": Out(unsigned(sizes.slot_bits)),
                "word": Out(unsigned(sizes.word_bits)),
                "data": Out(32),
                "grant": In(1),
            }
        )


class PoolReadSignature(wiring.Signature):
    """One port's reads from the pool, seen from the port.

    Members
    -------
    request : Out(banks)
        A word is to be read from that bank, one bit each.
    slot, word : Out
        Which.
    grant : In(1)
        It is being read. Until then the request must stay.
    keep : Out(1)
        In the cycle after the grant: whether the word is wanted.
    data : In(32)
        The word, if it is, ``2 + read_delay`` cycles after the grant; zero in any other.
    pops : Out(1)
        With protection, in the cycle after the grant: it is read by a pop. No bits are flipped of that.
    """

    def __init__(self, sizes: Sizes, protection: bool = False):
        super().__init__(
            {
                "request": Out(sizes.banks),
                "slot": Out(unsigned(sizes.slot_bits)),
                "word": Out(unsigned(sizes.word_bits)),
                "grant": In(1),
                "keep": Out(1),
                "data": In(32),
            }
            | ({"pops": Out(1)} if protection else {})
        )


class Pool(wiring.Component):
    """Message slots in block RAM; the words of a slot are interleaved over the banks.

    Each bank writes one word and reads one word per cycle, round robin between ports, so that ports that stream
    settle on different banks; or by turns, those of the write engine for staged words. A staged word is written in the
    cycle after its grant. A word is never read in the cycle in which it is written: a slot belongs to a lane or to a
    queue, not to both.

    Parameters
    ----------
    config : Config
        Number of ports and words, from which slots and banks follow.

    Members
    -------
    w : In(PoolWriteSignature).array(ports)
        Staged words.
    r : In(PoolReadSignature).array(ports)
    commit : In(PoolWriteSignature)
        Last word of a message. Written in the same cycle: it goes before a staged word.
    corrected, lost : Out(1)
        With protection: a word that a port has now had one flipped bit, which does not show; or two, and reads as zero.
    inject : In(2), inject_at : In(ports), injected : Out(1)
        With protection: flip one bit or two, of the word whose read is granted to this port now; done, in the next
        cycle, unless it is not wanted or is read by a pop. Who asks must stop asking in that cycle.
    crowded : Out(1)
        A staged word has to wait for a commit in this cycle. Whoever grants commits must leave this cycle out, so that
        the wait stays bounded, and a message does not come before its words. By turns this never happens.
    turns : In(TurnsSignature)
        Where the block is strict.
    """

    def __init__(self, config: Config):
        self.config = config
        self.sizes = sizes = Sizes(config)
        count = len(config.ports)
        super().__init__(
            {
                "w": In(PoolWriteSignature(sizes)).array(count),
                "r": In(PoolReadSignature(sizes, config.protection)).array(count),
                "commit": In(PoolWriteSignature(sizes)),
                "crowded": Out(1),
            }
            | ({"turns": In(TurnsSignature(config))} if config.strict else {})
            | (
                {
                    "corrected": Out(1),
                    "lost": Out(1),
                    "inject": In(2),
                    "inject_at": In(count),
                    "injected": Out(1),
                }
                if config.protection
                else {}
            )
        )

    def elaborate(self, platform):
        m = Module()
        c, sizes = self.config, self.sizes
        bank_log, word_log = log2(sizes.banks), log2(sizes.words)
        w_grants = [[] for _ in self.w]
        r_grants = [[] for _ in self.r]
        kept_by_port = [[] for _ in self.r]
        words = []
        held_up = []
        injected: list[Value] = []

        for bank in range(sizes.banks):

            def row(port):
                return Cat(port.word[bank_log:word_log], port.slot)

            cells = memory.Memory(
                shape=unsigned(32 + (check_bits(32) if c.protection else 0)),
                depth=sizes.slots * sizes.rows,
                init=[],
                attrs={"no_rw_check": 1},  # spares the bypass around a collision that cannot happen
            )
            m.submodules[f"bank_{bank}"] = cells
            w_port = cells.write_port()
            r_port = cells.read_port()

            strict, w_turn, r_turn = None, None, None
            if c.strict:
                strict, turns = self.turns.strict, self.turns
                w_turn, r_turn = turns.write[: len(self.w)], rotated(turns.read, bank)
            w_arbiter = arbitrate(m, c, f"write_arbiter_{bank}", len(self.w), strict, w_turn)
            occupied, first, free = (Signal(name=f"{name}_{bank}") for name in ("occupied", "first", "free"))
            granted = Signal(len(self.w), name=f"granted_{bank}")
            with m.If(free):
                m.d.sync += occupied.eq(choose(w_arbiter.grant, [port.enable for port in self.w]))
                late = gated(m, w_arbiter.grant, [Cat(row(port), port.data) for port in self.w], f"late_{bank}")
            m.d.comb += [
                first.eq(self.commit.request[bank]),
                free.eq(~(occupied & first)),
                w_arbiter.request.eq(Cat(port.request[bank] for port in self.w)),
                w_arbiter.accept.eq(free),
                granted.eq(w_arbiter.grant & free.replicate(len(self.w))),
                w_port.en.eq(Mux(first, self.commit.enable, occupied)),
                Cat(w_port.addr, w_port.data[:32]).eq(Mux(first, Cat(row(self.commit), self.commit.data), late)),
            ]
            if c.protection:
                m.d.comb += w_port.data[32:].eq(encode(w_port.data[:32]))
            held_up.append(~free)

            r_arbiter = arbitrate(m, c, f"read_arbiter_{bank}", len(self.r), strict, r_turn)
            rows = [row(port) for port in self.r]
            if sizes.read_delay:
                address = gated(m, r_arbiter.grant, rows, f"address_{bank}")
            else:
                address = choose(r_arbiter.grant, rows)
            m.d.comb += [
                r_arbiter.request.eq(Cat(port.request[bank] for port in self.r)),
                r_arbiter.accept.eq(1),
                r_port.en.eq(1),
                r_port.addr.eq(address),
            ]
            taken = Signal(len(self.r), name=f"taken_{bank}")
            kept = Signal(len(self.r), name=f"kept_{bank}")
            m.d.sync += taken.eq(r_arbiter.grant)
            m.d["sync" if sizes.read_delay else "comb"] += kept.eq(taken & Cat(port.keep for port in self.r))
            for p in range(len(self.w)):
                w_grants[p].append(granted[p])
                r_grants[p].append(r_arbiter.grant[p])
                kept_by_port[p].append(kept[p])
            word = r_port.data
            if c.protection:
                aimed, hit, flipped = (Signal(2, name=f"{name}_{bank}") for name in ("aimed", "hit", "flipped"))
                at = (r_arbiter.grant & self.inject_at).any()
                wanted = (taken & Cat(port.keep & ~port.pops for port in self.r)).any()
                m.d.sync += aimed.eq(self.inject & at.replicate(2))
                m.d.comb += hit.eq(aimed & wanted.replicate(2))
                m.d["sync" if sizes.read_delay else "comb"] += flipped.eq(hit)
                injected.append(hit.any())
                word = Cat(word[:2] ^ flipped, word[2:])
            words.append(word)

        m.d.comb += [self.commit.grant.eq(1), self.crowded.eq(Cat(held_up).any())]
        repaired: list[tuple[Value, Value]] = []
        for p, (w, r) in enumerate(zip(self.w, self.r, strict=True)):
            # Block RAM is slow to answer: nothing comes between it and a register, and repairs come behind that.
            word = gated(m, kept_by_port[p], words, f"word_{p}")
            if c.protection:
                word, corrected, lost = decode(m, word[:32], word[32:], f"port_{p}")
                repaired.append((corrected, lost))
            m.d.comb += [
                w.grant.eq(Cat(w_grants[p]).any()),
                r.grant.eq(Cat(r_grants[p]).any()),
                r.data.eq(word),
            ]
        if c.protection:
            m.d.comb += [
                self.injected.eq(any_of(injected)),
                self.corrected.eq(any_of([corrected for corrected, _ in repaired])),
                self.lost.eq(any_of([lost for _, lost in repaired])),
            ]
        return m
