"""C header: offsets, fields, values and accessors. Freestanding C99, also valid C++."""

from enum import IntEnum

from ..config import Config, Identity, Manager
from ..model import Page, Register
from ..regmap import Command, Fault, Handover, Holding, Interrupt, Kind, Popped, Result, Settled, State, address_map
from .common import acting, pages

__all__ = ["emit"]

_ENUMS: tuple[type[IntEnum], ...] = (Result, Popped, Kind, Interrupt, State, Command, Fault)
_BLOCK_ENUMS: tuple[type[IntEnum], ...] = (Handover, Settled, Holding)


def emit(c: Config) -> str:
    """Return the C header of a configuration."""
    low, up = c.name.lower(), c.name.upper()
    out = [
        f"/* {c.name}: registers and their accessors. Freestanding C99.",
        " *",
        " * A guest page or the manager page is given by the address at which it is mapped: non-cacheable and",
        f" * non-idempotent (device memory). {up}_<REGISTER>_OFFSET(...) is relative to the page.",
        " * The accessors are volatile accesses and no more. They rely on a mapping in which accesses take effect in",
        " * program order, a read after the writes before it (on Arm Device-nGnRnE). Where a message announces data",
        " * that lies elsewhere, order them against that memory with the fences of your processor.",
        " */",
        f"#ifndef {up}_H",
        f"#define {up}_H",
        "",
        "#include <stdint.h>",
        "",
        "/* Sizes. */",
        "",
    ]
    sizes = {
        "PORTS": len(c.ports), "CORES": c.cores, "VMS": c.vms, "LANES": c.lanes, "WORDS": c.words, "DEPTH": c.depth,
    }  # fmt: skip
    if c.blocks:
        sizes |= {"BLOCKS": c.blocks, "BLOCK_SIZE": c.block_size, "BANKS": c.banks}
    out += [f"#define {up}_{name} {value}u" for name, value in sizes.items()]
    out += ["", "/* Where the pages lie in the address space of each port. */", ""]
    for index, port in enumerate(c.ports):
        where = address_map(c, index)
        name = f"{up}_PORT{index}"
        out.append(f"#define {name}_ADDRESS_BITS {where.bits}u")
        if port.identity is Identity.PAGE:
            out.append(f"#define {name}_GUEST_BASE(vm) (0x{where.guest_base:X}u + 0x{where.guest_stride:X}u * (vm))")
        else:
            out.append(f"#define {name}_GUEST_BASE 0x{where.guest_base:X}u")
        if where.sram_base is not None and port.identity is Identity.PAGE:
            out.append(f"#define {name}_SRAM_BASE(vm) (0x{where.sram_base:X}u + 0x{where.sram_stride:X}u * (vm))")
        elif where.sram_base is not None:
            out.append(f"#define {name}_SRAM_BASE 0x{where.sram_base:X}u")
        if where.manager_base is not None:
            out.append(f"#define {name}_MANAGER_BASE 0x{where.manager_base:X}u")
    out += ["", "/* Values. */"]
    for values in _ENUMS + (_BLOCK_ENUMS if c.blocks else ()):
        out += ["", f"/* {_first_line(values)} */", f"enum {low}_{values.__name__.lower()} {{"]
        names = [f"    {up}_{values.__name__.upper()}_{item.name} = {item.value}" for item in values]
        out += [",\n".join(names), "};"]
    out += [
        "",
        "/* A field of a word, and a value in the place of a field: */",
        f"/* {up}_GET({up}_HEADER_SENDER, header), {up}_PUT({up}_SELF_VM, 3). */",
        "",
        f"#define {up}_GET(field, word) (((uint32_t)(word) & field##_MASK) >> field##_LSB)",
        f"#define {up}_PUT(field, value) (((uint32_t)(value) << field##_LSB) & field##_MASK)",
    ]
    for page in pages(c):
        out += _definitions(c, page)
    out += [
        "",
        "/* Accesses. */",
        "",
        f"static inline uint32_t {low}_read32(uintptr_t page, uint32_t offset)",
        "{",
        "    return *(const volatile uint32_t *)(page + offset);",
        "}",
        "",
        f"static inline void {low}_write32(uintptr_t page, uint32_t offset, uint32_t value)",
        "{",
        "    *(volatile uint32_t *)(page + offset) = value;",
        "}",
    ]
    for page in pages(c):
        out += _accessors(c, page)
    out += _guest(low, up)
    if c.blocks:
        out += _blocks(low, up)
    if c.manager is not Manager.NONE:
        out += _manager(low, up)
    if c.manager is not Manager.NONE and c.blocks:
        out += _manager_blocks(low, up)
    return "\n".join([*out, "", f"#endif /* {up}_H */", ""])


def _first_line(values: type[IntEnum]) -> str:
    return (values.__doc__ or "").splitlines()[0]


