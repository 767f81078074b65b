// Bus masters around a Verilated block, and a C interface for ctypes.
//
// Every port has a master with a queue of requests. A blocking access is a queue of one; throughput and latency are
// measured on full queues; the lockstep tests add pauses, resets and an event log. The bus rules are checked in every
// cycle, whoever uses the masters.
//
// One cycle: the masters drive their wires, combinational outputs settle, the masters look at them, the clock rises.

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "pins.h"  // PORT_LIST, masks, IRQ_WIDTH, PROBE, MUTANTS: from the configuration
#include "verilated.h"
#if TRACE
#include "verilated_vcd_c.h"
#endif
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

namespace {

struct Request {  // rtl.REQUEST
    uint64_t data;      // as on the wires: on 64 bits in the lanes of its address, strobes likewise
    uint32_t address;
    uint16_t tag;
    uint16_t gap;       // idle cycles before the request is valid
    uint16_t data_gap;  // the same for write data, where the bus has a channel for it
    uint16_t beats;     // of the burst that it begins; 0: it goes on with the burst of the one before
    uint16_t id;
    uint8_t strobes;
    uint8_t prot;
    uint8_t write;
    uint8_t fence;  // it and all that follow wait until everything before it is answered
    uint8_t vary;   // mix the request's number into the data, so that no two words are alike
    uint8_t size;   // AxSIZE, AxBURST, AxCACHE and AxLOCK of the burst
    uint8_t kind;
    uint8_t cache;
    uint8_t lock;
    uint8_t reserved;
};

struct Done {  // rtl.DONE
    uint64_t accepted;
    uint64_t answered;
    uint64_t data;
    uint16_t response;
    uint16_t state;  // PENDING, ANSWERED, DROPPED
    uint32_t reserved;
};

enum State : uint16_t { PENDING, ANSWERED, DROPPED };

struct Event {  // lockstep.EVENT
    uint32_t cycle;
    uint8_t kind;
    uint8_t port;
    uint16_t response;
    uint32_t index;
    uint32_t reserved;
    uint64_t data;
};

// In the order in which those of one cycle are logged.
enum Kind : uint8_t {
    IRQ, MANAGER_IRQ, PORT_RESET, BLOCK_RESET, RESOLVED, ACCEPT, WALK, KILL, CLEAN, WAITED, READ_ISSUE, WRITE_ISSUE,
    READ_LOGGED, WRITE_LOGGED, READ_DONE, WRITE_DONE
};

struct Pace {  // rtl.PACE
    uint32_t seed;
    uint8_t b_chance;  // of a pause in accepting write responses, in 256 per cycle
    uint8_t r_chance;  // the same for read responses
    uint8_t pause;     // longest such pause in cycles
    uint8_t reads;     // most reads that are outstanding
    uint8_t writes;    // most writes that are outstanding
    uint8_t noise;     // drive requests while the port is in reset, to see that they are not accepted
    uint16_t reserved;
};

struct Reset {  // rtl.RESET
    uint64_t cycle;
    uint32_t ports;  // one bit per port; all ones for the whole block
    uint32_t cycles;
};

constexpr uint32_t BLOCK = 0xFFFFFFFF;

// A request that takes something from the pocket of a VM when it starts, or whose answer goes into it.
struct Use {  // rtl.USE
    uint32_t index;
    uint8_t take;  // Take
    uint8_t keep;  // Keep
    uint8_t vm;
    uint8_t pick;
};
enum Take : uint8_t { TAKE_NOTHING, TAKE_BLOCK, TAKE_LOAN, TAKE_PLACE, TAKE_HOT_PLACE, TAKE_PEER };  // places: to address
enum Keep : uint8_t { KEEP_NOTHING, KEEP_BLOCK, KEEP_WORD, KEEP_PEER };
constexpr uint32_t NUMBER = 0x3FF, OTHERS = 0x3F00FC00;  // fields of RETURN: number of the block; what is no field

// What a VM remembers: the blocks that it got last, the last words of messages that brought one, generations of peers.
struct Pocket {
    static constexpr uint32_t SIZE = 4;
    static constexpr uint8_t LATEST = 255;
    uint32_t blocks[SIZE] = {}, loans[SIZE] = {};
    uint32_t next_block = 0, next_loan = 0;
    uint8_t peers[64] = {};
    uint32_t block(uint8_t pick) const { return blocks[(pick == LATEST ? next_block + SIZE - 1 : pick) % SIZE]; }
    uint32_t loan(uint8_t pick) const { return loans[(pick == LATEST ? next_loan + SIZE - 1 : pick) % SIZE]; }
    void put(Keep keep, uint8_t pick, uint32_t data) {
        if (keep == KEEP_PEER) {
            peers[pick & 63] = uint8_t(data);
            return;
        }
        uint32_t block = data & NUMBER;
        if (block >= BLOCKS || !(data >> 30) || (data & OTHERS)) return;
        if (keep == KEEP_WORD) loans[next_loan++ % SIZE] = data;
        if (keep == KEEP_BLOCK || data >> 30 == 1) blocks[next_block++ % SIZE] = block;
    }
};

struct Random {
    uint32_t state = 1;
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 17;
        return state ^= state << 5;
    }
};

struct Bench;

