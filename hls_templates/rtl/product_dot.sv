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
    localparam int unsigned DIGITS = WEIGHT_BITS / 2;
    localparam int unsigned LATENCY = 1 + ($clog2(SIMD) + 1) / 2 + (USE_DSP || DIGITS > 1 ? 1 : 0);

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
                logic [PRODUCT_BITS-1:0] kept_q;
                always_ff @(posedge clk_i) if (en_i) kept_q <= product;
                assign product_q[s*PRODUCT_BITS+:PRODUCT_BITS] = kept_q ^ {1'b1, (PRODUCT_BITS - 1)'(0)};
            end
            logic [SUM_BITS-1:0] total;
            logic no_carry, unused;
            assign unused = no_carry;
            adder_tree #(
                .N      (SIMD),
                .IN_BITS(PRODUCT_BITS),
                .OFFSET (1'b1)
            ) i_tree (
                .clk_i,
                .en_i,
                .data_i (product_q),
                .carry_i('0),
                .sum_o  (total),
                .carry_o(no_carry)
            );
            assign sum_o[pe*SUM_BITS+:SUM_BITS] = total ^ {1'b1, (SUM_BITS - 1)'(0)};
        end
    end else begin : gen_lut
        localparam int unsigned MULTIPLE_BITS = ELEMENT_BITS + 2;
        localparam int unsigned DIGIT_BITS = MULTIPLE_BITS + $clog2(SIMD);

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
                // Signed with its top bit inverted for the top digit, which 3x of the others is not (sum_tree.sv).
                logic [SIMD*MULTIPLE_BITS-1:0] picked;
                logic [DIGIT_BITS-1:0] total;
                logic no_carry, unused_carry;
                assign unused_carry = no_carry;
                for (genvar s = 0; s < int'(SIMD); s++) begin : gen_pick
                    logic [1:0] digit;
                    logic [MULTIPLE_BITS-1:0] choice;
                    assign digit = weight_q[(pe*SIMD+s)*WEIGHT_BITS+2*d+:2];
                    if (TOP) begin : gen_top
                        always_comb begin
                            unique case (digit)
                                2'b00: choice = '0;
                                2'b01: choice = once[s];
                                2'b10: choice = minus[s] <<< 1;
                                2'b11: choice = minus[s];
                            endcase
                        end
                    end else begin : gen_lower
                        always_comb begin
                            unique case (digit)
                                2'b00: choice = '0;
                                2'b01: choice = once[s];
                                2'b10: choice = once[s] <<< 1;
                                2'b11: choice = thrice[s];
                            endcase
                        end
                    end
                    assign picked[s*MULTIPLE_BITS+:MULTIPLE_BITS] = choice ^ {TOP, (MULTIPLE_BITS - 1)'(0)};
                end
                adder_tree #(
                    .N      (SIMD),
                    .IN_BITS(MULTIPLE_BITS),
                    .OFFSET (TOP)
                ) i_tree (
                    .clk_i,
                    .en_i,
                    .data_i (picked),
                    .carry_i('0),
                    .sum_o  (total),
                    .carry_o(no_carry)
                );
                assign digit_sum[d*(DIGIT_BITS+1)+:DIGIT_BITS+1] = {TOP && !total[DIGIT_BITS-1],
                    TOP ^ total[DIGIT_BITS-1], total[DIGIT_BITS-2:0]};
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
