// The AXI rules alone, on signals that a test drives.
module rules_bench (
    input logic        clk,
    input logic        rst_n,
    input logic [ 7:0] tdata,
    input logic        tvalid,
    input logic        tready,
    input logic        tlast,
    input logic [ 6:0] addr,
    input logic [31:0] data,
    input logic        awvalid,
    input logic        wvalid,
    input logic        bvalid,
    input logic        arvalid,
    input logic        rvalid,
    input logic        ready,
    input logic [63:0] burst_addr,
    input logic [ 7:0] burst_len,
    input logic [ 1:0] burst_kind,
    input logic        burst_valid,
    input logic        burst_ready,
    input logic        beat_valid,
    input logic        beat_last,
    input logic        beat_ready
);
    axi_stream_rules #(
        .BITS (8),
        .WORDS(3)
    ) i_stream (
        .clk_i   (clk),
        .rst_ni  (rst_n),
        .tdata_i (tdata),
        .tvalid_i(tvalid),
        .tready_i(tready),
        .tlast_i (tlast)
    );
    axi_lite_rules i_lite (
        .clk_i    (clk),
        .rst_ni   (rst_n),
        .awaddr_i (addr),
        .awvalid_i(awvalid),
        .awready_i(ready),
        .wdata_i  (data),
        .wstrb_i  (4'hF),
        .wvalid_i (wvalid),
        .wready_i (ready),
        .bresp_i  (2'b00),
        .bvalid_i (bvalid),
        .bready_i (ready),
        .araddr_i (addr),
        .arvalid_i(arvalid),
        .arready_i(ready),
        .rdata_i  (data),
        .rresp_i  (2'b00),
        .rvalid_i (rvalid),
        .rready_i (ready)
    );
    axi_read_rules #(
        .OUTSTANDING(2)
    ) i_read (
        .clk_i    (clk),
        .rst_ni   (rst_n),
        .araddr_i (burst_addr),
        .arlen_i  (burst_len),
        .arsize_i (3'd3),
        .arburst_i(burst_kind),
        .arvalid_i(burst_valid),
        .arready_i(burst_ready),
        .rdata_i  ({32'd0, data}),
        .rresp_i  (2'b00),
        .rlast_i  (beat_last),
        .rvalid_i (beat_valid),
        .rready_i (beat_ready)
    );
endmodule
