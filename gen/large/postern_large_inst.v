// postern_large: instantiation template. Copy it into your module and connect the wires;
// what drives an input and what reads an output is up to you. All ports belong to the clock clk.

// clock
wire clk;  // into the block

// reset
wire rst;  // into the block

// axi4-lite port 0 write address
wire [21:0] s0_axi_awaddr;  // into the block
wire [2:0] s0_axi_awprot;  // into the block
wire s0_axi_awvalid;  // into the block
wire s0_axi_awready;  // out of the block

// axi4-lite port 0 write data
wire [31:0] s0_axi_wdata;  // into the block
wire [3:0] s0_axi_wstrb;  // into the block
wire s0_axi_wvalid;  // into the block
wire s0_axi_wready;  // out of the block

// axi4-lite port 0 write response
wire [1:0] s0_axi_bresp;  // out of the block
wire s0_axi_bvalid;  // out of the block
wire s0_axi_bready;  // into the block

// axi4-lite port 0 read address
wire [21:0] s0_axi_araddr;  // into the block
wire [2:0] s0_axi_arprot;  // into the block
wire s0_axi_arvalid;  // into the block
wire s0_axi_arready;  // out of the block

// axi4-lite port 0 read data
wire [31:0] s0_axi_rdata;  // out of the block
wire [1:0] s0_axi_rresp;  // out of the block
wire s0_axi_rvalid;  // out of the block
wire s0_axi_rready;  // into the block

// port 0 reset
wire s0_rst;  // into the block

// axi4-lite port 1 write address
wire [21:0] s1_axi_awaddr;  // into the block
wire [2:0] s1_axi_awprot;  // into the block
wire s1_axi_awvalid;  // into the block
wire s1_axi_awready;  // out of the block

// axi4-lite port 1 write data
wire [31:0] s1_axi_wdata;  // into the block
wire [3:0] s1_axi_wstrb;  // into the block
wire s1_axi_wvalid;  // into the block
wire s1_axi_wready;  // out of the block

// axi4-lite port 1 write response
wire [1:0] s1_axi_bresp;  // out of the block
wire s1_axi_bvalid;  // out of the block
wire s1_axi_bready;  // into the block

// axi4-lite port 1 read address
wire [21:0] s1_axi_araddr;  // into the block
wire [2:0] s1_axi_arprot;  // into the block
wire s1_axi_arvalid;  // into the block
wire s1_axi_arready;  // out of the block

// axi4-lite port 1 read data
wire [31:0] s1_axi_rdata;  // out of the block
wire [1:0] s1_axi_rresp;  // out of the block
wire s1_axi_rvalid;  // out of the block
wire s1_axi_rready;  // into the block

// port 1 reset
wire s1_rst;  // into the block

// axi4-lite port 2 write address
wire [21:0] s2_axi_awaddr;  // into the block
wire [2:0] s2_axi_awprot;  // into the block
wire s2_axi_awvalid;  // into the block
wire s2_axi_awready;  // out of the block

// axi4-lite port 2 write data
wire [31:0] s2_axi_wdata;  // into the block
wire [3:0] s2_axi_wstrb;  // into the block
wire s2_axi_wvalid;  // into the block
wire s2_axi_wready;  // out of the block

// axi4-lite port 2 write response
wire [1:0] s2_axi_bresp;  // out of the block
wire s2_axi_bvalid;  // out of the block
wire s2_axi_bready;  // into the block

// axi4-lite port 2 read address
wire [21:0] s2_axi_araddr;  // into the block
wire [2:0] s2_axi_arprot;  // into the block
wire s2_axi_arvalid;  // into the block
wire s2_axi_arready;  // out of the block

// axi4-lite port 2 read data
wire [31:0] s2_axi_rdata;  // out of the block
wire [1:0] s2_axi_rresp;  // out of the block
wire s2_axi_rvalid;  // out of the block
wire s2_axi_rready;  // into the block

// port 2 reset
wire s2_rst;  // into the block

