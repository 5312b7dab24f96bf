// Dot products of SIMD weights with SIMD counts of 0..MOST <= 4, for PE rows: one adder an element, not one for each bit.
//
// A count is taken from its middle, MIDDLE - count: multiples -2, -1, 0, 1 and 2 of a weight are shifts of it, inverted
// where they are negative, and one more there, which goes into the carry of an adder. So the sum is MIDDLE times that of
// the weights less the dot product: whoever adds the bias takes that into account.
// TERNARY: of a weight -1, 0 or 1 of two bits the product is the count, 0, or MOST less the count, and not negative. What
// this is too much, MOST for each negative weight, is taken off by whoever adds the bias.
// Each choice takes one LUT a bit, which every second element shares with the adder behind it.
//
// Weight of row pe and element s: weight_i[(pe*SIMD + s)*WEIGHT_BITS +: WEIGHT_BITS], two's complement.
// Count of element s: count_i[s*COUNT_BITS +: COUNT_BITS].
// Sum of row pe: sum_o[pe*SUM_BITS +: SUM_BITS] plus carry_o, with its top bit inverted; if TERNARY it is unsigned.
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the latency of 1 + ceil(log4(SIMD)) enabled
// cycles.
module count_dot #(
    parameter int unsigned SIMD        = 4,
    parameter int unsigned PE          = 1,
    parameter int unsigned MOST        = 4,
    parameter int unsigned WEIGHT_BITS = 4,
    parameter bit          TERNARY     = 1'b0,
    parameter int unsigned TAG_BITS    = 1,
    localparam int unsigned COUNT_BITS = $clog2(MOST + 1),
    localparam int unsigned WORD_BITS  = TERNARY ? COUNT_BITS : WEIGHT_BITS + 1,
    localparam int unsigned SUM_BITS   = WORD_BITS + $clog2(SIMD)
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,
    input  logic                           en_i,
    input  logic [           TAG_BITS-1:0] tag_i,
    input  logic [PE*SIMD*WEIGHT_BITS-1:0] weight_i,
    input  logic [    SIMD*COUNT_BITS-1:0] count_i,
    output logic [           TAG_BITS-1:0] tag_o,
    output logic [        PE*SUM_BITS-1:0] sum_o,
    output logic                           carry_o
);
    localparam int unsigned LATENCY = 1 + ($clog2(SIMD) + 1) / 2;
    localparam int unsigned MIDDLE = MOST > 3 ? 2 : 1;

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
    logic [SIMD*COUNT_BITS-1:0] count_q;
    // Whether a count up to 4 takes its weight once or twice, and whether that is inverted; zero may be.
    logic [SIMD-1:0] once_q, twice_q, minus_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            weight_q <= weight_i;
            count_q  <= count_i;
            for (int unsigned s = 0; s < SIMD; s++) begin
                once_q[s]  <= 32'(count_i[s*COUNT_BITS+:COUNT_BITS]) inside {MIDDLE - 1, MIDDLE + 1};
                twice_q[s] <= 32'(count_i[s*COUNT_BITS+:COUNT_BITS]) + 2 == MIDDLE
                    || 32'(count_i[s*COUNT_BITS+:COUNT_BITS]) == MIDDLE + 2;
                minus_q[s] <= !TERNARY && count_i[s*COUNT_BITS+:COUNT_BITS] >= COUNT_BITS'(2);
            end
        end
    end

    logic unused;
    assign unused = ^{count_q, once_q, twice_q, minus_q};
    logic [PE-1:0] carry;
    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        logic [SIMD*WORD_BITS-1:0] picked;
        for (genvar s = 0; s < int'(SIMD); s++) begin : gen_pick
            logic signed [WEIGHT_BITS-1:0] weight;
            logic [WORD_BITS-1:0] word;
            assign weight = weight_q[(pe*SIMD+s)*WEIGHT_BITS+:WEIGHT_BITS];
            if (TERNARY) begin : gen_ternary
                logic [COUNT_BITS-1:0] count;
                assign count = count_q[s*COUNT_BITS+:COUNT_BITS];
                assign word = !weight[0] ? '0 : weight[1] ? WORD_BITS'(MOST) - count : count;
            end else begin : gen_multiple
                logic [WORD_BITS-1:0] multiple;
                if (MOST < 4) begin : gen_of_count
                    logic [1:0] count;
                    assign count = count_q[s*COUNT_BITS+:2];
                    assign multiple = count[0] ? {weight & {WEIGHT_BITS{count[1]}}, 1'b0} : WORD_BITS'(weight);
                    assign word = multiple ^ {WORD_BITS{count[1]}} ^ {1'b1, WEIGHT_BITS'(0)};
                end else begin : gen_of_choice
                    assign multiple = (WORD_BITS'(weight) & {WORD_BITS{once_q[s]}})
                        | ({weight, 1'b0} & {WORD_BITS{twice_q[s]}});
                    assign word = multiple ^ {WORD_BITS{minus_q[s]}} ^ {1'b1, WEIGHT_BITS'(0)};
                end
            end
            assign picked[s*WORD_BITS+:WORD_BITS] = word;
        end
        adder_tree #(
            .N      (SIMD),
            .IN_BITS(WORD_BITS),
            .OFFSET (!TERNARY)
        ) i_tree (
            .clk_i,
            .en_i,
            .data_i (picked),
            .carry_i(minus_q),
            .sum_o  (sum_o[pe*SUM_BITS+:SUM_BITS]),
            .carry_o(carry[pe])
        );
    end
    // The carries are those of the counts, and the same in each row.
    assign carry_o = carry[0];
    if (PE > 1) begin : gen_same
        logic unused_carry;
        assign unused_carry = ^carry[PE-1:1];
    end
endmodule
