// Sum pooling over KERNEL x KERNEL windows that do not overlap, step by step.
//
// Reads [HEIGHT, WIDTH, CHANNELS] in raster order, PE channels per stream word, each T unsigned integers of STEP_BITS (1
// for spike trains), and writes [HEIGHT/KERNEL, WIDTH/KERNEL, CHANNELS] (rounded down; the rows and columns past the last
// window are dropped), T sums of SUM_BITS, which hold the largest. One row of windows is kept in a buffer.
//
// Handshake: AXI streams. in_ready_o and the outputs come from registers; outputs stay until out_ready_i. One word per
// cycle.
module sum_pool #(
    parameter int unsigned HEIGHT    = 4,
    parameter int unsigned WIDTH     = 4,
    parameter int unsigned CHANNELS  = 4,
    parameter int unsigned KERNEL    = 2,
    parameter int unsigned PE        = 1,
    parameter int unsigned T         = 4,
    parameter int unsigned STEP_BITS = 1,
    localparam int unsigned SUM_BITS = $clog2(KERNEL * KERNEL * (2 ** STEP_BITS - 1) + 1),
    localparam int unsigned IN_BITS  = PE * T * STEP_BITS,
    localparam int unsigned OUT_BITS = PE * T * SUM_BITS
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic [ IN_BITS-1:0] in_data_i,
    input  logic                in_valid_i,
    output logic                in_ready_o,
    output logic [OUT_BITS-1:0] out_data_o,
    output logic                out_valid_o,
    input  logic                out_ready_i
);
    localparam int unsigned FOLDS = CHANNELS / PE;
    localparam int unsigned DEPTH = WIDTH / KERNEL * FOLDS;
    localparam int unsigned INDEX_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;

    logic in_window, first, emit, step, ready, unused_en;
    logic [INDEX_BITS-1:0] index;
    assign in_ready_o = !emit || ready;
    assign step = in_valid_i && in_ready_o;
    pool_windows #(
        .HEIGHT(HEIGHT),
        .WIDTH (WIDTH),
        .KERNEL(KERNEL),
        .FOLDS (FOLDS)
    ) i_windows (
        .clk_i,
        .rst_ni,
        .step_i     (step),
        .in_window_o(in_window),
        .first_o    (first),
        .last_o     (emit),
        .index_o    (index)
    );

    (* ram_style = "distributed" *) logic [OUT_BITS-1:0] buffer[DEPTH];
    logic [OUT_BITS-1:0] so_far, pooled;
    assign so_far = first ? '0 : buffer[index];
    for (genvar s = 0; s < int'(PE * T); s++) begin : gen_step
        assign pooled[s*SUM_BITS+:SUM_BITS] =
            so_far[s*SUM_BITS+:SUM_BITS] + SUM_BITS'(in_data_i[s*STEP_BITS+:STEP_BITS]);
    end
    always_ff @(posedge clk_i) if (step && in_window) buffer[index] <= pooled;

    output_stage #(
        .BITS(OUT_BITS)
    ) i_output (
        .clk_i,
        .rst_ni,
        .valid_i (step && emit),
        .result_i(pooled),
        .en_o    (unused_en),
        .ready_o (ready),
        .out_data_o,
        .out_valid_o,
        .out_ready_i
    );

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("sum_pool: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("sum_pool: input changed while stalled");
`endif
endmodule