// axi4-lite port 3 write address
wire [21:0] s3_axi_awaddr;  // into the block
wire [2:0] s3_axi_awprot;  // into the block
wire s3_axi_awvalid;  // into the block
wire s3_axi_awready;  // out of the block

// axi4-lite port 3 write data
wire [31:0] s3_axi_wdata;  // into the block
wire [3:0] s3_axi_wstrb;  // into the block
wire s3_axi_wvalid;  // into the block
wire s3_axi_wready;  // out of the block

// axi4-lite port 3 write response
wire [1:0] s3_axi_bresp;  // out of the block
wire s3_axi_bvalid;  // out of the block
wire s3_axi_bready;  // into the block

// axi4-lite port 3 read address
wire [21:0] s3_axi_araddr;  // into the block
wire [2:0] s3_axi_arprot;  // into the block
wire s3_axi_arvalid;  // into the block
wire s3_axi_arready;  // out of the block

// axi4-lite port 3 read data
wire [31:0] s3_axi_rdata;  // out of the block
wire [1:0] s3_axi_rresp;  // out of the block
wire s3_axi_rvalid;  // out of the block
wire s3_axi_rready;  // into the block

// port 3 reset
wire s3_rst;  // into the block

// axi4-lite port 4 write address
wire [21:0] s4_axi_awaddr;  // into the block
wire [2:0] s4_axi_awprot;  // into the block
wire s4_axi_awvalid;  // into the block
wire s4_axi_awready;  // out of the block

// axi4-lite port 4 write data
wire [31:0] s4_axi_wdata;  // into the block
wire [3:0] s4_axi_wstrb;  // into the block
wire s4_axi_wvalid;  // into the block
wire s4_axi_wready;  // out of the block

// axi4-lite port 4 write response
wire [1:0] s4_axi_bresp;  // out of the block
wire s4_axi_bvalid;  // out of the block
wire s4_axi_bready;  // into the block

// axi4-lite port 4 read address
wire [21:0] s4_axi_araddr;  // into the block
wire [2:0] s4_axi_arprot;  // into the block
wire s4_axi_arvalid;  // into the block
wire s4_axi_arready;  // out of the block

// axi4-lite port 4 read data
wire [31:0] s4_axi_rdata;  // out of the block
wire [1:0] s4_axi_rresp;  // out of the block
wire s4_axi_rvalid;  // out of the block
wire s4_axi_rready;  // into the block

// port 4 reset
wire s4_rst;  // into the block

// axi4-lite port 5 write address
wire [21:0] s5_axi_awaddr;  // into the block
wire [2:0] s5_axi_awprot;  // into the block
wire s5_axi_awvalid;  // into the block
wire s5_axi_awready;  // out of the block

// axi4-lite port 5 write data
wire [31:0] s5_axi_wdata;  // into the block
wire [3:0] s5_axi_wstrb;  // into the block
wire s5_axi_wvalid;  // into the block
wire s5_axi_wready;  // out of the block

// axi4-lite port 5 write response
wire [1:0] s5_axi_bresp;  // out of the block
wire s5_axi_bvalid;  // out of the block
wire s5_axi_bready;  // into the block

// axi4-lite port 5 read address
wire [21:0] s5_axi_araddr;  // into the block
wire [2:0] s5_axi_arprot;  // into the block
wire s5_axi_arvalid;  // into the block
wire s5_axi_arready;  // out of the block

// axi4-lite port 5 read data
wire [31:0] s5_axi_rdata;  // out of the block
wire [1:0] s5_axi_rresp;  // out of the block
wire s5_axi_rvalid;  // out of the block
wire s5_axi_rready;  // into the block

// port 5 reset
wire s5_rst;  // into the block

// axi4-lite port 6 write address
wire [21:0] s6_axi_awaddr;  // into the block
wire [2:0] s6_axi_awprot;  // into the block
wire s6_axi_awvalid;  // into the block
wire s6_axi_awready;  // out of the block

