// Copies a stream to OUTPUTS readers.
//
// Each output offers the present word until its reader has taken it, in whatever cycle that is; the word leaves the
// input in the cycle in which the last reader takes it. Where all readers are ready that is every cycle.
//
// Handshake: AXI streams. The word is not stored: out_data_o is in_data_i, out_valid_o follows in_valid_i and
// in_ready_o follows out_ready_i within the cycle; in_ready_o does not depend on in_valid_i, nor out_valid_o on
// out_ready_i.
module stream_fork #(
    parameter int unsigned BITS    = 8,
    parameter int unsigned OUTPUTS = 2
) (
    input  logic                            clk_i,
    input  logic                            rst_ni,
    input  logic [   BITS-1:0]              in_data_i,
    input  logic                            in_valid_i,
    output logic                            in_ready_o,
    output logic [OUTPUTS-1:0][BITS-1:0]    out_data_o,
    output logic [OUTPUTS-1:0]              out_valid_o,
    input  logic [OUTPUTS-1:0]              out_ready_i
);
    // Outputs whose readers have taken the present word.
    logic [OUTPUTS-1:0] done_q, done;
    assign done = done_q | out_ready_i;

    assign in_ready_o = &done;
    assign out_data_o = {OUTPUTS{in_data_i}};
    assign out_valid_o = in_valid_i ? ~done_q : '0;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) done_q <= '0;
        else if (in_valid_i) done_q <= in_ready_o ? '0 : done;
    end

`ifndef SYNTHESIS
    for (genvar index = 0; index < int'(OUTPUTS); index++) begin : gen_output_rules
        assert property (@(posedge clk_i) disable iff (!rst_ni)
            out_valid_o[index] && !out_ready_i[index] |=> out_valid_o[index] && $stable(out_data_o[index]))
        else $error("stream_fork: output changed while stalled");
    end
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("stream_fork: input changed while stalled");
`endif
endmodule
