// COUNT accumulators in DSP slices: four of up to 12 bits to a slice, two of up to 24, or one of up to 48.
//
// A slice adds a word, a start and its own result in each cycle (UG479: OPMODE, USE_SIMD), which in look-up tables takes
// one for each bit and sum. Logic is written out, since Yosys takes an adder into a slice but not the choice between
// result and start, and four-lane slices have no other name in Vivado.
//
// With valid_i: sum of lane l = (first_i ? 0 : sum before) + word_i[l*WORD_BITS +: WORD_BITS], which is signed or so wide
// that it does not matter, + carry_i[l] + (first_i ? start_i[l] : 0), modulo 2^SUM_BITS. Lanes that share a start are
// neighbours: lane l has start_i[(l/SHARED)*SUM_BITS +: SUM_BITS].
// CARRY: carries lie in a bit below the sum; with CARRY_IN_START in the lowest one of the start instead, which is taken
// as 0 then: it costs no bit where the lowest one of the sum is known.
// No handshake: everything moves when en_i is high; a sum is at sum_o two enabled cycles after its word.
module dsp_sums #(
    parameter int unsigned COUNT          = 4,
    parameter int unsigned SHARED         = 4,
    parameter int unsigned WORD_BITS      = 8,
    parameter int unsigned SUM_BITS       = 12,
    parameter bit          CARRY          = 1'b0,
    parameter bit          CARRY_IN_START = 1'b0
) (
    input  logic                             clk_i,
    input  logic                             rst_ni,
    input  logic                             en_i,
    input  logic                             valid_i,
    input  logic                             first_i,
    input  logic [      COUNT*WORD_BITS-1:0] word_i,
    input  logic [                COUNT-1:0] carry_i,
    input  logic [COUNT/SHARED*SUM_BITS-1:0] start_i,
    output logic [       COUNT*SUM_BITS-1:0] sum_o
);
    localparam int unsigned BELOW = CARRY && !CARRY_IN_START ? 1 : 0;
    localparam int unsigned LANE_BITS = SUM_BITS + BELOW;
    localparam int unsigned PER_SLICE = LANE_BITS <= 12 ? 4 : LANE_BITS <= 24 ? 2 : 1;
    localparam int unsigned FIELD_BITS = 48 / PER_SLICE;
    localparam int unsigned SLICES = (COUNT + PER_SLICE - 1) / PER_SLICE;

    logic valid_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_q <= 1'b0;
        else if (en_i) valid_q <= valid_i;
    end

    // What a start adds is there in the first cycle only: registers that are reset in all others.
    logic [COUNT/SHARED*SUM_BITS-1:0] start_q;
    logic [COUNT-1:0] carry_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            if (!first_i) start_q <= '0;
            else start_q <= start_i;
            carry_q <= carry_i;
        end
    end
    if (!CARRY) begin : gen_no_carry
        logic unused;
        assign unused = ^carry_q;
    end

    // Words that are registered in the slice, and what is added to them in the cycle after.
    logic [SLICES*48-1:0] words, others, results;
    for (genvar f = 0; f < int'(SLICES * PER_SLICE); f++) begin : gen_field
        if (f < COUNT) begin : gen_lane
            logic [SUM_BITS-1:0] start;
            logic [LANE_BITS-1:0] word, other;
            assign start = start_q[f/SHARED*SUM_BITS+:SUM_BITS];
            if (BELOW > 0) begin : gen_below
                assign word  = {SUM_BITS'(signed'(word_i[f*WORD_BITS+:WORD_BITS])), carry_i[f]};
                assign other = {start, carry_q[f]};
            end else begin : gen_whole
                assign word = SUM_BITS'(signed'(word_i[f*WORD_BITS+:WORD_BITS]));
                if (CARRY) begin : gen_in_start
                    logic unused;
                    assign unused = start[0];
                    assign other  = {start[SUM_BITS-1:1], carry_q[f]};
                end else begin : gen_start
                    assign other = start;
                end
            end
            assign words[f*FIELD_BITS+:FIELD_BITS] = FIELD_BITS'(word);
            assign others[f*FIELD_BITS+:FIELD_BITS] = FIELD_BITS'(other);
            assign sum_o[f*SUM_BITS+:SUM_BITS] = results[f*FIELD_BITS+BELOW+:SUM_BITS];
        end else begin : gen_no_lane
            assign words[f*FIELD_BITS+:FIELD_BITS]  = '0;
            assign others[f*FIELD_BITS+:FIELD_BITS] = '0;
        end
    end
    for (genvar s = 0; s < int'(SLICES); s++) begin : gen_slice
        dsp_slice #(
            .LANES(PER_SLICE)
        ) i_slice (
            .clk_i,
            .en_i,
            .valid_i(valid_q),
            .first_i,
            .word_i (words[s*48+:48]),
            .other_i(others[s*48+:48]),
            .sum_o  (results[s*48+:48])
        );
    end
    logic unused;
    assign unused = ^results;
endmodule