// axi4-lite port 6 write data
wire [31:0] s6_axi_wdata;  // into the block
wire [3:0] s6_axi_wstrb;  // into the block
wire s6_axi_wvalid;  // into the block
wire s6_axi_wready;  // out of the block

// axi4-lite port 6 write response
wire [1:0] s6_axi_bresp;  // out of the block
wire s6_axi_bvalid;  // out of the block
wire s6_axi_bready;  // into the block

// axi4-lite port 6 read address
wire [21:0] s6_axi_araddr;  // into the block
wire [2:0] s6_axi_arprot;  // into the block
wire s6_axi_arvalid;  // into the block
wire s6_axi_arready;  // out of the block

// axi4-lite port 6 read data
wire [31:0] s6_axi_rdata;  // out of the block
wire [1:0] s6_axi_rresp;  // out of the block
wire s6_axi_rvalid;  // out of the block
wire s6_axi_rready;  // into the block

// port 6 reset
wire s6_rst;  // into the block

// axi4-lite port 7 write address
wire [21:0] s7_axi_awaddr;  // into the block
wire [2:0] s7_axi_awprot;  // into the block
wire s7_axi_awvalid;  // into the block
wire s7_axi_awready;  // out of the block

// axi4-lite port 7 write data
wire [31:0] s7_axi_wdata;  // into the block
wire [3:0] s7_axi_wstrb;  // into the block
wire s7_axi_wvalid;  // into the block
wire s7_axi_wready;  // out of the block

// axi4-lite port 7 write response
wire [1:0] s7_axi_bresp;  // out of the block
wire s7_axi_bvalid;  // out of the block
wire s7_axi_bready;  // into the block

// axi4-lite port 7 read address
wire [21:0] s7_axi_araddr;  // into the block
wire [2:0] s7_axi_arprot;  // into the block
wire s7_axi_arvalid;  // into the block
wire s7_axi_arready;  // out of the block

// axi4-lite port 7 read data
wire [31:0] s7_axi_rdata;  // out of the block
wire [1:0] s7_axi_rresp;  // out of the block
wire s7_axi_rvalid;  // out of the block
wire s7_axi_rready;  // into the block

// port 7 reset
wire s7_rst;  // into the block

// core interrupts
wire [7:0] irq;  // out of the block

// manager interrupt
wire manager_irq;  // out of the block

