// Number of ones in each of COUNT words of WIDTH bits, combinational: six bits at a time are counted by three LUT6, and
// their counts added in a tree, whose adders take a bit each as their carry.
module popcount #(
    parameter int unsigned COUNT = 1,
    parameter int unsigned WIDTH = 4,
    localparam int unsigned OUT_BITS = $clog2(WIDTH + 1)
) (
    input  logic [   COUNT*WIDTH-1:0] data_i,
    output logic [COUNT*OUT_BITS-1:0] ones_o
);
    localparam int unsigned GROUPS = (WIDTH + 7) / 7;
    localparam int unsigned CARRIES = GROUPS - 1;
    localparam int unsigned SUM_BITS = 3 + $clog2(GROUPS);

    // The words of six bits with 2, 3 or 6 ones, and those with 4 or more: bits 1 and 2 of the number of ones.
    function automatic logic [63:0] words_with(input int unsigned b);
        for (int unsigned i = 0; i < 64; i++) words_with[i] = 1'($countones(6'(i)) >> b);
    endfunction
    localparam logic [63:0] WITH_2 = words_with(1);
    localparam logic [63:0] WITH_4 = words_with(2);

    for (genvar w = 0; w < int'(COUNT); w++) begin : gen_word
        logic [6*GROUPS-1:0] padded;
        logic [GROUPS-1:0] carry;
        logic [3*GROUPS-1:0] ones;
        logic [SUM_BITS-1:0] total;
        assign padded = (6 * GROUPS)'(data_i[w*WIDTH+CARRIES+:WIDTH-CARRIES]);
        assign carry[0] = 1'b0;
        if (CARRIES > 0) begin : gen_carries
            assign carry[GROUPS-1:1] = data_i[w*WIDTH+:CARRIES];
        end
        for (genvar g = 0; g < int'(GROUPS); g++) begin : gen_group
            // As a choice of words, not a read of a table: Yosys makes a ROM of that, and moves registers through it.
            logic [5:0] six;
            logic [63:0] which;
            assign six = padded[6*g+:6];
            assign which = 64'd1 << six;
            assign ones[3*g+:3] = {|(which & WITH_4), |(which & WITH_2), ^six};
        end
        sum_tree #(
            .N      (GROUPS),
            .IN_BITS(3)
        ) i_total (
            .data_i (ones),
            .carry_i(carry),
            .sum_o  (total)
        );
        assign ones_o[w*OUT_BITS+:OUT_BITS] = OUT_BITS'(total);
        if (SUM_BITS > OUT_BITS) begin : gen_spare
            logic unused;
            assign unused = ^total[SUM_BITS-1:OUT_BITS];
        end
    end
endmodule
