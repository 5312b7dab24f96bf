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
