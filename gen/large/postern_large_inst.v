// postern_large: instantiation template. Copy it into your module and connect the wires;
// what drives an input and what reads an output is up to you. All ports belong to the clock clk.

// clock
wire clk;  // into the block

// reset
wire rst;  // into the block

// axi4 port 0 write address
wire [3:0] s0_axi_awid;  // into the block
wire [24:0] s0_axi_awaddr;  // into the block
wire [7:0] s0_axi_awlen;  // into the block
wire [2:0] s0_axi_awsize;  // into the block
wire [1:0] s0_axi_awburst;  // into the block
wire s0_axi_awlock;  // into the block
wire [3:0] s0_axi_awcache;  // into the block
wire [2:0] s0_axi_awprot;  // into the block
wire s0_axi_awvalid;  // into the block
wire s0_axi_awready;  // out of the block

// axi4 port 0 write data
wire [31:0] s0_axi_wdata;  // into the block
wire [3:0] s0_axi_wstrb;  // into the block
wire s0_axi_wlast;  // into the block
wire s0_axi_wvalid;  // into the block
wire s0_axi_wready;  // out of the block

// axi4 port 0 write response
wire [3:0] s0_axi_bid;  // out of the block
wire [1:0] s0_axi_bresp;  // out of the block
wire s0_axi_bvalid;  // out of the block
wire s0_axi_bready;  // into the block

// axi4 port 0 read address
wire [3:0] s0_axi_arid;  // into the block
wire [24:0] s0_axi_araddr;  // into the block
wire [7:0] s0_axi_arlen;  // into the block
wire [2:0] s0_axi_arsize;  // into the block
wire [1:0] s0_axi_arburst;  // into the block
wire s0_axi_arlock;  // into the block
wire [3:0] s0_axi_arcache;  // into the block
wire [2:0] s0_axi_arprot;  // into the block
wire s0_axi_arvalid;  // into the block
wire s0_axi_arready;  // out of the block

// axi4 port 0 read data
wire [3:0] s0_axi_rid;  // out of the block
wire [31:0] s0_axi_rdata;  // out of the block
wire [1:0] s0_axi_rresp;  // out of the block
wire s0_axi_rlast;  // out of the block
wire s0_axi_rvalid;  // out of the block
wire s0_axi_rready;  // into the block

// port 0 reset
wire s0_rst;  // into the block

// axi4 port 1 write address
wire [3:0] s1_axi_awid;  // into the block
wire [24:0] s1_axi_awaddr;  // into the block
wire [7:0] s1_axi_awlen;  // into the block
wire [2:0] s1_axi_awsize;  // into the block
wire [1:0] s1_axi_awburst;  // into the block
wire s1_axi_awlock;  // into the block
wire [3:0] s1_axi_awcache;  // into the block
wire [2:0] s1_axi_awprot;  // into the block
wire s1_axi_awvalid;  // into the block
wire s1_axi_awready;  // out of the block

// axi4 port 1 write data
wire [31:0] s1_axi_wdata;  // into the block
wire [3:0] s1_axi_wstrb;  // into the block
wire s1_axi_wlast;  // into the block
wire s1_axi_wvalid;  // into the block
wire s1_axi_wready;  // out of the block

// axi4 port 1 write response
wire [3:0] s1_axi_bid;  // out of the block
wire [1:0] s1_axi_bresp;  // out of the block
wire s1_axi_bvalid;  // out of the block
wire s1_axi_bready;  // into the block

// axi4 port 1 read address
wire [3:0] s1_axi_arid;  // into the block
wire [24:0] s1_axi_araddr;  // into the block
wire [7:0] s1_axi_arlen;  // into the block
wire [2:0] s1_axi_arsize;  // into the block
wire [1:0] s1_axi_arburst;  // into the block
wire s1_axi_arlock;  // into the block
wire [3:0] s1_axi_arcache;  // into the block
wire [2:0] s1_axi_arprot;  // into the block
wire s1_axi_arvalid;  // into the block
wire s1_axi_arready;  // out of the block

// axi4 port 1 read data
wire [3:0] s1_axi_rid;  // out of the block
wire [31:0] s1_axi_rdata;  // out of the block
wire [1:0] s1_axi_rresp;  // out of the block
wire s1_axi_rlast;  // out of the block
wire s1_axi_rvalid;  // out of the block
wire s1_axi_rready;  // into the block

