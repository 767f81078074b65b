/* postern_large: registers and their accessors. Freestanding C99.
 *
 * A guest page or the manager page is given by the address at which it is mapped: non-cacheable and
 * non-idempotent (device memory). POSTERN_LARGE_<REGISTER>_OFFSET(...) is relative to the page.
 * The accessors are volatile accesses and no more. They rely on a mapping in which accesses take effect in
 * program order, a read after the writes before it (on Arm Device-nGnRnE). Where a message announces data
 * that lies elsewhere, order them against that memory with the fences of your processor.
 */
#ifndef POSTERN_LARGE_H
#define POSTERN_LARGE_H

#include <stdint.h>

/* Sizes. */

#define POSTERN_LARGE_PORTS 8u
#define POSTERN_LARGE_CORES 8u
#define POSTERN_LARGE_VMS 32u
#define POSTERN_LARGE_LANES 2u
#define POSTERN_LARGE_WORDS 16u
#define POSTERN_LARGE_DEPTH 32u
#define POSTERN_LARGE_BLOCKS 256u
#define POSTERN_LARGE_BLOCK_SIZE 1024u
#define POSTERN_LARGE_BANKS 8u

/* Where the pages lie in the address space of each port. */

#define POSTERN_LARGE_PORT0_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT0_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT0_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT0_MANAGER_BASE 0x1000000u
#define POSTERN_LARGE_PORT1_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT1_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT1_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT1_MANAGER_BASE 0x1000000u
#define POSTERN_LARGE_PORT2_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT2_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT2_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT2_MANAGER_BASE 0x1000000u
#define POSTERN_LARGE_PORT3_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT3_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT3_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT3_MANAGER_BASE 0x1000000u
#define POSTERN_LARGE_PORT4_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT4_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT4_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT4_MANAGER_BASE 0x1000000u
#define POSTERN_LARGE_PORT5_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT5_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT5_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT5_MANAGER_BASE 0x1000000u
#define POSTERN_LARGE_PORT6_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT6_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT6_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT6_MANAGER_BASE 0x1000000u
#define POSTERN_LARGE_PORT7_ADDRESS_BITS 25u
#define POSTERN_LARGE_PORT7_GUEST_BASE(vm) (0x0u + 0x10000u * (vm))
#define POSTERN_LARGE_PORT7_SRAM_BASE(vm) (0x800000u + 0x40000u * (vm))
#define POSTERN_LARGE_PORT7_MANAGER_BASE 0x1000000u

/* Values. */

/* Outcome of a commit. */
enum postern_large_result {
    POSTERN_LARGE_RESULT_ACCEPTED = 1,
    POSTERN_LARGE_RESULT_NO_CREDIT = 2,
    POSTERN_LARGE_RESULT_DENIED = 3,
    POSTERN_LARGE_RESULT_PEER_GONE = 4,
    POSTERN_LARGE_RESULT_TORN = 5,
    POSTERN_LARGE_RESULT_BAD_BLOCK = 6
};

/* Outcome of a pop. */
enum postern_large_popped {
    POSTERN_LARGE_POPPED_NONE = 0,
    POSTERN_LARGE_POPPED_POPPED = 1,
    POSTERN_LARGE_POPPED_STALE = 2
};

/* What a message carries. */
enum postern_large_kind {
    POSTERN_LARGE_KIND_PLAIN = 0,
    POSTERN_LARGE_KIND_BLOCK = 1
};

/* Interrupt sources: bit positions in STATE, TEST and ENABLE. The last two only with blocks. */
enum postern_large_interrupt {
    POSTERN_LARGE_INTERRUPT_MAIL = 0,
    POSTERN_LARGE_INTERRUPT_DOORBELL = 1,
    POSTERN_LARGE_INTERRUPT_CREDIT = 2,
    POSTERN_LARGE_INTERRUPT_PEER = 3,
    POSTERN_LARGE_INTERRUPT_REFUSAL = 4,
    POSTERN_LARGE_INTERRUPT_BLOCK = 5,
    POSTERN_LARGE_INTERRUPT_LOAN = 6
};

/* State of a VM. */
enum postern_large_state {
    POSTERN_LARGE_STATE_CLOSED = 0,
    POSTERN_LARGE_STATE_OPEN = 1,
    POSTERN_LARGE_STATE_PAUSED = 2,
    POSTERN_LARGE_STATE_DRAINING = 3
};

/* What the manager asks of a VM. */
enum postern_large_command {
    POSTERN_LARGE_COMMAND_OPEN = 1,
    POSTERN_LARGE_COMMAND_PAUSE = 2,
    POSTERN_LARGE_COMMAND_RESUME = 3,
    POSTERN_LARGE_COMMAND_DRAIN = 4,
    POSTERN_LARGE_COMMAND_CLOSE = 5,
    POSTERN_LARGE_COMMAND_KILL = 6
};

/* Why an access was refused. ``docs/states.md``, section 1, says which one counts where several apply. */
enum postern_large_fault {
    POSTERN_LARGE_FAULT_NONE = 0,
    POSTERN_LARGE_FAULT_NO_VM = 1,
    POSTERN_LARGE_FAULT_UNALIGNED = 2,
    POSTERN_LARGE_FAULT_NOT_MANAGER = 3,
    POSTERN_LARGE_FAULT_CLOSED = 4,
    POSTERN_LARGE_FAULT_UNMAPPED = 5,
    POSTERN_LARGE_FAULT_DIRECTION = 6,
    POSTERN_LARGE_FAULT_PARTIAL = 7,
    POSTERN_LARGE_FAULT_DENIED = 8,
    POSTERN_LARGE_FAULT_BAD_VALUE = 9,
    POSTERN_LARGE_FAULT_BLOCK = 10,
    POSTERN_LARGE_FAULT_CACHEABLE = 11
};

/* How a message hands its block over. */
enum postern_large_handover {
    POSTERN_LARGE_HANDOVER_MOVE = 1,
    POSTERN_LARGE_HANDOVER_LEND = 2,
    POSTERN_LARGE_HANDOVER_SHOW = 3
};

/* Outcome of FREE, RETURN and REVOKE. */
enum postern_large_settled {
    POSTERN_LARGE_SETTLED_NONE = 0,
    POSTERN_LARGE_SETTLED_DONE = 1,
    POSTERN_LARGE_SETTLED_STALE = 2,
    POSTERN_LARGE_SETTLED_REFUSED = 3
};

/* What a VM has of a block. */
enum postern_large_holding {
    POSTERN_LARGE_HOLDING_NONE = 0,
    POSTERN_LARGE_HOLDING_OWNED = 1,
    POSTERN_LARGE_HOLDING_LENT = 2,
    POSTERN_LARGE_HOLDING_SHOWN = 3,
    POSTERN_LARGE_HOLDING_BORROWED = 4,
    POSTERN_LARGE_HOLDING_WATCHED = 5
};

/* A field of a word, and a value in the place of a field: */
/* POSTERN_LARGE_GET(POSTERN_LARGE_HEADER_SENDER, header), POSTERN_LARGE_PUT(POSTERN_LARGE_SELF_VM, 3). */

