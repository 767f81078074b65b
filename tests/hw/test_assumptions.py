# amaranth: UnusedElaboratable=no
"""What the proofs assume of the rest of the block, watched in whole blocks at work."""

from random import Random

import pytest

from postern_formal.properties import PROPERTIES
from postern_hw.top import Postern
from postern_spec.config import Bus, Config, Identity, Manager, Port
from postern_spec.pins import port_prefix
from postern_spec.regmap import Command, Handover, address_map, guest_page, manager_page
from postern_spec.sizes import step_wait

from .support import FULL, MASTERS, Design, Guest, Pins, coin, simulate

CONFIGURATIONS = {
    "request register": Config(
        ports=(Port(Bus.AXI4_LITE, Identity.PAGE), Port(Bus.AXI4, Identity.PAGE)),
        vms=3, lanes=2, words=4, depth=6, open_at_reset=True, credits=3, manager=Manager.PAGE,
        blocks=8, block_size=64, banks=2, block_quota=2,
    ),
    "no request register": Config(
        ports=(Port(Bus.WISHBONE, Identity.PAGE), Port(Bus.AXI4_LITE, Identity.PAGE)),
        vms=3, lanes=1, words=2, depth=6, open_at_reset=True, credits=3, manager=Manager.PAGE,
        blocks=4, block_size=64, banks=1, block_quota=1, request_register=False,
    ),
}  # fmt: skip

ELSEWHERE = {
    "master-keeps-the-protocol": "a duty of the integrator: the master is outside",
    "port-keeps-its-times": "the bounds themselves are watched in tests/docs/test_bounds.py",
}
"""Assumptions that are not watched here, and why."""


class Wild(Guest):
    """A guest that also uses blocks, in right and wrong ways, and now and then the manager page."""

    def __init__(self, c: Config, port: int, vm: int, random: Random):
        super().__init__(c, port, vm, random)
        mapped = address_map(c, port)
        self.manager = mapped.manager_base - self.base
        self.sram = mapped.sram_base + vm * mapped.sram_stride - self.base

    def _plan(self):
        guest, manager, random, c = guest_page(self.c), manager_page(self.c), self.random, self.c
        lane, vm, block = random.randrange(c.lanes), random.randrange(c.vms), random.randrange(c.blocks)
        kind = random.choices(
            ("mail", "allocate", "hand over", "end", "write", "command", "configure"), (16, 6, 8, 8, 4, 1, 1)
        )[0]
        number, how = guest.RETURN.BLOCK, guest.RETURN.KIND
        if kind == "mail":
            super()._plan()
            if coin(random, 0.2):  # one of them is the peer's generation
                self.script.extend((guest.PEER.at(vm), generation, FULL) for generation in range(1, 9))
        elif kind == "allocate":
            self.script.append((guest.ALLOC.offset, None, FULL))
        elif kind == "hand over":
            word = block << number.lsb | random.choice(list(Handover)) << how.lsb
            self.script.append((guest.COMMIT.at(lane, 1, 0, vm), word, FULL))
            self.script.append((guest.ACK.at(lane), 1, FULL))
        elif kind == "end":
            name = random.choice(("FREE", "RETURN", "REVOKE"))
            self.script.append((getattr(guest, name).at(lane), block << number.lsb | random.choice((0, 1 << 16)), FULL))
        elif kind == "write":  # its block, or somebody else's
            self.script.append((self.sram + block * c.block_size, random.getrandbits(32), FULL))
        elif kind == "command":
            self.script.append((self.manager + manager.CONTROL.at(vm), random.choice(list(Command)), FULL))
            self.script.append((self.manager + manager.CONTROL.at(vm), Command.OPEN, FULL))
        else:
            register, word = random.choice(
                (
                    (manager.CREDITS.at(vm, random.randrange(c.vms)), random.randrange(4)),
                    (manager.QUOTA.at(vm), random.randrange(3)),
                    (manager.PERMIT.at(vm, 0), random.randrange(8)),
                )
            )
            self.script.append((self.manager + register, word, FULL))


