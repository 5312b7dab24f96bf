// Adds two streams of integers, step by step: out = (first << FIRST_SHIFT) + (second << SECOND_SHIFT).
//
// A word holds PE channels of STEPS integers, lane channel*STEPS + step, lane 0 lowest. An input has as many steps, or
// one that is the same at all of them; it is signed or not. Results are signed and OUT_BITS hold every sum.
//
// Handshake: AXI streams. A word of each input is taken in the same cycle, in which both are offered and the output
// register is free or is freed: each in_ready_o follows the other input's valid and out_ready_i within the cycle, and
// does not depend on its own valid. out_valid_o and out_data_o come from registers and stay until out_ready_i.
// Sustained rate: one word per cycle.
module residual_add #(
    parameter int unsigned PE            = 1,
    parameter int unsigned STEPS         = 4,
    parameter int unsigned FIRST_STEPS   = 4,
    parameter int unsigned FIRST_BITS    = 8,
    parameter bit          FIRST_SIGNED  = 1'b1,
    parameter int unsigned FIRST_SHIFT   = 0,
    parameter int unsigned SECOND_STEPS  = 4,
    parameter int unsigned SECOND_BITS   = 8,
    parameter bit          SECOND_SIGNED = 1'b1,
    parameter int unsigned SECOND_SHIFT  = 0,
    parameter int unsigned OUT_BITS      = 10
) (
    input  logic                                   clk_i,
    input  logic                                   rst_ni,
    input  logic [  PE*FIRST_STEPS*FIRST_BITS-1:0] first_data_i,
    input  logic                                   first_valid_i,
    output logic                                   first_ready_o,
    input  logic [PE*SECOND_STEPS*SECOND_BITS-1:0] second_data_i,
    input  logic                                   second_valid_i,
    output logic                                   second_ready_o,
    output logic [          PE*STEPS*OUT_BITS-1:0] out_data_o,
    output logic                                   out_valid_o,
    input  logic                                   out_ready_i
);
    logic free, step;
    assign free = !out_valid_o || out_ready_i;
    assign first_ready_o = free && second_valid_i;
    assign second_ready_o = free && first_valid_i;
    assign step = free && first_valid_i && second_valid_i;

    logic [PE*STEPS*OUT_BITS-1:0] sums;
    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_channel
        for (genvar t = 0; t < int'(STEPS); t++) begin : gen_step
            localparam int unsigned FIRST_LANE = pe * FIRST_STEPS + (FIRST_STEPS == 1 ? 0 : t);
            localparam int unsigned SECOND_LANE = pe * SECOND_STEPS + (SECOND_STEPS == 1 ? 0 : t);
            logic [FIRST_BITS-1:0] first;
            logic [SECOND_BITS-1:0] second;
            logic signed [FIRST_BITS:0] first_value;
            logic signed [SECOND_BITS:0] second_value;
            assign first = first_data_i[FIRST_LANE*FIRST_BITS+:FIRST_BITS];
            assign second = second_data_i[SECOND_LANE*SECOND_BITS+:SECOND_BITS];
            assign first_value = {FIRST_SIGNED && first[FIRST_BITS-1], first};
            assign second_value = {SECOND_SIGNED && second[SECOND_BITS-1], second};
            assign sums[(pe*STEPS+t)*OUT_BITS+:OUT_BITS] =
                (OUT_BITS'(first_value) << FIRST_SHIFT) + (OUT_BITS'(second_value) << SECOND_SHIFT);
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) out_valid_o <= 1'b0;
        else if (step) out_valid_o <= 1'b1;
        else if (out_ready_i) out_valid_o <= 1'b0;
    end
    always_ff @(posedge clk_i) if (step) out_data_o <= sums;

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("residual_add: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        first_valid_i && !first_ready_o |=> first_valid_i && $stable(first_data_i))
    else $error("residual_add: first input changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        second_valid_i && !second_ready_o |=> second_valid_i && $stable(second_data_i))
    else $error("residual_add: second input changed while stalled");
`endif
endmodule