#define POSTERN_LARGE_GET(field, word) (((uint32_t)(word) & field##_MASK) >> field##_LSB)
#define POSTERN_LARGE_PUT(field, value) (((uint32_t)(value) << field##_LSB) & field##_MASK)

/* The guest page. */

#define POSTERN_LARGE_GUEST_SIZE 0x2000u

/* Identifies the block. */
#define POSTERN_LARGE_MAGIC_OFFSET 0x0u
#define POSTERN_LARGE_MAGIC_VALUE_LSB 0u
#define POSTERN_LARGE_MAGIC_VALUE_MASK 0xFFFFFFFFu
#define POSTERN_LARGE_MAGIC_EXPECTED 0x4E545350u

/* Version of this register map. */
#define POSTERN_LARGE_VERSION_OFFSET 0x8u
#define POSTERN_LARGE_VERSION_MINOR_LSB 0u
#define POSTERN_LARGE_VERSION_MINOR_MASK 0x0000FFFFu
#define POSTERN_LARGE_VERSION_MAJOR_LSB 16u
#define POSTERN_LARGE_VERSION_MAJOR_MASK 0xFFFF0000u
#define POSTERN_LARGE_VERSION_EXPECTED 0x00010000u

/* What was built in. */
#define POSTERN_LARGE_FEATURES_OFFSET 0x10u
#define POSTERN_LARGE_FEATURES_MODERATION_LSB 0u
#define POSTERN_LARGE_FEATURES_MODERATION_MASK 0x00000001u
#define POSTERN_LARGE_FEATURES_MANAGER_LSB 1u
#define POSTERN_LARGE_FEATURES_MANAGER_MASK 0x00000002u
#define POSTERN_LARGE_FEATURES_READ_ERROR_LSB 2u
#define POSTERN_LARGE_FEATURES_READ_ERROR_MASK 0x00000004u
#define POSTERN_LARGE_FEATURES_BLOCKS_LSB 3u
#define POSTERN_LARGE_FEATURES_BLOCKS_MASK 0x00000008u

/* Sizes, from which software computes addresses. */
#define POSTERN_LARGE_DIMENSIONS_OFFSET 0x18u
#define POSTERN_LARGE_DIMENSIONS_VMS_LSB 0u
#define POSTERN_LARGE_DIMENSIONS_VMS_MASK 0x0000007Fu
#define POSTERN_LARGE_DIMENSIONS_LANES_LSB 8u
#define POSTERN_LARGE_DIMENSIONS_LANES_MASK 0x00000F00u
#define POSTERN_LARGE_DIMENSIONS_WORDS_LSB 16u
#define POSTERN_LARGE_DIMENSIONS_WORDS_MASK 0x001F0000u
#define POSTERN_LARGE_DIMENSIONS_CORES_LSB 24u
#define POSTERN_LARGE_DIMENSIONS_CORES_MASK 0xFF000000u

/* Sizes that no address depends on. */
#define POSTERN_LARGE_CAPACITY_OFFSET 0x20u
#define POSTERN_LARGE_CAPACITY_DEPTH_LSB 0u
#define POSTERN_LARGE_CAPACITY_DEPTH_MASK 0x000001FFu
#define POSTERN_LARGE_CAPACITY_PORTS_LSB 16u
#define POSTERN_LARGE_CAPACITY_PORTS_MASK 0x001F0000u

/* Who the requester is. */
#define POSTERN_LARGE_SELF_OFFSET 0x28u
#define POSTERN_LARGE_SELF_VM_LSB 0u
#define POSTERN_LARGE_SELF_VM_MASK 0x0000003Fu
#define POSTERN_LARGE_SELF_GENERATION_LSB 8u
#define POSTERN_LARGE_SELF_GENERATION_MASK 0x0000FF00u
#define POSTERN_LARGE_SELF_STATE_LSB 16u
#define POSTERN_LARGE_SELF_STATE_MASK 0x00030000u
#define POSTERN_LARGE_SELF_PORT_LSB 24u
#define POSTERN_LARGE_SELF_PORT_MASK 0x0F000000u

/* Boot epoch that the manager supplied. */
#define POSTERN_LARGE_EPOCH_OFFSET 0x30u
#define POSTERN_LARGE_EPOCH_VALUE_LSB 0u
#define POSTERN_LARGE_EPOCH_VALUE_MASK 0xFFFFFFFFu

/* The shared SRAM. */
#define POSTERN_LARGE_MEMORY_OFFSET 0x38u
#define POSTERN_LARGE_MEMORY_BLOCKS_LSB 0u
#define POSTERN_LARGE_MEMORY_BLOCKS_MASK 0x000007FFu
#define POSTERN_LARGE_MEMORY_SIZE_LOG_LSB 16u
#define POSTERN_LARGE_MEMORY_SIZE_LOG_MASK 0x000F0000u
#define POSTERN_LARGE_MEMORY_BANKS_LSB 24u
#define POSTERN_LARGE_MEMORY_BANKS_MASK 0x0F000000u

/* Blocks that this VM has allocated and that were not freed yet, wherever they are now. */
#define POSTERN_LARGE_QUOTA_OFFSET 0x40u
#define POSTERN_LARGE_QUOTA_USED_LSB 0u
#define POSTERN_LARGE_QUOTA_USED_MASK 0x000007FFu
#define POSTERN_LARGE_QUOTA_LIMIT_LSB 16u
#define POSTERN_LARGE_QUOTA_LIMIT_MASK 0x07FF0000u

/* Allocates a block. The read makes this VM the owner of a block of zeros. The read acts. */
#define POSTERN_LARGE_ALLOC_OFFSET 0x48u
#define POSTERN_LARGE_ALLOC_BLOCK_LSB 0u
#define POSTERN_LARGE_ALLOC_BLOCK_MASK 0x000003FFu
#define POSTERN_LARGE_ALLOC_VALID_LSB 31u
#define POSTERN_LARGE_ALLOC_VALID_MASK 0x80000000u

/* Interrupt sources. MAIL, DOORBELL and REFUSAL stay set while their cause lasts. */
#define POSTERN_LARGE_IRQ_STATE_OFFSET 0x80u
#define POSTERN_LARGE_IRQ_STATE_SOURCES_LSB 0u
#define POSTERN_LARGE_IRQ_STATE_SOURCES_MASK 0x0000007Fu

/* Sets interrupt sources. */
#define POSTERN_LARGE_IRQ_TEST_OFFSET 0x88u
#define POSTERN_LARGE_IRQ_TEST_SOURCES_LSB 0u
#define POSTERN_LARGE_IRQ_TEST_SOURCES_MASK 0x0000007Fu

/* Rings the doorbell of a VM. */
#define POSTERN_LARGE_RING_OFFSET 0xA0u
#define POSTERN_LARGE_RING_VM_LSB 0u
#define POSTERN_LARGE_RING_VM_MASK 0x0000003Fu

/* Doorbells that were rung, one bit per sender. */
#define POSTERN_LARGE_PENDING_OFFSET(half) (0xB0u + 8u * (half))
#define POSTERN_LARGE_PENDING_SENDERS_LSB 0u
#define POSTERN_LARGE_PENDING_SENDERS_MASK 0xFFFFFFFFu

