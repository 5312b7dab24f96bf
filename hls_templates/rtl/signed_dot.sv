// Dot products of SIMD weights in {-1, 0, 1} with SIMD counts, for PE rows and LANES counts of each element at once.
//
// A weight of -1 takes the bits of the count inverted and one more, which goes into the carry of an adder: each choice
// takes one LUT of three inputs a bit, which every second element shares with the adder behind it. Unlike those of
// ternary_dot.sv and count_dot.sv the sums are those of the products alone, so that elements may be left out.
//
// Weight of row pe and element s: weight_i[(pe*SIMD + s)*2 +: 2], two's complement and not -2.
// Count t of element s: count_i[(s*LANES + t)*COUNT_BITS +: COUNT_BITS], unsigned.
// Sum of row pe of counts t: sum_o[(pe*LANES + t)*SUM_BITS +: SUM_BITS], signed, plus carry_o[pe].
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the latency of 1 + ceil(log4(SIMD)) enabled
// cycles.
module signed_dot #(
    parameter int unsigned SIMD       = 4,
    parameter int unsigned PE         = 1,
    parameter int unsigned LANES      = 1,
    parameter int unsigned COUNT_BITS = 1,
    parameter int unsigned TAG_BITS   = 1,
    localparam int unsigned WORD_BITS = COUNT_BITS + 1,
    localparam int unsigned SUM_BITS  = WORD_BITS + $clog2(SIMD)
) (
    input  logic                             clk_i,
    input  logic                             rst_ni,
    input  logic                             en_i,
    input  logic [             TAG_BITS-1:0] tag_i,
    input  logic [            PE*SIMD*2-1:0] weight_i,
    input  logic [SIMD*LANES*COUNT_BITS-1:0] count_i,
    output logic [             TAG_BITS-1:0] tag_o,
    output logic [    PE*LANES*SUM_BITS-1:0] sum_o,
    output logic [                   PE-1:0] carry_o
);
    localparam int unsigned LATENCY = 1 + ($clog2(SIMD) + 1) / 2;

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

    // Top bits of words, inverted (sum_tree.sv). That of each first word and its carry are inputs of carry chains, before
    // which an inverter would be a LUT: both come from registers. What a memory has beyond its words may be 2'b10, which
    // is read with a count of zero: top bit and carry agree then, too.
    logic [PE*SIMD-1:0] taken_q, minus_q, top;
    logic [SIMD*LANES*COUNT_BITS-1:0] count_q;
    always_ff @(posedge clk_i) if (en_i) count_q <= count_i;
    for (genvar w = 0; w < int'(PE * SIMD); w++) begin : gen_weight
        logic [1:0] weight;
        assign weight = weight_i[2*w+:2];
        always_ff @(posedge clk_i) if (en_i) taken_q[w] <= weight[0];
        if (w % SIMD % 2 == 0) begin : gen_first
            logic plus_q;
            always_ff @(posedge clk_i) begin
                if (en_i) begin
                    minus_q[w] <= weight == 2'b11;
                    plus_q     <= weight != 2'b11;
                end
            end
            assign top[w] = plus_q;
        end else begin : gen_second
            always_ff @(posedge clk_i) if (en_i) minus_q[w] <= weight[1];
            assign top[w] = !minus_q[w];
        end
    end

    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        logic [LANES-1:0] carry;
        for (genvar t = 0; t < int'(LANES); t++) begin : gen_lane
            logic [SIMD*WORD_BITS-1:0] word;
            for (genvar s = 0; s < int'(SIMD); s++) begin : gen_word
                localparam int unsigned W = pe * SIMD + s;
                logic [COUNT_BITS-1:0] count;
                assign count = count_q[(s*LANES+t)*COUNT_BITS+:COUNT_BITS] & {COUNT_BITS{taken_q[W]}};
                assign word[s*WORD_BITS+:WORD_BITS] = {top[W], count ^ {COUNT_BITS{minus_q[W]}}};
            end
            adder_tree #(
                .N       (SIMD),
                .IN_BITS (WORD_BITS),
                .OFFSET  (1'b1),
                .COMPLETE(1'b1)
            ) i_tree (
                .clk_i,
                .en_i,
                .data_i  (word),
                .carry_i (minus_q[pe*SIMD+:SIMD]),
                .sum_o   (sum_o[(pe*LANES+t)*SUM_BITS+:SUM_BITS]),
                .carry_o (carry[t])
            );
        end
        // It is that of the weights, and the same for all counts.
        assign carry_o[pe] = carry[0];
        if (LANES > 1) begin : gen_same
            logic unused;
            assign unused = ^carry[LANES-1:1];
        end
    end
endmodule
