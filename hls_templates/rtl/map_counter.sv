// Sums of each channel over all steps of a whole map: reads MAP_PIXELS vectors of MW elements of T unsigned integers of
// STEP_BITS, SIMD per stream word, and hands on one vector of MW sums, SIMD per word, COUNT_BITS each. Of spike trains
// (STEP_BITS = 1) it counts the spikes.
//
// The counts so far lie in a memory of MW/SIMD words. Those of the last pixel do not go there: a word of counts leaves in
// the cycle in which the last elements of its channels arrive.
//
// Handshake: AXI streams, for words in and words out; vector_valid_o and vector_data_o follow in_valid_i and in_data_i
// within the cycle. in_ready_o does not depend on in_valid_i: it is high, but during the last pixel, when it is
// vector_ready_i. Sustained rate: one word per cycle, across maps.
module map_counter #(
    parameter int unsigned MW         = 16,
    parameter int unsigned SIMD       = 4,
    parameter int unsigned T          = 4,
    parameter int unsigned STEP_BITS  = 1,
    parameter int unsigned MAP_PIXELS = 4,
    localparam int unsigned IN_BITS    = SIMD * T * STEP_BITS,
    localparam int unsigned COUNT_BITS = $clog2(MAP_PIXELS * T * (2 ** STEP_BITS - 1) + 1)
) (
    input  logic                       clk_i,
    input  logic                       rst_ni,
    input  logic [        IN_BITS-1:0] in_data_i,
    input  logic                       in_valid_i,
    output logic                       in_ready_o,
    output logic [SIMD*COUNT_BITS-1:0] vector_data_o,
    output logic                       vector_valid_o,
    input  logic                       vector_ready_i
);
    localparam int unsigned SF = MW / SIMD;
    localparam int unsigned SF_BITS = SF > 1 ? $clog2(SF) : 1;
    localparam int unsigned PIXEL_BITS = $clog2(MAP_PIXELS);
    localparam int unsigned STEPS_BITS = $clog2(T * (2 ** STEP_BITS - 1) + 1);

    logic [SF_BITS-1:0] sf_q;
    logic [PIXEL_BITS-1:0] pixel_q;
    logic sf_last, pixel_first, pixel_last, step;

    assign sf_last = SF == 1 || sf_q == SF_BITS'(SF - 1);
    assign pixel_first = pixel_q == '0;
    assign pixel_last = pixel_q == PIXEL_BITS'(MAP_PIXELS - 1);
    assign in_ready_o = !pixel_last || vector_ready_i;
    assign vector_valid_o = pixel_last && in_valid_i;
    assign step = in_valid_i && in_ready_o;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            sf_q    <= '0;
            pixel_q <= '0;
        end else if (step) begin
            sf_q <= sf_last ? '0 : sf_q + SF_BITS'(SF > 1);
            if (sf_last) pixel_q <= pixel_last ? '0 : pixel_q + PIXEL_BITS'(1);
        end
    end

    logic [SIMD*STEPS_BITS-1:0] steps;
    step_sum #(
        .COUNT    (SIMD),
        .T        (T),
        .STEP_BITS(STEP_BITS)
    ) i_steps (
        .data_i(in_data_i),
        .sum_o (steps)
    );

    (* ram_style = "distributed" *) logic [SIMD*COUNT_BITS-1:0] counts[SF];
    logic [SIMD*COUNT_BITS-1:0] so_far;
    assign so_far = pixel_first ? '0 : counts[sf_q];
    for (genvar s = 0; s < int'(SIMD); s++) begin : gen_count
        assign vector_data_o[s*COUNT_BITS+:COUNT_BITS] =
            so_far[s*COUNT_BITS+:COUNT_BITS] + COUNT_BITS'(steps[s*STEPS_BITS+:STEPS_BITS]);
    end
    always_ff @(posedge clk_i) if (step) counts[sf_q] <= vector_data_o;
endmodule