/* Sources that raise the line of a core while this VM is resident there. */
#define POSTERN_LARGE_IRQ_ENABLE_OFFSET(core) (0xC0u + 8u * (core))
#define POSTERN_LARGE_IRQ_ENABLE_SOURCES_LSB 0u
#define POSTERN_LARGE_IRQ_ENABLE_SOURCES_MASK 0x0000007Fu

/* What became of this lane's commits since the last acknowledge. Never zero. */
#define POSTERN_LARGE_RESULT_OFFSET(lane) (0x100u + 64u * (lane))
#define POSTERN_LARGE_RESULT_CODE_LSB 0u
#define POSTERN_LARGE_RESULT_CODE_MASK 0x00000007u
#define POSTERN_LARGE_RESULT_VM_LSB 8u
#define POSTERN_LARGE_RESULT_VM_MASK 0x00003F00u
#define POSTERN_LARGE_RESULT_COUNT_LSB 16u
#define POSTERN_LARGE_RESULT_COUNT_MASK 0x00FF0000u

/* Acknowledges RESULT: the lane accepts again and COUNT restarts. */
#define POSTERN_LARGE_ACK_OFFSET(lane) (0x108u + 64u * (lane))
#define POSTERN_LARGE_ACK_VALUE_LSB 0u
#define POSTERN_LARGE_ACK_VALUE_MASK 0xFFFFFFFFu

/* Header of the oldest message, zero if there is none. The read lets this lane pop it. The read acts. */
#define POSTERN_LARGE_HEADER_OFFSET(lane) (0x110u + 64u * (lane))
#define POSTERN_LARGE_HEADER_COUNT_LSB 0u
#define POSTERN_LARGE_HEADER_COUNT_MASK 0x0000001Fu
#define POSTERN_LARGE_HEADER_KIND_LSB 7u
#define POSTERN_LARGE_HEADER_KIND_MASK 0x00000080u
#define POSTERN_LARGE_HEADER_SENDER_LSB 8u
#define POSTERN_LARGE_HEADER_SENDER_MASK 0x00003F00u
#define POSTERN_LARGE_HEADER_GENERATION_LSB 16u
#define POSTERN_LARGE_HEADER_GENERATION_MASK 0x00FF0000u

/* Outcome of this lane's last pop. */
#define POSTERN_LARGE_RX_RESULT_OFFSET(lane) (0x118u + 64u * (lane))
#define POSTERN_LARGE_RX_RESULT_CODE_LSB 0u
#define POSTERN_LARGE_RX_RESULT_CODE_MASK 0x00000003u

/* Gives up a block of this VM that is neither lent nor shown. */
#define POSTERN_LARGE_FREE_OFFSET(lane) (0x120u + 64u * (lane))
#define POSTERN_LARGE_FREE_BLOCK_LSB 0u
#define POSTERN_LARGE_FREE_BLOCK_MASK 0x000003FFu

/* Ends a loan to this VM, given by the last word of the message that brought it. */
#define POSTERN_LARGE_RETURN_OFFSET(lane) (0x128u + 64u * (lane))
#define POSTERN_LARGE_RETURN_BLOCK_LSB 0u
#define POSTERN_LARGE_RETURN_BLOCK_MASK 0x000003FFu
#define POSTERN_LARGE_RETURN_TAG_LSB 16u
#define POSTERN_LARGE_RETURN_TAG_MASK 0x00FF0000u
#define POSTERN_LARGE_RETURN_KIND_LSB 30u
#define POSTERN_LARGE_RETURN_KIND_MASK 0xC0000000u

/* Ends a loan by this VM. */
#define POSTERN_LARGE_REVOKE_OFFSET(lane) (0x130u + 64u * (lane))
#define POSTERN_LARGE_REVOKE_BLOCK_LSB 0u
#define POSTERN_LARGE_REVOKE_BLOCK_MASK 0x000003FFu

/* Outcome of this lane's last FREE, RETURN or REVOKE. */
#define POSTERN_LARGE_BLOCK_RESULT_OFFSET(lane) (0x138u + 64u * (lane))
#define POSTERN_LARGE_BLOCK_RESULT_CODE_LSB 0u
#define POSTERN_LARGE_BLOCK_RESULT_CODE_MASK 0x00000003u

/* A VM that this one may send to; zero for any other. A write acknowledges a generation. */
#define POSTERN_LARGE_PEER_OFFSET(vm) (0x200u + 16u * (vm))
#define POSTERN_LARGE_PEER_GENERATION_LSB 0u
#define POSTERN_LARGE_PEER_GENERATION_MASK 0x000000FFu
#define POSTERN_LARGE_PEER_REACHABLE_LSB 8u
#define POSTERN_LARGE_PEER_REACHABLE_MASK 0x00000100u
#define POSTERN_LARGE_PEER_ALIVE_LSB 9u
#define POSTERN_LARGE_PEER_ALIVE_MASK 0x00000200u
#define POSTERN_LARGE_PEER_ACKNOWLEDGED_LSB 10u
#define POSTERN_LARGE_PEER_ACKNOWLEDGED_MASK 0x00000400u

/* Messages that this VM could still send to a VM that it may reach. */
#define POSTERN_LARGE_CREDIT_OFFSET(vm) (0x208u + 16u * (vm))
#define POSTERN_LARGE_CREDIT_AVAILABLE_LSB 0u
#define POSTERN_LARGE_CREDIT_AVAILABLE_MASK 0x000001FFu
#define POSTERN_LARGE_CREDIT_LIMIT_LSB 16u
#define POSTERN_LARGE_CREDIT_LIMIT_MASK 0x01FF0000u

/* What this VM has of a block; zero if nothing. */
#define POSTERN_LARGE_BLOCK_OFFSET(block) (0x800u + 8u * (block))
#define POSTERN_LARGE_BLOCK_HOLDING_LSB 0u
#define POSTERN_LARGE_BLOCK_HOLDING_MASK 0x00000007u
#define POSTERN_LARGE_BLOCK_VM_LSB 8u
#define POSTERN_LARGE_BLOCK_VM_MASK 0x00003F00u
#define POSTERN_LARGE_BLOCK_TAG_LSB 16u
#define POSTERN_LARGE_BLOCK_TAG_MASK 0x00FF0000u

/* Payload of the message that a lane is putting together. Word 0 restarts it. */
#define POSTERN_LARGE_STAGE_OFFSET(lane, word) (0x1000u + 128u * (lane) + 8u * (word))
#define POSTERN_LARGE_STAGE_VALUE_LSB 0u
#define POSTERN_LARGE_STAGE_VALUE_MASK 0xFFFFFFFFu

/* Payload of the oldest message; zero beyond its end. */
#define POSTERN_LARGE_WORD_OFFSET(word) (0x1100u + 8u * (word))
#define POSTERN_LARGE_WORD_VALUE_LSB 0u
#define POSTERN_LARGE_WORD_VALUE_MASK 0xFFFFFFFFu

/* Last word of the oldest message. The read removes the message if this lane read its header. The read acts. */
#define POSTERN_LARGE_POP_OFFSET(lane) (0x1180u + 8u * (lane))
#define POSTERN_LARGE_POP_WORD_LSB 0u
#define POSTERN_LARGE_POP_WORD_MASK 0xFFFFFFFFu