def _stem(page: Page, register: Register) -> str:
    """Name of a register without the prefix: both pages have an EPOCH."""
    return register.name if page.name == "guest" else f"{page.name.upper()}_{register.name}"


def _definitions(c: Config, page: Page) -> list[str]:
    up = c.name.upper()
    out = ["", f"/* The {page.name} page. */", "", f"#define {up}_{page.name.upper()}_SIZE 0x{page.size:X}u"]
    acts = acting(page)
    for register in page.registers:
        name = f"{up}_{_stem(page, register)}"
        note = " The read acts." if register in acts else ""
        out += ["", f"/* {register.doc.replace('*/', '')}{note} */"]
        if register.dims:
            arguments = ", ".join(dim.name for dim in register.dims)
            sum_ = " + ".join([f"0x{register.offset:X}u", *(f"{dim.stride}u * ({dim.name})" for dim in register.dims)])
            out.append(f"#define {name}_OFFSET({arguments}) ({sum_})")
        else:
            out.append(f"#define {name}_OFFSET 0x{register.offset:X}u")
        for item in register.fields:
            out.append(f"#define {name}_{item.name}_LSB {item.lsb}u")
            out.append(f"#define {name}_{item.name}_MASK 0x{item.mask:08X}u")
        if page.name == "guest" and register.name in ("MAGIC", "VERSION"):
            out.append(f"#define {name}_EXPECTED 0x{register.pack(**_resets(register)):08X}u")
    return out


def _resets(register: Register) -> dict[str, int]:
    return {item.name: item.reset for item in register.fields if item.reset is not None}


def _accessors(c: Config, page: Page) -> list[str]:
    low, up = c.name.lower(), c.name.upper()
    prefix = "" if page.name == "guest" else f"{page.name}_"
    out = ["", f"/* Registers of the {page.name} page. */"]
    for register in page.registers:
        name = f"{up}_{_stem(page, register)}_OFFSET"
        if register.dims:
            name += f"({', '.join(dim.name for dim in register.dims)})"
        arguments = ", ".join([f"uintptr_t {page.name}", *(f"uint32_t {dim.name}" for dim in register.dims)])
        plain = register.name.lower()
        if register.readable:
            out += [
                "",
                f"static inline uint32_t {low}_{prefix}read_{plain}({arguments})",
                "{",
                f"    return {low}_read32({page.name}, {name});",
                "}",
            ]
        if register.writable:
            out += [
                "",
                f"static inline void {low}_{prefix}write_{plain}({arguments}, uint32_t value)",
                "{",
                f"    {low}_write32({page.name}, {name}, value);",
                "}",
            ]
    return out


def _guest(low: str, up: str) -> list[str]:
    return f"""
/* What a guest does. */

/* Send a message of count words, 1 to {up}_WORDS. What became of it, and of those before it, is in
 * {low}_read_result(): the first refusal since the last acknowledge, and how many commits were accepted. */
static inline void {low}_send(uintptr_t guest, uint32_t lane, uint32_t destination, const uint32_t *words,
                              uint32_t count)
{{
    uint32_t i;
    for (i = 0; i + 1u < count; i++)
        {low}_write_stage(guest, lane, i, words[i]);
    {low}_write_commit(guest, lane, {up}_KIND_PLAIN, count > 1u, destination, words[i]);
}}

/* Take the oldest message into words, which has room for {up}_WORDS. Returns its header, or zero when there is
 * none or another context of this VM took it first. */
static inline uint32_t {low}_receive(uintptr_t guest, uint32_t lane, uint32_t *words)
{{
    uint32_t header = {low}_read_header(guest, lane);
    uint32_t count = {up}_GET({up}_HEADER_COUNT, header);
    uint32_t i, last;
    if (count == 0u)
        return 0u;
    for (i = 0; i + 1u < count; i++)
        words[i] = {low}_read_word(guest, i);
    last = {low}_read_pop(guest, lane);
    if (last == 0u && {low}_read_rx_result(guest, lane) != (uint32_t){up}_POPPED_POPPED)
        return 0u;
    words[i] = last;
    return header;
}}

/* Acknowledge the present generation of a VM, so that messages to it are accepted. Returns that generation, or zero
 * where the VM may not be reached. */
static inline uint32_t {low}_connect(uintptr_t guest, uint32_t vm)
{{
    uint32_t generation = {up}_GET({up}_PEER_GENERATION, {low}_read_peer(guest, vm));
    if (generation != 0u)
        {low}_write_peer(guest, vm, generation);
    return generation;
}}""".splitlines()