// port 1 reset
wire s1_rst;  // into the block

// axi4 port 2 write address
wire [3:0] s2_axi_awid;  // into the block
wire [24:0] s2_axi_awaddr;  // into the block
wire [7:0] s2_axi_awlen;  // into the block
wire [2:0] s2_axi_awsize;  // into the block
wire [1:0] s2_axi_awburst;  // into the block
wire s2_axi_awlock;  // into the block
wire [3:0] s2_axi_awcache;  // into the block
wire [2:0] s2_axi_awprot;  // into the block
wire s2_axi_awvalid;  // into the block
wire s2_axi_awready;  // out of the block

// axi4 port 2 write data
wire [31:0] s2_axi_wdata;  // into the block
wire [3:0] s2_axi_wstrb;  // into the block
wire s2_axi_wlast;  // into the block
wire s2_axi_wvalid;  // into the block
wire s2_axi_wready;  // out of the block

// axi4 port 2 write response
wire [3:0] s2_axi_bid;  // out of the block
wire [1:0] s2_axi_bresp;  // out of the block
wire s2_axi_bvalid;  // out of the block
wire s2_axi_bready;  // into the block

// axi4 port 2 read address
wire [3:0] s2_axi_arid;  // into the block
wire [24:0] s2_axi_araddr;  // into the block
wire [7:0] s2_axi_arlen;  // into the block
wire [2:0] s2_axi_arsize;  // into the block
wire [1:0] s2_axi_arburst;  // into the block
wire s2_axi_arlock;  // into the block
wire [3:0] s2_axi_arcache;  // into the block
wire [2:0] s2_axi_arprot;  // into the block
wire s2_axi_arvalid;  // into the block
wire s2_axi_arready;  // out of the block

// axi4 port 2 read data
wire [3:0] s2_axi_rid;  // out of the block
wire [31:0] s2_axi_rdata;  // out of the block
wire [1:0] s2_axi_rresp;  // out of the block
wire s2_axi_rlast;  // out of the block
wire s2_axi_rvalid;  // out of the block
wire s2_axi_rready;  // into the block

// port 2 reset
wire s2_rst;  // into the block

// axi4 port 3 write address
wire [3:0] s3_axi_awid;  // into the block
wire [24:0] s3_axi_awaddr;  // into the block
wire [7:0] s3_axi_awlen;  // into the block
wire [2:0] s3_axi_awsize;  // into the block
wire [1:0] s3_axi_awburst;  // into the block
wire s3_axi_awlock;  // into the block
wire [3:0] s3_axi_awcache;  // into the block
wire [2:0] s3_axi_awprot;  // into the block
wire s3_axi_awvalid;  // into the block
wire s3_axi_awready;  // out of the block

// axi4 port 3 write data
wire [31:0] s3_axi_wdata;  // into the block
wire [3:0] s3_axi_wstrb;  // into the block
wire s3_axi_wlast;  // into the block
wire s3_axi_wvalid;  // into the block
wire s3_axi_wready;  // out of the block

// axi4 port 3 write response
wire [3:0] s3_axi_bid;  // out of the block
wire [1:0] s3_axi_bresp;  // out of the block
wire s3_axi_bvalid;  // out of the block
wire s3_axi_bready;  // into the block

// axi4 port 3 read address
wire [3:0] s3_axi_arid;  // into the block
wire [24:0] s3_axi_araddr;  // into the block
wire [7:0] s3_axi_arlen;  // into the block
wire [2:0] s3_axi_arsize;  // into the block
wire [1:0] s3_axi_arburst;  // into the block
wire s3_axi_arlock;  // into the block
wire [3:0] s3_axi_arcache;  // into the block
wire [2:0] s3_axi_arprot;  // into the block
wire s3_axi_arvalid;  // into the block
wire s3_axi_arready;  // out of the block

// axi4 port 3 read data
wire [3:0] s3_axi_rid;  // out of the block
wire [31:0] s3_axi_rdata;  // out of the block
wire [1:0] s3_axi_rresp;  // out of the block
wire s3_axi_rlast;  // out of the block
wire s3_axi_rvalid;  // out of the block
wire s3_axi_rready;  // into the block

