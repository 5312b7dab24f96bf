# Step reports of FINN's shell: what Vivado says of the design that FINN's back end implemented.

source [file join [file dirname [file normalize [info script]]] common.tcl]

open_project link/finn_zynq_link.xpr
open_run impl_1
file mkdir reports
report_utilization -hierarchical -file reports/utilization.rpt
report_timing_summary -file reports/timing.rpt
report_power -file reports/power.rpt
close_project
