/* postern: registers and their accessors. Freestanding C99.
 *
 * A guest page or the manager page is given by the address at which it is mapped: non-cacheable and
 * non-idempotent (device memory). POSTERN_<REGISTER>_OFFSET(...) is relative to the page.
 * The accessors are volatile accesses and no more. They rely on a mapping in which accesses take effect in
 * program order, a read after the writes before it (on Arm Device-nGnRnE). Where a message announces data
 * that lies elsewhere, order them against that memory with the fences of your processor.
 */
#ifndef POSTERN_H
#define POSTERN_H

#include <stdint.h>

/* Sizes. */

#define POSTERN_PORTS 4u
#define POSTERN_CORES 4u
#define POSTERN_VMS 8u
#define POSTERN_LANES 2u
#define POSTERN_WORDS 16u
#define POSTERN_DEPTH 16u
#define POSTERN_BLOCKS 64u
#define POSTERN_BLOCK_SIZE 1024u
#define POSTERN_BANKS 4u

/* Where the pages lie in the address space of each port. */

#define POSTERN_PORT0_ADDRESS_BITS 18u
#define POSTERN_PORT0_GUEST_BASE 0x0u
#define POSTERN_PORT0_SRAM_BASE 0x10000u
#define POSTERN_PORT0_MANAGER_BASE 0x20000u
#define POSTERN_PORT1_ADDRESS_BITS 18u
#define POSTERN_PORT1_GUEST_BASE 0x0u
#define POSTERN_PORT1_SRAM_BASE 0x10000u
#define POSTERN_PORT1_MANAGER_BASE 0x20000u
#define POSTERN_PORT2_ADDRESS_BITS 18u
#define POSTERN_PORT2_GUEST_BASE 0x0u
#define POSTERN_PORT2_SRAM_BASE 0x10000u
#define POSTERN_PORT2_MANAGER_BASE 0x20000u
#define POSTERN_PORT3_ADDRESS_BITS 18u
#define POSTERN_PORT3_GUEST_BASE 0x0u
#define POSTERN_PORT3_SRAM_BASE 0x10000u
#define POSTERN_PORT3_MANAGER_BASE 0x20000u

/* Values. */

/* Outcome of a commit. */
enum postern_result {
    POSTERN_RESULT_ACCEPTED = 1,
    POSTERN_RESULT_NO_CREDIT = 2,
    POSTERN_RESULT_DENIED = 3,
    POSTERN_RESULT_PEER_GONE = 4,
    POSTERN_RESULT_TORN = 5,
    POSTERN_RESULT_BAD_BLOCK = 6
};

/* Outcome of a pop. */
enum postern_popped {
    POSTERN_POPPED_NONE = 0,
    POSTERN_POPPED_POPPED = 1,
    POSTERN_POPPED_STALE = 2
};

/* What a message carries. */
enum postern_kind {
    POSTERN_KIND_PLAIN = 0,
    POSTERN_KIND_BLOCK = 1
};

/* Interrupt sources: bit positions in STATE, TEST and ENABLE. The last two only with blocks. */
enum postern_interrupt {
    POSTERN_INTERRUPT_MAIL = 0,
    POSTERN_INTERRUPT_DOORBELL = 1,
    POSTERN_INTERRUPT_CREDIT = 2,
    POSTERN_INTERRUPT_PEER = 3,
    POSTERN_INTERRUPT_REFUSAL = 4,
    POSTERN_INTERRUPT_BLOCK = 5,
    POSTERN_INTERRUPT_LOAN = 6
};

/* State of a VM. */
enum postern_state {
    POSTERN_STATE_CLOSED = 0,
    POSTERN_STATE_OPEN = 1,
    POSTERN_STATE_PAUSED = 2,
    POSTERN_STATE_DRAINING = 3
};

/* What the manager asks of a VM. */
enum postern_command {
    POSTERN_COMMAND_OPEN = 1,
    POSTERN_COMMAND_PAUSE = 2,
    POSTERN_COMMAND_RESUME = 3,
    POSTERN_COMMAND_DRAIN = 4,
    POSTERN_COMMAND_CLOSE = 5,
    POSTERN_COMMAND_KILL = 6
};

/* Why an access was refused. ``docs/states.md``, section 1, says which one counts where several apply. */
enum postern_fault {
    POSTERN_FAULT_NONE = 0,
    POSTERN_FAULT_NO_VM = 1,
    POSTERN_FAULT_UNALIGNED = 2,
    POSTERN_FAULT_NOT_MANAGER = 3,
    POSTERN_FAULT_CLOSED = 4,
    POSTERN_FAULT_UNMAPPED = 5,
    POSTERN_FAULT_DIRECTION = 6,
    POSTERN_FAULT_PARTIAL = 7,
    POSTERN_FAULT_DENIED = 8,
    POSTERN_FAULT_BAD_VALUE = 9,
    POSTERN_FAULT_BLOCK = 10,
    POSTERN_FAULT_CACHEABLE = 11
};

/* How a message hands its block over. */
enum postern_handover {
    POSTERN_HANDOVER_MOVE = 1,
    POSTERN_HANDOVER_LEND = 2,
    POSTERN_HANDOVER_SHOW = 3
};

/* Outcome of FREE, RETURN and REVOKE. */
enum postern_settled {
    POSTERN_SETTLED_NONE = 0,
    POSTERN_SETTLED_DONE = 1,
    POSTERN_SETTLED_STALE = 2,
    POSTERN_SETTLED_REFUSED = 3
};

/* What a VM has of a block. */
enum postern_holding {
    POSTERN_HOLDING_NONE = 0,
    POSTERN_HOLDING_OWNED = 1,
    POSTERN_HOLDING_LENT = 2,
    POSTERN_HOLDING_SHOWN = 3,
    POSTERN_HOLDING_BORROWED = 4,
    POSTERN_HOLDING_WATCHED = 5
};

/* A field of a word, and a value in the place of a field: */
/* POSTERN_GET(POSTERN_HEADER_SENDER, header), POSTERN_PUT(POSTERN_SELF_VM, 3). */

#define POSTERN_GET(field, word) (((uint32_t)(word) & field##_MASK) >> field##_LSB)
#define POSTERN_PUT(field, value) (((uint32_t)(value) << field##_LSB) & field##_MASK)

/* The guest page. */

#define POSTERN_GUEST_SIZE 0x800u

/* Identifies the block. */
#define POSTERN_MAGIC_OFFSET 0x0u
#define POSTERN_MAGIC_VALUE_LSB 0u
#define POSTERN_MAGIC_VALUE_MASK 0xFFFFFFFFu
#define POSTERN_MAGIC_EXPECTED 0x4E545350u