// What is common to the masters: the queue, what became of its requests, and what the probes said.
struct Master {
    Bench& bench;
    const uint8_t id;
    Pace pace{1, 0, 0, 0, 16, 16, 0, 0};
    Random random;
    std::vector<Request> requests;
    std::vector<Done> done;
    std::vector<uint32_t> after;          // requests before this one are answered before it starts
    std::vector<uint32_t> reads, writes;  // positions in `requests`
    std::vector<Use> uses;                // of the requests that have one, by position; as many as there are, or fewer
    size_t reads_issued = 0, writes_issued = 0;
    size_t answered = 0;
    bool in_reset = false;  // the port's or the block's
    bool rst = false;       // its pin

    Master(Bench& b, uint8_t number) : bench(b), id(number) {}
    virtual ~Master() = default;

    void push(const Request& request) {
        uint32_t index = uint32_t(requests.size());
        after.push_back(request.fence ? index : index ? after.back() : 0);
        (request.write ? writes : reads).push_back(index);
        requests.push_back(request);
        if (request.vary) requests.back().data ^= index * 0x9E3779B1u;
        done.push_back({0, 0, 0, 0, PENDING, 0});
    }
    bool idle() const { return answered == requests.size(); }
    bool free_to_start(uint32_t index) const { return answered >= after[index]; }
    void resolve(uint32_t index);
    void answer(Kind kind, uint32_t index, uint64_t data, uint16_t response);
    bool continues(const std::vector<uint32_t>& queue, size_t at) const {
        return at < queue.size() && requests[queue[at]].beats == 0;
    }
    // Where the burst ends that the request at `at` belongs to: one behind its last.
    size_t end_of_burst(const std::vector<uint32_t>& queue, size_t at) const {
        while (continues(queue, ++at)) {}
        return at;
    }
    void drop(uint32_t index) {
        if (done[index].state != PENDING) return;
        done[index].state = DROPPED;
        answered++;
    }
    virtual void accept() {}  // the block has accepted a request, where its pins do not say so
    virtual bool wide() const { return false; }  // 64 bits
    virtual size_t reads_accepted() const = 0;
    virtual size_t writes_accepted() const = 0;
    virtual void reset() = 0;  // forget everything that was started
    virtual void clear() = 0;  // empty the queue; only when idle
    virtual void drive() = 0;
    virtual void load(Vtop& top) = 0;   // wires to pins
    virtual void store(Vtop& top) = 0;  // pins to wires
    virtual void observe() = 0;
};

// A wait that is too long, counted only while the master holds nothing back.
struct Watchdog {
    uint32_t waited = 0;
    bool late(bool waiting, bool open, uint32_t bound) {
        if (!waiting) waited = 0;
        else if (open) waited++;
        return waited > bound;
    }
};

struct Bench {
    VerilatedContext context;
    std::unique_ptr<Vtop> top;
    std::vector<std::unique_ptr<Master>> ports;
    std::vector<Reset> resets;
    std::vector<Event> events, responses;  // responses of this cycle, until they are logged behind its other events
    std::string failure;
    uint64_t cycle = 0;
    uint64_t settled = 0;  // cycle from which on the ports have to accept requests
    uint32_t bound = 1000, settle = 100000;
    bool logging = false;
    uint32_t irq[4] = {0, 0, 0, 0};
    uint32_t manager_irq = 0;
    Pocket pockets[64];
    uint32_t hot = 0;  // block that somebody handed over or gave up last
#if TRACE
    std::unique_ptr<VerilatedVcdC> vcd;
#endif

    explicit Bench(uint32_t seed);
    ~Bench() {
        top->final();
#if TRACE
        if (vcd) vcd->close();
#endif
    }

    void fail(int port, const char* format, ...) __attribute__((format(printf, 3, 4))) {
        if (!failure.empty()) return;
        char text[256];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        failure = "cycle " + std::to_string(cycle) + ", port " + std::to_string(port) + ": " + text;
    }
    void log(Kind kind, uint8_t port, uint32_t index, uint64_t data = 0, uint16_t response = 0) {
        if (logging) (kind >= READ_DONE ? responses : events).push_back({uint32_t(cycle), kind, port, response, index, 0, data});
    }
    void step();
    void look_at_interrupts();
    void look_at_probes();
};

void Master::answer(Kind kind, uint32_t index, uint64_t data, uint16_t response) {
    Done& d = done[index];
    d.answered = bench.cycle;
    d.data = data;
    d.response = response;
    d.state = ANSWERED;
    answered++;
    if (index < uses.size() && uses[index].keep) bench.pockets[uses[index].vm & 63].put(Keep(uses[index].keep), uses[index].pick, uint32_t(data));
    bench.log(kind, id, index, data, response);
}

// Fill in what a request takes from a pocket, once, before it is driven for the first time.
void Master::resolve(uint32_t index) {
    if (index >= uses.size() || !uses[index].take) return;
    Use& use = uses[index];
    Request& request = requests[index];
    const Pocket& pocket = bench.pockets[use.vm & 63];
    uint32_t block = pocket.block(use.pick);
    if (use.take == TAKE_BLOCK) request.data = (request.data & ~NUMBER) | block;
    else if (use.take == TAKE_LOAN) request.data = pocket.loan(use.pick);
    else if (use.take == TAKE_PEER) request.data = pocket.peers[use.pick & 63];
    else request.address += (use.take == TAKE_PLACE ? block : bench.hot) << BLOCK_LOG;
    bool to_data = use.take != TAKE_PLACE && use.take != TAKE_HOT_PLACE;
    if (to_data && use.take != TAKE_PEER && (request.data & NUMBER) < BLOCKS) bench.hot = request.data & NUMBER;
    use.take = TAKE_NOTHING;
    bench.log(RESOLVED, id, index, to_data ? uint32_t(request.data) : request.address);
}

