// Between a transport and the accelerator: starts, counts and times frames, and holds the registers.
//
// Behaviour: after a start, FRAMES * IN_WORDS words of s_axis enter the accelerator; before and after that s_axis
// waits. They must end in TLAST: a word with TLAST before the last sets the short flag, a last word without it the
// long flag, and from then on all input is taken and dropped until the next reset. Of each word the low IN_BYTES
// count. Results leave on m_axis, extended with zeros to OUT_STREAM_BYTES, with TLAST on the last word of the packet's
// last frame. At most 16 frames are under way; further input waits.
// A reset (rst_ni, or CONTROL bit 1) drops every word and keeps the accelerator in reset for 16 cycles, and until
// weights_drained_i. m_axis may then lose a word that was offered: reset what reads it too.
// Where weights lie in memory (WEIGHT_BYTES > 0, weight_port.sv) no packet starts before weights_set_i. With
// weights_error_i all results and all input are taken and dropped until the next reset.
//
// Registers (byte offsets; reg_rdata_o follows reg_addr_i within the cycle, reg_write_i writes in one cycle):
//   00 CONTROL  bit 0 start, bit 1 reset
//   04 STATUS   bit 0 busy, 1 short frame, 2 long frame, 3 resetting, 4 weights not readable, 5 WEIGHTS_BASE is set
//   08 FRAMES   of the next packet, 16 bits       0C FRAMES_IN   10 FRAMES_OUT   14 LATENCY   18 INTERVAL
//   1C MAGIC    20 VERSION    24 NETWORK          28 IN_WORDS    2C IN_BYTES     30 OUT_WORDS 34 OUT_BYTES
//   38 BUSY_CYCLES            3C WIRE_ERRORS      40 WEIGHTS_BASE, 44 WEIGHTS_BASE_HIGH (in weight_port.sv)
//   48 WEIGHT_BYTES in memory, 0 for none
// A start is ignored while busy or resetting, with FRAMES = 0, and after a short or long packet, or weights that were
// not readable, until a reset.
// start_i starts a packet of one frame; flag_short_i, flag_long_i and wire_error_i note what a transport refused
// before it reached s_axis. busy_o falls once the counters and times have those of the last frame.
//
// Handshake: AXI streams. s_axis_tready does not depend on s_axis_tvalid. Both streams pass through registers in both
// directions.
module frame_shell #(
    parameter int unsigned IN_WORDS         = 1,
    parameter int unsigned IN_BYTES         = 1,
    parameter int unsigned IN_STREAM_BYTES  = 1,
    parameter int unsigned OUT_WORDS        = 1,
    parameter int unsigned OUT_BYTES        = 1,
    parameter int unsigned OUT_STREAM_BYTES = 1,
    parameter int unsigned WEIGHT_BYTES     = 0,
    parameter bit   [31:0] NETWORK          = '0
) (
    input  logic                          clk_i,
    input  logic                          rst_ni,
    input  logic                          reg_write_i,
    input  logic [                   6:0] reg_addr_i,
    input  logic [                  31:0] reg_wdata_i,
    output logic [                  31:0] reg_rdata_o,
    input  logic                          start_i,
    input  logic                          flag_short_i,
    input  logic                          flag_long_i,
    input  logic                          wire_error_i,
    input  logic [                  63:0] weights_base_i,
    input  logic                          weights_set_i,
    input  logic                          weights_error_i,
    input  logic                          weights_drained_i,
    output logic                          busy_o,
    output logic                          resetting_o,
    input  logic [ 8*IN_STREAM_BYTES-1:0] s_axis_tdata,
    input  logic                          s_axis_tvalid,
    output logic                          s_axis_tready,
    input  logic                          s_axis_tlast,
    output logic [8*OUT_STREAM_BYTES-1:0] m_axis_tdata,
    output logic                          m_axis_tvalid,
    input  logic                          m_axis_tready,
    output logic                          m_axis_tlast,
    output logic                          acc_rst_no,
    output logic [        8*IN_BYTES-1:0] acc_s_axis_tdata,
    output logic                          acc_s_axis_tvalid,
    input  logic                          acc_s_axis_tready,
    input  logic [       8*OUT_BYTES-1:0] acc_m_axis_tdata,
    input  logic                          acc_m_axis_tvalid,
    output logic                          acc_m_axis_tready
);
    localparam bit [31:0] MAGIC = 32'h53504B46;
    localparam bit [31:0] VERSION = 32'd1;
    localparam int unsigned RESET_CYCLES = 16;
    localparam int unsigned RESET_BITS = $clog2(RESET_CYCLES);
    localparam bit [4:0] CONTROL = 5'h00, STATUS = 5'h01, FRAMES = 5'h02, FRAMES_IN = 5'h03, FRAMES_OUT = 5'h04;
    localparam bit [4:0] LATENCY = 5'h05, INTERVAL = 5'h06, MAGIC_WORD = 5'h07, VERSION_WORD = 5'h08;
    localparam bit [4:0] NETWORK_WORD = 5'h09, IN_WORDS_WORD = 5'h0A, IN_BYTES_WORD = 5'h0B, OUT_WORDS_WORD = 5'h0C;
    localparam bit [4:0] OUT_BYTES_WORD = 5'h0D, BUSY_CYCLES = 5'h0E, WIRE_ERRORS = 5'h0F;
    localparam bit [4:0] WEIGHTS_BASE = 5'h10, WEIGHTS_BASE_HIGH = 5'h11, WEIGHT_BYTES_WORD = 5'h12;

    // ---------------------------------------------------------------- reset
    logic [4:0] register;
    logic control_write, reset_written;
    assign register = reg_addr_i[6:2];
    assign control_write = reg_write_i && register == CONTROL;
    assign reset_written = control_write && reg_wdata_i[1];

    logic resetting_q;
    logic acc_rst_nq;  // the same, inverted: a register of its own for the accelerator's many flip-flops
    logic [RESET_BITS-1:0] reset_left_q;
    assign resetting_o = resetting_q;
    assign acc_rst_no = acc_rst_nq;
    // Power-up is a reset too: not always_ff, which allows no initial value.
    initial begin
        resetting_q = 1'b1;
        acc_rst_nq = 1'b0;
        reset_left_q = '1;
    end
    always @(posedge clk_i) begin
        if (!rst_ni || reset_written) begin
            resetting_q <= 1'b1;
            acc_rst_nq <= 1'b0;
            reset_left_q <= RESET_BITS'(RESET_CYCLES - 1);
        end else if (reset_left_q != '0) begin
            reset_left_q <= reset_left_q - 1'b1;
        end else if (weights_drained_i) begin
            resetting_q <= 1'b0;
            acc_rst_nq <= 1'b1;
        end
    end

    // ---------------------------------------------------------------- start
    logic [15:0] frames_q, frames_started;
    logic start_q, start_one_q, busy_q, drop_q, starts, has_weights;
    assign has_weights = WEIGHT_BYTES == 0 || weights_set_i;
    always_ff @(posedge clk_i) begin
        if (!rst_ni || reset_written) frames_q <= 16'd1;
        else if (reg_write_i && register == FRAMES) frames_q <= reg_wdata_i[15:0];
    end
    always_ff @(posedge clk_i) begin
        start_q <= !resetting_q && control_write && reg_wdata_i[0];
        start_one_q <= !resetting_q && start_i;
    end
    assign starts = (start_one_q || (start_q && frames_q != '0)) && !busy_q && !drop_q && !resetting_q && has_weights;
    assign frames_started = start_one_q ? 16'd1 : frames_q;

    // ---------------------------------------------------------------- input
    logic taking_q, hold_q, in_first, in_last, in_last_frame_q, in_room, in_moves, in_enters, full;
    logic [15:0] in_frames_q;
    logic short_q, long_q, short, long_;
    assign s_axis_tready = drop_q || (taking_q && !hold_q && in_room);
    assign in_moves = s_axis_tvalid && taking_q && !hold_q && in_room;
    assign in_enters = in_moves && in_first;
    assign short = in_moves && s_axis_tlast && !(in_last && in_last_frame_q);
    assign long_ = in_moves && !s_axis_tlast && in_last && in_last_frame_q;

    word_counter #(
        .WORDS(IN_WORDS)
    ) i_in_words (
        .clk_i,
        .clear_i(resetting_q),
        .step_i (in_moves),
        .first_o(in_first),
        .last_o (in_last)
    );

    // The word after this one would begin a 17th frame: known a cycle early, so hold_q is a register. A frame that
    // leaves meanwhile is noticed a cycle late.
    always_ff @(posedge clk_i) begin
        if (resetting_q) hold_q <= 1'b0;
        else if (IN_WORDS == 1) hold_q <= full || in_moves;
        else hold_q <= full && (in_moves ? in_last : in_first);
    end

    always_ff @(posedge clk_i) begin
        if (resetting_q) begin
            taking_q <= 1'b0;
            drop_q <= 1'b0;
            short_q <= 1'b0;
            long_q <= 1'b0;
        end else begin
            if (starts) taking_q <= 1'b1;
            else if (short || weights_error_i || (in_moves && in_last && in_last_frame_q)) taking_q <= 1'b0;
            if (short || long_ || weights_error_i) drop_q <= 1'b1;
            if (short || flag_short_i) short_q <= 1'b1;
            if (long_ || flag_long_i) long_q <= 1'b1;
        end
    end
    always_ff @(posedge clk_i) begin
        if (starts) begin
            in_frames_q <= frames_started;
            in_last_frame_q <= frames_started == 16'd1;
        end else if (in_moves && in_last) begin
            in_frames_q <= in_frames_q - 1'b1;
            in_last_frame_q <= in_frames_q == 16'd2;
        end
    end

    stream_register #(
        .BITS(8 * IN_BYTES)
    ) i_in_register (
        .clk_i,
        .clear_i    (resetting_q),
        .in_data_i  (s_axis_tdata[8*IN_BYTES-1:0]),
        .in_valid_i (in_moves),
        .in_ready_o (in_room),
        .out_data_o (acc_s_axis_tdata),
        .out_valid_o(acc_s_axis_tvalid),
        .out_ready_i(acc_s_axis_tready)
    );
    if (IN_STREAM_BYTES > IN_BYTES) begin : gen_in_padding
        logic unused_padding;
        assign unused_padding = ^s_axis_tdata[8*IN_STREAM_BYTES-1:8*IN_BYTES];
    end

    // ---------------------------------------------------------------- output
    logic out_first, out_last, out_last_frame_q, out_moves, out_leaves, frame_ends;
    logic [15:0] out_frames_q;
    assign out_moves = acc_m_axis_tvalid && acc_m_axis_tready;
    assign out_leaves = m_axis_tvalid && m_axis_tready && frame_ends;

    word_counter #(
        .WORDS(OUT_WORDS)
    ) i_out_words (
        .clk_i,
        .clear_i(resetting_q),
        .step_i (out_moves),
        .first_o(out_first),
        .last_o (out_last)
    );
    always_ff @(posedge clk_i) begin
        if (starts) begin
            out_frames_q <= frames_started;
            out_last_frame_q <= frames_started == 16'd1;
        end else if (out_moves && out_last) begin
            out_frames_q <= out_frames_q - 1'b1;
            out_last_frame_q <= out_frames_q == 16'd2;
        end
    end

    logic [8*OUT_BYTES-1:0] out_word;
    stream_register #(
        .BITS(8 * OUT_BYTES + 2)
    ) i_out_register (
        .clk_i,
        .clear_i    (resetting_q),
        .in_data_i  ({out_last && out_last_frame_q, out_last, acc_m_axis_tdata}),
        .in_valid_i (acc_m_axis_tvalid && !weights_error_i),
        .in_ready_o (acc_m_axis_tready),
        .out_data_o ({m_axis_tlast, frame_ends, out_word}),
        .out_valid_o(m_axis_tvalid),
        .out_ready_i(m_axis_tready)
    );
    assign m_axis_tdata = (8 * OUT_STREAM_BYTES)'(out_word);

    // ---------------------------------------------------------------- times and counts
    logic done, packet_left_q, packet_done_q, frame_in_q;
    logic [31:0] latency, interval, frames_in_q, frames_out_q, busy_cycles_q, wire_errors_q;
    frame_clock i_clock (
        .clk_i,
        .clear_i   (resetting_q),
        .enters_i  (in_enters),
        .leaves_i  (out_leaves),
        .full_o    (full),
        .done_o    (done),
        .latency_o (latency),
        .interval_o(interval)
    );

    assign busy_o = busy_q;
    always_ff @(posedge clk_i) begin
        if (resetting_q) begin
            busy_q <= 1'b0;
            packet_left_q <= 1'b0;
            packet_done_q <= 1'b0;
            frame_in_q <= 1'b0;
            frames_in_q <= '0;
            frames_out_q <= '0;
            busy_cycles_q <= '0;
            wire_errors_q <= '0;
        end else begin
            packet_left_q <= out_leaves && m_axis_tlast;
            packet_done_q <= packet_left_q;
            frame_in_q <= in_moves && in_last;
            if (starts) busy_q <= 1'b1;
            else if (packet_done_q) busy_q <= 1'b0;
            if (frame_in_q) frames_in_q <= frames_in_q + 1'b1;
            if (done) frames_out_q <= frames_out_q + 1'b1;
            if (starts) busy_cycles_q <= '0;
            else if (busy_q) busy_cycles_q <= busy_cycles_q + 1'b1;
            if (wire_error_i) wire_errors_q <= wire_errors_q + 1'b1;
        end
    end

    // ---------------------------------------------------------------- registers
    always_comb begin
        unique case (register)
            STATUS: reg_rdata_o = {26'b0, weights_set_i, weights_error_i, resetting_q, long_q, short_q, busy_q};
            FRAMES: reg_rdata_o = {16'b0, frames_q};
            FRAMES_IN: reg_rdata_o = frames_in_q;
            FRAMES_OUT: reg_rdata_o = frames_out_q;
            LATENCY: reg_rdata_o = latency;
            INTERVAL: reg_rdata_o = interval;
            MAGIC_WORD: reg_rdata_o = MAGIC;
            VERSION_WORD: reg_rdata_o = VERSION;
            NETWORK_WORD: reg_rdata_o = NETWORK;
            IN_WORDS_WORD: reg_rdata_o = IN_WORDS;
            IN_BYTES_WORD: reg_rdata_o = IN_BYTES;
            OUT_WORDS_WORD: reg_rdata_o = OUT_WORDS;
            OUT_BYTES_WORD: reg_rdata_o = OUT_BYTES;
            BUSY_CYCLES: reg_rdata_o = busy_cycles_q;
            WIRE_ERRORS: reg_rdata_o = wire_errors_q;
            WEIGHTS_BASE: reg_rdata_o = weights_base_i[31:0];
            WEIGHTS_BASE_HIGH: reg_rdata_o = weights_base_i[63:32];
            WEIGHT_BYTES_WORD: reg_rdata_o = WEIGHT_BYTES;
            default: reg_rdata_o = '0;
        endcase
    end

    logic unused;
    assign unused = ^{reg_addr_i[1:0], reg_wdata_i[31:16], out_first};
endmodule
