# Step implementation: place, route, bitstream, and the reports that the plan reads.
#
# A design that misses its clock has a bitstream too; whoever reads the timing report says so.

source [file join [file dirname [file normalize [info script]]] common.tcl]

open_project project/spikefold.xpr
finish_run impl_1 -to_step write_bitstream
open_run impl_1
file mkdir reports
report_utilization -hierarchical -file reports/utilization.rpt
report_timing_summary -file reports/timing.rpt
report_power -file reports/power.rpt
file copy -force project/spikefold.runs/impl_1/spikefold_wrapper.bit spikefold.bit
close_project
