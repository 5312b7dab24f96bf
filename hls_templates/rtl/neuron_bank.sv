// Integrate-and-fire neurons on a stream of sums.
//
// Reads words of PE channels with T signed sums each (lane channel*T + step; with STATIC_SUMS one sum that is the same
// at every step) and writes words of PE spike trains of T bits. A step adds (sign * sum << FRAC_BITS) + bias to the
// potential. TP steps are worked per clock cycle, so that a word takes T/TP cycles.
// Neuron ROM: CHANNELS/PE words, per pe from the low bits {bias, threshold, sign} of BIAS_BITS, THRESHOLD_BITS and
// 2 bits, bias and threshold scaled by 2^FRAC_BITS; without SIGNS there is no sign and all are +1. A negative sign
// inverts the bits of the sum, and its bias is 2^FRAC_BITS more: -sum = ~sum + 1.
// HALF_START: the potential starts at half = threshold >>> 1 (DELAYED: half - (half >>> LEAK_SHIFT)), else at 0.
// DELAYED: neurons leak behind the comparison (neuron_serial.sv).
// LATE: neurons fire on what all steps add up to (neuron_serial.sv); the bias in the ROM is that of all steps.
//
// Handshake: AXI streams. in_ready_o does not depend on in_valid_i. out_valid_o and out_data_o come from registers and
// stay until out_ready_i. The pipeline stalls only while both places of output_stage.sv are occupied. No combinational
// path crosses the module. Sustained rate: one word every T/TP cycles.
module neuron_bank #(
    parameter int unsigned CHANNELS       = 4,
    parameter int unsigned PE             = 1,
    parameter int unsigned T              = 4,
    parameter int unsigned TP             = 4,
    parameter bit          STATIC_SUMS    = 1'b0,
    parameter int unsigned SUM_BITS       = 12,
    parameter bit          SIGNS          = 1'b0,
    parameter bit          LEAK           = 1'b0,
    parameter int unsigned LEAK_SHIFT     = 1,
    parameter bit          DELAYED        = 1'b0,
    parameter bit          LATE           = 1'b0,
    parameter bit          SOFT_RESET     = 1'b0,
    parameter bit          HALF_START     = 1'b0,
    parameter int unsigned FRAC_BITS      = 4,
    parameter int unsigned POTENTIAL_BITS = 16,
    parameter int unsigned BIAS_BITS      = 12,
    parameter int unsigned THRESHOLD_BITS = 12,
    parameter              NEURON_FILE    = "neurons.hex",
    localparam int unsigned STEPS    = STATIC_SUMS ? 1 : T,
    localparam int unsigned IN_BITS  = PE * STEPS * SUM_BITS,
    localparam int unsigned OUT_BITS = PE * T
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
    localparam int unsigned NF = CHANNELS / PE;
    localparam int unsigned NF_BITS = NF > 1 ? $clog2(NF) : 1;
    localparam int unsigned INTERVAL = T / TP;
    localparam int unsigned WAIT_BITS = INTERVAL > 1 ? $clog2(INTERVAL) : 1;

    // Modulo arithmetic at the width of the result is exact, and currents need no more bits than the potential has
    // above the binary point.
    localparam int unsigned BIAS_HIGH_BITS = BIAS_BITS > FRAC_BITS ? BIAS_BITS - FRAC_BITS : 1;
    localparam int unsigned TOTAL_BITS = LATE ? SUM_BITS + $clog2(T) : SUM_BITS;
    localparam int unsigned BIASED_BITS = (TOTAL_BITS > BIAS_HIGH_BITS ? TOTAL_BITS : BIAS_HIGH_BITS) + 1;
    localparam int unsigned ROOM_BITS = POTENTIAL_BITS > FRAC_BITS ? POTENTIAL_BITS - FRAC_BITS : 1;
    localparam int unsigned CURRENT_BITS = BIASED_BITS < ROOM_BITS ? BIASED_BITS : ROOM_BITS;
    localparam int unsigned FRACTION_BITS = FRAC_BITS > 0 ? FRAC_BITS : 1;
    localparam int unsigned STRIDE = BIAS_BITS + THRESHOLD_BITS + (SIGNS ? 2 : 0);

    // ---------------------------------------------------------------- a word and its constants
    logic en, ready, take, waiting, taken_q;
    logic [NF_BITS-1:0] nf_q;
    logic [IN_BITS-1:0] word_q;
    logic [PE*STRIDE-1:0] constants;

    if (INTERVAL == 1) begin : gen_every_cycle
        assign waiting = 1'b0;
    end else begin : gen_wait
        logic [WAIT_BITS-1:0] wait_q;
        always_ff @(posedge clk_i) begin
            if (!rst_ni) wait_q <= '0;
            else if (en) wait_q <= take ? WAIT_BITS'(INTERVAL - 1) : wait_q - WAIT_BITS'(waiting);
        end
        assign waiting = wait_q != '0;
    end
    assign in_ready_o = ready && !waiting;
    assign take = in_valid_i && in_ready_o;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            taken_q <= 1'b0;
            nf_q    <= '0;
        end else if (en) begin
            taken_q <= take;
            if (take) nf_q <= (NF == 1 || nf_q == NF_BITS'(NF - 1)) ? '0 : nf_q + NF_BITS'(1);
        end
    end
    always_ff @(posedge clk_i) if (take) word_q <= in_data_i;

    constant_rom #(
        .DEPTH(NF),
        .WIDTH(PE * STRIDE),
        .BLOCK(1'b0),
        .FILE (NEURON_FILE)
    ) i_constants (
        .clk_i,
        .en_i  (en),
        .addr_i(nf_q),
        .data_o(constants)
    );

    // ---------------------------------------------------------------- currents
    localparam int unsigned CURRENTS = LATE ? 1 : STEPS;
    logic [PE*CURRENTS*CURRENT_BITS-1:0] current;
    logic [PE*FRACTION_BITS-1:0] fraction;
    logic [PE*THRESHOLD_BITS-1:0] threshold;
    logic [PE*POTENTIAL_BITS-1:0] initial_potential;
    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        logic signed [BIAS_BITS-1:0] bias, bias_high;
        logic signed [THRESHOLD_BITS-1:0] level, half, start;
        logic inverts, counts, unused;
        assign bias = constants[pe*STRIDE+:BIAS_BITS];
        assign bias_high = bias >>> FRAC_BITS;
        assign level = constants[pe*STRIDE+BIAS_BITS+:THRESHOLD_BITS];
        assign half = level >>> 1;
        assign start = DELAYED ? half - (half >>> LEAK_SHIFT) : half;
        assign unused = ^{bias_high, start};
        assign fraction[pe*FRACTION_BITS+:FRACTION_BITS] = FRACTION_BITS'(bias);
        assign threshold[pe*THRESHOLD_BITS+:THRESHOLD_BITS] = level;
        assign initial_potential[pe*POTENTIAL_BITS+:POTENTIAL_BITS] = HALF_START ? POTENTIAL_BITS'(start) : '0;
        if (SIGNS) begin : gen_sign
            // Two's complement: +1 is 01, 0 is 00, -1 is 11.
            assign {inverts, counts} = constants[pe*STRIDE+BIAS_BITS+THRESHOLD_BITS+:2];
        end else begin : gen_no_sign
            assign {inverts, counts} = 2'b01;
        end
        for (genvar t = 0; t < int'(STEPS); t++) begin : gen_step
            logic signed [SUM_BITS-1:0] sum, signed_sum;
            // Where no sign lets the sum through, the current is narrower than it.
            logic unused_sum;
            assign unused_sum = ^signed_sum;
            assign sum = word_q[(pe*STEPS+t)*SUM_BITS+:SUM_BITS];
            assign signed_sum = (sum & {SUM_BITS{counts}}) ^ {SUM_BITS{inverts}};
            if (!LATE) begin : gen_each
                assign current[(pe*STEPS+t)*CURRENT_BITS+:CURRENT_BITS] =
                    CURRENT_BITS'(signed_sum) + CURRENT_BITS'(bias_high);
            end else begin : gen_total
                logic signed [CURRENT_BITS-1:0] earlier, given, total;
                constant_times #(
                    .WIDTH(CURRENT_BITS),
                    .TIMES(T / STEPS)
                ) i_times (
                    .data_i   (CURRENT_BITS'(signed_sum)),
                    .product_o(given)
                );
                if (t == 0) begin : gen_bias
                    assign earlier = CURRENT_BITS'(bias_high);
                end else begin : gen_earlier
                    assign earlier = gen_step[t-1].gen_total.total;
                end
                assign total = earlier + given;
            end
        end
        if (LATE) begin : gen_late
            assign current[pe*CURRENT_BITS+:CURRENT_BITS] = gen_step[STEPS-1].gen_total.total;
        end
    end

    // ---------------------------------------------------------------- neurons
    logic result_valid;
    logic [OUT_BITS-1:0] result;
    neuron_chain #(
        .PE            (PE),
        .STEPS         (T),
        .DONE_STEPS    (0),
        .INTERVAL      (INTERVAL),
        .CURRENTS      (CURRENTS),
        .CURRENT_BITS  (CURRENT_BITS),
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
        .valid_i    (taken_q),
        .current_i  (current),
        .fraction_i (fraction),
        .threshold_i(threshold),
        .potential_i(initial_potential),
        .spikes_i   ('0),
        .valid_o    (result_valid),
        .spikes_o   (result)
    );

    // ---------------------------------------------------------------- output
    output_stage #(
        .BITS       (OUT_BITS),
        .EVERY_CYCLE(INTERVAL == 1)
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
    else $error("neuron_bank: output changed while stalled");
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
    else $error("neuron_bank: input changed while stalled");
`endif
endmodule