/* Version of this register map. */
#define POSTERN_VERSION_OFFSET 0x8u
#define POSTERN_VERSION_MINOR_LSB 0u
#define POSTERN_VERSION_MINOR_MASK 0x0000FFFFu
#define POSTERN_VERSION_MAJOR_LSB 16u
#define POSTERN_VERSION_MAJOR_MASK 0xFFFF0000u
#define POSTERN_VERSION_EXPECTED 0x00010000u

/* What was built in. */
#define POSTERN_FEATURES_OFFSET 0x10u
#define POSTERN_FEATURES_MODERATION_LSB 0u
#define POSTERN_FEATURES_MODERATION_MASK 0x00000001u
#define POSTERN_FEATURES_MANAGER_LSB 1u
#define POSTERN_FEATURES_MANAGER_MASK 0x00000002u
#define POSTERN_FEATURES_READ_ERROR_LSB 2u
#define POSTERN_FEATURES_READ_ERROR_MASK 0x00000004u
#define POSTERN_FEATURES_BLOCKS_LSB 3u
#define POSTERN_FEATURES_BLOCKS_MASK 0x00000008u

/* Sizes, from which software computes addresses. */
#define POSTERN_DIMENSIONS_OFFSET 0x18u
#define POSTERN_DIMENSIONS_VMS_LSB 0u
#define POSTERN_DIMENSIONS_VMS_MASK 0x0000007Fu
#define POSTERN_DIMENSIONS_LANES_LSB 8u
#define POSTERN_DIMENSIONS_LANES_MASK 0x00000F00u
#define POSTERN_DIMENSIONS_WORDS_LSB 16u
#define POSTERN_DIMENSIONS_WORDS_MASK 0x001F0000u
#define POSTERN_DIMENSIONS_CORES_LSB 24u
#define POSTERN_DIMENSIONS_CORES_MASK 0xFF000000u

/* Sizes that no address depends on. */
#define POSTERN_CAPACITY_OFFSET 0x20u
#define POSTERN_CAPACITY_DEPTH_LSB 0u
#define POSTERN_CAPACITY_DEPTH_MASK 0x000001FFu
#define POSTERN_CAPACITY_PORTS_LSB 16u
#define POSTERN_CAPACITY_PORTS_MASK 0x001F0000u

/* Who the requester is. */
#define POSTERN_SELF_OFFSET 0x28u
#define POSTERN_SELF_VM_LSB 0u
#define POSTERN_SELF_VM_MASK 0x0000003Fu
#define POSTERN_SELF_GENERATION_LSB 8u
#define POSTERN_SELF_GENERATION_MASK 0x0000FF00u
#define POSTERN_SELF_STATE_LSB 16u
#define POSTERN_SELF_STATE_MASK 0x00030000u
#define POSTERN_SELF_PORT_LSB 24u
#define POSTERN_SELF_PORT_MASK 0x0F000000u

/* Boot epoch that the manager supplied. */
#define POSTERN_EPOCH_OFFSET 0x30u
#define POSTERN_EPOCH_VALUE_LSB 0u
#define POSTERN_EPOCH_VALUE_MASK 0xFFFFFFFFu

/* The shared SRAM. */
#define POSTERN_MEMORY_OFFSET 0x38u
#define POSTERN_MEMORY_BLOCKS_LSB 0u
#define POSTERN_MEMORY_BLOCKS_MASK 0x000007FFu
#define POSTERN_MEMORY_SIZE_LOG_LSB 16u
#define POSTERN_MEMORY_SIZE_LOG_MASK 0x000F0000u
#define POSTERN_MEMORY_BANKS_LSB 24u
#define POSTERN_MEMORY_BANKS_MASK 0x0F000000u

/* Blocks that this VM has allocated and that were not freed yet, wherever they are now. */
#define POSTERN_QUOTA_OFFSET 0x40u
#define POSTERN_QUOTA_USED_LSB 0u
#define POSTERN_QUOTA_USED_MASK 0x000007FFu
#define POSTERN_QUOTA_LIMIT_LSB 16u
#define POSTERN_QUOTA_LIMIT_MASK 0x07FF0000u

/* Allocates a block. The read makes this VM the owner of a block of zeros. The read acts. */
#define POSTERN_ALLOC_OFFSET 0x48u
#define POSTERN_ALLOC_BLOCK_LSB 0u
#define POSTERN_ALLOC_BLOCK_MASK 0x000003FFu
#define POSTERN_ALLOC_VALID_LSB 31u
#define POSTERN_ALLOC_VALID_MASK 0x80000000u

/* Interrupt sources. MAIL, DOORBELL and REFUSAL stay set while their cause lasts. */
#define POSTERN_IRQ_STATE_OFFSET 0x80u
#define POSTERN_IRQ_STATE_SOURCES_LSB 0u
#define POSTERN_IRQ_STATE_SOURCES_MASK 0x0000007Fu

/* Sets interrupt sources. */
#define POSTERN_IRQ_TEST_OFFSET 0x88u
#define POSTERN_IRQ_TEST_SOURCES_LSB 0u
#define POSTERN_IRQ_TEST_SOURCES_MASK 0x0000007Fu

/* Rings the doorbell of a VM. */
#define POSTERN_RING_OFFSET 0xA0u
#define POSTERN_RING_VM_LSB 0u
#define POSTERN_RING_VM_MASK 0x0000003Fu

/* Doorbells that were rung, one bit per sender. */
#define POSTERN_PENDING_OFFSET(half) (0xB0u + 8u * (half))
#define POSTERN_PENDING_SENDERS_LSB 0u
#define POSTERN_PENDING_SENDERS_MASK 0x000000FFu

/* Sources that raise the line of a core while this VM is resident there. */
#define POSTERN_IRQ_ENABLE_OFFSET(core) (0xC0u + 8u * (core))
#define POSTERN_IRQ_ENABLE_SOURCES_LSB 0u
#define POSTERN_IRQ_ENABLE_SOURCES_MASK 0x0000007Fu

/* What became of this lane's commits since the last acknowledge. Never zero. */
#define POSTERN_RESULT_OFFSET(lane) (0x100u + 64u * (lane))
#define POSTERN_RESULT_CODE_LSB 0u
#define POSTERN_RESULT_CODE_MASK 0x00000007u
#define POSTERN_RESULT_VM_LSB 8u
#define POSTERN_RESULT_VM_MASK 0x00003F00u
#define POSTERN_RESULT_COUNT_LSB 16u
#define POSTERN_RESULT_COUNT_MASK 0x00FF0000u

