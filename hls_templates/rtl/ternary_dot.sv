// Dot products of SIMD weights in {-1, 0, 1} with SIMD spikes, for PE rows and LANES time steps at once, each plus the
// number of its negative weights.
//
// A negative weight adds the spike's complement, 1 - spike: every product is one bit, found by one LUT, and a sum is a
// count of ones. What this is too much depends on the weights alone, and is taken off by whoever adds the bias. Ones
// are counted six at a time by three LUT6, up to four of these counts and three carries are added in one cycle, and the
// rest in a pipelined tree.
//
// Weight of row pe and element s: weight_i[(pe*SIMD + s)*2 +: 2], two's complement and not -2.
// Spike of element s at step t: spike_i[s*LANES + t]. Sum of row pe at step t: sum_o[(pe*LANES + t)*SUM_BITS +: ...], a
// signed word that is not negative.
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the latency of
// 2 + ceil(log4(ceil(SIMD/27))) enabled cycles.
module ternary_dot #(
    parameter int unsigned SIMD     = 4,
    parameter int unsigned PE       = 1,
    parameter int unsigned LANES    = 4,
    parameter int unsigned TAG_BITS = 1,
    localparam int unsigned SUM_BITS = $clog2(SIMD + 1) + 1
) (
    input  logic                         clk_i,
    input  logic                         rst_ni,
    input  logic                         en_i,
    input  logic [         TAG_BITS-1:0] tag_i,
    input  logic [        PE*SIMD*2-1:0] weight_i,
    input  logic [       SIMD*LANES-1:0] spike_i,
    output logic [         TAG_BITS-1:0] tag_o,
    output logic [PE*LANES*SUM_BITS-1:0] sum_o
);
    localparam int unsigned GROUP = 27;
    localparam int unsigned GROUPS = (SIMD + GROUP - 1) / GROUP;
    localparam int unsigned GROUP_BITS = $clog2((SIMD < GROUP ? SIMD : GROUP) + 1);
    localparam int unsigned TREE_BITS = GROUP_BITS + $clog2(GROUPS);
    localparam int unsigned LATENCY = 2 + ($clog2(GROUPS) + 1) / 2;

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

    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        for (genvar t = 0; t < int'(LANES); t++) begin : gen_lane
            logic [SIMD-1:0] product_q;
            for (genvar s = 0; s < int'(SIMD); s++) begin : gen_product
                logic [1:0] weight;
                assign weight = weight_i[(pe*SIMD+s)*2+:2];
                always_ff @(posedge clk_i) if (en_i) product_q[s] <= weight[0] && spike_i[s*LANES+t] != weight[1];
            end

            logic [GROUPS*GROUP_BITS-1:0] group_q;
            for (genvar g = 0; g < int'(GROUPS); g++) begin : gen_group
                localparam int unsigned COUNT = SIMD - GROUP * g < GROUP ? SIMD - GROUP * g : GROUP;
                logic [$clog2(COUNT+1)-1:0] ones;
                popcount #(
                    .COUNT(1),
                    .WIDTH(COUNT)
                ) i_ones (
                    .data_i(product_q[GROUP*g+:COUNT]),
                    .ones_o(ones)
                );
                always_ff @(posedge clk_i) if (en_i) group_q[g*GROUP_BITS+:GROUP_BITS] <= GROUP_BITS'(ones);
            end

            logic [TREE_BITS-1:0] total;
            logic no_carry, unused_carry;
            assign unused_carry = no_carry;
            adder_tree #(
                .N      (GROUPS),
                .IN_BITS(GROUP_BITS)
            ) i_tree (
                .clk_i,
                .en_i,
                .data_i (group_q),
                .carry_i('0),
                .sum_o  (total),
                .carry_o(no_carry)
            );
            assign sum_o[(pe*LANES+t)*SUM_BITS+:SUM_BITS] = {1'b0, total[SUM_BITS-2:0]};
            if (TREE_BITS >= SUM_BITS) begin : gen_spare
                logic unused;
                assign unused = ^total[TREE_BITS-1:SUM_BITS-1];
            end
        end
    end
endmodule