postern_large u_postern_large (
    .clk            (clk),
    .rst            (rst),
    .s0_axi_awaddr  (s0_axi_awaddr),
    .s0_axi_awprot  (s0_axi_awprot),
    .s0_axi_awvalid (s0_axi_awvalid),
    .s0_axi_awready (s0_axi_awready),
    .s0_axi_wdata   (s0_axi_wdata),
    .s0_axi_wstrb   (s0_axi_wstrb),
    .s0_axi_wvalid  (s0_axi_wvalid),
    .s0_axi_wready  (s0_axi_wready),
    .s0_axi_bresp   (s0_axi_bresp),
    .s0_axi_bvalid  (s0_axi_bvalid),
    .s0_axi_bready  (s0_axi_bready),
    .s0_axi_araddr  (s0_axi_araddr),
    .s0_axi_arprot  (s0_axi_arprot),
    .s0_axi_arvalid (s0_axi_arvalid),
    .s0_axi_arready (s0_axi_arready),
    .s0_axi_rdata   (s0_axi_rdata),
    .s0_axi_rresp   (s0_axi_rresp),
    .s0_axi_rvalid  (s0_axi_rvalid),
    .s0_axi_rready  (s0_axi_rready),
    .s0_rst         (s0_rst),
    .s1_axi_awaddr  (s1_axi_awaddr),
    .s1_axi_awprot  (s1_axi_awprot),
    .s1_axi_awvalid (s1_axi_awvalid),
    .s1_axi_awready (s1_axi_awready),
    .s1_axi_wdata   (s1_axi_wdata),
    .s1_axi_wstrb   (s1_axi_wstrb),
    .s1_axi_wvalid  (s1_axi_wvalid),
    .s1_axi_wready  (s1_axi_wready),
    .s1_axi_bresp   (s1_axi_bresp),
    .s1_axi_bvalid  (s1_axi_bvalid),
    .s1_axi_bready  (s1_axi_bready),
    .s1_axi_araddr  (s1_axi_araddr),
    .s1_axi_arprot  (s1_axi_arprot),
    .s1_axi_arvalid (s1_axi_arvalid),
    .s1_axi_arready (s1_axi_arready),
    .s1_axi_rdata   (s1_axi_rdata),
    .s1_axi_rresp   (s1_axi_rresp),
    .s1_axi_rvalid  (s1_axi_rvalid),
    .s1_axi_rready  (s1_axi_rready),
    .s1_rst         (s1_rst),
    .s2_axi_awaddr  (s2_axi_awaddr),
    .s2_axi_awprot  (s2_axi_awprot),
    .s2_axi_awvalid (s2_axi_awvalid),
    .s2_axi_awready (s2_axi_awready),
    .s2_axi_wdata   (s2_axi_wdata),
    .s2_axi_wstrb   (s2_axi_wstrb),
    .s2_axi_wvalid  (s2_axi_wvalid),
    .s2_axi_wready  (s2_axi_wready),
    .s2_axi_bresp   (s2_axi_bresp),
    .s2_axi_bvalid  (s2_axi_bvalid),
    .s2_axi_bready  (s2_axi_bready),
    .s2_axi_araddr  (s2_axi_araddr),
    .s2_axi_arprot  (s2_axi_arprot),
    .s2_axi_arvalid (s2_axi_arvalid),
    .s2_axi_arready (s2_axi_arready),
    .s2_axi_rdata   (s2_axi_rdata),
    .s2_axi_rresp   (s2_axi_rresp),
    .s2_axi_rvalid  (s2_axi_rvalid),
    .s2_axi_rready  (s2_axi_rready),
    .s2_rst         (s2_rst),
    .s3_axi_awaddr  (s3_axi_awaddr),
    .s3_axi_awprot  (s3_axi_awprot),
    .s3_axi_awvalid (s3_axi_awvalid),
    .s3_axi_awready (s3_axi_awready),
    .s3_axi_wdata   (s3_axi_wdata),
    .s3_axi_wstrb   (s3_axi_wstrb),
    .s3_axi_wvalid  (s3_axi_wvalid),
    .s3_axi_wready  (s3_axi_wready),
    .s3_axi_bresp   (s3_axi_bresp),
    .s3_axi_bvalid  (s3_axi_bvalid),
    .s3_axi_bready  (s3_axi_bready),
    .s3_axi_araddr  (s3_axi_araddr),
    .s3_axi_arprot  (s3_axi_arprot),
    .s3_axi_arvalid (s3_axi_arvalid),
    .s3_axi_arready (s3_axi_arready),
    .s3_axi_rdata   (s3_axi_rdata),
    .s3_axi_rresp   (s3_axi_rresp),
    .s3_axi_rvalid  (s3_axi_rvalid),
    .s3_axi_rready  (s3_axi_rready),
    .s3_rst         (s3_rst),
    .s4_axi_awaddr  (s4_axi_awaddr),
    .s4_axi_awprot  (s4_axi_awprot),
    .s4_axi_awvalid (s4_axi_awvalid),
    .s4_axi_awready (s4_axi_awready),
    .s4_axi_wdata   (s4_axi_wdata),
    .s4_axi_wstrb   (s4_axi_wstrb),
    .s4_axi_wvalid  (s4_axi_wvalid),
    .s4_axi_wready  (s4_axi_wready),
    .s4_axi_bresp   (s4_axi_bresp),
    .s4_axi_bvalid  (s4_axi_bvalid),
    .s4_axi_bready  (s4_axi_bready),
    .s4_axi_araddr  (s4_axi_araddr),
    .s4_axi_arprot  (s4_axi_arprot),
    .s4_axi_arvalid (s4_axi_arvalid),
    .s4_axi_arready (s4_axi_arready),
    .s4_axi_rdata   (s4_axi_rdata),
    .s4_axi_rresp   (s4_axi_rresp),
    .s4_axi_rvalid  (s4_axi_rvalid),
    .s4_axi_rready  (s4_axi_rready),
    .s4_rst         (s4_rst),
    .s5_axi_awaddr  (s5_axi_awaddr),
    .s5_axi_awprot  (s5_axi_awprot),
    .s5_axi_awvalid (s5_axi_awvalid),
    .s5_axi_awready (s5_axi_awready),
    .s5_axi_wdata   (s5_axi_wdata),
    .s5_axi_wstrb   (s5_axi_wstrb),
    .s5_axi_wvalid  (s5_axi_wvalid),
    .s5_axi_wready  (s5_axi_wready),
    .s5_axi_bresp   (s5_axi_bresp),
    .s5_axi_bvalid  (s5_axi_bvalid),
    .s5_axi_bready  (s5_axi_bready),
    .s5_axi_araddr  (s5_axi_araddr),
    .s5_axi_arprot  (s5_axi_arprot),
    .s5_axi_arvalid (s5_axi_arvalid),
    .s5_axi_arready (s5_axi_arready),
    .s5_axi_rdata   (s5_axi_rdata),
    .s5_axi_rresp   (s5_axi_rresp),
    .s5_axi_rvalid  (s5_axi_rvalid),
    .s5_axi_rready  (s5_axi_rready),
    .s5_rst         (s5_rst),
    .s6_axi_awaddr  (s6_axi_awaddr),
    .s6_axi_awprot  (s6_axi_awprot),
    .s6_axi_awvalid (s6_axi_awvalid),
    .s6_axi_awready (s6_axi_awready),
    .s6_axi_wdata   (s6_axi_wdata),
    .s6_axi_wstrb   (s6_axi_wstrb),
    .s6_axi_wvalid  (s6_axi_wvalid),
    .s6_axi_wready  (s6_axi_wready),
    .s6_axi_bresp   (s6_axi_bresp),
    .s6_axi_bvalid  (s6_axi_bvalid),
    .s6_axi_bready  (s6_axi_bready),
    .s6_axi_araddr  (s6_axi_araddr),
    .s6_axi_arprot  (s6_axi_arprot),
    .s6_axi_arvalid (s6_axi_arvalid),
    .s6_axi_arready (s6_axi_arready),
    .s6_axi_rdata   (s6_axi_rdata),
    .s6_axi_rresp   (s6_axi_rresp),
    .s6_axi_rvalid  (s6_axi_rvalid),
    .s6_axi_rready  (s6_axi_rready),
    .s6_rst         (s6_rst),
    .s7_axi_awaddr  (s7_axi_awaddr),
    .s7_axi_awprot  (s7_axi_awprot),
    .s7_axi_awvalid (s7_axi_awvalid),
    .s7_axi_awready (s7_axi_awready),
    .s7_axi_wdata   (s7_axi_wdata),
    .s7_axi_wstrb   (s7_axi_wstrb),
    .s7_axi_wvalid  (s7_axi_wvalid),
    .s7_axi_wready  (s7_axi_wready),
    .s7_axi_bresp   (s7_axi_bresp),
    .s7_axi_bvalid  (s7_axi_bvalid),
    .s7_axi_bready  (s7_axi_bready),
    .s7_axi_araddr  (s7_axi_araddr),
    .s7_axi_arprot  (s7_axi_arprot),
    .s7_axi_arvalid (s7_axi_arvalid),
    .s7_axi_arready (s7_axi_arready),
    .s7_axi_rdata   (s7_axi_rdata),
    .s7_axi_rresp   (s7_axi_rresp),
    .s7_axi_rvalid  (s7_axi_rvalid),
    .s7_axi_rready  (s7_axi_rready),
    .s7_rst         (s7_rst),
    .irq            (irq),
    .manager_irq    (manager_irq)
);
