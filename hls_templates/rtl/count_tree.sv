// Sum of N unsigned words, combinational and exact: OUT_BITS = IN_BITS + clog2(N).
//
// A balanced tree of carry-chain adders, one LUT a bit. The partial sums are kept, else Yosys merges the adders into a
// carry-save tree of two LUTs a bit.
module count_tree #(
    parameter int unsigned N       = 4,
    parameter int unsigned IN_BITS = 3,
    localparam int unsigned OUT_BITS = IN_BITS + $clog2(N)
) (
    input  logic [ N*IN_BITS-1:0] data_i,
    output logic [  OUT_BITS-1:0] sum_o
);
    if (N == 1) begin : gen_wire
        assign sum_o = data_i;
    end else begin : gen_add
        localparam int unsigned LOW = (N + 1) / 2;
        localparam int unsigned HIGH = N - LOW;
        (* keep = "true" *) logic [IN_BITS+$clog2(LOW)-1:0] low;
        (* keep = "true" *) logic [IN_BITS+$clog2(HIGH)-1:0] high;
        count_tree #(
            .N      (LOW),
            .IN_BITS(IN_BITS)
        ) i_low (
            .data_i(data_i[LOW*IN_BITS-1:0]),
            .sum_o (low)
        );
        count_tree #(
            .N      (HIGH),
            .IN_BITS(IN_BITS)
        ) i_high (
            .data_i(data_i[N*IN_BITS-1:LOW*IN_BITS]),
            .sum_o (high)
        );
        assign sum_o = OUT_BITS'(low) + OUT_BITS'(high);
    end
endmodule
