/* postern_small: registers and their accessors. Freestanding C99.
 *
 * A guest page or the manager page is given by the address at which it is mapped: non-cacheable and
 * non-idempotent (device memory). POSTERN_SMALL_<REGISTER>_OFFSET(...) is relative to the page.
 * The accessors are volatile accesses and no more. They rely on a mapping in which accesses take effect in
 * program order, a read after the writes before it (on Arm Device-nGnRnE). Where a message announces data
 * that lies elsewhere, order them against that memory with the fences of your processor.
 */
#ifndef POSTERN_SMALL_H
#define POSTERN_SMALL_H

#include <stdint.h>

/* Sizes. */

#define POSTERN_SMALL_PORTS 2u
#define POSTERN_SMALL_CORES 2u
#define POSTERN_SMALL_VMS 2u
#define POSTERN_SMALL_LANES 1u
#define POSTERN_SMALL_WORDS 4u
#define POSTERN_SMALL_DEPTH 16u

/* Where the pages lie in the address space of each port. */

#define POSTERN_SMALL_PORT0_ADDRESS_BITS 12u
#define POSTERN_SMALL_PORT0_GUEST_BASE 0x0u
#define POSTERN_SMALL_PORT1_ADDRESS_BITS 12u
#define POSTERN_SMALL_PORT1_GUEST_BASE 0x0u

/* Values. */

/* Outcome of a commit. */
enum postern_small_result {
    POSTERN_SMALL_RESULT_ACCEPTED = 1,
    POSTERN_SMALL_RESULT_NO_CREDIT = 2,
    POSTERN_SMALL_RESULT_DENIED = 3,
    POSTERN_SMALL_RESULT_PEER_GONE = 4,
    POSTERN_SMALL_RESULT_TORN = 5,
    POSTERN_SMALL_RESULT_BAD_BLOCK = 6
};

/* Outcome of a pop. */
enum postern_small_popped {
    POSTERN_SMALL_POPPED_NONE = 0,
    POSTERN_SMALL_POPPED_POPPED = 1,
    POSTERN_SMALL_POPPED_STALE = 2
};

/* What a message carries. */
enum postern_small_kind {
    POSTERN_SMALL_KIND_PLAIN = 0,
    POSTERN_SMALL_KIND_BLOCK = 1
};

/* Interrupt sources: bit positions in STATE, TEST and ENABLE. The last two only with blocks. */
enum postern_small_interrupt {
    POSTERN_SMALL_INTERRUPT_MAIL = 0,
    POSTERN_SMALL_INTERRUPT_DOORBELL = 1,
    POSTERN_SMALL_INTERRUPT_CREDIT = 2,
    POSTERN_SMALL_INTERRUPT_PEER = 3,
    POSTERN_SMALL_INTERRUPT_REFUSAL = 4,
    POSTERN_SMALL_INTERRUPT_BLOCK = 5,
    POSTERN_SMALL_INTERRUPT_LOAN = 6
};

/* State of a VM. */
enum postern_small_state {
    POSTERN_SMALL_STATE_CLOSED = 0,
    POSTERN_SMALL_STATE_OPEN = 1,
    POSTERN_SMALL_STATE_PAUSED = 2,
    POSTERN_SMALL_STATE_DRAINING = 3
};

/* What the manager asks of a VM. */
enum postern_small_command {
    POSTERN_SMALL_COMMAND_OPEN = 1,
    POSTERN_SMALL_COMMAND_PAUSE = 2,
    POSTERN_SMALL_COMMAND_RESUME = 3,
    POSTERN_SMALL_COMMAND_DRAIN = 4,
    POSTERN_SMALL_COMMAND_CLOSE = 5,
    POSTERN_SMALL_COMMAND_KILL = 6
};

/* Why an access was refused. ``docs/states.md``, section 1, says which one counts where several apply. */
enum postern_small_fault {
    POSTERN_SMALL_FAULT_NONE = 0,
    POSTERN_SMALL_FAULT_NO_VM = 1,
    POSTERN_SMALL_FAULT_UNALIGNED = 2,
    POSTERN_SMALL_FAULT_NOT_MANAGER = 3,
    POSTERN_SMALL_FAULT_CLOSED = 4,
    POSTERN_SMALL_FAULT_UNMAPPED = 5,
    POSTERN_SMALL_FAULT_DIRECTION = 6,
    POSTERN_SMALL_FAULT_PARTIAL = 7,
    POSTERN_SMALL_FAULT_DENIED = 8,
    POSTERN_SMALL_FAULT_BAD_VALUE = 9,
    POSTERN_SMALL_FAULT_BLOCK = 10,
    POSTERN_SMALL_FAULT_CACHEABLE = 11
};

