"""A block in Verilator with all VMs open, and short ways to what a figure needs."""

from postern import Mailbox, Manager
from postern_spec.config import Config
from postern_spec.config import Manager as ManagerKind
from postern_spec.regmap import Handover, Kind, address_map, guest_page

from ..rtl import Done, Request, Rtl, RtlBus

__all__ = ["Setup", "expect"]


class Setup:
    """A block with all VMs open and permitted to send to one another, and short ways to its registers.

    Parameters
    ----------
    config : Config
        The block. ``sideband`` ports, whose tags are VM-IDs, or ``static`` ones.
    quotas : bool
        Share all blocks out among the VMs.
    """

    def __init__(self, config: Config, *, quotas: bool = True):
        self.config = config
        self.rtl = Rtl(config)
        self.page = guest_page(config)
        if config.manager is not ManagerKind.NONE:
            manager = Manager(self.bus(0, config.manager_vm), config)
            for vm in range(config.vms):
                manager.open(vm)
                if config.blocks and quotas:
                    manager.quota(vm, config.blocks // config.vms)

    def bus(self, port: int, vm: int) -> RtlBus:
        """Return the bus of a VM at a port."""
        return RtlBus(self.rtl, port, tag=self.tag(port, vm))

    def tag(self, port: int, vm: int) -> int:
        """Return the tag of a VM's requests at a port."""
        return vm if self.config.tags else 0

    def permit(self, sender: int, receiver: int, credits: int) -> None:
        """Let ``sender`` send, and acknowledge the receiver."""
        if self.config.manager is ManagerKind.NONE:
            return
        manager = Manager(self.bus(0, self.config.manager_vm), self.config)
        manager.permit(sender, receiver)
        manager.credits(sender, receiver, credits)
        Mailbox(self.bus(0, sender), config=self.config).connect(receiver)

    def at(self, port: int, vm: int, name: str, *indices: int) -> int:
        """Return the address of a guest's register."""
        return address_map(self.config, port).guest(vm) + getattr(self.page, name).at(*indices)

    def block(self, port: int, vm: int) -> int:
        """Allocate a block for a VM, and return its number; it may have to be scrubbed first."""
        for _ in range(10_000):
            word, _ = self.rtl.read(port, self.at(port, vm, "ALLOC"), tag=self.tag(port, vm))
            if self.page.ALLOC.VALID.get(word):
                return self.page.ALLOC.BLOCK.get(word)
        raise RuntimeError(f"VM {vm} must get a block, not none")

    def scrubbed(self) -> None:
        """Let time pass until no block is dirty."""
        manager = Manager(self.bus(0, self.config.manager_vm), self.config)
        while manager.pool().dirty:
            self.rtl.step(100)

    def sram(self, port: int, vm: int, block: int, offset: int = 0) -> int:
        """Return the address of a byte of a block."""
        return address_map(self.config, port).sram(vm) + block * self.config.block_size + offset

    def hand_over(self, port: int, sender: int, receiver: int, block: int, how: Handover) -> Request:
        """Return the write that sends a message of nothing but a block."""
        word = self.page.RETURN.pack(BLOCK=block, KIND=how)
        return Request(self.at(port, sender, "COMMIT", 0, Kind.BLOCK, 0, receiver), word, True, self.tag(port, sender))

    def message(self, port: int, sender: int, receiver: int, words: list[int]) -> list[Request]:
        """Return the writes that send a message."""
        tag, n = self.tag(port, sender), len(words)
        staged = [
            Request(self.at(port, sender, "STAGE", 0, word), data, True, tag) for word, data in enumerate(words[:-1])
        ]
        commit = self.at(port, sender, "COMMIT", 0, 0, int(n > 1), receiver)
        return [*staged, Request(commit, words[-1], True, tag)]

    def reception(self, port: int, vm: int, count: int) -> list[Request]:
        """Return the reads that take a message of ``count`` words."""
        addresses = [self.at(port, vm, "HEADER", 0)]
        addresses += [self.at(port, vm, "WORD", word) for word in range(count - 1)]
        addresses.append(self.at(port, vm, "POP", 0))
        return [Request(address, tag=self.tag(port, vm)) for address in addresses]

    def go(self, **queues: list[Request]) -> dict[str, list[Done]]:
        """Run queues ``p0``, ``p1``, ... of ports at the same time; return what became of each request."""
        self.rtl.forget()
        for port, requests in queues.items():
            self.rtl.issue(int(port[1:]), requests)
        self.rtl.run()
        return {port: self.rtl.done(int(port[1:])) for port in queues}


def expect(got: list[int], wanted: list[int]) -> None:
    """Raise ``RuntimeError`` where words are not what they should be: a figure of a broken run is none."""
    if got != wanted:
        raise RuntimeError(f"words must arrive as they were sent, not as {got[:8]} instead of {wanted[:8]} ...")