// One valid/ready channel that sends the entries of a queue in order.
struct Sender {
    size_t next = 0;     // entry that is sent or waits for its turn
    uint32_t waited = 0; // idle cycles before it
    bool valid = false;
    Watchdog dog;
    bool start(bool may, uint32_t gap) {
        if (!valid && may && waited++ >= gap) valid = true;
        return valid;
    }
    void sent(size_t many = 1) { next += many, waited = 0, valid = false; }
};

// The ready side of a response channel: open, or pausing.
struct Receiver {
    uint32_t pause = 0;
    bool held = false;  // valid without ready in the last cycle
    uint64_t data = 0;
    uint16_t id = 0;
    uint8_t response = 0;
    Watchdog dog;
    bool ready(Random& random, uint8_t chance, uint8_t longest) {
        if (pause) return --pause == 0;
        if (chance && (random.next() & 255) < chance) pause = 1 + random.next() % (longest ? longest : 1);
        return pause == 0;
    }
};

struct AxiWires {
    uint64_t wdata = 0, rdata = 0;
    uint32_t awaddr = 0, araddr = 0;
    uint16_t awuser = 0, aruser = 0, awid = 0, arid = 0, bid = 0, rid = 0;
    uint8_t awprot = 0, wstrb = 0, arprot = 0, bresp = 0, rresp = 0;
    uint8_t awlen = 0, awsize = 0, awburst = 0, awcache = 0, arlen = 0, arsize = 0, arburst = 0, arcache = 0;
    bool awlock = false, arlock = false, wlast = false, rlast = false;
    bool awvalid = false, awready = false, wvalid = false, wready = false, bvalid = false, bready = false;
    bool arvalid = false, arready = false, rvalid = false, rready = false;
};

// AXI4, and AXI4-Lite, where every burst has one beat and there are no IDs.
struct AxiMaster : Master {
    const bool full, wide_;
    AxiMaster(Bench& b, uint8_t number, bool bursts, bool bits64) : Master(b, number), full(bursts), wide_(bits64) {}
    AxiWires wires;
    Sender aw, w, ar;
    Receiver b, r;
    size_t b_next = 0, r_next = 0;

    bool wide() const override { return wide_; }
    size_t reads_accepted() const override { return ar.next; }
    size_t writes_accepted() const override { return aw.next < w.next ? aw.next : w.next; }

