// Sends reply packets: 0x55 KIND LEN[3] PAYLOAD[LEN] CRC32[4], numbers with their lowest byte first.
//
// Behaviour: a reply is one of value_i (kind 0x81), nothing (0x82), the RESULT_WORDS words of a result (0x83), read
// through result_addr_o, or a code in value_i's low byte (0xFF). It goes out at the bit time of when it was taken,
// with no gaps.
//
// Handshake: kind_i and value_i are taken where valid_i and ready_o meet; ready_o is high while no packet is being
// sent. result_data_i is the word of the result_addr_o of the cycle before; reading_o is high from when a result is
// taken until its last word has been read.
module uart_replies #(
    parameter int unsigned RESULT_WORDS = 1,
    parameter int unsigned RESULT_BYTES = 1,  // of a word
    localparam int unsigned ADDR_BITS = RESULT_WORDS > 1 ? $clog2(RESULT_WORDS) : 1
) (
    input  logic                      clk_i,
    input  logic                      rst_ni,
    input  logic [              13:0] bit_time_i,
    input  logic [               1:0] kind_i,
    input  logic [              31:0] value_i,
    input  logic                      valid_i,
    output logic                      ready_o,
    output logic [     ADDR_BITS-1:0] result_addr_o,
    input  logic [8*RESULT_BYTES-1:0] result_data_i,
    output logic                      reading_o,
    output logic                      tx_o
);
    localparam bit [7:0] SYNC = 8'h55;
    localparam int unsigned LENGTH_BITS = 24;
    localparam int unsigned BYTE_BITS = RESULT_BYTES > 1 ? $clog2(RESULT_BYTES) : 1;
    typedef enum logic [1:0] {VALUE, NOTHING, RESULT, CODE} kind_e;
    typedef enum logic [2:0] {IDLE, HEAD, LENGTH, PAYLOAD, CRC, LAST} state_e;

    state_e state_q;
    kind_e kind_q;
    logic [13:0] bit_time_q;
    logic [31:0] value_q;
    logic [1:0] index_q;
    logic [LENGTH_BITS-1:0] length, left_q;
    logic last_q;
    assign ready_o = state_q == IDLE;
    assign reading_o = kind_q == RESULT && state_q inside {HEAD, LENGTH, PAYLOAD};
    always_comb begin
        unique case (kind_q)
            VALUE: length = LENGTH_BITS'(4);
            NOTHING: length = '0;
            RESULT: length = LENGTH_BITS'(RESULT_WORDS * RESULT_BYTES);
            default: length = LENGTH_BITS'(1);
        endcase
    end

    // ---------------------------------------------------------------- the next byte
    // It waits in byte_q while the one before is on the line, which gives all else time.
    logic [7:0] byte_q, next;
    logic byte_valid_q, line_ready, load;
    logic [31:0] crc;
    logic [23:0] crc_rest_q, length_rest_q;
    logic [8*RESULT_BYTES-1:0] word_q;
    // A byte is chosen in the second cycle after the one before has gone, when the registers that tell it are right.
    logic settled_q;
    assign load = settled_q && !byte_valid_q;
    always_ff @(posedge clk_i) settled_q <= !(state_q inside {IDLE, LAST}) && !byte_valid_q && !load;

    always_comb begin
        unique case (state_q)
            HEAD: next = index_q == '0 ? SYNC : kind_q == CODE ? 8'hFF : {6'b100000, 2'(kind_q) + 2'd1};
            LENGTH: next = length_rest_q[7:0];
            PAYLOAD: next = kind_q == RESULT ? word_q[7:0] : value_q[7:0];
            default: next = index_q == '0 ? crc[7:0] : crc_rest_q[7:0];
        endcase
    end

    always_ff @(posedge clk_i) begin
        last_q <= left_q == LENGTH_BITS'(1);
        if (state_q == IDLE) begin
            kind_q <= kind_e'(kind_i);
            value_q <= value_i;
            bit_time_q <= bit_time_i;
        end else if (load && state_q == PAYLOAD) begin
            value_q <= {8'h00, value_q[31:8]};
        end
        if (load) byte_q <= next;
        if (state_q == HEAD) begin
            left_q <= length;
            length_rest_q <= length;
        end else if (load && state_q == LENGTH) begin
            length_rest_q <= {8'h00, length_rest_q[23:8]};
        end else if (load && state_q == PAYLOAD) begin
            left_q <= left_q - 1'b1;
        end
        if (load && state_q == CRC) crc_rest_q <= index_q == '0 ? crc[31:8] : {8'h00, crc_rest_q[23:8]};
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= IDLE;
            byte_valid_q <= 1'b0;
        end else begin
            if (load) byte_valid_q <= 1'b1;
            else if (line_ready) byte_valid_q <= 1'b0;
            unique case (state_q)
                IDLE:
                if (valid_i) begin
                    state_q <= HEAD;
                    index_q <= '0;
                end
                HEAD:
                if (load) begin
                    index_q <= {1'b0, index_q == '0};
                    if (index_q != '0) state_q <= LENGTH;
                end
                LENGTH:
                if (load) begin
                    index_q <= index_q == 2'd2 ? '0 : index_q + 1'b1;
                    if (index_q == 2'd2) state_q <= kind_q == NOTHING ? CRC : PAYLOAD;
                end
                PAYLOAD: if (load && last_q) state_q <= CRC;
                CRC:
                if (load) begin
                    index_q <= index_q + 1'b1;
                    if (index_q == 2'd3) state_q <= LAST;
                end
                // The bit time stays as it is until the last byte has gone.
                LAST: if (!byte_valid_q && line_ready) state_q <= IDLE;
                default: state_q <= IDLE;
            endcase
        end
    end

    // ---------------------------------------------------------------- the result's words
    logic [ADDR_BITS-1:0] addr_q;
    logic [BYTE_BITS-1:0] byte_index_q;
    logic word_done, fetch_q;
    assign result_addr_o = addr_q;
    assign word_done = load && state_q == PAYLOAD && byte_index_q == BYTE_BITS'(RESULT_BYTES - 1);
    always_ff @(posedge clk_i) begin
        fetch_q <= state_q == LENGTH || word_done;
        if (state_q == IDLE) addr_q <= '0;
        else if (word_done) addr_q <= addr_q + 1'b1;
        if (state_q != PAYLOAD || word_done) byte_index_q <= '0;
        else if (load) byte_index_q <= byte_index_q + 1'b1;
    end
    // The word behind an address that changed is there two cycles later.
    logic fetched_q;
    always_ff @(posedge clk_i) begin
        fetched_q <= fetch_q;
        if (fetched_q) word_q <= result_data_i;
        else if (load && state_q == PAYLOAD) word_q <= word_q >> 8;
    end

    logic unused_right;
    crc32 i_crc (
        .clk_i,
        .clear_i(state_q == IDLE),
        .byte_i (next),
        .valid_i(load && state_q != CRC && !(state_q == HEAD && index_q == '0)),
        .crc_o  (crc),
        .right_o(unused_right)
    );
    uart_transmitter i_transmitter (
        .clk_i,
        .rst_ni,
        .bit_time_i(bit_time_q),
        .data_i    (byte_q),
        .valid_i   (byte_valid_q),
        .ready_o   (line_ready),
        .tx_o
    );
endmodule
