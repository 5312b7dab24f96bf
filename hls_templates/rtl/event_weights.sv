// Weights of SIMD banks, each with a read-only memory of its own: its words have PE weights.
//
// Bank b reads its word at place_i[b*PLACE_BITS +: PLACE_BITS]*STRIDE + nf_i where STRIDE is a power of two, which puts
// the two beside each other; else at place_i + nf_i, with places that are multiples of STRIDE. Its weight of row pe is
// data_o[(pe*SIMD + b)*WEIGHT_BITS +: WEIGHT_BITS], as many enabled cycles later as constant_rom.sv says.
// FILES: names of the memories' contents, FILE_CHARS each, that of bank 0 last.
module event_weights #(
    parameter int unsigned SIMD        = 4,
    parameter int unsigned PE          = 1,
    parameter int unsigned WEIGHT_BITS = 4,
    parameter int unsigned DEPTH       = 8,
    parameter int unsigned STRIDE      = 2,
    parameter int unsigned PLACE_BITS  = 2,
    parameter int unsigned NF_BITS     = 1,
    parameter bit          BLOCK       = 1'b0,
    parameter int unsigned FILE_CHARS  = 1,
    parameter bit [8*FILE_CHARS*SIMD-1:0] FILES = '0
) (
    input  logic                           clk_i,
    input  logic                           en_i,
    input  logic [    SIMD*PLACE_BITS-1:0] place_i,
    input  logic [            NF_BITS-1:0] nf_i,
    output logic [PE*SIMD*WEIGHT_BITS-1:0] data_o
);
    localparam int unsigned ADDR_BITS = $clog2(DEPTH);
    localparam int unsigned STRIDE_BITS = $clog2(STRIDE);

    for (genvar b = 0; b < int'(SIMD); b++) begin : gen_bank
        logic [PLACE_BITS-1:0] place;
        logic [ADDR_BITS-1:0] address;
        logic [PE*WEIGHT_BITS-1:0] word;
        assign place = place_i[b*PLACE_BITS+:PLACE_BITS];
        if (STRIDE == 1) begin : gen_place
            logic unused;
            assign unused = ^nf_i;
            assign address = ADDR_BITS'(place);
        end else if (STRIDE == 2 ** STRIDE_BITS) begin : gen_beside
            assign address = ADDR_BITS'({place, STRIDE_BITS'(nf_i)});
        end else begin : gen_sum
            assign address = ADDR_BITS'(place) + ADDR_BITS'(nf_i);
        end
        constant_rom #(
            .DEPTH          (DEPTH),
            .WIDTH          (PE * WEIGHT_BITS),
            .BLOCK          (BLOCK),
            .OUTPUT_REGISTER(BLOCK),
            // Yosys (which reads with slang) wants a string, for others a name is the bits of one.
`ifdef __slang__
            .FILE           (string'(FILES[8*FILE_CHARS*b+:8*FILE_CHARS]))
`else
            .FILE           (FILES[8*FILE_CHARS*b+:8*FILE_CHARS])
`endif
        ) i_rom (
            .clk_i,
            .en_i,
            .addr_i(address),
            .data_o(word)
        );
        for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
            assign data_o[(pe*SIMD+b)*WEIGHT_BITS+:WEIGHT_BITS] = word[pe*WEIGHT_BITS+:WEIGHT_BITS];
        end
    end
endmodule