    void reset() override {
        auto behind = [&](const std::vector<uint32_t>& queue, size_t at, bool valid) {
            if (valid) return end_of_burst(queue, at);
            while (continues(queue, at)) at++;
            return at;
        };
        size_t started_writes = std::max(behind(writes, aw.next, aw.valid), behind(writes, w.next, w.valid));
        size_t started_reads = behind(reads, ar.next, ar.valid);
        while (b_next < started_writes) drop(writes[b_next++]);
        while (r_next < started_reads) drop(reads[r_next++]);
        aw = w = ar = Sender{};
        aw.next = w.next = writes_issued = b_next;
        ar.next = reads_issued = r_next;
        b = r = Receiver{};
    }
    void clear() override {
        requests.clear(), done.clear(), after.clear(), reads.clear(), writes.clear(), uses.clear();
        aw = w = ar = Sender{};
        b_next = r_next = reads_issued = writes_issued = answered = 0;
    }
    void drive() override {
        if (in_reset) {
            bool noisy = rst && pace.noise && random.next() & 1;  // a block reset forbids it
            wires.awvalid = wires.wvalid = wires.arvalid = noisy;
            wires.bready = wires.rready = false;
            return;
        }
        auto may = [&](const std::vector<uint32_t>& queue, const Sender& sender, size_t answers, uint32_t most) {
            if (continues(queue, sender.next)) return true;
            return sender.next < queue.size() && sender.next - answers < most && free_to_start(queue[sender.next]);
        };
        wires.awvalid = aw.valid || (may(writes, aw, b_next, pace.writes) && aw.start(true, requests[writes[aw.next]].gap));
        wires.wvalid = w.valid || (may(writes, w, b_next, pace.writes) && w.start(true, requests[writes[w.next]].data_gap));
        wires.arvalid = ar.valid || (may(reads, ar, r_next, pace.reads) && ar.start(true, requests[reads[ar.next]].gap));
        // Without valid the payload is noise: nothing may depend on it.
        uint32_t noise = random.next();
        wires.awaddr = wires.araddr = noise, wires.wdata = uint64_t(noise) << 32 | noise;
        wires.awuser = wires.aruser = uint16_t(noise >> 7);
        wires.awprot = wires.arprot = uint8_t(noise & 7);
        wires.wstrb = uint8_t(noise >> 3);
        wires.awid = wires.arid = uint16_t(noise >> 5), wires.awlen = wires.arlen = uint8_t(noise >> 9);
        wires.awsize = wires.arsize = uint8_t(noise >> 11 & 7), wires.awburst = wires.arburst = uint8_t(noise >> 2 & 3);
        wires.awcache = wires.arcache = uint8_t(noise >> 13 & 15);
        wires.awlock = wires.arlock = noise >> 17 & 1, wires.wlast = noise >> 18 & 1;
        if (wires.awvalid) resolve(writes[aw.next]);
        if (wires.wvalid) resolve(writes[w.next]);
        if (wires.arvalid) resolve(reads[ar.next]);
        if (wires.awvalid) {
            const Request& q = requests[writes[aw.next]];
            wires.awaddr = q.address, wires.awuser = q.tag, wires.awprot = q.prot, wires.awid = q.id;
            wires.awlen = uint8_t(q.beats - 1), wires.awsize = q.size, wires.awburst = q.kind, wires.awcache = q.cache;
            wires.awlock = q.lock;
        }
        if (wires.wvalid) {
            const Request& q = requests[writes[w.next]];
            wires.wdata = q.data, wires.wstrb = q.strobes, wires.wlast = !continues(writes, w.next + 1);
        }
        if (wires.arvalid) {
            const Request& q = requests[reads[ar.next]];
            wires.araddr = q.address, wires.aruser = q.tag, wires.arprot = q.prot, wires.arid = q.id;
            wires.arlen = uint8_t(q.beats - 1), wires.arsize = q.size, wires.arburst = q.kind, wires.arcache = q.cache;
            wires.arlock = q.lock;
        }
        wires.bready = b.ready(random, pace.b_chance, pace.pause);
        wires.rready = r.ready(random, pace.r_chance, pace.pause);
    }
    void observe() override {
        if (in_reset) {
            if ((wires.awvalid && wires.awready) || (wires.wvalid && wires.wready) || (wires.arvalid && wires.arready))
                bench.fail(id, "a request must not be accepted in reset");
            if (rst && (wires.bvalid || wires.rvalid)) bench.fail(id, "a response must not be valid in reset");
            return;
        }
        // Responses first: they answer requests of earlier cycles.
        if (b.held && (!wires.bvalid || wires.bresp != b.response || wires.bid != b.id))
            bench.fail(id, "BVALID or BRESP changed before BREADY");
        if (r.held && (!wires.rvalid || wires.rresp != r.response || wires.rdata != r.data || wires.rid != r.id))
            bench.fail(id, "RVALID, RRESP or RDATA changed before RREADY");
        b.held = wires.bvalid && !wires.bready, b.response = wires.bresp, b.id = wires.bid;
        r.held = wires.rvalid && !wires.rready, r.response = wires.rresp, r.data = wires.rdata, r.id = wires.rid;
        bool owed = b_next < writes_accepted() && end_of_burst(writes, b_next) <= writes_accepted();
        if (wires.bvalid && !owed) return bench.fail(id, "BVALID without a write");
        if (wires.rvalid && r_next >= reads_accepted()) return bench.fail(id, "RVALID without a read");
        if (full && wires.bvalid && wires.bid != requests[writes[b_next]].id) return bench.fail(id, "BID of another write");
        if (full && wires.rvalid) {
            size_t first = r_next;
            while (continues(reads, first)) first--;
            if (wires.rid != requests[reads[first]].id) return bench.fail(id, "RID of another read");
            if (wires.rlast == continues(reads, r_next + 1)) return bench.fail(id, "RLAST at the wrong beat");
        }
        bool open = wires.bready && wires.rready;  // the port may hold one direction for the other
        if (b.dog.late(owed && !wires.bvalid, open, bench.bound)) bench.fail(id, "a write was not answered in time");
        if (r.dog.late(r_next < reads_accepted() && !wires.rvalid, open, bench.bound)) bench.fail(id, "a read was not answered in time");
        if (wires.bvalid && wires.bready) {
            size_t end = end_of_burst(writes, b_next);
            while (b_next < end) answer(WRITE_DONE, writes[b_next++], 0, wires.bresp);
        }
        if (wires.rvalid && wires.rready) {
            answer(READ_DONE, reads[r_next++], wires.rdata, wires.rresp);
            ar.dog.waited = 0;  // an address waits for the beats of the burst before
        }

        open = open && bench.cycle >= bench.settled;
        // An address may wait for its first word, and for those of the bursts before.
        bool addressed = w.next > aw.next || (w.next == aw.next && wires.wvalid);
        if (aw.dog.late(wires.awvalid && !wires.awready && addressed, open, bench.bound)) bench.fail(id, "AWREADY did not come in time");
        // Data may wait for its address.
        if (w.dog.late(wires.wvalid && !wires.wready && w.next < aw.next, open, bench.bound)) bench.fail(id, "WREADY did not come in time");
        if (ar.dog.late(wires.arvalid && !wires.arready, open, bench.bound)) bench.fail(id, "ARREADY did not come in time");
        if (wires.awvalid && wires.awready) {
            size_t end = end_of_burst(writes, aw.next);
            bench.log(ACCEPT, id, writes[aw.next]);
            for (size_t beat = aw.next; beat < end; beat++) done[writes[beat]].accepted = bench.cycle;
            aw.sent(end - aw.next);
        }
        if (wires.wvalid && wires.wready) {
            done[writes[w.next]].accepted = bench.cycle;
            w.sent();
        }
        if (wires.arvalid && wires.arready) {
            size_t end = end_of_burst(reads, ar.next);
            bench.log(ACCEPT, id, reads[ar.next]);
            for (size_t beat = ar.next; beat < end; beat++) done[reads[beat]].accepted = bench.cycle;
            ar.sent(end - ar.next);
        }
    }
};

struct WishboneWires {
    uint32_t adr = 0, dat_w = 0, dat_r = 0;
    uint16_t tga = 0;
    uint8_t sel = 0;
    bool cyc = false, stb = false, we = false, stall = false, ack = false, err = false;
};

// Wishbone B4 pipelined: one stream of requests, answered in order. The master has to take every answer.
struct WishboneMaster : Master {
    using Master::Master;
    WishboneWires wires;
    Sender out;
    Watchdog dog;
    size_t next = 0;  // request that is answered next
    size_t accepted_reads = 0, accepted_writes = 0;

    size_t reads_accepted() const override { return accepted_reads; }
    size_t writes_accepted() const override { return accepted_writes; }

