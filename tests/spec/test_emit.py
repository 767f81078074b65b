"""What is emitted beside Verilog, each checked by a tool that did not write it."""

import itertools
import json
import re
import subprocess
import sys
from enum import IntEnum
from html.parser import HTMLParser
from pathlib import Path

import jschon  # comes with Amaranth
import pytest
from systemrdl import RDLCompiler
from systemrdl.node import FieldNode, MemNode, RegNode
from systemrdl.rdltypes import AccessType, OnReadType, OnWriteType, PrecedenceType

from postern_spec.config import Config, Identity, Manager
from postern_spec.emit import c_header, documents, file_names, html, instance, manifest, markdown, systemrdl
from postern_spec.emit.common import acting_addresses, digest, pages
from postern_spec.model import Access, Field, Register
from postern_spec.pins import pins
from postern_spec.regmap import (
    Command,
    Fault,
    Handover,
    Holding,
    Interrupt,
    Kind,
    Popped,
    Result,
    Settled,
    State,
    address_map,
    guest_page,
)

ROOT = Path(__file__).resolve().parents[2]


def elements(register: Register) -> list[tuple[tuple[int, ...], int]]:
    """Indices and offset of each register of an array."""
    ranges = [range(dim.count) for dim in register.dims]
    return [(indices, register.at(*indices)) for indices in itertools.product(*ranges)]


# SystemRDL


@pytest.fixture
def compiled(config: Config, tmp_path: Path) -> RDLCompiler:
    path = tmp_path / f"{config.name}.rdl"
    path.write_text(systemrdl.emit(config), encoding="utf-8")
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    return compiler


def compare_field(node: FieldNode, item: Field) -> None:
    where = f"{node.parent.get_path()}.{item.name}"
    assert (node.inst_name, node.low, node.high) == (item.name, item.lsb, item.lsb + item.width - 1), where
    sw, onread, onwrite = {
        Access.RO: (AccessType.r, None, None),
        Access.RW: (AccessType.rw, None, None),
        Access.W1C: (AccessType.rw, None, OnWriteType.woclr),
        Access.W1S: (AccessType.rw, None, OnWriteType.woset),
        Access.WO: (AccessType.w, None, None),
        Access.RA: (AccessType.r, OnReadType.ruser, None),
    }[item.access]
    assert node.get_property("sw") == sw, where
    assert node.get_property("onread") == onread, where
    assert node.get_property("onwrite") == onwrite, where
    assert node.get_property("reset") == item.reset, where
    # An event in the cycle of a clear must win, and SystemRDL's default is the other way round.
    wanted = PrecedenceType.hw if item.access is Access.W1C else PrecedenceType.sw
    assert node.get_property("precedence") == wanted, where
    encode = node.get_property("encode")
    assert ({} if encode is None else {m.name: m.value for m in encode}) == (
        {} if item.values is None else {m.name: m.value for m in item.values}
    ), where


def test_systemrdl_pages_equal_the_map(config: Config, compiled: RDLCompiler) -> None:
    for page in pages(config):
        top = compiled.elaborate(top_def_name=f"{config.name}_{page.name}").top
        found: dict[int, RegNode] = {}
        for node in top.descendants(unroll=True):
            if isinstance(node, RegNode):
                assert node.absolute_address not in found
                found[node.absolute_address] = node
        wanted = {offset: item for item in page.registers for _, offset in elements(item)}
        assert sorted(found) == sorted(wanted)
        assert sorted(at for at, node in found.items() if node.external) == list(acting_addresses(page))
        compared = set()
        for offset, item in wanted.items():
            node = found[offset]
            assert node.inst_name == item.name
            assert node.get_property("regwidth") == 32
            fields = list(node.fields())
            assert len(fields) == len(item.fields)
            if item.name not in compared:  # the rest of an array is the same definition
                for got, want in zip(fields, item.fields, strict=True):
                    compare_field(got, want)
                compared.add(item.name)
        assert compared == {item.name for item in page.registers}


