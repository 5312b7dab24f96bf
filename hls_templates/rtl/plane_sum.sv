// Sums of PLANES signed words, at most 8, by the weights 1, 2, 4, ..., for COUNT groups of them; pipelined and exact.
//
// Word p of group g: data_i[(g*PLANES + p)*IN_BITS +: IN_BITS]. Sum of group g: sum_o[g*OUT_BITS +: OUT_BITS].
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the latency of ceil(log4(PLANES)) enabled
// cycles, since four words are added per cycle; PLANES = 1 is a wire.
module plane_sum #(
    parameter int unsigned COUNT    = 1,
    parameter int unsigned PLANES   = 4,
    parameter int unsigned IN_BITS  = 8,
    parameter int unsigned TAG_BITS = 1,
    localparam int unsigned OUT_BITS = PLANES > 1 ? IN_BITS + PLANES : IN_BITS
) (
    input  logic                            clk_i,
    input  logic                            rst_ni,
    input  logic                            en_i,
    input  logic [            TAG_BITS-1:0] tag_i,
    input  logic [COUNT*PLANES*IN_BITS-1:0] data_i,
    output logic [            TAG_BITS-1:0] tag_o,
    output logic [      COUNT*OUT_BITS-1:0] sum_o
);
    localparam int unsigned GROUP = 4;
    localparam int unsigned LOW = PLANES < GROUP ? PLANES : GROUP;
    localparam int unsigned HIGH = PLANES - LOW;

    delay_line #(
        .WIDTH(TAG_BITS),
        .DEPTH(PLANES == 1 ? 0 : HIGH == 0 ? 1 : 2)
    ) i_tag (
        .clk_i,
        .rst_ni,
        .en_i,
        .data_i(tag_i),
        .data_o(tag_o)
    );

    if (PLANES == 1) begin : gen_wire
        assign sum_o = data_i;
    end else begin : gen_sums
        for (genvar g = 0; g < int'(COUNT); g++) begin : gen_sum
            localparam int unsigned LOW_BITS = IN_BITS + LOW;
            logic [LOW_BITS-1:0] low, low_q;
            plane_tree #(
                .N      (LOW),
                .IN_BITS(IN_BITS)
            ) i_low (
                .data_i(data_i[g*PLANES*IN_BITS+:LOW*IN_BITS]),
                .sum_o (low)
            );
            always_ff @(posedge clk_i) if (en_i) low_q <= low;
            if (HIGH == 0) begin : gen_one_cycle
                assign sum_o[g*OUT_BITS+:OUT_BITS] = low_q;
            end else begin : gen_two_cycles
                localparam int unsigned HIGH_BITS = HIGH > 1 ? IN_BITS + HIGH : IN_BITS;
                localparam int unsigned SUM_BITS = IN_BITS + HIGH;
                logic [HIGH_BITS-1:0] high, high_q;
                logic [OUT_BITS-1:0] sum_q;
                plane_tree #(
                    .N      (HIGH),
                    .IN_BITS(IN_BITS)
                ) i_high (
                    .data_i(data_i[(g*PLANES+LOW)*IN_BITS+:HIGH*IN_BITS]),
                    .sum_o (high)
                );
                logic [SUM_BITS-1:0] sum;
                assign sum = SUM_BITS'(signed'(high_q)) + SUM_BITS'(signed'(low_q[LOW_BITS-1:LOW]));
                always_ff @(posedge clk_i) begin
                    if (en_i) begin
                        high_q <= high;
                        sum_q  <= {sum, low_q[LOW-1:0]};
                    end
                end
                assign sum_o[g*OUT_BITS+:OUT_BITS] = sum_q;
            end
        end
    end
endmodule