    void reset() override {
        size_t started = out.next + out.valid;
        for (; next < started; next++) {
            if (next >= out.next) (requests[next].write ? accepted_writes : accepted_reads)++;
            drop(uint32_t(next));
        }
        out = Sender{};
        out.next = next;
        reads_issued = accepted_reads, writes_issued = accepted_writes;
        dog = Watchdog{};
    }
    void clear() override {
        requests.clear(), done.clear(), after.clear(), reads.clear(), writes.clear(), uses.clear();
        out = Sender{};
        next = reads_issued = writes_issued = answered = accepted_reads = accepted_writes = 0;
    }
    void drive() override {
        if (in_reset) {
            wires.cyc = wires.stb = rst && pace.noise && random.next() & 1;
            return;
        }
        bool may = out.next < requests.size() && out.next - next < std::max(pace.reads, pace.writes) &&
                   free_to_start(uint32_t(out.next));
        wires.stb = out.valid || (may && out.start(true, requests[out.next].gap));
        wires.cyc = wires.stb || next < out.next;
        uint32_t noise = random.next();
        wires.adr = wires.dat_w = noise, wires.tga = uint16_t(noise >> 7), wires.sel = uint8_t(noise >> 3 & 15), wires.we = noise & 1;
        if (wires.stb) {
            resolve(uint32_t(out.next));
            const Request& q = requests[out.next];
            wires.adr = q.address >> 2, wires.dat_w = q.data, wires.tga = q.tag, wires.sel = q.strobes, wires.we = q.write;
        }
    }
    void observe() override {
        if (in_reset) {
            if (wires.stb && !wires.stall) bench.fail(id, "a request must not be accepted in reset");
            if (rst && (wires.ack || wires.err)) bench.fail(id, "a response must not be valid in reset");
            return;
        }
        if (wires.ack && wires.err) bench.fail(id, "ACK and ERR must not come together");
        if ((wires.ack || wires.err) && wires.cyc) {
            if (next >= out.next) return bench.fail(id, "ACK or ERR without a request");
            uint32_t index = uint32_t(next++);
            bool write = requests[index].write;
            answer(write ? WRITE_DONE : READ_DONE, index, write ? 0 : wires.dat_r, wires.err ? 2 : 0);
            dog.waited = 0;
        } else if (dog.late(next < out.next, true, bench.bound)) {
            bench.fail(id, "a request was not answered in time");
        }
        if (out.dog.late(wires.stb && wires.stall, bench.cycle >= bench.settled, bench.bound)) bench.fail(id, "STALL did not end in time");
        if (wires.stb && !wires.stall) {
            uint32_t index = uint32_t(out.next);
            out.sent();
            (requests[index].write ? accepted_writes : accepted_reads)++;
            done[index].accepted = bench.cycle;
            bench.log(ACCEPT, id, index);
        }
    }
};

struct ApbWires {
    uint32_t paddr = 0, pwdata = 0, prdata = 0;
    uint16_t puser = 0;
    uint8_t pprot = 0, pstrb = 0;
    bool psel = false, penable = false, pwrite = false, pready = false, pslverr = false;
};

// APB: a setup phase, then an access phase until PREADY. What comes next waits.
struct ApbMaster : Master {
    using Master::Master;
    ApbWires wires;
    Sender out;
    bool accessing = false, accepted = false;  // in the access phase; the block has accepted it (known with probes only)
    Watchdog dog;
    size_t next = 0;  // request that is on the bus or comes next
    size_t accepted_reads = 0, accepted_writes = 0;

    size_t reads_accepted() const override { return accepted_reads; }
    size_t writes_accepted() const override { return accepted_writes; }

    void accept() override {
        if (in_reset) return;
        if (!wires.psel || accepted) return bench.fail(id, "a request was accepted that was not made");
        accepted = true;
        (requests[next].write ? accepted_writes : accepted_reads)++;
        bench.log(ACCEPT, id, uint32_t(next));
    }
    void reset() override {
        if (out.valid) {
            if (!accepted) (requests[next].write ? accepted_writes : accepted_reads)++;
            drop(uint32_t(next++));
        }
        out = Sender{};
        accessing = accepted = false;
        reads_issued = accepted_reads, writes_issued = accepted_writes;
        dog = Watchdog{};
    }
    void clear() override {
        requests.clear(), done.clear(), after.clear(), reads.clear(), writes.clear();
        out = Sender{};
        next = reads_issued = writes_issued = answered = accepted_reads = accepted_writes = 0;
    }
    void drive() override {
        if (in_reset) {
            wires.psel = rst && pace.noise && random.next() & 1;
            wires.penable = wires.psel && random.next() & 1;
            return;
        }
        bool starts = !out.valid;
        wires.psel = out.valid || (next < requests.size() && free_to_start(uint32_t(next)) && out.start(true, requests[next].gap));
        wires.penable = accessing;
        uint32_t noise = random.next();
        wires.paddr = wires.pwdata = noise, wires.puser = uint16_t(noise >> 7), wires.pprot = uint8_t(noise & 7);
        wires.pstrb = uint8_t(noise >> 3 & 15), wires.pwrite = noise & 1;
        if (wires.psel) {
            const Request& q = requests[next];
            wires.paddr = q.address, wires.pwdata = uint32_t(q.data), wires.puser = q.tag, wires.pprot = q.prot;
            wires.pwrite = q.write, wires.pstrb = q.write ? q.strobes : 0;
            if (starts) done[next].accepted = bench.cycle;
        }
    }
    void observe() override {
        if (in_reset) {
            if (wires.psel && wires.penable && wires.pready) bench.fail(id, "a request must not be accepted in reset");
            return;
        }
        if (dog.late(accessing && !wires.pready, bench.cycle >= bench.settled, bench.bound)) bench.fail(id, "PREADY did not come in time");
        if (accessing && wires.pready) {
            const Request& q = requests[next];
#if !PROBE
            (q.write ? accepted_writes : accepted_reads)++;
#else
            if (!accepted) return bench.fail(id, "PREADY without a request");
#endif
            answer(q.write ? WRITE_DONE : READ_DONE, uint32_t(next), q.write ? 0 : wires.prdata, wires.pslverr ? 2 : 0);
            out.sent();
            accessing = accepted = false;
            next++;
        } else {
            accessing = wires.psel;
        }
    }
};

