// Ports and parameters of the DSP48E1 (UG953) as dsp_slice.sv uses them: slang knows none of Yosys' own cells.
(* blackbox *)
module DSP48E1 #(
    parameter ACASCREG = 1, ADREG = 1, ALUMODEREG = 1, AREG = 1, BCASCREG = 1, BREG = 1, CARRYINREG = 1,
    parameter CARRYINSELREG = 1, CREG = 1, DREG = 1, INMODEREG = 1, MREG = 1, OPMODEREG = 1, PREG = 1,
    parameter USE_MULT = "MULTIPLY", USE_SIMD = "ONE48"
) (
    input  CLK, CARRYIN, CARRYCASCIN, MULTSIGNIN,
    input  CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
    input  RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
    input  [2:0] CARRYINSEL,
    input  [3:0] ALUMODE,
    input  [4:0] INMODE,
    input  [6:0] OPMODE,
    input  [17:0] B, BCIN,
    input  [24:0] D,
    input  [29:0] A, ACIN,
    input  [47:0] C, PCIN,
    output CARRYCASCOUT, MULTSIGNOUT, OVERFLOW, UNDERFLOW, PATTERNDETECT, PATTERNBDETECT,
    output [3:0] CARRYOUT,
    output [17:0] BCOUT,
    output [29:0] ACOUT,
    output [47:0] P, PCOUT
);
endmodule