/* A field of a word, and a value in the place of a field: */
/* POSTERN_SMALL_GET(POSTERN_SMALL_HEADER_SENDER, header), POSTERN_SMALL_PUT(POSTERN_SMALL_SELF_VM, 3). */

#define POSTERN_SMALL_GET(field, word) (((uint32_t)(word) & field##_MASK) >> field##_LSB)
#define POSTERN_SMALL_PUT(field, value) (((uint32_t)(value) << field##_LSB) & field##_MASK)

/* The guest page. */

#define POSTERN_SMALL_GUEST_SIZE 0x1C0u

/* Identifies the block. */
#define POSTERN_SMALL_MAGIC_OFFSET 0x0u
#define POSTERN_SMALL_MAGIC_VALUE_LSB 0u
#define POSTERN_SMALL_MAGIC_VALUE_MASK 0xFFFFFFFFu
#define POSTERN_SMALL_MAGIC_EXPECTED 0x4E545350u

/* Version of this register map. */
#define POSTERN_SMALL_VERSION_OFFSET 0x8u
#define POSTERN_SMALL_VERSION_MINOR_LSB 0u
#define POSTERN_SMALL_VERSION_MINOR_MASK 0x0000FFFFu
#define POSTERN_SMALL_VERSION_MAJOR_LSB 16u
#define POSTERN_SMALL_VERSION_MAJOR_MASK 0xFFFF0000u
#define POSTERN_SMALL_VERSION_EXPECTED 0x00010000u

/* What was built in. */
#define POSTERN_SMALL_FEATURES_OFFSET 0x10u
#define POSTERN_SMALL_FEATURES_MODERATION_LSB 0u
#define POSTERN_SMALL_FEATURES_MODERATION_MASK 0x00000001u
#define POSTERN_SMALL_FEATURES_MANAGER_LSB 1u
#define POSTERN_SMALL_FEATURES_MANAGER_MASK 0x00000002u
#define POSTERN_SMALL_FEATURES_READ_ERROR_LSB 2u
#define POSTERN_SMALL_FEATURES_READ_ERROR_MASK 0x00000004u
#define POSTERN_SMALL_FEATURES_BLOCKS_LSB 3u
#define POSTERN_SMALL_FEATURES_BLOCKS_MASK 0x00000008u

/* Sizes, from which software computes addresses. */
#define POSTERN_SMALL_DIMENSIONS_OFFSET 0x18u
#define POSTERN_SMALL_DIMENSIONS_VMS_LSB 0u
#define POSTERN_SMALL_DIMENSIONS_VMS_MASK 0x0000007Fu
#define POSTERN_SMALL_DIMENSIONS_LANES_LSB 8u
#define POSTERN_SMALL_DIMENSIONS_LANES_MASK 0x00000F00u
#define POSTERN_SMALL_DIMENSIONS_WORDS_LSB 16u
#define POSTERN_SMALL_DIMENSIONS_WORDS_MASK 0x001F0000u
#define POSTERN_SMALL_DIMENSIONS_CORES_LSB 24u
#define POSTERN_SMALL_DIMENSIONS_CORES_MASK 0xFF000000u

/* Sizes that no address depends on. */
#define POSTERN_SMALL_CAPACITY_OFFSET 0x20u
#define POSTERN_SMALL_CAPACITY_DEPTH_LSB 0u
#define POSTERN_SMALL_CAPACITY_DEPTH_MASK 0x000001FFu
#define POSTERN_SMALL_CAPACITY_PORTS_LSB 16u
#define POSTERN_SMALL_CAPACITY_PORTS_MASK 0x001F0000u

/* Who the requester is. */
#define POSTERN_SMALL_SELF_OFFSET 0x28u
#define POSTERN_SMALL_SELF_VM_LSB 0u
#define POSTERN_SMALL_SELF_VM_MASK 0x0000003Fu
#define POSTERN_SMALL_SELF_GENERATION_LSB 8u
#define POSTERN_SMALL_SELF_GENERATION_MASK 0x0000FF00u
#define POSTERN_SMALL_SELF_STATE_LSB 16u
#define POSTERN_SMALL_SELF_STATE_MASK 0x00030000u
#define POSTERN_SMALL_SELF_PORT_LSB 24u
#define POSTERN_SMALL_SELF_PORT_MASK 0x0F000000u

