// Dot products of SIMD signed weights with SIMD unsigned elements, for PE rows.
//
// USE_DSP = 0: a weight is cut into radix-4 digits; each digit picks a multiple of the element with one LUT6 a bit
// that also adds it up: {0, x, 2x, 3x} for the lower digits and {0, x, -2x, -x} for the top digit. 3x and -x are
// computed once per element and shared by all rows. USE_DSP = 1: plain products for DSP slices, then an adder tree.
//
// Weight of row pe and element s: weight_i[(pe*SIMD + s)*WEIGHT_BITS +: WEIGHT_BITS], two's complement, even width.
// Element s: element_i[s*ELEMENT_BITS +: ELEMENT_BITS]. Sum of row pe: sum_o[pe*SUM_BITS +: SUM_BITS].
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the module's latency.
module product_dot #(
    parameter int unsigned SIMD         = 4,
    parameter int unsigned PE           = 1,
    parameter int unsigned ELEMENT_BITS = 8,
    parameter int unsigned WEIGHT_BITS  = 4,
    parameter bit          USE_DSP      = 1'b0,
    parameter int unsigned TAG_BITS     = 1,
    localparam int unsigned SUM_BITS    = WEIGHT_BITS + ELEMENT_BITS + $clog2(SIMD)
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,
    input  logic                           en_i,
    input  logic [           TAG_BITS-1:0] tag_i,
    input  logic [PE*SIMD*WEIGHT_BITS-1:0] weight_i,
    input  logic [  SIMD*ELEMENT_BITS-1:0] element_i,
    output logic [           TAG_BITS-1:0] tag_o,
    output logic [        PE*SUM_BITS-1:0] sum_o
);
    localparam int unsigned GROUP = 4;
    localparam int unsigned GROUPS = (SIMD + GROUP - 1) / GROUP;
    localparam int unsigned DIGITS = WEIGHT_BITS / 2;
    localparam int unsigned TREE_INPUTS = USE_DSP ? SIMD : GROUPS;
    localparam int unsigned LATENCY = 2 + ($clog2(TREE_INPUTS) + 1) / 2 + (!USE_DSP && DIGITS > 1 ? 1 : 0);

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

    logic [PE*SIMD*WEIGHT_BITS-1:0] weight_q;
    logic [SIMD*ELEMENT_BITS-1:0] element_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            weight_q  <= weight_i;
            element_q <= element_i;
        end
    end

    if (USE_DSP) begin : gen_dsp
        localparam int unsigned PRODUCT_BITS = WEIGHT_BITS + ELEMENT_BITS;
        for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
            logic [SIMD*PRODUCT_BITS-1:0] product_q;
            for (genvar s = 0; s < int'(SIMD); s++) begin : gen_product
                logic signed [PRODUCT_BITS-1:0] weight;
                logic signed [PRODUCT_BITS-1:0] element;
                assign weight  = PRODUCT_BITS'(signed'(weight_q[(pe*SIMD+s)*WEIGHT_BITS+:WEIGHT_BITS]));
                assign element = PRODUCT_BITS'({1'b0, element_q[s*ELEMENT_BITS+:ELEMENT_BITS]});
                (* use_dsp = "yes" *) logic signed [PRODUCT_BITS-1:0] product;
                assign product = weight * element;
                always_ff @(posedge clk_i) if (en_i) product_q[s*PRODUCT_BITS+:PRODUCT_BITS] <= product;
            end
            adder_tree #(
                .N      (SIMD),
                .IN_BITS(PRODUCT_BITS)
            ) i_tree (
                .clk_i,
                .en_i,
                .data_i(product_q),
                .sum_o (sum_o[pe*SUM_BITS+:SUM_BITS])
            );
        end
    end else begin : gen_lut
        localparam int unsigned MULTIPLE_BITS = ELEMENT_BITS + 2;
        localparam int unsigned GROUP_BITS = MULTIPLE_BITS + $clog2(SIMD < GROUP ? SIMD : GROUP);
        localparam int unsigned DIGIT_BITS = GROUP_BITS + $clog2(GROUPS);

        // Multiples of the elements, signed where the top digit wants them.
        logic signed [MULTIPLE_BITS-1:0] once[SIMD];
        logic signed [MULTIPLE_BITS-1:0] minus[SIMD];
        logic [MULTIPLE_BITS-1:0] thrice[SIMD];
        for (genvar s = 0; s < int'(SIMD); s++) begin : gen_multiple
            assign once[s] = MULTIPLE_BITS'(element_q[s*ELEMENT_BITS+:ELEMENT_BITS]);
            logic signed [MULTIPLE_BITS-1:0] minus_q;
            assign minus[s] = minus_q;
            always_ff @(posedge clk_i) begin
                if (en_i) minus_q <= -MULTIPLE_BITS'(element_i[s*ELEMENT_BITS+:ELEMENT_BITS]);
            end
            if (DIGITS > 1) begin : gen_thrice
                logic [MULTIPLE_BITS-1:0] thrice_q;
                assign thrice[s] = thrice_q;
                always_ff @(posedge clk_i) begin
                    if (en_i) begin
                        thrice_q <= MULTIPLE_BITS'(element_i[s*ELEMENT_BITS+:ELEMENT_BITS])
                            + MULTIPLE_BITS'({element_i[s*ELEMENT_BITS+:ELEMENT_BITS], 1'b0});
                    end
                end
            end else begin : gen_no_thrice
                logic unused;
                assign thrice[s] = '0;
                assign unused = ^thrice[s];
            end
        end

        for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
            logic [DIGITS*(DIGIT_BITS+1)-1:0] digit_sum;
            for (genvar d = 0; d < int'(DIGITS); d++) begin : gen_digit
                localparam bit TOP = d == DIGITS - 1;
                // One more bit than the multiples: 3x of the lower digits is unsigned.
                logic [SIMD*(MULTIPLE_BITS+1)-1:0] picked;
                for (genvar s = 0; s < int'(SIMD); s++) begin : gen_pick
                    logic [1:0] digit;
                    assign digit = weight_q[(pe*SIMD+s)*WEIGHT_BITS+2*d+:2];
                    if (TOP) begin : gen_top
                        always_comb begin
                            unique case (digit)
                                2'b00: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = '0;
                                2'b01: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = (MULTIPLE_BITS + 1)'(once[s]);
                                2'b10: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = (MULTIPLE_BITS + 1)'(minus[s]) <<< 1;
                                2'b11: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = (MULTIPLE_BITS + 1)'(minus[s]);
                            endcase
                        end
                    end else begin : gen_lower
                        always_comb begin
                            unique case (digit)
                                2'b00: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = '0;
                                2'b01: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = (MULTIPLE_BITS + 1)'(once[s]);
                                2'b10: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = (MULTIPLE_BITS + 1)'(once[s]) <<< 1;
                                2'b11: picked[s*(MULTIPLE_BITS+1)+:MULTIPLE_BITS+1] = {1'b0, thrice[s]};
                            endcase
                        end
                    end
                end

                logic [GROUPS*(GROUP_BITS+1)-1:0] group_q;
                for (genvar c = 0; c < int'(GROUPS); c++) begin : gen_group
                    localparam int unsigned COUNT = (SIMD - GROUP * c) < GROUP ? SIMD - GROUP * c : GROUP;
                    logic [MULTIPLE_BITS+$clog2(COUNT):0] sum;
                    sum_tree #(
                        .N      (COUNT),
                        .IN_BITS(MULTIPLE_BITS + 1)
                    ) i_sum (
                        .data_i(picked[GROUP*c*(MULTIPLE_BITS+1)+:COUNT*(MULTIPLE_BITS+1)]),
                        .sum_o (sum)
                    );
                    always_ff @(posedge clk_i) begin
                        if (en_i) group_q[c*(GROUP_BITS+1)+:GROUP_BITS+1] <= (GROUP_BITS + 1)'(signed'(sum));
                    end
                end
                adder_tree #(
                    .N      (GROUPS),
                    .IN_BITS(GROUP_BITS + 1)
                ) i_tree (
                    .clk_i,
                    .en_i,
                    .data_i(group_q),
                    .sum_o (digit_sum[d*(DIGIT_BITS+1)+:DIGIT_BITS+1])
                );
            end

            if (DIGITS == 1) begin : gen_one_digit
                logic unused;
                assign unused = digit_sum[DIGIT_BITS];
                assign sum_o[pe*SUM_BITS+:SUM_BITS] = SUM_BITS'(signed'(digit_sum[DIGIT_BITS-1:0]));
            end else begin : gen_digits
                // From the top digit down: four times the digits above, plus this one.
                for (genvar d = int'(DIGITS) - 1; d >= 0; d--) begin : gen_total
                    localparam int unsigned TOTAL_BITS = DIGIT_BITS + 2 * (DIGITS - 1 - d);
                    logic signed [TOTAL_BITS-1:0] digit, total;
                    assign digit = TOTAL_BITS'(signed'(digit_sum[d*(DIGIT_BITS+1)+:DIGIT_BITS+1]));
                    if (d == int'(DIGITS) - 1) begin : gen_top
                        assign total = digit;
                    end else begin : gen_lower
                        assign total = (TOTAL_BITS'(gen_total[d+1].total) <<< 2) + digit;
                    end
                end
                always_ff @(posedge clk_i) if (en_i) sum_o[pe*SUM_BITS+:SUM_BITS] <= SUM_BITS'(gen_total[0].total);
            end
        end
    end
endmodule
