"""The hardware cores: header-only HLS C++ in hls/, SystemVerilog in rtl/, and the templates that instantiate them."""

from pathlib import Path

HLS_DIR = Path(__file__).parent / "hls"
RTL_DIR = Path(__file__).parent / "rtl"
