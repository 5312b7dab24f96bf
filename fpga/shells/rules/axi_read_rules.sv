// The rules of AXI4 reads with one ID as assertions, for both ends.
//
// On both channels valid stays until ready, and what it offers does not change meanwhile. Bursts are of whole beats at
// rising addresses, of at most 16 beats so that AXI3 takes them too, cross no 4 KB boundary, and at most OUTSTANDING are
// under way. Each has as many beats as were asked for, the last one marked; data are taken within 16 cycles, and none
// come unasked.
module axi_read_rules #(
    parameter int unsigned BUS_BITS    = 64,
    parameter int unsigned OUTSTANDING = 8
) (
    input logic                clk_i,
    input logic                rst_ni,
    input logic [        63:0] araddr_i,
    input logic [         7:0] arlen_i,
    input logic [         2:0] arsize_i,
    input logic [         1:0] arburst_i,
    input logic                arvalid_i,
    input logic                arready_i,
    input logic [BUS_BITS-1:0] rdata_i,
    input logic [         1:0] rresp_i,
    input logic                rlast_i,
    input logic                rvalid_i,
    input logic                rready_i
);
    localparam bit [63:0] BUS_BYTES = 64'(BUS_BITS / 8);
    localparam bit [63:0] PAGE_BYTES = 4096;
    localparam bit [7:0] LONGEST = 8'd15;
    localparam bit [1:0] INCR = 2'b01;

    address_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        arvalid_i && !arready_i |=> arvalid_i && $stable(araddr_i) && $stable(arlen_i) && $stable(arsize_i)
            && $stable(arburst_i))
    else $error("%m: the address changed before it was taken");
    data_stay: assert property (@(posedge clk_i) disable iff (!rst_ni)
        rvalid_i && !rready_i |=> rvalid_i && $stable(rdata_i) && $stable(rresp_i) && $stable(rlast_i))
    else $error("%m: the data changed before they were taken");

    whole_beats: assert property (@(posedge clk_i) disable iff (!rst_ni)
        arvalid_i |-> (64'd1 << arsize_i) == BUS_BYTES && araddr_i % BUS_BYTES == 0 && arburst_i == INCR
            && arlen_i <= LONGEST)
    else $error("%m: a burst is not of whole beats at rising addresses, at most 16");
    within_a_page: assert property (@(posedge clk_i) disable iff (!rst_ni)
        arvalid_i |-> araddr_i % PAGE_BYTES + (64'(arlen_i) + 1) * BUS_BYTES <= PAGE_BYTES)
    else $error("%m: a burst crosses a 4 KB boundary");

    // Lengths of the bursts under way, the oldest first.
    logic [7:0] lengths_q[OUTSTANDING];
    int unsigned under_way_q, newest_q, oldest_q, beat_q;
    logic asked, came;
    assign asked = arvalid_i && arready_i;
    assign came = rvalid_i && rready_i;
    always_ff @(posedge clk_i) if (asked) lengths_q[newest_q] <= arlen_i;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            under_way_q <= 0;
            newest_q <= 0;
            oldest_q <= 0;
            beat_q <= 0;
        end else begin
            under_way_q <= under_way_q + 32'(asked) - 32'(came && rlast_i);
            if (asked) newest_q <= newest_q == OUTSTANDING - 1 ? 0 : newest_q + 1;
            if (came) beat_q <= rlast_i ? 0 : beat_q + 1;
            if (came && rlast_i) oldest_q <= oldest_q == OUTSTANDING - 1 ? 0 : oldest_q + 1;
        end
    end
    few_under_way: assert property (@(posedge clk_i) disable iff (!rst_ni) asked |-> under_way_q < OUTSTANDING)
    else $error("%m: more bursts are under way than there may be");
    data_were_asked_for: assert property (@(posedge clk_i) disable iff (!rst_ni) rvalid_i |-> under_way_q > 0)
    else $error("%m: data that nobody asked for");
    last_ends_a_burst: assert property (@(posedge clk_i) disable iff (!rst_ni)
        rvalid_i && under_way_q > 0 |-> rlast_i == (beat_q == 32'(lengths_q[oldest_q])))
    else $error("%m: last does not stand at the end of a burst");

    localparam int unsigned PATIENCE = 16;
    int unsigned age_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni || !rvalid_i || rready_i) age_q <= 0;
        else age_q <= age_q + 1;
    end
    data_are_taken: assert property (@(posedge clk_i) disable iff (!rst_ni) age_q < PATIENCE)
    else $error("%m: data were not taken");
endmodule
