// TIMES times a word, modulo 2^WIDTH, combinational: by shifts and additions, as a product might take a DSP slice.
module constant_times #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned TIMES = 1
) (
    input  logic [WIDTH-1:0] data_i,
    output logic [WIDTH-1:0] product_o
);
    always_comb begin
        product_o = '0;
        for (int unsigned b = 0; b < $clog2(TIMES + 1); b++) begin
            if (((TIMES >> b) & 1) == 1) product_o = product_o + (data_i << b);
        end
    end
endmodule
