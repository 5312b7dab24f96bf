// Which window a word of a map belongs to, for poolings over KERNEL x KERNEL windows that do not overlap.
//
// Words arrive in raster order, FOLDS per pixel; step_i says that the current one is taken. in_window_o: it belongs to a
// full window (rows and columns past the last one do not). first_o, last_o: it is the first, the last one of its window
// and channel fold. index_o: where its window and channel fold lie in a row of WIDTH/KERNEL*FOLDS of them.
// Everything but step_i comes from registers.
module pool_windows #(
    parameter int unsigned HEIGHT = 4,
    parameter int unsigned WIDTH  = 4,
    parameter int unsigned KERNEL = 2,
    parameter int unsigned FOLDS  = 4,
    localparam int unsigned DEPTH      = WIDTH / KERNEL * FOLDS,
    localparam int unsigned INDEX_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  step_i,
    output logic                  in_window_o,
    output logic                  first_o,
    output logic                  last_o,
    output logic [INDEX_BITS-1:0] index_o
);
    localparam int unsigned OUT_WIDTH = WIDTH / KERNEL;
    localparam int unsigned OUT_HEIGHT = HEIGHT / KERNEL;
    // Counters: channel fold; column within the window; column; rows alike.
    localparam int unsigned FOLD_BITS = FOLDS > 1 ? $clog2(FOLDS) : 1;
    localparam int unsigned INNER_BITS = KERNEL > 1 ? $clog2(KERNEL) : 1;
    localparam int unsigned COLUMN_BITS = $clog2(WIDTH + 1);
    localparam int unsigned ROW_BITS = $clog2(HEIGHT + 1);

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

    assign in_window_o = column_q < COLUMN_BITS'(OUT_WIDTH * KERNEL) && row_q < ROW_BITS'(OUT_HEIGHT * KERNEL);
    assign first_o = inner_column_q == '0 && inner_row_q == '0;
    assign last_o = in_window_o && inner_column_last && inner_row_last;
    assign index_o = index_q;

    // Back by one window's folds until its columns are done.
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
        end else if (step_i) begin
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
endmodule
