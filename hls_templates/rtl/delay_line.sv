// Delays a word by DEPTH enabled clock cycles; DEPTH = 0 is a wire.
//
// No handshake: every stage moves when en_i is high and holds otherwise. With RESET = 1 all stages are zero after
// reset (use it for valid bits).
module delay_line #(
    parameter int unsigned WIDTH = 1,
    parameter int unsigned DEPTH = 1,
    parameter bit          RESET = 1'b1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             en_i,
    input  logic [WIDTH-1:0] data_i,
    output logic [WIDTH-1:0] data_o
);
    if (DEPTH == 0) begin : gen_wire
        logic unused;
        assign unused = ^{clk_i, rst_ni, en_i};
        assign data_o = data_i;
    end else begin : gen_stages
        logic [DEPTH*WIDTH-1:0] stages_q, stages_d;
        assign stages_d = (DEPTH * WIDTH)'({stages_q, data_i});
        assign data_o = stages_q[(DEPTH-1)*WIDTH+:WIDTH];
        if (RESET) begin : gen_reset
            always_ff @(posedge clk_i) begin
                if (!rst_ni) stages_q <= '0;
                else if (en_i) stages_q <= stages_d;
            end
        end else begin : gen_no_reset
            logic unused;
            assign unused = rst_ni;
            always_ff @(posedge clk_i) if (en_i) stages_q <= stages_d;
        end
    end
endmodule
