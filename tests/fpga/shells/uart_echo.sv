// A UART shell whose accelerator gives each word back inverted: small enough to be simulated at slow baud rates.
module uart_echo #(
    parameter int unsigned WORDS = 5,
    parameter int unsigned BYTES = 3,
    parameter int unsigned SILENCE_LOG2 = 7
) (
    input  logic clk,
    input  logic rst_n,
    input  logic rx,
    output logic tx
);
    logic acc_rst_n, in_valid, in_ready, out_valid, out_ready;
    logic [8*BYTES-1:0] in_data, out_data;
    uart_shell #(
        .IN_WORDS (WORDS),
        .IN_BYTES (BYTES),
        .OUT_WORDS(WORDS),
        .OUT_BYTES(BYTES),
        .NETWORK  (32'h12345678),
        .SILENCE_LOG2(SILENCE_LOG2)
    ) i_shell (
        .clk_i            (clk),
        .rst_ni           (rst_n),
        .rx_i             (rx),
        .tx_o             (tx),
        .acc_rst_no       (acc_rst_n),
        .acc_s_axis_tdata (in_data),
        .acc_s_axis_tvalid(in_valid),
        .acc_s_axis_tready(in_ready),
        .acc_m_axis_tdata (out_data),
        .acc_m_axis_tvalid(out_valid),
        .acc_m_axis_tready(out_ready)
    );
    stream_register #(
        .BITS(8 * BYTES)
    ) i_echo (
        .clk_i      (clk),
        .clear_i    (!acc_rst_n),
        .in_data_i  (~in_data),
        .in_valid_i (in_valid),
        .in_ready_o (in_ready),
        .out_data_o (out_data),
        .out_valid_o(out_valid),
        .out_ready_i(out_ready)
    );
endmodule
