"""The command ``postern``. Every mistake of the user is one sentence on stderr and a non-zero exit."""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from postern_spec.config import PRESETS, ConfigError

from .errors import CommandError

__all__ = ["main"]

_CONFIG = f"a preset ({', '.join(PRESETS)}) or a TOML file; default: default"


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> _Parser:
    def command(name: str, summary: str, examples: str, group: "argparse._SubParsersAction[_Parser]") -> _Parser:
        return group.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    parser = _Parser(
        prog="postern",
        description="Postern generates a hardware mailbox for virtual machines, and shows what it does.",
        epilog="examples:\n"
        "  postern generate default -o build/default   Verilog, C header, SystemRDL, register pages, manifest\n"
        "  postern info examples/polarfire.toml        what a configuration comes to\n"
        "  postern config new mine.toml                a configuration file to start from, every parameter explained\n"
        "  postern demo                                watch virtual machines talk through the generated hardware\n"
        "  postern top                                 watch what the manager sees meanwhile",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    generate = command(
        "generate",
        "write a block: Verilog, C header, SystemRDL, register pages, manifest",
        "  postern generate -o build/default\n  postern generate small -o build/small\n"
        "  postern generate mine.toml -o rtl",
        commands,
    )
    generate.add_argument("config", nargs="?", default="default", metavar="CONFIG", help=_CONFIG)
    generate.add_argument("-o", "--output", required=True, metavar="OUT", help="folder; made if it is not there")

    info = command(
        "info",
        "show ports, sizes, address map and memory of a configuration",
        "  postern info\n  postern info large\n  postern info mine.toml",
        commands,
    )
    info.add_argument("config", nargs="?", default="default", metavar="CONFIG", help=_CONFIG)

    config = command(
        "config",
        "print or check a configuration, or start a new one",
        "  postern config print small\n  postern config check mine.toml\n  postern config new mine.toml --preset large",
        commands,
    )
    actions = config.add_subparsers(dest="action", metavar="ACTION", parser_class=_Parser)
    show = command("print", "print every parameter as TOML", "  postern config print default", actions)
    show.add_argument("config", nargs="?", default="default", metavar="CONFIG", help=_CONFIG)
    check = command("check", "check configuration files", "  postern config check a.toml b.toml", actions)
    check.add_argument("configs", nargs="+", metavar="CONFIG", help=_CONFIG.split(";")[0])
    new = command(
        "new",
        "write a configuration file with every parameter explained",
        "  postern config new mine.toml\n  postern config new mine.toml --preset small",
        actions,
    )
    new.add_argument("file", metavar="FILE", help="TOML file to write; must not be there yet")
    new.add_argument("--preset", default="default", metavar="PRESET", help=f"what to start from: {', '.join(PRESETS)}")

    demo = command(
        "demo",
        "watch virtual machines talk through the generated hardware",
        "  postern demo\n  postern demo --wave build/demo.vcd\n  postern demo --model",
        commands,
    )
    demo.add_argument("--config", default="default", metavar="CONFIG", help=_CONFIG)
    where = demo.add_mutually_exclusive_group()
    where.add_argument("--wave", metavar="FILE", help="record the waveform (VCD) and a signal list for GTKWave (.gtkw)")
    where.add_argument("--model", action="store_true", help="run on the functional model: at once, but without cycles")

    top = command(
        "top",
        "watch what the manager sees while virtual machines use the generated hardware",
        "  postern top\n  postern top --config examples/zynq_ultrascale.toml --interval 0.2\n"
        "  postern top --model --once --cycles 50000",
        commands,
    )
    top.add_argument("--config", metavar="CONFIG", help=f"{_CONFIG}, with counters")
    top.add_argument("--model", action="store_true", help="run on the functional model: nothing to build, but no waits")
    top.add_argument("--once", action="store_true", help="show one table and end")
    top.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between two tables; default: 1")
    top.add_argument("--cycles", type=int, metavar="N", help="end after so many clock cycles; default: on Ctrl-C")
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("postern")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _run(arguments: argparse.Namespace, parser: _Parser) -> int:
    if arguments.version:
        print(f"postern {_version()}")
        return 0
    match arguments.command:
        case "generate":
            from . import generate

            return generate.run(arguments.config, arguments.output)
        case "info":
            from . import info

            return info.run(arguments.config)
        case "config":
            from . import config

            match arguments.action:
                case "print":
                    return config.show(arguments.config)
                case "check":
                    return config.check(arguments.configs)
                case "new":
                    return config.new(arguments.file, arguments.preset)
                case _:
                    raise CommandError("action must be one of print, check, new (see postern config --help)")
        case "demo":
            from . import demo

            return demo.run(arguments.config, wave=arguments.wave, model=arguments.model)
        case "top":
            from . import top

            return top.run(
                arguments.config,
                model=arguments.model,
                once=arguments.once,
                interval=arguments.interval,
                cycles=arguments.cycles,
            )
        case _:
            parser.print_help()
            return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str
        What follows the command's name; by default that of this process.

    Returns
    -------
    int
        0, 1 after an error, 2 after arguments that make no sense, 130 after an interrupt.
    """
    parser = _parser()
    try:
        status = _run(parser.parse_args(arguments), parser)
        sys.stdout.flush()  # so that a reader who has gone is noticed here and not on exit
        return status
    except (CommandError, ConfigError) as error:
        print(f"postern: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not try to flush into it on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("postern: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
