"""An accelerator that hangs, as a rendered rtl/: frames of 4 bytes give their sum, but for 0xEE first."""

from __future__ import annotations

import json
from pathlib import Path

FRAME_BYTES = 4
HANGS = 0xEE
SHAPE = (2, 2, 1)
_MODULE = """
module accelerator (
    input  wire        ap_clk,
    input  wire        ap_rst_n,
    input  wire [ 7:0] s_axis_0_tdata,
    input  wire        s_axis_0_tvalid,
    output wire        s_axis_0_tready,
    output wire [15:0] m_axis_0_tdata,
    output wire        m_axis_0_tvalid,
    input  wire        m_axis_0_tready
);
    reg hangs, full;
    reg [1:0] count;
    reg [15:0] sum;
    assign s_axis_0_tready = !full && ap_rst_n;
    assign m_axis_0_tdata = sum;
    assign m_axis_0_tvalid = full && !hangs;
    always @(posedge ap_clk) begin
        if (!ap_rst_n) begin
            {hangs, full, count, sum} <= 0;
        end else if (s_axis_0_tvalid && s_axis_0_tready) begin
            if (count == 0 && s_axis_0_tdata == 8'hEE) hangs <= 1;
            sum <= (count == 0 ? 16'd0 : sum) + {8'd0, s_axis_0_tdata};
            count <= count + 1;
            full <= count == 3;
        end else if (m_axis_0_tvalid && m_axis_0_tready) begin
            full <= 0;
        end
    end
endmodule
"""


def hanging_rtl(folder: Path) -> Path:
    """Write the accelerator and its nodes.json."""
    rtl = folder / "rtl"
    rtl.mkdir(parents=True)
    (rtl / "accelerator.sv").write_text(_MODULE)
    content = {
        "top": "accelerator",
        "bound": FRAME_BYTES + 1,
        "input": {"lanes": 1, "element_bits": 8, "signed": False, "words": FRAME_BYTES},
        "output": {"lanes": 1, "element_bits": 16, "signed": True, "words": 1},
        "files": ["accelerator.sv"],
        "nodes": [],
        "edges": [],
    }
    (rtl / "nodes.json").write_text(json.dumps(content))
    (rtl / "files.txt").write_text("accelerator.sv\n")
    return rtl