// port 3 reset
wire s3_rst;  // into the block

// axi4 port 4 write address
wire [3:0] s4_axi_awid;  // into the block
wire [24:0] s4_axi_awaddr;  // into the block
wire [7:0] s4_axi_awlen;  // into the block
wire [2:0] s4_axi_awsize;  // into the block
wire [1:0] s4_axi_awburst;  // into the block
wire s4_axi_awlock;  // into the block
wire [3:0] s4_axi_awcache;  // into the block
wire [2:0] s4_axi_awprot;  // into the block
wire s4_axi_awvalid;  // into the block
wire s4_axi_awready;  // out of the block

// axi4 port 4 write data
wire [31:0] s4_axi_wdata;  // into the block
wire [3:0] s4_axi_wstrb;  // into the block
wire s4_axi_wlast;  // into the block
wire s4_axi_wvalid;  // into the block
wire s4_axi_wready;  // out of the block

// axi4 port 4 write response
wire [3:0] s4_axi_bid;  // out of the block
wire [1:0] s4_axi_bresp;  // out of the block
wire s4_axi_bvalid;  // out of the block
wire s4_axi_bready;  // into the block

// axi4 port 4 read address
wire [3:0] s4_axi_arid;  // into the block
wire [24:0] s4_axi_araddr;  // into the block
wire [7:0] s4_axi_arlen;  // into the block
wire [2:0] s4_axi_arsize;  // into the block
wire [1:0] s4_axi_arburst;  // into the block
wire s4_axi_arlock;  // into the block
wire [3:0] s4_axi_arcache;  // into the block
wire [2:0] s4_axi_arprot;  // into the block
wire s4_axi_arvalid;  // into the block
wire s4_axi_arready;  // out of the block

// axi4 port 4 read data
wire [3:0] s4_axi_rid;  // out of the block
wire [31:0] s4_axi_rdata;  // out of the block
wire [1:0] s4_axi_rresp;  // out of the block
wire s4_axi_rlast;  // out of the block
wire s4_axi_rvalid;  // out of the block
wire s4_axi_rready;  // into the block

// port 4 reset
wire s4_rst;  // into the block

// axi4 port 5 write address
wire [3:0] s5_axi_awid;  // into the block
wire [24:0] s5_axi_awaddr;  // into the block
wire [7:0] s5_axi_awlen;  // into the block
wire [2:0] s5_axi_awsize;  // into the block
wire [1:0] s5_axi_awburst;  // into the block
wire s5_axi_awlock;  // into the block
wire [3:0] s5_axi_awcache;  // into the block
wire [2:0] s5_axi_awprot;  // into the block
wire s5_axi_awvalid;  // into the block
wire s5_axi_awready;  // out of the block

// axi4 port 5 write data
wire [31:0] s5_axi_wdata;  // into the block
wire [3:0] s5_axi_wstrb;  // into the block
wire s5_axi_wlast;  // into the block
wire s5_axi_wvalid;  // into the block
wire s5_axi_wready;  // out of the block

// axi4 port 5 write response
wire [3:0] s5_axi_bid;  // out of the block
wire [1:0] s5_axi_bresp;  // out of the block
wire s5_axi_bvalid;  // out of the block
wire s5_axi_bready;  // into the block

// axi4 port 5 read address
wire [3:0] s5_axi_arid;  // into the block
wire [24:0] s5_axi_araddr;  // into the block
wire [7:0] s5_axi_arlen;  // into the block
wire [2:0] s5_axi_arsize;  // into the block
wire [1:0] s5_axi_arburst;  // into the block
wire s5_axi_arlock;  // into the block
wire [3:0] s5_axi_arcache;  // into the block
wire [2:0] s5_axi_arprot;  // into the block
wire s5_axi_arvalid;  // into the block
wire s5_axi_arready;  // out of the block

// axi4 port 5 read data
wire [3:0] s5_axi_rid;  // out of the block
wire [31:0] s5_axi_rdata;  // out of the block
wire [1:0] s5_axi_rresp;  // out of the block
wire s5_axi_rlast;  // out of the block
wire s5_axi_rvalid;  // out of the block
wire s5_axi_rready;  // into the block

