// Sum of N words and of the carries of all words but the first, pipelined: up to four words are added per clock cycle and
// level. Words are unsigned, or with OFFSET signed with their top bit inverted; with COMPLETE that of the sum is not
// (sum_tree.sv).
//
// Latency in enabled cycles: ceil(log4(N)); N = 1 is a wire. The sum is exact: OUT_BITS = IN_BITS + clog2(N). carry_o is
// the first word's carry with that latency.
module adder_tree #(
    parameter int unsigned N        = 4,
    parameter int unsigned IN_BITS  = 8,
    parameter bit          OFFSET   = 1'b0,
    parameter bit          COMPLETE = 1'b0,
    localparam int unsigned OUT_BITS = IN_BITS + $clog2(N)
) (
    input  logic                  clk_i,
    input  logic                  en_i,
    input  logic [ N*IN_BITS-1:0] data_i,
    input  logic [         N-1:0] carry_i,
    output logic [  OUT_BITS-1:0] sum_o,
    output logic                  carry_o
);
    if (N == 1) begin : gen_wire
        logic unused;
        assign unused = ^{clk_i, en_i};
        assign sum_o = data_i ^ (IN_BITS'(COMPLETE) << (IN_BITS - 1));
        assign carry_o = carry_i;
    end else begin : gen_level
        localparam int unsigned GROUPS = (N + 3) / 4;
        localparam int unsigned GROUP_BITS = IN_BITS + (N < 3 ? 1 : 2);
        logic [GROUPS*GROUP_BITS-1:0] group_q;
        logic [GROUPS-1:0] carry_q;
        // A word of so many bits as one of GROUP_BITS.
        function automatic logic [GROUP_BITS-1:0] widened(input logic [GROUP_BITS-1:0] word, input int unsigned bits);
            widened = word;
            if (OFFSET && bits < GROUP_BITS) begin
                for (int unsigned b = 0; b < GROUP_BITS - 1; b++) if (b + 1 >= bits) widened[b] = !word[bits-1];
                widened[GROUP_BITS-1] = word[bits-1];
            end
        endfunction
        for (genvar g = 0; g < int'(GROUPS); g++) begin : gen_group
            localparam int unsigned COUNT = (N - 4 * g) < 4 ? N - 4 * g : 4;
            localparam int unsigned COUNT_BITS = IN_BITS + $clog2(COUNT);
            logic [COUNT_BITS-1:0] sum;
            sum_tree #(
                .N       (COUNT),
                .IN_BITS (IN_BITS),
                .OFFSET  (OFFSET),
                .COMPLETE(COMPLETE && GROUPS == 1)
            ) i_sum (
                .data_i (data_i[4*g*IN_BITS+:COUNT*IN_BITS]),
                .carry_i(carry_i[4*g+:COUNT]),
                .sum_o  (sum)
            );
            always_ff @(posedge clk_i) begin
                if (en_i) begin
                    group_q[g*GROUP_BITS+:GROUP_BITS] <= widened(GROUP_BITS'(sum), COUNT_BITS);
                    carry_q[g] <= carry_i[4*g];
                end
            end
        end
        adder_tree #(
            .N       (GROUPS),
            .IN_BITS (GROUP_BITS),
            .OFFSET  (OFFSET),
            .COMPLETE(COMPLETE && GROUPS > 1)
        ) i_next (
            .clk_i,
            .en_i,
            .data_i (group_q),
            .carry_i(carry_q),
            .sum_o,
            .carry_o
        );
    end
endmodule