/* Boot epoch that the manager supplied. */
#define POSTERN_SMALL_EPOCH_OFFSET 0x30u
#define POSTERN_SMALL_EPOCH_VALUE_LSB 0u
#define POSTERN_SMALL_EPOCH_VALUE_MASK 0xFFFFFFFFu

/* Interrupt sources. MAIL, DOORBELL and REFUSAL stay set while their cause lasts. */
#define POSTERN_SMALL_IRQ_STATE_OFFSET 0x80u
#define POSTERN_SMALL_IRQ_STATE_SOURCES_LSB 0u
#define POSTERN_SMALL_IRQ_STATE_SOURCES_MASK 0x0000001Fu

/* Sets interrupt sources. */
#define POSTERN_SMALL_IRQ_TEST_OFFSET 0x88u
#define POSTERN_SMALL_IRQ_TEST_SOURCES_LSB 0u
#define POSTERN_SMALL_IRQ_TEST_SOURCES_MASK 0x0000001Fu

/* Rings the doorbell of a VM. */
#define POSTERN_SMALL_RING_OFFSET 0xA0u
#define POSTERN_SMALL_RING_VM_LSB 0u
#define POSTERN_SMALL_RING_VM_MASK 0x0000003Fu

/* Doorbells that were rung, one bit per sender. */
#define POSTERN_SMALL_PENDING_OFFSET(half) (0xB0u + 8u * (half))
#define POSTERN_SMALL_PENDING_SENDERS_LSB 0u
#define POSTERN_SMALL_PENDING_SENDERS_MASK 0x00000003u

/* Sources that raise the line of a core while this VM is resident there. */
#define POSTERN_SMALL_IRQ_ENABLE_OFFSET(core) (0xC0u + 8u * (core))
#define POSTERN_SMALL_IRQ_ENABLE_SOURCES_LSB 0u
#define POSTERN_SMALL_IRQ_ENABLE_SOURCES_MASK 0x0000001Fu

/* What became of this lane's commits since the last acknowledge. Never zero. */
#define POSTERN_SMALL_RESULT_OFFSET(lane) (0xE0u + 32u * (lane))
#define POSTERN_SMALL_RESULT_CODE_LSB 0u
#define POSTERN_SMALL_RESULT_CODE_MASK 0x00000007u
#define POSTERN_SMALL_RESULT_VM_LSB 8u
#define POSTERN_SMALL_RESULT_VM_MASK 0x00003F00u
#define POSTERN_SMALL_RESULT_COUNT_LSB 16u
#define POSTERN_SMALL_RESULT_COUNT_MASK 0x00FF0000u

/* Acknowledges RESULT: the lane accepts again and COUNT restarts. */
#define POSTERN_SMALL_ACK_OFFSET(lane) (0xE8u + 32u * (lane))
#define POSTERN_SMALL_ACK_VALUE_LSB 0u
#define POSTERN_SMALL_ACK_VALUE_MASK 0xFFFFFFFFu

/* Header of the oldest message, zero if there is none. The read lets this lane pop it. The read acts. */
#define POSTERN_SMALL_HEADER_OFFSET(lane) (0xF0u + 32u * (lane))
#define POSTERN_SMALL_HEADER_COUNT_LSB 0u
#define POSTERN_SMALL_HEADER_COUNT_MASK 0x0000001Fu
#define POSTERN_SMALL_HEADER_KIND_LSB 7u
#define POSTERN_SMALL_HEADER_KIND_MASK 0x00000080u
#define POSTERN_SMALL_HEADER_SENDER_LSB 8u
#define POSTERN_SMALL_HEADER_SENDER_MASK 0x00003F00u
#define POSTERN_SMALL_HEADER_GENERATION_LSB 16u
#define POSTERN_SMALL_HEADER_GENERATION_MASK 0x00FF0000u

/* Outcome of this lane's last pop. */
#define POSTERN_SMALL_RX_RESULT_OFFSET(lane) (0xF8u + 32u * (lane))
#define POSTERN_SMALL_RX_RESULT_CODE_LSB 0u
#define POSTERN_SMALL_RX_RESULT_CODE_MASK 0x00000003u