// The wires of one port and the pins of the model, by name.
#define USER_0(statement)
#define USER_1(statement) statement;
#define AXI(N, USER)                                                                                                  \
        void load(Vtop& top) override {                                                                               \
            top.s##N##_rst = rst;                                                                                     \
            top.s##N##_axi_awvalid = wires.awvalid, top.s##N##_axi_awprot = wires.awprot;                             \
            top.s##N##_axi_awaddr = wires.awaddr & ADDRESS_MASK_##N;                                                  \
            top.s##N##_axi_wvalid = wires.wvalid, top.s##N##_axi_wdata = wires.wdata & DATA_MASK_##N;                 \
            top.s##N##_axi_wstrb = wires.wstrb & STROBE_MASK_##N, top.s##N##_axi_bready = wires.bready;               \
            top.s##N##_axi_arvalid = wires.arvalid, top.s##N##_axi_arprot = wires.arprot;                             \
            top.s##N##_axi_araddr = wires.araddr & ADDRESS_MASK_##N;                                                  \
            top.s##N##_axi_rready = wires.rready;                                                                     \
            USER_##USER(top.s##N##_axi_awuser = wires.awuser & TAG_MASK)                                              \
            USER_##USER(top.s##N##_axi_aruser = wires.aruser & TAG_MASK)                                              \
            more(top);                                                                                                \
        }                                                                                                             \
        void store(Vtop& top) override {                                                                              \
            wires.awready = top.s##N##_axi_awready, wires.wready = top.s##N##_axi_wready;                             \
            wires.bvalid = top.s##N##_axi_bvalid, wires.bresp = top.s##N##_axi_bresp;                                 \
            wires.arready = top.s##N##_axi_arready, wires.rvalid = top.s##N##_axi_rvalid;                             \
            wires.rdata = top.s##N##_axi_rdata, wires.rresp = top.s##N##_axi_rresp;                                   \
            back(top);                                                                                                \
        }
#define AXI4_LITE(N, USER)                                                                                            \
    struct Port##N : AxiMaster {                                                                                      \
        Port##N(Bench& b, uint8_t number) : AxiMaster(b, number, false, false) {}                                     \
        void more(Vtop&) {}                                                                                           \
        void back(Vtop&) {}                                                                                           \
        AXI(N, USER)                                                                                                  \
    };
#define AXI4(N, USER)                                                                                                 \
    struct Port##N : AxiMaster {                                                                                      \
        Port##N(Bench& b, uint8_t number) : AxiMaster(b, number, true, STROBE_MASK_##N > 15) {}                       \
        void more(Vtop& top) {                                                                                        \
            top.s##N##_axi_awid = wires.awid & ID_MASK_##N, top.s##N##_axi_arid = wires.arid & ID_MASK_##N;           \
            top.s##N##_axi_awlen = wires.awlen, top.s##N##_axi_arlen = wires.arlen;                                   \
            top.s##N##_axi_awsize = wires.awsize, top.s##N##_axi_arsize = wires.arsize;                               \
            top.s##N##_axi_awburst = wires.awburst, top.s##N##_axi_arburst = wires.arburst;                           \
            top.s##N##_axi_awcache = wires.awcache, top.s##N##_axi_arcache = wires.arcache;                           \
            top.s##N##_axi_awlock = wires.awlock, top.s##N##_axi_arlock = wires.arlock;                               \
            top.s##N##_axi_wlast = wires.wlast;                                                                       \
        }                                                                                                             \
        void back(Vtop& top) {                                                                                        \
            wires.bid = top.s##N##_axi_bid, wires.rid = top.s##N##_axi_rid, wires.rlast = top.s##N##_axi_rlast;       \
        }                                                                                                             \
        AXI(N, USER)                                                                                                  \
    };
#define APB(N, USER)                                                                                                  \
    struct Port##N : ApbMaster {                                                                                      \
        using ApbMaster::ApbMaster;                                                                                   \
        void load(Vtop& top) override {                                                                               \
            top.s##N##_rst = rst;                                                                                     \
            top.s##N##_apb_psel = wires.psel, top.s##N##_apb_penable = wires.penable;                                 \
            top.s##N##_apb_paddr = wires.paddr & ADDRESS_MASK_##N, top.s##N##_apb_pprot = wires.pprot;                \
            top.s##N##_apb_pwrite = wires.pwrite, top.s##N##_apb_pwdata = wires.pwdata;                               \
            top.s##N##_apb_pstrb = wires.pstrb;                                                                       \
            USER_##USER(top.s##N##_apb_puser = wires.puser & TAG_MASK)                                                \
        }                                                                                                             \
        void store(Vtop& top) override {                                                                              \
            wires.pready = top.s##N##_apb_pready, wires.prdata = top.s##N##_apb_prdata;                               \
            wires.pslverr = top.s##N##_apb_pslverr;                                                                   \
        }                                                                                                             \
    };
