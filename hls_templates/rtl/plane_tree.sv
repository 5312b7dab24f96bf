// Sum of N signed words by the weights 1, 2, 4, ..., combinational and exact: OUT_BITS = IN_BITS + N, or IN_BITS for one.
//
// The lower half is added to the upper one, whose lowest bits it gives: an adder is no wider than what it adds up.
module plane_tree #(
    parameter int unsigned N       = 4,
    parameter int unsigned IN_BITS = 8,
    localparam int unsigned OUT_BITS = N > 1 ? IN_BITS + N : IN_BITS
) (
    input  logic [ N*IN_BITS-1:0] data_i,
    output logic [  OUT_BITS-1:0] sum_o
);
    if (N == 1) begin : gen_wire
        assign sum_o = data_i;
    end else begin : gen_add
        localparam int unsigned LOW = 2 ** ($clog2(N) - 1);
        localparam int unsigned HIGH = N - LOW;
        localparam int unsigned LOW_BITS = LOW > 1 ? IN_BITS + LOW : IN_BITS;
        localparam int unsigned HIGH_BITS = HIGH > 1 ? IN_BITS + HIGH : IN_BITS;
        localparam int unsigned SUM_BITS = IN_BITS + HIGH;
        logic [LOW_BITS-1:0] low;
        logic [HIGH_BITS-1:0] high;
        plane_tree #(
            .N      (LOW),
            .IN_BITS(IN_BITS)
        ) i_low (
            .data_i(data_i[LOW*IN_BITS-1:0]),
            .sum_o (low)
        );
        plane_tree #(
            .N      (HIGH),
            .IN_BITS(IN_BITS)
        ) i_high (
            .data_i(data_i[N*IN_BITS-1:LOW*IN_BITS]),
            .sum_o (high)
        );
        logic signed [SUM_BITS-1:0] sum;
        assign sum = SUM_BITS'(signed'(high)) + SUM_BITS'(signed'(low[LOW_BITS-1:LOW]));
        assign sum_o = {sum, low[LOW-1:0]};
    end
endmodule
