// Output of a pipeline that moves as a whole and may give a result in every cycle.
//
// en_o says whether the pipeline may move, and comes from a register: a result that finds its reader stalled is kept in
// a spare place, and only then the pipeline stops. valid_i and result_i count in cycles in which en_o is high. A result
// reaches the output a cycle after it came, and leaves in every cycle in which the reader is ready.
//
// Handshake: AXI stream. out_valid_o and out_data_o come from registers and stay until out_ready_i.
module output_stage #(
    parameter int unsigned BITS = 8
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            valid_i,
    input  logic [BITS-1:0] result_i,
    output logic            en_o,
    output logic [BITS-1:0] out_data_o,
    output logic            out_valid_o,
    input  logic            out_ready_i
);
    logic [BITS-1:0] spare_q;
    logic spare_valid_q, moves;
    assign moves = out_ready_i || !out_valid_o;
    assign en_o = !spare_valid_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            out_valid_o   <= 1'b0;
            spare_valid_q <= 1'b0;
        end else if (moves) begin
            out_valid_o   <= spare_valid_q || valid_i;
            spare_valid_q <= 1'b0;
        end else if (valid_i) begin
            spare_valid_q <= 1'b1;
        end
    end
    always_ff @(posedge clk_i) begin
        if (moves) out_data_o <= spare_valid_q ? spare_q : result_i;
        if (en_o) spare_q <= result_i;
    end
endmodule
