// AXI-Lite slave that reads and writes the registers of frame_shell.
//
// Behaviour: address and data of a write may come in any order; one write and one read are under way at a time. A
// write takes effect, and a read takes its value, in one cycle of the register bus; a write waiting for its response
// does not hold up a read, nor the other way round. Responses are OKAY, but a write of less than all four bytes does
// nothing and gets SLVERR. The two low address bits are not looked at.
//
// Handshake: every ready, valid and response comes from a register and is low in reset; a response stays until it is
// taken.
module axi_lite_registers (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [ 6:0] s_axi_awaddr,
    input  logic [ 2:0] s_axi_awprot,
    input  logic        s_axi_awvalid,
    output logic        s_axi_awready,
    input  logic [31:0] s_axi_wdata,
    input  logic [ 3:0] s_axi_wstrb,
    input  logic        s_axi_wvalid,
    output logic        s_axi_wready,
    output logic [ 1:0] s_axi_bresp,
    output logic        s_axi_bvalid,
    input  logic        s_axi_bready,
    input  logic [ 6:0] s_axi_araddr,
    input  logic [ 2:0] s_axi_arprot,
    input  logic        s_axi_arvalid,
    output logic        s_axi_arready,
    output logic [31:0] s_axi_rdata,
    output logic [ 1:0] s_axi_rresp,
    output logic        s_axi_rvalid,
    input  logic        s_axi_rready,
    output logic        reg_write_o,
    output logic [ 6:0] reg_addr_o,
    output logic [31:0] reg_wdata_o,
    input  logic [31:0] reg_rdata_i
);
    localparam bit [1:0] OKAY = 2'b00, SLVERR = 2'b10;

    // Each channel holds one transfer; ready is the inverse of held, but low in reset.
    logic aw_ready_q, w_ready_q, ar_ready_q, aw_held_q, w_held_q, ar_held_q;
    logic [6:0] awaddr_q, araddr_q;
    logic [31:0] wdata_q;
    logic w_whole_q;
    assign s_axi_awready = aw_ready_q;
    assign s_axi_wready = w_ready_q;
    assign s_axi_arready = ar_ready_q;

    // The register bus: a cycle to set its address, a cycle to use it. After a write its response is still there, so
    // that a waiting read has its turn.
    logic writing_q, reading_q, write_next, read_next;
    assign write_next = aw_held_q && w_held_q && !s_axi_bvalid && !writing_q && !reading_q;
    assign read_next = ar_held_q && !s_axi_rvalid && !writing_q && !reading_q && !write_next;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            {aw_ready_q, w_ready_q, ar_ready_q} <= '0;
            {aw_held_q, w_held_q, ar_held_q} <= '0;
            {writing_q, reading_q, s_axi_bvalid, s_axi_rvalid} <= '0;
        end else begin
            if (s_axi_awvalid && aw_ready_q) {aw_ready_q, aw_held_q} <= 2'b01;
            else if (writing_q || !aw_held_q) {aw_ready_q, aw_held_q} <= 2'b10;
            if (s_axi_wvalid && w_ready_q) {w_ready_q, w_held_q} <= 2'b01;
            else if (writing_q || !w_held_q) {w_ready_q, w_held_q} <= 2'b10;
            if (s_axi_arvalid && ar_ready_q) {ar_ready_q, ar_held_q} <= 2'b01;
            else if (reading_q || !ar_held_q) {ar_ready_q, ar_held_q} <= 2'b10;
            writing_q <= write_next;
            reading_q <= read_next;
            if (writing_q) s_axi_bvalid <= 1'b1;
            else if (s_axi_bready) s_axi_bvalid <= 1'b0;
            if (reading_q) s_axi_rvalid <= 1'b1;
            else if (s_axi_rready) s_axi_rvalid <= 1'b0;
        end
    end
    always_ff @(posedge clk_i) begin
        if (aw_ready_q) awaddr_q <= s_axi_awaddr;
        if (ar_ready_q) araddr_q <= s_axi_araddr;
        if (w_ready_q) begin
            wdata_q <= s_axi_wdata;
            w_whole_q <= &s_axi_wstrb;
        end
        reg_addr_o <= write_next ? awaddr_q : araddr_q;
        reg_write_o <= write_next && w_whole_q && rst_ni;
        if (writing_q) s_axi_bresp <= w_whole_q ? OKAY : SLVERR;
        if (reading_q) s_axi_rdata <= reg_rdata_i;
    end
    assign reg_wdata_o = wdata_q;
    assign s_axi_rresp = OKAY;

    logic unused;
    assign unused = ^{s_axi_awprot, s_axi_arprot};
endmodule
