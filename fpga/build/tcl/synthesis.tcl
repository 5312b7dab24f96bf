# Step synthesis: the block design, its cores out of context.

source [file join [file dirname [file normalize [info script]]] common.tcl]

open_project project/spikefold.xpr
finish_run synth_1
close_project
