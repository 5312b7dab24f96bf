// Binds the rules of AXI4 reads to the port that weights are read through: a file for a simulator beside a shell's own.
//
// A reset by the register CONTROL is none of the port's: all rules hold in it.
bind weight_port axi_read_rules #(
    .BUS_BITS   (BUS_BITS),
    .OUTSTANDING(OUTSTANDING)
) i_axi_read_rules (
    .clk_i,
    .rst_ni,
    .araddr_i (m_axi_araddr),
    .arlen_i  (m_axi_arlen),
    .arsize_i (m_axi_arsize),
    .arburst_i(m_axi_arburst),
    .arvalid_i(m_axi_arvalid),
    .arready_i(m_axi_arready),
    .rdata_i  (m_axi_rdata),
    .rresp_i  (m_axi_rresp),
    .rlast_i  (m_axi_rlast),
    .rvalid_i (m_axi_rvalid),
    .rready_i (m_axi_rready)
);