class Watch:
    """Asserts the assumptions in each cycle, and counts how often each had something to say."""

    def __init__(self, dut: Postern):
        self.dut, self.c = dut, dut.config
        self.met: dict[str, int] = {}
        self.before: dict = {}
        self.owed = {(port, way): 0 for port in range(len(self.c.ports)) for way in "wr"}
        self.commits = set(guest_page(self.c).COMMIT.offsets())

    def holds(self, name: str, holds: bool) -> None:
        self.met[name] = self.met.get(name, 0) + 1
        assert holds, name

    def cycle(self, ctx, resets: list[bool]) -> None:
        """Look at one cycle."""
        now: dict = {}
        self._queues(ctx)
        self._blocks(ctx, now)
        self._directory(ctx, now)
        self._engine(ctx, now)
        self._teardown(ctx, now)
        self._ports(ctx, now, resets)
        self.before = now

    def _queues(self, ctx) -> None:
        for queue in self.dut.queues:
            if ctx.get(queue.push):
                self.holds("push-has-room", ctx.get(queue.level) < self.c.depth)

    def _blocks(self, ctx, now) -> None:
        blocks, sram = self.dut.blocks, self.dut.sram
        acts = [blocks.give, blocks.free, blocks.give_back, blocks.revoke, blocks.set_limit, blocks.reclaim]
        acting = sum(ctx.get(act) for act in acts)
        now["acted"] = acting
        now["word"] = [ctx.get(value) for value in (blocks.data, blocks.vm, blocks.target)]
        if acting:
            self.holds("acts-apart", acting == 1 and not self.before.get("acted"))
            self.holds("word-stays", now["word"] == self.before["word"])
        now["step"] = ctx.get(blocks.kill_vm) if ctx.get(blocks.kill) else None
        now["step before"] = torn = self.before.get("step")
        if now["step"] is not None:
            self.holds("steps-apart", not acting and torn is None)
        if acting:
            self.holds("steps-apart", torn is None and self.before.get("step before") is None)
        living = ctx.get(blocks.open)
        for dead in (now["step"], torn):
            if dead is not None:
                self.holds("dead-are-closed", not living >> dead & 1)
        if ctx.get(blocks.alloc):
            self.holds("dead-are-closed", bool(living >> ctx.get(blocks.alloc_vm) & 1))
        if ctx.get(blocks.give):
            self.holds("gives-what-it-may", bool(ctx.get(blocks.may_give)))
            self.holds("gives-to-the-open", bool(living >> ctx.get(blocks.target) & 1))
        rows = self.dut.scrubber.rows
        for bank in range(self.c.banks):
            scrub = self.dut.scrubber.scrub[bank]
            now["scrub", bank] = ctx.get(scrub.row) // rows if ctx.get(scrub.taken) else None
            block = self.before.get(("scrub", bank))
            if block is not None:
                reads = ctx.get(sram.r_allowed) >> bank & 1 and ctx.get(sram.r_look[bank].block) == block
                self.holds("scrubbed-has-no-owner", not reads)

    def _directory(self, ctx, now) -> None:
        d = self.dut.directory
        acknowledge, permit, command, walk, kill = (
            ctx.get(value) for value in (d.acknowledge, d.set_permit, d.command, d.walk, d.kill)
        )
        now["settles"] = command or walk
        now["command"] = ctx.get(d.target), ctx.get(d.data)
        if acknowledge or permit or command or walk or kill:
            self.holds("engine-one-at-a-time", acknowledge + permit + command + walk + kill == 1)
        if command:
            self.holds("engine-command-stays", now["command"] == self.before["command"] and not self.before["settles"])
        if command or permit or kill:
            self.holds("engine-walks-alone", not (ctx.get(d.walking) and (command or permit)))
        if walk:
            vm = ctx.get(d.walk_vm)
            row = vm if ctx.get(d.walk_last) else ctx.get(d.walk_step)
            self.holds(
                "engine-walks-alone",
                bool(ctx.get(d.walking)) and ctx.get(d.source) == vm and ctx.get(d.target) == row,
            )
        if acknowledge:
            self.holds("engine-closed-acts-not", bool(ctx.get(d.source_open)))

    def _engine(self, ctx, now) -> None:
        engine = self.dut.writer
        answers = (
            engine.permitted, engine.acknowledged, engine.source_open, engine.source_draining, engine.target_open
        )  # fmt: skip
        told = [*map(ctx.get, answers)]
        permitted, acknowledged, source_open, draining, _ = told
        connected = permitted and acknowledged and source_open and not draining
        self.holds("connected-is-all", ctx.get(engine.connected) == bool(connected))
        spent = ctx.get(engine.spent)
        if self.before.get("checking"):
            self.holds("checked-stays", told == self.before["told"] and spent == self.before["spent"])
        now["checking"], now["told"] = ctx.get(engine._checking), told
        self.holds("checked-stays", not (now["checking"] and ctx.get(engine.closed_vm)))
        now["spent"] = spent & ~ctx.get(engine.returns)

    def _teardown(self, ctx, now) -> None:
        c, d, engine, bells = self.c, self.dut.directory, self.dut.writer, self.dut.doorbells
        self.holds("crowded-by-a-commit", bool(not ctx.get(engine.crowded) or ctx.get(engine.word.request)))
        killing, kill, walking = (ctx.get(value) for value in (engine.killing, engine.kill, engine.walking))
        which = ctx.get(engine.kill_vm), ctx.get(engine.kill_step)
        if offered := self.before.get("offered step"):
            self.holds("step-stays", bool(killing) and which == offered)
        now["offered step"] = which if killing and not kill else None
        now["step waits"] = waits = self.before.get("step waits", 0) + 1 if killing and not kill and not walking else 0
        if killing:
            self.holds("step-is-taken", waits <= step_wait(c))
        if kill:
            row = ctx.get(d.target) == which[1] or which[1] >= c.vms
            self.holds("step-is-taken", ctx.get(d.source) == which[0] and row)
        if ctx.get(bells.ring):
            self.holds("rings-living", bool(ctx.get(d.source_open) and ctx.get(d.target_alive)))
        dying = ctx.get(d.dying)
        interrupts = self.dut.interrupts
        if any(
            ctx.get(act)
            for act in (interrupts.clear, interrupts.test, interrupts.set_moderation, interrupts.set_enable)
        ):
            self.holds("registers-of-the-open", bool(ctx.get(interrupts.open) >> ctx.get(interrupts.vm) & 1))
        if self.before.get("opened"):
            self.holds("opened-is-told", all(ctx.get(port.changed) for port in self.dut.ports))
        now["opened"] = ctx.get(d.opened)
        if turns := ctx.get(d.opened) | ctx.get(d.closed):
            self.holds("closed-are-torn", all(turns & ~ctx.get(port.tear) == 0 for port in self.dut.ports))
        for vm, queue in enumerate(self.dut.queues):
            if ctx.get(queue.look):
                self.holds("registers-of-the-open", bool(ctx.get(d.open) >> vm & 1))
            dead = dying >> vm & 1
            now["dead for", vm] = since = self.before.get(("dead for", vm), -1) + 1 if dead else -1
            if dead:
                self.holds("queue-empties", since < c.depth or not ctx.get(queue.filled))
                self.holds("dead-get-nothing", not ctx.get(queue.push))

    def _ports(self, ctx, now, resets) -> None:
        for index, port in enumerate(self.dut.ports):
            payload = port.w_engine.payload
            if ctx.get(port.w_engine.valid) and ctx.get(payload.commit):
                self.holds(
                    "commit-is-one",
                    bool(
                        ctx.get(payload.allowed)
                        and not ctx.get(payload.manager)
                        and ctx.get(payload.address) % 8 == 0
                        and ctx.get(payload.offset) in self.commits
                        and (ctx.get(payload.torn) or ctx.get(payload.strobes) == FULL)
                    ),
                )
                self.holds("requester-exists", ctx.get(payload.vm) < self.c.vms)
            commits = ctx.get(port.w_engine.valid) and ctx.get(payload.commit)
            held = self.before.get(("late", index), False)
            if commits or held:
                stages = ctx.get(port.w_pool.request) and ctx.get(port.w_pool.enable)
                self.holds("stages-alone", not stages)
            granted = commits and ctx.get(port.w_engine.ready) and ctx.get(payload.block)
            now["late", index] = granted or (held and not ctx.get(port.w_acted))
            if ctx.get(port.w_sram.grant):
                self.holds("granted-has-asked", bool(ctx.get(port.w_sram.request)))
            self._paths(ctx, port)
            asked = ctx.get(port.write.payload.as_value())
            asks = self.before.get(("asks", index))
            if asks is not None and ctx.get(port.write.valid) and not ctx.get(port.reset):
                self.holds("request-stays", asked == asks)
            waits = ctx.get(port.write.valid) and not ctx.get(port.write.ready) and not ctx.get(port.reset)
            now["asks", index] = asked if waits else None
            for way, request, answer in (("w", port.write, port.written), ("r", port.read, port.answer)):
                valid, ready = ctx.get(answer.valid), ctx.get(answer.ready)
                word = [ctx.get(port.answer.payload.data), ctx.get(port.answer.payload.error)] if way == "r" else []
                if valid:
                    self.holds("port-answers-once", self.owed[index, way] > 0)
                waited = self.before.get((index, way))
                if waited is not None and not resets[index]:
                    self.holds("port-answer-stays", bool(valid) and word == waited)
                now[index, way] = word if valid and not ready and not resets[index] else None
                taken = ctx.get(request.valid) and ctx.get(request.ready)
                self.owed[index, way] += bool(taken) - bool(valid and ready)
                if resets[index]:
                    self.owed[index, way] = 0

    def _paths(self, ctx, port) -> None:
        page = guest_page(self.c)
        for stream, names in ((port.w_engine, ("STAGE",)), (port.r_engine, ("WORD", "POP"))):
            if not ctx.get(stream.valid):
                continue
            payload, own = stream.payload, {place for name in names for place in getattr(page, name).offsets()}
            guest = ctx.get(payload.allowed) and not ctx.get(payload.manager) and ctx.get(payload.address) % 8 == 0
            offset = ctx.get(payload.offset)
            self.holds("port-decodes", ctx.get(payload.direct) == bool(guest and offset in own))
            if names == ("STAGE",):
                commits = bool(guest and offset in self.commits and ctx.get(payload.strobes))
                self.holds("port-decodes", ctx.get(payload.commit) == commits)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_proofs_assume_holds_in_the_block(name):
    c = CONFIGURATIONS[name]
    dut, random = Postern(c), Random(name)
    design = Design(dut)
    watch = Watch(dut)

    def master(index):
        guests = [Wild(c, index, vm, random) for vm in c.port_vms(index)]
        return MASTERS[c.ports[index].bus](
            Pins(dut, port_prefix(c, index)), random, lambda: random.choice(guests)(), pause=0.1
        )

    async def bench(ctx):
        def clock():
            ctx.set(dut.clk, 0)
            ctx.set(dut.clk, 1)

        masters = [master(index) for index in range(len(c.ports))]
        pins = [Pins(dut, f"s{index}_") for index in range(len(c.ports))]
        for _ in range(4 * c.depth):  # the tables are filled
            clock()
        for _ in range(1500):
            resets = [coin(random, 0.003) for _ in masters]
            for index, driver in enumerate(masters):
                pins[index].set(ctx, rst=resets[index])
                if resets[index]:
                    driver.reset()
                driver.before(ctx)
            for driver in masters:
                driver.after(ctx)
            watch.cycle(ctx, resets)
            clock()

    simulate(design.fragment, bench, clock=False)
    assumed = {one.name for item in PROPERTIES for one in item.assumptions}
    assert set(watch.met) | set(ELSEWHERE) == assumed
