"""The shared SRAM: block RAM in banks behind arbiters, with the right to each access checked beside it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config

from .arbiter import arbitrate
from .ecc import check_bits, decode, encode
from .native import Sizes
from .scrubber import ScrubSignature
from .select import any_of, bits_for, choose, gated, log2
from .turns import TurnsSignature, rotated

__all__ = ["Shape", "Sram", "SramReadSignature", "SramWriteSignature", "look_up"]

LANE = "lane_"
"""Names of the memories begin like this. The Verilog leaves them without contents: the scrubber fills them."""


class Shape:
    """Sizes of the SRAM.

    Parameters
    ----------
    c : Config
        With blocks.
    width : int or None
        Bits of a word: 32 or 64. By default as many as the widest port has.

    Attributes
    ----------
    lanes : int
        Bytes of a word.
    words, word_bits : int
        Words in all, and width of the number of one: that of its block above its place in the block.
    bank_log, block_log : int
        Low bits of the number of a word that choose its bank; bits that are its place in the block.
    rows, row_bits, block_rows : int
        Words of a bank; width of the number of one; words of a block in each bank.
    block_bits, vm_bits : int
        Width of the number of a block, and of a VM-ID.
    """

    def __init__(self, c: Config, width: int | None = None):
        self.width = width = width or c.sram_width
        self.lanes = width // 8
        block_words = c.block_size // self.lanes
        self.words = c.blocks * block_words
        self.word_bits = bits_for(self.words)
        self.bank_log = log2(c.banks)
        self.block_log = log2(block_words)
        self.rows = self.words // c.banks
        self.row_bits = bits_for(self.rows)
        self.block_rows = block_words // c.banks
        self.block_bits = bits_for(c.blocks)
        self.vm_bits = Sizes(c).vm_bits


class SramWriteSignature(wiring.Signature):
    """One port's writes, seen from the port.

    Members
    -------
    request : Out(1), enable : Out(1)
        A word is to be written; what asks without being enabled is served, but writes nothing and is not refused.
    word, vm, data, strobes : Out
        Where, by whom, what, and which bytes.
    grant : In(1)
        It is taken, and acts in the next cycle. Until then the request must stay.
    refused : In(1)
        Two cycles after the grant: the VM had no right to write there, and nothing was written.
    """

    def __init__(self, shape: Shape):
        super().__init__(
            {
                "request": Out(1),
                "enable": Out(1),
                "word": Out(unsigned(shape.word_bits)),
                "vm": Out(unsigned(shape.vm_bits)),
                "data": Out(shape.width),
                "strobes": Out(shape.lanes),
                "grant": In(1),
                "refused": In(1),
            }
        )


class SramReadSignature(wiring.Signature):
    """One port's reads, seen from the port.

    Members
    -------
    request : Out(1), enable : Out(1)
        A word is to be read; what asks without being enabled is served with zero, and is not refused.
    word, vm : Out
        Which, and by whom.
    grant : In(1)
        It is taken, and looks in the next cycle. Until then the request must stay.
    refused : In(1)
        Two cycles after the grant: the VM had no right to read there.
    data : In
        Three cycles after the grant: the word. Zero where it was refused, and in any other cycle.
    """

    def __init__(self, shape: Shape):
        super().__init__(
            {
                "request": Out(1),
                "enable": Out(1),
                "word": Out(unsigned(shape.word_bits)),
                "vm": Out(unsigned(shape.vm_bits)),
                "grant": In(1),
                "refused": In(1),
                "data": In(shape.width),
            }
        )


def look_up(c: Config) -> data.StructLayout:
    """Whose right to which block a bank looks up."""
    return data.StructLayout({"block": unsigned(bits_for(c.blocks)), "vm": unsigned(Sizes(c).vm_bits)})


class Sram(wiring.Component):
    """The shared SRAM; consecutive words lie in different banks.

    Each bank takes one write and one read per cycle, round robin between ports, and has both act in the next cycle:
    there the right is looked up beside the access. A write and a read of the same word act in this order. In each
    eighth cycle the scrubber goes before the ports' writes, and in any other that no port wants. Where the block goes
    by turns, the scrubber has one like the ports.

    Parameters
    ----------
    config : Config
        With blocks.
    width : int or None
        Bits of a word: 32 or 64. By default as many as the widest port has.

    Members
    -------
    w : In(SramWriteSignature).array(ports)
    r : In(SramReadSignature).array(ports)
    scrub : In(ScrubSignature).array(banks), scrub_first : In(1)
        Words to be zeroed; in this cycle they go before the ports' writes.
    w_look, r_look : Out(look_up).array(banks)
        What acts now.
    w_allowed, r_allowed : In(banks)
        It may, in the same cycle.
    turns : In(TurnsSignature)
        Where the block is strict.
    corrected, lost : Out(1)
        With protection: a byte that a port has now had one flipped bit, which does not show; or two, and its word
        reads as zero.
    inject : In(2), inject_at : In(ports), injected : Out(1)
        With protection: flip one bit or two, of a word that this port may read and that is looked up now; done.
    """

    def __init__(self, config: Config, *, width: int | None = None):
        if width not in (None, 32, 64):
            raise ValueError(f"width of the SRAM must be 32 or 64, not {width}")
        self.config = config
        self.shape = shape = Shape(config, width)
        self._checks = check_bits(8) if config.protection else 0
        ports, banks = len(config.ports), config.banks
        super().__init__(
            {
                "w": In(SramWriteSignature(shape)).array(ports),
                "r": In(SramReadSignature(shape)).array(ports),
                "scrub": In(ScrubSignature(shape.row_bits)).array(banks),
                "scrub_first": In(1),
                "w_look": Out(look_up(config)).array(banks),
                "r_look": Out(look_up(config)).array(banks),
                "w_allowed": In(banks),
                "r_allowed": In(banks),
            }
            | ({"turns": In(TurnsSignature(config))} if config.strict else {})
            | (
                {
                    "corrected": Out(1),
                    "lost": Out(1),
                    "inject": In(2),
                    "inject_at": In(ports),
                    "injected": Out(1),
                }
                if config.protection
                else {}
            )
        )

    def elaborate(self, platform):
        m = Module()
        checks = self._checks
        banks = [self._bank(m, bank) for bank in range(self.config.banks)]
        repaired: list[tuple[Value, Value]] = []
        for p, (w, r) in enumerate(zip(self.w, self.r, strict=True)):
            word = gated(m, [bank["kept"][p] for bank in banks], [bank["read"] for bank in banks], f"word_{p}")
            if checks:
                # Behind the register, because block RAM is slow to answer.
                cells = [word[start : start + 8 + checks] for start in range(0, len(word), 8 + checks)]
                found = [decode(m, cell[:8], cell[8:], f"byte_{p}_{lane}") for lane, cell in enumerate(cells)]
                poisoned = any_of([lost for _, _, lost in found])
                word = Cat(byte for byte, _, _ in found) & (~poisoned).replicate(self.shape.width)
                repaired.append((any_of([corrected for _, corrected, _ in found]), poisoned))
            m.d.comb += [
                w.grant.eq(Cat(bank["w_grant"][p] for bank in banks).any()),
                r.grant.eq(Cat(bank["r_grant"][p] for bank in banks).any()),
                w.refused.eq(Cat(bank["w_refused"][p] for bank in banks).any()),
                r.refused.eq(Cat(bank["r_refused"][p] for bank in banks).any()),
                r.data.eq(word),
            ]
        if checks:
            m.d.comb += [
                self.corrected.eq(any_of([corrected for corrected, _ in repaired])),
                self.lost.eq(any_of([lost for _, lost in repaired])),
                self.injected.eq(any_of([bank["injected"] for bank in banks])),
            ]
        return m

    def _bank(self, m: Module, bank: int) -> dict:
        """Build a bank; return what its ports get of it."""
        shape, count = self.shape, len(self.w)
        low = shape.bank_log

        def signal(width, name, **more):
            return Signal(width, name=f"{name}_{bank}", **more)

        def wants(port):
            return port.request & (port.word[:low] == bank) if low else port.request

        def who(port):
            return Cat(port.word[low:], port.vm)

        def parts(late):
            """Return row, block and VM."""
            row, vm = late[: shape.row_bits], late[shape.word_bits - low :]
            return row, row[shape.block_log - low :], vm

        # Writes. The scrubber's rows have no owner; nobody is asked.
        strict, w_turn, r_turn = None, None, None
        scrub_first, scrub_free = Value.cast(self.scrub_first), Const(1)
        if self.config.strict:
            strict, guard = self.turns.strict, rotated(self.turns.guard, bank)
            w_turn, r_turn = guard[:count], rotated(self.turns.read, bank)
            scrub_first, scrub_free = Mux(strict, guard[-1], scrub_first), ~strict
        w_arbiter = arbitrate(m, self.config, f"write_arbiter_{bank}", count, strict, w_turn)
        scrub = self.scrub[bank]
        wanted, granted = signal(count, "wanted"), signal(count, "granted")
        first = signal(1, "first")
        w_late, w_enable, scrubs = signal(len(who(self.w[0])), "w_late"), signal(1, "w_enable"), signal(1, "scrubs")
        w_taken, w_refused = signal(count, "w_taken"), signal(count, "w_refused")
        m.d.comb += [
            wanted.eq(Cat(wants(port) for port in self.w)),
            first.eq(scrub.want & scrub_first),
            w_arbiter.request.eq(wanted),
            w_arbiter.accept.eq(~first),
            granted.eq(w_arbiter.grant & (~first).replicate(count)),
            scrub.taken.eq(scrub.want & (scrub_first | (scrub_free & ~wanted.any()))),
        ]
        m.d.sync += [
            w_taken.eq(granted),
            w_enable.eq(choose(granted, [port.enable for port in self.w])),
            w_late.eq(
                choose(granted, [who(port) for port in self.w]) | (scrub.row & scrub.taken.replicate(shape.row_bits))
            ),
            scrubs.eq(scrub.taken),
        ]
        word = gated(m, granted, [Cat(port.data, port.strobes) for port in self.w], f"w_word_{bank}")
        w_data, strobes = word[: shape.width], word[shape.width :]
        w_row, w_block, w_vm = parts(w_late)
        acts = signal(1, "acts")
        m.d.comb += [
            self.w_look[bank].block.eq(w_block),
            self.w_look[bank].vm.eq(w_vm),
            acts.eq(w_enable & self.w_allowed[bank]),
        ]
        w_told, w_wrong = signal(count, "w_told"), signal(1, "w_wrong")
        m.d.sync += [w_told.eq(w_taken), w_wrong.eq(w_enable & ~self.w_allowed[bank])]
        m.d.comb += w_refused.eq(w_told & w_wrong.replicate(count))

        # Reads.
        r_arbiter = arbitrate(m, self.config, f"read_arbiter_{bank}", count, strict, r_turn)
        r_late, r_enable = signal(len(who(self.r[0])), "r_late"), signal(1, "r_enable")
        r_taken, r_refused, kept = signal(count, "r_taken"), signal(count, "r_refused"), signal(count, "kept")
        m.d.comb += [r_arbiter.request.eq(Cat(wants(port) for port in self.r)), r_arbiter.accept.eq(1)]
        m.d.sync += [
            r_taken.eq(r_arbiter.grant),
            r_enable.eq(choose(r_arbiter.grant, [port.enable for port in self.r])),
            r_late.eq(choose(r_arbiter.grant, [who(port) for port in self.r])),
        ]
        r_row, r_block, r_vm = parts(r_late)
        right = self.r_allowed[bank]
        m.d.comb += [self.r_look[bank].block.eq(r_block), self.r_look[bank].vm.eq(r_vm)]
        r_told, r_right, r_wrong = signal(count, "r_told"), signal(1, "r_right"), signal(1, "r_wrong")
        m.d.sync += [
            r_told.eq(r_taken),
            r_right.eq(r_enable & right),
            r_wrong.eq(r_enable & ~right),
        ]
        m.d.comb += [
            kept.eq(r_told & r_right.replicate(count)),
            r_refused.eq(r_told & r_wrong.replicate(count)),
        ]

        # A memory per byte, so that no tool has to find out what byte enables are. What is written in the cycle in
        # which it is read comes through `passed`, with its check bits.
        same = signal(1, "same")
        passed = signal(shape.width, "passed", reset_less=True)
        m.d.comb += same.eq(w_row == r_row)
        m.d.sync += passed.eq(w_data)
        read = []
        checks = self._checks  # of each byte, so that bytes are written alone
        found = {}
        flipped = Value.cast(Const(0, 2))
        if checks:
            hit, flipped = signal(1, "hit"), signal(2, "flipped")
            m.d.comb += hit.eq((r_taken & self.inject_at).any() & r_enable & right & self.inject.any())
            m.d.sync += flipped.eq(self.inject & hit.replicate(2))
            found = {"injected": hit}
        for lane in range(shape.lanes):
            byte = slice(8 * lane, 8 * lane + 8)
            cells = memory.Memory(shape=unsigned(8 + checks), depth=shape.rows, init=[], attrs={"no_rw_check": 1})
            m.submodules[f"{LANE}{bank}_{lane}"] = cells
            w_port, r_port = cells.write_port(), cells.read_port()
            passes = signal(1, f"passes_{lane}")
            m.d.comb += [
                w_port.en.eq((acts & strobes[lane]) | scrubs),
                w_port.addr.eq(w_row),
                w_port.data.eq(Cat(w_data[byte], encode(w_data[byte])) if checks else w_data[byte]),
                r_port.en.eq(1),
                r_port.addr.eq(r_row),
            ]
            m.d.sync += passes.eq(acts & strobes[lane] & same)
            if not checks:
                read.append(Mux(passes, passed[byte], r_port.data))
                continue
            passed_checks = signal(checks, f"passed_checks_{lane}", reset_less=True)
            m.d.sync += passed_checks.eq(w_port.data[8:])
            stored = Mux(passes, Cat(passed[byte], passed_checks), r_port.data)
            read.append(stored ^ flipped if lane == 0 else stored)
        return found | {
            "w_grant": granted,
            "r_grant": r_arbiter.grant,
            "w_refused": w_refused,
            "r_refused": r_refused,
            "kept": kept,
            "read": Cat(read),
        }
