// Reads request packets from a line: 0x55 KIND LEN[3] PAYLOAD[LEN] CRC32[4], numbers with their lowest byte first.
//
// Behaviour: a packet whose checksum is right and whose kind and length are known ends in one pulse of read_o, write_o
// or frame_o, with address_o and value_o of the first two; any other in one pulse of error_o with code_o: 1 checksum,
// 2 short, 3 long, 4 unknown kind, 5 busy (a frame while busy_i, as it was when the frame's length had come),
// 6 silence inside a packet. After a wrong checksum nothing is read, and the error not told, before the line has been
// silent for 2^SILENCE_LOG2 bit times: where that packet ends is not known.
// store_o offers the payload bytes of a frame that has the right length and is not refused, before its checksum is
// known; store_begin_o comes before the first.
//
// No handshake: all outputs are pulses, whose values stay until the next packet. bit_time_o is uart_receiver's.
module uart_requests #(
    parameter int unsigned FRAME_BYTES  = 1,
    parameter int unsigned SILENCE_LOG2 = 13
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        rx_i,
    input  logic        busy_i,
    output logic        read_o,
    output logic        write_o,
    output logic        frame_o,
    output logic        error_o,
    output logic [ 2:0] code_o,
    output logic        short_frame_o,
    output logic        long_frame_o,
    output logic        wire_error_o,
    output logic [ 7:0] address_o,
    output logic [31:0] value_o,
    output logic        store_begin_o,
    output logic        store_o,
    output logic [ 7:0] byte_o,
    output logic [13:0] bit_time_o
);
    localparam bit [7:0] READ = 8'h01, WRITE = 8'h02, FRAME = 8'h03;
    localparam bit [2:0] CHECKSUM = 3'd1, SHORT = 3'd2, LONG = 3'd3, UNKNOWN = 3'd4, BUSY = 3'd5, TRUNCATED = 3'd6;
    localparam int unsigned LENGTH_BITS = 24;
    localparam int unsigned CHECK_CYCLES = 12;  // until the checksum has the last byte
    typedef enum logic [2:0] {HUNT, KIND, LENGTH, PAYLOAD, CRC, CHECK, VERDICT, DRAIN} state_e;

    // ---------------------------------------------------------------- the line
    state_e state_q;
    logic [1:0] index_q;
    logic packet, received, silent, hunt_q;
    logic [7:0] data;
    uart_receiver #(
        .SILENCE_LOG2(SILENCE_LOG2)
    ) i_receiver (
        .clk_i,
        .rst_ni,
        .rx_i,
        .last_i    (state_q == CRC && index_q == 2'd3),
        .hunt_i    (hunt_q),
        .packet_o  (packet),
        .byte_o    (data),
        .valid_o   (received),
        .silent_o  (silent),
        .bit_time_o(bit_time_o)
    );

    logic checksum_right;
    logic [31:0] unused_crc;
    crc32 i_crc (
        .clk_i,
        .clear_i(packet),
        .byte_i (data),
        .valid_i(received && state_q != DRAIN),
        .crc_o  (unused_crc),
        .right_o(checksum_right)
    );

    // ---------------------------------------------------------------- fields
    logic [3:0] check_q;
    logic [7:0] kind_q;
    logic [LENGTH_BITS-1:0] length_q, left_q, wanted_q;
    logic [39:0] arguments_q;  // the last five payload bytes
    logic is_read_q, is_write_q, is_frame_q, short_q, long_q, last_q, empty_q, refused_q, storing_q;
    assign byte_o = data;
    assign store_begin_o = packet;
    assign store_o = received && state_q == PAYLOAD && storing_q;
    assign value_o = arguments_q[39:8];
    assign address_o = is_write_q ? arguments_q[7:0] : arguments_q[39:32];

    // What the fields mean, one cycle behind each other: bytes are further apart.
    always_ff @(posedge clk_i) begin
        is_read_q <= kind_q == READ;
        is_write_q <= kind_q == WRITE;
        is_frame_q <= kind_q == FRAME;
        wanted_q <= is_frame_q ? LENGTH_BITS'(FRAME_BYTES) : is_write_q ? LENGTH_BITS'(5) : LENGTH_BITS'(1);
        short_q <= length_q < wanted_q;
        long_q <= length_q > wanted_q;
        empty_q <= length_q == '0;
        last_q <= left_q == LENGTH_BITS'(1);
        storing_q <= is_frame_q && !short_q && !long_q && !refused_q;
    end

    // All of that is right from the third cycle of PAYLOAD on.
    logic [1:0] settled_q;
    logic empty;
    always_ff @(posedge clk_i) settled_q <= state_q == PAYLOAD ? {settled_q[0], 1'b1} : '0;
    assign empty = settled_q[1] && empty_q;

    logic ends, truncated;
    assign ends = received && state_q == CRC && index_q == 2'd3;
    assign truncated = silent && state_q inside {KIND, LENGTH, PAYLOAD, CRC};
    always_ff @(posedge clk_i) begin
        if (received) begin
            if (state_q == KIND) kind_q <= data;
            if (state_q == LENGTH) length_q <= {data, length_q[LENGTH_BITS-1:8]};
            if (state_q == PAYLOAD) arguments_q <= {data, arguments_q[39:8]};
            if (state_q == PAYLOAD) left_q <= left_q - 1'b1;
        end else if (state_q == PAYLOAD && !settled_q[1]) begin
            left_q <= length_q;
        end
        if (state_q == LENGTH) refused_q <= busy_i;
        check_q <= state_q == CHECK ? check_q + 1'b1 : '0;
        hunt_q <= truncated || (state_q == DRAIN && silent);
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= HUNT;
        end else if (truncated) begin
            state_q <= HUNT;
        end else begin
            unique case (state_q)
                HUNT:
                if (packet) begin
                    state_q <= KIND;
                    index_q <= '0;
                end
                KIND: if (received) state_q <= LENGTH;
                LENGTH:
                if (received) begin
                    index_q <= index_q == 2'd2 ? '0 : index_q + 1'b1;
                    if (index_q == 2'd2) state_q <= PAYLOAD;
                end
                PAYLOAD:
                if (empty || (received && last_q)) state_q <= CRC;
                CRC:
                if (received) begin
                    index_q <= index_q + 1'b1;
                    if (ends) state_q <= CHECK;
                end
                CHECK: if (check_q == 4'(CHECK_CYCLES)) state_q <= VERDICT;
                VERDICT: state_q <= checksum_right ? HUNT : DRAIN;
                DRAIN: if (silent) state_q <= HUNT;
                default: state_q <= HUNT;
            endcase
        end
    end

    // ---------------------------------------------------------------- verdict
    logic known, right;
    assign right = state_q == VERDICT && checksum_right;
    assign known = is_read_q || is_write_q || is_frame_q;
    always_ff @(posedge clk_i) begin
        read_o <= 1'b0;
        write_o <= 1'b0;
        frame_o <= 1'b0;
        error_o <= 1'b0;
        short_frame_o <= 1'b0;
        long_frame_o <= 1'b0;
        wire_error_o <= 1'b0;
        if (rst_ni) begin
            if (right && known && !short_q && !long_q && !(is_frame_q && refused_q)) begin
                read_o <= is_read_q;
                write_o <= is_write_q;
                frame_o <= is_frame_q;
            end else if (right) begin
                error_o <= 1'b1;
                code_o <= !known ? UNKNOWN : short_q ? SHORT : long_q ? LONG : BUSY;
                short_frame_o <= is_frame_q && short_q;
                long_frame_o <= is_frame_q && long_q;
            end
            if (state_q == VERDICT && !checksum_right) wire_error_o <= 1'b1;
            if (state_q == DRAIN && silent) begin
                error_o <= 1'b1;
                code_o <= CHECKSUM;
            end
            if (truncated) begin
                error_o <= 1'b1;
                code_o <= TRUNCATED;
            end
        end
    end
endmodule
