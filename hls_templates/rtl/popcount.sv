// Number of ones in each of COUNT words of WIDTH bits, combinational: six bits at a time are counted by three LUT6.
module popcount #(
    parameter int unsigned COUNT = 1,
    parameter int unsigned WIDTH = 4,
    localparam int unsigned OUT_BITS = $clog2(WIDTH + 1)
) (
    input  logic [   COUNT*WIDTH-1:0] data_i,
    output logic [COUNT*OUT_BITS-1:0] ones_o
);
    localparam int unsigned GROUPS = (WIDTH + 5) / 6;

    function automatic logic [2:0] ones_of_six(input logic [5:0] bits);
        logic [2:0] ones;
        ones = '0;
        for (int unsigned i = 0; i < 6; i++) ones = ones + 3'(bits[i]);
        return ones;
    endfunction

    for (genvar w = 0; w < int'(COUNT); w++) begin : gen_word
        logic [6*GROUPS-1:0] padded;
        logic [OUT_BITS-1:0] total;
        assign padded = (6 * GROUPS)'(data_i[w*WIDTH+:WIDTH]);
        always_comb begin
            total = '0;
            for (int unsigned g = 0; g < GROUPS; g++) total = total + OUT_BITS'(ones_of_six(padded[6*g+:6]));
        end
        assign ones_o[w*OUT_BITS+:OUT_BITS] = total;
    end
endmodule