/* Acknowledges RESULT: the lane accepts again and COUNT restarts. */
#define POSTERN_ACK_OFFSET(lane) (0x108u + 64u * (lane))
#define POSTERN_ACK_VALUE_LSB 0u
#define POSTERN_ACK_VALUE_MASK 0xFFFFFFFFu

/* Header of the oldest message, zero if there is none. The read lets this lane pop it. The read acts. */
#define POSTERN_HEADER_OFFSET(lane) (0x110u + 64u * (lane))
#define POSTERN_HEADER_COUNT_LSB 0u
#define POSTERN_HEADER_COUNT_MASK 0x0000001Fu
#define POSTERN_HEADER_KIND_LSB 7u
#define POSTERN_HEADER_KIND_MASK 0x00000080u
#define POSTERN_HEADER_SENDER_LSB 8u
#define POSTERN_HEADER_SENDER_MASK 0x00003F00u
#define POSTERN_HEADER_GENERATION_LSB 16u
#define POSTERN_HEADER_GENERATION_MASK 0x00FF0000u

/* Outcome of this lane's last pop. */
#define POSTERN_RX_RESULT_OFFSET(lane) (0x118u + 64u * (lane))
#define POSTERN_RX_RESULT_CODE_LSB 0u
#define POSTERN_RX_RESULT_CODE_MASK 0x00000003u

/* Gives up a block of this VM that is neither lent nor shown. */
#define POSTERN_FREE_OFFSET(lane) (0x120u + 64u * (lane))
#define POSTERN_FREE_BLOCK_LSB 0u
#define POSTERN_FREE_BLOCK_MASK 0x000003FFu

/* Ends a loan to this VM, given by the last word of the message that brought it. */
#define POSTERN_RETURN_OFFSET(lane) (0x128u + 64u * (lane))
#define POSTERN_RETURN_BLOCK_LSB 0u
#define POSTERN_RETURN_BLOCK_MASK 0x000003FFu
#define POSTERN_RETURN_TAG_LSB 16u
#define POSTERN_RETURN_TAG_MASK 0x00FF0000u
#define POSTERN_RETURN_KIND_LSB 30u
#define POSTERN_RETURN_KIND_MASK 0xC0000000u

/* Ends a loan by this VM. */
#define POSTERN_REVOKE_OFFSET(lane) (0x130u + 64u * (lane))
#define POSTERN_REVOKE_BLOCK_LSB 0u
#define POSTERN_REVOKE_BLOCK_MASK 0x000003FFu

/* Outcome of this lane's last FREE, RETURN or REVOKE. */
#define POSTERN_BLOCK_RESULT_OFFSET(lane) (0x138u + 64u * (lane))
#define POSTERN_BLOCK_RESULT_CODE_LSB 0u
#define POSTERN_BLOCK_RESULT_CODE_MASK 0x00000003u

/* A VM that this one may send to; zero for any other. A write acknowledges a generation. */
#define POSTERN_PEER_OFFSET(vm) (0x180u + 16u * (vm))
#define POSTERN_PEER_GENERATION_LSB 0u
#define POSTERN_PEER_GENERATION_MASK 0x000000FFu
#define POSTERN_PEER_REACHABLE_LSB 8u
#define POSTERN_PEER_REACHABLE_MASK 0x00000100u
#define POSTERN_PEER_ALIVE_LSB 9u
#define POSTERN_PEER_ALIVE_MASK 0x00000200u
#define POSTERN_PEER_ACKNOWLEDGED_LSB 10u
#define POSTERN_PEER_ACKNOWLEDGED_MASK 0x00000400u

/* Messages that this VM could still send to a VM that it may reach. */
#define POSTERN_CREDIT_OFFSET(vm) (0x188u + 16u * (vm))
#define POSTERN_CREDIT_AVAILABLE_LSB 0u
#define POSTERN_CREDIT_AVAILABLE_MASK 0x000001FFu
#define POSTERN_CREDIT_LIMIT_LSB 16u
#define POSTERN_CREDIT_LIMIT_MASK 0x01FF0000u

/* What this VM has of a block; zero if nothing. */
#define POSTERN_BLOCK_OFFSET(block) (0x200u + 8u * (block))
#define POSTERN_BLOCK_HOLDING_LSB 0u
#define POSTERN_BLOCK_HOLDING_MASK 0x00000007u
#define POSTERN_BLOCK_VM_LSB 8u
#define POSTERN_BLOCK_VM_MASK 0x00003F00u
#define POSTERN_BLOCK_TAG_LSB 16u
#define POSTERN_BLOCK_TAG_MASK 0x00FF0000u

/* Payload of the message that a lane is putting together. Word 0 restarts it. */
#define POSTERN_STAGE_OFFSET(lane, word) (0x400u + 128u * (lane) + 8u * (word))
#define POSTERN_STAGE_VALUE_LSB 0u
#define POSTERN_STAGE_VALUE_MASK 0xFFFFFFFFu

/* Payload of the oldest message; zero beyond its end. */
#define POSTERN_WORD_OFFSET(word) (0x500u + 8u * (word))
#define POSTERN_WORD_VALUE_LSB 0u
#define POSTERN_WORD_VALUE_MASK 0xFFFFFFFFu

/* Last word of the oldest message. The read removes the message if this lane read its header. The read acts. */
#define POSTERN_POP_OFFSET(lane) (0x580u + 8u * (lane))
#define POSTERN_POP_WORD_LSB 0u
#define POSTERN_POP_WORD_MASK 0xFFFFFFFFu

/* Last word of a message: the write sends it. */
#define POSTERN_COMMIT_OFFSET(lane, kind, many, vm) (0x600u + 256u * (lane) + 128u * (kind) + 64u * (many) + 8u * (vm))
#define POSTERN_COMMIT_WORD_LSB 0u
#define POSTERN_COMMIT_WORD_MASK 0xFFFFFFFFu

/* The manager page. */

#define POSTERN_MANAGER_SIZE 0xA00u

/* Boot epoch that guests read. */
#define POSTERN_MANAGER_EPOCH_OFFSET 0x0u
#define POSTERN_MANAGER_EPOCH_VALUE_LSB 0u
#define POSTERN_MANAGER_EPOCH_VALUE_MASK 0xFFFFFFFFu

/* Answered when everything that this port accepted before has taken effect. */
#define POSTERN_MANAGER_DRAIN_OFFSET 0x8u
#define POSTERN_MANAGER_DRAIN_DONE_LSB 0u
#define POSTERN_MANAGER_DRAIN_DONE_MASK 0x00000001u

