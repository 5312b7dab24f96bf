// Sum of N words, signed or with UNSIGNED not, pipelined: up to four words are added per clock cycle and level.
//
// Latency in enabled cycles: ceil(log4(N)); N = 1 is a wire. The sum is exact: OUT_BITS = IN_BITS + clog2(N).
module adder_tree #(
    parameter int unsigned N       = 4,
    parameter int unsigned IN_BITS = 8,
    parameter bit          UNSIGNED = 1'b0,
    localparam int unsigned OUT_BITS = IN_BITS + $clog2(N)
) (
    input  logic                  clk_i,
    input  logic                  en_i,
    input  logic [ N*IN_BITS-1:0] data_i,
    output logic [  OUT_BITS-1:0] sum_o
);
    if (N == 1) begin : gen_wire
        logic unused;
        assign unused = ^{clk_i, en_i};
        assign sum_o = data_i;
    end else begin : gen_level
        localparam int unsigned GROUPS = (N + 3) / 4;
        localparam int unsigned GROUP_BITS = IN_BITS + (N < 3 ? 1 : 2);
        logic [GROUPS*GROUP_BITS-1:0] group_q;
        for (genvar g = 0; g < int'(GROUPS); g++) begin : gen_group
            localparam int unsigned COUNT = (N - 4 * g) < 4 ? N - 4 * g : 4;
            logic [IN_BITS+$clog2(COUNT)-1:0] sum;
            sum_tree #(
                .N       (COUNT),
                .IN_BITS (IN_BITS),
                .UNSIGNED(UNSIGNED)
            ) i_sum (
                .data_i(data_i[4*g*IN_BITS+:COUNT*IN_BITS]),
                .sum_o (sum)
            );
            always_ff @(posedge clk_i) begin
                if (en_i) group_q[g*GROUP_BITS+:GROUP_BITS] <= UNSIGNED ? GROUP_BITS'(sum) : GROUP_BITS'(signed'(sum));
            end
        end
        adder_tree #(
            .N       (GROUPS),
            .IN_BITS (GROUP_BITS),
            .UNSIGNED(UNSIGNED)
        ) i_next (
            .clk_i,
            .en_i,
            .data_i(group_q),
            .sum_o
        );
    end
endmodule
