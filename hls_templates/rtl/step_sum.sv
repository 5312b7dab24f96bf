// Sum over T steps of unsigned STEP_BITS integers, for each of COUNT elements, combinational. Spikes (STEP_BITS = 1) are
// counted six at a time; of wider integers the ones of each bit are counted, and the counts added by their weights.
module step_sum #(
    parameter int unsigned COUNT     = 1,
    parameter int unsigned T         = 4,
    parameter int unsigned STEP_BITS = 1,
    localparam int unsigned OUT_BITS = $clog2(T * (2 ** STEP_BITS - 1) + 1)
) (
    input  logic [COUNT*T*STEP_BITS-1:0] data_i,
    output logic [   COUNT*OUT_BITS-1:0] sum_o
);
    if (STEP_BITS == 1) begin : gen_spikes
        popcount #(
            .COUNT(COUNT),
            .WIDTH(T)
        ) i_popcount (
            .data_i,
            .ones_o(sum_o)
        );
    end else begin : gen_planes
        localparam int unsigned ONES_BITS = $clog2(T + 1);
        // Bit b of all steps of element e: word e*STEP_BITS + b.
        logic [COUNT*STEP_BITS*T-1:0] planes;
        logic [COUNT*STEP_BITS*ONES_BITS-1:0] ones;
        popcount #(
            .COUNT(COUNT * STEP_BITS),
            .WIDTH(T)
        ) i_popcount (
            .data_i(planes),
            .ones_o(ones)
        );
        for (genvar e = 0; e < int'(COUNT); e++) begin : gen_element
            for (genvar t = 0; t < int'(T); t++) begin : gen_step
                for (genvar b = 0; b < int'(STEP_BITS); b++) begin : gen_bit
                    assign planes[(e*STEP_BITS+b)*T+t] = data_i[(e*T+t)*STEP_BITS+b];
                end
            end
            logic [OUT_BITS-1:0] total;
            always_comb begin
                total = '0;
                for (int unsigned b = 0; b < STEP_BITS; b++) begin
                    total = total + (OUT_BITS'(ones[(e*STEP_BITS+b)*ONES_BITS+:ONES_BITS]) << b);
                end
            end
            assign sum_o[e*OUT_BITS+:OUT_BITS] = total;
        end
    end
endmodule