def _blocks(low: str, up: str) -> list[str]:
    return f"""
/* What a guest does with blocks of the shared SRAM. A window of the SRAM is given by the address at which it is mapped,
 * as device memory like the pages: then what was written to a block is there for whoever gets it by a message. */

/* Where the words of a block are. What this VM has no right to reads as zero, and is not written. */
static inline volatile uint32_t *{low}_block(uintptr_t sram, uint32_t block)
{{
    return (volatile uint32_t *)(sram + (uintptr_t){up}_BLOCK_SIZE * block);
}}

/* Allocate a block; it reads as zero. Returns 1, or 0 when there is no quota left or no clean block yet: then
 * {up}_INTERRUPT_BLOCK says when it is worth another try. */
static inline uint32_t {low}_alloc(uintptr_t guest, uint32_t *block)
{{
    uint32_t word = {low}_read_alloc(guest);
    *block = {up}_GET({up}_ALLOC_BLOCK, word);
    return {up}_GET({up}_ALLOC_VALID, word);
}}

/* Give up a block. Returns 1, or 0 where it is not this VM's, or lent or shown. */
static inline uint32_t {low}_free(uintptr_t guest, uint32_t lane, uint32_t block)
{{
    {low}_write_free(guest, lane, block);
    return {low}_read_block_result(guest, lane) == (uint32_t){up}_SETTLED_DONE;
}}

/* Send a message that hands a block over, of count words beside the block, 0 to {up}_WORDS - 1. What became of it is
 * in {low}_read_result(). The receiver has the block as the last word, in the fields of {up}_RETURN, where
 * {up}_HEADER_KIND of the header is {up}_KIND_BLOCK. */
static inline void {low}_send_block(uintptr_t guest, uint32_t lane, uint32_t destination, const uint32_t *words,
                                    uint32_t count, uint32_t block, enum {low}_handover how)
{{
    uint32_t i;
    for (i = 0; i < count; i++)
        {low}_write_stage(guest, lane, i, words[i]);
    {low}_write_commit(guest, lane, {up}_KIND_BLOCK, count > 0u, destination,
        {up}_PUT({up}_RETURN_KIND, how) | {up}_PUT({up}_RETURN_BLOCK, block));
}}

/* Give a borrowed block back, by the word that brought it. Returns 1 where the loan stood until now: only then was
 * what was read from it the owner's. Returns 0 where it was over already. */
static inline uint32_t {low}_give_back(uintptr_t guest, uint32_t lane, uint32_t word)
{{
    {low}_write_return(guest, lane, word);
    return {low}_read_block_result(guest, lane) == (uint32_t){up}_SETTLED_DONE;
}}

/* End the loan of a block of this VM. Returns 1, or 0 where it is not this VM's, or neither lent nor shown. */
static inline uint32_t {low}_revoke(uintptr_t guest, uint32_t lane, uint32_t block)
{{
    {low}_write_revoke(guest, lane, block);
    return {low}_read_block_result(guest, lane) == (uint32_t){up}_SETTLED_DONE;
}}

/* Wait until every write through this port has taken effect. A message through the same port needs it not; it is for
 * telling another core, which uses another port, by another way than a message. */
static inline void {low}_publish(uintptr_t guest)
{{
    (void){low}_read_self(guest);
}}""".splitlines()


def _manager_blocks(low: str, up: str) -> list[str]:
    return f"""
/* Let a VM have so many blocks allocated. Returns 1 if they were granted, 0 if they are fewer than it has allocated
 * now, or more than there are beside what others were granted. */
static inline uint32_t {low}_manager_quota(uintptr_t manager, uint32_t vm, uint32_t count)
{{
    {low}_manager_write_quota(manager, vm, {up}_PUT({up}_MANAGER_QUOTA_LIMIT, count));
    return {up}_GET({up}_MANAGER_QUOTA_LIMIT, {low}_manager_read_quota(manager, vm)) == count;
}}""".splitlines()


def _manager(low: str, up: str) -> list[str]:
    return f"""
/* What a manager does. */

/* Give a command to a VM. Returns 1 if it was executed, 0 if it was refused. */
static inline uint32_t {low}_manager_command(uintptr_t manager, uint32_t vm, enum {low}_command command)
{{
    {low}_manager_write_control(manager, vm, {up}_PUT({up}_MANAGER_CONTROL_COMMAND, command));
    return !{up}_GET({up}_MANAGER_CONTROL_REFUSED, {low}_manager_read_control(manager, vm));
}}

/* Let sender send to receiver, with so many credits. Returns 1 if the credits were granted, 0 if they are fewer than
 * the messages that wait, or more than the receiver's queue has left. */
static inline uint32_t {low}_manager_permit(uintptr_t manager, uint32_t sender, uint32_t receiver, uint32_t credits)
{{
    uint32_t half = sender / 32u;
    uint32_t granted;
    {low}_manager_write_credits(manager, receiver, sender, {up}_PUT({up}_MANAGER_CREDITS_LIMIT, credits));
    granted = {low}_manager_read_credits(manager, receiver, sender);
    {low}_manager_write_permit(manager, receiver, half,
        {low}_manager_read_permit(manager, receiver, half) | (uint32_t)1 << (sender % 32u));
    return {up}_GET({up}_MANAGER_CREDITS_LIMIT, granted) == credits;
}}""".splitlines()
