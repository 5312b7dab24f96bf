// Integrate-and-fire neurons of PE channels for STEPS time steps, new currents every INTERVAL clock cycles.
//
// As many neuron_serial units in a row as it takes: each works INTERVAL steps and hands potential, spikes and the
// currents of the later steps to the next one. INTERVAL >= STEPS is one unit, INTERVAL = 1 a pipeline of STEPS units.
// valid_i may be high every INTERVAL enabled cycles; spikes_o is valid while valid_o is high, STEPS cycles later.
// DONE_STEPS spikes of former units come in through spikes_i, and their potential through potential_i.
// CURRENTS: STEPS, or 1 when all steps share one current, or the first step alone has one (LATE). COMPLEMENT: their bits
// are inverted. No handshake: everything moves when en_i is high.
module neuron_chain #(
    parameter int unsigned PE             = 1,
    parameter int unsigned STEPS          = 4,
    parameter int unsigned DONE_STEPS     = 0,
    parameter int unsigned INTERVAL       = 1,
    parameter int unsigned CURRENTS       = 4,
    parameter int unsigned CURRENT_BITS   = 12,
    parameter bit          COMPLEMENT     = 1'b0,
    parameter int unsigned FRACTION_BITS  = 4,
    parameter int unsigned FRAC_BITS      = 4,
    parameter int unsigned POTENTIAL_BITS = 16,
    parameter int unsigned THRESHOLD_BITS = 16,
    parameter bit          LEAK           = 1'b0,
    parameter int unsigned LEAK_SHIFT     = 1,
    parameter bit          DELAYED        = 1'b0,
    parameter bit          LATE           = 1'b0,
    parameter bit          SOFT_RESET     = 1'b0,
    localparam int unsigned DONE_BITS = DONE_STEPS > 0 ? DONE_STEPS : 1,
    localparam int unsigned ALL_STEPS = DONE_STEPS + STEPS
) (
    input  logic                                clk_i,
    input  logic                                rst_ni,
    input  logic                                en_i,
    input  logic                                valid_i,
    input  logic [PE*CURRENTS*CURRENT_BITS-1:0] current_i,
    input  logic [        PE*FRACTION_BITS-1:0] fraction_i,
    input  logic [       PE*THRESHOLD_BITS-1:0] threshold_i,
    input  logic [       PE*POTENTIAL_BITS-1:0] potential_i,
    input  logic [            PE*DONE_BITS-1:0] spikes_i,
    output logic                                valid_o,
    output logic [            PE*ALL_STEPS-1:0] spikes_o
);
    localparam int unsigned HERE = STEPS < INTERVAL ? STEPS : INTERVAL;
    localparam int unsigned SPIKE_BITS = DONE_STEPS + HERE;
    localparam int unsigned REST = STEPS - HERE;

    logic [PE*SPIKE_BITS-1:0] spikes_before, spikes;
    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_before
        if (DONE_STEPS == 0) begin : gen_first
            assign spikes_before[pe*SPIKE_BITS+:SPIKE_BITS] = '0;
        end else begin : gen_later
            assign spikes_before[pe*SPIKE_BITS+:SPIKE_BITS] = {spikes_i[pe*DONE_BITS+:DONE_BITS], HERE'(0)};
        end
    end
    if (DONE_STEPS == 0) begin : gen_no_spikes
        logic unused;
        assign unused = ^spikes_i;
    end

    logic valid;
    logic [PE*CURRENTS*CURRENT_BITS-1:0] current;
    logic [PE*FRACTION_BITS-1:0] fraction;
    logic [PE*THRESHOLD_BITS-1:0] threshold;
    logic [PE*POTENTIAL_BITS-1:0] potential;
    neuron_serial #(
        .PE            (PE),
        .STEPS         (HERE),
        .UNROLL        (1),
        .CURRENTS      (CURRENTS),
        .CURRENT_BITS  (CURRENT_BITS),
        .COMPLEMENT    (COMPLEMENT),
        .FRACTION_BITS (FRACTION_BITS),
        .FRAC_BITS     (FRAC_BITS),
        .POTENTIAL_BITS(POTENTIAL_BITS),
        .THRESHOLD_BITS(THRESHOLD_BITS),
        .LEAK          (LEAK),
        .LEAK_SHIFT    (LEAK_SHIFT),
        .DELAYED       (DELAYED),
        .LATE          (LATE),
        .FIRST         (DONE_STEPS == 0),
        .SOFT_RESET    (SOFT_RESET),
        .SPIKE_BITS    (SPIKE_BITS)
    ) i_unit (
        .clk_i,
        .rst_ni,
        .en_i,
        .valid_i,
        .keep_i     (1'b0),
        .current_i,
        .fraction_i,
        .threshold_i,
        .potential_i,
        .spikes_i   (spikes_before),
        .valid_o    (valid),
        .current_o  (current),
        .fraction_o (fraction),
        .threshold_o(threshold),
        .potential_o(potential),
        .spikes_o   (spikes)
    );

    if (REST == 0) begin : gen_end
        logic unused;
        assign unused = ^{current, fraction, threshold, potential};
        assign valid_o = valid;
        assign spikes_o = spikes;
    end else begin : gen_rest
        localparam int unsigned REST_CURRENTS = CURRENTS == 1 ? 1 : REST;
        logic [PE*REST_CURRENTS*CURRENT_BITS-1:0] rest_current;
        for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
            assign rest_current[pe*REST_CURRENTS*CURRENT_BITS+:REST_CURRENTS*CURRENT_BITS] =
                current[((pe+1)*CURRENTS-REST_CURRENTS)*CURRENT_BITS+:REST_CURRENTS*CURRENT_BITS];
            if (CURRENTS > REST_CURRENTS) begin : gen_done
                logic unused;
                assign unused = ^current[pe*CURRENTS*CURRENT_BITS+:(CURRENTS-REST_CURRENTS)*CURRENT_BITS];
            end
        end
        neuron_chain #(
            .PE            (PE),
            .STEPS         (REST),
            .DONE_STEPS    (SPIKE_BITS),
            .INTERVAL      (INTERVAL),
            .CURRENTS      (REST_CURRENTS),
            .CURRENT_BITS  (CURRENT_BITS),
            .COMPLEMENT    (COMPLEMENT),
            .FRACTION_BITS (FRACTION_BITS),
            .FRAC_BITS     (FRAC_BITS),
            .POTENTIAL_BITS(POTENTIAL_BITS),
            .THRESHOLD_BITS(THRESHOLD_BITS),
            .LEAK          (LEAK),
            .LEAK_SHIFT    (LEAK_SHIFT),
            .DELAYED       (DELAYED),
            .LATE          (LATE),
            .SOFT_RESET    (SOFT_RESET)
        ) i_rest (
            .clk_i,
            .rst_ni,
            .en_i,
            .valid_i    (valid),
            .current_i  (rest_current),
            .fraction_i (fraction),
            .threshold_i(threshold),
            .potential_i(potential),
            .spikes_i   (spikes),
            .valid_o,
            .spikes_o
        );
    end
endmodule
