// The rules of AXI4-Stream as assertions.
//
// Valid stays until ready, data and last do not change meanwhile. With WORDS, last stands only on the last word of a
// frame. Nothing is asked for while rst_ni is low, and a frame begins behind it.
module axi_stream_rules #(
    parameter int unsigned BITS  = 8,
    parameter int unsigned WORDS = 0  // of a frame; 0: last may stand anywhere
) (
    input logic            clk_i,
    input logic            rst_ni,
    input logic [BITS-1:0] tdata_i,
    input logic            tvalid_i,
    input logic            tready_i,
    input logic            tlast_i
);
    valid_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        tvalid_i && !tready_i |=> tvalid_i)
    else $error("%m: valid fell before its word was taken");
    word_stays: assert property (@(posedge clk_i) disable iff (!rst_ni)
        tvalid_i && !tready_i |=> $stable(tdata_i) && $stable(tlast_i))
    else $error("%m: the word changed before it was taken");

    if (WORDS > 0) begin : gen_last
        int unsigned word_q;
        always_ff @(posedge clk_i) begin
            if (!rst_ni) word_q <= 0;
            else if (tvalid_i && tready_i) word_q <= word_q == WORDS - 1 ? 0 : word_q + 1;
        end
        last_ends_a_frame: assert property (@(posedge clk_i) disable iff (!rst_ni)
            tvalid_i && tlast_i |-> word_q == WORDS - 1)
        else $error("%m: last stands within a frame");
    end
endmodule
