// Says which word of a frame is next: the first, the last, or one between.
//
// step_i: this word has moved. clear_i: the next word is a frame's first. Both outputs are registers (constants where
// a frame has one word), so that what they decide adds nothing to the path of a handshake.
module word_counter #(
    parameter int unsigned WORDS = 2
) (
    input  logic clk_i,
    input  logic clear_i,
    input  logic step_i,
    output logic first_o,
    output logic last_o
);
    if (WORDS == 1) begin : gen_one
        logic unused;
        assign unused = ^{clk_i, clear_i, step_i};
        assign first_o = 1'b1;
        assign last_o = 1'b1;
    end else begin : gen_count
        localparam int unsigned BITS = $clog2(WORDS);
        logic [BITS-1:0] count_q;
        logic first_q, last_q;
        assign first_o = first_q;
        assign last_o = last_q;
        always_ff @(posedge clk_i) begin
            if (clear_i) begin
                count_q <= '0;
                first_q <= 1'b1;
                last_q <= 1'b0;
            end else if (step_i) begin
                count_q <= last_q ? '0 : count_q + 1'b1;
                first_q <= last_q;
                last_q <= count_q == BITS'(WORDS - 2);
            end
        end
    end
endmodule
