// Sum of N words, signed or with UNSIGNED not, combinational and exact: OUT_BITS = IN_BITS + clog2(N).
//
// A balanced tree of carry-chain adders, one LUT a bit. The sign of a sum is found beside its adder, not by a longer
// adder: as the sign bits then have a second reader, Yosys leaves the adders alone instead of merging them into a
// carry-save tree of two LUTs a bit. Unsigned words have no sign, and their partial sums are kept instead.
module sum_tree #(
    parameter int unsigned N       = 4,
    parameter int unsigned IN_BITS = 8,
    parameter bit          UNSIGNED = 1'b0,
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
        localparam int unsigned LOW_BITS = IN_BITS + $clog2(LOW);
        localparam int unsigned HIGH_BITS = IN_BITS + $clog2(HIGH);
        logic [LOW_BITS-1:0] low;
        logic [HIGH_BITS-1:0] high;
        sum_tree #(
            .N       (LOW),
            .IN_BITS (IN_BITS),
            .UNSIGNED(UNSIGNED)
        ) i_low (
            .data_i(data_i[LOW*IN_BITS-1:0]),
            .sum_o (low)
        );
        sum_tree #(
            .N       (HIGH),
            .IN_BITS (IN_BITS),
            .UNSIGNED(UNSIGNED)
        ) i_high (
            .data_i(data_i[N*IN_BITS-1:LOW*IN_BITS]),
            .sum_o (high)
        );
        if (UNSIGNED) begin : gen_unsigned
            (* keep = "true" *) logic [LOW_BITS-1:0] kept_low;
            (* keep = "true" *) logic [HIGH_BITS-1:0] kept_high;
            assign kept_low = low;
            assign kept_high = high;
            assign sum_o = OUT_BITS'(kept_low) + OUT_BITS'(kept_high);
        end else begin : gen_signed
            logic [LOW_BITS-1:0] extended, sum;
            logic low_sign, high_sign;
            assign extended = LOW_BITS'(signed'(high));
            assign low_sign = low[LOW_BITS-1];
            assign high_sign = high[HIGH_BITS-1];
            assign sum = low + extended;
            assign sum_o = {low_sign == high_sign ? low_sign : sum[LOW_BITS-1], sum};
        end
    end
endmodule
