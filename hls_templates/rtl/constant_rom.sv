// Read-only memory with one synchronous read port: data_o is the word at addr_i one enabled clock cycle later, two with
// OUTPUT_REGISTER, which takes the time that a block RAM needs from its clock edge to its output off the path behind it.
//
// FILE is read with $readmemh; a bare file name is looked up in the folder in which the tool runs. BLOCK asks for
// block RAM, otherwise the contents become look-up tables.
module constant_rom #(
    parameter int unsigned DEPTH = 2,
    parameter int unsigned WIDTH = 8,
    parameter bit          BLOCK = 1'b0,
    parameter bit          OUTPUT_REGISTER = 1'b0,
    parameter              FILE  = "rom.hex",
    localparam int unsigned ADDR_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic                 clk_i,
    input  logic                 en_i,
    input  logic [ADDR_BITS-1:0] addr_i,
    output logic [    WIDTH-1:0] data_o
);
    logic [WIDTH-1:0] word_q;
    if (OUTPUT_REGISTER) begin : gen_register
        always_ff @(posedge clk_i) if (en_i) data_o <= word_q;
    end else begin : gen_no_register
        assign data_o = word_q;
    end

    if (BLOCK) begin : gen_block
        (* rom_style = "block" *) logic [WIDTH-1:0] rom[DEPTH];
        initial $readmemh(FILE, rom);
        always_ff @(posedge clk_i) if (en_i) word_q <= rom[addr_i];
    end else begin : gen_distributed
        // Vivado's name for look-up tables, and the name under which Yosys (which reads with slang) knows them.
`ifdef __slang__
        (* romstyle = "logic" *)
`else
        (* rom_style = "distributed" *)
`endif
        logic [WIDTH-1:0] rom[DEPTH];
        initial $readmemh(FILE, rom);
        always_ff @(posedge clk_i) if (en_i) word_q <= rom[addr_i];
    end
endmodule