/* A VM that this one may send to; zero for any other. A write acknowledges a generation. */
#define POSTERN_SMALL_PEER_OFFSET(vm) (0x100u + 16u * (vm))
#define POSTERN_SMALL_PEER_GENERATION_LSB 0u
#define POSTERN_SMALL_PEER_GENERATION_MASK 0x000000FFu
#define POSTERN_SMALL_PEER_REACHABLE_LSB 8u
#define POSTERN_SMALL_PEER_REACHABLE_MASK 0x00000100u
#define POSTERN_SMALL_PEER_ALIVE_LSB 9u
#define POSTERN_SMALL_PEER_ALIVE_MASK 0x00000200u
#define POSTERN_SMALL_PEER_ACKNOWLEDGED_LSB 10u
#define POSTERN_SMALL_PEER_ACKNOWLEDGED_MASK 0x00000400u

/* Messages that this VM could still send to a VM that it may reach. */
#define POSTERN_SMALL_CREDIT_OFFSET(vm) (0x108u + 16u * (vm))
#define POSTERN_SMALL_CREDIT_AVAILABLE_LSB 0u
#define POSTERN_SMALL_CREDIT_AVAILABLE_MASK 0x000001FFu
#define POSTERN_SMALL_CREDIT_LIMIT_LSB 16u
#define POSTERN_SMALL_CREDIT_LIMIT_MASK 0x01FF0000u

/* Payload of the message that a lane is putting together. Word 0 restarts it. */
#define POSTERN_SMALL_STAGE_OFFSET(lane, word) (0x120u + 32u * (lane) + 8u * (word))
#define POSTERN_SMALL_STAGE_VALUE_LSB 0u
#define POSTERN_SMALL_STAGE_VALUE_MASK 0xFFFFFFFFu

/* Payload of the oldest message; zero beyond its end. */
#define POSTERN_SMALL_WORD_OFFSET(word) (0x140u + 8u * (word))
#define POSTERN_SMALL_WORD_VALUE_LSB 0u
#define POSTERN_SMALL_WORD_VALUE_MASK 0xFFFFFFFFu

/* Last word of the oldest message. The read removes the message if this lane read its header. The read acts. */
#define POSTERN_SMALL_POP_OFFSET(lane) (0x160u + 8u * (lane))
#define POSTERN_SMALL_POP_WORD_LSB 0u
#define POSTERN_SMALL_POP_WORD_MASK 0xFFFFFFFFu

/* Last word of a message: the write sends it. */
#define POSTERN_SMALL_COMMIT_OFFSET(lane, kind, many, vm) (0x180u + 64u * (lane) + 32u * (kind) + 16u * (many) + 8u * (vm))
#define POSTERN_SMALL_COMMIT_WORD_LSB 0u
#define POSTERN_SMALL_COMMIT_WORD_MASK 0xFFFFFFFFu

/* Accesses. */

static inline uint32_t postern_small_read32(uintptr_t page, uint32_t offset)
{
    return *(const volatile uint32_t *)(page + offset);
}

static inline void postern_small_write32(uintptr_t page, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(page + offset) = value;
}

/* Registers of the guest page. */

static inline uint32_t postern_small_read_magic(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_MAGIC_OFFSET);
}

static inline uint32_t postern_small_read_version(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_VERSION_OFFSET);
}

static inline uint32_t postern_small_read_features(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_FEATURES_OFFSET);
}

static inline uint32_t postern_small_read_dimensions(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_DIMENSIONS_OFFSET);
}

static inline uint32_t postern_small_read_capacity(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_CAPACITY_OFFSET);
}

static inline uint32_t postern_small_read_self(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_SELF_OFFSET);
}

static inline uint32_t postern_small_read_epoch(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_EPOCH_OFFSET);
}

static inline uint32_t postern_small_read_irq_state(uintptr_t guest)
{
    return postern_small_read32(guest, POSTERN_SMALL_IRQ_STATE_OFFSET);
}

static inline void postern_small_write_irq_state(uintptr_t guest, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_IRQ_STATE_OFFSET, value);
}

static inline void postern_small_write_irq_test(uintptr_t guest, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_IRQ_TEST_OFFSET, value);
}

static inline void postern_small_write_ring(uintptr_t guest, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_RING_OFFSET, value);
}

static inline uint32_t postern_small_read_pending(uintptr_t guest, uint32_t half)
{
    return postern_small_read32(guest, POSTERN_SMALL_PENDING_OFFSET(half));
}

static inline void postern_small_write_pending(uintptr_t guest, uint32_t half, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_PENDING_OFFSET(half), value);
}

