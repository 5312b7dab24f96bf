// Reads the weights of several layers from memory, those of each layer over and over, a frame after the other.
//
// A layer's weights are BURSTS bursts from burst FIRST_BURST of the image at base_i on, all of BURST_BEATS beats but the
// last one, which has LAST_BEATS. While enable_i is high, the layers are asked in turn, one a cycle, whether they have
// room for a burst (weight_channel.sv); one that has gets the next one of its bursts. So a layer that does not run leaves
// the bus to the others, and none waits for the words of another one.
//
// AXI4, also AXI3 with BURST_BEATS <= 16: reads only, one ID, whose data come in the order of the addresses. araddr and
// arvalid come from registers. rready is always high, since room is kept for what is asked for. Bursts do not cross a
// 4 KB boundary where base_i is a multiple of 4 KB and 4 KB are whole bursts.
module weight_reader #(
    parameter int unsigned CHANNELS     = 1,
    parameter int unsigned BUS_BITS     = 64,
    parameter int unsigned BURST_BEATS  = 16,
    parameter int unsigned ADDRESS_BITS = 32,
    parameter int unsigned OUTSTANDING  = 8,
    parameter int unsigned COUNT_BITS   = 32,
    parameter logic [32*CHANNELS-1:0] FIRST_BURST = '0,
    parameter logic [32*CHANNELS-1:0] BURSTS      = '0,
    parameter logic [32*CHANNELS-1:0] LAST_BEATS  = '0,
    localparam int unsigned LENGTH_BITS = $clog2(BURST_BEATS + 1)
) (
    input  logic                    clk_i,
    input  logic                    rst_ni,
    input  logic [ADDRESS_BITS-1:0] base_i,
    input  logic                    enable_i,
    // Channels.
    input  logic [    CHANNELS-1:0] room_i,
    output logic [    CHANNELS-1:0] reserve_o,
    output logic [ LENGTH_BITS-1:0] reserve_beats_o,
    output logic [    BUS_BITS-1:0] beat_o,
    output logic [    CHANNELS-1:0] beat_valid_o,
    // AXI.
    output logic [ADDRESS_BITS-1:0] araddr_o,
    output logic [             7:0] arlen_o,
    output logic                    arvalid_o,
    input  logic                    arready_i,
    input  logic [    BUS_BITS-1:0] rdata_i,
    input  logic                    rlast_i,
    input  logic                    rvalid_i,
    output logic                    rready_o
);
    localparam int unsigned CHANNEL_BITS = CHANNELS > 1 ? $clog2(CHANNELS) : 1;
    localparam int unsigned SLOT_BITS = $clog2(OUTSTANDING);
    localparam int unsigned BURST_BYTES_LOG = $clog2(BURST_BEATS * BUS_BITS / 8);

    logic [CHANNEL_BITS-1:0] turn_q;
    // Bursts of a layer that were asked for; COUNT_BITS count those of the one with the most.
    logic [COUNT_BITS-1:0] burst_q[CHANNELS];
    logic [COUNT_BITS-1:0] burst, bursts;
    logic [31:0] first_burst;
    logic last, issue, free;

    // Channels of the bursts that were asked for and have not come, in their order.
    (* ram_style = "distributed" *) logic [CHANNEL_BITS-1:0] coming[OUTSTANDING];
    logic [SLOT_BITS-1:0] asked_q, come_q;
    logic [SLOT_BITS:0] outstanding_q;
    logic burst_came;

    assign burst = burst_q[turn_q];
    assign bursts = COUNT_BITS'(BURSTS[turn_q*32+:32]);
    assign first_burst = FIRST_BURST[turn_q*32+:32];
    assign last = burst == bursts - COUNT_BITS'(1);
    assign free = (!arvalid_o || arready_i) && outstanding_q != (SLOT_BITS + 1)'(OUTSTANDING);
    assign issue = enable_i && free && room_i[turn_q];
    assign reserve_beats_o = last ? LENGTH_BITS'(LAST_BEATS[turn_q*32+:32]) : LENGTH_BITS'(BURST_BEATS);
    always_comb begin
        reserve_o = '0;
        reserve_o[turn_q] = issue;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            turn_q    <= '0;
            arvalid_o <= 1'b0;
            for (int unsigned channel = 0; channel < CHANNELS; channel++) burst_q[channel] <= '0;
        end else begin
            if (free) turn_q <= CHANNELS == 1 || turn_q == CHANNEL_BITS'(CHANNELS - 1) ? '0 : turn_q + CHANNEL_BITS'(CHANNELS > 1);
            if (issue) burst_q[turn_q] <= last ? '0 : burst + COUNT_BITS'(1);
            if (issue) arvalid_o <= 1'b1;
            else if (arready_i) arvalid_o <= 1'b0;
        end
    end
    always_ff @(posedge clk_i) begin
        if (issue) begin
            araddr_o <= base_i + (ADDRESS_BITS'(first_burst + 32'(burst)) << BURST_BYTES_LOG);
            arlen_o  <= 8'(reserve_beats_o) - 8'd1;
        end
    end

    assign rready_o = 1'b1;
    assign beat_o = rdata_i;
    assign burst_came = rvalid_i && rlast_i;
    always_comb begin
        beat_valid_o = '0;
        beat_valid_o[coming[come_q]] = rvalid_i;
    end
    always_ff @(posedge clk_i) if (issue) coming[asked_q] <= turn_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            asked_q       <= '0;
            come_q        <= '0;
            outstanding_q <= '0;
        end else begin
            asked_q       <= asked_q + SLOT_BITS'(issue);
            come_q        <= come_q + SLOT_BITS'(burst_came);
            outstanding_q <= outstanding_q + (SLOT_BITS + 1)'(issue) - (SLOT_BITS + 1)'(burst_came);
        end
    end

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        arvalid_o && !arready_i |=> arvalid_o && $stable(araddr_o) && $stable(arlen_o))
    else $error("weight_reader: an address changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni) rvalid_i |-> outstanding_q != '0)
    else $error("weight_reader: data that nobody asked for");
`endif
endmodule