/* Empties the lanes of a VM at a port. */
#define POSTERN_MANAGER_TEAR_OFFSET 0x10u
#define POSTERN_MANAGER_TEAR_VM_LSB 0u
#define POSTERN_MANAGER_TEAR_VM_MASK 0x0000003Fu
#define POSTERN_MANAGER_TEAR_PORT_LSB 8u
#define POSTERN_MANAGER_TEAR_PORT_MASK 0x00000F00u

/* Locks configuration until reset. */
#define POSTERN_MANAGER_LOCK_OFFSET 0x18u
#define POSTERN_MANAGER_LOCK_TAGS_LSB 0u
#define POSTERN_MANAGER_LOCK_TAGS_MASK 0x00000001u
#define POSTERN_MANAGER_LOCK_PERMISSIONS_LSB 1u
#define POSTERN_MANAGER_LOCK_PERMISSIONS_MASK 0x00000002u
#define POSTERN_MANAGER_LOCK_CREDITS_LSB 2u
#define POSTERN_MANAGER_LOCK_CREDITS_MASK 0x00000004u
#define POSTERN_MANAGER_LOCK_QUOTAS_LSB 3u
#define POSTERN_MANAGER_LOCK_QUOTAS_MASK 0x00000008u
#define POSTERN_MANAGER_LOCK_RESIDENCY_LSB 4u
#define POSTERN_MANAGER_LOCK_RESIDENCY_MASK 0x00000010u

/* VMs with a logged fault. A written one clears the record and arms it again. */
#define POSTERN_MANAGER_FAULT_PENDING_OFFSET(half) (0x20u + 8u * (half))
#define POSTERN_MANAGER_FAULT_PENDING_VMS_LSB 0u
#define POSTERN_MANAGER_FAULT_PENDING_VMS_MASK 0x000000FFu

/* Faults that raise the manager's interrupt. */
#define POSTERN_MANAGER_FAULT_ENABLE_OFFSET(half) (0x30u + 8u * (half))
#define POSTERN_MANAGER_FAULT_ENABLE_VMS_LSB 0u
#define POSTERN_MANAGER_FAULT_ENABLE_VMS_MASK 0x000000FFu

/* VMs that have something pending and enabled and are nowhere resident. */
#define POSTERN_MANAGER_WAITING_OFFSET(half) (0x40u + 8u * (half))
#define POSTERN_MANAGER_WAITING_VMS_LSB 0u
#define POSTERN_MANAGER_WAITING_VMS_MASK 0x000000FFu

/* VMs whose WAITING is watched. Disarmed by itself when it fires. */
#define POSTERN_MANAGER_WAIT_ARM_OFFSET(half) (0x50u + 8u * (half))
#define POSTERN_MANAGER_WAIT_ARM_VMS_LSB 0u
#define POSTERN_MANAGER_WAIT_ARM_VMS_MASK 0x000000FFu

/* Stops watching. */
#define POSTERN_MANAGER_WAIT_DISARM_OFFSET(half) (0x60u + 8u * (half))
#define POSTERN_MANAGER_WAIT_DISARM_VMS_LSB 0u
#define POSTERN_MANAGER_WAIT_DISARM_VMS_MASK 0x000000FFu

/* VMs whose watch fired; raises the manager's interrupt. */
#define POSTERN_MANAGER_WAIT_FIRED_OFFSET(half) (0x70u + 8u * (half))
#define POSTERN_MANAGER_WAIT_FIRED_VMS_LSB 0u
#define POSTERN_MANAGER_WAIT_FIRED_VMS_MASK 0x000000FFu

/* Faults of requests without a VM-ID. */
#define POSTERN_MANAGER_STRAY_OFFSET 0x80u
#define POSTERN_MANAGER_STRAY_PENDING_LSB 0u
#define POSTERN_MANAGER_STRAY_PENDING_MASK 0x00000001u
#define POSTERN_MANAGER_STRAY_ENABLE_LSB 8u
#define POSTERN_MANAGER_STRAY_ENABLE_MASK 0x00000100u

/* Blocks that nobody owns. */
#define POSTERN_MANAGER_POOL_OFFSET 0x90u
#define POSTERN_MANAGER_POOL_CLEAN_LSB 0u
#define POSTERN_MANAGER_POOL_CLEAN_MASK 0x000007FFu
#define POSTERN_MANAGER_POOL_DIRTY_LSB 16u
#define POSTERN_MANAGER_POOL_DIRTY_MASK 0x07FF0000u

/* Blocks that somebody owns and nobody pays for, because the payer was killed. */
#define POSTERN_MANAGER_ORPHANS_OFFSET 0x98u
#define POSTERN_MANAGER_ORPHANS_COUNT_LSB 0u
#define POSTERN_MANAGER_ORPHANS_COUNT_MASK 0x000007FFu

/* Takes an orphan from its owner. Refused for any other block. */
#define POSTERN_MANAGER_RECLAIM_OFFSET 0xA0u
#define POSTERN_MANAGER_RECLAIM_BLOCK_LSB 0u
#define POSTERN_MANAGER_RECLAIM_BLOCK_MASK 0x000003FFu

/* Who runs on a core. */
#define POSTERN_MANAGER_RESIDENT_OFFSET(core) (0x100u + 8u * (core))
#define POSTERN_MANAGER_RESIDENT_VM_LSB 0u
#define POSTERN_MANAGER_RESIDENT_VM_MASK 0x0000003Fu
#define POSTERN_MANAGER_RESIDENT_VALID_LSB 31u
#define POSTERN_MANAGER_RESIDENT_VALID_MASK 0x80000000u

/* Blocks that a VM may have allocated. */
#define POSTERN_MANAGER_QUOTA_OFFSET(vm) (0x180u + 16u * (vm))
#define POSTERN_MANAGER_QUOTA_LIMIT_LSB 0u
#define POSTERN_MANAGER_QUOTA_LIMIT_MASK 0x000007FFu
#define POSTERN_MANAGER_QUOTA_USED_LSB 16u
#define POSTERN_MANAGER_QUOTA_USED_MASK 0x07FF0000u

/* Blocks of a VM: what remains before it can be closed. */
#define POSTERN_MANAGER_HOLDINGS_OFFSET(vm) (0x188u + 16u * (vm))
#define POSTERN_MANAGER_HOLDINGS_OWNED_LSB 0u
#define POSTERN_MANAGER_HOLDINGS_OWNED_MASK 0x000007FFu
#define POSTERN_MANAGER_HOLDINGS_BORROWED_LSB 16u
#define POSTERN_MANAGER_HOLDINGS_BORROWED_MASK 0x07FF0000u