def test_systemrdl_ports_place_the_pages(config: Config, compiled: RDLCompiler) -> None:
    for index, port in enumerate(config.ports):
        top = compiled.elaborate(top_def_name=f"{config.name}_port{index}").top
        where = address_map(config, index)
        guests = range(config.vms) if port.identity is Identity.PAGE else range(1)
        wanted = {where.guest(vm) for vm in guests}
        if config.manager is not Manager.NONE:
            wanted.add(where.manager_base)
        children = list(top.children(unroll=True))
        windows = [child for child in children if isinstance(child, MemNode)]
        assert {child.absolute_address for child in children if child not in windows} == wanted
        assert [node.absolute_address for node in windows] == [where.sram(vm) for vm in guests if config.blocks]
        for node in windows:
            assert node.external
            assert node.get_property("mementries") * 4 == node.size == config.sram_bytes
            assert (node.get_property("memwidth"), node.get_property("sw")) == (32, AccessType.rw)


def test_systemrdl_has_a_memory_for_each_window(config: Config, compiled: RDLCompiler) -> None:
    """Just where the configuration has blocks, as some of those that are tried have."""
    text = systemrdl.emit(config)
    assert text.count("external mem") == (len(config.ports) if config.blocks else 0)


def test_register_pages_name_the_sram(config: Config) -> None:
    for text in (markdown.emit(config), html.emit(config)):
        assert (f"{config.sram_bytes} bytes in all" in text) == (config.blocks > 0)
        assert ("The window of the shared SRAM" in text) == (config.blocks > 0)