/* Last word of a message: the write sends it. */
#define POSTERN_LARGE_COMMIT_OFFSET(lane, kind, many, vm) (0x1800u + 1024u * (lane) + 512u * (kind) + 256u * (many) + 8u * (vm))
#define POSTERN_LARGE_COMMIT_WORD_LSB 0u
#define POSTERN_LARGE_COMMIT_WORD_MASK 0xFFFFFFFFu

/* The manager page. */

#define POSTERN_LARGE_MANAGER_SIZE 0x5800u

/* Boot epoch that guests read. */
#define POSTERN_LARGE_MANAGER_EPOCH_OFFSET 0x0u
#define POSTERN_LARGE_MANAGER_EPOCH_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_EPOCH_VALUE_MASK 0xFFFFFFFFu

/* Answered when everything that this port accepted before has taken effect. */
#define POSTERN_LARGE_MANAGER_DRAIN_OFFSET 0x8u
#define POSTERN_LARGE_MANAGER_DRAIN_DONE_LSB 0u
#define POSTERN_LARGE_MANAGER_DRAIN_DONE_MASK 0x00000001u

/* Empties the lanes of a VM at a port. */
#define POSTERN_LARGE_MANAGER_TEAR_OFFSET 0x10u
#define POSTERN_LARGE_MANAGER_TEAR_VM_LSB 0u
#define POSTERN_LARGE_MANAGER_TEAR_VM_MASK 0x0000003Fu
#define POSTERN_LARGE_MANAGER_TEAR_PORT_LSB 8u
#define POSTERN_LARGE_MANAGER_TEAR_PORT_MASK 0x00000F00u

/* Locks configuration until reset. */
#define POSTERN_LARGE_MANAGER_LOCK_OFFSET 0x18u
#define POSTERN_LARGE_MANAGER_LOCK_PERMISSIONS_LSB 1u
#define POSTERN_LARGE_MANAGER_LOCK_PERMISSIONS_MASK 0x00000002u
#define POSTERN_LARGE_MANAGER_LOCK_CREDITS_LSB 2u
#define POSTERN_LARGE_MANAGER_LOCK_CREDITS_MASK 0x00000004u
#define POSTERN_LARGE_MANAGER_LOCK_QUOTAS_LSB 3u
#define POSTERN_LARGE_MANAGER_LOCK_QUOTAS_MASK 0x00000008u
#define POSTERN_LARGE_MANAGER_LOCK_RESIDENCY_LSB 4u
#define POSTERN_LARGE_MANAGER_LOCK_RESIDENCY_MASK 0x00000010u

/* VMs with a logged fault. A written one clears the record and arms it again. */
#define POSTERN_LARGE_MANAGER_FAULT_PENDING_OFFSET(half) (0x20u + 8u * (half))
#define POSTERN_LARGE_MANAGER_FAULT_PENDING_VMS_LSB 0u
#define POSTERN_LARGE_MANAGER_FAULT_PENDING_VMS_MASK 0xFFFFFFFFu

/* Faults that raise the manager's interrupt. */
#define POSTERN_LARGE_MANAGER_FAULT_ENABLE_OFFSET(half) (0x30u + 8u * (half))
#define POSTERN_LARGE_MANAGER_FAULT_ENABLE_VMS_LSB 0u
#define POSTERN_LARGE_MANAGER_FAULT_ENABLE_VMS_MASK 0xFFFFFFFFu

/* VMs that have something pending and enabled and are nowhere resident. */
#define POSTERN_LARGE_MANAGER_WAITING_OFFSET(half) (0x40u + 8u * (half))
#define POSTERN_LARGE_MANAGER_WAITING_VMS_LSB 0u
#define POSTERN_LARGE_MANAGER_WAITING_VMS_MASK 0xFFFFFFFFu

/* VMs whose WAITING is watched. Disarmed by itself when it fires. */
#define POSTERN_LARGE_MANAGER_WAIT_ARM_OFFSET(half) (0x50u + 8u * (half))
#define POSTERN_LARGE_MANAGER_WAIT_ARM_VMS_LSB 0u
#define POSTERN_LARGE_MANAGER_WAIT_ARM_VMS_MASK 0xFFFFFFFFu

/* Stops watching. */
#define POSTERN_LARGE_MANAGER_WAIT_DISARM_OFFSET(half) (0x60u + 8u * (half))
#define POSTERN_LARGE_MANAGER_WAIT_DISARM_VMS_LSB 0u
#define POSTERN_LARGE_MANAGER_WAIT_DISARM_VMS_MASK 0xFFFFFFFFu

/* VMs whose watch fired; raises the manager's interrupt. */
#define POSTERN_LARGE_MANAGER_WAIT_FIRED_OFFSET(half) (0x70u + 8u * (half))
#define POSTERN_LARGE_MANAGER_WAIT_FIRED_VMS_LSB 0u
#define POSTERN_LARGE_MANAGER_WAIT_FIRED_VMS_MASK 0xFFFFFFFFu

/* Faults of requests without a VM-ID. */
#define POSTERN_LARGE_MANAGER_STRAY_OFFSET 0x80u
#define POSTERN_LARGE_MANAGER_STRAY_PENDING_LSB 0u
#define POSTERN_LARGE_MANAGER_STRAY_PENDING_MASK 0x00000001u
#define POSTERN_LARGE_MANAGER_STRAY_ENABLE_LSB 8u
#define POSTERN_LARGE_MANAGER_STRAY_ENABLE_MASK 0x00000100u

/* Blocks that nobody owns. */
#define POSTERN_LARGE_MANAGER_POOL_OFFSET 0x90u
#define POSTERN_LARGE_MANAGER_POOL_CLEAN_LSB 0u
#define POSTERN_LARGE_MANAGER_POOL_CLEAN_MASK 0x000007FFu
#define POSTERN_LARGE_MANAGER_POOL_DIRTY_LSB 16u
#define POSTERN_LARGE_MANAGER_POOL_DIRTY_MASK 0x07FF0000u

/* Blocks that somebody owns and nobody pays for, because the payer was killed. */
#define POSTERN_LARGE_MANAGER_ORPHANS_OFFSET 0x98u
#define POSTERN_LARGE_MANAGER_ORPHANS_COUNT_LSB 0u
#define POSTERN_LARGE_MANAGER_ORPHANS_COUNT_MASK 0x000007FFu

/* Takes an orphan from its owner. Refused for any other block. */
#define POSTERN_LARGE_MANAGER_RECLAIM_OFFSET 0xA0u
#define POSTERN_LARGE_MANAGER_RECLAIM_BLOCK_LSB 0u
#define POSTERN_LARGE_MANAGER_RECLAIM_BLOCK_MASK 0x000003FFu

/* Sets all counters and peaks of VMs to zero. */
#define POSTERN_LARGE_MANAGER_COUNT_CLEAR_OFFSET(half) (0xF0u + 8u * (half))
#define POSTERN_LARGE_MANAGER_COUNT_CLEAR_VMS_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_CLEAR_VMS_MASK 0xFFFFFFFFu