/* Commands to and state of a VM. */
#define POSTERN_MANAGER_CONTROL_OFFSET(vm) (0x200u + 16u * (vm))
#define POSTERN_MANAGER_CONTROL_COMMAND_LSB 0u
#define POSTERN_MANAGER_CONTROL_COMMAND_MASK 0x00000007u
#define POSTERN_MANAGER_CONTROL_STATE_LSB 8u
#define POSTERN_MANAGER_CONTROL_STATE_MASK 0x00000300u
#define POSTERN_MANAGER_CONTROL_REFUSED_LSB 10u
#define POSTERN_MANAGER_CONTROL_REFUSED_MASK 0x00000400u
#define POSTERN_MANAGER_CONTROL_KILLING_LSB 11u
#define POSTERN_MANAGER_CONTROL_KILLING_MASK 0x00000800u
#define POSTERN_MANAGER_CONTROL_QUEUED_LSB 16u
#define POSTERN_MANAGER_CONTROL_QUEUED_MASK 0x01FF0000u

/* Generation of a VM. */
#define POSTERN_MANAGER_GENERATION_OFFSET(vm) (0x208u + 16u * (vm))
#define POSTERN_MANAGER_GENERATION_VALUE_LSB 0u
#define POSTERN_MANAGER_GENERATION_VALUE_MASK 0x000000FFu

/* Who may send to a VM. */
#define POSTERN_MANAGER_PERMIT_OFFSET(vm, half) (0x280u + 16u * (vm) + 8u * (half))
#define POSTERN_MANAGER_PERMIT_SENDERS_LSB 0u
#define POSTERN_MANAGER_PERMIT_SENDERS_MASK 0x000000FFu

/* Bits that a tag must have. */
#define POSTERN_MANAGER_TAG_MATCH_OFFSET(entry) (0x300u + 32u * (entry))
#define POSTERN_MANAGER_TAG_MATCH_VALUE_LSB 0u
#define POSTERN_MANAGER_TAG_MATCH_VALUE_MASK 0x0000000Fu

/* Bits that are compared. */
#define POSTERN_MANAGER_TAG_MASK_OFFSET(entry) (0x308u + 32u * (entry))
#define POSTERN_MANAGER_TAG_MASK_VALUE_LSB 0u
#define POSTERN_MANAGER_TAG_MASK_VALUE_MASK 0x0000000Fu

/* VM of an entry; the lowest entry that matches counts. */
#define POSTERN_MANAGER_TAG_VM_OFFSET(entry) (0x310u + 32u * (entry))
#define POSTERN_MANAGER_TAG_VM_VM_LSB 0u
#define POSTERN_MANAGER_TAG_VM_VM_MASK 0x0000003Fu
#define POSTERN_MANAGER_TAG_VM_VALID_LSB 31u
#define POSTERN_MANAGER_TAG_VM_VALID_MASK 0x80000000u

/* First refused write of a VM; the last record is for requests without one. */
#define POSTERN_MANAGER_FAULT_WRITE_OFFSET(vm) (0x400u + 32u * (vm))
#define POSTERN_MANAGER_FAULT_WRITE_KIND_LSB 0u
#define POSTERN_MANAGER_FAULT_WRITE_KIND_MASK 0x0000000Fu
#define POSTERN_MANAGER_FAULT_WRITE_PORT_LSB 8u
#define POSTERN_MANAGER_FAULT_WRITE_PORT_MASK 0x00000F00u
#define POSTERN_MANAGER_FAULT_WRITE_COUNT_LSB 16u
#define POSTERN_MANAGER_FAULT_WRITE_COUNT_MASK 0xFFFF0000u

/* Its address. */
#define POSTERN_MANAGER_FAULT_WRITE_ADDRESS_OFFSET(vm) (0x408u + 32u * (vm))
#define POSTERN_MANAGER_FAULT_WRITE_ADDRESS_OFFSET_LSB 0u
#define POSTERN_MANAGER_FAULT_WRITE_ADDRESS_OFFSET_MASK 0xFFFFFFFFu

/* First refused read of a VM; the last record is for requests without one. */
#define POSTERN_MANAGER_FAULT_READ_OFFSET(vm) (0x410u + 32u * (vm))
#define POSTERN_MANAGER_FAULT_READ_KIND_LSB 0u
#define POSTERN_MANAGER_FAULT_READ_KIND_MASK 0x0000000Fu
#define POSTERN_MANAGER_FAULT_READ_PORT_LSB 8u
#define POSTERN_MANAGER_FAULT_READ_PORT_MASK 0x00000F00u
#define POSTERN_MANAGER_FAULT_READ_COUNT_LSB 16u
#define POSTERN_MANAGER_FAULT_READ_COUNT_MASK 0xFFFF0000u

/* Its address. */
#define POSTERN_MANAGER_FAULT_READ_ADDRESS_OFFSET(vm) (0x418u + 32u * (vm))
#define POSTERN_MANAGER_FAULT_READ_ADDRESS_OFFSET_LSB 0u
#define POSTERN_MANAGER_FAULT_READ_ADDRESS_OFFSET_MASK 0xFFFFFFFFu

/* Credits of a sender at a receiver. */
#define POSTERN_MANAGER_CREDITS_OFFSET(receiver, sender) (0x600u + 64u * (receiver) + 8u * (sender))
#define POSTERN_MANAGER_CREDITS_LIMIT_LSB 0u
#define POSTERN_MANAGER_CREDITS_LIMIT_MASK 0x000001FFu
#define POSTERN_MANAGER_CREDITS_USED_LSB 16u
#define POSTERN_MANAGER_CREDITS_USED_MASK 0x01FF0000u

/* Who has a block; zero if nobody owns it. */
#define POSTERN_MANAGER_RIGHTS_OFFSET(block) (0x800u + 8u * (block))
#define POSTERN_MANAGER_RIGHTS_OWNER_LSB 0u
#define POSTERN_MANAGER_RIGHTS_OWNER_MASK 0x0000003Fu
#define POSTERN_MANAGER_RIGHTS_OWNED_LSB 7u
#define POSTERN_MANAGER_RIGHTS_OWNED_MASK 0x00000080u
#define POSTERN_MANAGER_RIGHTS_PAYER_LSB 8u
#define POSTERN_MANAGER_RIGHTS_PAYER_MASK 0x00003F00u
#define POSTERN_MANAGER_RIGHTS_ORPHAN_LSB 15u
#define POSTERN_MANAGER_RIGHTS_ORPHAN_MASK 0x00008000u
#define POSTERN_MANAGER_RIGHTS_BORROWER_LSB 16u
#define POSTERN_MANAGER_RIGHTS_BORROWER_MASK 0x003F0000u
#define POSTERN_MANAGER_RIGHTS_LENT_LSB 22u
#define POSTERN_MANAGER_RIGHTS_LENT_MASK 0x00400000u
#define POSTERN_MANAGER_RIGHTS_SHOWN_LSB 23u
#define POSTERN_MANAGER_RIGHTS_SHOWN_MASK 0x00800000u

