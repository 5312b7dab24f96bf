// Reads frames of WORDS words and gives each frame PASSES times, one pass after the other.
//
// A word is given as soon as it is there, also in the first pass. During the last pass the words of the next frame take
// the places of those that have been given: a source of full rate is read in two passes of a frame, and waits in others.
//
// Handshake: AXI streams. in_ready_o comes from registers and depends on no input. out_data_o and out_valid_o come from
// registers and stay until out_ready_i, which lets the memory be read within the cycle. Sustained rate: one word a cycle.
module frame_replay #(
    parameter int unsigned WORDS  = 4,
    parameter int unsigned PASSES = 2,
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
    localparam int unsigned ADDR_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
    localparam int unsigned PASS_BITS = PASSES > 1 ? $clog2(PASSES) : 1;

    logic [ADDR_BITS-1:0] write_q, read_q;
    logic [PASS_BITS-1:0] pass_q;
    // Words go to the frame that is given, or (ahead_q) to the one behind it.
    logic ahead_q;
    logic take, give, write_last, read_last, first_pass, last_pass, frame_written, frame_given;

    assign write_last = WORDS == 1 || write_q == ADDR_BITS'(WORDS - 1);
    assign read_last = WORDS == 1 || read_q == ADDR_BITS'(WORDS - 1);
    assign first_pass = pass_q == '0;
    assign last_pass = PASSES == 1 || pass_q == PASS_BITS'(PASSES - 1);
    assign in_ready_o = !ahead_q || (last_pass && write_q < read_q);
    assign take = in_valid_i && in_ready_o;
    // Behind the first pass ahead_q is set: all words of the frame are there.
    assign give = (ahead_q || (first_pass && read_q < write_q)) && (!out_valid_o || out_ready_i);
    assign frame_written = take && write_last;
    assign frame_given = give && read_last && last_pass;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            write_q     <= '0;
            read_q      <= '0;
            pass_q      <= '0;
            ahead_q     <= 1'b0;
            out_valid_o <= 1'b0;
        end else begin
            if (take) write_q <= write_last ? '0 : write_q + ADDR_BITS'(WORDS > 1);
            if (give) read_q <= read_last ? '0 : read_q + ADDR_BITS'(WORDS > 1);
            if (give && read_last) pass_q <= last_pass ? '0 : pass_q + PASS_BITS'(PASSES > 1);
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
    else $error("frame_replay: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("frame_replay: input changed while stalled");
`endif
endmodule
