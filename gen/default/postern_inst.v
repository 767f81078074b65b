// postern: instantiation template. Copy it into your module and connect the wires;
// what drives an input and what reads an output is up to you. All ports belong to the clock clk.

// clock
wire clk;  // into the block

// reset
wire rst;  // into the block

// axi4-lite port 0 write address
wire [17:0] s0_axi_awaddr;  // into the block
wire [2:0] s0_axi_awprot;  // into the block
wire [3:0] s0_axi_awuser;  // into the block
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
wire [17:0] s0_axi_araddr;  // into the block
wire [2:0] s0_axi_arprot;  // into the block
wire [3:0] s0_axi_aruser;  // into the block
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
wire [17:0] s1_axi_awaddr;  // into the block
wire [2:0] s1_axi_awprot;  // into the block
wire [3:0] s1_axi_awuser;  // into the block
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
wire [17:0] s1_axi_araddr;  // into the block
wire [2:0] s1_axi_arprot;  // into the block
wire [3:0] s1_axi_aruser;  // into the block
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
wire [17:0] s2_axi_awaddr;  // into the block
wire [2:0] s2_axi_awprot;  // into the block
wire [3:0] s2_axi_awuser;  // into the block
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
wire [17:0] s2_axi_araddr;  // into the block
wire [2:0] s2_axi_arprot;  // into the block
wire [3:0] s2_axi_aruser;  // into the block
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
wire [17:0] s3_axi_awaddr;  // into the block
wire [2:0] s3_axi_awprot;  // into the block
wire [3:0] s3_axi_awuser;  // into the block
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
wire [17:0] s3_axi_araddr;  // into the block
wire [2:0] s3_axi_arprot;  // into the block
wire [3:0] s3_axi_aruser;  // into the block
wire s3_axi_arvalid;  // into the block
wire s3_axi_arready;  // out of the block

// axi4-lite port 3 read data
wire [31:0] s3_axi_rdata;  // out of the block
wire [1:0] s3_axi_rresp;  // out of the block
wire s3_axi_rvalid;  // out of the block
wire s3_axi_rready;  // into the block

// port 3 reset
wire s3_rst;  // into the block

// core interrupts
wire [3:0] irq;  // out of the block

// manager interrupt
wire manager_irq;  // out of the block

postern u_postern (
    .clk            (clk),
    .rst            (rst),
    .s0_axi_awaddr  (s0_axi_awaddr),
    .s0_axi_awprot  (s0_axi_awprot),
    .s0_axi_awuser  (s0_axi_awuser),
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
    .s0_axi_aruser  (s0_axi_aruser),
    .s0_axi_arvalid (s0_axi_arvalid),
    .s0_axi_arready (s0_axi_arready),
    .s0_axi_rdata   (s0_axi_rdata),
    .s0_axi_rresp   (s0_axi_rresp),
    .s0_axi_rvalid  (s0_axi_rvalid),
    .s0_axi_rready  (s0_axi_rready),
    .s0_rst         (s0_rst),
    .s1_axi_awaddr  (s1_axi_awaddr),
    .s1_axi_awprot  (s1_axi_awprot),
    .s1_axi_awuser  (s1_axi_awuser),
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
    .s1_axi_aruser  (s1_axi_aruser),
    .s1_axi_arvalid (s1_axi_arvalid),
    .s1_axi_arready (s1_axi_arready),
    .s1_axi_rdata   (s1_axi_rdata),
    .s1_axi_rresp   (s1_axi_rresp),
    .s1_axi_rvalid  (s1_axi_rvalid),
    .s1_axi_rready  (s1_axi_rready),
    .s1_rst         (s1_rst),
    .s2_axi_awaddr  (s2_axi_awaddr),
    .s2_axi_awprot  (s2_axi_awprot),
    .s2_axi_awuser  (s2_axi_awuser),
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
    .s2_axi_aruser  (s2_axi_aruser),
    .s2_axi_arvalid (s2_axi_arvalid),
    .s2_axi_arready (s2_axi_arready),
    .s2_axi_rdata   (s2_axi_rdata),
    .s2_axi_rresp   (s2_axi_rresp),
    .s2_axi_rvalid  (s2_axi_rvalid),
    .s2_axi_rready  (s2_axi_rready),
    .s2_rst         (s2_rst),
    .s3_axi_awaddr  (s3_axi_awaddr),
    .s3_axi_awprot  (s3_axi_awprot),
    .s3_axi_awuser  (s3_axi_awuser),
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
    .s3_axi_aruser  (s3_axi_aruser),
    .s3_axi_arvalid (s3_axi_arvalid),
    .s3_axi_arready (s3_axi_arready),
    .s3_axi_rdata   (s3_axi_rdata),
    .s3_axi_rresp   (s3_axi_rresp),
    .s3_axi_rvalid  (s3_axi_rvalid),
    .s3_axi_rready  (s3_axi_rready),
    .s3_rst         (s3_rst),
    .irq            (irq),
    .manager_irq    (manager_irq)
);
