// Queues of the non-zero elements of each vector, in SIMD banks that the folds of a matrix-vector product read together.
//
// Reads vectors of MW elements of T unsigned integers of STEP_BITS, SIMD per stream word. With COUNTS the sum of an
// element's integers is kept, else the element. Element s of a word is for bank (s + tap) mod SIMD, where tap counts the
// groups of ROTATE_WORDS words before it in the vector (0: there are none). A bank writes {place, element} of each word
// behind its queue, which grows where the element is not zero: the next entry replaces a zero. A word of zeros follows
// the words of a vector and ends the queues. They have two sides, one written while the other is read, and both begin
// together: when a vector has arrived and the last fold of the one before has been issued.
//
// Folds, outermost first: neuron folds NF, time folds TF. A fold reads the queues from their beginnings, an entry of
// each per cycle, as long as the longest queue of the vector is, and at least SHORTEST_SCAN <= MW/SIMD cycles. What it
// reads comes out one enabled cycle later: elements, zero behind the end of a queue, and their places; the fold's numbers,
// and whether the cycle is its first or its last. The place of the vector's word w is w*PLACE_STEP.
//
// Handshake: AXI stream in; in_ready_o does not depend on in_valid_i. What is read moves when en_i is high; moves_i is the
// same, from a register of few loads. That a word or a cycle is the last one is known from registers.
// Sustained rate: max(MW/SIMD + 1, NF*TF * max(SHORTEST_SCAN, longest queue)) cycles per vector.
module event_queues #(
    parameter int unsigned MW            = 16,
    parameter int unsigned SIMD          = 4,
    parameter int unsigned NF            = 2,
    parameter int unsigned TF            = 1,
    parameter int unsigned T             = 4,
    parameter int unsigned STEP_BITS     = 1,
    parameter bit          COUNTS        = 1'b0,
    parameter int unsigned ROTATE_WORDS  = 0,
    parameter int unsigned PLACE_STEP    = 1,
    parameter int unsigned SHORTEST_SCAN = 2,
    parameter bit          BLOCK         = 1'b0,
    localparam int unsigned SF           = MW / SIMD,
    localparam int unsigned ELEMENT_BITS = COUNTS ? $clog2(T * (2 ** STEP_BITS - 1) + 1) : T * STEP_BITS,
    localparam int unsigned PLACE_BITS   = $clog2(SF * PLACE_STEP),
    localparam int unsigned NF_BITS      = NF > 1 ? $clog2(NF) : 1,
    localparam int unsigned TF_BITS      = TF > 1 ? $clog2(TF) : 1
) (
    input  logic                         clk_i,
    input  logic                         rst_ni,
    input  logic [ SIMD*T*STEP_BITS-1:0] in_data_i,
    input  logic                         in_valid_i,
    output logic                         in_ready_o,
    input  logic                         en_i,
    input  logic                         moves_i,
    output logic                         valid_o,
    output logic                         first_o,
    output logic                         last_o,
    output logic [          NF_BITS-1:0] nf_o,
    output logic [          TF_BITS-1:0] tf_o,
    output logic [SIMD*ELEMENT_BITS-1:0] element_o,
    output logic [  SIMD*PLACE_BITS-1:0] place_o
);
    localparam int unsigned WORD_BITS = $clog2(SF * PLACE_STEP + 1);
    localparam int unsigned LENGTH_BITS = $clog2(SF + 1);
    localparam int unsigned POSITION_BITS = $clog2(SF);
    localparam int unsigned ENTRY_BITS = PLACE_BITS + ELEMENT_BITS;

    // ---------------------------------------------------------------- words of a vector, and the one behind them
    logic word_valid_q, last_place_q, word_last, word_end_q, taken, swap;
    logic [WORD_BITS-1:0] place_q;
    logic [SIMD*ELEMENT_BITS-1:0] element, rotated, word_q;

    assign word_last = word_valid_q && last_place_q;
    assign in_ready_o = !word_last && (!word_end_q || swap);
    assign taken = in_valid_i && in_ready_o;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            word_valid_q <= 1'b0;
            place_q      <= '0;
            last_place_q <= SF == 1;
            word_end_q   <= 1'b0;
        end else begin
            word_valid_q <= taken;
            word_end_q   <= word_last || (word_end_q && !swap);
            if (swap) begin
                place_q      <= '0;
                last_place_q <= SF == 1;
            end else if (word_valid_q) begin
                place_q      <= place_q + WORD_BITS'(PLACE_STEP);
                last_place_q <= SF > 1 && place_q == WORD_BITS'((SF - 2) * PLACE_STEP);
            end
        end
    end
    always_ff @(posedge clk_i) word_q <= taken ? rotated : '0;

    if (COUNTS) begin : gen_counts
        step_sum #(
            .COUNT    (SIMD),
            .T        (T),
            .STEP_BITS(STEP_BITS)
        ) i_count (
            .data_i(in_data_i),
            .sum_o (element)
        );
    end else begin : gen_steps
        assign element = in_data_i;
    end

    if (ROTATE_WORDS == 0) begin : gen_no_rotation
        assign rotated = element;
    end else begin : gen_rotation
        localparam int unsigned TAP_BITS = $clog2(SIMD);
        localparam int unsigned GROUP_BITS = ROTATE_WORDS > 1 ? $clog2(ROTATE_WORDS) : 1;
        logic [TAP_BITS-1:0] tap_q;
        logic [GROUP_BITS-1:0] group_q;
        logic group_last;
        logic [(TAP_BITS+1)*SIMD*ELEMENT_BITS-1:0] stages;
        assign group_last = ROTATE_WORDS == 1 || group_q == GROUP_BITS'(ROTATE_WORDS - 1);
        always_ff @(posedge clk_i) begin
            if (!rst_ni || word_last) begin
                tap_q   <= '0;
                group_q <= '0;
            end else if (taken) begin
                group_q <= group_last ? '0 : group_q + GROUP_BITS'(ROTATE_WORDS > 1);
                if (group_last) tap_q <= tap_q == TAP_BITS'(SIMD - 1) ? '0 : tap_q + TAP_BITS'(1);
            end
        end
        // Bit b of the tap rotates by 2^b elements.
        assign stages[SIMD*ELEMENT_BITS-1:0] = element;
        for (genvar b = 0; b < int'(TAP_BITS); b++) begin : gen_stage
            localparam int unsigned LOW = (2 ** b) * ELEMENT_BITS;
            localparam int unsigned HIGH = SIMD * ELEMENT_BITS - LOW;
            logic [SIMD*ELEMENT_BITS-1:0] given;
            assign given = stages[b*SIMD*ELEMENT_BITS+:SIMD*ELEMENT_BITS];
            assign stages[(b+1)*SIMD*ELEMENT_BITS+:SIMD*ELEMENT_BITS] =
                tap_q[b] ? {given[HIGH-1:0], given[HIGH+:LOW]} : given;
        end
        assign rotated = stages[TAP_BITS*SIMD*ELEMENT_BITS+:SIMD*ELEMENT_BITS];
    end

    // ---------------------------------------------------------------- folds
    localparam bit ONE_FOLD = NF * TF == 1;
    logic side_q, busy_q, step, fold_last_q, tf_last, nf_last, before_last, last_fold_q, vector_last;
    logic [LENGTH_BITS-1:0] longest_q, length_q, position_q;
    logic [NF_BITS-1:0] nf_q;
    logic [TF_BITS-1:0] tf_q;
    logic [SIMD-1:0] leads;

    assign step = en_i && busy_q;
    assign tf_last = TF == 1 || tf_q == TF_BITS'(TF - 1);
    assign nf_last = NF == 1 || nf_q == NF_BITS'(NF - 1);
    assign before_last = TF > 1 ? tf_q == TF_BITS'(TF - 2) && nf_last : nf_q == NF_BITS'(NF - 2);
    assign vector_last = fold_last_q && last_fold_q;
    assign swap = word_end_q && (!busy_q || (moves_i && vector_last));

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            side_q      <= 1'b0;
            busy_q      <= 1'b0;
            position_q  <= '0;
            tf_q        <= '0;
            nf_q        <= '0;
            last_fold_q <= ONE_FOLD;
            longest_q   <= LENGTH_BITS'(SHORTEST_SCAN);
        end else begin
            side_q <= side_q ^ swap;
            busy_q <= swap || (busy_q && !(en_i && vector_last));
            if (step) position_q <= fold_last_q ? '0 : position_q + LENGTH_BITS'(1);
            if (step && fold_last_q) begin
                tf_q        <= tf_last ? '0 : tf_q + TF_BITS'(TF > 1);
                last_fold_q <= ONE_FOLD || before_last;
            end
            if (step && fold_last_q && tf_last) nf_q <= nf_last ? '0 : nf_q + NF_BITS'(NF > 1);
            longest_q <= swap ? LENGTH_BITS'(SHORTEST_SCAN) : longest_q + LENGTH_BITS'(|leads);
        end
    end
    always_ff @(posedge clk_i) begin
        if (swap) begin
            length_q    <= longest_q;
            fold_last_q <= longest_q == LENGTH_BITS'(1);
        end else if (step) begin
            fold_last_q <= length_q == (fold_last_q ? LENGTH_BITS'(1) : position_q + LENGTH_BITS'(2));
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_o <= 1'b0;
        else if (en_i) valid_o <= busy_q;
    end
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            first_o <= position_q == '0;
            last_o  <= fold_last_q;
            nf_o    <= nf_q;
            tf_o    <= tf_q;
        end
    end

    // ---------------------------------------------------------------- banks
    for (genvar b = 0; b < int'(SIMD); b++) begin : gen_bank
        logic [LENGTH_BITS-1:0] length;
        logic [ELEMENT_BITS-1:0] written, read;
        logic grows, alive, alive_q;
        logic [ENTRY_BITS-1:0] entry_q;

        assign written = word_q[b*ELEMENT_BITS+:ELEMENT_BITS];
        assign grows = |written;
        assign leads[b] = grows && length == longest_q;
        always_ff @(posedge clk_i) begin
            if (!rst_ni || swap) length <= '0;
            else if (grows) length <= length + LENGTH_BITS'(1);
        end

        // A full queue has no place for an end, and needs none.
        logic has_place;
        assign has_place = LENGTH_BITS == POSITION_BITS || !length[LENGTH_BITS-1];
        if (BLOCK) begin : gen_block
            (* ram_style = "block" *) logic [ENTRY_BITS-1:0] entries[2**(POSITION_BITS+1)];
            always_ff @(posedge clk_i) begin
                if (has_place) entries[{side_q, length[POSITION_BITS-1:0]}] <= {PLACE_BITS'(place_q), written};
            end
            always_ff @(posedge clk_i) if (en_i) entry_q <= entries[{!side_q, position_q[POSITION_BITS-1:0]}];
        end else begin : gen_distributed
            (* ram_style = "distributed" *) logic [ENTRY_BITS-1:0] entries[2**(POSITION_BITS+1)];
            always_ff @(posedge clk_i) begin
                if (has_place) entries[{side_q, length[POSITION_BITS-1:0]}] <= {PLACE_BITS'(place_q), written};
            end
            always_ff @(posedge clk_i) if (en_i) entry_q <= entries[{!side_q, position_q[POSITION_BITS-1:0]}];
        end

        assign {place_o[b*PLACE_BITS+:PLACE_BITS], read} = entry_q;
        assign alive = first_o || alive_q;
        always_ff @(posedge clk_i) if (en_i) alive_q <= alive && read != '0;
        assign element_o[b*ELEMENT_BITS+:ELEMENT_BITS] = alive ? read : '0;
    end
endmodule
