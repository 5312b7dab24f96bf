// Weights of the folds of a matrix-vector product: a ROM of all, or a stream of those of one neuron fold after another.
//
// STREAMED = 0: DEPTH words from FILE, always there; the stream is not read.
// STREAMED = 1: two banks of DEPTH words, those of a neuron fold each. One is read, again and again for PASS_VECTORS
// vectors (done_i counts them), while the stream fills the other one. So each word comes in once a frame, whatever the
// number of vectors and time steps that it serves.
//
// data_o is the word at addr_i one enabled clock cycle later, two with BLOCK. ready_o and stream_ready_o come from
// registers. A bank is ready in the cycle after its last word has come, and free in the cycle after done_i of its last
// vector: with a word a cycle and DEPTH cycles a fold, both at least, there is no cycle between folds.
module weight_source #(
    parameter int unsigned DEPTH        = 2,
    parameter int unsigned WIDTH        = 8,
    parameter bit          BLOCK        = 1'b0,
    parameter bit          STREAMED     = 1'b0,
    parameter int unsigned PASS_VECTORS = 1,
    parameter              FILE         = "rom.hex",
    localparam int unsigned ADDR_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 en_i,
    input  logic [ADDR_BITS-1:0] addr_i,
    input  logic                 done_i,
    output logic                 ready_o,
    output logic [    WIDTH-1:0] data_o,
    input  logic [    WIDTH-1:0] stream_data_i,
    input  logic                 stream_valid_i,
    output logic                 stream_ready_o
);
    if (STREAMED) begin : gen_stream
        localparam int unsigned INDEX_BITS = $clog2(2 * DEPTH);
        localparam int unsigned VECTOR_BITS = PASS_VECTORS > 1 ? $clog2(PASS_VECTORS) : 1;
        logic [1:0] full_q;
        logic read_bank_q, write_bank_q;
        logic [ADDR_BITS-1:0] write_q;
        logic [VECTOR_BITS-1:0] vector_q;
        logic take, bank_written, bank_done;
        logic [INDEX_BITS-1:0] read_index, write_index;

        assign ready_o = full_q[read_bank_q];
        assign stream_ready_o = !full_q[write_bank_q];
        assign take = stream_valid_i && stream_ready_o;
        assign bank_written = take && (DEPTH == 1 || write_q == ADDR_BITS'(DEPTH - 1));
        assign bank_done = done_i && (PASS_VECTORS == 1 || vector_q == VECTOR_BITS'(PASS_VECTORS - 1));
        assign read_index = INDEX_BITS'(addr_i) + (read_bank_q ? INDEX_BITS'(DEPTH) : '0);
        assign write_index = INDEX_BITS'(write_q) + (write_bank_q ? INDEX_BITS'(DEPTH) : '0);

        always_ff @(posedge clk_i) begin
            if (!rst_ni) begin
                full_q       <= '0;
                read_bank_q  <= 1'b0;
                write_bank_q <= 1'b0;
                write_q      <= '0;
                vector_q     <= '0;
            end else begin
                if (take) write_q <= bank_written ? '0 : write_q + ADDR_BITS'(DEPTH > 1);
                if (bank_written) begin
                    full_q[write_bank_q] <= 1'b1;
                    write_bank_q         <= !write_bank_q;
                end
                if (done_i) vector_q <= bank_done ? '0 : vector_q + VECTOR_BITS'(PASS_VECTORS > 1);
                if (bank_done) begin
                    full_q[read_bank_q] <= 1'b0;
                    read_bank_q         <= !read_bank_q;
                end
            end
        end

        frame_memory #(
            .DEPTH          (2 * DEPTH),
            .WIDTH          (WIDTH),
            .BLOCK          (BLOCK),
            .OUTPUT_REGISTER(BLOCK)
        ) i_banks (
            .clk_i,
            .write_i     (take),
            .write_addr_i(write_index),
            .write_data_i(stream_data_i),
            .read_i      (en_i),
            .read_addr_i (read_index),
            .read_data_o (data_o)
        );

`ifndef SYNTHESIS
        assert property (@(posedge clk_i) disable iff (!rst_ni) done_i |-> ready_o)
        else $error("weight_source: a vector was done without weights");
        assert property (@(posedge clk_i) disable iff (!rst_ni)
            stream_valid_i && !stream_ready_o |=> stream_valid_i && $stable(stream_data_i))
        else $error("weight_source: weights changed while stalled");
`endif
    end else begin : gen_rom
        logic unused;
        assign unused = ^{rst_ni, done_i, stream_data_i, stream_valid_i};
        assign ready_o = 1'b1;
        assign stream_ready_o = 1'b0;
        constant_rom #(
            .DEPTH          (DEPTH),
            .WIDTH          (WIDTH),
            .BLOCK          (BLOCK),
            .OUTPUT_REGISTER(BLOCK),
            .FILE           (FILE)
        ) i_rom (
            .clk_i,
            .en_i,
            .addr_i,
            .data_o
        );
    end
endmodule