/* Who runs on a core. */
#define POSTERN_LARGE_MANAGER_RESIDENT_OFFSET(core) (0x100u + 8u * (core))
#define POSTERN_LARGE_MANAGER_RESIDENT_VM_LSB 0u
#define POSTERN_LARGE_MANAGER_RESIDENT_VM_MASK 0x0000003Fu
#define POSTERN_LARGE_MANAGER_RESIDENT_VALID_LSB 31u
#define POSTERN_LARGE_MANAGER_RESIDENT_VALID_MASK 0x80000000u

/* Blocks that a VM may have allocated. */
#define POSTERN_LARGE_MANAGER_QUOTA_OFFSET(vm) (0x200u + 16u * (vm))
#define POSTERN_LARGE_MANAGER_QUOTA_LIMIT_LSB 0u
#define POSTERN_LARGE_MANAGER_QUOTA_LIMIT_MASK 0x000007FFu
#define POSTERN_LARGE_MANAGER_QUOTA_USED_LSB 16u
#define POSTERN_LARGE_MANAGER_QUOTA_USED_MASK 0x07FF0000u

/* Blocks of a VM: what remains before it can be closed. */
#define POSTERN_LARGE_MANAGER_HOLDINGS_OFFSET(vm) (0x208u + 16u * (vm))
#define POSTERN_LARGE_MANAGER_HOLDINGS_OWNED_LSB 0u
#define POSTERN_LARGE_MANAGER_HOLDINGS_OWNED_MASK 0x000007FFu
#define POSTERN_LARGE_MANAGER_HOLDINGS_BORROWED_LSB 16u
#define POSTERN_LARGE_MANAGER_HOLDINGS_BORROWED_MASK 0x07FF0000u

/* Commands to and state of a VM. */
#define POSTERN_LARGE_MANAGER_CONTROL_OFFSET(vm) (0x400u + 16u * (vm))
#define POSTERN_LARGE_MANAGER_CONTROL_COMMAND_LSB 0u
#define POSTERN_LARGE_MANAGER_CONTROL_COMMAND_MASK 0x00000007u
#define POSTERN_LARGE_MANAGER_CONTROL_STATE_LSB 8u
#define POSTERN_LARGE_MANAGER_CONTROL_STATE_MASK 0x00000300u
#define POSTERN_LARGE_MANAGER_CONTROL_REFUSED_LSB 10u
#define POSTERN_LARGE_MANAGER_CONTROL_REFUSED_MASK 0x00000400u
#define POSTERN_LARGE_MANAGER_CONTROL_KILLING_LSB 11u
#define POSTERN_LARGE_MANAGER_CONTROL_KILLING_MASK 0x00000800u
#define POSTERN_LARGE_MANAGER_CONTROL_QUEUED_LSB 16u
#define POSTERN_LARGE_MANAGER_CONTROL_QUEUED_MASK 0x01FF0000u

/* Generation of a VM. */
#define POSTERN_LARGE_MANAGER_GENERATION_OFFSET(vm) (0x408u + 16u * (vm))
#define POSTERN_LARGE_MANAGER_GENERATION_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_GENERATION_VALUE_MASK 0x000000FFu

/* Who may send to a VM. */
#define POSTERN_LARGE_MANAGER_PERMIT_OFFSET(vm, half) (0x600u + 16u * (vm) + 8u * (half))
#define POSTERN_LARGE_MANAGER_PERMIT_SENDERS_LSB 0u
#define POSTERN_LARGE_MANAGER_PERMIT_SENDERS_MASK 0xFFFFFFFFu

/* First refused write of a VM; the last record is for requests without one. */
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_OFFSET(vm) (0x800u + 32u * (vm))
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_KIND_LSB 0u
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_KIND_MASK 0x0000000Fu
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_PORT_LSB 8u
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_PORT_MASK 0x00000F00u
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_COUNT_LSB 16u
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_COUNT_MASK 0xFFFF0000u

/* Its address. */
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_ADDRESS_OFFSET(vm) (0x808u + 32u * (vm))
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_ADDRESS_OFFSET_LSB 0u
#define POSTERN_LARGE_MANAGER_FAULT_WRITE_ADDRESS_OFFSET_MASK 0xFFFFFFFFu

/* First refused read of a VM; the last record is for requests without one. */
#define POSTERN_LARGE_MANAGER_FAULT_READ_OFFSET(vm) (0x810u + 32u * (vm))
#define POSTERN_LARGE_MANAGER_FAULT_READ_KIND_LSB 0u
#define POSTERN_LARGE_MANAGER_FAULT_READ_KIND_MASK 0x0000000Fu
#define POSTERN_LARGE_MANAGER_FAULT_READ_PORT_LSB 8u
#define POSTERN_LARGE_MANAGER_FAULT_READ_PORT_MASK 0x00000F00u
#define POSTERN_LARGE_MANAGER_FAULT_READ_COUNT_LSB 16u
#define POSTERN_LARGE_MANAGER_FAULT_READ_COUNT_MASK 0xFFFF0000u

/* Its address. */
#define POSTERN_LARGE_MANAGER_FAULT_READ_ADDRESS_OFFSET(vm) (0x818u + 32u * (vm))
#define POSTERN_LARGE_MANAGER_FAULT_READ_ADDRESS_OFFSET_LSB 0u
#define POSTERN_LARGE_MANAGER_FAULT_READ_ADDRESS_OFFSET_MASK 0xFFFFFFFFu

/* Credits of a sender at a receiver. */
#define POSTERN_LARGE_MANAGER_CREDITS_OFFSET(receiver, sender) (0x2000u + 256u * (receiver) + 8u * (sender))
#define POSTERN_LARGE_MANAGER_CREDITS_LIMIT_LSB 0u
#define POSTERN_LARGE_MANAGER_CREDITS_LIMIT_MASK 0x000001FFu
#define POSTERN_LARGE_MANAGER_CREDITS_USED_LSB 16u
#define POSTERN_LARGE_MANAGER_CREDITS_USED_MASK 0x01FF0000u

/* Doorbells that the VM rang. */
#define POSTERN_LARGE_MANAGER_COUNT_DOORBELLS_OFFSET(vm) (0x4000u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_DOORBELLS_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_DOORBELLS_VALUE_MASK 0xFFFFFFFFu

/* Messages of the VM that were accepted. */
#define POSTERN_LARGE_MANAGER_COUNT_SENT_OFFSET(vm) (0x4008u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_SENT_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_SENT_VALUE_MASK 0xFFFFFFFFu

/* Its commits that were refused for lack of credit. */
#define POSTERN_LARGE_MANAGER_COUNT_NO_CREDIT_OFFSET(vm) (0x4010u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_NO_CREDIT_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_NO_CREDIT_VALUE_MASK 0xFFFFFFFFu

/* Its commits that were refused for lack of permission. */
#define POSTERN_LARGE_MANAGER_COUNT_DENIED_OFFSET(vm) (0x4018u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_DENIED_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_DENIED_VALUE_MASK 0xFFFFFFFFu

/* Its commits that were refused because the peer was gone. */
#define POSTERN_LARGE_MANAGER_COUNT_PEER_GONE_OFFSET(vm) (0x4020u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_PEER_GONE_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_PEER_GONE_VALUE_MASK 0xFFFFFFFFu

