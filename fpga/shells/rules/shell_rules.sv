// Binds the AXI rules to the shells' modules: a file for a simulator beside a shell's own.
//
// Reset (also the one of the register CONTROL) drops words, so that no rule holds in it.
bind frame_shell axi_stream_rules #(
    .BITS(8 * IN_STREAM_BYTES)
) i_s_axis_rules (
    .clk_i,
    .rst_ni  (rst_ni && !resetting_q),
    .tdata_i (s_axis_tdata),
    .tvalid_i(s_axis_tvalid),
    .tready_i(s_axis_tready),
    .tlast_i (s_axis_tlast)
);
bind frame_shell axi_stream_rules #(
    .BITS (8 * OUT_STREAM_BYTES),
    .WORDS(OUT_WORDS)
) i_m_axis_rules (
    .clk_i,
    .rst_ni  (rst_ni && !resetting_q),
    .tdata_i (m_axis_tdata),
    .tvalid_i(m_axis_tvalid),
    .tready_i(m_axis_tready),
    .tlast_i (m_axis_tlast)
);
bind frame_shell axi_stream_rules #(
    .BITS(8 * IN_BYTES)
) i_acc_s_axis_rules (
    .clk_i,
    .rst_ni  (acc_rst_no && !resetting_q),
    .tdata_i (acc_s_axis_tdata),
    .tvalid_i(acc_s_axis_tvalid),
    .tready_i(acc_s_axis_tready),
    .tlast_i (1'b0)
);
bind frame_shell axi_stream_rules #(
    .BITS(8 * OUT_BYTES)
) i_acc_m_axis_rules (
    .clk_i,
    .rst_ni  (acc_rst_no && !resetting_q),
    .tdata_i (acc_m_axis_tdata),
    .tvalid_i(acc_m_axis_tvalid),
    .tready_i(acc_m_axis_tready),
    .tlast_i (1'b0)
);
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
