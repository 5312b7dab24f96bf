# Step synthesis: the block design, its cores out of context.

source [file join [file dirname [file normalize [info script]]] common.tcl]

open_project project/spikefold.xpr
# A core's run that failed or was interrupted keeps Vivado from launching synth_1 until it is reset.
foreach run [get_runs] {
    if {[get_property PROGRESS $run] ne "100%"} {
        reset_run $run
    }
}
finish_run synth_1
close_project
