// Reads frames as FOLDS passes over PIXELS pixels, a word each, and gives them pixel by pixel, FOLDS words each.
//
// A pixel is given when its word of the last pass is there, and the first pass of the next frame writes to a pixel when
// all its words have been given.
//
// Handshake: AXI streams. in_ready_o comes from registers and depends on no input. out_data_o and out_valid_o come from
// registers and stay until out_ready_i, which lets the memory be read within the cycle. Sustained rate: one word a cycle
// to write and one to read. A source of one word in every INTERVAL cycles does not wait for a sink of full rate where
// FOLDS <= INTERVAL, or PIXELS*FOLDS + 2 <= (2*PIXELS - 1)*INTERVAL.
module frame_transpose #(
    parameter int unsigned PIXELS = 4,
    parameter int unsigned FOLDS  = 2,
    parameter int unsigned WIDTH  = 8,
    parameter bit          BLOCK  = 1'b0
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [WIDTH-1:0] in_data_i,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    output logic [WIDTH-1:0] out_data_o,
    output logic             out_valid_o,
    input  logic             out_ready_i
);
    localparam int unsigned WORDS = PIXELS * FOLDS;
    localparam int unsigned ADDR_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
    localparam int unsigned PIXEL_BITS = PIXELS > 1 ? $clog2(PIXELS) : 1;
    localparam int unsigned FOLD_BITS = FOLDS > 1 ? $clog2(FOLDS) : 1;

    logic [ADDR_BITS-1:0] write_q, read_q;
    logic [PIXEL_BITS-1:0] write_pixel_q, read_pixel_q;
    logic [FOLD_BITS-1:0] write_fold_q, read_fold_q;
    // All words of the frame that is given are there: words go to the frame behind it.
    logic ahead_q;
    logic take, give, write_pixel_last, write_fold_last, read_pixel_last, read_fold_last, frame_written, frame_given;

    assign write_pixel_last = PIXELS == 1 || write_pixel_q == PIXEL_BITS'(PIXELS - 1);
    assign write_fold_last = FOLDS == 1 || write_fold_q == FOLD_BITS'(FOLDS - 1);
    assign read_pixel_last = PIXELS == 1 || read_pixel_q == PIXEL_BITS'(PIXELS - 1);
    assign read_fold_last = FOLDS == 1 || read_fold_q == FOLD_BITS'(FOLDS - 1);
    assign in_ready_o = !ahead_q || (write_fold_q == '0 && write_pixel_q < read_pixel_q);
    assign take = in_valid_i && in_ready_o;
    assign give = (ahead_q || (write_fold_last && read_pixel_q < write_pixel_q)) && (!out_valid_o || out_ready_i);
    assign frame_written = take && write_pixel_last && write_fold_last;
    assign frame_given = give && read_pixel_last && read_fold_last;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            write_q       <= '0;
            write_pixel_q <= '0;
            write_fold_q  <= '0;
            read_q        <= '0;
            read_pixel_q  <= '0;
            read_fold_q   <= '0;
            ahead_q       <= 1'b0;
            out_valid_o   <= 1'b0;
        end else begin
            if (take) begin
                if (frame_written) write_q <= '0;
                else if (write_pixel_last) write_q <= write_q - ADDR_BITS'(WORDS - FOLDS - 1);
                else write_q <= write_q + ADDR_BITS'(FOLDS);
                write_pixel_q <= write_pixel_last ? '0 : write_pixel_q + PIXEL_BITS'(PIXELS > 1);
                if (write_pixel_last) write_fold_q <= write_fold_last ? '0 : write_fold_q + FOLD_BITS'(FOLDS > 1);
            end
            if (give) begin
                read_q      <= frame_given ? '0 : read_q + ADDR_BITS'(WORDS > 1);
                read_fold_q <= read_fold_last ? '0 : read_fold_q + FOLD_BITS'(FOLDS > 1);
                if (read_fold_last) read_pixel_q <= read_pixel_last ? '0 : read_pixel_q + PIXEL_BITS'(PIXELS > 1);
            end
            if (frame_written != frame_given) ahead_q <= frame_written;
            if (!out_valid_o || out_ready_i) out_valid_o <= give;
        end
    end

    frame_memory #(
        .DEPTH(WORDS),
        .WIDTH(WIDTH),
        .BLOCK(BLOCK)
    ) i_memory (
        .clk_i,
        .write_i     (take),
        .write_addr_i(write_q),
        .write_data_i(in_data_i),
        .read_i      (give),
        .read_addr_i (read_q),
        .read_data_o (out_data_o)
    );

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("frame_transpose: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("frame_transpose: input changed while stalled");
`endif
endmodule
