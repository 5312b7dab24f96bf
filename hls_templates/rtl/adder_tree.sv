// Sum of N signed words, pipelined: up to four words are added per clock cycle and level.
//
// Latency in enabled cycles: ceil(log4(N)); N = 1 is a wire. The sum is exact: OUT_BITS = IN_BITS + clog2(N).
module adder_tree #(
    parameter int unsigned N       = 4,
    parameter int unsigned IN_BITS = 8,
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
            logic signed [GROUP_BITS-1:0] part[COUNT];
            for (genvar i = 0; i < int'(COUNT); i++) begin : gen_part
                assign part[i] = GROUP_BITS'(signed'(data_i[(4*g+i)*IN_BITS+:IN_BITS]));
            end
            logic signed [GROUP_BITS-1:0] sum;
            if (COUNT == 1) begin : gen_one
                assign sum = part[0];
            end else if (COUNT == 2) begin : gen_two
                assign sum = part[0] + part[1];
            end else if (COUNT == 3) begin : gen_three
                assign sum = part[0] + part[1] + part[2];
            end else begin : gen_four
                assign sum = (part[0] + part[1]) + (part[2] + part[3]);
            end
            always_ff @(posedge clk_i) if (en_i) group_q[g*GROUP_BITS+:GROUP_BITS] <= sum;
        end
        adder_tree #(
            .N      (GROUPS),
            .IN_BITS(GROUP_BITS)
        ) i_next (
            .clk_i,
            .en_i,
            .data_i(group_q),
            .sum_o
        );
    end
endmodule
