// Binds the rules of AXI-Lite to the shells' registers: a file for a simulator beside a shell's own.
bind axi_lite_registers axi_lite_rules i_axi_lite_rules (
    .clk_i,
    .rst_ni,
    .awaddr_i (s_axi_awaddr),
    .awvalid_i(s_axi_awvalid),
    .awready_i(s_axi_awready),
    .wdata_i  (s_axi_wdata),
    .wstrb_i  (s_axi_wstrb),
    .wvalid_i (s_axi_wvalid),
    .wready_i (s_axi_wready),
    .bresp_i  (s_axi_bresp),
    .bvalid_i (s_axi_bvalid),
    .bready_i (s_axi_bready),
    .araddr_i (s_axi_araddr),
    .arvalid_i(s_axi_arvalid),
    .arready_i(s_axi_arready),
    .rdata_i  (s_axi_rdata),
    .rresp_i  (s_axi_rresp),
    .rvalid_i (s_axi_rvalid),
    .rready_i (s_axi_rready)
);
