// Yosys techmap: a word-wide $bmux over a shift register becomes one $shiftx per bit, which xilinx_srl turns into SRLC32E.
//
// read_slang writes a read of the unpacked array A[0:N-1] as a mux over {A[0], ..., A[N-1], unused words}, addressed from
// its end. Here the words are put into the order of the address and the unused ones are left out, since xilinx_srl
// wants exactly the taps of the shift register.
(* techmap_celltype = "$bmux" *)
module bmux_as_shiftx (A, S, Y);
    parameter WIDTH = 1;
    parameter S_WIDTH = 1;
    parameter _TECHMAP_CONSTMSK_A_ = 0;
    localparam WORDS = 1 << S_WIDTH;
    input [WORDS*WIDTH-1:0] A;
    input [S_WIDTH-1:0] S;
    output [WIDTH-1:0] Y;
    function integer unused_words;
        input [WORDS*WIDTH-1:0] constant;
        integer word;
        reg open;
        begin
            open = 1;
            unused_words = 0;
            for (word = 0; word < WORDS; word = word + 1) begin
                if (!constant[word*WIDTH]) open = 0;
                if (open) unused_words = unused_words + 1;
            end
        end
    endfunction
    localparam USED = WORDS - unused_words(_TECHMAP_CONSTMSK_A_);
    wire _TECHMAP_FAIL_ = USED < 3;
    genvar lane, word;
    generate for (lane = 0; lane < WIDTH; lane = lane + 1) begin : gen_lane
        wire [USED-1:0] words;
        for (word = 0; word < USED; word = word + 1) begin : gen_word
            assign words[word] = A[(WORDS-1-word)*WIDTH+lane];
        end
        assign Y[lane] = words[~S];
    end endgenerate
endmodule
