"""A cocotb bench to start from. ``run.py`` beside it builds the block and runs these tests.

Two ways to drive a port: the driver, as blocking code inside ``bridge``, and a bus master, here that of cocotbext-axi.
"""

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from postern import Mailbox, NoCredit, preset
from postern_sim.cocotb_bus import DutBus
from postern_spec.regmap import guest_page

CONFIG = preset("small")  # two AXI4-Lite ports, one VM each


async def start(dut) -> None:
    """Start the clock and reset the block."""
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    dut.rst.value = 1
    for port in range(len(CONFIG.ports)):
        getattr(dut, f"s{port}_rst").value = 0
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0


@cocotb.test()
async def a_message_arrives_with_its_sender(dut):
    mine, yours = DutBus(dut, CONFIG, port=0), DutBus(dut, CONFIG, port=1)
    await start(dut)

    @bridge
    def talk():
        sender, receiver = Mailbox(mine, core=0), Mailbox(yours, core=1)
        sender.send(1, [0x1234, 0x5678])
        assert sender.result().accepted == 1
        message = receiver.receive()
        assert message.sender == 0
        assert message.words == (0x1234, 0x5678)

    await talk()


@cocotb.test()
async def an_interrupt_tells_of_mail(dut):
    mine, yours = DutBus(dut, CONFIG, port=0), DutBus(dut, CONFIG, port=1)
    await start(dut)
    task = cocotb.start_soon(bridge(lambda: Mailbox(yours, core=1).receive())())  # sleeps until the interrupt
    await ClockCycles(dut.clk, 200)
    assert not task.done()
    await bridge(lambda: Mailbox(mine).send(1, [42]))()
    assert (await task).words == (42,)


@cocotb.test()
async def a_flood_is_refused(dut):
    bus = DutBus(dut, CONFIG, port=0)
    await start(dut)

    @bridge
    def flood():
        mailbox = Mailbox(bus)
        for number in range(CONFIG.credits + 1):
            mailbox.send(1, [number])
        try:
            mailbox.result().check()
        except NoCredit as refused:
            return refused.accepted
        return None

    assert await flood() == CONFIG.credits


@cocotb.test()
async def a_master_of_your_own(dut):
    """Registers by name: an offset from the page, its word from the fields."""
    page = guest_page(CONFIG)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s1_axi"), dut.clk)
    await start(dut)
    word = int.from_bytes((await master.read(page.SELF.at(), 4)).data, "little")
    assert page.SELF.VM.get(word) == 1
    assert page.SELF.PORT.get(word) == 1
