// Dot products of SIMD weights with SIMD spikes, for PE rows and LANES time steps at once, where the memory holds the sum
// and the difference of each pair of weights instead of the weights.
//
// With a sign of -1 for a spike and +1 for none, a pair of products is one of +-(w0 + w1), +-(w0 - w1): a choice of two
// words by whether the spikes differ, inverted where the first one spikes, and one more there. That one goes into the
// carry of an adder, so that the choice takes one LUT a bit, which each second pair shares with the adder behind it.
// The sum of SIMD products by signs is the sum of the weights less twice that by spikes: whoever adds the bias takes
// that into account.
//
// Pair p of row pe: weight_i[(pe*PAIRS + p)*WORD_BITS +: WORD_BITS], from the low bits up: w0 + w1 of PAIR_BITS bits, and
// w0 - w1 without its lowest bit, which is the same; two's complement. An odd last weight is paired with none: w1 = 0.
// Spike of element s at step t: spike_i[s*LANES + t].
// Sum of row pe at step t: sum_o[(pe*LANES + t)*SUM_BITS +: ...] plus carry_o[t], with its top bit inverted.
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the latency of
// 1 + ceil(log4(ceil(SIMD/2))) enabled cycles.
module pair_dot #(
    parameter int unsigned SIMD        = 4,
    parameter int unsigned PE          = 1,
    parameter int unsigned LANES       = 4,
    parameter int unsigned WEIGHT_BITS = 4,
    parameter int unsigned TAG_BITS    = 1,
    localparam int unsigned PAIRS      = (SIMD + 1) / 2,
    localparam int unsigned PAIR_BITS  = WEIGHT_BITS + 1,
    localparam int unsigned WORD_BITS  = 2 * PAIR_BITS - 1,
    localparam int unsigned SUM_BITS   = PAIR_BITS + $clog2(PAIRS)
) (
    input  logic                          clk_i,
    input  logic                          rst_ni,
    input  logic                          en_i,
    input  logic [          TAG_BITS-1:0] tag_i,
    input  logic [PE*PAIRS*WORD_BITS-1:0] weight_i,
    input  logic [        SIMD*LANES-1:0] spike_i,
    output logic [          TAG_BITS-1:0] tag_o,
    output logic [ PE*LANES*SUM_BITS-1:0] sum_o,
    output logic [             LANES-1:0] carry_o
);
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

    logic [PE*PAIRS*WORD_BITS-1:0] weight_q;
    // Bit t*PAIRS + p: whether the spikes of pair p differ at step t, and its first one.
    logic [LANES*PAIRS-1:0] differ_q, minus_q;
    always_ff @(posedge clk_i) if (en_i) weight_q <= weight_i;
    for (genvar t = 0; t < int'(LANES); t++) begin : gen_sign
        for (genvar p = 0; p < int'(PAIRS); p++) begin : gen_pair
            logic second;
            if (2 * p + 1 < SIMD) begin : gen_second
                assign second = spike_i[(2*p+1)*LANES+t];
            end else begin : gen_no_second
                assign second = 1'b0;
            end
            always_ff @(posedge clk_i) begin
                if (en_i) begin
                    differ_q[t*PAIRS+p] <= spike_i[2*p*LANES+t] != second;
                    minus_q[t*PAIRS+p]  <= spike_i[2*p*LANES+t];
                end
            end
        end
    end

    logic [PE*LANES-1:0] carry;
    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        for (genvar t = 0; t < int'(LANES); t++) begin : gen_lane
            logic [PAIRS*PAIR_BITS-1:0] picked;
            for (genvar p = 0; p < int'(PAIRS); p++) begin : gen_pick
                logic [PAIR_BITS-1:0] plus, difference, chosen;
                assign plus = weight_q[(pe*PAIRS+p)*WORD_BITS+:PAIR_BITS];
                assign difference = {weight_q[(pe*PAIRS+p)*WORD_BITS+PAIR_BITS+:WEIGHT_BITS], plus[0]};
                assign chosen = differ_q[t*PAIRS+p] ? difference : plus;
                assign picked[p*PAIR_BITS+:PAIR_BITS] =
                    chosen ^ {PAIR_BITS{minus_q[t*PAIRS+p]}} ^ {1'b1, WEIGHT_BITS'(0)};
            end
            adder_tree #(
                .N      (PAIRS),
                .IN_BITS(PAIR_BITS),
                .OFFSET (1'b1)
            ) i_tree (
                .clk_i,
                .en_i,
                .data_i (picked),
                .carry_i(minus_q[t*PAIRS+:PAIRS]),
                .sum_o  (sum_o[(pe*LANES+t)*SUM_BITS+:SUM_BITS]),
                .carry_o(carry[pe*LANES+t])
            );
        end
    end
    // The carries are those of the spikes, and the same in each row.
    assign carry_o = carry[LANES-1:0];
    if (PE > 1) begin : gen_same
        logic unused;
        assign unused = ^carry[PE*LANES-1:LANES];
    end
endmodule