// port 5 reset
wire s5_rst;  // into the block

// axi4 port 6 write address
wire [3:0] s6_axi_awid;  // into the block
wire [24:0] s6_axi_awaddr;  // into the block
wire [7:0] s6_axi_awlen;  // into the block
wire [2:0] s6_axi_awsize;  // into the block
wire [1:0] s6_axi_awburst;  // into the block
wire s6_axi_awlock;  // into the block
wire [3:0] s6_axi_awcache;  // into the block
wire [2:0] s6_axi_awprot;  // into the block
wire s6_axi_awvalid;  // into the block
wire s6_axi_awready;  // out of the block

// axi4 port 6 write data
wire [31:0] s6_axi_wdata;  // into the block
wire [3:0] s6_axi_wstrb;  // into the block
wire s6_axi_wlast;  // into the block
wire s6_axi_wvalid;  // into the block
wire s6_axi_wready;  // out of the block

// axi4 port 6 write response
wire [3:0] s6_axi_bid;  // out of the block
wire [1:0] s6_axi_bresp;  // out of the block
wire s6_axi_bvalid;  // out of the block
wire s6_axi_bready;  // into the block

// axi4 port 6 read address
wire [3:0] s6_axi_arid;  // into the block
wire [24:0] s6_axi_araddr;  // into the block
wire [7:0] s6_axi_arlen;  // into the block
wire [2:0] s6_axi_arsize;  // into the block
wire [1:0] s6_axi_arburst;  // into the block
wire s6_axi_arlock;  // into the block
wire [3:0] s6_axi_arcache;  // into the block
wire [2:0] s6_axi_arprot;  // into the block
wire s6_axi_arvalid;  // into the block
wire s6_axi_arready;  // out of the block

// axi4 port 6 read data
wire [3:0] s6_axi_rid;  // out of the block
wire [31:0] s6_axi_rdata;  // out of the block
wire [1:0] s6_axi_rresp;  // out of the block
wire s6_axi_rlast;  // out of the block
wire s6_axi_rvalid;  // out of the block
wire s6_axi_rready;  // into the block

// port 6 reset
wire s6_rst;  // into the block

// axi4 port 7 write address
wire [3:0] s7_axi_awid;  // into the block
wire [24:0] s7_axi_awaddr;  // into the block
wire [7:0] s7_axi_awlen;  // into the block
wire [2:0] s7_axi_awsize;  // into the block
wire [1:0] s7_axi_awburst;  // into the block
wire s7_axi_awlock;  // into the block
wire [3:0] s7_axi_awcache;  // into the block
wire [2:0] s7_axi_awprot;  // into the block
wire s7_axi_awvalid;  // into the block
wire s7_axi_awready;  // out of the block

// axi4 port 7 write data
wire [31:0] s7_axi_wdata;  // into the block
wire [3:0] s7_axi_wstrb;  // into the block
wire s7_axi_wlast;  // into the block
wire s7_axi_wvalid;  // into the block
wire s7_axi_wready;  // out of the block

// axi4 port 7 write response
wire [3:0] s7_axi_bid;  // out of the block
wire [1:0] s7_axi_bresp;  // out of the block
wire s7_axi_bvalid;  // out of the block
wire s7_axi_bready;  // into the block

// axi4 port 7 read address
wire [3:0] s7_axi_arid;  // into the block
wire [24:0] s7_axi_araddr;  // into the block
wire [7:0] s7_axi_arlen;  // into the block
wire [2:0] s7_axi_arsize;  // into the block
wire [1:0] s7_axi_arburst;  // into the block
wire s7_axi_arlock;  // into the block
wire [3:0] s7_axi_arcache;  // into the block
wire [2:0] s7_axi_arprot;  // into the block
wire s7_axi_arvalid;  // into the block
wire s7_axi_arready;  // out of the block