/* Its commits that were refused as torn. */
#define POSTERN_LARGE_MANAGER_COUNT_TORN_OFFSET(vm) (0x4028u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_TORN_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_TORN_VALUE_MASK 0xFFFFFFFFu

/* Its commits that were refused for the block that they should hand over. */
#define POSTERN_LARGE_MANAGER_COUNT_BAD_BLOCK_OFFSET(vm) (0x4030u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_BAD_BLOCK_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_BAD_BLOCK_VALUE_MASK 0xFFFFFFFFu

/* Its commits by a lane that waited for a refusal to be acknowledged. */
#define POSTERN_LARGE_MANAGER_COUNT_IGNORED_OFFSET(vm) (0x4038u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_IGNORED_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_IGNORED_VALUE_MASK 0xFFFFFFFFu

/* Messages that were accepted into the queue of the VM. */
#define POSTERN_LARGE_MANAGER_COUNT_RECEIVED_OFFSET(vm) (0x4040u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_RECEIVED_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_RECEIVED_VALUE_MASK 0xFFFFFFFFu

/* Cycles in which a request of the VM waited for somebody else's. */
#define POSTERN_LARGE_MANAGER_COUNT_WAITED_OFFSET(vm) (0x4048u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_WAITED_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_WAITED_VALUE_MASK 0xFFFFFFFFu

/* The most messages that were in its queue. */
#define POSTERN_LARGE_MANAGER_COUNT_QUEUE_PEAK_OFFSET(vm) (0x4050u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_QUEUE_PEAK_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_QUEUE_PEAK_VALUE_MASK 0xFFFFFFFFu

/* The most blocks that it had allocated. */
#define POSTERN_LARGE_MANAGER_COUNT_BLOCKS_PEAK_OFFSET(vm) (0x4058u + 128u * (vm))
#define POSTERN_LARGE_MANAGER_COUNT_BLOCKS_PEAK_VALUE_LSB 0u
#define POSTERN_LARGE_MANAGER_COUNT_BLOCKS_PEAK_VALUE_MASK 0xFFFFFFFFu

/* Who has a block; zero if nobody owns it. */
#define POSTERN_LARGE_MANAGER_RIGHTS_OFFSET(block) (0x5000u + 8u * (block))
#define POSTERN_LARGE_MANAGER_RIGHTS_OWNER_LSB 0u
#define POSTERN_LARGE_MANAGER_RIGHTS_OWNER_MASK 0x0000003Fu
#define POSTERN_LARGE_MANAGER_RIGHTS_OWNED_LSB 7u
#define POSTERN_LARGE_MANAGER_RIGHTS_OWNED_MASK 0x00000080u
#define POSTERN_LARGE_MANAGER_RIGHTS_PAYER_LSB 8u
#define POSTERN_LARGE_MANAGER_RIGHTS_PAYER_MASK 0x00003F00u
#define POSTERN_LARGE_MANAGER_RIGHTS_ORPHAN_LSB 15u
#define POSTERN_LARGE_MANAGER_RIGHTS_ORPHAN_MASK 0x00008000u
#define POSTERN_LARGE_MANAGER_RIGHTS_BORROWER_LSB 16u
#define POSTERN_LARGE_MANAGER_RIGHTS_BORROWER_MASK 0x003F0000u
#define POSTERN_LARGE_MANAGER_RIGHTS_LENT_LSB 22u
#define POSTERN_LARGE_MANAGER_RIGHTS_LENT_MASK 0x00400000u
#define POSTERN_LARGE_MANAGER_RIGHTS_SHOWN_LSB 23u
#define POSTERN_LARGE_MANAGER_RIGHTS_SHOWN_MASK 0x00800000u

/* Accesses. */

static inline uint32_t postern_large_read32(uintptr_t page, uint32_t offset)
{
    return *(const volatile uint32_t *)(page + offset);
}

static inline void postern_large_write32(uintptr_t page, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(page + offset) = value;
}

/* Registers of the guest page. */

static inline uint32_t postern_large_read_magic(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_MAGIC_OFFSET);
}

static inline uint32_t postern_large_read_version(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_VERSION_OFFSET);
}

static inline uint32_t postern_large_read_features(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_FEATURES_OFFSET);
}

static inline uint32_t postern_large_read_dimensions(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_DIMENSIONS_OFFSET);
}

static inline uint32_t postern_large_read_capacity(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_CAPACITY_OFFSET);
}

static inline uint32_t postern_large_read_self(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_SELF_OFFSET);
}

static inline uint32_t postern_large_read_epoch(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_EPOCH_OFFSET);
}

static inline uint32_t postern_large_read_memory(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_MEMORY_OFFSET);
}

static inline uint32_t postern_large_read_quota(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_QUOTA_OFFSET);
}

static inline uint32_t postern_large_read_alloc(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_ALLOC_OFFSET);
}

static inline uint32_t postern_large_read_irq_state(uintptr_t guest)
{
    return postern_large_read32(guest, POSTERN_LARGE_IRQ_STATE_OFFSET);
}

static inline void postern_large_write_irq_state(uintptr_t guest, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_IRQ_STATE_OFFSET, value);
}

static inline void postern_large_write_irq_test(uintptr_t guest, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_IRQ_TEST_OFFSET, value);
}

static inline void postern_large_write_ring(uintptr_t guest, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_RING_OFFSET, value);
}

static inline uint32_t postern_large_read_pending(uintptr_t guest, uint32_t half)
{
    return postern_large_read32(guest, POSTERN_LARGE_PENDING_OFFSET(half));
}

static inline void postern_large_write_pending(uintptr_t guest, uint32_t half, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_PENDING_OFFSET(half), value);
}

static inline uint32_t postern_large_read_irq_enable(uintptr_t guest, uint32_t core)
{
    return postern_large_read32(guest, POSTERN_LARGE_IRQ_ENABLE_OFFSET(core));
}

static inline void postern_large_write_irq_enable(uintptr_t guest, uint32_t core, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_IRQ_ENABLE_OFFSET(core), value);
}

static inline uint32_t postern_large_read_result(uintptr_t guest, uint32_t lane)
{
    return postern_large_read32(guest, POSTERN_LARGE_RESULT_OFFSET(lane));
}

static inline void postern_large_write_ack(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_ACK_OFFSET(lane), value);
}

static inline uint32_t postern_large_read_header(uintptr_t guest, uint32_t lane)
{
    return postern_large_read32(guest, POSTERN_LARGE_HEADER_OFFSET(lane));
}

static inline uint32_t postern_large_read_rx_result(uintptr_t guest, uint32_t lane)
{
    return postern_large_read32(guest, POSTERN_LARGE_RX_RESULT_OFFSET(lane));
}

static inline void postern_large_write_free(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_FREE_OFFSET(lane), value);
}

static inline void postern_large_write_return(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_RETURN_OFFSET(lane), value);
}

static inline void postern_large_write_revoke(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_REVOKE_OFFSET(lane), value);
}

static inline uint32_t postern_large_read_block_result(uintptr_t guest, uint32_t lane)
{
    return postern_large_read32(guest, POSTERN_LARGE_BLOCK_RESULT_OFFSET(lane));
}

static inline uint32_t postern_large_read_peer(uintptr_t guest, uint32_t vm)
{
    return postern_large_read32(guest, POSTERN_LARGE_PEER_OFFSET(vm));
}

