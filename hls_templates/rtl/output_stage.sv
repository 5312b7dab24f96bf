// Output of a pipeline that moves as a whole: two words, so that what stops the pipeline comes from a register.
//
// en_o says whether the pipeline may move; valid_i and result_i count in cycles in which it is high. With EVERY_CYCLE a
// result may come in each of them: it reaches the output a cycle later, and only where it finds its reader stalled it is
// kept in a spare place. Else each goes through both places: that takes a cycle more, and no multiplexer; of two results
// in a row the second one would stop the pipeline for a cycle.
//
// ready_o is en_o for a handshake, from a register of its own: en_o has as many loads as the pipeline has registers, and
// is late. That register is inverted, so that no tool makes one of both.
//
// Handshake: AXI stream. out_valid_o and out_data_o come from registers and stay until out_ready_i. The pipeline stops
// while both places are taken; a reader that is always ready never stops it.
module output_stage #(
    parameter int unsigned BITS        = 8,
    parameter bit          EVERY_CYCLE = 1'b1
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            valid_i,
    input  logic [BITS-1:0] result_i,
    output logic            en_o,
    output logic            ready_o,
    output logic [BITS-1:0] out_data_o,
    output logic            out_valid_o,
    input  logic            out_ready_i
);
    // The other place: the spare one, or that before the output. free_q is that the pipeline may move.
    logic [BITS-1:0] other_q;
    logic other_valid_q, other_valid_d, out_valid_d, free_q, blocked_q, moves, take;
    assign moves = out_ready_i || !out_valid_o;
    assign take = free_q && valid_i;
    assign en_o = free_q;
    assign ready_o = !blocked_q;

    if (EVERY_CYCLE) begin : gen_spare
        assign out_valid_d = !moves || other_valid_q || take;
        assign other_valid_d = !moves && (other_valid_q || take);
        always_ff @(posedge clk_i) begin
            if (moves) out_data_o <= other_valid_q ? other_q : result_i;
            if (free_q) other_q <= result_i;
        end
    end else begin : gen_before
        assign out_valid_d = !moves || other_valid_q;
        assign other_valid_d = take || (!moves && other_valid_q);
        always_ff @(posedge clk_i) begin
            if (moves) out_data_o <= other_q;
            if (take) other_q <= result_i;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            out_valid_o   <= 1'b0;
            other_valid_q <= 1'b0;
            free_q        <= 1'b1;
            blocked_q     <= 1'b0;
        end else begin
            out_valid_o   <= out_valid_d;
            other_valid_q <= other_valid_d;
            free_q        <= !(out_valid_d && other_valid_d);
            blocked_q     <= out_valid_d && other_valid_d;
        end
    end

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni) EVERY_CYCLE || !(take && other_valid_q && !moves))
    else $error("output_stage: a result where there is no place for it");
`endif
endmodule
