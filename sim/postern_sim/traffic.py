"""Random programs for the ports of a block, weighted towards traffic that gets somewhere."""

import random
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from postern_spec.config import Bus, Config, Identity, Manager
from postern_spec.model import Register
from postern_spec.regmap import Command, Handover, Injection, Lock, address_map, guest_page, manager_page, sources

from .rtl import (
    INSECURE,
    KEEP_BLOCK,
    KEEP_PEER,
    KEEP_WORD,
    LATEST,
    TAKE_BLOCK,
    TAKE_HOT_PLACE,
    TAKE_LOAN,
    TAKE_PEER,
    TAKE_PLACE,
    Request,
    Use,
)

__all__ = ["FIXED", "INCR", "WRAP", "Access", "Traffic", "burst", "describe", "lanes"]

# How a request goes through the block, as far as the order of effects depends on it.
WRITE, READ, WORD, HEADER, POP, NOTHING, ALLOC, SRAM_READ, SRAM_WRITE = range(9)

# Strobes of an access that is not whole: mostly none, one byte, or all but one, which is where checks go wrong.
_PARTIAL = (0, 0, 0, 0, 1, 2, 4, 8, 14, 13, 11, 7, 14, 13, 11, 7, 3, 12, 5, 10)
_PHRASES = 160  # of a port; its program is made of them in random order


CLOSES = 0.05
"""Share of the injections that close the block: small, because that ends all traffic of guests."""


class Access(NamedTuple):
    """What the scoreboard has to know of a request.

    Parameters
    ----------
    address, data, tag : int
        As sent. Of a burst each beat has its own address, and all have the VM of the first.
    strobes : int
        Of the 32 bits that the address names; of a write of SRAM all.
    secure : bool
        AxPROT[1] was low.
    vary : bool
        The number of the request is mixed into the data.
    path : int
        ``WRITE`` to ``SRAM_WRITE`` above.
    name : str
        Of the register, empty where there is none.
    lane : int
        Of a register that belongs to a lane.
    continues : bool
        It goes on with the burst of the one before.
    cacheable : bool
        It is refused because AxCACHE asks for allocation.
    use : Use or None
        What it takes and keeps.
    """

    address: int
    data: int
    tag: int
    strobes: int
    secure: bool
    vary: bool
    path: int
    name: str
    lane: int
    continues: bool
    cacheable: bool
    use: Use | None = None


FIXED, INCR, WRAP = range(3)  # AxBURST

Item = tuple[Request, Access]


def _locate(c: Config, port: int, address: int) -> tuple[Register, tuple[int, ...]] | None:
    where = address_map(c, port)
    if where.manager_base is not None and address >= where.manager_base:
        return manager_page(c).decode(address - where.manager_base)
    if _in_sram(c, port, address):
        return None
    return guest_page(c).decode(address % c.page_stride)


def _in_sram(c: Config, port: int, address: int) -> bool:
    where = address_map(c, port)
    if where.sram_base is None or address < where.sram_base:
        return False
    return where.manager_base is None or address < where.manager_base


def describe(c: Config, port: int, address: int) -> str:
    """Return the name of the register at an address of a port, for people."""
    where = address_map(c, port)
    manager = where.manager_base is not None and address >= where.manager_base
    page = "manager " if manager else ""
    if not manager and where.guest_stride:
        page = f"page {address // where.guest_stride} "
    if _in_sram(c, port, address):
        assert where.sram_base is not None
        offset = address - where.sram_base
        window = f"window {offset // where.sram_stride} " if where.sram_stride else ""
        block, byte = divmod(offset % (where.sram_stride or 1 << where.bits), c.block_size)
        return f"{window}SRAM block {block} byte {byte:#x}"
    found = _locate(c, port, address)
    if found is None:
        return f"{page}{address:#x}"
    register, indices = found
    pairs = zip(register.dims, indices, strict=True)
    inside = ", ".join(f"{dim.name} {index}" for dim, index in pairs)
    return f"{page}{register.name}{f'[{inside}]' if inside else ''}"


