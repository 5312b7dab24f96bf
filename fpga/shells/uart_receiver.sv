// Receives packets of 8N1 bytes at a baud rate that it measures on each packet's first byte, 0x55.
//
// Behaviour: while it hunts, it times the line's falling edges. Four equal gaps in a row are those of 0x55, 8 bit times
// in all, so that the bit time is known to 1/8 cycle; packet_o then tells that a packet begins, and byte_o with valid_o
// each of its further bytes, until the one that ends while last_i is high, or until hunt_i: then it hunts again, so that
// packets may follow without a gap. silent_o: the line has been high for 2^SILENCE_LOG2 bit times. Bridges from USB pause for
// milliseconds inside a packet. A bit has at least 6 and at most 2047 cycles, so that noise is over after
// 2^(SILENCE_LOG2 + 11) silent cycles whatever it looked like.
//
// No handshake: packet_o, valid_o and hunt_i are pulses. bit_time_o is that of the last packet, in 1/8 cycles.
module uart_receiver #(
    parameter int unsigned SILENCE_LOG2 = 13
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        rx_i,
    input  logic        last_i,
    input  logic        hunt_i,
    output logic        packet_o,
    output logic [ 7:0] byte_o,
    output logic        valid_o,
    output logic        silent_o,
    output logic [13:0] bit_time_o
);
    localparam int unsigned GAP_BITS = 12;
    localparam int unsigned TIME_BITS = GAP_BITS + 2;
    localparam int unsigned PHASE_BITS = TIME_BITS + 2;
    localparam int unsigned TWO_BITS_LEAST = 12;  // cycles of the shortest gap, two bits
    localparam int unsigned GAPS = 4;
    // The middle of a bit is half a bit after its edge, less what the cycles of this circuit take, in 1/8 cycles.
    localparam int unsigned START_LAG = 16;
    localparam int unsigned LOCK_LAG = 64;
    typedef enum logic [2:0] {HUNT, LOCKED, FIRST_STOP, IDLE, START, DATA, STOP, BREAK} state_e;

    logic [2:0] rx_q;
    logic rx, falls;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) rx_q <= '1;
        else rx_q <= {rx_q[1:0], rx_i};
    end
    assign rx = rx_q[1];
    assign falls = rx_q[2] && !rx_q[1];

    state_e state_q;
    logic hunting;
    assign hunting = state_q == HUNT;

    // ---------------------------------------------------------------- gaps between falling edges
    // Five cycles from an edge to its verdict: fewer than a gap has.
    logic [GAP_BITS:0] age_q;  // its top bit: too old to be a gap
    logic [GAP_BITS:0] gap_q;
    logic [GAP_BITS-1:0] earlier_gap_q, difference_q, tolerance_q;
    logic signed [GAP_BITS:0] change_q;
    logic [4:1] edge_q;
    logic sound_q, equal_q, earlier_edge_q, lock_q, load_q;
    logic [1:0] run_q;
    logic [TIME_BITS-1:0] total_q, bit_time_q;
    assign bit_time_o = bit_time_q;
    always_ff @(posedge clk_i) begin
        if (falls) begin
            gap_q <= age_q;
            age_q <= (GAP_BITS + 1)'(1);
        end else if (!age_q[GAP_BITS]) begin
            age_q <= age_q + 1'b1;
        end
        if (edge_q[1]) begin
            change_q <= $signed({1'b0, gap_q[GAP_BITS-1:0]}) - $signed({1'b0, earlier_gap_q});
            tolerance_q <= (earlier_gap_q >> 3) + GAP_BITS'(2);
            sound_q <= earlier_edge_q && !gap_q[GAP_BITS] && gap_q[GAP_BITS-1:0] >= GAP_BITS'(TWO_BITS_LEAST);
        end
        if (edge_q[2]) begin
            difference_q <= change_q[GAP_BITS] ? ~change_q[GAP_BITS-1:0] : change_q[GAP_BITS-1:0];
            earlier_gap_q <= gap_q[GAP_BITS-1:0];
        end
        if (edge_q[3]) equal_q <= difference_q <= tolerance_q;
        if (edge_q[4]) begin
            if (run_q == '0 || !equal_q) total_q <= TIME_BITS'(gap_q[GAP_BITS-1:0]);
            else total_q <= total_q + TIME_BITS'(gap_q[GAP_BITS-1:0]);
        end
        if (!rst_ni || !hunting) begin
            edge_q <= '0;
            run_q <= '0;
            earlier_edge_q <= 1'b0;
            lock_q <= 1'b0;
        end else begin
            edge_q <= {edge_q[3:1], falls};
            lock_q <= edge_q[4] && sound_q && equal_q && run_q == 2'(GAPS - 1);
            if (edge_q[4]) begin
                earlier_edge_q <= 1'b1;
                if (!sound_q) run_q <= '0;
                else if (run_q == '0 || !equal_q) run_q <= 2'd1;
                else run_q <= run_q + 1'b1;
            end
        end
        load_q <= lock_q;
    end
    always_ff @(posedge clk_i) begin
        if (!rst_ni) bit_time_q <= '0;
        else if (lock_q) bit_time_q <= total_q;
    end

    // ---------------------------------------------------------------- the bits' middles
    // The phase falls by 8 each cycle; a tick is where it is below zero, and adds a bit time.
    logic signed [PHASE_BITS-1:0] phase_q, step_q;
    logic tick, starts;
    assign tick = phase_q[PHASE_BITS-1];
    assign starts = state_q == IDLE && !rx;
    always_ff @(posedge clk_i) begin
        step_q <= PHASE_BITS'(bit_time_q) - PHASE_BITS'(8);
        if (load_q || starts)
            phase_q <= PHASE_BITS'(bit_time_q >> 1) - (load_q ? PHASE_BITS'(LOCK_LAG) : PHASE_BITS'(START_LAG));
        else phase_q <= phase_q + (tick ? step_q : -PHASE_BITS'(8));
    end

    logic [2:0] index_q;
    logic [7:0] byte_q;
    assign byte_o = byte_q;
    always_ff @(posedge clk_i) begin
        packet_o <= 1'b0;
        valid_o <= 1'b0;
        if (!rst_ni || hunt_i) begin
            state_q <= HUNT;
        end else begin
            unique case (state_q)
                HUNT: if (load_q) state_q <= LOCKED;
                LOCKED: if (tick) state_q <= FIRST_STOP;
                FIRST_STOP:
                if (tick) begin
                    state_q <= rx ? IDLE : HUNT;
                    packet_o <= rx;
                end
                IDLE: if (starts) state_q <= START;
                START: if (tick) state_q <= rx ? IDLE : DATA;
                DATA: if (tick && index_q == '1) state_q <= STOP;
                STOP:
                if (tick) begin
                    state_q <= last_i ? HUNT : rx ? IDLE : BREAK;
                    valid_o <= 1'b1;
                end
                BREAK: if (rx) state_q <= IDLE;
                default: state_q <= HUNT;
            endcase
        end
    end
    always_ff @(posedge clk_i) begin
        if (state_q == START) index_q <= '0;
        else if (state_q == DATA && tick) begin
            index_q <= index_q + 1'b1;
            byte_q <= {rx, byte_q[7:1]};
        end
    end

    // ---------------------------------------------------------------- silence
    logic [SILENCE_LOG2:0] high_q;
    assign silent_o = high_q[SILENCE_LOG2];
    always_ff @(posedge clk_i) begin
        if (!rst_ni || !rx) high_q <= '0;
        else if (tick && !silent_o) high_q <= high_q + 1'b1;
    end
endmodule