def test_systemrdl_comparison_notices_a_lost_precedence(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "wrong.rdl"
    path.write_text(systemrdl.emit(config).replace(" precedence = hw;", ""), encoding="utf-8")
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    with pytest.raises(AssertionError, match=r"IRQ_STATE"):
        test_systemrdl_pages_equal_the_map(config, compiler)


# C


def compile_c(folder: Path, config: Config, body: str, *flags: str) -> subprocess.CompletedProcess[str]:
    (folder / f"{config.name}.h").write_text(c_header.emit(config), encoding="utf-8")
    source = folder / "probe.c"
    source.write_text(f'#include "{config.name}.h"\n#include "{config.name}.h"\n{body}\n', encoding="utf-8")
    command = [
        "c++" if "-std=c++11" in flags else "cc",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pedantic",
        *flags,
        str(source),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("language", ["c99", "c++11"])
def test_header_compiles_without_a_warning(config: Config, tmp_path: Path, language: str) -> None:
    flags = ["-ffreestanding", f"-std={language}", "-c", "-o", "probe.o"]
    if language == "c++11":
        flags = ["-x", "c++", *flags]
    done = compile_c(tmp_path, config, "int unused_probe(void);", "-Wconversion", "-Wshadow", "-Wundef", *flags)
    assert done.returncode == 0, done.stderr


def test_header_has_the_offsets_and_fields_of_the_map(config: Config, tmp_path: Path) -> None:
    up = config.name.upper()
    claims = []
    for page in pages(config):
        for register in page.registers:
            name = f"{up}_{'' if page.name == 'guest' else 'MANAGER_'}{register.name}"
            all_of_them = elements(register)
            for indices, offset in all_of_them if len(all_of_them) < 200 else all_of_them[::97] + all_of_them[-1:]:
                arguments = f"({', '.join(map(str, indices))})" if indices else ""
                claims.append(f"{name}_OFFSET{arguments} == {offset}u")
            for item in register.fields:
                claims.append(f"{name}_{item.name}_MASK == {item.mask}u && {name}_{item.name}_LSB == {item.lsb}u")
                claims.append(f"{up}_GET({name}_{item.name}, {0xA5C3F096}u) == {item.get(0xA5C3F096)}u")
                claims.append(f"{up}_PUT({name}_{item.name}, 1) == {item.put(1)}u")
    kinds: tuple[type[IntEnum], ...] = (Result, Popped, Kind, Interrupt, State, Command, Fault)
    if config.blocks:
        kinds += Handover, Settled, Holding
    for kind in kinds:
        claims += [f"{up}_{kind.__name__.upper()}_{item.name} == {item.value}" for item in kind]
    for index in range(len(config.ports)):
        where = address_map(config, index)
        vm = config.vms - 1
        paged = where.guest_stride != 0
        claims.append(f"{up}_PORT{index}_GUEST_BASE{f'({vm}u)' if paged else ''} == {where.guest(vm)}u")
        if where.sram_base is not None:
            claims.append(f"{up}_PORT{index}_SRAM_BASE{f'({vm}u)' if paged else ''} == {where.sram(vm)}u")
        if where.manager_base is not None:
            claims.append(f"{up}_PORT{index}_MANAGER_BASE == {where.manager_base}u")
    body = "\n".join(f"typedef char claim_{n}[({claim}) ? 1 : -1];" for n, claim in enumerate(claims))
    done = compile_c(tmp_path, config, body, "-ffreestanding", "-std=c99", "-c", "-o", "probe.o")
    assert done.returncode == 0, done.stderr


def test_header_defines_no_name_twice(config: Config) -> None:
    text = c_header.emit(config)
    names = re.findall(r"^#define (\w+)", text, re.M) + re.findall(r"^    (\w+) = ", text, re.M)
    names += re.findall(r"^static inline [\w ]+?(\w+)\(", text, re.M)
    assert len(set(names)) == len(names)


def test_header_sends_and_receives(config: Config, tmp_path: Path) -> None:
    """The accessors that do several accesses, over plain memory in place of the block."""
    low, up = config.name.lower(), config.name.upper()
    count, lane, vm = config.words, config.lanes - 1, config.vms - 1
    manager = ""
    if config.manager is not Manager.NONE:
        manager = f"""
        static uint32_t more[{up}_MANAGER_SIZE / 4u];
        uintptr_t root = (uintptr_t)more;
        uint32_t half = {vm}u / 32u;
        more[{up}_MANAGER_PERMIT_OFFSET(0u, half) / 4u] = 1u;
        if ({low}_manager_permit(root, {vm}u, 0u, 5u) != 1u)
            return 10;
        if (more[{up}_MANAGER_PERMIT_OFFSET(0u, half) / 4u] != (1u | (uint32_t)1 << ({vm}u % 32u)))
            return 11;
        if (more[{up}_MANAGER_CREDITS_OFFSET(0u, {vm}u) / 4u] != {up}_PUT({up}_MANAGER_CREDITS_LIMIT, 5u))
            return 12;
        if ({low}_manager_permit(root, 0u, {vm}u, 1u << 12) != 0u)
            return 13;
        if ({low}_manager_command(root, {vm}u, {up}_COMMAND_DRAIN) != 1u)
            return 14;
        if (more[{up}_MANAGER_CONTROL_OFFSET({vm}u) / 4u] != {up}_COMMAND_DRAIN)
            return 15;"""
    body = f"""
    static uint32_t page[{up}_GUEST_SIZE / 4u];
    static uint32_t at(uint32_t offset) {{ return page[offset / 4u]; }}

    int main(void)
    {{
        uintptr_t guest = (uintptr_t)page;
        uint32_t words[{up}_WORDS], got[{up}_WORDS], i;
        for (i = 0; i < {up}_WORDS; i++)
            words[i] = 0x1000u + i;

        {low}_send(guest, {lane}u, {vm}u, words, {count}u);
        for (i = 0; i + 1u < {count}u; i++)
            if (at({up}_STAGE_OFFSET({lane}u, i)) != words[i])
                return 1;
        if (at({up}_COMMIT_OFFSET({lane}u, 0u, {int(count > 1)}u, {vm}u)) != words[{count - 1}u])
            return 2;
        {low}_send(guest, {lane}u, 0u, words, 1u);
        if (at({up}_COMMIT_OFFSET({lane}u, 0u, 0u, 0u)) != words[0])
            return 3;

        if ({low}_receive(guest, {lane}u, got) != 0u)
            return 4;
        page[{up}_HEADER_OFFSET({lane}u) / 4u] = {up}_PUT({up}_HEADER_COUNT, {count}u);
        if ({low}_receive(guest, {lane}u, got) != 0u)
            return 5;
        page[{up}_RX_RESULT_OFFSET({lane}u) / 4u] = {up}_POPPED_POPPED;
        for (i = 0; i < {count}u; i++)
            page[{up}_WORD_OFFSET(i) / 4u] = 0x2000u + i;
        page[{up}_POP_OFFSET({lane}u) / 4u] = 0x3000u;
        if ({up}_GET({up}_HEADER_COUNT, {low}_receive(guest, {lane}u, got)) != {count}u)
            return 6;
        for (i = 0; i + 1u < {count}u; i++)
            if (got[i] != 0x2000u + i)
                return 7;
        if (got[{count - 1}u] != 0x3000u)
            return 8;

        page[{up}_PEER_OFFSET({vm}u) / 4u] = {up}_PUT({up}_PEER_GENERATION, 9u) | {up}_PEER_REACHABLE_MASK;
        if ({low}_connect(guest, {vm}u) != 9u || at({up}_PEER_OFFSET({vm}u)) != 9u)
            return 9;
        {manager}
        return 0;
    }}"""
    done = compile_c(tmp_path, config, body, "-std=c99", "-o", "probe")
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "probe"], check=False).returncode == 0


