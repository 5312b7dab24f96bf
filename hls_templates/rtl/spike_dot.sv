// Dot products of SIMD weights with SIMD spikes, for PE rows and LANES time steps at once.
//
// A weight is read once and used for all time steps: each pair of weights is added once (w0 + w1), and every time
// step picks one of {0, w0, w1, w0 + w1} with its two spikes. The choice shares one LUT6 a bit with the adder that
// follows it; the pairs are added in a pipelined tree.
//
// Weight of row pe and element s: weight_i[(pe*SIMD + s)*WEIGHT_BITS +: WEIGHT_BITS], two's complement.
// Spike of element s at step t: spike_i[s*LANES + t]. Sum of row pe at step t: sum_o[(pe*LANES + t)*SUM_BITS +: ...].
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the latency of
// 1 + ceil(log4(ceil(SIMD/2))) enabled cycles.
module spike_dot #(
    parameter int unsigned SIMD        = 4,
    parameter int unsigned PE          = 1,
    parameter int unsigned LANES       = 4,
    parameter int unsigned WEIGHT_BITS = 4,
    parameter int unsigned TAG_BITS    = 1,
    localparam int unsigned SUM_BITS   = WEIGHT_BITS + $clog2(SIMD)
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,
    input  logic                           en_i,
    input  logic [           TAG_BITS-1:0] tag_i,
    input  logic [PE*SIMD*WEIGHT_BITS-1:0] weight_i,
    input  logic [         SIMD*LANES-1:0] spike_i,
    output logic [           TAG_BITS-1:0] tag_o,
    output logic [  PE*LANES*SUM_BITS-1:0] sum_o
);
    localparam int unsigned PAIRS = (SIMD + 1) / 2;
    localparam int unsigned PAIR_BITS = WEIGHT_BITS + 1;
    localparam int unsigned TREE_BITS = PAIR_BITS + $clog2(PAIRS);
    localparam int unsigned LATENCY = 1 + ($clog2(PAIRS) + 1) / 2;

    delay_line #(
        .WIDTH(TAG_BITS),
        .DEPTH(LATENCY)
    ) i_tag (
        .clk_i,
        .rst_ni,
        .en_i,
        .data_i(tag_i),
        .data_o(tag_o)
    );

    logic [PE*SIMD*WEIGHT_BITS-1:0] weight_q;
    logic [SIMD*LANES-1:0] spike_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            weight_q <= weight_i;
            spike_q  <= spike_i;
        end
    end

    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        logic signed [PAIR_BITS-1:0] first[PAIRS];
        logic signed [PAIR_BITS-1:0] second[PAIRS];
        logic signed [PAIR_BITS-1:0] both[PAIRS];
        for (genvar p = 0; p < int'(PAIRS); p++) begin : gen_pair
            localparam int unsigned LOW = (pe * SIMD + 2 * p) * WEIGHT_BITS;
            assign first[p] = PAIR_BITS'(signed'(weight_q[LOW+:WEIGHT_BITS]));
            if (2 * p + 1 < SIMD) begin : gen_both
                assign second[p] = PAIR_BITS'(signed'(weight_q[LOW+WEIGHT_BITS+:WEIGHT_BITS]));
                logic signed [PAIR_BITS-1:0] both_q;
                assign both[p] = both_q;
                always_ff @(posedge clk_i) begin
                    if (en_i) begin
                        both_q <= PAIR_BITS'(signed'(weight_i[LOW+:WEIGHT_BITS]))
                            + PAIR_BITS'(signed'(weight_i[LOW+WEIGHT_BITS+:WEIGHT_BITS]));
                    end
                end
            end else begin : gen_single
                assign second[p] = '0;
                assign both[p] = '0;
            end
        end

        for (genvar t = 0; t < int'(LANES); t++) begin : gen_lane
            logic [PAIRS*PAIR_BITS-1:0] picked;
            for (genvar p = 0; p < int'(PAIRS); p++) begin : gen_pick
                logic later;
                if (2 * p + 1 < SIMD) begin : gen_later
                    assign later = spike_q[(2*p+1)*LANES+t];
                end else begin : gen_no_later
                    assign later = 1'b0;
                end
                always_comb begin
                    unique case ({later, spike_q[2*p*LANES+t]})
                        2'b00: picked[p*PAIR_BITS+:PAIR_BITS] = '0;
                        2'b01: picked[p*PAIR_BITS+:PAIR_BITS] = first[p];
                        2'b10: picked[p*PAIR_BITS+:PAIR_BITS] = second[p];
                        2'b11: picked[p*PAIR_BITS+:PAIR_BITS] = both[p];
                    endcase
                end
            end

            // Words have their top bit inverted (sum_tree.sv).
            logic [TREE_BITS-1:0] total;
            logic no_carry, unused_carry;
            assign unused_carry = no_carry;
            adder_tree #(
                .N       (PAIRS),
                .IN_BITS (PAIR_BITS),
                .OFFSET  (1'b1),
                .COMPLETE(1'b1)
            ) i_tree (
                .clk_i,
                .en_i,
                .data_i (picked ^ {PAIRS{1'b1, WEIGHT_BITS'(0)}}),
                .carry_i('0),
                .sum_o  (total),
                .carry_o(no_carry)
            );
            assign sum_o[(pe*LANES+t)*SUM_BITS+:SUM_BITS] = SUM_BITS'(total);
            if (TREE_BITS > SUM_BITS) begin : gen_spare
                logic unused;
                assign unused = ^total[TREE_BITS-1:SUM_BITS];
            end
        end
    end
endmodule
