// FIFO of a simulation that sizes FIFOs: takes the place of FINN's module `fifo`, with a depth chosen at run time.
//
// The argument +PATH=N (PATH as $display's %m, in place of the instance) sets the depth in words; DEPTH without one. At
// a depth of 0 the streams are connected. Like FINN's FIFO it takes no word while it is full, even where it gives one.
// At the end it prints "occupancy PATH WORDS", the most that were in it.
module fifo #(
    int unsigned DEPTH = 2,
    int unsigned DATA_WIDTH = 8,
    parameter RAM_STYLE = "auto"
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic [DATA_WIDTH-1:0] idat,
    input  logic                  ivld,
    output logic                  irdy,
    output logic [DATA_WIDTH-1:0] odat,
    output logic                  ovld,
    input  logic                  ordy,
    output logic [31:0]           count,
    output logic [31:0]           maxcount
);
    int unsigned depth = DEPTH;
    string path;
    initial begin
        path = $sformatf("%m");
        void'($value$plusargs({path, "=%d"}, depth));
    end

    logic [DATA_WIDTH-1:0] words[$];
    logic [DATA_WIDTH-1:0] first;
    int unsigned held = 0;
    int unsigned most = 0;

    always_ff @(posedge clk) begin
        if (rst) begin
            words.delete();
            held <= 0;
        end else if (depth != 0) begin
            if (ovld && ordy) void'(words.pop_front());
            if (ivld && irdy) words.push_back(idat);
            held <= words.size();
            if (words.size() != 0) first <= words[0];
            if (words.size() > most) most <= words.size();
        end
    end

    assign irdy = depth == 0 ? ordy : held < depth;
    assign ovld = depth == 0 ? ivld : held != 0;
    assign odat = depth == 0 ? idat : first;
    assign count = held;
    assign maxcount = most;
    final $display("occupancy %m %0d", most);
endmodule
