// Stores a frame byte by byte and offers it as a stream of words.
//
// begin_i: the next byte is a frame's first. byte_i is stored with valid_i, the lowest byte of a word first. feed_i:
// the frame is whole, and streams out, a word each cycle, last on its last word; nothing is stored meanwhile.
// clear_i ends the streaming.
//
// Handshake: an AXI stream from registers; word and last stay until out_ready_i.
module frame_store #(
    parameter int unsigned WORDS = 1,
    parameter int unsigned BYTES = 1  // of a word
) (
    input  logic               clk_i,
    input  logic               clear_i,
    input  logic               begin_i,
    input  logic [        7:0] byte_i,
    input  logic               valid_i,
    input  logic               feed_i,
    output logic [8*BYTES-1:0] out_data_o,
    output logic               out_valid_o,
    output logic               out_last_o,
    input  logic               out_ready_i
);
    localparam int unsigned ADDR_BITS = WORDS > 1 ? $clog2(WORDS) : 1;

    // ---------------------------------------------------------------- in
    logic [8*BYTES-1:0] word_q;
    logic [ADDR_BITS-1:0] write_addr_q;
    logic word_first, word_last, write_q;
    word_counter #(
        .WORDS(BYTES)
    ) i_bytes (
        .clk_i,
        .clear_i(begin_i),
        .step_i (valid_i),
        .first_o(word_first),
        .last_o (word_last)
    );
    always_ff @(posedge clk_i) begin
        if (valid_i) word_q <= (8 * BYTES)'({byte_i, word_q} >> 8);
        write_q <= valid_i && word_last;
        if (begin_i) write_addr_q <= '0;
        else if (write_q) write_addr_q <= write_addr_q + 1'b1;
    end

    // ---------------------------------------------------------------- out
    logic [ADDR_BITS-1:0] read_addr_q;
    logic feeding_q, end_q, valid_q, last_q, moves;
    assign moves = !valid_q || out_ready_i;
    assign out_valid_o = valid_q;
    assign out_last_o = last_q;
    always_ff @(posedge clk_i) begin
        if (clear_i) begin
            feeding_q <= 1'b0;
            valid_q <= 1'b0;
        end else if (feed_i) begin
            feeding_q <= 1'b1;
        end else if (moves) begin
            valid_q <= feeding_q;
            if (end_q) feeding_q <= 1'b0;
        end
    end
    always_ff @(posedge clk_i) begin
        if (feed_i) begin
            read_addr_q <= '0;
            end_q <= WORDS == 1;
        end else if (moves && feeding_q) begin
            read_addr_q <= read_addr_q + 1'b1;
            end_q <= read_addr_q == ADDR_BITS'(WORDS - 2);
            last_q <= end_q;
        end
    end
    word_ram #(
        .WORDS(WORDS),
        .BITS (8 * BYTES)
    ) i_ram (
        .clk_i,
        .write_i     (write_q),
        .write_addr_i(write_addr_q),
        .data_i      (word_q),
        .read_i      (moves),
        .read_addr_i (read_addr_q),
        .data_o      (out_data_o)
    );

    logic unused;
    assign unused = word_first;
endmodule
