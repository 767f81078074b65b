// Three soft RISC-V cores and a mailbox between them: how the block of soft_riscv.toml is instantiated.
//
//     postern generate examples/soft_riscv.toml -o build/soft_riscv
//
// writes build/soft_riscv/postern_soft.v, and beside it postern_soft_inst.v, from which this was started. Each core has
// the block at MAILBOX_BASE in its own address space.

module soft_riscv_top #(
    parameter [31:0] MAILBOX_BASE = 32'h8000_0000
) (
    input  wire        clk,
    input  wire        rst,

    // Wishbone B4 pipelined, one bundle for each core: core 0 in the lowest bits. Addresses count bytes.
    input  wire [2:0]  core_rst,
    input  wire [2:0]  core_cyc,
    input  wire [2:0]  core_stb,
    input  wire [2:0]  core_we,
    input  wire [95:0] core_adr,
    input  wire [95:0] core_dat_w,
    input  wire [11:0] core_sel,
    output wire [95:0] core_dat_r,
    output wire [2:0]  core_stall,
    output wire [2:0]  core_ack,
    output wire [2:0]  core_err,

    // To the external interrupt of each core, and that of the monitor on core 2.
    output wire [2:0]  core_irq,
    output wire        monitor_irq
);
    // The block decodes the lowest address bits; who is meant by the upper ones is decided here.
    wire [2:0] hit;
    assign hit[0] = core_adr[31:16] == MAILBOX_BASE[31:16];
    assign hit[1] = core_adr[63:48] == MAILBOX_BASE[31:16];
    assign hit[2] = core_adr[95:80] == MAILBOX_BASE[31:16];

    postern_soft mailbox (
        .clk         (clk),
        .rst         (rst),

        .s0_rst      (core_rst[0]),
        .s0_wb_cyc   (core_cyc[0]),
        .s0_wb_stb   (core_stb[0] & hit[0]),
        .s0_wb_we    (core_we[0]),
        .s0_wb_adr   (core_adr[12:2]),
        .s0_wb_dat_w (core_dat_w[31:0]),
        .s0_wb_sel   (core_sel[3:0]),
        .s0_wb_dat_r (core_dat_r[31:0]),
        .s0_wb_stall (core_stall[0]),
        .s0_wb_ack   (core_ack[0]),
        .s0_wb_err   (core_err[0]),

        .s1_rst      (core_rst[1]),
        .s1_wb_cyc   (core_cyc[1]),
        .s1_wb_stb   (core_stb[1] & hit[1]),
        .s1_wb_we    (core_we[1]),
        .s1_wb_adr   (core_adr[44:34]),
        .s1_wb_dat_w (core_dat_w[63:32]),
        .s1_wb_sel   (core_sel[7:4]),
        .s1_wb_dat_r (core_dat_r[63:32]),
        .s1_wb_stall (core_stall[1]),
        .s1_wb_ack   (core_ack[1]),
        .s1_wb_err   (core_err[1]),

        .s2_rst      (core_rst[2]),
        .s2_wb_cyc   (core_cyc[2]),
        .s2_wb_stb   (core_stb[2] & hit[2]),
        .s2_wb_we    (core_we[2]),
        .s2_wb_adr   (core_adr[76:66]),
        .s2_wb_dat_w (core_dat_w[95:64]),
        .s2_wb_sel   (core_sel[11:8]),
        .s2_wb_dat_r (core_dat_r[95:64]),
        .s2_wb_stall (core_stall[2]),
        .s2_wb_ack   (core_ack[2]),
        .s2_wb_err   (core_err[2]),

        .irq         (core_irq),
        .manager_irq (monitor_irq)
    );
endmodule
