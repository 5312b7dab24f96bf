// Turns a feature map into the windows of a convolution, one word per cycle.
//
// Reads [HEIGHT, WIDTH] pixels of FOLDS words in raster order and writes [OUT_ROWS, OUT_COLUMNS] windows of
// [KERNEL_H, KERNEL_W] pixels. Rows and columns that no window reads are taken and dropped, so that stride and kernel
// are free of each other.
//
// Words enter a cyclic buffer of 2**ADDRESS_BITS words at the rate they come, also those of the next frame. A window is
// written once all of it is there, and holds its place in the buffer until it is written; lack_q counts what that takes.
// A buffer of a window's span and the step to the next window gives a row of windows without a pause.
//
// Handshake: AXI streams. in_ready_o comes from a register and depends on no input. The output is the register behind
// the buffer and stays until out_ready_i.
module sliding_window #(
    parameter int unsigned HEIGHT       = 4,
    parameter int unsigned WIDTH        = 4,
    parameter int unsigned FOLDS        = 1,
    parameter int unsigned KERNEL_H     = 3,
    parameter int unsigned KERNEL_W     = 3,
    parameter int unsigned STRIDE_H     = 1,
    parameter int unsigned STRIDE_W     = 1,
    parameter int unsigned DILATION_H   = 1,
    parameter int unsigned DILATION_W   = 1,
    parameter int unsigned ADDRESS_BITS = 4,
    parameter int unsigned WORD_BITS    = 8,
    parameter bit          BLOCK_RAM    = 1'b0
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic [WORD_BITS-1:0] in_data_i,
    input  logic                 in_valid_i,
    output logic                 in_ready_o,
    output logic [WORD_BITS-1:0] out_data_o,
    output logic                 out_valid_o,
    input  logic                 out_ready_i
);
    localparam int unsigned ROW = WIDTH * FOLDS;
    localparam int unsigned OUT_ROWS = (HEIGHT - (KERNEL_H - 1) * DILATION_H - 1) / STRIDE_H + 1;
    localparam int unsigned OUT_COLUMNS = (WIDTH - (KERNEL_W - 1) * DILATION_W - 1) / STRIDE_W + 1;
    // Words that lie beside each other are counted as one run: a row of the kernel, or a pixel of a dilated one.
    localparam int unsigned RUN = DILATION_W == 1 ? KERNEL_W * FOLDS : FOLDS;
    localparam int unsigned RUNS = DILATION_W == 1 ? 1 : KERNEL_W;
    localparam int unsigned KERNEL_ROW = ((KERNEL_W - 1) * DILATION_W + 1) * FOLDS;
    localparam int unsigned SPAN = (KERNEL_H - 1) * DILATION_H * ROW + KERNEL_ROW;
    // From the first word of a window to that of the next one in its row, in the next row, and in the next frame.
    localparam int unsigned STEP_COLUMN = STRIDE_W * FOLDS;
    localparam int unsigned LAST_COLUMN = (OUT_COLUMNS - 1) * STEP_COLUMN;
    localparam int unsigned STEP_ROW = STRIDE_H * ROW - LAST_COLUMN;
    localparam int unsigned STEP_FRAME = HEIGHT * ROW - (OUT_ROWS - 1) * STRIDE_H * ROW - LAST_COLUMN;

    localparam int unsigned RUN_BITS = RUN > 1 ? $clog2(RUN) : 1;
    localparam int unsigned RUNS_BITS = RUNS > 1 ? $clog2(RUNS) : 1;
    localparam int unsigned TAP_BITS = KERNEL_H > 1 ? $clog2(KERNEL_H) : 1;
    localparam int unsigned COLUMN_BITS = OUT_COLUMNS > 1 ? $clog2(OUT_COLUMNS) : 1;
    localparam int unsigned ROW_BITS = OUT_ROWS > 1 ? $clog2(OUT_ROWS) : 1;
    localparam int unsigned DEPTH = 2 ** ADDRESS_BITS;
    localparam int unsigned LACK_BITS = $clog2(HEIGHT * ROW + DEPTH + 1) + 1;

    if (DEPTH < SPAN) begin : gen_check
        $error("sliding_window: a buffer of %0d words is less than a window's %0d", DEPTH, SPAN);
    end

    logic [RUN_BITS-1:0] run_q;
    logic [RUNS_BITS-1:0] tap_column_q;
    logic [TAP_BITS-1:0] tap_row_q;
    logic [COLUMN_BITS-1:0] column_q;
    logic [ROW_BITS-1:0] row_q;
    logic [ADDRESS_BITS-1:0] read_q, write_q;
    // Words that the current window waits for, less one: negative where all are there, -1 - (DEPTH - SPAN) where the
    // buffer is full.
    logic signed [LACK_BITS-1:0] lack_q;

    logic run_last, tap_column_last, tap_row_last, column_last, row_last;
    assign run_last = RUN == 1 || run_q == RUN_BITS'(RUN - 1);
    assign tap_column_last = RUNS == 1 || tap_column_q == RUNS_BITS'(RUNS - 1);
    assign tap_row_last = KERNEL_H == 1 || tap_row_q == TAP_BITS'(KERNEL_H - 1);
    assign column_last = OUT_COLUMNS == 1 || column_q == COLUMN_BITS'(OUT_COLUMNS - 1);
    assign row_last = OUT_ROWS == 1 || row_q == ROW_BITS'(OUT_ROWS - 1);

    logic take, give, window_last;
    assign in_ready_o = lack_q != LACK_BITS'(signed'(SPAN - DEPTH - 1));
    assign take = in_valid_i && in_ready_o;
    assign give = lack_q[LACK_BITS-1] && (!out_valid_o || out_ready_i);
    assign window_last = run_last && tap_column_last && tap_row_last;

    logic [ADDRESS_BITS-1:0] read_step;
    // Words that the next window waits for more than this one, less one; and lack_q with and without a step to it: which
    // of both is known last, from out_ready_i.
    logic signed [LACK_BITS-1:0] more, kept, stepped;
    always_comb begin
        if (!run_last) read_step = ADDRESS_BITS'(1);
        else if (!tap_column_last) read_step = ADDRESS_BITS'(DILATION_W * FOLDS - (RUN - 1));
        else if (!tap_row_last) read_step = ADDRESS_BITS'(DILATION_H * ROW - (KERNEL_ROW - 1));
        else if (!column_last) read_step = ADDRESS_BITS'(STEP_COLUMN - (SPAN - 1));
        else if (!row_last) read_step = ADDRESS_BITS'(STEP_ROW - (SPAN - 1));
        else read_step = ADDRESS_BITS'(STEP_FRAME - (SPAN - 1));

        if (!column_last) more = LACK_BITS'(STEP_COLUMN - 1);
        else if (!row_last) more = LACK_BITS'(STEP_ROW - 1);
        else more = LACK_BITS'(STEP_FRAME - 1);
    end
    assign kept = lack_q - LACK_BITS'(take);
    assign stepped = lack_q + more + LACK_BITS'(!take);

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            run_q        <= '0;
            tap_column_q <= '0;
            tap_row_q    <= '0;
            column_q     <= '0;
            row_q        <= '0;
            read_q       <= '0;
        end else if (give) begin
            read_q <= read_q + read_step;
            run_q  <= run_last ? '0 : run_q + RUN_BITS'(RUN > 1);
            if (run_last) tap_column_q <= tap_column_last ? '0 : tap_column_q + RUNS_BITS'(RUNS > 1);
            if (run_last && tap_column_last) tap_row_q <= tap_row_last ? '0 : tap_row_q + TAP_BITS'(KERNEL_H > 1);
            if (window_last) begin
                column_q <= column_last ? '0 : column_q + COLUMN_BITS'(OUT_COLUMNS > 1);
                if (column_last) row_q <= row_last ? '0 : row_q + ROW_BITS'(OUT_ROWS > 1);
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            lack_q      <= LACK_BITS'(SPAN - 1);
            write_q     <= '0;
            out_valid_o <= 1'b0;
        end else begin
            lack_q <= give && window_last ? stepped : kept;
            if (take) write_q <= write_q + ADDRESS_BITS'(1);
            if (!out_valid_o || out_ready_i) out_valid_o <= give;
        end
    end

    if (BLOCK_RAM) begin : gen_block
        (* ram_style = "block" *) logic [WORD_BITS-1:0] buffer[DEPTH];
        always_ff @(posedge clk_i) if (take) buffer[write_q] <= in_data_i;
        always_ff @(posedge clk_i) if (give) out_data_o <= buffer[read_q];
    end else begin : gen_distributed
        (* ram_style = "distributed" *) logic [WORD_BITS-1:0] buffer[DEPTH];
        always_ff @(posedge clk_i) if (take) buffer[write_q] <= in_data_i;
        always_ff @(posedge clk_i) if (give) out_data_o <= buffer[read_q];
    end

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("sliding_window: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("sliding_window: input changed while stalled");
`endif
endmodule
