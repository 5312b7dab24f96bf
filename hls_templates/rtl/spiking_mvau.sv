// Matrix-vector product of spike trains, counts or a static image: with integer neurons, as read-out, or its sums.
//
// Reads vectors of MW elements, SIMD per stream word, and writes MH results, PE per stream word. Folds, outermost
// first: neuron folds MH/PE, time folds T/TP, synapse folds MW/SIMD; one fold per clock cycle. A vector is read from
// the stream during its first neuron and time fold, kept in a buffer, and replayed from there.
// EVENT: elements that are zero at all steps are left out. A vector is queued while the one before is worked, and its
// synapse folds are as many as its longest queue has elements (event_queues.sv); weights lie in banks (event_weights.sv).
// Counts up to 4 and weights of up to 4 bits are then multiplied by tables (table_dot.sv); of TERNARY weights any counts
// are added or subtracted (signed_dot.sv), and no bias is corrected.
//   spikes    STATIC_INPUT = 0, NEURON = 1: results are spike trains of T bits, bit t is step t; elements are T unsigned
//             integers of STEP_BITS, that of step t from bit t*STEP_BITS up: 1 are spike trains, more are counts
//   static    STATIC_INPUT = 1, NEURON = 1: elements are unsigned INPUT_BITS integers, the same at every step
//   read-out  NEURON = 0: results are OUTPUT_BITS logits, W.(sum of the steps) + initial value; with MAP_PIXELS > 1 the
//             steps of so many vectors are summed first (map_counter.sv), while the sums before are multiplied
//   sums      SUMS = 1, NEURON = 0: results are the sums W.(elements of a step), OUTPUT_BITS = ACC_BITS each, of all T
//             steps beside each other, step 0 in the low bits; with STATIC_INPUT = 1 one sum, the same at every step
// Weight ROM: MW/SIMD * MH/PE words, address nf*(MW/SIMD) + sf, lane (pe*SIMD + simd)*WEIGHT_BITS.
// STREAMED: these words come from the weight stream, once a frame of PASS_VECTORS vectors (weight_source.sv). The frame
// comes MH/PE times then, and each vector is one neuron fold: results are those of the first neuron fold of all
// vectors, then those of the second one, and so on.
// Neuron ROM: MH/PE words, per pe {threshold, bias} (THRESHOLD_BITS, BIAS_BITS; bias in the low bits), scaled by
// 2^FRAC_BITS; for the read-out only the initial value T*bias of BIAS_BITS, not scaled. There is none for sums.
// MAC_DSP: sums are accumulated in DSP slices (dsp_sums.sv), and come two cycles later.
// TERNARY: weights of two bits, in {-1, 0, 1}, are counted (ternary_dot.sv). For each negative weight of a channel the
// bias in the ROM is less by 2^FRAC_BITS times the largest number of an element's planes (STEP_BITS ones, or those of
// the count of all steps), and BIAS_WORD_BITS wide; BIAS_BITS remains the width of the bias itself.
// PAIRED: weights are stored as sums and differences of pairs (pair_dot.sv), PE*PAIR_WORD bits a word, and accumulators
// hold twice the complement of a sum. The bias in the ROM, without its fraction, is minus twice the bias, less 1, less
// the sum of the channel's weights and less half the range of a dot product for each synapse fold.
// HALF_START: the potential starts at half = threshold >>> 1 (DELAYED: half - (half >>> LEAK_SHIFT)), else at 0.
// DELAYED: neurons leak behind the comparison (neuron_serial.sv).
// LATE: neurons fire on what all steps add up to (neuron_serial.sv). Spikes are counted over the steps, and the counts
// multiplied once, bit by bit up to 8 bits; the bias in the ROM is T*bias. Of a static image the sum and the bias are
// taken T times. Counts up to 4 are multiplied whole (count_dot.sv): accumulators hold the complement of a sum, and the
// bias in the ROM is, without its fraction, minus the bias, less 1, less MIDDLE times the sum of the channel's weights
// and less half the range of a dot product for each synapse fold; or of TERNARY weights as above.
//
// Handshake: AXI streams. in_ready_o does not depend on in_valid_i. out_valid_o and out_data_o come from registers and
// stay until out_ready_i. The pipeline stalls only while both places of output_stage.sv are occupied. No combinational
// path crosses the module. Sustained rate: one fold per cycle, across vectors; with
// MAP_PIXELS > 1 also at most one word per cycle, so that a map takes MW/SIMD * max(MAP_PIXELS, MH/PE) cycles.
module spiking_mvau #(
    parameter int unsigned MW             = 16,
    parameter int unsigned MH             = 4,
    parameter int unsigned SIMD           = 4,
    parameter int unsigned PE             = 1,
    parameter int unsigned T              = 4,
    parameter int unsigned TP             = 4,
    parameter int unsigned MAP_PIXELS     = 1,
    parameter bit          STATIC_INPUT   = 1'b0,
    parameter int unsigned INPUT_BITS     = 8,
    parameter int unsigned STEP_BITS      = 1,
    parameter bit          NEURON         = 1'b1,
    parameter bit          SUMS           = 1'b0,
    parameter bit          LEAK           = 1'b0,
    parameter int unsigned LEAK_SHIFT     = 1,
    parameter bit          DELAYED        = 1'b0,
    parameter bit          LATE           = 1'b0,
    parameter bit          SOFT_RESET     = 1'b0,
    parameter bit          HALF_START     = 1'b0,
    parameter int unsigned FRAC_BITS      = 4,
    parameter int unsigned WEIGHT_BITS    = 4,
    parameter bit          TERNARY        = 1'b0,
    parameter bit          PAIRED         = 1'b0,
    parameter int unsigned ACC_BITS       = 12,
    parameter int unsigned POTENTIAL_BITS = 16,
    parameter int unsigned BIAS_BITS      = 12,
    parameter int unsigned BIAS_WORD_BITS = BIAS_BITS,
    parameter int unsigned THRESHOLD_BITS = 12,
    parameter int unsigned OUTPUT_BITS    = 16,
    parameter bit          BLOCK_ROM      = 1'b0,
    parameter bit          STREAMED       = 1'b0,
    parameter int unsigned PASS_VECTORS   = 1,
    parameter bit          USE_DSP        = 1'b0,
    parameter bit          MAC_DSP        = 1'b0,
    parameter bit          EVENT          = 1'b0,
    parameter int unsigned ROTATE_WORDS   = 0,
    parameter int unsigned FOLD_STRIDE    = 1,
    parameter int unsigned SHORTEST_SCAN  = 1,
    parameter bit          BLOCK_QUEUES   = 1'b0,
    parameter int unsigned FILE_CHARS     = 1,
    parameter bit [8*FILE_CHARS*SIMD-1:0] BANK_FILES = '0,
    parameter              WEIGHT_FILE    = "weights.hex",
    parameter              NEURON_FILE    = "neurons.hex",
    localparam int unsigned WEIGHT_WORD = PE * (PAIRED ? (SIMD + 1) / 2 * (2 * WEIGHT_BITS + 1) : SIMD * WEIGHT_BITS),
    localparam int unsigned IN_BITS  = SIMD * (STATIC_INPUT ? INPUT_BITS : T * STEP_BITS),
    localparam int unsigned OUT_BITS = PE * (NEURON ? T : SUMS && !STATIC_INPUT ? T * OUTPUT_BITS : OUTPUT_BITS)
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [    IN_BITS-1:0] in_data_i,
    input  logic                   in_valid_i,
    output logic                   in_ready_o,
    input  logic [WEIGHT_WORD-1:0] weight_data_i,
    input  logic                   weight_valid_i,
    output logic                   weight_ready_o,
    output logic [   OUT_BITS-1:0] out_data_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i
);
    localparam int unsigned SF = MW / SIMD;
    localparam int unsigned NF = MH / PE;
    localparam int unsigned TF = T / TP;
    // Neuron folds of a vector that is here.
    localparam int unsigned VECTOR_NF = STREAMED ? 1 : NF;
    localparam bit SUMS_ONCE = STATIC_INPUT || LATE || !(NEURON || SUMS);
    localparam int unsigned LANES = SUMS_ONCE ? 1 : TP;
    localparam int unsigned SF_BITS = SF > 1 ? $clog2(SF) : 1;
    localparam int unsigned NF_BITS = NF > 1 ? $clog2(NF) : 1;
    localparam int unsigned TF_BITS = TF > 1 ? $clog2(TF) : 1;
    localparam int unsigned ADDR_BITS = SF * VECTOR_NF > 1 ? $clog2(SF * VECTOR_NF) : 1;
    localparam int unsigned PAIRS = (SIMD + 1) / 2;

    // Sums carry the integer part of the bias from their first fold on. Modulo arithmetic at the width of the
    // result is exact, and sums need no more bits than the potential has above the binary point.
    localparam int unsigned BIAS_HIGH_BITS = BIAS_BITS > FRAC_BITS ? BIAS_BITS - FRAC_BITS : 1;
    localparam int unsigned BIASED_BITS = (ACC_BITS > BIAS_HIGH_BITS ? ACC_BITS : BIAS_HIGH_BITS) + 1;
    localparam int unsigned ROOM_BITS = POTENTIAL_BITS > FRAC_BITS ? POTENTIAL_BITS - FRAC_BITS : 1;
    localparam int unsigned CURRENT_BITS = !NEURON ? OUTPUT_BITS : BIASED_BITS < ROOM_BITS ? BIASED_BITS : ROOM_BITS;

    // What the folds read: elements of the stream, or their sums over the map or, from queues, over the steps.
    localparam bit COUNTED = MAP_PIXELS > 1;
    localparam int unsigned COUNT_BITS = $clog2(MAP_PIXELS * T * (2 ** STEP_BITS - 1) + 1);
    localparam int unsigned VECTOR_BITS = COUNTED ? SIMD * COUNT_BITS : IN_BITS;
    localparam int unsigned WORD_BITS = EVENT && SUMS_ONCE ? SIMD * COUNT_BITS : VECTOR_BITS;
    localparam int unsigned PLACE_STEP = FOLD_STRIDE == 2 ** $clog2(FOLD_STRIDE) ? 1 : FOLD_STRIDE;
    localparam int unsigned PLACE_BITS = $clog2(SF * PLACE_STEP);
    // Width of a factor where one product serves all steps.
    localparam int unsigned FACTOR_BITS = STATIC_INPUT ? INPUT_BITS : COUNT_BITS;
    // Else the bits of a step, or of the count of all steps, are taken as spikes; plane_sum.sv adds up to eight.
    localparam bit PRODUCTS = STATIC_INPUT || !(NEURON || SUMS) || (LATE && COUNT_BITS > 8);
    localparam int unsigned LANE_PLANES = LATE ? COUNT_BITS : STEP_BITS;
    // Small counts are taken whole (count_dot.sv); where some elements are left out, by tables (table_dot.sv).
    localparam int unsigned MOST_COUNT = T * (2 ** STEP_BITS - 1);
    localparam bit SMALL_COUNTS = LATE && !STATIC_INPUT && MOST_COUNT > 1 && MOST_COUNT <= 4;
    localparam bit COUNTS = SMALL_COUNTS && !EVENT;
    localparam bit SIGNS = TERNARY && EVENT;
    localparam bit TABLES = SMALL_COUNTS && EVENT && !TERNARY && WEIGHT_BITS <= 4;
    localparam int unsigned PLANE_BITS = TERNARY ? $clog2(SIMD + 1) + 1
        : PAIRED ? WEIGHT_BITS + 2 + $clog2(PAIRS) : WEIGHT_BITS + $clog2(SIMD);
    localparam int unsigned COUNT_DOT_BITS = (TERNARY ? COUNT_BITS : WEIGHT_BITS + 1) + $clog2(SIMD) + 1;
    localparam int unsigned TABLE_DOT_BITS = WEIGHT_BITS + $clog2(MOST_COUNT) + $clog2(SIMD);
    localparam int unsigned SIGNED_DOT_BITS = LANE_PLANES + 1 + $clog2(SIMD);

    // Steps per cycle of a neuron whose potential must be ready for the next time fold, SF cycles later.
    function automatic int unsigned unroll_for(input int unsigned steps, input int unsigned cycles);
        int unsigned unroll;
        unroll = (steps + cycles - 1) / cycles;
        while (steps % unroll != 0) unroll++;
        return unroll;
    endfunction

    // ---------------------------------------------------------------- fold counters and input buffer
    localparam bit REPLAYED = !EVENT && VECTOR_NF * TF > 1;
    logic en, ready, step, beat_first, beat_last;
    logic [WORD_BITS-1:0] word;
    logic [VECTOR_BITS-1:0] vector_data;
    logic [TF_BITS-1:0] word_tf;
    logic vector_valid, vector_ready;
    logic [TF_BITS-1:0] tf_q;
    logic [NF_BITS-1:0] nf_q;

    if (COUNTED) begin : gen_counter
        map_counter #(
            .MW        (MW),
            .SIMD      (SIMD),
            .T         (T),
            .STEP_BITS (STEP_BITS),
            .MAP_PIXELS(MAP_PIXELS)
        ) i_counter (
            .clk_i,
            .rst_ni,
            .in_data_i,
            .in_valid_i,
            .in_ready_o,
            .vector_data_o (vector_data),
            .vector_valid_o(vector_valid),
            .vector_ready_i(vector_ready)
        );
    end else begin : gen_no_counter
        assign vector_data = in_data_i;
        assign vector_valid = in_valid_i;
        assign in_ready_o = vector_ready;
    end

    if (EVENT) begin : gen_event
        logic [SIMD*PLACE_BITS-1:0] place;
        assign word_tf = tf_q;
        event_queues #(
            .MW           (MW),
            .SIMD         (SIMD),
            .NF           (NF),
            .TF           (TF),
            .T            (T),
            .STEP_BITS    (STEP_BITS),
            .COUNTS       (SUMS_ONCE),
            .ROTATE_WORDS (ROTATE_WORDS),
            .PLACE_STEP   (PLACE_STEP),
            .SHORTEST_SCAN(SHORTEST_SCAN),
            .BLOCK        (BLOCK_QUEUES)
        ) i_queues (
            .clk_i,
            .rst_ni,
            .in_data_i (vector_data),
            .in_valid_i(vector_valid),
            .in_ready_o(vector_ready),
            .en_i      (en),
            .moves_i   (ready),
            .valid_o   (step),
            .first_o   (beat_first),
            .last_o    (beat_last),
            .nf_o      (nf_q),
            .tf_o      (tf_q),
            .element_o (word),
            .place_o   (place)
        );
    end else begin : gen_dense
        logic [SF_BITS-1:0] sf_q;
        logic [ADDR_BITS-1:0] address_q;
        logic reading_q, weights_ready, sf_last, tf_last, nf_last;

        assign sf_last = SF == 1 || sf_q == SF_BITS'(SF - 1);
        assign tf_last = TF == 1 || tf_q == TF_BITS'(TF - 1);
        assign nf_last = VECTOR_NF == 1 || nf_q == NF_BITS'(VECTOR_NF - 1);
        assign step = en && weights_ready && (vector_valid || !reading_q);
        assign vector_ready = ready && weights_ready && reading_q;
        assign beat_first = sf_q == '0;
        assign beat_last = sf_last;

        always_ff @(posedge clk_i) begin
            if (!rst_ni) begin
                sf_q      <= '0;
                tf_q      <= '0;
                nf_q      <= '0;
                address_q <= '0;
                reading_q <= 1'b1;
            end else if (step) begin
                sf_q <= sf_last ? '0 : sf_q + SF_BITS'(SF > 1);
                if (sf_last) tf_q <= tf_last ? '0 : tf_q + TF_BITS'(TF > 1);
                if (sf_last && tf_last) nf_q <= nf_last ? '0 : nf_q + NF_BITS'(VECTOR_NF > 1);
                if (sf_last) reading_q <= tf_last && nf_last;
                if (!sf_last) address_q <= address_q + ADDR_BITS'(1);
                else if (!tf_last) address_q <= address_q - ADDR_BITS'(SF - 1);
                else if (nf_last) address_q <= '0;
                else address_q <= address_q + ADDR_BITS'(1);
            end
        end

        // A word is read from the buffer the cycle after its fold was issued, when a new one has been written: it takes
        // no multiplexer between both.
        if (REPLAYED) begin : gen_replay
            (* ram_style = "distributed" *) logic [WORD_BITS-1:0] buffer[SF];
            logic [SF_BITS-1:0] read_sf_q;
            logic [TF_BITS-1:0] read_tf_q;
            always_ff @(posedge clk_i) if (step && reading_q) buffer[sf_q] <= vector_data;
            always_ff @(posedge clk_i) begin
                if (en) begin
                    read_sf_q <= sf_q;
                    read_tf_q <= tf_q;
                end
            end
            assign word = buffer[read_sf_q];
            assign word_tf = read_tf_q;
        end else begin : gen_no_replay
            assign word = vector_data;
            assign word_tf = tf_q;
        end
    end

    logic unused_word_tf;
    assign unused_word_tf = ^word_tf;

    // ---------------------------------------------------------------- dot products of one fold
    logic [WEIGHT_WORD-1:0] weight;
    logic issued_q, issued_first_q, issued_last_q;
    logic dot_valid, dot_first, dot_last;
    localparam int unsigned ROM_CYCLES = BLOCK_ROM ? 2 : 1;
    localparam int unsigned WORD_CYCLES = ROM_CYCLES - (REPLAYED ? 1 : 0);

    if (EVENT) begin : gen_banks
        logic unused;
        assign unused = ^{weight_data_i, weight_valid_i};
        assign weight_ready_o = 1'b0;
        event_weights #(
            .SIMD       (SIMD),
            .PE         (PE),
            .WEIGHT_BITS(WEIGHT_BITS),
            .DEPTH      (SF * FOLD_STRIDE),
            .STRIDE     (FOLD_STRIDE),
            .PLACE_BITS (PLACE_BITS),
            .NF_BITS    (NF_BITS),
            .BLOCK      (BLOCK_ROM),
            .FILE_CHARS (FILE_CHARS),
            .FILES      (BANK_FILES)
        ) i_weights (
            .clk_i,
            .en_i   (en),
            .place_i(gen_event.place),
            .nf_i   (nf_q),
            .data_o (weight)
        );
    end else begin : gen_words
        weight_source #(
            .DEPTH       (SF * VECTOR_NF),
            .WIDTH       (WEIGHT_WORD),
            .BLOCK       (BLOCK_ROM),
            .STREAMED    (STREAMED),
            .PASS_VECTORS(PASS_VECTORS),
            .FILE        (WEIGHT_FILE)
        ) i_weights (
            .clk_i,
            .rst_ni,
            .en_i          (en),
            .addr_i        (gen_dense.address_q),
            .done_i        (step && gen_dense.sf_last && gen_dense.tf_last && gen_dense.nf_last),
            .ready_o       (gen_dense.weights_ready),
            .data_o        (weight),
            .stream_data_i (weight_data_i),
            .stream_valid_i(weight_valid_i),
            .stream_ready_o(weight_ready_o)
        );
    end

    // What goes with the weights of a fold: as many cycles later as these. The last one of a vector says so by itself.
    delay_line #(
        .WIDTH(3),
        .DEPTH(ROM_CYCLES)
    ) i_issued (
        .clk_i,
        .rst_ni,
        .en_i  (en),
        .data_i({step, beat_first, step && beat_last}),
        .data_o({issued_q, issued_first_q, issued_last_q})
    );

    if (SUMS_ONCE && !STATIC_INPUT) begin : gen_counts
        logic [SIMD*COUNT_BITS-1:0] counts;
        if (COUNTED || EVENT) begin : gen_counted
            assign counts = word;
        end else begin : gen_steps
            step_sum #(
                .COUNT    (SIMD),
                .T        (T),
                .STEP_BITS(STEP_BITS)
            ) i_count (
                .data_i(word),
                .sum_o (counts)
            );
        end
    end

    if (PRODUCTS) begin : gen_products
        localparam int unsigned DOT_BITS = WEIGHT_BITS + FACTOR_BITS + $clog2(SIMD);
        logic [SIMD*FACTOR_BITS-1:0] element, element_q;
        logic [PE*DOT_BITS-1:0] dot;
        if (STATIC_INPUT) begin : gen_whole
            assign element = word;
        end else begin : gen_counted
            assign element = gen_counts.counts;
        end
        delay_line #(
            .WIDTH(SIMD * FACTOR_BITS),
            .DEPTH(WORD_CYCLES),
            .RESET(1'b0)
        ) i_elements (
            .clk_i,
            .rst_ni,
            .en_i  (en),
            .data_i(element),
            .data_o(element_q)
        );
        product_dot #(
            .SIMD        (SIMD),
            .PE          (PE),
            .ELEMENT_BITS(FACTOR_BITS),
            .WEIGHT_BITS (WEIGHT_BITS),
            .USE_DSP     (USE_DSP),
            .TAG_BITS    (3)
        ) i_dot (
            .clk_i,
            .rst_ni,
            .en_i     (en),
            .tag_i    ({issued_q, issued_first_q, issued_last_q}),
            .weight_i (weight),
            .element_i(element_q),
            .tag_o    ({dot_valid, dot_first, dot_last}),
            .sum_o    (dot)
        );
    end else begin : gen_spikes
        // Each bit of a step is a spike of its own, and the sums of a step's bits are added by their weights.
        localparam int unsigned PLANES = LANES * LANE_PLANES;
        localparam int unsigned DOT_BITS = COUNTS ? COUNT_DOT_BITS : TABLES ? TABLE_DOT_BITS : SIGNS ? SIGNED_DOT_BITS
            : PLANE_BITS + (LANE_PLANES > 1 ? LANE_PLANES : 0);
        logic [SIMD*PLANES-1:0] spike, spike_q;
        logic [PE*LANES*DOT_BITS-1:0] dot;
        if (LATE) begin : gen_counted
            assign spike = gen_counts.counts;
        end else begin : gen_steps
            for (genvar s = 0; s < int'(SIMD); s++) begin : gen_element
                assign spike[s*PLANES+:PLANES] = PLANES'(word[s*T*STEP_BITS+:T*STEP_BITS] >> (32'(word_tf) * PLANES));
            end
        end
        delay_line #(
            .WIDTH(SIMD * PLANES),
            .DEPTH(WORD_CYCLES),
            .RESET(1'b0)
        ) i_spikes (
            .clk_i,
            .rst_ni,
            .en_i  (en),
            .data_i(spike),
            .data_o(spike_q)
        );
        if (TABLES) begin : gen_tables
            table_dot #(
                .SIMD       (SIMD),
                .PE         (PE),
                .MOST       (MOST_COUNT),
                .WEIGHT_BITS(WEIGHT_BITS),
                .TAG_BITS   (3)
            ) i_dot (
                .clk_i,
                .rst_ni,
                .en_i    (en),
                .tag_i   ({issued_q, issued_first_q, issued_last_q}),
                .weight_i(weight),
                .count_i (spike_q),
                .tag_o   ({dot_valid, dot_first, dot_last}),
                .sum_o   (dot)
            );
        end else if (SIGNS) begin : gen_signs
            logic [PE-1:0] carry;
            signed_dot #(
                .SIMD      (SIMD),
                .PE        (PE),
                .LANES     (LANES),
                .COUNT_BITS(LANE_PLANES),
                .TAG_BITS  (3)
            ) i_dot (
                .clk_i,
                .rst_ni,
                .en_i    (en),
                .tag_i   ({issued_q, issued_first_q, issued_last_q}),
                .weight_i(weight),
                .count_i (spike_q),
                .tag_o   ({dot_valid, dot_first, dot_last}),
                .sum_o   (dot),
                .carry_o (carry)
            );
        end else if (COUNTS) begin : gen_counts_whole
            logic [PE*(COUNT_DOT_BITS-1)-1:0] unsigned_sum;
            logic carry;
            for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_unsigned
                assign dot[pe*DOT_BITS+:DOT_BITS] = {1'b0, unsigned_sum[pe*(DOT_BITS-1)+:DOT_BITS-1]};
            end
            count_dot #(
                .SIMD       (SIMD),
                .PE         (PE),
                .MOST       (MOST_COUNT),
                .WEIGHT_BITS(WEIGHT_BITS),
                .TERNARY    (TERNARY),
                .TAG_BITS   (3)
            ) i_dot (
                .clk_i,
                .rst_ni,
                .en_i    (en),
                .tag_i   ({issued_q, issued_first_q, issued_last_q}),
                .weight_i(weight),
                .count_i (spike_q),
                .tag_o   ({dot_valid, dot_first, dot_last}),
                .sum_o   (unsigned_sum),
                .carry_o (carry)
            );
        end else begin : gen_planes
            logic [PE*PLANES*PLANE_BITS-1:0] plane;
            logic [2:0] plane_tag;
            if (TERNARY) begin : gen_ternary
                ternary_dot #(
                    .SIMD    (SIMD),
                    .PE      (PE),
                    .LANES   (PLANES),
                    .TAG_BITS(3)
                ) i_dot (
                    .clk_i,
                    .rst_ni,
                    .en_i    (en),
                    .tag_i   ({issued_q, issued_first_q, issued_last_q}),
                    .weight_i(weight),
                    .spike_i (spike_q),
                    .tag_o   (plane_tag),
                    .sum_o   (plane)
                );
            end else if (PAIRED) begin : gen_paired
                // Unsigned words for the accumulators: theirs have room for it.
                logic [PE*PLANES*(PLANE_BITS-1)-1:0] unsigned_sum;
                logic [PLANES-1:0] carry;
                for (genvar w = 0; w < int'(PE * PLANES); w++) begin : gen_unsigned
                    assign plane[w*PLANE_BITS+:PLANE_BITS] = {1'b0, unsigned_sum[w*(PLANE_BITS-1)+:PLANE_BITS-1]};
                end
                pair_dot #(
                    .SIMD       (SIMD),
                    .PE         (PE),
                    .LANES      (PLANES),
                    .WEIGHT_BITS(WEIGHT_BITS),
                    .TAG_BITS   (3)
                ) i_dot (
                    .clk_i,
                    .rst_ni,
                    .en_i    (en),
                    .tag_i   ({issued_q, issued_first_q, issued_last_q}),
                    .weight_i(weight),
                    .spike_i (spike_q),
                    .tag_o   (plane_tag),
                    .sum_o   (unsigned_sum),
                    .carry_o (carry)
                );
            end else begin : gen_signed
                spike_dot #(
                    .SIMD       (SIMD),
                    .PE         (PE),
                    .LANES      (PLANES),
                    .WEIGHT_BITS(WEIGHT_BITS),
                    .TAG_BITS   (3)
                ) i_dot (
                    .clk_i,
                    .rst_ni,
                    .en_i    (en),
                    .tag_i   ({issued_q, issued_first_q, issued_last_q}),
                    .weight_i(weight),
                    .spike_i (spike_q),
                    .tag_o   (plane_tag),
                    .sum_o   (plane)
                );
            end
            plane_sum #(
                .COUNT   (PE * LANES),
                .PLANES  (LANE_PLANES),
                .IN_BITS (PLANE_BITS),
                .TAG_BITS(3)
            ) i_planes (
                .clk_i,
                .rst_ni,
                .en_i  (en),
                .tag_i (plane_tag),
                .data_i(plane),
                .tag_o ({dot_valid, dot_first, dot_last}),
                .sum_o (dot)
            );
        end
    end

    // ---------------------------------------------------------------- accumulators
    // The constants of neuron fold nf are read one cycle ahead of its first sum.
    localparam int unsigned NEURON_WORD = PE * (BIAS_WORD_BITS + (NEURON ? THRESHOLD_BITS : 0));
    localparam int unsigned NEURON_STRIDE = NEURON_WORD / PE;
    logic [NEURON_WORD-1:0] constants;
    logic [NF_BITS-1:0] pass_nf_q, pass_nf_d;
    logic [TF_BITS-1:0] pass_tf_q;
    logic pass_tf_last, pass_vector_last, pass_done;

    assign pass_done = dot_last;
    assign pass_tf_last = TF == 1 || pass_tf_q == TF_BITS'(TF - 1);
    always_comb begin
        pass_nf_d = pass_nf_q;
        if (pass_done && pass_tf_last && pass_vector_last) begin
            pass_nf_d = (NF == 1 || pass_nf_q == NF_BITS'(NF - 1)) ? '0 : pass_nf_q + NF_BITS'(1);
        end
    end
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            pass_nf_q <= '0;
            pass_tf_q <= '0;
        end else if (en) begin
            pass_nf_q <= pass_nf_d;
            if (pass_done) pass_tf_q <= pass_tf_last ? '0 : pass_tf_q + TF_BITS'(TF > 1);
        end
    end
    if (STREAMED && PASS_VECTORS > 1) begin : gen_pass_vectors
        localparam int unsigned PASS_BITS = $clog2(PASS_VECTORS);
        logic [PASS_BITS-1:0] pass_vector_q;
        assign pass_vector_last = pass_vector_q == PASS_BITS'(PASS_VECTORS - 1);
        always_ff @(posedge clk_i) begin
            if (!rst_ni) pass_vector_q <= '0;
            else if (en && pass_done && pass_tf_last) begin
                pass_vector_q <= pass_vector_last ? '0 : pass_vector_q + PASS_BITS'(1);
            end
        end
    end else begin : gen_no_pass_vectors
        assign pass_vector_last = 1'b1;
    end
    if (SUMS) begin : gen_no_constants
        logic unused;
        assign unused = ^pass_nf_d;
        assign constants = '0;
    end else begin : gen_constants
        constant_rom #(
            .DEPTH(NF),
            .WIDTH(NEURON_WORD),
            .BLOCK(1'b0),
            .FILE (NEURON_FILE)
        ) i_constants (
            .clk_i,
            .en_i  (en),
            .addr_i(pass_nf_d),
            .data_o(constants)
        );
    end

    logic [PE*LANES*CURRENT_BITS-1:0] sums;
    localparam int unsigned LANE_BITS = PRODUCTS ? WEIGHT_BITS + FACTOR_BITS + $clog2(SIMD)
        : COUNTS ? COUNT_DOT_BITS : TABLES ? TABLE_DOT_BITS : SIGNS ? SIGNED_DOT_BITS
        : PLANE_BITS + (LANE_PLANES > 1 ? LANE_PLANES : 0);
    logic [PE*LANES*LANE_BITS-1:0] dots;
    if (PRODUCTS) begin : gen_dots_once
        assign dots = gen_products.dot;
    end else begin : gen_dots_lanes
        assign dots = gen_spikes.dot;
    end

    // Accumulators hold the complement of a sum, which its neuron turns back.
    localparam bit COMPLEMENT = PAIRED || (COUNTS && !TERNARY);
    // Twice the sum, whose lowest bit is known at the end, takes one bit more.
    localparam int unsigned TOTAL_BITS = CURRENT_BITS + (PAIRED ? 1 : 0);
    logic [PE*LANES-1:0] carry;
    if (PAIRED) begin : gen_pair_carry
        assign carry = {PE{gen_spikes.gen_planes.gen_paired.carry}};
    end else if (COUNTS) begin : gen_count_carry
        assign carry = {PE{gen_spikes.gen_counts_whole.carry}};
    end else if (SIGNS) begin : gen_signs_carry
        for (genvar w = 0; w < int'(PE * LANES); w++) begin : gen_lane
            assign carry[w] = gen_spikes.gen_signs.carry[w/LANES];
        end
    end else begin : gen_no_carry
        assign carry = '0;
    end
    logic [PE*TOTAL_BITS-1:0] initial_sums;
    logic [PE*LANES*TOTAL_BITS-1:0] totals;
    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_initial
        logic signed [BIAS_WORD_BITS-1:0] bias, bias_high;
        assign bias = constants[pe*NEURON_STRIDE+:BIAS_WORD_BITS];
        assign bias_high = bias >>> (NEURON ? FRAC_BITS : 0);
        assign initial_sums[pe*TOTAL_BITS+:TOTAL_BITS] = TOTAL_BITS'(bias_high);
        logic unused;
        assign unused = ^bias_high;
    end
    for (genvar l = 0; l < int'(PE * LANES); l++) begin : gen_sum
        assign sums[l*CURRENT_BITS+:CURRENT_BITS] = totals[(l+1)*TOTAL_BITS-1-:CURRENT_BITS];
        if (PAIRED) begin : gen_half
            logic unused_low;
            assign unused_low = totals[l*TOTAL_BITS];
        end
    end

    // The end of a fold as it comes with the sums, and the constants of their neurons.
    logic sums_done, sums_tf_last, sums_continue;
    logic [NEURON_WORD-1:0] sums_constants;
    if (MAC_DSP) begin : gen_dsp
        localparam int unsigned SUM_CYCLES = 2;
        dsp_sums #(
            .COUNT         (PE * LANES),
            .SHARED        (LANES),
            .WORD_BITS     (LANE_BITS),
            .SUM_BITS      (TOTAL_BITS),
            .CARRY         (COMPLEMENT || SIGNS),
            .CARRY_IN_START(PAIRED)
        ) i_sums (
            .clk_i,
            .rst_ni,
            .en_i   (en),
            .valid_i(dot_valid),
            .first_i(dot_first),
            .word_i (dots),
            .carry_i(carry),
            .start_i(initial_sums),
            .sum_o  (totals)
        );
        delay_line #(
            .WIDTH(3),
            .DEPTH(SUM_CYCLES)
        ) i_done (
            .clk_i,
            .rst_ni,
            .en_i  (en),
            .data_i({pass_done, pass_tf_last, pass_tf_q != '0}),
            .data_o({sums_done, sums_tf_last, sums_continue})
        );
        if ((EVENT ? SHORTEST_SCAN : SF) >= SUM_CYCLES) begin : gen_held
            // Held until the next fold ends; a delay of two cycles would be shift registers, which are LUTs.
            always_ff @(posedge clk_i) if (en && pass_done) sums_constants <= constants;
        end else begin : gen_delayed
            delay_line #(
                .WIDTH(NEURON_WORD),
                .DEPTH(SUM_CYCLES),
                .RESET(1'b0)
            ) i_constants (
                .clk_i,
                .rst_ni,
                .en_i  (en),
                .data_i(constants),
                .data_o(sums_constants)
            );
        end
    end else begin : gen_luts
        assign sums_done = pass_done;
        assign sums_tf_last = pass_tf_last;
        assign sums_continue = pass_tf_q != '0;
        assign sums_constants = constants;
        for (genvar l = 0; l < int'(PE * LANES); l++) begin : gen_lane
            logic signed [TOTAL_BITS-1:0] initial_sum, before_sum, sum;
            assign initial_sum = initial_sums[l/LANES*TOTAL_BITS+:TOTAL_BITS];
            assign sum = TOTAL_BITS'(signed'(dots[l*LANE_BITS+:LANE_BITS])) + before_sum + TOTAL_BITS'(carry[l]);
            assign totals[l*TOTAL_BITS+:TOTAL_BITS] = sum;
            if (SF == 1) begin : gen_single_fold
                assign before_sum = initial_sum;
            end else begin : gen_accumulate
                logic signed [TOTAL_BITS-1:0] sum_q;
                always_ff @(posedge clk_i) if (en && dot_valid) sum_q <= sum;
                assign before_sum = dot_first ? initial_sum : sum_q;
            end
        end
        if (SF == 1) begin : gen_first_unused
            logic unused;
            assign unused = ^{dot_valid, dot_first};
        end
    end
    logic unused_sums;
    assign unused_sums = ^{sums_tf_last, sums_continue, sums_constants};

    // ---------------------------------------------------------------- neurons
    logic result_valid;
    logic [OUT_BITS-1:0] result;

    if (SUMS && TF > 1) begin : gen_collected_sums
        // The sums of earlier time folds, of each output the latest at the top.
        localparam int unsigned FOLD_BITS = TP * OUTPUT_BITS;
        localparam int unsigned RESULT_BITS = TF * FOLD_BITS;
        for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe_result
            logic [RESULT_BITS-FOLD_BITS-1:0] earlier_q;
            logic [RESULT_BITS-1:0] all;
            assign all = {sums[pe*FOLD_BITS+:FOLD_BITS], earlier_q};
            always_ff @(posedge clk_i) if (en && sums_done) earlier_q <= all[RESULT_BITS-1:FOLD_BITS];
            assign result[pe*RESULT_BITS+:RESULT_BITS] = all;
        end
        assign result_valid = sums_done && sums_tf_last;
    end else if (!NEURON) begin : gen_readout
        assign result_valid = sums_done;
        assign result = sums;
    end else begin : gen_neurons
        localparam int unsigned FRACTION_BITS = FRAC_BITS > 0 ? FRAC_BITS : 1;
        localparam bit REPEATED = LATE && STATIC_INPUT;
        localparam int unsigned GIVEN_BITS = REPEATED ? ROOM_BITS : CURRENT_BITS;
        logic [PE*LANES*GIVEN_BITS-1:0] current;
        logic [PE*FRACTION_BITS-1:0] fraction;
        logic [PE*THRESHOLD_BITS-1:0] threshold;
        logic [PE*POTENTIAL_BITS-1:0] initial_potential;
        if (!REPEATED) begin : gen_current
            assign current = sums;
        end
        for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_constants
            logic [FRACTION_BITS-1:0] bias_fraction;
            assign bias_fraction = FRACTION_BITS'(signed'(sums_constants[pe*NEURON_STRIDE+:BIAS_WORD_BITS]));
            if (!REPEATED) begin : gen_fraction
                assign fraction[pe*FRACTION_BITS+:FRACTION_BITS] = bias_fraction;
            end else begin : gen_repeated
                logic signed [GIVEN_BITS-1:0] one;
                assign one = GIVEN_BITS'(signed'(sums[pe*CURRENT_BITS+:CURRENT_BITS]));
                if (FRAC_BITS == 0) begin : gen_integer
                    assign fraction[pe*FRACTION_BITS+:FRACTION_BITS] = bias_fraction;
                    constant_times #(
                        .WIDTH(GIVEN_BITS),
                        .TIMES(T)
                    ) i_times (
                        .data_i   (one),
                        .product_o(current[pe*GIVEN_BITS+:GIVEN_BITS])
                    );
                end else begin : gen_both
                    constant_times #(
                        .WIDTH(GIVEN_BITS + FRACTION_BITS),
                        .TIMES(T)
                    ) i_times (
                        .data_i   ({one, bias_fraction}),
                        .product_o({current[pe*GIVEN_BITS+:GIVEN_BITS], fraction[pe*FRACTION_BITS+:FRACTION_BITS]})
                    );
                end
            end
            assign threshold[pe*THRESHOLD_BITS+:THRESHOLD_BITS] =
                sums_constants[pe*NEURON_STRIDE+BIAS_WORD_BITS+:THRESHOLD_BITS];
            logic signed [THRESHOLD_BITS-1:0] half, start;
            logic unused;
            assign unused = ^start;
            assign half = signed'(threshold[pe*THRESHOLD_BITS+:THRESHOLD_BITS]) >>> 1;
            assign start = DELAYED ? half - (half >>> LEAK_SHIFT) : half;
            assign initial_potential[pe*POTENTIAL_BITS+:POTENTIAL_BITS] = HALF_START ? POTENTIAL_BITS'(start) : '0;
        end
        if (TF == 1) begin : gen_chain
            neuron_chain #(
                .PE            (PE),
                .STEPS         (T),
                .DONE_STEPS    (0),
                .INTERVAL      (EVENT ? SHORTEST_SCAN : SF),
                .CURRENTS      (LANES),
                .CURRENT_BITS  (GIVEN_BITS),
                .COMPLEMENT    (COMPLEMENT),
                .FRACTION_BITS (FRACTION_BITS),
                .FRAC_BITS     (FRAC_BITS),
                .POTENTIAL_BITS(POTENTIAL_BITS),
                .THRESHOLD_BITS(THRESHOLD_BITS),
                .LEAK          (LEAK),
                .LEAK_SHIFT    (LEAK_SHIFT),
                .DELAYED       (DELAYED),
                .LATE          (LATE),
                .SOFT_RESET    (SOFT_RESET)
            ) i_neurons (
                .clk_i,
                .rst_ni,
                .en_i       (en),
                .valid_i    (sums_done),
                .current_i  (current),
                .fraction_i (fraction),
                .threshold_i(threshold),
                .potential_i(initial_potential),
                .spikes_i   ('0),
                .valid_o    (result_valid),
                .spikes_o   (result)
            );
        end else begin : gen_time_folds
            localparam int unsigned UNROLL = unroll_for(TP, SF);
            logic [TF_BITS-1:0] worked_tf_q;
            logic block_done;
            logic [PE*LANES*CURRENT_BITS-1:0] unused_current;
            logic [PE*FRACTION_BITS-1:0] unused_fraction;
            logic [PE*THRESHOLD_BITS-1:0] unused_threshold;
            logic [PE*POTENTIAL_BITS-1:0] unused_potential;
            logic unused;
            assign unused = ^{unused_current, unused_fraction, unused_threshold, unused_potential};
            neuron_serial #(
                .PE            (PE),
                .STEPS         (TP),
                .UNROLL        (UNROLL),
                .CURRENTS      (LANES),
                .CURRENT_BITS  (CURRENT_BITS),
                .COMPLEMENT    (COMPLEMENT),
                .FRACTION_BITS (FRACTION_BITS),
                .FRAC_BITS     (FRAC_BITS),
                .POTENTIAL_BITS(POTENTIAL_BITS),
                .THRESHOLD_BITS(THRESHOLD_BITS),
                .LEAK          (LEAK),
                .LEAK_SHIFT    (LEAK_SHIFT),
                .DELAYED       (DELAYED),
                .SOFT_RESET    (SOFT_RESET),
                .SPIKE_BITS    (T)
            ) i_neurons (
                .clk_i,
                .rst_ni,
                .en_i       (en),
                .valid_i    (sums_done),
                .keep_i     (sums_continue),
                .current_i  (current),
                .fraction_i (fraction),
                .threshold_i(threshold),
                .potential_i(initial_potential),
                .spikes_i   ('0),
                .valid_o    (block_done),
                .current_o  (unused_current),
                .fraction_o (unused_fraction),
                .threshold_o(unused_threshold),
                .potential_o(unused_potential),
                .spikes_o   (result)
            );
            always_ff @(posedge clk_i) begin
                if (!rst_ni) worked_tf_q <= '0;
                else if (en && block_done) begin
                    worked_tf_q <= worked_tf_q == TF_BITS'(TF - 1) ? '0 : worked_tf_q + TF_BITS'(1);
                end
            end
            assign result_valid = block_done && worked_tf_q == TF_BITS'(TF - 1);
        end
    end

    // ---------------------------------------------------------------- output
    output_stage #(
        .BITS       (OUT_BITS),
        .EVERY_CYCLE((EVENT ? SHORTEST_SCAN : SF) * TF == 1)
    ) i_output (
        .clk_i,
        .rst_ni,
        .valid_i (result_valid),
        .result_i(result),
        .en_o    (en),
        .ready_o (ready),
        .out_data_o,
        .out_valid_o,
        .out_ready_i
    );

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("spiking_mvau: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("spiking_mvau: input changed while stalled");
`endif
endmodule
