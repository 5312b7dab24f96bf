// The rules of AXI-Lite as assertions, for both ends.
//
// On each of the five channels valid stays until ready, and what it offers does not change meanwhile. There is one
// response for each request, within 16 cycles where nothing holds it up, and none without.
module axi_lite_rules (
    input logic        clk_i,
    input logic        rst_ni,
    input logic [ 6:0] awaddr_i,
    input logic        awvalid_i,
    input logic        awready_i,
    input logic [31:0] wdata_i,
    input logic [ 3:0] wstrb_i,
    input logic        wvalid_i,
    input logic        wready_i,
    input logic [ 1:0] bresp_i,
    input logic        bvalid_i,
    input logic        bready_i,
    input logic [ 6:0] araddr_i,
    input logic        arvalid_i,
    input logic        arready_i,
    input logic [31:0] rdata_i,
    input logic [ 1:0] rresp_i,
    input logic        rvalid_i,
    input logic        rready_i
);
    write_address_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        awvalid_i && !awready_i |=> awvalid_i && $stable(awaddr_i))
    else $error("%m: the write address changed before it was taken");
    write_data_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        wvalid_i && !wready_i |=> wvalid_i && $stable(wdata_i) && $stable(wstrb_i))
    else $error("%m: the write data changed before they were taken");
    write_response_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        bvalid_i && !bready_i |=> bvalid_i && $stable(bresp_i))
    else $error("%m: the write response changed before it was taken");
    read_address_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        arvalid_i && !arready_i |=> arvalid_i && $stable(araddr_i))
    else $error("%m: the read address changed before it was taken");
    read_response_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        rvalid_i && !rready_i |=> rvalid_i && $stable(rdata_i) && $stable(rresp_i))
    else $error("%m: the read data changed before they were taken");

    // Requests taken whose responses have not been.
    int unsigned addresses_q, words_q, reads_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            addresses_q <= 0;
            words_q <= 0;
            reads_q <= 0;
        end else begin
            addresses_q <= addresses_q + 32'(awvalid_i && awready_i) - 32'(bvalid_i && bready_i);
            words_q <= words_q + 32'(wvalid_i && wready_i) - 32'(bvalid_i && bready_i);
            reads_q <= reads_q + 32'(arvalid_i && arready_i) - 32'(rvalid_i && rready_i);
        end
    end
    write_response_has_a_request: assert property (@(posedge clk_i) disable iff (!rst_ni)
        bvalid_i |-> addresses_q > 0 && words_q > 0)
    else $error("%m: a write response without a request");
    read_response_has_a_request: assert property (@(posedge clk_i) disable iff (!rst_ni)
        rvalid_i |-> reads_q > 0)
    else $error("%m: read data without a request");

    // A master that takes its responses gets each within a bound: none is lost.
    localparam int unsigned PATIENCE = 16;
    int unsigned write_age_q, read_age_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni || bvalid_i || addresses_q == 0 || words_q == 0) write_age_q <= 0;
        else write_age_q <= write_age_q + 1;
        if (!rst_ni || rvalid_i || reads_q == 0) read_age_q <= 0;
        else read_age_q <= read_age_q + 1;
    end
    write_gets_a_response: assert property (@(posedge clk_i) disable iff (!rst_ni) write_age_q < PATIENCE)
    else $error("%m: a write got no response");
    read_gets_a_response: assert property (@(posedge clk_i) disable iff (!rst_ni) read_age_q < PATIENCE)
    else $error("%m: a read got no response");
endmodule
