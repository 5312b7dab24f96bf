// OR pooling of spike trains over KERNEL x KERNEL windows that do not overlap.
//
// Reads [HEIGHT, WIDTH, CHANNELS] in raster order, PE channels of T bits per stream word, and writes
// [HEIGHT/KERNEL, WIDTH/KERNEL, CHANNELS] (rounded down; the rows and columns past the last window are dropped).
// One row of windows is kept in a buffer. An output spikes at a step where any input of its window does.
//
// Handshake: AXI streams. in_ready_o and the outputs come from registers; outputs stay until out_ready_i. One word per
// cycle.
module spike_pool #(
    parameter int unsigned HEIGHT   = 4,
    parameter int unsigned WIDTH    = 4,
    parameter int unsigned CHANNELS = 4,
    parameter int unsigned KERNEL   = 2,
    parameter int unsigned PE       = 1,
    parameter int unsigned T        = 4,
    localparam int unsigned BITS = PE * T
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic [BITS-1:0] in_data_i,
    input  logic            in_valid_i,
    output logic            in_ready_o,
    output logic [BITS-1:0] out_data_o,
    output logic            out_valid_o,
    input  logic            out_ready_i
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

    logic [BITS-1:0] pooled;
    if (KERNEL == 1) begin : gen_copy
        logic unused;
        assign unused = ^{in_window, first, index};
        assign pooled = in_data_i;
    end else begin : gen_pool
        (* ram_style = "distributed" *) logic [BITS-1:0] buffer[DEPTH];
        assign pooled = in_data_i | (first ? '0 : buffer[index]);
        always_ff @(posedge clk_i) if (step && in_window) buffer[index] <= pooled;
    end

    output_stage #(
        .BITS(BITS)
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
    else $error("spike_pool: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("spike_pool: input changed while stalled");
`endif
endmodule