/* Accesses. */

static inline uint32_t postern_read32(uintptr_t page, uint32_t offset)
{
    return *(const volatile uint32_t *)(page + offset);
}

static inline void postern_write32(uintptr_t page, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(page + offset) = value;
}

/* Registers of the guest page. */

static inline uint32_t postern_read_magic(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_MAGIC_OFFSET);
}

static inline uint32_t postern_read_version(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_VERSION_OFFSET);
}

static inline uint32_t postern_read_features(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_FEATURES_OFFSET);
}

static inline uint32_t postern_read_dimensions(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_DIMENSIONS_OFFSET);
}

static inline uint32_t postern_read_capacity(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_CAPACITY_OFFSET);
}

static inline uint32_t postern_read_self(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_SELF_OFFSET);
}

static inline uint32_t postern_read_epoch(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_EPOCH_OFFSET);
}

static inline uint32_t postern_read_memory(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_MEMORY_OFFSET);
}

static inline uint32_t postern_read_quota(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_QUOTA_OFFSET);
}

static inline uint32_t postern_read_alloc(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_ALLOC_OFFSET);
}

static inline uint32_t postern_read_irq_state(uintptr_t guest)
{
    return postern_read32(guest, POSTERN_IRQ_STATE_OFFSET);
}

static inline void postern_write_irq_state(uintptr_t guest, uint32_t value)
{
    postern_write32(guest, POSTERN_IRQ_STATE_OFFSET, value);
}

static inline void postern_write_irq_test(uintptr_t guest, uint32_t value)
{
    postern_write32(guest, POSTERN_IRQ_TEST_OFFSET, value);
}

static inline void postern_write_ring(uintptr_t guest, uint32_t value)
{
    postern_write32(guest, POSTERN_RING_OFFSET, value);
}

static inline uint32_t postern_read_pending(uintptr_t guest, uint32_t half)
{
    return postern_read32(guest, POSTERN_PENDING_OFFSET(half));
}

static inline void postern_write_pending(uintptr_t guest, uint32_t half, uint32_t value)
{
    postern_write32(guest, POSTERN_PENDING_OFFSET(half), value);
}

static inline uint32_t postern_read_irq_enable(uintptr_t guest, uint32_t core)
{
    return postern_read32(guest, POSTERN_IRQ_ENABLE_OFFSET(core));
}

static inline void postern_write_irq_enable(uintptr_t guest, uint32_t core, uint32_t value)
{
    postern_write32(guest, POSTERN_IRQ_ENABLE_OFFSET(core), value);
}

static inline uint32_t postern_read_result(uintptr_t guest, uint32_t lane)
{
    return postern_read32(guest, POSTERN_RESULT_OFFSET(lane));
}

static inline void postern_write_ack(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_write32(guest, POSTERN_ACK_OFFSET(lane), value);
}

static inline uint32_t postern_read_header(uintptr_t guest, uint32_t lane)
{
    return postern_read32(guest, POSTERN_HEADER_OFFSET(lane));
}

static inline uint32_t postern_read_rx_result(uintptr_t guest, uint32_t lane)
{
    return postern_read32(guest, POSTERN_RX_RESULT_OFFSET(lane));
}

static inline void postern_write_free(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_write32(guest, POSTERN_FREE_OFFSET(lane), value);
}

static inline void postern_write_return(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_write32(guest, POSTERN_RETURN_OFFSET(lane), value);
}

static inline void postern_write_revoke(uintptr_t guest, uint32_t lane, uint32_t value)
{
    postern_write32(guest, POSTERN_REVOKE_OFFSET(lane), value);
}

static inline uint32_t postern_read_block_result(uintptr_t guest, uint32_t lane)
{
    return postern_read32(guest, POSTERN_BLOCK_RESULT_OFFSET(lane));
}

static inline uint32_t postern_read_peer(uintptr_t guest, uint32_t vm)
{
    return postern_read32(guest, POSTERN_PEER_OFFSET(vm));
}

static inline void postern_write_peer(uintptr_t guest, uint32_t vm, uint32_t value)
{
    postern_write32(guest, POSTERN_PEER_OFFSET(vm), value);
}

static inline uint32_t postern_read_credit(uintptr_t guest, uint32_t vm)
{
    return postern_read32(guest, POSTERN_CREDIT_OFFSET(vm));
}

static inline uint32_t postern_read_block(uintptr_t guest, uint32_t block)
{
    return postern_read32(guest, POSTERN_BLOCK_OFFSET(block));
}

static inline void postern_write_stage(uintptr_t guest, uint32_t lane, uint32_t word, uint32_t value)
{
    postern_write32(guest, POSTERN_STAGE_OFFSET(lane, word), value);
}

static inline uint32_t postern_read_word(uintptr_t guest, uint32_t word)
{
    return postern_read32(guest, POSTERN_WORD_OFFSET(word));
}

static inline uint32_t postern_read_pop(uintptr_t guest, uint32_t lane)
{
    return postern_read32(guest, POSTERN_POP_OFFSET(lane));
}

static inline void postern_write_commit(uintptr_t guest, uint32_t lane, uint32_t kind, uint32_t many, uint32_t vm, uint32_t value)
{
    postern_write32(guest, POSTERN_COMMIT_OFFSET(lane, kind, many, vm), value);
}

/* Registers of the manager page. */

static inline uint32_t postern_manager_read_epoch(uintptr_t manager)
{
    return postern_read32(manager, POSTERN_MANAGER_EPOCH_OFFSET);
}

static inline void postern_manager_write_epoch(uintptr_t manager, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_EPOCH_OFFSET, value);
}

static inline uint32_t postern_manager_read_drain(uintptr_t manager)
{
    return postern_read32(manager, POSTERN_MANAGER_DRAIN_OFFSET);
}

static inline void postern_manager_write_tear(uintptr_t manager, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_TEAR_OFFSET, value);
}

static inline uint32_t postern_manager_read_lock(uintptr_t manager)
{
    return postern_read32(manager, POSTERN_MANAGER_LOCK_OFFSET);
}

