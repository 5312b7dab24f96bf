// An accelerator behind a UART: packets that read and write the registers of frame_shell, and that bring frames.
//
// Behaviour: request packets (uart_requests.sv) are answered by reply packets (uart_replies.sv) at the baud rate at
// which they came. A frame is stored, and computed only when its checksum is right; its result is stored, and then
// sent. Reads and writes are answered meanwhile; a further frame is refused as busy until the result's last byte is on
// its way. A reset by register drops the frame and its result, but ends no reply that has begun.
// A frame starts by itself: bit 0 of CONTROL does nothing here, and FRAMES has no meaning. Registers beyond frame_shell's
// are 0. Up to 16 replies wait for the line; what a request beyond them did is not answered.
//
// Handshake: none at the line. acc_s_axis and acc_m_axis are AXI streams, acc_rst_no is the accelerator's reset.
module uart_shell #(
    parameter int unsigned IN_WORDS  = 1,
    parameter int unsigned IN_BYTES  = 1,
    parameter int unsigned OUT_WORDS = 1,
    parameter int unsigned OUT_BYTES = 1,
    parameter bit   [31:0] NETWORK   = '0,
    parameter int unsigned SILENCE_LOG2 = 13
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   rx_i,
    output logic                   tx_o,
    output logic                   acc_rst_no,
    output logic [ 8*IN_BYTES-1:0] acc_s_axis_tdata,
    output logic                   acc_s_axis_tvalid,
    input  logic                   acc_s_axis_tready,
    input  logic [8*OUT_BYTES-1:0] acc_m_axis_tdata,
    input  logic                   acc_m_axis_tvalid,
    output logic                   acc_m_axis_tready
);
    localparam int unsigned RESULT_ADDR_BITS = OUT_WORDS > 1 ? $clog2(OUT_WORDS) : 1;
    localparam int unsigned REPLIES = 16;
    localparam int unsigned REPLY_BITS = $clog2(REPLIES);
    localparam bit [3:0] CONTROL = 4'h0;
    localparam bit [1:0] VALUE = 2'd0, NOTHING = 2'd1, RESULT = 2'd2, CODE = 2'd3;

    // ---------------------------------------------------------------- requests
    logic read, write, frame, error, short_frame, long_frame, wire_error, store_begin, store, busy, resetting, outside;
    logic [2:0] code;
    logic [7:0] address, payload;
    logic [31:0] value, reg_wdata, reg_rdata;
    logic [13:0] bit_time;
    uart_requests #(
        .FRAME_BYTES (IN_WORDS * IN_BYTES),
        .SILENCE_LOG2(SILENCE_LOG2)
    ) i_requests (
        .clk_i,
        .rst_ni,
        .rx_i,
        .busy_i       (busy),
        .read_o       (read),
        .write_o      (write),
        .frame_o      (frame),
        .error_o      (error),
        .code_o       (code),
        .short_frame_o(short_frame),
        .long_frame_o (long_frame),
        .wire_error_o (wire_error),
        .address_o    (address),
        .value_o      (value),
        .store_begin_o(store_begin),
        .store_o      (store),
        .byte_o       (payload),
        .bit_time_o   (bit_time)
    );
    assign outside = address[7:6] != '0;
    assign reg_wdata = {value[31:1], value[0] && address[5:2] != CONTROL};

    // ---------------------------------------------------------------- the frame and its result
    logic [8*IN_BYTES-1:0] s_axis_tdata;
    logic s_axis_tvalid, s_axis_tready, s_axis_tlast;
    frame_store #(
        .WORDS(IN_WORDS),
        .BYTES(IN_BYTES)
    ) i_frame (
        .clk_i,
        .clear_i    (resetting),
        .begin_i    (store_begin),
        .byte_i     (payload),
        .valid_i    (store),
        .feed_i     (frame),
        .out_data_o (s_axis_tdata),
        .out_valid_o(s_axis_tvalid),
        .out_last_o (s_axis_tlast),
        .out_ready_i(s_axis_tready)
    );

    logic [8*OUT_BYTES-1:0] m_axis_tdata, result_data;
    logic m_axis_tvalid, m_axis_tlast, shell_busy;
    logic [RESULT_ADDR_BITS-1:0] store_addr_q, result_addr;
    frame_shell #(
        .IN_WORDS        (IN_WORDS),
        .IN_BYTES        (IN_BYTES),
        .IN_STREAM_BYTES (IN_BYTES),
        .OUT_WORDS       (OUT_WORDS),
        .OUT_BYTES       (OUT_BYTES),
        .OUT_STREAM_BYTES(OUT_BYTES),
        .NETWORK         (NETWORK)
    ) i_shell (
        .clk_i,
        .rst_ni,
        .reg_write_i  (write && !outside),
        .reg_addr_i   ({1'b0, address[5:0]}),
        .reg_wdata_i  (reg_wdata),
        .reg_rdata_o  (reg_rdata),
        .start_i      (frame),
        .flag_short_i (short_frame),
        .flag_long_i  (long_frame),
        .wire_error_i (wire_error),
        .weights_base_i('0),
        .weights_set_i(1'b0),
        .weights_error_i(1'b0),
        .weights_drained_i(1'b1),
        .busy_o       (shell_busy),
        .resetting_o  (resetting),
        .s_axis_tdata,
        .s_axis_tvalid,
        .s_axis_tready,
        .s_axis_tlast,
        .m_axis_tdata,
        .m_axis_tvalid,
        .m_axis_tready(1'b1),
        .m_axis_tlast,
        .acc_rst_no,
        .acc_s_axis_tdata,
        .acc_s_axis_tvalid,
        .acc_s_axis_tready,
        .acc_m_axis_tdata,
        .acc_m_axis_tvalid,
        .acc_m_axis_tready
    );
    always_ff @(posedge clk_i) begin
        if (resetting || frame) store_addr_q <= '0;
        else if (m_axis_tvalid) store_addr_q <= store_addr_q + 1'b1;
    end
    word_ram #(
        .WORDS(OUT_WORDS),
        .BITS (8 * OUT_BYTES)
    ) i_result (
        .clk_i,
        .write_i     (m_axis_tvalid),
        .write_addr_i(store_addr_q),
        .data_i      (m_axis_tdata),
        .read_i      (1'b1),
        .read_addr_i (result_addr),
        .data_o      (result_data)
    );

    // ---------------------------------------------------------------- replies
    logic result_waits_q, reading, reading_q, frame_under_way_q, line_free, takes_result, takes_reply;
    assign busy = frame_under_way_q || reading;
    assign takes_result = line_free && result_waits_q;
    always_ff @(posedge clk_i) begin
        reading_q <= reading;
        if (resetting) begin
            result_waits_q <= 1'b0;
            frame_under_way_q <= 1'b0;
        end else begin
            if (m_axis_tvalid && m_axis_tlast) result_waits_q <= 1'b1;
            else if (takes_result) result_waits_q <= 1'b0;
            if (frame) frame_under_way_q <= 1'b1;
            else if (reading_q && !reading) frame_under_way_q <= 1'b0;
        end
    end

    logic [33:0] replies_q[REPLIES];
    logic [33:0] reply_q, oldest_reply;
    logic [REPLY_BITS-1:0] reply_in_q, reply_out_q;
    logic [REPLY_BITS:0] replies_held_q;
    logic reply_valid_q, reply_put, replies_wait;
    assign replies_wait = replies_held_q != '0;
    assign reply_put = reply_valid_q && !replies_held_q[REPLY_BITS];
    assign takes_reply = line_free && replies_wait && !result_waits_q;
    assign oldest_reply = replies_q[reply_out_q];
    always_ff @(posedge clk_i) begin
        reply_q <= error ? {CODE, 29'b0, code} : {write ? NOTHING : VALUE, outside ? '0 : reg_rdata};
        if (reply_put) replies_q[reply_in_q] <= reply_q;
        if (!rst_ni) begin
            reply_valid_q <= 1'b0;
            reply_in_q <= '0;
            reply_out_q <= '0;
            replies_held_q <= '0;
        end else begin
            reply_valid_q <= read || write || error;
            if (reply_put) reply_in_q <= reply_in_q + 1'b1;
            if (takes_reply) reply_out_q <= reply_out_q + 1'b1;
            if (reply_put && !takes_reply) replies_held_q <= replies_held_q + 1'b1;
            else if (takes_reply && !reply_put) replies_held_q <= replies_held_q - 1'b1;
        end
    end
    uart_replies #(
        .RESULT_WORDS(OUT_WORDS),
        .RESULT_BYTES(OUT_BYTES)
    ) i_replies (
        .clk_i,
        .rst_ni,
        .bit_time_i   (bit_time),
        .kind_i       (result_waits_q ? RESULT : oldest_reply[33:32]),
        .value_i      (oldest_reply[31:0]),
        .valid_i      (result_waits_q || replies_wait),
        .ready_o      (line_free),
        .result_addr_o(result_addr),
        .result_data_i(result_data),
        .reading_o    (reading),
        .tx_o
    );

    logic unused;
    assign unused = shell_busy;
endmodule