def test_header_hands_blocks_over(config: Config, tmp_path: Path) -> None:
    """What a guest does with blocks, over plain memory in place of the block."""
    low, up = config.name.lower(), config.name.upper()
    if not config.blocks:
        assert f"{low}_alloc" not in c_header.emit(config)
        assert f"{up}_BLOCKS" not in c_header.emit(config)
        return
    count, lane, vm, block = config.words - 1, config.lanes - 1, config.vms - 1, config.blocks - 1
    where = address_map(config, 0)
    paged = where.sram_stride != 0
    fields = guest_page(config).RETURN
    manager = ""
    if config.manager is not Manager.NONE:
        manager = f"""
        static uint32_t more[{up}_MANAGER_SIZE / 4u];
        if ({low}_manager_quota((uintptr_t)more, {vm}u, 7u) != 1u)
            return 20;
        if (more[{up}_MANAGER_QUOTA_OFFSET({vm}u) / 4u] != {up}_PUT({up}_MANAGER_QUOTA_LIMIT, 7u))
            return 21;
        if ({low}_manager_quota((uintptr_t)more, {vm}u, 1u << 12) != 0u)
            return 22;"""
    body = f"""
    static uint32_t page[{up}_GUEST_SIZE / 4u];
    static uint32_t sram[{up}_BLOCKS * {up}_BLOCK_SIZE / 4u];
    static uint32_t at(uint32_t offset) {{ return page[offset / 4u]; }}

    int main(void)
    {{
        uintptr_t guest = (uintptr_t)page;
        uint32_t words[{up}_WORDS] = {{ 0 }}, i, block = 1u;

        if ({up}_PORT0_SRAM_BASE{f"({vm}u)" if paged else ""} != {where.sram(vm)}u)
            return 1;
        if ({up}_BLOCKS != {config.blocks}u || {up}_BLOCK_SIZE != {config.block_size}u || {up}_BANKS != {config.banks}u)
            return 2;
        if ({low}_alloc(guest, &block) != 0u)
            return 3;
        page[{up}_ALLOC_OFFSET / 4u] = {guest_page(config).ALLOC.pack(BLOCK=block, VALID=1)}u;
        if ({low}_alloc(guest, &block) != 1u || block != {block}u)
            return 4;
        {low}_block((uintptr_t)sram, block)[1] = 0x55u;
        if (sram[{(block * config.block_size + 4) // 4}] != 0x55u)
            return 5;

        for (i = 0; i < {count}u; i++)
            words[i] = 0x1000u + i;
        {low}_send_block(guest, {lane}u, {vm}u, words, {count}u, block, {up}_HANDOVER_SHOW);
        for (i = 0; i < {count}u; i++)
            if (at({up}_STAGE_OFFSET({lane}u, i)) != words[i])
                return 6;
        if (at({up}_COMMIT_OFFSET({lane}u, 1u, {int(count > 0)}u, {vm}u))
                != {fields.pack(BLOCK=block, KIND=Handover.SHOW)}u)
            return 7;
        {low}_send_block(guest, {lane}u, 0u, words, 0u, 0u, {up}_HANDOVER_MOVE);
        if (at({up}_COMMIT_OFFSET({lane}u, 1u, 0u, 0u)) != {fields.pack(KIND=Handover.MOVE)}u)
            return 8;

        page[{up}_BLOCK_RESULT_OFFSET({lane}u) / 4u] = {up}_SETTLED_DONE;
        if ({low}_free(guest, {lane}u, 3u) != 1u || at({up}_FREE_OFFSET({lane}u)) != 3u)
            return 9;
        if ({low}_revoke(guest, {lane}u, 4u) != 1u || at({up}_REVOKE_OFFSET({lane}u)) != 4u)
            return 10;
        if ({low}_give_back(guest, {lane}u, 0xC0050006u) != 1u || at({up}_RETURN_OFFSET({lane}u)) != 0xC0050006u)
            return 11;
        page[{up}_BLOCK_RESULT_OFFSET({lane}u) / 4u] = {up}_SETTLED_STALE;
        if ({low}_give_back(guest, {lane}u, 1u) != 0u)
            return 12;
        page[{up}_BLOCK_RESULT_OFFSET({lane}u) / 4u] = {up}_SETTLED_REFUSED;
        if ({low}_free(guest, {lane}u, 3u) != 0u || {low}_revoke(guest, {lane}u, 4u) != 0u)
            return 13;
        {low}_publish(guest);
        {manager}
        return 0;
    }}"""
    done = compile_c(tmp_path, config, body, "-std=c99", "-o", "probe")
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "probe"], check=False).returncode == 0