// axi4 port 7 read data
wire [3:0] s7_axi_rid;  // out of the block
wire [31:0] s7_axi_rdata;  // out of the block
wire [1:0] s7_axi_rresp;  // out of the block
wire s7_axi_rlast;  // out of the block
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
    .s0_axi_awid    (s0_axi_awid),
    .s0_axi_awaddr  (s0_axi_awaddr),
    .s0_axi_awlen   (s0_axi_awlen),
    .s0_axi_awsize  (s0_axi_awsize),
    .s0_axi_awburst (s0_axi_awburst),
    .s0_axi_awlock  (s0_axi_awlock),
    .s0_axi_awcache (s0_axi_awcache),
    .s0_axi_awprot  (s0_axi_awprot),
    .s0_axi_awvalid (s0_axi_awvalid),
    .s0_axi_awready (s0_axi_awready),
    .s0_axi_wdata   (s0_axi_wdata),
    .s0_axi_wstrb   (s0_axi_wstrb),
    .s0_axi_wlast   (s0_axi_wlast),
    .s0_axi_wvalid  (s0_axi_wvalid),
    .s0_axi_wready  (s0_axi_wready),
    .s0_axi_bid     (s0_axi_bid),
    .s0_axi_bresp   (s0_axi_bresp),
    .s0_axi_bvalid  (s0_axi_bvalid),
    .s0_axi_bready  (s0_axi_bready),
    .s0_axi_arid    (s0_axi_arid),
    .s0_axi_araddr  (s0_axi_araddr),
    .s0_axi_arlen   (s0_axi_arlen),
    .s0_axi_arsize  (s0_axi_arsize),
    .s0_axi_arburst (s0_axi_arburst),
    .s0_axi_arlock  (s0_axi_arlock),
    .s0_axi_arcache (s0_axi_arcache),
    .s0_axi_arprot  (s0_axi_arprot),
    .s0_axi_arvalid (s0_axi_arvalid),
    .s0_axi_arready (s0_axi_arready),
    .s0_axi_rid     (s0_axi_rid),
    .s0_axi_rdata   (s0_axi_rdata),
    .s0_axi_rresp   (s0_axi_rresp),
    .s0_axi_rlast   (s0_axi_rlast),
    .s0_axi_rvalid  (s0_axi_rvalid),
    .s0_axi_rready  (s0_axi_rready),
    .s0_rst         (s0_rst),
    .s1_axi_awid    (s1_axi_awid),
    .s1_axi_awaddr  (s1_axi_awaddr),
    .s1_axi_awlen   (s1_axi_awlen),
    .s1_axi_awsize  (s1_axi_awsize),
    .s1_axi_awburst (s1_axi_awburst),
    .s1_axi_awlock  (s1_axi_awlock),
    .s1_axi_awcache (s1_axi_awcache),
    .s1_axi_awprot  (s1_axi_awprot),
    .s1_axi_awvalid (s1_axi_awvalid),
    .s1_axi_awready (s1_axi_awready),
    .s1_axi_wdata   (s1_axi_wdata),
    .s1_axi_wstrb   (s1_axi_wstrb),
    .s1_axi_wlast   (s1_axi_wlast),
    .s1_axi_wvalid  (s1_axi_wvalid),
    .s1_axi_wready  (s1_axi_wready),
    .s1_axi_bid     (s1_axi_bid),
    .s1_axi_bresp   (s1_axi_bresp),
    .s1_axi_bvalid  (s1_axi_bvalid),
    .s1_axi_bready  (s1_axi_bready),
    .s1_axi_arid    (s1_axi_arid),
    .s1_axi_araddr  (s1_axi_araddr),
    .s1_axi_arlen   (s1_axi_arlen),
    .s1_axi_arsize  (s1_axi_arsize),
    .s1_axi_arburst (s1_axi_arburst),
    .s1_axi_arlock  (s1_axi_arlock),
    .s1_axi_arcache (s1_axi_arcache),
    .s1_axi_arprot  (s1_axi_arprot),
    .s1_axi_arvalid (s1_axi_arvalid),
    .s1_axi_arready (s1_axi_arready),
    .s1_axi_rid     (s1_axi_rid),
    .s1_axi_rdata   (s1_axi_rdata),
    .s1_axi_rresp   (s1_axi_rresp),
    .s1_axi_rlast   (s1_axi_rlast),
    .s1_axi_rvalid  (s1_axi_rvalid),
    .s1_axi_rready  (s1_axi_rready),
    .s1_rst         (s1_rst),
    .s2_axi_awid    (s2_axi_awid),
    .s2_axi_awaddr  (s2_axi_awaddr),
    .s2_axi_awlen   (s2_axi_awlen),
    .s2_axi_awsize  (s2_axi_awsize),
    .s2_axi_awburst (s2_axi_awburst),
    .s2_axi_awlock  (s2_axi_awlock),
    .s2_axi_awcache (s2_axi_awcache),
    .s2_axi_awprot  (s2_axi_awprot),
    .s2_axi_awvalid (s2_axi_awvalid),
    .s2_axi_awready (s2_axi_awready),
    .s2_axi_wdata   (s2_axi_wdata),
    .s2_axi_wstrb   (s2_axi_wstrb),
    .s2_axi_wlast   (s2_axi_wlast),
    .s2_axi_wvalid  (s2_axi_wvalid),
    .s2_axi_wready  (s2_axi_wready),
    .s2_axi_bid     (s2_axi_bid),
    .s2_axi_bresp   (s2_axi_bresp),
    .s2_axi_bvalid  (s2_axi_bvalid),
    .s2_axi_bready  (s2_axi_bready),
    .s2_axi_arid    (s2_axi_arid),
    .s2_axi_araddr  (s2_axi_araddr),
    .s2_axi_arlen   (s2_axi_arlen),
    .s2_axi_arsize  (s2_axi_arsize),
    .s2_axi_arburst (s2_axi_arburst),
    .s2_axi_arlock  (s2_axi_arlock),
    .s2_axi_arcache (s2_axi_arcache),
    .s2_axi_arprot  (s2_axi_arprot),
    .s2_axi_arvalid (s2_axi_arvalid),
    .s2_axi_arready (s2_axi_arready),
    .s2_axi_rid     (s2_axi_rid),
    .s2_axi_rdata   (s2_axi_rdata),
    .s2_axi_rresp   (s2_axi_rresp),
    .s2_axi_rlast   (s2_axi_rlast),
    .s2_axi_rvalid  (s2_axi_rvalid),
    .s2_axi_rready  (s2_axi_rready),
    .s2_rst         (s2_rst),
    .s3_axi_awid    (s3_axi_awid),
    .s3_axi_awaddr  (s3_axi_awaddr),
    .s3_axi_awlen   (s3_axi_awlen),
    .s3_axi_awsize  (s3_axi_awsize),
    .s3_axi_awburst (s3_axi_awburst),
    .s3_axi_awlock  (s3_axi_awlock),
    .s3_axi_awcache (s3_axi_awcache),
    .s3_axi_awprot  (s3_axi_awprot),
    .s3_axi_awvalid (s3_axi_awvalid),
    .s3_axi_awready (s3_axi_awready),
    .s3_axi_wdata   (s3_axi_wdata),
    .s3_axi_wstrb   (s3_axi_wstrb),
    .s3_axi_wlast   (s3_axi_wlast),
    .s3_axi_wvalid  (s3_axi_wvalid),
    .s3_axi_wready  (s3_axi_wready),
    .s3_axi_bid     (s3_axi_bid),
    .s3_axi_bresp   (s3_axi_bresp),
    .s3_axi_bvalid  (s3_axi_bvalid),
    .s3_axi_bready  (s3_axi_bready),
    .s3_axi_arid    (s3_axi_arid),
    .s3_axi_araddr  (s3_axi_araddr),
    .s3_axi_arlen   (s3_axi_arlen),
    .s3_axi_arsize  (s3_axi_arsize),
    .s3_axi_arburst (s3_axi_arburst),
    .s3_axi_arlock  (s3_axi_arlock),
    .s3_axi_arcache (s3_axi_arcache),
    .s3_axi_arprot  (s3_axi_arprot),
    .s3_axi_arvalid (s3_axi_arvalid),
    .s3_axi_arready (s3_axi_arready),
    .s3_axi_rid     (s3_axi_rid),
    .s3_axi_rdata   (s3_axi_rdata),
    .s3_axi_rresp   (s3_axi_rresp),
    .s3_axi_rlast   (s3_axi_rlast),
    .s3_axi_rvalid  (s3_axi_rvalid),
    .s3_axi_rready  (s3_axi_rready),
    .s3_rst         (s3_rst),
    .s4_axi_awid    (s4_axi_awid),
    .s4_axi_awaddr  (s4_axi_awaddr),
    .s4_axi_awlen   (s4_axi_awlen),
    .s4_axi_awsize  (s4_axi_awsize),
    .s4_axi_awburst (s4_axi_awburst),
    .s4_axi_awlock  (s4_axi_awlock),
    .s4_axi_awcache (s4_axi_awcache),
    .s4_axi_awprot  (s4_axi_awprot),
    .s4_axi_awvalid (s4_axi_awvalid),
    .s4_axi_awready (s4_axi_awready),
    .s4_axi_wdata   (s4_axi_wdata),
    .s4_axi_wstrb   (s4_axi_wstrb),
    .s4_axi_wlast   (s4_axi_wlast),
    .s4_axi_wvalid  (s4_axi_wvalid),
    .s4_axi_wready  (s4_axi_wready),
    .s4_axi_bid     (s4_axi_bid),
    .s4_axi_bresp   (s4_axi_bresp),
    .s4_axi_bvalid  (s4_axi_bvalid),
    .s4_axi_bready  (s4_axi_bready),
    .s4_axi_arid    (s4_axi_arid),
    .s4_axi_araddr  (s4_axi_araddr),
    .s4_axi_arlen   (s4_axi_arlen),
    .s4_axi_arsize  (s4_axi_arsize),
    .s4_axi_arburst (s4_axi_arburst),
    .s4_axi_arlock  (s4_axi_arlock),
    .s4_axi_arcache (s4_axi_arcache),
    .s4_axi_arprot  (s4_axi_arprot),
    .s4_axi_arvalid (s4_axi_arvalid),
    .s4_axi_arready (s4_axi_arready),
    .s4_axi_rid     (s4_axi_rid),
    .s4_axi_rdata   (s4_axi_rdata),
    .s4_axi_rresp   (s4_axi_rresp),
    .s4_axi_rlast   (s4_axi_rlast),
    .s4_axi_rvalid  (s4_axi_rvalid),
    .s4_axi_rready  (s4_axi_rready),
    .s4_rst         (s4_rst),
    .s5_axi_awid    (s5_axi_awid),
    .s5_axi_awaddr  (s5_axi_awaddr),
    .s5_axi_awlen   (s5_axi_awlen),
    .s5_axi_awsize  (s5_axi_awsize),
    .s5_axi_awburst (s5_axi_awburst),
    .s5_axi_awlock  (s5_axi_awlock),
    .s5_axi_awcache (s5_axi_awcache),
    .s5_axi_awprot  (s5_axi_awprot),
    .s5_axi_awvalid (s5_axi_awvalid),
    .s5_axi_awready (s5_axi_awready),
    .s5_axi_wdata   (s5_axi_wdata),
    .s5_axi_wstrb   (s5_axi_wstrb),
    .s5_axi_wlast   (s5_axi_wlast),
    .s5_axi_wvalid  (s5_axi_wvalid),
    .s5_axi_wready  (s5_axi_wready),
    .s5_axi_bid     (s5_axi_bid),
    .s5_axi_bresp   (s5_axi_bresp),
    .s5_axi_bvalid  (s5_axi_bvalid),
    .s5_axi_bready  (s5_axi_bready),
    .s5_axi_arid    (s5_axi_arid),
    .s5_axi_araddr  (s5_axi_araddr),
    .s5_axi_arlen   (s5_axi_arlen),
    .s5_axi_arsize  (s5_axi_arsize),
    .s5_axi_arburst (s5_axi_arburst),
    .s5_axi_arlock  (s5_axi_arlock),
    .s5_axi_arcache (s5_axi_arcache),
    .s5_axi_arprot  (s5_axi_arprot),
    .s5_axi_arvalid (s5_axi_arvalid),
    .s5_axi_arready (s5_axi_arready),
    .s5_axi_rid     (s5_axi_rid),
    .s5_axi_rdata   (s5_axi_rdata),
    .s5_axi_rresp   (s5_axi_rresp),
    .s5_axi_rlast   (s5_axi_rlast),
    .s5_axi_rvalid  (s5_axi_rvalid),
    .s5_axi_rready  (s5_axi_rready),
    .s5_rst         (s5_rst),
    .s6_axi_awid    (s6_axi_awid),
    .s6_axi_awaddr  (s6_axi_awaddr),
    .s6_axi_awlen   (s6_axi_awlen),
    .s6_axi_awsize  (s6_axi_awsize),
    .s6_axi_awburst (s6_axi_awburst),
    .s6_axi_awlock  (s6_axi_awlock),
    .s6_axi_awcache (s6_axi_awcache),
    .s6_axi_awprot  (s6_axi_awprot),
    .s6_axi_awvalid (s6_axi_awvalid),
    .s6_axi_awready (s6_axi_awready),
    .s6_axi_wdata   (s6_axi_wdata),
    .s6_axi_wstrb   (s6_axi_wstrb),
    .s6_axi_wlast   (s6_axi_wlast),
    .s6_axi_wvalid  (s6_axi_wvalid),
    .s6_axi_wready  (s6_axi_wready),
    .s6_axi_bid     (s6_axi_bid),
    .s6_axi_bresp   (s6_axi_bresp),
    .s6_axi_bvalid  (s6_axi_bvalid),
    .s6_axi_bready  (s6_axi_bready),
    .s6_axi_arid    (s6_axi_arid),
    .s6_axi_araddr  (s6_axi_araddr),
    .s6_axi_arlen   (s6_axi_arlen),
    .s6_axi_arsize  (s6_axi_arsize),
    .s6_axi_arburst (s6_axi_arburst),
    .s6_axi_arlock  (s6_axi_arlock),
    .s6_axi_arcache (s6_axi_arcache),
    .s6_axi_arprot  (s6_axi_arprot),
    .s6_axi_arvalid (s6_axi_arvalid),
    .s6_axi_arready (s6_axi_arready),
    .s6_axi_rid     (s6_axi_rid),
    .s6_axi_rdata   (s6_axi_rdata),
    .s6_axi_rresp   (s6_axi_rresp),
    .s6_axi_rlast   (s6_axi_rlast),
    .s6_axi_rvalid  (s6_axi_rvalid),
    .s6_axi_rready  (s6_axi_rready),
    .s6_rst         (s6_rst),
    .s7_axi_awid    (s7_axi_awid),
    .s7_axi_awaddr  (s7_axi_awaddr),
    .s7_axi_awlen   (s7_axi_awlen),
    .s7_axi_awsize  (s7_axi_awsize),
    .s7_axi_awburst (s7_axi_awburst),
    .s7_axi_awlock  (s7_axi_awlock),
    .s7_axi_awcache (s7_axi_awcache),
    .s7_axi_awprot  (s7_axi_awprot),
    .s7_axi_awvalid (s7_axi_awvalid),
    .s7_axi_awready (s7_axi_awready),
    .s7_axi_wdata   (s7_axi_wdata),
    .s7_axi_wstrb   (s7_axi_wstrb),
    .s7_axi_wlast   (s7_axi_wlast),
    .s7_axi_wvalid  (s7_axi_wvalid),
    .s7_axi_wready  (s7_axi_wready),
    .s7_axi_bid     (s7_axi_bid),
    .s7_axi_bresp   (s7_axi_bresp),
    .s7_axi_bvalid  (s7_axi_bvalid),
    .s7_axi_bready  (s7_axi_bready),
    .s7_axi_arid    (s7_axi_arid),
    .s7_axi_araddr  (s7_axi_araddr),
    .s7_axi_arlen   (s7_axi_arlen),
    .s7_axi_arsize  (s7_axi_arsize),
    .s7_axi_arburst (s7_axi_arburst),
    .s7_axi_arlock  (s7_axi_arlock),
    .s7_axi_arcache (s7_axi_arcache),
    .s7_axi_arprot  (s7_axi_arprot),
    .s7_axi_arvalid (s7_axi_arvalid),
    .s7_axi_arready (s7_axi_arready),
    .s7_axi_rid     (s7_axi_rid),
    .s7_axi_rdata   (s7_axi_rdata),
    .s7_axi_rresp   (s7_axi_rresp),
    .s7_axi_rlast   (s7_axi_rlast),
    .s7_axi_rvalid  (s7_axi_rvalid),
    .s7_axi_rready  (s7_axi_rready),
    .s7_rst         (s7_rst),
    .irq            (irq),
    .manager_irq    (manager_irq)
);