static inline uint32_t postern_small_read_irq_enable(uintptr_t guest, uint32_t core)
{
    return postern_small_read32(guest, POSTERN_SMALL_IRQ_ENABLE_OFFSET(core));
}

static inline void postern_small_write_irq_enable(uintptr_t guest, uint32_t core, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_IRQ_ENABLE_OFFSET(core), value);
}

static inline uint32_t postern_small_read_result(uintptr_t guest, uint32_t lane)
{
    return postern_small_read32(guest, POSTERN_SMALL_RESULT_OFFSET(lane));
}

static inline void postern_small_write_ack(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_ACK_OFFSET(lane), value);
}

static inline uint32_t postern_small_read_header(uintptr_t guest, uint32_t lane)
{
    return postern_small_read32(guest, POSTERN_SMALL_HEADER_OFFSET(lane));
}

static inline uint32_t postern_small_read_rx_result(uintptr_t guest, uint32_t lane)
{
    return postern_small_read32(guest, POSTERN_SMALL_RX_RESULT_OFFSET(lane));
}

static inline uint32_t postern_small_read_peer(uintptr_t guest, uint32_t vm)
{
    return postern_small_read32(guest, POSTERN_SMALL_PEER_OFFSET(vm));
}

static inline void postern_small_write_peer(uintptr_t guest, uint32_t vm, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_PEER_OFFSET(vm), value);
}

static inline uint32_t postern_small_read_credit(uintptr_t guest, uint32_t vm)
{
    return postern_small_read32(guest, POSTERN_SMALL_CREDIT_OFFSET(vm));
}

static inline void postern_small_write_stage(uintptr_t guest, uint32_t lane, uint32_t word, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_STAGE_OFFSET(lane, word), value);
}

static inline uint32_t postern_small_read_word(uintptr_t guest, uint32_t word)
{
    return postern_small_read32(guest, POSTERN_SMALL_WORD_OFFSET(word));
}

static inline uint32_t postern_small_read_pop(uintptr_t guest, uint32_t lane)
{
    return postern_small_read32(guest, POSTERN_SMALL_POP_OFFSET(lane));
}

static inline void postern_small_write_commit(uintptr_t guest, uint32_t lane, uint32_t kind, uint32_t many, uint32_t vm, uint32_t value)
{
    postern_small_write32(guest, POSTERN_SMALL_COMMIT_OFFSET(lane, kind, many, vm), value);
}

/* What a guest does. */

/* Send a message of count words, 1 to POSTERN_SMALL_WORDS. What became of it, and of those before it, is in
 * postern_small_read_result(): the first refusal since the last acknowledge, and how many commits were accepted. */
static inline void postern_small_send(uintptr_t guest, uint32_t lane, uint32_t destination, const uint32_t *words,
                              uint32_t count)
{
    uint32_t i;
    for (i = 0; i + 1u < count; i++)
        postern_small_write_stage(guest, lane, i, words[i]);
    postern_small_write_commit(guest, lane, POSTERN_SMALL_KIND_PLAIN, count > 1u, destination, words[i]);
}

/* Take the oldest message into words, which has room for POSTERN_SMALL_WORDS. Returns its header, or zero when there is
 * none or another context of this VM took it first. */
static inline uint32_t postern_small_receive(uintptr_t guest, uint32_t lane, uint32_t *words)
{
    uint32_t header = postern_small_read_header(guest, lane);
    uint32_t count = POSTERN_SMALL_GET(POSTERN_SMALL_HEADER_COUNT, header);
    uint32_t i, last;
    if (count == 0u)
        return 0u;
    for (i = 0; i + 1u < count; i++)
        words[i] = postern_small_read_word(guest, i);
    last = postern_small_read_pop(guest, lane);
    if (last == 0u && postern_small_read_rx_result(guest, lane) != (uint32_t)POSTERN_SMALL_POPPED_POPPED)
        return 0u;
    words[i] = last;
    return header;
}

/* Acknowledge the present generation of a VM, so that messages to it are accepted. Returns that generation, or zero
 * where the VM may not be reached. */
static inline uint32_t postern_small_connect(uintptr_t guest, uint32_t vm)
{
    uint32_t generation = POSTERN_SMALL_GET(POSTERN_SMALL_PEER_GENERATION, postern_small_read_peer(guest, vm));
    if (generation != 0u)
        postern_small_write_peer(guest, vm, generation);
    return generation;
}

#endif /* POSTERN_SMALL_H */