static inline void postern_manager_write_lock(uintptr_t manager, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_LOCK_OFFSET, value);
}

static inline uint32_t postern_manager_read_fault_pending(uintptr_t manager, uint32_t half)
{
    return postern_read32(manager, POSTERN_MANAGER_FAULT_PENDING_OFFSET(half));
}

static inline void postern_manager_write_fault_pending(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_FAULT_PENDING_OFFSET(half), value);
}

static inline uint32_t postern_manager_read_fault_enable(uintptr_t manager, uint32_t half)
{
    return postern_read32(manager, POSTERN_MANAGER_FAULT_ENABLE_OFFSET(half));
}

static inline void postern_manager_write_fault_enable(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_FAULT_ENABLE_OFFSET(half), value);
}

static inline uint32_t postern_manager_read_waiting(uintptr_t manager, uint32_t half)
{
    return postern_read32(manager, POSTERN_MANAGER_WAITING_OFFSET(half));
}

static inline uint32_t postern_manager_read_wait_arm(uintptr_t manager, uint32_t half)
{
    return postern_read32(manager, POSTERN_MANAGER_WAIT_ARM_OFFSET(half));
}

static inline void postern_manager_write_wait_arm(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_WAIT_ARM_OFFSET(half), value);
}

static inline void postern_manager_write_wait_disarm(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_WAIT_DISARM_OFFSET(half), value);
}

static inline uint32_t postern_manager_read_wait_fired(uintptr_t manager, uint32_t half)
{
    return postern_read32(manager, POSTERN_MANAGER_WAIT_FIRED_OFFSET(half));
}

static inline void postern_manager_write_wait_fired(uintptr_t manager, uint32_t half, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_WAIT_FIRED_OFFSET(half), value);
}

static inline uint32_t postern_manager_read_stray(uintptr_t manager)
{
    return postern_read32(manager, POSTERN_MANAGER_STRAY_OFFSET);
}

static inline void postern_manager_write_stray(uintptr_t manager, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_STRAY_OFFSET, value);
}

static inline uint32_t postern_manager_read_pool(uintptr_t manager)
{
    return postern_read32(manager, POSTERN_MANAGER_POOL_OFFSET);
}

static inline uint32_t postern_manager_read_orphans(uintptr_t manager)
{
    return postern_read32(manager, POSTERN_MANAGER_ORPHANS_OFFSET);
}

static inline void postern_manager_write_reclaim(uintptr_t manager, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_RECLAIM_OFFSET, value);
}

static inline uint32_t postern_manager_read_resident(uintptr_t manager, uint32_t core)
{
    return postern_read32(manager, POSTERN_MANAGER_RESIDENT_OFFSET(core));
}

static inline void postern_manager_write_resident(uintptr_t manager, uint32_t core, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_RESIDENT_OFFSET(core), value);
}

static inline uint32_t postern_manager_read_quota(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_QUOTA_OFFSET(vm));
}

static inline void postern_manager_write_quota(uintptr_t manager, uint32_t vm, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_QUOTA_OFFSET(vm), value);
}

static inline uint32_t postern_manager_read_holdings(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_HOLDINGS_OFFSET(vm));
}

static inline uint32_t postern_manager_read_control(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_CONTROL_OFFSET(vm));
}

static inline void postern_manager_write_control(uintptr_t manager, uint32_t vm, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_CONTROL_OFFSET(vm), value);
}

static inline uint32_t postern_manager_read_generation(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_GENERATION_OFFSET(vm));
}

static inline uint32_t postern_manager_read_permit(uintptr_t manager, uint32_t vm, uint32_t half)
{
    return postern_read32(manager, POSTERN_MANAGER_PERMIT_OFFSET(vm, half));
}

static inline void postern_manager_write_permit(uintptr_t manager, uint32_t vm, uint32_t half, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_PERMIT_OFFSET(vm, half), value);
}

static inline uint32_t postern_manager_read_tag_match(uintptr_t manager, uint32_t entry)
{
    return postern_read32(manager, POSTERN_MANAGER_TAG_MATCH_OFFSET(entry));
}

static inline void postern_manager_write_tag_match(uintptr_t manager, uint32_t entry, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_TAG_MATCH_OFFSET(entry), value);
}

static inline uint32_t postern_manager_read_tag_mask(uintptr_t manager, uint32_t entry)
{
    return postern_read32(manager, POSTERN_MANAGER_TAG_MASK_OFFSET(entry));
}

static inline void postern_manager_write_tag_mask(uintptr_t manager, uint32_t entry, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_TAG_MASK_OFFSET(entry), value);
}

static inline uint32_t postern_manager_read_tag_vm(uintptr_t manager, uint32_t entry)
{
    return postern_read32(manager, POSTERN_MANAGER_TAG_VM_OFFSET(entry));
}

static inline void postern_manager_write_tag_vm(uintptr_t manager, uint32_t entry, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_TAG_VM_OFFSET(entry), value);
}

static inline uint32_t postern_manager_read_fault_write(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_FAULT_WRITE_OFFSET(vm));
}

static inline uint32_t postern_manager_read_fault_write_address(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_FAULT_WRITE_ADDRESS_OFFSET(vm));
}

static inline uint32_t postern_manager_read_fault_read(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_FAULT_READ_OFFSET(vm));
}

static inline uint32_t postern_manager_read_fault_read_address(uintptr_t manager, uint32_t vm)
{
    return postern_read32(manager, POSTERN_MANAGER_FAULT_READ_ADDRESS_OFFSET(vm));
}

static inline uint32_t postern_manager_read_credits(uintptr_t manager, uint32_t receiver, uint32_t sender)
{
    return postern_read32(manager, POSTERN_MANAGER_CREDITS_OFFSET(receiver, sender));
}

static inline void postern_manager_write_credits(uintptr_t manager, uint32_t receiver, uint32_t sender, uint32_t value)
{
    postern_write32(manager, POSTERN_MANAGER_CREDITS_OFFSET(receiver, sender), value);
}

static inline uint32_t postern_manager_read_rights(uintptr_t manager, uint32_t block)
{
    return postern_read32(manager, POSTERN_MANAGER_RIGHTS_OFFSET(block));
}

/* What a guest does. */

/* Send a message of count words, 1 to POSTERN_WORDS. What became of it, and of those before it, is in
 * postern_read_result(): the first refusal since the last acknowledge, and how many commits were accepted. */
