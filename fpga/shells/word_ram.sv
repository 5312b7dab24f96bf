// Memory with one write port and one read port, made to become block RAM.
//
// data_o is the word at read_addr_i of the last cycle with read_i. A word that is read in the cycle in which it is
// written is not defined.
module word_ram #(
    parameter int unsigned WORDS = 2,
    parameter int unsigned BITS  = 8,
    localparam int unsigned ADDR_BITS = WORDS > 1 ? $clog2(WORDS) : 1
) (
    input  logic                 clk_i,
    input  logic                 write_i,
    input  logic [ADDR_BITS-1:0] write_addr_i,
    input  logic [     BITS-1:0] data_i,
    input  logic                 read_i,
    input  logic [ADDR_BITS-1:0] read_addr_i,
    output logic [     BITS-1:0] data_o
);
    logic [BITS-1:0] words_q[WORDS];
    always_ff @(posedge clk_i) if (write_i) words_q[write_addr_i] <= data_i;
    always_ff @(posedge clk_i) if (read_i) data_o <= words_q[read_addr_i];
endmodule