# Register pages


def test_markdown_shows_every_register_field_and_value(config: Config) -> None:
    text = markdown.emit(config)
    assert text.count("## Reads that act") == 1
    for page in pages(config):
        for register in page.registers:
            start = text.index(f"### {page.name.capitalize()} page: {register.name}\n")
            end = text.find("\n##", start + 1)
            section = text[start : end if end >= 0 else None]
            assert f"`0x{register.offset:03X}" in section
            for item in register.fields:
                place = str(item.lsb) if item.width == 1 else f"{item.lsb + item.width - 1}:{item.lsb}"
                assert f"| {place} | `{item.name}` | {item.access.name} |" in section
                assert item.doc in section
                for value in item.values or ():
                    assert f"{value.value} `{value.name}`" in section
            assert ("**The read acts.**" in section) == any(item.access is Access.RA for item in register.fields)


def test_markdown_lists_the_addresses_whose_reads_act(config: Config) -> None:
    text = markdown.emit(config)
    section = text.split("## Reads that act")[1].split("##")[0]
    listed = sorted(int(number, 16) for number in re.findall(r"0x([0-9A-F]+)", section))
    assert listed == [offset for page in pages(config) for offset in acting_addresses(page)]


def test_markdown_tables_are_even(config: Config) -> None:
    columns = 0
    for line in markdown.emit(config).splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        count = len(re.findall(r"(?<!\\)\|", line))
        assert columns in (0, count), line
        columns = count