static inline void postern_send(uintptr_t guest, uint32_t lane, uint32_t destination, const uint32_t *words,
                              uint32_t count)
{
    uint32_t i;
    for (i = 0; i + 1u < count; i++)
        postern_write_stage(guest, lane, i, words[i]);
    postern_write_commit(guest, lane, POSTERN_KIND_PLAIN, count > 1u, destination, words[i]);
}

/* Take the oldest message into words, which has room for POSTERN_WORDS. Returns its header, or zero when there is
 * none or another context of this VM took it first. */
static inline uint32_t postern_receive(uintptr_t guest, uint32_t lane, uint32_t *words)
{
    uint32_t header = postern_read_header(guest, lane);
    uint32_t count = POSTERN_GET(POSTERN_HEADER_COUNT, header);
    uint32_t i, last;
    if (count == 0u)
        return 0u;
    for (i = 0; i + 1u < count; i++)
        words[i] = postern_read_word(guest, i);
    last = postern_read_pop(guest, lane);
    if (last == 0u && postern_read_rx_result(guest, lane) != (uint32_t)POSTERN_POPPED_POPPED)
        return 0u;
    words[i] = last;
    return header;
}

/* Acknowledge the present generation of a VM, so that messages to it are accepted. Returns that generation, or zero
 * where the VM may not be reached. */
static inline uint32_t postern_connect(uintptr_t guest, uint32_t vm)
{
    uint32_t generation = POSTERN_GET(POSTERN_PEER_GENERATION, postern_read_peer(guest, vm));
    if (generation != 0u)
        postern_write_peer(guest, vm, generation);
    return generation;
}

/* What a guest does with blocks of the shared SRAM. A window of the SRAM is given by the address at which it is mapped,
 * as device memory like the pages: then what was written to a block is there for whoever gets it by a message. */

/* Where the words of a block are. What this VM has no right to reads as zero, and is not written. */
static inline volatile uint32_t *postern_block(uintptr_t sram, uint32_t block)
{
    return (volatile uint32_t *)(sram + (uintptr_t)POSTERN_BLOCK_SIZE * block);
}

/* Allocate a block; it reads as zero. Returns 1, or 0 when there is no quota left or no clean block yet: then
 * POSTERN_INTERRUPT_BLOCK says when it is worth another try. */
static inline uint32_t postern_alloc(uintptr_t guest, uint32_t *block)
{
    uint32_t word = postern_read_alloc(guest);
    *block = POSTERN_GET(POSTERN_ALLOC_BLOCK, word);
    return POSTERN_GET(POSTERN_ALLOC_VALID, word);
}

/* Give up a block. Returns 1, or 0 where it is not this VM's, or lent or shown. */
static inline uint32_t postern_free(uintptr_t guest, uint32_t lane, uint32_t block)
{
    postern_write_free(guest, lane, block);
    return postern_read_block_result(guest, lane) == (uint32_t)POSTERN_SETTLED_DONE;
}

/* Send a message that hands a block over, of count words beside the block, 0 to POSTERN_WORDS - 1. What became of it is
 * in postern_read_result(). The receiver has the block as the last word, in the fields of POSTERN_RETURN, where
 * POSTERN_HEADER_KIND of the header is POSTERN_KIND_BLOCK. */
static inline void postern_send_block(uintptr_t guest, uint32_t lane, uint32_t destination, const uint32_t *words,
                                    uint32_t count, uint32_t block, enum postern_handover how)
{
    uint32_t i;
    for (i = 0; i < count; i++)
        postern_write_stage(guest, lane, i, words[i]);
    postern_write_commit(guest, lane, POSTERN_KIND_BLOCK, count > 0u, destination,
        POSTERN_PUT(POSTERN_RETURN_KIND, how) | POSTERN_PUT(POSTERN_RETURN_BLOCK, block));
}

/* Give a borrowed block back, by the word that brought it. Returns 1 where the loan stood until now: only then was
 * what was read from it the owner's. Returns 0 where it was over already. */
static inline uint32_t postern_give_back(uintptr_t guest, uint32_t lane, uint32_t word)
{
    postern_write_return(guest, lane, word);
    return postern_read_block_result(guest, lane) == (uint32_t)POSTERN_SETTLED_DONE;
}

/* End the loan of a block of this VM. Returns 1, or 0 where it is not this VM's, or neither lent nor shown. */
static inline uint32_t postern_revoke(uintptr_t guest, uint32_t lane, uint32_t block)
{
    postern_write_revoke(guest, lane, block);
    return postern_read_block_result(guest, lane) == (uint32_t)POSTERN_SETTLED_DONE;
}

/* Wait until every write through this port has taken effect. A message through the same port needs it not; it is for
 * telling another core, which uses another port, by another way than a message. */
static inline void postern_publish(uintptr_t guest)
{
    (void)postern_read_self(guest);
}

/* What a manager does. */

/* Give a command to a VM. Returns 1 if it was executed, 0 if it was refused. */
static inline uint32_t postern_manager_command(uintptr_t manager, uint32_t vm, enum postern_command command)
{
    postern_manager_write_control(manager, vm, POSTERN_PUT(POSTERN_MANAGER_CONTROL_COMMAND, command));
    return !POSTERN_GET(POSTERN_MANAGER_CONTROL_REFUSED, postern_manager_read_control(manager, vm));
}

/* Let sender send to receiver, with so many credits. Returns 1 if the credits were granted, 0 if they are fewer than
 * the messages that wait, or more than the receiver's queue has left. */
static inline uint32_t postern_manager_permit(uintptr_t manager, uint32_t sender, uint32_t receiver, uint32_t credits)
{
    uint32_t half = sender / 32u;
    uint32_t granted;
    postern_manager_write_credits(manager, receiver, sender, POSTERN_PUT(POSTERN_MANAGER_CREDITS_LIMIT, credits));
    granted = postern_manager_read_credits(manager, receiver, sender);
    postern_manager_write_permit(manager, receiver, half,
        postern_manager_read_permit(manager, receiver, half) | (uint32_t)1 << (sender % 32u));
    return POSTERN_GET(POSTERN_MANAGER_CREDITS_LIMIT, granted) == credits;
}

/* Let a VM have so many blocks allocated. Returns 1 if they were granted, 0 if they are fewer than it has allocated
 * now, or more than there are beside what others were granted. */
static inline uint32_t postern_manager_quota(uintptr_t manager, uint32_t vm, uint32_t count)
{
    postern_manager_write_quota(manager, vm, POSTERN_PUT(POSTERN_MANAGER_QUOTA_LIMIT, count));
    return POSTERN_GET(POSTERN_MANAGER_QUOTA_LIMIT, postern_manager_read_quota(manager, vm)) == count;
}

#endif /* POSTERN_H */