#define WISHBONE(N, USER)                                                                                             \
    struct Port##N : WishboneMaster {                                                                                 \
        using WishboneMaster::WishboneMaster;                                                                         \
        void load(Vtop& top) override {                                                                               \
            top.s##N##_rst = rst;                                                                                     \
            top.s##N##_wb_cyc = wires.cyc, top.s##N##_wb_stb = wires.stb, top.s##N##_wb_we = wires.we;                \
            top.s##N##_wb_adr = wires.adr & ADDRESS_MASK_##N >> 2, top.s##N##_wb_dat_w = wires.dat_w;                 \
            top.s##N##_wb_sel = wires.sel;                                                                            \
            USER_##USER(top.s##N##_wb_tga = wires.tga & TAG_MASK)                                                     \
        }                                                                                                             \
        void store(Vtop& top) override {                                                                              \
            wires.stall = top.s##N##_wb_stall, wires.ack = top.s##N##_wb_ack, wires.err = top.s##N##_wb_err;          \
            wires.dat_r = top.s##N##_wb_dat_r;                                                                        \
        }                                                                                                             \
    };
#define PORT(BUS, N, USER) BUS(N, USER)
PORT_LIST
#undef PORT

// `irq` is a number up to 64 bits wide, or an array of words.
template <typename T>
uint32_t word(const T& value, int index) {
    if constexpr (std::is_integral_v<T>) return uint32_t(uint64_t(value) >> 32 * index);
    else return value[index];
}

Bench::Bench(uint32_t seed) {
    context.randReset(seed ? 2 : 0);
    context.randSeed(int(seed));
#if TRACE
    context.traceEverOn(true);
#endif
    top = std::make_unique<Vtop>(&context, "");
#define PORT(BUS, N, USER) ports.push_back(std::make_unique<Port##N>(*this, N));
    PORT_LIST
#undef PORT
    resets.push_back({0, BLOCK, 2});
}

void Bench::look_at_interrupts() {
    for (int i = 0; i < (IRQ_WIDTH + 31) / 32; i++) {
        uint32_t now = word(top->irq, i);
        if (now != irq[i]) log(IRQ, uint8_t(i), 0, now);
        irq[i] = now;
    }
#if MANAGER
    if (top->manager_irq != manager_irq) log(MANAGER_IRQ, 0, 0, top->manager_irq);
    manager_irq = top->manager_irq;
#endif
}

void Bench::look_at_probes() {
#if PROBE
    uint32_t reads = top->probe_r_issue, writes = top->probe_w_issue;
    if (top->probe_walk) log(WALK, 0, 0);
#if MANAGER
    if (top->probe_kill) log(KILL, 0, 0);
#endif
#if COUNTERS
    if (top->probe_waited >> 8) log(WAITED, top->probe_waited & 0xFF, 0, top->probe_waited >> 8);
#endif
#if BLOCKS
    if (top->probe_clean & 1) log(CLEAN, 0, 0, top->probe_clean >> 1);
#if MANAGER
    for (auto& port : ports) {
        if (top->probe_r_refused >> port->id & 1) log(READ_LOGGED, port->id, 0);
        if (top->probe_w_refused >> port->id & 1) log(WRITE_LOGGED, port->id, 0);
    }
#endif
#endif
    for (auto& port : ports) {
        if (top->probe_accept >> port->id & 1) port->accept();
        if (reads >> port->id & 1) {
            if (port->reads_issued >= port->reads_accepted()) fail(port->id, "a read was issued that was not accepted");
            else log(READ_ISSUE, port->id, port->reads[port->reads_issued++]);
        }
        if (writes >> port->id & 1) {
            if (port->writes_issued >= port->writes_accepted()) fail(port->id, "a write was issued that was not accepted");
            else log(WRITE_ISSUE, port->id, port->writes[port->writes_issued++]);
        }
    }
#endif
}

void Bench::step() {
    bool block = false;
    uint32_t held = 0;
    for (size_t i = 0; i < resets.size();) {
        Reset& reset = resets[i];
        if (cycle >= reset.cycle + reset.cycles) {
            resets[i] = resets.back();
            resets.pop_back();
            continue;
        }
        if (cycle >= reset.cycle) {
            if (reset.ports == BLOCK) block = true;
            else held |= reset.ports;
        }
        i++;
    }
    if (block) settled = cycle + settle;
    for (auto& port : ports) {
        port->rst = !block && held >> port->id & 1;
        port->in_reset = block || port->rst;
        port->drive();
        port->load(*top);
    }
    top->rst = block;
    top->clk = 0;
    top->eval();
#if TRACE
    if (vcd) vcd->dump(cycle * 10 + 5);
#endif
    look_at_interrupts();
    if (block) log(BLOCK_RESET, 0, 0);
    for (auto& port : ports) {
        if (port->rst) log(PORT_RESET, port->id, 0);
    }
    for (auto& port : ports) {
        port->store(*top);
        port->observe();
    }
    if (!block) look_at_probes();
    events.insert(events.end(), responses.begin(), responses.end());
    responses.clear();
    for (auto& port : ports) {
        if (port->in_reset) port->reset();
    }
    top->clk = 1;
    top->eval();
#if TRACE
    if (vcd) vcd->dump(cycle * 10 + 10);
#endif
    cycle++;
}

}  // namespace

