// One DSP slice as LANES accumulators of 48 / LANES bits, 1, 2 or 4 of them: sum = word + other + (first ? 0 : sum).
//
// word_i and first_i are registered here, and other_i and valid_i belong to those of the cycle before. Lanes lie side by
// side, lane 0 in the low bits. Everything moves when en_i is high, the sum only with valid_i.
// In synthesis it is the DSP48E1 of 7 series (UG479); for UltraScale+ the tool has to make a DSP48E2 of it.
module dsp_slice #(
    parameter int unsigned LANES = 4
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic        valid_i,
    input  logic        first_i,
    input  logic [47:0] word_i,
    input  logic [47:0] other_i,
    output logic [47:0] sum_o
);
`ifdef SYNTHESIS
    // OPMODE: Z is 0 or P, Y is C, X is A:B.
    DSP48E1 #(
        .ACASCREG     (1),
        .ADREG        (0),
        .ALUMODEREG   (0),
        .AREG         (1),
        .BCASCREG     (1),
        .BREG         (1),
        .CARRYINREG   (0),
        .CARRYINSELREG(0),
        .CREG         (0),
        .DREG         (0),
        .INMODEREG    (0),
        .MREG         (0),
        .OPMODEREG    (1),
        .PREG         (1),
        .USE_MULT     ("NONE"),
        .USE_SIMD     (LANES == 4 ? "FOUR12" : LANES == 2 ? "TWO24" : "ONE48")
    ) i_dsp (
        .CLK          (clk_i),
        .A            (word_i[47:18]),
        .B            (word_i[17:0]),
        .C            (other_i),
        .D            (25'd0),
        .P            (sum_o),
        .OPMODE       ({1'b0, !first_i, 5'b01111}),
        .ALUMODE      (4'b0000),
        .INMODE       (5'b00000),
        .CARRYIN      (1'b0),
        .CARRYINSEL   (3'b000),
        .CEA1         (1'b0),
        .CEA2         (en_i),
        .CEB1         (1'b0),
        .CEB2         (en_i),
        .CEP          (en_i && valid_i),
        .CECTRL       (en_i),
        .CEAD         (1'b0),
        .CEALUMODE    (1'b0),
        .CEC          (1'b0),
        .CECARRYIN    (1'b0),
        .CED          (1'b0),
        .CEINMODE     (1'b0),
        .CEM          (1'b0),
        .RSTA         (1'b0),
        .RSTALLCARRYIN(1'b0),
        .RSTALUMODE   (1'b0),
        .RSTB         (1'b0),
        .RSTC         (1'b0),
        .RSTCTRL      (1'b0),
        .RSTD         (1'b0),
        .RSTINMODE    (1'b0),
        .RSTM         (1'b0),
        .RSTP         (1'b0),
        .ACIN         (30'd0),
        .BCIN         (18'd0),
        .PCIN         (48'd0),
        .CARRYCASCIN  (1'b0),
        .MULTSIGNIN   (1'b0),
        .ACOUT        (),
        .BCOUT        (),
        .PCOUT        (),
        .CARRYCASCOUT (),
        .MULTSIGNOUT  (),
        .CARRYOUT     (),
        .OVERFLOW     (),
        .UNDERFLOW    (),
        .PATTERNDETECT(),
        .PATTERNBDETECT()
    );
`else
    localparam int unsigned BITS = 48 / LANES;
    logic [47:0] word_q;
    logic first_q;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            word_q  <= word_i;
            first_q <= first_i;
        end
    end
    for (genvar l = 0; l < int'(LANES); l++) begin : gen_lane
        always_ff @(posedge clk_i) begin
            if (en_i && valid_i) begin
                sum_o[l*BITS+:BITS] <= word_q[l*BITS+:BITS] + other_i[l*BITS+:BITS]
                    + (first_q ? '0 : sum_o[l*BITS+:BITS]);
            end
        end
    end
`endif
endmodule
