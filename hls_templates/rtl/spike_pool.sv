// OR pooling of spike trains over KERNEL x KERNEL windows that do not overlap.
//
// Reads [HEIGHT, WIDTH, CHANNELS] in raster order, PE channels of T bits per stream word, and writes
// [HEIGHT/KERNEL, WIDTH/KERNEL, CHANNELS] (rounded down; the rows and columns past the last window are dropped).
// One row of windows is kept in a buffer. An output spikes at a step where any input of its window does.
//
// Handshake: AXI streams. in_ready_o does not depend on in_valid_i; it follows out_ready_i within the cycle only for
// the last input word of a window. Outputs come from registers and stay until out_ready_i. One word per cycle.
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
    localparam int unsigned OUT_WIDTH = WIDTH / KERNEL;
    localparam int unsigned OUT_HEIGHT = HEIGHT / KERNEL;
    localparam int unsigned DEPTH = OUT_WIDTH * FOLDS;
    // Counters: channel fold; column within the window; window column (OUT_WIDTH = past the last window); rows alike.
    localparam int unsigned FOLD_BITS = FOLDS > 1 ? $clog2(FOLDS) : 1;
    localparam int unsigned INNER_BITS = KERNEL > 1 ? $clog2(KERNEL) : 1;
    localparam int unsigned COLUMN_BITS = $clog2(WIDTH + 1);
    localparam int unsigned ROW_BITS = $clog2(HEIGHT + 1);
    localparam int unsigned INDEX_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;

    logic [FOLD_BITS-1:0] fold_q;
    logic [INNER_BITS-1:0] inner_column_q, inner_row_q;
    logic [COLUMN_BITS-1:0] column_q;
    logic [ROW_BITS-1:0] row_q;
    logic [INDEX_BITS-1:0] index_q;

    logic fold_last, column_last, row_last, inner_column_last, inner_row_last;
    assign fold_last = FOLDS == 1 || fold_q == FOLD_BITS'(FOLDS - 1);
    assign column_last = column_q == COLUMN_BITS'(WIDTH - 1);
    assign row_last = row_q == ROW_BITS'(HEIGHT - 1);
    assign inner_column_last = KERNEL == 1 || inner_column_q == INNER_BITS'(KERNEL - 1);
    assign inner_row_last = KERNEL == 1 || inner_row_q == INNER_BITS'(KERNEL - 1);

    logic in_window, first, emit, step;
    assign in_window = column_q < COLUMN_BITS'(OUT_WIDTH * KERNEL) && row_q < ROW_BITS'(OUT_HEIGHT * KERNEL);
    assign first = inner_column_q == '0 && inner_row_q == '0;
    assign emit = in_window && inner_column_last && inner_row_last;
    assign in_ready_o = !emit || !out_valid_o || out_ready_i;
    assign step = in_valid_i && in_ready_o;

    // Index of the window and channel fold in the row buffer: back by one window's folds until its columns are done.
    logic [INDEX_BITS-1:0] index_d;
    always_comb begin
        if (!fold_last) index_d = index_q + INDEX_BITS'(1);
        else if (column_last) index_d = '0;
        else if (!inner_column_last) index_d = index_q - INDEX_BITS'(FOLDS - 1);
        else if (index_q == INDEX_BITS'(DEPTH - 1)) index_d = '0;
        else index_d = index_q + INDEX_BITS'(1);
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            fold_q         <= '0;
            inner_column_q <= '0;
            inner_row_q    <= '0;
            column_q       <= '0;
            row_q          <= '0;
            index_q        <= '0;
        end else if (step) begin
            index_q <= index_d;
            fold_q  <= fold_last ? '0 : fold_q + FOLD_BITS'(FOLDS > 1);
            if (fold_last) begin
                column_q       <= column_last ? '0 : column_q + COLUMN_BITS'(1);
                inner_column_q <= (column_last || inner_column_last) ? '0 : inner_column_q + INNER_BITS'(KERNEL > 1);
                if (column_last) begin
                    row_q       <= row_last ? '0 : row_q + ROW_BITS'(1);
                    inner_row_q <= (row_last || inner_row_last) ? '0 : inner_row_q + INNER_BITS'(KERNEL > 1);
                end
            end
        end
    end

    logic [BITS-1:0] pooled;
    if (KERNEL == 1) begin : gen_copy
        logic unused;
        assign unused = ^{first, index_q};
        assign pooled = in_data_i;
    end else begin : gen_pool
        (* ram_style = "distributed" *) logic [BITS-1:0] buffer[DEPTH];
        assign pooled = in_data_i | (first ? '0 : buffer[index_q]);
        always_ff @(posedge clk_i) if (step && in_window) buffer[index_q] <= pooled;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) out_valid_o <= 1'b0;
        else if (step && emit) out_valid_o <= 1'b1;
        else if (out_ready_i) out_valid_o <= 1'b0;
    end
    always_ff @(posedge clk_i) if (step && emit) out_data_o <= pooled;

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("spike_pool: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("spike_pool: input changed while stalled");
`endif
endmodule
