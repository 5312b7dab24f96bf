// Times frames: latency, interval, and how many are under way.
//
// enters_i: the first word of a frame moves in this cycle; leaves_i: the last word of the oldest frame does. Up to 16
// frames are under way; full_o says that no further one may enter. The results follow leaves_i by three cycles, with
// done_o in the cycle before they are there: latency_o counts from the cycle of enters_i to that of leaves_i, both
// included; interval_o from leaves_i to leaves_i, and is 0 before the second frame.
module frame_clock (
    input  logic        clk_i,
    input  logic        clear_i,
    input  logic        enters_i,
    input  logic        leaves_i,
    output logic        full_o,
    output logic        done_o,
    output logic [31:0] latency_o,
    output logic [31:0] interval_o
);
    localparam int unsigned DEPTH = 16;
    localparam int unsigned INDEX_BITS = $clog2(DEPTH);

    // Cycles wrap after 2^32, and so do their differences.
    logic [31:0] now_q;
    logic [31:0] entered_q[DEPTH];
    logic [INDEX_BITS-1:0] in_q, out_q, held_q;  // held_q counts modulo 16: full_q tells 16 from 0
    logic full_q;
    assign full_o = full_q;

    always_ff @(posedge clk_i) if (enters_i) entered_q[in_q] <= now_q;
    always_ff @(posedge clk_i) begin
        if (clear_i) begin
            now_q <= '0;
            in_q <= '0;
            out_q <= '0;
            held_q <= '0;
            full_q <= 1'b0;
        end else begin
            now_q <= now_q + 1'b1;
            if (enters_i) in_q <= in_q + 1'b1;
            if (leaves_i) out_q <= out_q + 1'b1;
            if (enters_i && !leaves_i) begin
                held_q <= held_q + 1'b1;
                full_q <= held_q == INDEX_BITS'(DEPTH - 1);
            end else if (leaves_i && !enters_i) begin
                held_q <= held_q - 1'b1;
                full_q <= 1'b0;
            end
        end
    end

    // leaves_i, then its time (one cycle later, which counts both ends in), then the differences.
    logic left_q, timed_q, earlier_q;
    logic [31:0] start_q, start_timed_q, end_q, earlier_end_q, latency_q, interval_q;
    assign done_o = timed_q;
    assign latency_o = latency_q;
    assign interval_o = interval_q;
    always_ff @(posedge clk_i) begin
        start_q <= entered_q[out_q];
        start_timed_q <= start_q;
        end_q <= now_q;
        if (clear_i) begin
            left_q <= 1'b0;
            timed_q <= 1'b0;
            earlier_q <= 1'b0;
            latency_q <= '0;
            interval_q <= '0;
        end else begin
            left_q <= leaves_i;
            timed_q <= left_q;
            if (timed_q) begin
                latency_q <= end_q - start_timed_q;
                earlier_q <= 1'b1;
                if (earlier_q) interval_q <= end_q - earlier_end_q;
            end
        end
        if (timed_q) earlier_end_q <= end_q;
    end
endmodule
