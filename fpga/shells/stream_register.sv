// Cuts a stream's paths: data, valid and ready all come from registers.
//
// Two words deep, so that a word moves in every cycle. clear_i drops what is held; in_ready_o is high then.
//
// Handshake: AXI streams. out_valid_o and out_data_o stay until out_ready_i; no combinational path crosses the module.
module stream_register #(
    parameter int unsigned BITS = 8
) (
    input  logic            clk_i,
    input  logic            clear_i,
    input  logic [BITS-1:0] in_data_i,
    input  logic            in_valid_i,
    output logic            in_ready_o,
    output logic [BITS-1:0] out_data_o,
    output logic            out_valid_o,
    input  logic            out_ready_i
);
    // The spare takes the word that arrives in the cycle in which the reader stalls.
    logic [BITS-1:0] data_q, spare_q;
    logic valid_q, spare_valid_q;
    logic moves;
    assign moves = out_ready_i || !valid_q;

    assign in_ready_o = !spare_valid_q;
    assign out_data_o = data_q;
    assign out_valid_o = valid_q;

    always_ff @(posedge clk_i) begin
        if (clear_i) begin
            valid_q <= 1'b0;
            spare_valid_q <= 1'b0;
        end else if (moves) begin
            valid_q <= spare_valid_q || in_valid_i;
            spare_valid_q <= 1'b0;
        end else if (in_valid_i) begin
            spare_valid_q <= 1'b1;
        end
    end
    always_ff @(posedge clk_i) begin
        if (moves) data_q <= spare_valid_q ? spare_q : in_data_i;
        if (!spare_valid_q) spare_q <= in_data_i;
    end
endmodule
