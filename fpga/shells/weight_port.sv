// Between an accelerator that reads weights from memory and the memory: where they lie, and an AXI4 master that reads.
//
// Behaviour: the registers WEIGHTS_BASE and WEIGHTS_BASE_HIGH (frame_shell.sv) take the address. A write of the lower
// half is the last one: it sets set_o, the address stays until a reset, and reading begins. One that is no multiple of
// 4 KB does nothing. An answer other than OKAY sets error_o until a reset, and nothing more is asked for.
// A reset_i ends no transfer, which AXI does not allow: an address that was offered stays until it is taken, and all
// data that were asked for are taken and dropped; drained_o says that none are left. reset_i must stay until then.
//
// Bursts are those that the accelerator asks for, at most OUTSTANDING at a time (weight_reader.sv); as they begin at
// multiples of their length, and so does the base, none crosses a 4 KB boundary.
//
// Handshake: AXI4, reads only, one ID. Addresses and data pass through registers; rready is always high, since the
// accelerator has room for what it asks for.
module weight_port #(
    parameter int unsigned BUS_BITS    = 64,
    parameter int unsigned OUTSTANDING = 8
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                reset_i,
    input  logic                reg_write_i,
    input  logic [         6:0] reg_addr_i,
    input  logic [        31:0] reg_wdata_i,
    output logic [        63:0] base_o,
    output logic                set_o,
    output logic                error_o,
    output logic                drained_o,
    output logic                enable_o,
    // The accelerator.
    input  logic [        63:0] acc_araddr,
    input  logic [         7:0] acc_arlen,
    input  logic                acc_arvalid,
    output logic                acc_arready,
    output logic [BUS_BITS-1:0] acc_rdata,
    output logic                acc_rlast,
    output logic                acc_rvalid,
    input  logic                acc_rready,
    // The memory.
    output logic [        63:0] m_axi_araddr,
    output logic [         7:0] m_axi_arlen,
    output logic [         2:0] m_axi_arsize,
    output logic [         1:0] m_axi_arburst,
    output logic [         3:0] m_axi_arcache,
    output logic [         2:0] m_axi_arprot,
    output logic                m_axi_arvalid,
    input  logic                m_axi_arready,
    input  logic [BUS_BITS-1:0] m_axi_rdata,
    input  logic [         1:0] m_axi_rresp,
    input  logic                m_axi_rlast,
    input  logic                m_axi_rvalid,
    output logic                m_axi_rready
);
    localparam bit [4:0] BASE = 5'h10, BASE_HIGH = 5'h11;
    localparam int unsigned PAGE_BITS = 12;
    localparam int unsigned COUNT_BITS = $clog2(OUTSTANDING + 1);
    localparam int unsigned BUS_BYTES_LOG = $clog2(BUS_BITS / 8);
    localparam bit [1:0] OKAY = 2'b00, INCR = 2'b01;
    localparam bit [3:0] BUFFERABLE = 4'b0011;  // and modifiable, so that wider ports take a beat for two of ours

    // ---------------------------------------------------------------- where the weights lie
    logic [63:PAGE_BITS] base_q;
    logic set_q, error_q, low_written, high_written;
    assign low_written = reg_write_i && reg_addr_i[6:2] == BASE && reg_wdata_i[PAGE_BITS-1:0] == '0;
    assign high_written = reg_write_i && reg_addr_i[6:2] == BASE_HIGH;
    assign base_o = {base_q, PAGE_BITS'(0)};
    assign set_o = set_q;
    assign error_o = error_q;
    assign enable_o = set_q && !error_q;
    always_ff @(posedge clk_i) begin
        if (!rst_ni || reset_i) begin
            base_q <= '0;
            set_q  <= 1'b0;
        end else if (!set_q) begin
            if (low_written) base_q[31:PAGE_BITS] <= reg_wdata_i[31:PAGE_BITS];
            if (high_written) base_q[63:32] <= reg_wdata_i;
            set_q <= low_written;
        end
    end

    // ---------------------------------------------------------------- addresses
    logic ar_room, ar_taken, burst_came;
    logic [COUNT_BITS-1:0] outstanding_q;
    assign acc_arready = ar_room && !reset_i;
    assign ar_taken = acc_arvalid && acc_arready;
    stream_register #(
        .BITS(64 + 8)
    ) i_addresses (
        .clk_i,
        .clear_i    (!rst_ni),
        .in_data_i  ({acc_arlen, acc_araddr}),
        .in_valid_i (ar_taken),
        .in_ready_o (ar_room),
        .out_data_o ({m_axi_arlen, m_axi_araddr}),
        .out_valid_o(m_axi_arvalid),
        .out_ready_i(m_axi_arready)
    );
    assign m_axi_arsize = 3'(BUS_BYTES_LOG);
    assign m_axi_arburst = INCR;
    assign m_axi_arcache = BUFFERABLE;
    assign m_axi_arprot = 3'b000;

    // ---------------------------------------------------------------- data
    assign m_axi_rready = 1'b1;
    assign burst_came = m_axi_rvalid && m_axi_rlast;
    assign drained_o = outstanding_q == '0;
    always_ff @(posedge clk_i) begin
        if (!rst_ni) outstanding_q <= '0;
        else outstanding_q <= outstanding_q + COUNT_BITS'(ar_taken) - COUNT_BITS'(burst_came);
    end
    always_ff @(posedge clk_i) begin
        acc_rdata <= m_axi_rdata;
        acc_rlast <= m_axi_rlast;
        if (!rst_ni || reset_i) begin
            acc_rvalid <= 1'b0;
            error_q    <= 1'b0;
        end else begin
            acc_rvalid <= m_axi_rvalid;
            if (m_axi_rvalid && m_axi_rresp != OKAY) error_q <= 1'b1;
        end
    end

    logic unused;
    assign unused = ^{reg_addr_i[1:0], acc_rready};

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni) ar_taken |-> outstanding_q < COUNT_BITS'(OUTSTANDING))
    else $error("weight_port: more bursts under way than there may be");
    assert property (@(posedge clk_i) disable iff (!rst_ni) reset_i |=> reset_i || drained_o)
    else $error("weight_port: a reset ended while data were under way");
    assert property (@(posedge clk_i) disable iff (!rst_ni || reset_i) acc_rvalid |-> acc_rready)
    else $error("weight_port: data came that the accelerator has no room for");
`endif
endmodule