static inline void postern_large_write_peer(uintptr_t guest, uint32_t vm, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_PEER_OFFSET(vm), value);
}

static inline uint32_t postern_large_read_credit(uintptr_t guest, uint32_t vm)
{
    return postern_large_read32(guest, POSTERN_LARGE_CREDIT_OFFSET(vm));
}

static inline uint32_t postern_large_read_block(uintptr_t guest, uint32_t block)
{
    return postern_large_read32(guest, POSTERN_LARGE_BLOCK_OFFSET(block));
}

static inline void postern_large_write_stage(uintptr_t guest, uint32_t lane, uint32_t word, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_STAGE_OFFSET(lane, word), value);
}

static inline uint32_t postern_large_read_word(uintptr_t guest, uint32_t word)
{
    return postern_large_read32(guest, POSTERN_LARGE_WORD_OFFSET(word));
}

static inline uint32_t postern_large_read_pop(uintptr_t guest, uint32_t lane)
{
    return postern_large_read32(guest, POSTERN_LARGE_POP_OFFSET(lane));
}

static inline void postern_large_write_commit(uintptr_t guest, uint32_t lane, uint32_t kind, uint32_t many, uint32_t vm, uint32_t value)
{
    postern_large_write32(guest, POSTERN_LARGE_COMMIT_OFFSET(lane, kind, many, vm), value);
}

/* Registers of the manager page. */

static inline uint32_t postern_large_manager_read_epoch(uintptr_t manager)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_EPOCH_OFFSET);
}

static inline void postern_large_manager_write_epoch(uintptr_t manager, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_EPOCH_OFFSET, value);
}

static inline uint32_t postern_large_manager_read_drain(uintptr_t manager)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_DRAIN_OFFSET);
}

static inline void postern_large_manager_write_tear(uintptr_t manager, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_TEAR_OFFSET, value);
}

static inline uint32_t postern_large_manager_read_lock(uintptr_t manager)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_LOCK_OFFSET);
}

static inline void postern_large_manager_write_lock(uintptr_t manager, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_LOCK_OFFSET, value);
}

static inline uint32_t postern_large_manager_read_fault_pending(uintptr_t manager, uint32_t half)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_FAULT_PENDING_OFFSET(half));
}

static inline void postern_large_manager_write_fault_pending(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_FAULT_PENDING_OFFSET(half), value);
}

static inline uint32_t postern_large_manager_read_fault_enable(uintptr_t manager, uint32_t half)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_FAULT_ENABLE_OFFSET(half));
}

static inline void postern_large_manager_write_fault_enable(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_FAULT_ENABLE_OFFSET(half), value);
}

static inline uint32_t postern_large_manager_read_waiting(uintptr_t manager, uint32_t half)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_WAITING_OFFSET(half));
}

static inline uint32_t postern_large_manager_read_wait_arm(uintptr_t manager, uint32_t half)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_WAIT_ARM_OFFSET(half));
}

static inline void postern_large_manager_write_wait_arm(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_WAIT_ARM_OFFSET(half), value);
}

static inline void postern_large_manager_write_wait_disarm(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_WAIT_DISARM_OFFSET(half), value);
}

static inline uint32_t postern_large_manager_read_wait_fired(uintptr_t manager, uint32_t half)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_WAIT_FIRED_OFFSET(half));
}

static inline void postern_large_manager_write_wait_fired(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_WAIT_FIRED_OFFSET(half), value);
}

static inline uint32_t postern_large_manager_read_stray(uintptr_t manager)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_STRAY_OFFSET);
}

static inline void postern_large_manager_write_stray(uintptr_t manager, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_STRAY_OFFSET, value);
}

static inline uint32_t postern_large_manager_read_pool(uintptr_t manager)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_POOL_OFFSET);
}

static inline uint32_t postern_large_manager_read_orphans(uintptr_t manager)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_ORPHANS_OFFSET);
}

static inline void postern_large_manager_write_reclaim(uintptr_t manager, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_RECLAIM_OFFSET, value);
}

static inline void postern_large_manager_write_count_clear(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_COUNT_CLEAR_OFFSET(half), value);
}

static inline uint32_t postern_large_manager_read_resident(uintptr_t manager, uint32_t core)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_RESIDENT_OFFSET(core));
}

static inline void postern_large_manager_write_resident(uintptr_t manager, uint32_t core, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_RESIDENT_OFFSET(core), value);
}

static inline uint32_t postern_large_manager_read_quota(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_QUOTA_OFFSET(vm));
}

static inline void postern_large_manager_write_quota(uintptr_t manager, uint32_t vm, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_QUOTA_OFFSET(vm), value);
}

static inline uint32_t postern_large_manager_read_holdings(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_HOLDINGS_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_control(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_CONTROL_OFFSET(vm));
}

static inline void postern_large_manager_write_control(uintptr_t manager, uint32_t vm, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_CONTROL_OFFSET(vm), value);
}

static inline uint32_t postern_large_manager_read_generation(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_GENERATION_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_permit(uintptr_t manager, uint32_t vm, uint32_t half)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_PERMIT_OFFSET(vm, half));
}

static inline void postern_large_manager_write_permit(uintptr_t manager, uint32_t vm, uint32_t half, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_PERMIT_OFFSET(vm, half), value);
}

