// Sum of N words and of the carries of all words but the first, combinational and exact: OUT_BITS = IN_BITS + clog2(N).
//
// Words and sum are unsigned, or with OFFSET signed with their top bit inverted (offset binary: a word is its value plus
// half its range). The carry of an adder is then the top bit of its sum, where two's complement takes a LUT for the sign.
// With COMPLETE the sum is signed: the last adder adds a 1 to that carry, which takes no LUT where an inverter does.
// A balanced tree of carry-chain adders, one LUT a bit, into which the carries of words go: N words have N - 1 adders, so
// that the first word's carry is left to whoever adds the sum up. Partial sums are kept, since Yosys merges adders into a
// carry-save tree of two LUTs a bit; of the words themselves the logic before them may share a LUT with their adder.
module sum_tree #(
    parameter int unsigned N        = 4,
    parameter int unsigned IN_BITS  = 8,
    parameter bit          OFFSET   = 1'b0,
    parameter bit          COMPLETE = 1'b0,
    localparam int unsigned OUT_BITS = IN_BITS + $clog2(N)
) (
    input  logic [ N*IN_BITS-1:0] data_i,
    input  logic [         N-1:0] carry_i,
    output logic [  OUT_BITS-1:0] sum_o
);
    logic unused;
    assign unused = carry_i[0];
    if (N == 1) begin : gen_wire
        assign sum_o = data_i ^ (IN_BITS'(COMPLETE) << (IN_BITS - 1));
    end else begin : gen_add
        localparam int unsigned LOW = (N + 1) / 2;
        localparam int unsigned HIGH = N - LOW;
        localparam int unsigned LOW_BITS = IN_BITS + $clog2(LOW);
        localparam int unsigned HIGH_BITS = IN_BITS + $clog2(HIGH);
        logic [LOW_BITS-1:0] low, low_word, high_word;
        logic [HIGH_BITS-1:0] high, high_kept;
        sum_tree #(
            .N      (LOW),
            .IN_BITS(IN_BITS),
            .OFFSET (OFFSET)
        ) i_low (
            .data_i (data_i[LOW*IN_BITS-1:0]),
            .carry_i(carry_i[LOW-1:0]),
            .sum_o  (low)
        );
        sum_tree #(
            .N      (HIGH),
            .IN_BITS(IN_BITS),
            .OFFSET (OFFSET)
        ) i_high (
            .data_i (data_i[N*IN_BITS-1:LOW*IN_BITS]),
            .carry_i(carry_i[N-1:LOW]),
            .sum_o  (high)
        );
        if (LOW > 1) begin : gen_low_sum
            (* keep = "true" *) logic [LOW_BITS-1:0] kept;
            assign kept = low;
            assign low_word = kept;
        end else begin : gen_low_word
            assign low_word = low;
        end
        if (HIGH > 1) begin : gen_high_sum
            (* keep = "true" *) logic [HIGH_BITS-1:0] kept;
            assign kept = high;
            assign high_kept = kept;
        end else begin : gen_high_word
            assign high_kept = high;
        end
        if (HIGH_BITS == LOW_BITS || !OFFSET) begin : gen_zeros
            assign high_word = LOW_BITS'(high_kept);
        end else begin : gen_wider
            // It is one bit wider: the sign twice, the first time inverted.
            assign high_word = {high_kept[HIGH_BITS-1], ~high_kept[HIGH_BITS-1], high_kept[HIGH_BITS-2:0]};
        end
        assign sum_o = {COMPLETE, low_word} + OUT_BITS'(high_word) + OUT_BITS'(carry_i[LOW]);
    end
endmodule
