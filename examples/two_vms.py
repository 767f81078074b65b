"""Two virtual machines: one asks, the other computes and answers.

    python examples/two_vms.py          on the functional model, at once
    python examples/two_vms.py --rtl    on the generated Verilog, in Verilator

Each program is written as if it had a core to itself. ``Programs`` runs them at the same time, with the same
interleaving on every run.
"""

import argparse

from postern import Bus, Config, Mailbox, Model, ModelBus, Programs, Sender, preset

QUESTIONS = [3, 5, 8, 13, 21]
STOP = 0xFFFF_FFFF


def client(mailbox: Mailbox) -> list[int]:
    """Ask for squares; return the answers."""
    server = mailbox.peers()[0].vm
    mailbox.connect(server)
    sender = Sender(mailbox)  # counts credits, and sends again what is refused for want of them
    answers = []
    for number in QUESTIONS:
        sender.send(server, [number])
        answer = mailbox.receive()  # sleeps until the interrupt if there is nothing yet
        answers.append(answer.words[0])
    sender.send(server, [STOP])
    sender.flush()
    return answers


def server(mailbox: Mailbox) -> int:
    """Answer questions until told to stop; return how many there were. The sender's VM-ID comes from the hardware."""
    for peer in mailbox.peers():
        mailbox.connect(peer.vm)
    sender = Sender(mailbox)
    count = 0
    while (question := mailbox.receive()).words[0] != STOP:
        sender.send(question.sender, [question.words[0] ** 2])
        count += 1
    sender.flush()
    return count


def buses(config: Config, rtl: bool) -> tuple[Bus, Bus]:
    """Return the bus of each of the two cores. Everything else is the same for both."""
    if not rtl:
        model = Model(config)
        return ModelBus(model, port=0), ModelBus(model, port=1)
    from postern_sim.rtl import Rtl, RtlBus

    block = Rtl(config)
    return RtlBus(block, port=0), RtlBus(block, port=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rtl", action="store_true", help="run on the generated Verilog instead of the model")
    config = preset("small")
    first, second = buses(config, parser.parse_args().rtl)

    programs = Programs()
    programs.add("client", client, first, lambda bus: Mailbox(bus, core=0))
    programs.add("server", server, second, lambda bus: Mailbox(bus, core=1))
    results = programs.run()

    for question, answer in zip(QUESTIONS, results["client"], strict=True):
        print(f"{question} squared is {answer}")
    print(f"the server answered {results['server']} questions")


if __name__ == "__main__":
    main()