static inline uint32_t postern_large_manager_read_fault_write(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_FAULT_WRITE_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_fault_write_address(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_FAULT_WRITE_ADDRESS_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_fault_read(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_FAULT_READ_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_fault_read_address(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_FAULT_READ_ADDRESS_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_credits(uintptr_t manager, uint32_t receiver, uint32_t sender)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_CREDITS_OFFSET(receiver, sender));
}

static inline void postern_large_manager_write_credits(uintptr_t manager, uint32_t receiver, uint32_t sender, uint32_t value)
{
    postern_large_write32(manager, POSTERN_LARGE_MANAGER_CREDITS_OFFSET(receiver, sender), value);
}

static inline uint32_t postern_large_manager_read_count_doorbells(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_DOORBELLS_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_sent(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_SENT_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_no_credit(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_NO_CREDIT_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_denied(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_DENIED_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_peer_gone(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_PEER_GONE_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_torn(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_TORN_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_bad_block(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_BAD_BLOCK_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_ignored(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_IGNORED_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_received(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_RECEIVED_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_waited(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_WAITED_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_queue_peak(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_QUEUE_PEAK_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_count_blocks_peak(uintptr_t manager, uint32_t vm)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_COUNT_BLOCKS_PEAK_OFFSET(vm));
}

static inline uint32_t postern_large_manager_read_rights(uintptr_t manager, uint32_t block)
{
    return postern_large_read32(manager, POSTERN_LARGE_MANAGER_RIGHTS_OFFSET(block));
}

/* What a guest does. */

/* Send a message of count words, 1 to POSTERN_LARGE_WORDS. What became of it, and of those before it, is in
 * postern_large_read_result(): the first refusal since the last acknowledge, and how many commits were accepted. */
static inline void postern_large_send(uintptr_t guest, uint32_t lane, uint32_t destination, const uint32_t *words,
                              uint32_t count)
{
    uint32_t i;
    for (i = 0; i + 1u < count; i++)
        postern_large_write_stage(guest, lane, i, words[i]);
    postern_large_write_commit(guest, lane, POSTERN_LARGE_KIND_PLAIN, count > 1u, destination, words[i]);
}

/* Take the oldest message into words, which has room for POSTERN_LARGE_WORDS. Returns its header, or zero when there is
 * none or another context of this VM took it first. */
static inline uint32_t postern_large_receive(uintptr_t guest, uint32_t lane, uint32_t *words)
{
    uint32_t header = postern_large_read_header(guest, lane);
    uint32_t count = POSTERN_LARGE_GET(POSTERN_LARGE_HEADER_COUNT, header);
    uint32_t i, last;
    if (count == 0u)
        return 0u;
    for (i = 0; i + 1u < count; i++)
        words[i] = postern_large_read_word(guest, i);
    last = postern_large_read_pop(guest, lane);
    if (last == 0u && postern_large_read_rx_result(guest, lane) != (uint32_t)POSTERN_LARGE_POPPED_POPPED)
        return 0u;
    words[i] = last;
    return header;
}

/* Acknowledge the present generation of a VM, so that messages to it are accepted. Returns that generation, or zero
 * where the VM may not be reached. */
static inline uint32_t postern_large_connect(uintptr_t guest, uint32_t vm)
{
    uint32_t generation = POSTERN_LARGE_GET(POSTERN_LARGE_PEER_GENERATION, postern_large_read_peer(guest, vm));
    if (generation != 0u)
        postern_large_write_peer(guest, vm, generation);
    return generation;
}

/* What a guest does with blocks of the shared SRAM. A window of the SRAM is given by the address at which it is mapped,
 * as device memory like the pages: then what was written to a block is there for whoever gets it by a message. */

/* Where the words of a block are. What this VM has no right to reads as zero, and is not written. */
static inline volatile uint32_t *postern_large_block(uintptr_t sram, uint32_t block)
{
    return (volatile uint32_t *)(sram + (uintptr_t)POSTERN_LARGE_BLOCK_SIZE * block);
}

/* Allocate a block; it reads as zero. Returns 1, or 0 when there is no quota left or no clean block yet: then
 * POSTERN_LARGE_INTERRUPT_BLOCK says when it is worth another try. */
static inline uint32_t postern_large_alloc(uintptr_t guest, uint32_t *block)
{
    uint32_t word = postern_large_read_alloc(guest);
    *block = POSTERN_LARGE_GET(POSTERN_LARGE_ALLOC_BLOCK, word);
    return POSTERN_LARGE_GET(POSTERN_LARGE_ALLOC_VALID, word);
}

/* Give up a block. Returns 1, or 0 where it is not this VM's, or lent or shown. */
static inline uint32_t postern_large_free(uintptr_t guest, uint32_t lane, uint32_t block)
{
    postern_large_write_free(guest, lane, block);
    return postern_large_read_block_result(guest, lane) == (uint32_t)POSTERN_LARGE_SETTLED_DONE;
}

/* Send a message that hands a block over, of count words beside the block, 0 to POSTERN_LARGE_WORDS - 1. What became of it is
 * in postern_large_read_result(). The receiver has the block as the last word, in the fields of POSTERN_LARGE_RETURN, where
 * POSTERN_LARGE_HEADER_KIND of the header is POSTERN_LARGE_KIND_BLOCK. */
static inline void postern_large_send_block(uintptr_t guest, uint32_t lane, uint32_t destination, const uint32_t *words,
                                    uint32_t count, uint32_t block, enum postern_large_handover how)
{
    uint32_t i;
    for (i = 0; i < count; i++)
        postern_large_write_stage(guest, lane, i, words[i]);
    postern_large_write_commit(guest, lane, POSTERN_LARGE_KIND_BLOCK, count > 0u, destination,
        POSTERN_LARGE_PUT(POSTERN_LARGE_RETURN_KIND, how) | POSTERN_LARGE_PUT(POSTERN_LARGE_RETURN_BLOCK, block));
}

/* Give a borrowed block back, by the word that brought it. Returns 1 where the loan stood until now: only then was
 * what was read from it the owner's. Returns 0 where it was over already. */
static inline uint32_t postern_large_give_back(uintptr_t guest, uint32_t lane, uint32_t word)
{
    postern_large_write_return(guest, lane, word);
    return postern_large_read_block_result(guest, lane) == (uint32_t)POSTERN_LARGE_SETTLED_DONE;
}

/* End the loan of a block of this VM. Returns 1, or 0 where it is not this VM's, or neither lent nor shown. */
static inline uint32_t postern_large_revoke(uintptr_t guest, uint32_t lane, uint32_t block)
{
    postern_large_write_revoke(guest, lane, block);
    return postern_large_read_block_result(guest, lane) == (uint32_t)POSTERN_LARGE_SETTLED_DONE;
}

/* Wait until every write through this port has taken effect. A message through the same port needs it not; it is for
 * telling another core, which uses another port, by another way than a message. */
static inline void postern_large_publish(uintptr_t guest)
{
    (void)postern_large_read_self(guest);
}

/* What a manager does. */

/* Give a command to a VM. Returns 1 if it was executed, 0 if it was refused. */
static inline uint32_t postern_large_manager_command(uintptr_t manager, uint32_t vm, enum postern_large_command command)
{
    postern_large_manager_write_control(manager, vm, POSTERN_LARGE_PUT(POSTERN_LARGE_MANAGER_CONTROL_COMMAND, command));
    return !POSTERN_LARGE_GET(POSTERN_LARGE_MANAGER_CONTROL_REFUSED, postern_large_manager_read_control(manager, vm));
}

/* Let sender send to receiver, with so many credits. Returns 1 if the credits were granted, 0 if they are fewer than
 * the messages that wait, or more than the receiver's queue has left. */
static inline uint32_t postern_large_manager_permit(uintptr_t manager, uint32_t sender, uint32_t receiver, uint32_t credits)
{
    uint32_t half = sender / 32u;
    uint32_t granted;
    postern_large_manager_write_credits(manager, receiver, sender, POSTERN_LARGE_PUT(POSTERN_LARGE_MANAGER_CREDITS_LIMIT, credits));
    granted = postern_large_manager_read_credits(manager, receiver, sender);
    postern_large_manager_write_permit(manager, receiver, half,
        postern_large_manager_read_permit(manager, receiver, half) | (uint32_t)1 << (sender % 32u));
    return POSTERN_LARGE_GET(POSTERN_LARGE_MANAGER_CREDITS_LIMIT, granted) == credits;
}

/* Let a VM have so many blocks allocated. Returns 1 if they were granted, 0 if they are fewer than it has allocated
 * now, or more than there are beside what others were granted. */
static inline uint32_t postern_large_manager_quota(uintptr_t manager, uint32_t vm, uint32_t count)
{
    postern_large_manager_write_quota(manager, vm, POSTERN_LARGE_PUT(POSTERN_LARGE_MANAGER_QUOTA_LIMIT, count));
    return POSTERN_LARGE_GET(POSTERN_LARGE_MANAGER_QUOTA_LIMIT, postern_large_manager_read_quota(manager, vm)) == count;
}

#endif /* POSTERN_LARGE_H */
