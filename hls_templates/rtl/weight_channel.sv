// Weights of one layer on their way from the bus: a FIFO of beats, and words from them.
//
// A word of more than BUS_BITS comes in as few whole beats as hold it, the lowest bits first. Else a beat holds words
// in slots of the smallest power of two of bits, the first word lowest; after the FRAME_WORDS words of a frame the next
// one begins at a beat.
//
// Beats are not stalled: reserve_i keeps room for reserve_beats_i of them that are asked for, and room_o says that there
// is some for a burst. It comes from registers and counts what was reserved in the cycles before.
// Handshake of words: AXI stream; with words of several beats a beat is taken in the cycle of out_ready_i.
module weight_channel #(
    parameter int unsigned WORD_BITS   = 64,
    parameter int unsigned FRAME_WORDS = 2,
    parameter int unsigned BUS_BITS    = 64,
    parameter int unsigned BURST_BEATS = 16,
    localparam int unsigned LENGTH_BITS = $clog2(BURST_BEATS + 1)
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   reserve_i,
    input  logic [LENGTH_BITS-1:0] reserve_beats_i,
    output logic                   room_o,
    input  logic [   BUS_BITS-1:0] beat_i,
    input  logic                   beat_valid_i,
    output logic [  WORD_BITS-1:0] out_data_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i
);
    localparam int unsigned DEPTH = 2 * BURST_BEATS;
    localparam int unsigned ADDR_BITS = $clog2(DEPTH);
    localparam int unsigned COUNT_BITS = ADDR_BITS + 1;

    (* ram_style = "distributed" *) logic [BUS_BITS-1:0] beats[DEPTH];
    logic [ADDR_BITS-1:0] write_q, read_q;
    logic [COUNT_BITS-1:0] reserved_q, held_q;
    logic [BUS_BITS-1:0] head;
    logic head_valid, pop;

    assign room_o = reserved_q <= COUNT_BITS'(DEPTH - BURST_BEATS);
    assign head = beats[read_q];
    assign head_valid = held_q != '0;

    always_ff @(posedge clk_i) if (beat_valid_i) beats[write_q] <= beat_i;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            write_q    <= '0;
            read_q     <= '0;
            reserved_q <= '0;
            held_q     <= '0;
        end else begin
            write_q    <= write_q + ADDR_BITS'(beat_valid_i);
            read_q     <= read_q + ADDR_BITS'(pop);
            held_q     <= held_q + COUNT_BITS'(beat_valid_i) - COUNT_BITS'(pop);
            reserved_q <= reserved_q + (reserve_i ? COUNT_BITS'(reserve_beats_i) : '0) - COUNT_BITS'(pop);
        end
    end

    if (WORD_BITS > BUS_BITS) begin : gen_collect
        localparam int unsigned WORD_BEATS = (WORD_BITS + BUS_BITS - 1) / BUS_BITS;
        localparam int unsigned PART_BITS = $clog2(WORD_BEATS + 1);
        logic [WORD_BEATS*BUS_BITS-1:0] word_q;
        logic [PART_BITS-1:0] parts_q;
        logic taken;
        if (WORD_BEATS * BUS_BITS > WORD_BITS) begin : gen_padding
            logic unused;
            assign unused = ^word_q[WORD_BEATS*BUS_BITS-1:WORD_BITS];
        end
        assign out_data_o = word_q[WORD_BITS-1:0];
        assign out_valid_o = parts_q == PART_BITS'(WORD_BEATS);
        assign taken = out_valid_o && out_ready_i;
        assign pop = head_valid && (!out_valid_o || out_ready_i);
        always_ff @(posedge clk_i) if (pop) word_q <= {head, word_q[WORD_BEATS*BUS_BITS-1:BUS_BITS]};
        always_ff @(posedge clk_i) begin
            if (!rst_ni) parts_q <= '0;
            else parts_q <= (taken ? '0 : parts_q) + PART_BITS'(pop);
        end
    end else begin : gen_slots
        localparam int unsigned SLOT_BITS = 2 ** $clog2(WORD_BITS);
        localparam int unsigned SLOTS = BUS_BITS / SLOT_BITS;
        localparam int unsigned INDEX_BITS = SLOTS > 1 ? $clog2(SLOTS) : 1;
        localparam int unsigned FRAME_BITS = FRAME_WORDS > 1 ? $clog2(FRAME_WORDS) : 1;
        logic [INDEX_BITS-1:0] slot_q;
        logic [FRAME_BITS-1:0] word_q;
        logic frame_last, taken;
        assign out_data_o = WORD_BITS'(head >> (32'(slot_q) * SLOT_BITS));
        assign out_valid_o = head_valid;
        assign taken = out_valid_o && out_ready_i;
        assign frame_last = FRAME_WORDS == 1 || word_q == FRAME_BITS'(FRAME_WORDS - 1);
        assign pop = taken && (frame_last || slot_q == INDEX_BITS'(SLOTS - 1));
        always_ff @(posedge clk_i) begin
            if (!rst_ni) begin
                slot_q <= '0;
                word_q <= '0;
            end else if (taken) begin
                slot_q <= pop ? '0 : slot_q + INDEX_BITS'(SLOTS > 1);
                word_q <= frame_last ? '0 : word_q + FRAME_BITS'(FRAME_WORDS > 1);
            end
        end
    end

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni) reserve_i |-> room_o)
    else $error("weight_channel: a burst without room");
    assert property (@(posedge clk_i) disable iff (!rst_ni) beat_valid_i |-> held_q < reserved_q)
    else $error("weight_channel: a beat that nobody asked for");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("weight_channel: output changed while stalled");
`endif
endmodule
