// Integrate-and-fire neurons of PE channels that take UNROLL time steps per clock cycle.
//
// valid_i hands over one set of step currents (CURRENTS per channel; a single one is used for every step), the
// thresholds, the potential before the first step and the spikes so far. The unit then works for STEPS / UNROLL
// enabled cycles; in the last of them valid_o is high and potential_o and spikes_o hold the result. The next valid_i
// may come in that same cycle, but not earlier. Step currents behind the first STEPS are handed on unchanged.
//   IF :  V = V + current            LIF:  V = V - (V >>> LEAK_SHIFT) + current
//   spike = V >= threshold           hard reset: V = 0     soft reset: V = V - threshold
// DELAYED: the leak comes behind the comparison, V = V - (V >>> LEAK_SHIFT) and less the threshold after a spike.
// Everything is two's complement modulo 2^POTENTIAL_BITS: exact when that width holds V before and after the reset, and
// each current.
// LATE: the first step is given the one current, which is that of all steps, and the others none; in a row of units the
// one of the first steps is FIRST.
// keep_i with valid_i: go on with the potential that the unit holds instead of potential_i.
// COMPLEMENT: the bits of the currents, not of their fractions, are inverted. They are turned back as they are chosen: a
// LUT of their own before the registers would take the registers' enable in too.
// No handshake: everything moves when en_i is high.
module neuron_serial #(
    parameter int unsigned PE             = 1,
    parameter int unsigned STEPS          = 4,
    parameter int unsigned UNROLL         = 1,
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
    parameter bit          FIRST          = 1'b1,
    parameter bit          SOFT_RESET     = 1'b0,
    parameter int unsigned SPIKE_BITS     = 4
) (
    input  logic                                clk_i,
    input  logic                                rst_ni,
    input  logic                                en_i,
    input  logic                                valid_i,
    input  logic                                keep_i,
    input  logic [PE*CURRENTS*CURRENT_BITS-1:0] current_i,
    input  logic [        PE*FRACTION_BITS-1:0] fraction_i,
    input  logic [       PE*THRESHOLD_BITS-1:0] threshold_i,
    input  logic [       PE*POTENTIAL_BITS-1:0] potential_i,
    input  logic [           PE*SPIKE_BITS-1:0] spikes_i,
    output logic                                valid_o,
    output logic [PE*CURRENTS*CURRENT_BITS-1:0] current_o,
    output logic [        PE*FRACTION_BITS-1:0] fraction_o,
    output logic [       PE*THRESHOLD_BITS-1:0] threshold_o,
    output logic [       PE*POTENTIAL_BITS-1:0] potential_o,
    output logic [           PE*SPIKE_BITS-1:0] spikes_o
);
    localparam int unsigned CYCLES = STEPS / UNROLL;
    localparam int unsigned COUNT_BITS = CYCLES > 1 ? $clog2(CYCLES) : 1;
    // One bit more than both operands: the sign of potential - threshold is the comparison.
    localparam int unsigned OVER_BITS = (POTENTIAL_BITS > THRESHOLD_BITS ? POTENTIAL_BITS : THRESHOLD_BITS) + 1;

    // valid_o, which decides whether all of the pipeline may move, comes from a register: it is found a cycle before.
    logic busy_q, last;
    logic [COUNT_BITS-1:0] count_d;

    if (CYCLES == 1) begin : gen_one_cycle
        logic unused;
        assign count_d = '0;
        assign unused = ^count_d;
        assign last = busy_q;
    end else begin : gen_count
        logic [COUNT_BITS-1:0] count_q;
        logic last_q;
        assign count_d = (valid_i || last_q) ? '0 : count_q + COUNT_BITS'(busy_q);
        assign last = last_q;
        always_ff @(posedge clk_i) begin
            if (!rst_ni) begin
                count_q <= '0;
                last_q  <= 1'b0;
            end else if (en_i) begin
                count_q <= count_d;
                last_q  <= busy_q && !valid_i && count_q == COUNT_BITS'(CYCLES - 2);
            end
        end
    end
    assign valid_o = last;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) busy_q <= 1'b0;
        else if (en_i) busy_q <= valid_i || (busy_q && !last);
    end

    always_ff @(posedge clk_i) if (en_i && valid_i) threshold_o <= threshold_i;
    if (LATE && FIRST) begin : gen_given_once
        // Behind the first step there is no current.
        always_ff @(posedge clk_i) begin
            if (en_i) begin
                current_o  <= valid_i ? current_i : COMPLEMENT ? '1 : '0;
                fraction_o <= valid_i ? fraction_i : '0;
            end
        end
    end else begin : gen_given
        always_ff @(posedge clk_i) begin
            if (en_i && valid_i) begin
                current_o  <= current_i;
                fraction_o <= fraction_i;
            end
        end
    end

    function automatic logic [CURRENT_BITS-1:0] turned(input logic [CURRENT_BITS-1:0] given);
        turned = COMPLEMENT ? ~given : given;
    endfunction

    for (genvar pe = 0; pe < int'(PE); pe++) begin : gen_pe
        logic signed [POTENTIAL_BITS-1:0] potential_q;
        logic signed [POTENTIAL_BITS-1:0] potential_d;
        logic [UNROLL-1:0] fired;
        logic signed [THRESHOLD_BITS-1:0] threshold;
        assign threshold = threshold_o[pe*THRESHOLD_BITS+:THRESHOLD_BITS];
        assign potential_d = gen_step[UNROLL-1].new_potential;

        for (genvar u = 0; u < int'(UNROLL); u++) begin : gen_step
            logic [CURRENT_BITS-1:0] current;
            logic signed [POTENTIAL_BITS-1:0] old_potential, decayed, given, added, charged, left, new_potential;
            logic signed [OVER_BITS-1:0] over;
            logic spiked, sign;
            if (u == 0) begin : gen_first
                assign old_potential = potential_q;
            end else begin : gen_next
                assign old_potential = gen_step[u-1].new_potential;
            end
            if (CURRENTS == 1) begin : gen_shared
                assign current = turned(current_o[pe*CURRENTS*CURRENT_BITS+:CURRENT_BITS]);
            end else if (CYCLES == 1) begin : gen_fixed
                assign current = turned(current_o[(pe*CURRENTS+u)*CURRENT_BITS+:CURRENT_BITS]);
            end else begin : gen_select
                // The current of a step is picked in the cycle before it; that of the first is picked as it comes.
                logic [CURRENT_BITS-1:0] choice[2**COUNT_BITS];
                logic [CURRENT_BITS-1:0] current_q;
                assign choice[0] = current_i[(pe*CURRENTS+u)*CURRENT_BITS+:CURRENT_BITS];
                for (genvar c = 1; c < 2 ** int'(COUNT_BITS); c++) begin : gen_choice
                    // Steps that do not exist repeat the last one.
                    localparam int unsigned STEP = (c < CYCLES ? c : CYCLES - 1) * UNROLL + u;
                    assign choice[c] = current_o[(pe*CURRENTS+STEP)*CURRENT_BITS+:CURRENT_BITS];
                end
                always_ff @(posedge clk_i) if (en_i) current_q <= turned(choice[count_d]);
                assign current = current_q;
            end
            if (LEAK && !DELAYED) begin : gen_leak
                assign decayed = old_potential - (old_potential >>> LEAK_SHIFT);
            end else begin : gen_no_leak
                assign decayed = old_potential;
            end
            if (FRAC_BITS == 0) begin : gen_integer
                logic unused;
                assign unused = ^fraction_o;
                assign given = POTENTIAL_BITS'(signed'(current));
            end else begin : gen_fraction
                assign given = POTENTIAL_BITS'(signed'({current, fraction_o[pe*FRACTION_BITS+:FRACTION_BITS]}));
            end
            if (!LATE) begin : gen_each
                assign added = given;
            end else if (FIRST && u == 0) begin : gen_once
                assign added = given;
            end else begin : gen_nothing
                logic unused;
                assign unused = ^given;
                assign added = '0;
            end
            assign charged = decayed + added;
            // The sign is found beside the adder, so that the leak's adder and this one are not merged (sum_tree.sv).
            assign sign = decayed[POTENTIAL_BITS-1] == added[POTENTIAL_BITS-1] ? added[POTENTIAL_BITS-1]
                : charged[POTENTIAL_BITS-1];
            assign over = OVER_BITS'(signed'({sign, charged})) - OVER_BITS'(threshold);
            assign spiked = !over[OVER_BITS-1];
            assign fired[u] = spiked;
            if (SOFT_RESET) begin : gen_soft
                assign left = spiked ? POTENTIAL_BITS'(over) : charged;
            end else begin : gen_hard
                assign left = spiked ? '0 : charged;
            end
            if (!DELAYED) begin : gen_left
                assign new_potential = left;
            end else if (SOFT_RESET) begin : gen_leak_behind
                assign new_potential = left - (charged >>> LEAK_SHIFT);
            end else begin : gen_leak_of_rest
                assign new_potential = left - (left >>> LEAK_SHIFT);
            end
        end

        always_ff @(posedge clk_i) begin
            if (en_i) begin
                if (valid_i && !keep_i) potential_q <= potential_i[pe*POTENTIAL_BITS+:POTENTIAL_BITS];
                else if (busy_q) potential_q <= potential_d;
            end
        end
        assign potential_o[pe*POTENTIAL_BITS+:POTENTIAL_BITS] = potential_d;

        // The newest step enters at the top; step 0 has moved to bit 0 when all steps are done.
        logic [SPIKE_BITS-1:0] spikes_q;
        if (SPIKE_BITS == UNROLL) begin : gen_all_at_once
            logic unused;
            assign spikes_q = '0;
            assign unused = ^{spikes_q, spikes_i[pe*SPIKE_BITS+:SPIKE_BITS]};
            assign spikes_o[pe*SPIKE_BITS+:SPIKE_BITS] = fired;
        end else begin : gen_shift
            assign spikes_o[pe*SPIKE_BITS+:SPIKE_BITS] = {fired, spikes_q[SPIKE_BITS-1:UNROLL]};
            always_ff @(posedge clk_i) begin
                if (en_i) begin
                    if (valid_i && !keep_i) spikes_q <= spikes_i[pe*SPIKE_BITS+:SPIKE_BITS];
                    else if (busy_q) spikes_q <= spikes_o[pe*SPIKE_BITS+:SPIKE_BITS];
                end
            end
            logic unused;
            assign unused = ^spikes_q[UNROLL-1:0];
        end
    end

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni) en_i && valid_i |-> !busy_q || last)
    else $error("neuron_serial: new currents before the last step of the former ones");
`endif
endmodule