def burst(address: int, beats: int, size: int, kind: int) -> list[int]:
    """Return the addresses of the beats of an AXI4 burst."""
    step = 1 << size
    aligned, container = address // step * step, beats * step
    found = [address] * beats if kind == FIXED else [address, *(aligned + beat * step for beat in range(1, beats))]
    return [address // container * container + at % container for at in found] if kind == WRAP else found


def lanes(address: int, size: int, width: int) -> int:
    """Return the byte lanes of a beat of an AXI4 bus of ``width`` bytes."""
    last = address >> size << size | (1 << size) - 1
    return sum(1 << lane for lane in range(address % width, last % width + 1))


@lru_cache(maxsize=64)
def _paths(c: Config, port: int) -> dict[int, tuple[int, str, int]]:
    """Return what is known of the addresses of a port: path, name and lane. It fills with use."""
    return {}


class Traffic:
    """Programs of all ports for one episode.

    Parameters
    ----------
    config : Config
        The block.
    seed : int
        The same seed gives the same programs.
    length : int
        Requests of each port, about.
    deadly : bool or None
        VMs are killed all the time, whatever they are at; needs a manager. ``None``: in some programs.
    patient : bool
        Everybody receives more than it sends, so that hundreds of messages are accepted in a row.

    Attributes
    ----------
    requests : list of bytes
        Of each port, for ``Rtl.issue``.
    accesses : list of list of Access
        Of each port, by number of the request.
    uses : list of dict of int to Use
        Of each port, for ``Rtl.use``.
    """

    def __init__(self, config: Config, seed: int, length: int, deadly: bool | None = None, patient: bool = False):
        self.config = config
        self.random = random.Random(seed)
        rng = self.random
        everybody = list(range(config.vms))
        # Few VMs meet more often; with all of them every table is reached.
        self.active = (
            everybody if rng.random() < 0.4 else sorted(rng.sample(everybody, min(config.vms, rng.choice((2, 3, 4)))))
        )
        self.guest = guest_page(config)
        self.guest_registers = {id(register) for register in self.guest.registers}
        self.manager = manager_page(config)
        self.requests: list[bytes] = []
        self.accesses: list[list[Access]] = []
        self.uses: list[dict[int, Use]] = []
        # Of few blocks, so that VMs meet; not of all, so that many are asked for in vain.
        self.wanted = rng.choice((1, 2, 4, config.blocks))
        # Everybody at the same blocks, and little else, so that rights change while others make use of them.
        self.rough = config.blocks > 0 and rng.random() < 0.4
        dies = rng.random() < 0.25
        self.deadly = config.manager is not Manager.NONE and (dies if deadly is None else deadly)
        self.patient = patient
        for port in range(len(config.ports)):
            items = self._program(port, length)
            self.requests.append(b"".join(request.pack() for request, _ in items))
            self.accesses.append([access for _, access in items])
            self.uses.append({index: access.use for index, (_, access) in enumerate(items) if access.use})

    def _program(self, port: int, length: int) -> list[Item]:
        rng = self.random
        speaker = _Speaker(self, port)
        phrases = [speaker.phrase() for _ in range(_PHRASES)]
        program: list[Item] = []
        restart = 0
        while len(program) < length:
            if len(program) >= restart:
                program += speaker.setup()
                restart = len(program) + rng.randrange(300, 900)
            program += rng.choice(phrases)
        return program


class _Speaker:
    """Makes the phrases of one port."""

    def __init__(self, traffic: Traffic, port: int):
        self.t = traffic
        self.c = traffic.config
        self.random = traffic.random
        self.port = port
        self.where = address_map(self.c, port)
        self.identity = self.c.ports[port].identity
        chosen = self.c.ports[port]
        self.wishbone = chosen.bus is Bus.WISHBONE
        self.full = chosen.bus is Bus.AXI4
        self.bytes = chosen.data_bits // 8
        self.refuses = chosen.refuse_cacheable
        # Cycles between requests: back to back, now and then, seldom.
        paces: tuple[tuple[int, ...], ...] = ((0,), (0, 0, 0, 1, 3), (0, 0, 2, 5, 12), (0, 6, 15, 40))
        self.gaps: tuple[int, ...] = self.random.choice(paces[:2] if self.t.rough else paces)
        if self.t.patient:
            self.gaps = paces[0]
        self.leads: tuple[int, ...] = self.random.choice(((0,), (0, 0, 1), (0, 0, 2, 7)))
        self.paths = _paths(self.c, port)
        self.vm = 0
        self.as_manager = False

    # Requests

    def _item(self, address: int, data: int, write: bool, strobes: int = 0xF, vary: bool = False) -> Item:
        if not self.full:
            return self._plain(address, data, write, strobes, vary)
        request, access = self._plain(address, data, write, strobes if write else 0xF, vary)
        # One beat. A read that shall not select all four bytes is a narrow one.
        rng = self.random
        size = rng.choice((2, 2, 3)) if self.bytes == 8 else 2
        if not write and strobes != 0xF:
            size = rng.randrange(2)
        half = address & 4 if self.bytes == 8 else 0
        sent = access.strobes << half
        if size == 3:
            sent |= rng.randrange(256) & ~(0xF << half)
        words = request.data | self._word() << 32
        first = self._first(size)
        strobes = access.strobes if write else lanes(address, size, self.bytes) >> half & 0xF
        if access.path == SRAM_WRITE:
            strobes = sent
        return (
            request._replace(data=words, strobes=sent, **first),
            self._cached(access._replace(data=words, strobes=strobes), first["cache"]),
        )

    def _first(self, size: int, kind: int = INCR) -> dict[str, int]:
        """Return what goes with the address of an AXI4 burst."""
        rng = self.random
        cache = rng.randrange(4) if self.refuses and rng.random() < 0.97 else rng.randrange(16)
        id = rng.randrange(1 << self.c.ports[self.port].id_bits)
        return {"size": size, "kind": kind, "cache": cache, "id": id, "lock": rng.randrange(2)}

    def _cached(self, access: Access, cache: int) -> Access:
        if not self.refuses or cache < 4:
            return access
        kept = (WRITE, SRAM_READ, SRAM_WRITE)
        return access._replace(cacheable=True, path=access.path if access.path in kept else READ)

    def _burst(self, address: int, beats: int, size: int, kind: int, write: bool) -> list[Item]:
        """Return a burst that the protocol allows."""
        rng = self.random
        step = 1 << size
        if kind == WRAP:
            address = address >> size << size
            beats = rng.choice((2, 4, 8, 16))
        elif kind == FIXED:
            beats = min(beats, 16)
        else:
            beats = min(beats, (0x1000 - address % 0x1000 + step - 1) // step)
        first = self._first(size, kind)
        out: list[Item] = []
        for beat, at in enumerate(burst(address, beats, size, kind)):
            mine = lanes(at, size, self.bytes)
            sent = mine & (rng.randrange(256) if rng.random() < 0.03 else 0xFF)
            half = at & 4 if self.bytes == 8 else 0
            request, access = self._plain(at, self._word(), write, (sent if write else mine) >> half & 0xF, write)
            words = request.data | self._word() << 32
            request = request._replace(data=words, strobes=sent, beats=0 if beat else beats, **first)
            if beat:  # the address channel says these once
                request = request._replace(tag=out[0][0].tag, prot=out[0][0].prot)
                access = access._replace(tag=out[0][1].tag, secure=out[0][1].secure)
            access = access._replace(data=words, continues=beat > 0)
            if access.path == SRAM_WRITE:
                access = access._replace(strobes=sent)
            out.append((request, self._cached(access, first["cache"])))
        return out

    def _plain(self, address: int, data: int, write: bool, strobes: int, vary: bool) -> Item:
        rng = self.random
        if self.wishbone:
            address &= ~3
        if address not in self.paths:
            found = _locate(self.c, self.port, address)
            name = found[0].name if found else ""
            lane = found[1][0] if found and found[0].dims and found[0].dims[0].name == "lane" else 0
            path = {"WORD": WORD, "HEADER": HEADER, "POP": POP, "ALLOC": ALLOC}.get(name, READ)
            self.paths[address] = SRAM_READ if _in_sram(self.c, self.port, address) else path, name, lane
        path, name, lane = self.paths[address]
        if write:
            path = SRAM_WRITE if path == SRAM_READ else WRITE
        elif not (self.wishbone or self.full):
            strobes = 0xF
        elif not strobes:
            path = NOTHING
        tag = self.vm if self.vm < 1 << self.c.tag_bits and rng.random() < 0.99 else rng.randrange(1 << self.c.tag_bits)
        tag = tag if self.identity is Identity.SIDEBAND else 0
        if self.c.manager is Manager.SECURE:
            secure = self.as_manager if rng.random() < 0.95 else not self.as_manager
        else:
            secure = rng.random() < 0.5
        secure = secure or self.wishbone
        prot = 0 if secure else INSECURE
        data &= 0xFFFF_FFFF
        prot |= rng.choice((0, 1, 4))
        gap, lead = rng.choice(self.gaps), rng.choice(self.leads)
        request = Request(address, data, write, tag, strobes, prot, gap, lead, False, vary)
        return request, Access(address, data, tag, strobes, secure, vary, path, name, lane, False, False)

    def _write(self, register: Register, *indices: int, data: int, strobes: int = 0xF, vary: bool = False) -> Item:
        return self._item(self._base(register) + register.at(*indices), data, True, strobes, vary)

    def _read(self, register: Register, *indices: int, strobes: int = 0xF) -> Item:
        return self._item(self._base(register) + register.at(*indices), 0, False, strobes)

    def _base(self, register: Register) -> int:
        # Registers of the two pages may share a name, never the object.
        if id(register) in self.t.guest_registers:
            return self.where.guest(self.vm)
        assert self.where.manager_base is not None
        return self.where.manager_base

    def _some(self, register: Register) -> tuple[int, ...]:
        """Return random indices, of VMs mostly active ones."""
        rng = self.random
        return tuple(
            rng.choice(self.t.active)
            if d.name in ("vm", "receiver", "sender") and d.count == self.c.vms
            else rng.randrange(d.count)
            for d in register.dims
        )

    def _word(self) -> int:
        return self.random.getrandbits(32)

    def _strobes(self, often: float = 0.97) -> int:
        return 0xF if self.random.random() < often else self.random.choice(_PARTIAL)

    # Phrases

    def phrase(self) -> list[Item]:
        """Return a few requests that belong together."""
        rng, c = self.random, self.c
        self.vm = c.ports[self.port].vm if self.identity is Identity.STATIC else rng.choice(self.t.active)
        if rng.random() < 0.02 and not self.t.patient:
            self.vm = rng.randrange(c.vms)
        self.as_manager = False
        kinds: list[tuple[Callable[[], list[Item]], int]] = [
            (self._send, 26), (self._torn, 4), (self._flood, 4), (self._receive, 40), (self._stale, 3),
            (self._acknowledge, 5), (self._connect, 6), (self._ring, 6), (self._interrupts, 6), (self._look, 8),
            (self._wrong, 8),
        ]  # fmt: skip
        if self.full:
            kinds += [(self._long_send, 10), (self._long_receive, 10), (self._anywhere, 6)]
        if c.blocks:
            kinds += [
                (self._allocate, 14), (self._memory, 16), (self._race, 8), (self._hand_over, 22), (self._settle, 16),
                (self._surrender, 3),
            ]  # fmt: skip
            if self.full:
                kinds.append((self._long_touch, 12))
            if self.t.rough:
                kinds = [
                    (self._receive, 20), (self._acknowledge, 8), (self._connect, 4), (self._allocate, 10),
                    (self._race, 30), (self._duel, 24), (self._hand_over, 10), (self._settle, 14), (self._guess, 20),
                ]  # fmt: skip
        if c.manager is not Manager.NONE:
            kinds += [(self._manage, 10), (self._supervise, 8), (self._recycle, 3)]
            if self.t.deadly:
                kinds += [(self._kill, 2), (self._connect, 16)]
                if c.blocks and self.identity is not Identity.STATIC:
                    kinds.append((self._bequeath, 16))
            if c.blocks:
                kinds.append((self._reclaim, 5 if self.t.deadly else 1))
        if self.t.patient:
            kinds = [(self._exchange, 150), (self._connect, 2), (self._look, 4)]
        kind = rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        if kind in (self._manage, self._supervise, self._recycle, self._kill, self._reclaim):
            self._be_manager()
        return kind()

    def _be_manager(self) -> None:
        self.as_manager = True
        if self.c.manager is Manager.VM and self.random.random() < 0.97 and self.identity is not Identity.STATIC:
            self.vm = self.c.manager_vm

    def _length(self) -> int:
        words = self.c.words
        return self.random.choice((1, min(2, words), words, self.random.randint(1, words)))

    def _peer(self) -> int:
        return self.random.choice(self.t.active) if self.random.random() < 0.97 else self.random.randrange(self.c.vms)

    def _message(self, lane: int, words: list[int], many: int, d: int, strobes: float = 1) -> list[Item]:
        """Stage the words with these numbers, then commit."""
        g = self.t.guest
        staged = [
            self._write(g.STAGE, lane, w, data=self._word(), strobes=self._strobes(strobes), vary=True) for w in words
        ]
        commit = self._write(g.COMMIT, lane, 0, many, d, data=self._word(), strobes=self._strobes(strobes), vary=True)
        return [*staged, commit]

    def _send(self) -> list[Item]:
        lane, n = self.random.randrange(self.c.lanes), self._length()
        out = self._message(lane, list(range(n - 1)), int(n > 1), self._peer(), 0.98)
        if self.random.random() < 0.1:
            out.insert(self.random.randrange(len(out)), self._beside(lane))
        if self.random.random() < 0.3:
            out.append(self._read(self.t.guest.RESULT, lane))
        if self.random.random() < 0.25:
            out.append(self._write(self.t.guest.ACK, lane, data=self._word()))
        return out

    def _beside(self, lane: int) -> Item:
        """Return a write that looks as if it belonged to a message, and does not."""
        rng, g = self.random, self.t.guest
        indices = rng.choice(((g.STAGE, lane, rng.randrange(self.c.words)), (g.COMMIT, lane, 0, 0, self._peer())))
        nothing = self._write(*indices, data=self._word(), strobes=0)
        if rng.random() < 0.4:
            return nothing
        return self._item(nothing[0].address + rng.choice((1, 2, 4, 4)), self._word(), True, vary=True)

    def _torn(self) -> list[Item]:
        rng, c = self.random, self.c
        lane, n = rng.randrange(c.lanes), self._length()
        words = [w for w in range(n) if rng.random() < 0.9]
        pick = rng.random()
        if pick < 0.3:  # one more than there are
            words = list(range(c.words))
        elif pick < 0.5:  # some left out
            words = sorted(rng.sample(range(c.words), rng.randint(1, c.words)))
        if rng.random() < 0.3 and words:
            words.insert(rng.randrange(len(words)), rng.choice(words))
        out = self._message(lane, words, rng.randrange(2), self._peer(), 0.9)
        return [*out, self._read(self.t.guest.RESULT, lane)]

    def _exchange(self) -> list[Item]:
        """Receive what is there, then send a message, nearly always through the first lane."""
        rng, g = self.random, self.t.guest
        lane = 0 if rng.random() < 0.97 else rng.randrange(self.c.lanes)
        receive = [self._read(g.HEADER, lane), self._read(g.POP, lane)]
        peer = rng.choice([vm for vm in self.t.active if vm != self.vm] or [self.vm])
        words = [0] if self.c.words > 1 and rng.random() < 0.01 else []
        message = self._message(lane, words, len(words), peer)
        return [*receive * 2, self._fenced(message[0]), *message[1:], self._read(g.RESULT, lane)]

    def _flood(self) -> list[Item]:
        lane, d, n = self.random.randrange(self.c.lanes), self._peer(), min(self.c.words, self.random.choice((1, 1, 2)))
        return [
            item for _ in range(self.c.depth // 2) for item in self._message(lane, list(range(n - 1)), int(n > 1), d)
        ]

    def _receive(self) -> list[Item]:
        rng, g, c = self.random, self.t.guest, self.c
        lane = rng.randrange(c.lanes)
        out = []
        for _ in range(rng.choice((1, 1, 2, 4))):
            out.append(self._read(g.HEADER, lane, strobes=self._strobes()))
            out += [
                self._read(g.WORD, w, strobes=self._strobes())
                for w in range(rng.choice((0, 1, 2, c.words)) % (c.words + 1))
            ]
            out.append(self._read(g.POP, lane, strobes=self._strobes()))
            if c.blocks:
                out[-1] = self._using(out[-1], Use(keep=KEEP_WORD, vm=self.vm))
            if rng.random() < 0.2:
                out.append(self._read(g.RX_RESULT, lane))
        if rng.random() < 0.1:  # beside one of them
            at = rng.randrange(len(out))
            out.insert(at, self._item(out[at][0].address + rng.choice((1, 2, 4, 4)), 0, False))
        return out

    def _stale(self) -> list[Item]:
        rng, g, lanes = self.random, self.t.guest, self.c.lanes
        if rng.random() < 0.5:  # payload right after its upper half, which is none
            lane, word = rng.randrange(lanes), rng.randrange(self.c.words)
            reads = [self._read(g.WORD, word)] * 3 + [self._read(g.POP, lane)]
            halves = [self._item(request.address + rng.choice((1, 2, 4, 4, 4)), 0, False) for request, _ in reads]
            pairs = zip(halves, reads, strict=True)
            return [self._read(g.HEADER, lane), *(item for pair in pairs for item in pair)]
        out = [self._read(rng.choice((g.HEADER, g.POP, g.POP)), rng.randrange(lanes)) for _ in range(rng.randint(1, 5))]
        return [*out, self._read(g.RX_RESULT, rng.randrange(lanes))]

    def _acknowledge(self) -> list[Item]:
        lane = self.random.randrange(self.c.lanes)
        acknowledges = self._write(self.t.guest.ACK, lane, data=self._word(), strobes=self._strobes())
        return [self._read(self.t.guest.RESULT, lane), acknowledges]

    def _connect(self) -> list[Item]:
        g, d = self.t.guest, self._peer()
        if self.t.deadly:  # generations go by, so ask for them
            return self._greet([d, *self.t.active])
        numbers = self.random.sample((1, 2, 3, self.random.randrange(256)), 3)
        return [self._read(g.PEER, d), *(self._write(g.PEER, d, data=n) for n in numbers), self._read(g.PEER, d)]

    def _greet(self, peers: list[int]) -> list[Item]:
        """Acknowledge the generations of these peers, whatever they are."""
        g = self.t.guest
        asks = [self._using(self._read(g.PEER, d), Use(keep=KEEP_PEER, vm=self.vm, pick=d)) for d in peers]
        greets = [self._using(self._write(g.PEER, d, data=0), Use(TAKE_PEER, 0, self.vm, d)) for d in peers]
        return [*asks, self._fenced(greets[0]), *greets[1:]]

    def _fenced(self, item: Item) -> Item:
        request, access = item
        return request._replace(fence=True), access

    def _ring(self) -> list[Item]:
        rng, g = self.random, self.t.guest
        pick, data = rng.random(), [self._peer()]
        if pick < 0.1:
            data[0] |= rng.getrandbits(32) & ~63
        elif pick < 0.4:  # single bits that do not belong there
            data = [data[0] | 1 << rng.randrange(32) for _ in range(8)]
        out = [self._write(g.RING, data=word, strobes=self._strobes(0.8)) for word in data]
        if rng.random() < 0.1:
            out.append(self._write(g.RING, data=rng.randrange(64)))
        if rng.random() < 0.5:
            half = rng.randrange(g.PENDING.dims[0].count)
            out += [
                self._read(g.PENDING, half),
                self._write(g.PENDING, half, data=rng.choice((self._word(), 0xFFFF_FFFF))),
            ]
        return out

    def _interrupts(self) -> list[Item]:
        rng, g = self.random, self.t.guest
        everything = (1 << len(sources(self.c))) - 1
        pick = rng.random()
        if pick < 0.35:
            data = rng.choice((everything, rng.randrange(everything + 1), self._word()))
            if rng.random() < 0.3:  # a single one
                data = 1 << rng.randrange(len(sources(self.c)))
                tests = [self._write(g.IRQ_TEST, data=data), self._write(g.IRQ_STATE, data=data)]
                return [self._write(g.IRQ_ENABLE, rng.randrange(self.c.cores), data=data), *tests]
            return [self._write(g.IRQ_ENABLE, rng.randrange(self.c.cores), data=data, strobes=self._strobes(0.8))]
        if pick < 0.5:
            data = rng.choice((rng.randrange(everything + 1), self._word()))
            return [self._write(g.IRQ_TEST, data=data, strobes=self._strobes(0.8))]
        if pick < 0.65 and "IRQ_MODERATION" in g:
            register = g.IRQ_MODERATION
            count, time = rng.choice((0, 1, 2, 3, self.c.depth)), rng.choice((0, 1, 2, 10, 50, 300))
            return [self._write(register, data=register.pack(COUNT=count, TIME=time)), self._read(register)]
        data = rng.choice((everything, self._word()))
        return [self._read(g.IRQ_STATE), self._write(g.IRQ_STATE, data=data, strobes=self._strobes(0.8))]

    def _look(self) -> list[Item]:
        registers = [r for r in self.t.guest.registers if r.readable and r.name not in ("HEADER", "POP", "ALLOC")]
        chosen = self.random.choices(registers, k=self.random.randint(1, 4))
        out = [self._read(register, *self._some(register), strobes=self._strobes()) for register in chosen]
        if self.random.random() < 0.3:  # and the upper half of one
            out.append(self._item(out[0][0].address + 4, 0, False))
        if self.random.random() < 0.3:  # and what would be the same if one bit of an address did not count
            out.append(self._item(out[0][0].address ^ 1 << self.random.randrange(3, self.where.bits), 0, False))
        return out

    def _wrong(self) -> list[Item]:
        """Accesses that are refused, or that nobody should make."""
        rng, g = self.random, self.t.guest
        pick = rng.random()
        size = 1 << self.where.bits
        if pick < 0.2:
            return [self._item(rng.randrange(size), self._word(), rng.random() < 0.5, self._strobes(0.5))]
        if pick < 0.3:  # near to what exists: unaligned, upper halves, gaps
            address = (self.where.guest(self.vm) + rng.randrange(g.size + 64)) % size
            return [self._item(address, self._word(), rng.random() < 0.5, self._strobes(0.8))]
        # What a port serves itself, as often as all others.
        own = [register for register in g.registers if register.name in ("STAGE", "COMMIT", "HEADER", "WORD", "POP")]
        register = rng.choice(own if rng.random() < 0.5 else g.registers)
        address = self.where.guest(self.vm) + register.at(*self._some(register))
        if pick < 0.5:  # beside it
            beside = (1, 2, 3, 4, 4, 4, 6)
            return [self._item(address + rng.choice(beside), self._word(), rng.random() < 0.5) for _ in range(4)]
        if pick < 0.6:  # a 64-bit access, split in two
            return [self._item(address + half, self._word(), rng.random() < 0.5) for half in rng.sample((0, 4), 2)]
        if pick < 0.8:  # in either direction, partial
            return [self._item(address, self._word(), rng.random() < 0.5, self._strobes(0.5))]
        if self.where.manager_base is not None:  # somebody else's page
            register = rng.choice(self.t.manager.registers)
            address = self.where.manager_base + register.at(*self._some(register)) + rng.choice((0, 0, 0, 4, 1))
        return [self._item(address, self._word(), rng.random() < 0.5, self._strobes(0.8))]

    # Bursts

    def _size(self) -> int:
        """Return the size of a beat: mostly the whole bus, or a word."""
        return self.random.choice((2, 3)) if self.bytes == 8 else 2

    def _long_send(self) -> list[Item]:
        """A message whose words go in a burst, the halves in between included, or many of one word."""
        rng, g, c = self.random, self.t.guest, self.c
        lane, size = rng.randrange(c.lanes), self._size()
        base = self.where.guest(self.vm)
        if rng.random() < 0.2 or c.words == 1:
            address = base + g.COMMIT.at(lane, 0, 0, self._peer())
            return self._burst(address, rng.choice((1, 2, 5)), size, FIXED, True)
        n = rng.randint(2, c.words)
        beats = (n - 1) * 8 >> size
        out = self._burst(base + g.STAGE.at(lane, 0), beats, size, INCR, True)
        commit = self._write(g.COMMIT, lane, 0, 1, self._peer(), data=self._word(), vary=True)
        return [*out, commit, self._read(g.RESULT, lane)]

    def _long_receive(self) -> list[Item]:
        """A message whose words are read in a burst, or pops without end."""
        rng, g, c = self.random, self.t.guest, self.c
        lane, size = rng.randrange(c.lanes), self._size()
        base = self.where.guest(self.vm)
        if rng.random() < 0.2:
            register = rng.choice((g.HEADER, g.POP, g.POP))
            return self._burst(base + register.at(lane), rng.randint(1, 6), size, FIXED, False)
        kind = rng.choice((INCR, INCR, WRAP))
        words = self._burst(base + g.WORD.at(0), c.words * 8 >> size, size, kind, False)
        return [self._read(g.HEADER, lane), *words, self._read(g.POP, lane), self._read(g.RX_RESULT, lane)]

    def _anywhere(self) -> list[Item]:
        """Any burst over anything: narrow, unaligned, long; seldom over what changes who may do what."""
        rng = self.random
        size = rng.choice((self._size(), self._size(), rng.randrange(self._size() + 1)))
        address = self.where.guest(self.vm) + rng.randrange(self.t.guest.size)
        if rng.random() < 0.7:
            address = address >> size << size
        write = rng.random() < 0.3
        if rng.random() < 0.1:
            address = rng.randrange(1 << self.where.bits)
        beats = rng.choice((1, 2, 3, 8, 17, 256 if rng.random() < 0.2 else 30))
        return self._burst(address, beats, size, rng.choice((INCR, INCR, WRAP, FIXED)), write)

    # Blocks

    def _using(self, item: Item, use: Use) -> Item:
        request, access = item
        return request, access._replace(use=use)

    def _use(self, take: int) -> Use:
        return Use(take, 0, self.vm, self.random.randrange(4))

    def _touch(self, use: Use | None = None) -> Item:
        """Read or write a word of the SRAM: of a block that the VM got, that somebody else just gave away, or any."""
        rng, c = self.random, self.c
        if use is None:
            pick = rng.random()
            use = None if pick < 0.15 else self._use(TAKE_PLACE if pick < 0.65 else TAKE_HOT_PLACE)
        words = c.block_size // 4
        word = rng.choice((0, 1, words - 1, rng.randrange(words)))  # few words, so that reads find what was written
        address = self.where.sram(self.vm) + 4 * word + rng.choice((0, 0, 0, 0, 0, 0, 1, 2, 3))
        if use is None:
            address += rng.randrange(c.blocks) * c.block_size
        write = rng.random() < 0.5
        item = self._item(address, self._word(), write, self._strobes(0.6), write)
        return item if use is None else self._using(item, use)

    def _allocate(self) -> list[Item]:
        rng, g = self.random, self.t.guest
        keep = Use(keep=KEEP_BLOCK, vm=self.vm)
        out = [
            self._using(self._read(g.ALLOC, strobes=self._strobes()), keep)
            for _ in range(rng.randint(1, self.t.wanted))
        ]
        if rng.random() < 0.5:
            out += [self._read(g.QUOTA), self._read(g.BLOCK, rng.randrange(self.c.blocks))]
        return out

    def _memory(self) -> list[Item]:
        out = [self._touch() for _ in range(self.random.randint(2, 10))]
        return [*out, self._read(self.t.guest.BLOCK, self.random.randrange(self.c.blocks))]

    def _long_touch(self) -> list[Item]:
        """Read or write a part of a block in a burst."""
        rng, size = self.random, self._size()
        step = 1 << size
        address = self.where.sram(self.vm) + rng.randrange(0, self.c.block_size, step)
        kind = rng.choice((INCR, INCR, INCR, WRAP, FIXED))
        beats = rng.choice((1, 2, 5, self.c.block_size // step))
        out = self._burst(address, beats, size, kind, rng.random() < 0.5)
        take = rng.choice((TAKE_PLACE, TAKE_PLACE, TAKE_HOT_PLACE, 0))
        if take and not (kind == WRAP and len(out) * step > self.c.block_size):  # or it would wrap elsewhere there
            out[0] = self._using(out[0], self._use(take))
        return out

    def _race(self) -> list[Item]:
        """Reach for one block again and again while somebody changes who may."""
        use = self._use(self.random.choice((TAKE_PLACE, TAKE_HOT_PLACE)))
        return [self._touch(use) for _ in range(self.random.randint(4, 20))]

    def _duel(self) -> list[Item]:
        """Lend or show a block and take it back, again and again, and use it all the while."""
        rng, g = self.random, self.t.guest
        lane, peer, use = rng.randrange(self.c.lanes), self._peer(), self._use(TAKE_BLOCK)
        place = use._replace(take=TAKE_PLACE)
        out: list[Item] = []
        for _ in range(rng.randint(1, 4)):
            word = rng.choice((Handover.LEND, Handover.SHOW)) << g.RETURN.KIND.lsb
            address = self._base(g.COMMIT) + g.COMMIT.at(lane, 1, 0, peer)
            out.append(self._using(self._item(address, word, True), use))
            out += [self._touch(place) for _ in range(rng.randint(0, 6))]
            out.append(self._using(self._write(g.REVOKE, lane, data=0), use))
            out += [self._touch(place) for _ in range(rng.randint(0, 3))]
            out.append(self._write(g.ACK, lane, data=0))
        return out

    def _guess(self) -> list[Item]:
        """Do something with a block that may just be on its way from the allocation."""
        rng, g, c = self.random, self.t.guest, self.c
        lane, keep = rng.randrange(c.lanes), Use(keep=KEEP_BLOCK, vm=self.vm)
        out = [self._write(g.FREE, lane, data=block) for block in range(min(c.blocks, 8))]
        for _ in range(rng.randint(4, 16)):
            block = rng.randrange(c.blocks)
            register = rng.choice((g.FREE, g.REVOKE, g.RETURN, g.COMMIT, g.COMMIT, g.COMMIT))
            if register is g.COMMIT:
                word = block | rng.choice(tuple(Handover)) << g.RETURN.KIND.lsb
                address = self._base(g.COMMIT) + g.COMMIT.at(lane, 1, 0, self._peer())
                out.append(self._item(address, word, True))
                ending = [self._write(g.ACK, lane, data=0)]
            else:
                out.append(self._write(register, lane, data=block))
                ending = []
            out += [self._using(self._read(g.ALLOC), keep) for _ in range(rng.randint(1, 2))] + ending
        return out

    def _hand_over(self) -> list[Item]:
        rng, g, c = self.random, self.t.guest, self.c
        lane, n = rng.randrange(c.lanes), self._length()
        use = self._use(TAKE_BLOCK)
        word = rng.choice(tuple(Handover)) << g.RETURN.KIND.lsb
        out = self._message(lane, list(range(n - 1)), int(n > 1), self._peer())[:-1]
        address = self._base(g.COMMIT) + g.COMMIT.at(lane, 1, int(n > 1), self._peer())
        pick = rng.random()
        if pick < 0.08:
            word ^= 1 << rng.randrange(32)
        commit = self._item(address, word, True, self._strobes())
        out.append(commit if pick < 0.04 else self._using(commit, use))
        if rng.random() < 0.6:  # what was mine is touched again, before and after it has gone
            place = use._replace(take=TAKE_PLACE)
            touches = [self._touch(place) for _ in range(rng.randint(1, 5))]
            split = rng.randrange(len(touches) + 1)
            out = touches[:split] + out + touches[split:]
        if rng.random() < 0.5:
            out += [self._read(g.RESULT, lane), self._write(g.ACK, lane, data=0)]
        return out

    def _settle(self) -> list[Item]:
        """Return, revoke or free."""
        rng, g, c = self.random, self.t.guest, self.c
        lane = rng.randrange(c.lanes)
        register = rng.choice((g.RETURN, g.RETURN, g.REVOKE, g.FREE, g.FREE))
        pick = rng.random()
        data = 0 if pick < 0.9 else 1 << rng.randrange(32)
        if pick < 0.08:
            data = rng.choice((self._word(), rng.randrange(c.blocks + 1)))
        item = self._write(register, lane, data=data, strobes=self._strobes())
        if pick >= 0.08:
            item = self._using(item, self._use(TAKE_LOAN if register is g.RETURN else TAKE_BLOCK))
        out = [item]
        if rng.random() < 0.5:
            touches = [self._touch(self._use(TAKE_HOT_PLACE)) for _ in range(rng.randint(1, 6))]
            out = [*out, *touches] if rng.random() < 0.5 else [*touches, *out]
        return [*out, self._read(g.BLOCK_RESULT, lane)]

    def _surrender(self) -> list[Item]:
        """Try to give everything up."""
        g, lane = self.t.guest, self.random.randrange(self.c.lanes)
        blocks = self.random.sample(range(self.c.blocks), min(self.c.blocks, 16))
        return [
            item
            for block in blocks
            for item in (self._write(g.REVOKE, lane, data=block), self._write(g.FREE, lane, data=block))
        ]

    # The manager

    def setup(self) -> list[Item]:
        """Return what opens the active VMs, where this port may do that, and connects them."""
        c, m, rng = self.c, self.t.manager, self.random
        out: list[Item] = []
        active = self.t.active
        if c.manager is not Manager.NONE:
            self._be_manager()
            share = max(1, c.depth // len(active))
            for r in active:
                for half in range(m.PERMIT.dims[1].count):
                    bits = sum(1 << s % 32 for s in range(c.vms) if s // 32 == half and (s != r or rng.random() < 0.3))
                    out.append(self._write(m.PERMIT, r, half, data=bits))
                out += [self._write(m.CREDITS, r, s, data=rng.choice((share, 1, share))) for s in active]
                if c.blocks:
                    quota = max(1, c.blocks // len(active))
                    out.append(self._write(m.QUOTA, r, data=rng.choice((quota, quota, 1))))
                out.append(self._write(m.CONTROL, r, data=Command.OPEN))
                out.append(self._write(m.CONTROL, r, data=Command.RESUME))
            out += [
                self._write(m.RESIDENT, core, data=m.RESIDENT.pack(VM=rng.choice(active), VALID=1))
                for core in range(c.cores)
            ]
            out += [
                self._write(m.FAULT_ENABLE, half, data=self._word()) for half in range(m.FAULT_ENABLE.dims[0].count)
            ]
        self.as_manager = False
        speakers = c.port_vms(self.port) if self.identity is Identity.STATIC else active
        for vm in speakers:
            self.vm = vm
            out += [self._write(self.t.guest.PEER, d, data=1) for d in active]
            out.append(self._write(self.t.guest.IRQ_ENABLE, rng.randrange(c.cores), data=self._word()))
            if self.t.patient and rng.random() < 0.3:  # seldom: a phrase comes often, and this begins the count anew
                out.append(self._write(self.t.guest.ACK, 0, data=0))
        return out

    def _manage(self) -> list[Item]:
        """Write a register of the manager page."""
        rng, c, m = self.random, self.c, self.t.manager
        weights = {
            "CONTROL": 8,
            "CREDITS": 4,
            "QUOTA": 4,
            "RECLAIM": 1,
            "RESIDENT": 6,
            "PERMIT": 2,
            "TEAR": 3,
            "LOCK": 0.3,
            "ARBITRATION": 1,
            "INJECT": 12,
            "TAG_MATCH": 1,
            "TAG_MASK": 1,
            "TAG_VM": 1,
        }
        registers = [r for r in m.registers if r.writable]
        register = rng.choices(registers, [weights.get(r.name, 3) for r in registers])[0]
        where = self._some(register)
        vm = rng.choice(self.t.active) if rng.random() < 0.9 else rng.randrange(64)
        match register.name:
            case "CONTROL":
                often = [command for command in Command if command is not Command.KILL or self.t.deadly]
                data = int(rng.choice((*often, Command.OPEN, Command.RESUME, Command.RESUME, rng.randrange(8))))
            case "CREDITS":
                data = rng.choice((rng.randrange(4), rng.randrange(c.depth + 1), rng.randrange(512)))
            case "QUOTA":
                data = rng.choice((rng.randrange(4), rng.randrange(c.blocks + 1), rng.randrange(2048), self._word()))
            case "RESIDENT":
                data = register.pack(VM=vm, VALID=int(rng.random() < 0.8))
            case "TEAR":
                data = register.pack(VM=vm, PORT=rng.choice((rng.randrange(len(c.ports)), rng.randrange(16))))
            case "LOCK":
                found = [lock for lock in Lock if c.protection or lock is not Lock.INJECTION]
                data = rng.choice((0, *(1 << lock for lock in found), 1 << len(found)))
            case "INJECT":
                words = [kind for kind in Injection if kind <= Injection.SRAM_TWO]
                closes = rng.random() < CLOSES
                kind = rng.choice([kind for kind in Injection if kind > Injection.SRAM_TWO] if closes else words)
                index = rng.randrange(64) if rng.random() < 0.05 else rng.randrange(max(c.vms, len(c.ports)))
                data = register.pack(KIND=kind, INDEX=index)
            case "PERMIT":
                data = self._word() | self._word() | self._word()
            case "TAG_MATCH" | "TAG_MASK" | "TAG_VM":
                return self._retag(register, where[0], vm)
            case _:
                data = rng.choice((self._word(), 0xFFFF_FFFF, self._word() & self._word()))
        item = self._write(register, *where, data=data, strobes=self._strobes())
        return [item, self._read(register, *where)] if register.readable and rng.random() < 0.5 else [item]

    def _retag(self, register: Register, entry: int, vm: int) -> list[Item]:
        """Change an entry of the tag table for a moment; not the manager's, or nobody could change it back."""
        rng, c, m = self.random, self.c, self.t.manager
        if c.manager is Manager.VM and entry == c.manager_vm:
            return [self._read(register, entry)]
        ones = (1 << c.tag_bits) - 1
        data = register.pack(VM=vm, VALID=int(rng.random() < 0.8)) if register is m.TAG_VM else rng.randrange(ones + 1)
        home = entry if entry < min(c.vms, ones + 1) else 0
        back = [
            self._write(m.TAG_MATCH, entry, data=home),
            self._write(m.TAG_MASK, entry, data=ones),
            self._write(m.TAG_VM, entry, data=m.TAG_VM.pack(VM=home, VALID=1)),
        ]
        reads = [self._read(item, entry) for item in (m.TAG_MATCH, m.TAG_MASK, m.TAG_VM)]
        return [self._write(register, entry, data=data), *reads, *back]

    def _supervise(self) -> list[Item]:
        """Read registers of the manager page."""
        registers = [r for r in self.t.manager.registers if r.readable]
        chosen = self.random.choices(registers, k=self.random.randint(1, 5))
        return [self._read(register, *self._some(register), strobes=self._strobes()) for register in chosen]

    def _recycle(self) -> list[Item]:
        """Close a VM and open it again."""
        m, vm = self.t.manager, self._peer()
        begin = [Command.DRAIN] if self.random.random() < 0.5 else []
        commands = [*begin, Command.CLOSE, Command.CLOSE, Command.OPEN, Command.RESUME]
        return [
            item
            for command in commands
            for item in (self._write(m.CONTROL, vm, data=command), self._read(m.CONTROL, vm))
        ]

    def _kill(self) -> list[Item]:
        """Kill one or two VMs, look at what is left, and open them again as soon as they are torn down."""
        m, rng, vm = self.t.manager, self.random, self._peer()
        out: list[Item] = []
        if rng.random() < 0.4:
            out.append(self._write(m.CONTROL, vm, data=rng.choice((Command.PAUSE, Command.DRAIN))))
        out.append(self._write(m.CONTROL, vm, data=Command.KILL, strobes=self._strobes()))
        victims = [vm]
        if rng.random() < 0.3:
            victims.append(self._peer())
            out.append(self._write(m.CONTROL, victims[-1], data=Command.KILL))
        if rng.random() < 0.2:
            out.append(self._write(m.CREDITS, vm, self._peer(), data=rng.randrange(4)))
        for _ in range(rng.choice((0, 1, 3, 6))):
            register = rng.choice([r for r in m.registers if r.readable])
            out += [self._read(register, *self._some(register)), self._read(m.CONTROL, vm)]
        if rng.random() < 0.9:
            for _ in range(rng.choice((1, 4, 12))):
                out += [self._write(m.CONTROL, who, data=Command.OPEN) for who in victims]
            if self.c.blocks:
                out.append(self._write(m.QUOTA, vm, data=rng.choice((1, max(1, self.c.blocks // len(self.t.active))))))
            out.append(self._read(m.CONTROL, vm))
        return out

    def _reclaim(self) -> list[Item]:
        """Try to take blocks that nobody pays for."""
        m, rng = self.t.manager, self.random
        blocks = rng.sample(range(self.c.blocks + 1), rng.choice((1, 2, self.c.blocks + 1)))
        out = [self._write(m.RECLAIM, data=block if rng.random() < 0.95 else self._word()) for block in blocks]
        return [*out, self._read(m.ORPHANS), self._read(m.RIGHTS, rng.randrange(self.c.blocks))]

    def _bequeath(self) -> list[Item]:
        """Hand a block over, perhaps twice, kill one of those who have to do with it, and go on with what it had."""
        rng, g, m = self.random, self.t.guest, self.t.manager
        owner, peer, third = self.vm, self._peer(), self._peer()
        lane, inherits = rng.randrange(self.c.lanes), rng.random() < 0.4  # of somebody who paid, and dies
        keep = [self._using(self._read(g.ALLOC), Use(keep=KEEP_BLOCK, vm=owner)) for _ in range(rng.choice((0, 1, 1)))]
        first = Handover.MOVE if inherits else rng.choice(tuple(Handover))
        second = rng.choice((Handover.LEND, Handover.SHOW, Handover.MOVE))
        self._be_manager()
        out = [self._write(m.CONTROL, vm, data=Command.OPEN) for vm in (owner, peer, third)]
        out.append(self._write(m.QUOTA, owner, data=rng.choice((1, 2, 3))))
        self.as_manager, self.vm = False, owner
        out += [*self._greet([peer]), *keep, self._write(g.ACK, lane, data=0), *self._handed(lane, peer, first)]
        borrower = peer
        self.vm = peer
        out += self._popped(lane)
        if first is Handover.MOVE and (inherits or rng.random() < 0.8):
            out += [*self._greet([third]), self._write(g.ACK, lane, data=0), *self._handed(lane, third, second)]
            self.vm = borrower = third
            out += self._popped(lane)
        self._be_manager()
        if inherits or rng.random() < 0.7:
            victim = owner if inherits else rng.choice((owner, peer, third))
            out.append(self._write(m.CONTROL, victim, data=Command.KILL))
            if rng.random() < 0.5:  # at once, before it is torn down
                self.as_manager, self.vm = False, borrower
                loan = self._use(TAKE_LOAN)._replace(pick=LATEST)
                out += [self._touch(self._use(TAKE_HOT_PLACE)) for _ in range(2)]
                out.append(self._using(self._write(g.RETURN, lane, data=0), loan))
                self._be_manager()
        if rng.random() < 0.3:
            out += [self._fenced(self._read(m.CONTROL, owner)) for _ in range(rng.choice((0, 4, 12)))]
            out += [self._write(m.RECLAIM, data=block) for block in range(self.c.blocks)]
        self.as_manager = False
        for _ in range(rng.choice((1, 3, 6))):
            self.vm = rng.choice((owner, peer, third))
            out.append(self._touch(self._use(TAKE_PLACE)) if rng.random() < 0.4 else self._settle()[0])
        return out

    def _popped(self, lane: int) -> list[Item]:
        """Take a message, and remember what it brings."""
        g = self.t.guest
        word = self._using(self._read(g.POP, lane), Use(keep=KEEP_WORD, vm=self.vm))
        return [self._fenced(self._read(g.HEADER, lane)), word]

    def _handed(self, lane: int, peer: int, how: Handover) -> list[Item]:
        """Send a message of one word with a block that the VM got."""
        g = self.t.guest
        address = self._base(g.COMMIT) + g.COMMIT.at(lane, 1, 0, peer)
        item = self._item(address, how << g.RETURN.KIND.lsb, True)
        use = self._use(TAKE_BLOCK)
        return [self._fenced(self._using(item, use._replace(pick=LATEST) if self.random.random() < 0.8 else use))]