class Reader(HTMLParser):
    """Collects marks, links and what is fetched; fails where tags do not match."""

    EMPTY = {"meta", "rect"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.marks: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.marks.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.data.append(data)


def test_html_is_well_formed_and_needs_no_other_file(config: Config) -> None:
    reader = Reader()
    reader.feed(html.emit(config))
    assert reader.open == []
    assert len(set(reader.marks)) == len(reader.marks)
    assert {f"#{mark}" for mark in reader.marks} >= set(reader.links)
    assert not reader.tags & {"script", "link", "img", "iframe"}
    assert "url(" not in html.emit(config)


def test_html_pictures_show_all_bits(config: Config) -> None:
    """The boxes of each picture are as wide as 32 bits together, and each field has its own."""
    text = html.emit(config)
    pictures = re.findall(r"<svg.*?</svg>", text, re.S)
    registers = [register for page in pages(config) for register in page.registers]
    assert len(pictures) == len(registers)
    for picture, register in zip(pictures, registers, strict=True):
        boxes = re.findall(r'<rect(?: class="none")? x="(\d+)" y="14" width="(\d+)"', picture)
        at = 1
        for left, width in boxes:
            assert int(left) == at
            at += int(width)
        unit = (at - 1) // 32
        assert unit * 32 == at - 1
        for item in register.fields:
            left = 1 + (32 - item.lsb - item.width) * unit
            assert (str(left), str(item.width * unit)) in boxes
            assert f">{item.name}</text>" in picture


# Manifest


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rfc3986.*")  # raised between jschon and its own dependency
def test_manifest_matches_its_schema(config: Config) -> None:
    jschon.create_catalog("2020-12")
    schema = jschon.JSONSchema(json.loads((ROOT / "docs" / "manifest.schema.json").read_text(encoding="utf-8")))
    assert schema.validate().valid
    value = json.loads(manifest.emit(config, file_names(config)))
    result = schema.evaluate(jschon.JSON(value))
    assert result.valid, result.output("basic")
    value["pins"][0]["direction"] = "inout"
    assert not schema.evaluate(jschon.JSON(value)).valid
    del value["pins"]
    assert not schema.evaluate(jschon.JSON(value)).valid


def test_manifest_says_what_the_configuration_says(config: Config) -> None:
    made = json.loads(manifest.emit(config, file_names(config)))
    assert Config.from_dict(made["configuration"]) == config
    assert made["module"] == config.name
    assert made["configuration_sha256"] == digest(config)
    assert [(pin["name"], pin["direction"], pin["width"]) for pin in made["pins"]] == [
        (pin.name, pin.direction, pin.width) for pin in pins(config)
    ]
    assert [reset["pin"] for reset in made["resets"]] == ["rst", *(f"s{i}_rst" for i in range(len(config.ports)))]
    for index, port in enumerate(made["ports"]):
        where = address_map(config, index)
        guests = [window["base"] for window in port["address_map"] if window["page"] == "guest"]
        managers = [window["base"] for window in port["address_map"] if window["page"] == "manager"]
        srams = [window for window in port["address_map"] if window["page"] == "sram"]
        vms = range(config.vms) if where.guest_stride else [None]
        assert [(window["vm"], window["base"]) for window in srams] == [
            (vm, where.sram(vm or 0)) for vm in vms if config.blocks
        ]
        assert all(config.sram_bytes <= window["size"] for window in srams)
        assert guests == [where.guest(vm) for vm in (range(config.vms) if where.guest_stride else range(1))]
        assert managers == ([] if where.manager_base is None else [where.manager_base])
        assert all(name.startswith(port["prefix"]) or name == f"s{index}_rst" for name in port["pins"])
    assert made["sram"] == (
        {
            "size": config.sram_bytes,
            "blocks": config.blocks,
            "block_size": config.block_size,
            "banks": config.banks,
        }
        if config.blocks
        else None
    )
    names = {pin["name"] for pin in made["pins"]}
    assert {name for port in made["ports"] for name in port["pins"]} < names
    assert [line["bit"] for line in made["interrupts"] if line["pin"] == "irq"] == list(range(config.cores))


def test_digest_tells_configurations_apart(config: Config) -> None:
    assert digest(config) == digest(Config.from_dict(config.to_dict()))
    assert digest(config) != digest(config.replace(read_error=not config.read_error))


# All together


def test_instance_connects_every_pin_once(config: Config) -> None:
    text = instance.emit(config)
    assert re.findall(r"\.(\w+) +\((\w+)\)", text) == [(pin.name, pin.name) for pin in pins(config)]
    declared = re.findall(r"^wire (?:\[(\d+):0\] )?(\w+);", text, re.M)
    assert [(name, int(top or 0) + 1) for top, name in declared] == [(pin.name, pin.width) for pin in pins(config)]


def test_documents_are_the_same_bytes_in_another_process(config: Config) -> None:
    """Hash seeds, dates and folders leave no trace."""
    script = (
        "import json, sys\nfrom postern_spec.config import Config\nfrom postern_spec.emit import documents\n"
        "json.dump(documents(Config.from_dict(json.loads(sys.argv[1]))), sys.stdout)"
    )
    command = [sys.executable, "-c", script, json.dumps(config.to_dict())]
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo"}
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=True)
    made = documents(config)
    assert json.loads(done.stdout) == made
    assert set(made) == set(file_names(config).values()) - {f"{config.name}.v"}
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in made.values())


def test_pages_have_no_leftover(config: Config) -> None:
    """Each page that exists is described by each emitter, and no page that does not."""
    for text in (markdown.emit(config), html.emit(config), systemrdl.emit(config), c_header.emit(config)):
        has_manager = "WAIT_FIRED" in text
        assert has_manager == (config.manager is not Manager.NONE)
