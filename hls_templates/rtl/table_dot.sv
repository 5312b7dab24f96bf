// Dot products of SIMD small signed weights with SIMD counts of 0..MOST <= 4, for PE rows: a product is a table of weight
// and count, one LUT6 a bit.
//
// Of a count up to 4 the table has the two bits of the count less 1, and the weight of a count of zero is zero. What is
// left out of a sum changes nothing in it.
//
// Weight of row pe and element s: weight_i[(pe*SIMD + s)*WEIGHT_BITS +: WEIGHT_BITS], two's complement, at most 4 bits.
// Count of element s: count_i[s*COUNT_BITS +: COUNT_BITS]. Sum of row pe: sum_o[pe*SUM_BITS +: SUM_BITS], signed.
// No handshake: everything moves when en_i is high; tag_o is tag_i delayed by the latency of
// 1 + ceil(log4(SIMD)) enabled cycles.
module table_dot #(
    parameter int unsigned SIMD        = 4,
    parameter int unsigned PE          = 1,
    parameter int unsigned MOST        = 4,
    parameter int unsigned WEIGHT_BITS = 4,
    parameter int unsigned TAG_BITS    = 1,
    localparam int unsigned COUNT_BITS   = $clog2(MOST + 1),
    localparam int unsigned PRODUCT_BITS = WEIGHT_BITS + $clog2(MOST),
    localparam int unsigned SUM_BITS     = PRODUCT_BITS + $clog2(SIMD)
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,
    input  logic                           en_i,
    input  logic [           TAG_BITS-1:0] tag_i,
    input  logic [PE*SIMD*WEIGHT_BITS-1:0] weight_i,
    input  logic [    SIMD*COUNT_BITS-1:0] count_i,
    output logic [           TAG_BITS-1:0] tag_o,
    output logic [        PE*SUM_BITS-1:0] sum_o
);
    localparam int unsigned LATENCY = 1 + ($clog2(SIMD) + 1) / 2;
    localparam int unsigned CODE_BITS = MOST == 1 ? 1 : 2;
    localparam int unsigned FIRST = MOST == 4 ? 1 : 0;
    localparam int unsigned INDEX_BITS = CODE_BITS + WEIGHT_BITS;

    // Bit b of the product, for each {code, weight}; the top bit inverted.
    function automatic logic [2**INDEX_BITS-1:0] products(input int unsigned b);
        for (int unsigned i = 0; i < 2 ** INDEX_BITS; i++) begin
            products[i] = 1'((32'(signed'(WEIGHT_BITS'(i))) * (32'(i >> WEIGHT_BITS) + FIRST)) >> b);
            if (b == PRODUCT_BITS - 1) products[i] = !products[i];
        end
    endfunction

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

    logic [SIMD*CODE_BITS-1:0] code_q;
    for (genvar s = 0; s < int'(SIMD); s++) begin : gen_code
        always_ff @(posedge clk_i) begin
            if (en_i) code_q[s*CODE_BITS+:CODE_BITS] <= CODE_BITS'(count_i[s*COUNT_BITS+:COUNT_BITS] - COUNT_BITS'(FIRST));
        end
    end

    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        logic [SIMD*PRODUCT_BITS-1:0] product;
        for (genvar s = 0; s < int'(SIMD); s++) begin : gen_product
            logic [WEIGHT_BITS-1:0] weight_q;
            always_ff @(posedge clk_i) begin
                if (en_i) begin
                    weight_q <= FIRST == 1 && count_i[s*COUNT_BITS+:COUNT_BITS] == '0 ? '0
                        : weight_i[(pe*SIMD+s)*WEIGHT_BITS+:WEIGHT_BITS];
                end
            end
            // As a choice of words, not a read of a table, as in popcount.sv.
            logic [2**INDEX_BITS-1:0] which;
            assign which = (2 ** INDEX_BITS)'(1) << {code_q[s*CODE_BITS+:CODE_BITS], weight_q};
            for (genvar b = 0; b < int'(PRODUCT_BITS); b++) begin : gen_bit
                localparam logic [2**INDEX_BITS-1:0] ONES = products(b);
                assign product[s*PRODUCT_BITS+b] = |(which & ONES);
            end
        end

        // Products have their top bit inverted (sum_tree.sv).
        logic no_carry, unused_carry;
        assign unused_carry = no_carry;
        adder_tree #(
            .N       (SIMD),
            .IN_BITS (PRODUCT_BITS),
            .OFFSET  (1'b1),
            .COMPLETE(1'b1)
        ) i_tree (
            .clk_i,
            .en_i,
            .data_i (product),
            .carry_i('0),
            .sum_o  (sum_o[pe*SUM_BITS+:SUM_BITS]),
            .carry_o(no_carry)
        );
    end
endmodule
