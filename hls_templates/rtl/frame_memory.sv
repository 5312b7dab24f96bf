// Memory of DEPTH words with one port to write and one to read: read_data_o is the word at read_addr_i one clock cycle
// with read_i later, two with OUTPUT_REGISTER. What is read at the address that is written is not defined.
//
// BLOCK asks for block RAM, otherwise it becomes LUT RAM.
module frame_memory #(
    parameter int unsigned DEPTH           = 2,
    parameter int unsigned WIDTH           = 8,
    parameter bit          BLOCK           = 1'b0,
    parameter bit          OUTPUT_REGISTER = 1'b0,
    localparam int unsigned ADDR_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic                 clk_i,
    input  logic                 write_i,
    input  logic [ADDR_BITS-1:0] write_addr_i,
    input  logic [    WIDTH-1:0] write_data_i,
    input  logic                 read_i,
    input  logic [ADDR_BITS-1:0] read_addr_i,
    output logic [    WIDTH-1:0] read_data_o
);
    logic [WIDTH-1:0] word_q;
    if (OUTPUT_REGISTER) begin : gen_register
        always_ff @(posedge clk_i) if (read_i) read_data_o <= word_q;
    end else begin : gen_no_register
        assign read_data_o = word_q;
    end

    if (BLOCK) begin : gen_block
        (* ram_style = "block" *) logic [WIDTH-1:0] memory[DEPTH];
        always_ff @(posedge clk_i) if (write_i) memory[write_addr_i] <= write_data_i;
        always_ff @(posedge clk_i) if (read_i) word_q <= memory[read_addr_i];
    end else begin : gen_distributed
        (* ram_style = "distributed" *) logic [WIDTH-1:0] memory[DEPTH];
        always_ff @(posedge clk_i) if (write_i) memory[write_addr_i] <= write_data_i;
        always_ff @(posedge clk_i) if (read_i) word_q <= memory[read_addr_i];
    end
endmodule
