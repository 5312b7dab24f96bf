// CRC-32 of a sequence of bytes (IEEE 802.3, the one of zlib), a bit each cycle.
//
// clear_i begins a sequence. byte_i is taken with valid_i, and counted in eight cycles later; the next must not come
// before. crc_o is the checksum of the bytes so far. right_o: the last four bytes were the checksum, its lowest byte
// first, of those before.
module crc32 (
    input  logic        clk_i,
    input  logic        clear_i,
    input  logic [ 7:0] byte_i,
    input  logic        valid_i,
    output logic [31:0] crc_o,
    output logic        right_o
);
    localparam bit [31:0] POLYNOMIAL = 32'hEDB88320;
    localparam bit [31:0] RESIDUE = 32'hDEBB20E3;

    logic [31:0] crc_q;
    logic [7:0] byte_q;
    logic [3:0] left_q;
    assign crc_o = ~crc_q;
    always_ff @(posedge clk_i) begin
        right_o <= crc_q == RESIDUE;
        if (valid_i) byte_q <= byte_i;
        else byte_q <= {1'b0, byte_q[7:1]};
        if (clear_i) begin
            crc_q <= '1;
            left_q <= '0;
        end else if (valid_i) begin
            left_q <= 4'd8;
        end else if (left_q != '0) begin
            left_q <= left_q - 1'b1;
            crc_q <= {1'b0, crc_q[31:1]} ^ (crc_q[0] ^ byte_q[0] ? POLYNOMIAL : '0);
        end
    end
endmodule