extern "C" {

Bench* bench_new(uint32_t seed) { return new Bench(seed); }
void bench_delete(Bench* bench) { delete bench; }
const char* bench_failure(Bench* bench) { return bench->failure.c_str(); }
uint64_t bench_cycle(Bench* bench) { return bench->cycle; }
uint32_t bench_irq(Bench* bench, uint32_t index) { return bench->irq[index]; }
uint32_t bench_manager_irq(Bench* bench) { return bench->manager_irq; }
#if MUTANTS
void bench_mutant(Bench* bench, uint32_t mutant) { bench->top->mutant = uint16_t(mutant); }
#endif
void bench_limits(Bench* bench, uint32_t bound, uint32_t settle) { bench->bound = bound, bench->settle = settle; }
void bench_pace(Bench* bench, uint32_t port, const Pace* pace) {
    bench->ports[port]->pace = *pace;
    bench->ports[port]->random.state = pace->seed | 1;
}
void bench_reset(Bench* bench, const Reset* reset) { bench->resets.push_back(*reset); }
void bench_log(Bench* bench, int on) { bench->logging = on; }

void bench_push(Bench* bench, uint32_t port, const Request* requests, size_t count) {
    for (size_t i = 0; i < count; i++) bench->ports[port]->push(requests[i]);
}

// Run until every queue is empty, a number of cycles has passed, or a bus rule was broken. Returns the cycles.
uint64_t bench_run(Bench* bench, uint64_t cycles, int until_idle) {
    uint64_t start = bench->cycle;
    while (bench->cycle - start < cycles && bench->failure.empty()) {
        if (until_idle) {
            bool idle = true;
            for (auto& port : bench->ports) idle = idle && port->idle();
            if (idle) break;
        }
        bench->step();
    }
    return bench->cycle - start;
}

// Run until the line of a core (or of the manager: core < 0) is high. Returns whether it is.
int bench_wait(Bench* bench, int core, uint64_t cycles) {
    for (uint64_t i = 0; bench->failure.empty(); i++) {
        if (core < 0 ? bench->manager_irq : bench->irq[core / 32] >> core % 32 & 1) return 1;
        if (i == cycles) break;
        bench->step();
    }
    return 0;
}

// Run until some port has at most `levels[port]` unanswered requests, or a line in `lines` is high. Returns whether.
int bench_until(Bench* bench, const int32_t* levels, const uint32_t* lines, uint64_t cycles) {
    for (uint64_t i = 0; bench->failure.empty(); i++) {
        for (auto& port : bench->ports)
            if (levels[port->id] >= 0 && port->requests.size() - port->answered <= size_t(levels[port->id])) return 1;
        for (int word = 0; word < (IRQ_WIDTH + 31) / 32; word++)
            if (bench->irq[word] & lines[word]) return 1;
        if (i == cycles) break;
        bench->step();
    }
    return 0;
}

size_t bench_pending(Bench* bench, uint32_t port) {
    return bench->ports[port]->requests.size() - bench->ports[port]->answered;
}
// What some of the requests of a port take and keep; after they were pushed.
void bench_use(Bench* bench, uint32_t port, const Use* uses, size_t count) {
    Master& master = *bench->ports[port];
    master.uses.resize(master.requests.size());
    for (size_t i = 0; i < count; i++) master.uses[uses[i].index] = uses[i];
}

size_t bench_size(Bench* bench, uint32_t port) { return bench->ports[port]->requests.size(); }
const Done* bench_done(Bench* bench, uint32_t port) { return bench->ports[port]->done.data(); }
const Event* bench_events(Bench* bench, size_t* count) {
    *count = bench->events.size();
    return bench->events.data();
}
void bench_clear_events(Bench* bench) { bench->events.clear(); }

// One access, from an idle port to its answer. Returns data, response << 32 and state << 48.
uint64_t bench_access(Bench* bench, uint32_t port, uint32_t address, uint32_t data, uint32_t write, uint32_t strobes,
                      uint32_t tag, uint32_t prot, uint64_t cycles) {
    Master& master = *bench->ports[port];
    if (!bench->logging && master.idle()) master.clear();
    size_t index = master.requests.size();
    uint32_t lane = master.wide() && address & 4 ? 4 : 0;  // of 64 bits
    Request request{};
    request.data = uint64_t(data) << 8 * lane, request.address = address, request.tag = uint16_t(tag);
    request.strobes = uint8_t(strobes << lane), request.prot = uint8_t(prot), request.write = uint8_t(write);
    request.beats = 1, request.size = 2, request.kind = 1;
    master.push(request);
    for (uint64_t start = bench->cycle; master.done[index].state == PENDING; bench->step())
        if (bench->cycle - start >= cycles || !bench->failure.empty()) break;
    const Done& done = master.done[index];
    return (done.data >> 8 * lane & 0xFFFFFFFF) | uint64_t(done.response) << 32 | uint64_t(done.state) << 48;
}

// Forget the requests that were answered, on a port that is idle; on every one where `chosen` is negative.
void bench_forget(Bench* bench, int chosen) {
    for (auto& port : bench->ports)
        if (port->idle() && (chosen < 0 || port->id == chosen)) port->clear();
}

#if VM_COVERAGE
void bench_coverage(Bench* bench, const char* path) { bench->context.coveragep()->write(path); }
#endif

#if TRACE
void bench_trace(Bench* bench, const char* path) {
    if (bench->vcd) bench->vcd->close(), bench->vcd.reset();
    if (!path) return;
    bench->vcd = std::make_unique<VerilatedVcdC>();
    bench->top->trace(bench->vcd.get(), 99);
    bench->vcd->open(path);
}
#endif

}  // extern "C"
