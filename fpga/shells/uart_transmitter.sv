// Sends 8N1 bytes at a bit time given in 1/8 cycles.
//
// The edges of a byte's bits are those of the exact bit time, each moved to the clock edge before it.
//
// Handshake: data_i is taken where valid_i and ready_o meet; ready_o is a register, high while no byte is on the line,
// its stop bit included. bit_time_i does not change in a byte.
module uart_transmitter (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [17:0] bit_time_i,
    input  logic [ 7:0] data_i,
    input  logic        valid_i,
    output logic        ready_o,
    output logic        tx_o
);
    localparam int unsigned PHASE_BITS = 20;
    localparam int unsigned BITS = 10;
    localparam int unsigned LAG = 16;  // the first bit's, as the two cycles take that its start and its end need

    logic ready_q, tx_q, tick, takes;
    logic [BITS-2:0] rest_q;  // bits after the present one, the stop bit on top
    logic [3:0] left_q;
    logic signed [PHASE_BITS-1:0] phase_q, step_q;
    assign ready_o = ready_q;
    assign tx_o = tx_q;
    assign tick = phase_q[PHASE_BITS-1];
    assign takes = valid_i && ready_q;

    always_ff @(posedge clk_i) begin
        step_q <= PHASE_BITS'(bit_time_i) - PHASE_BITS'(8);
        if (ready_q) phase_q <= PHASE_BITS'(bit_time_i) - PHASE_BITS'(LAG);
        else phase_q <= phase_q + (tick ? step_q : -PHASE_BITS'(8));
    end
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            ready_q <= 1'b1;
            tx_q <= 1'b1;
        end else if (takes) begin
            ready_q <= 1'b0;
            tx_q <= 1'b0;
            left_q <= 4'(BITS - 1);
        end else if (!ready_q && tick) begin
            ready_q <= left_q == '0;
            tx_q <= rest_q[0] || left_q == '0;
            left_q <= left_q - 1'b1;
        end
    end
    always_ff @(posedge clk_i) begin
        if (takes) rest_q <= {1'b1, data_i};
        else if (tick) rest_q <= {1'b1, rest_q[BITS-2:1]};
    end
endmodule
