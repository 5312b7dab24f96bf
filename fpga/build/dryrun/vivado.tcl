# A stand-in for Vivado's batch mode that checks what it is told and builds nothing.
#
#   tclsh vivado.tcl -version | -mode batch [-nolog -nojournal -notrace] -source SCRIPT
#
# SPIKEFOLD_DRY_RELEASE is the version that it says it is, SPIKEFOLD_DRY_RUN names a file with what is expected of the design (a Tcl dictionary: release, part, clock_mhz,
# port_bits, input_frame_bytes, output_frame_bytes; empty where nothing is). The first finding ends it with status 1.

namespace eval dry {
    variable here [file dirname [file normalize [info script]]]
    variable expected [dict create release 2023.1 part "" clock_mhz "" port_bits "" input_frame_bytes "" output_frame_bytes ""]
    if {[info exists ::env(SPIKEFOLD_DRY_RUN)]} {
        set channel [open $::env(SPIKEFOLD_DRY_RUN)]
        set expected [dict merge $expected [read $channel]]
        close $channel
    }
    variable release [dict get $expected release]
    if {[info exists ::env(SPIKEFOLD_DRY_RELEASE)]} {
        set release $::env(SPIKEFOLD_DRY_RELEASE)
    }
}

if {[lindex $argv 0] eq "-version"} {
    puts "Vivado v$dry::release (dry run)"
    exit 0
}
foreach dry::part {commands catalog project packager block_design addresses check finn} {
    source [file join $dry::here $dry::part.tcl]
}
if {[set dry::at [lsearch -exact $argv -source]] < 0} {
    dry::say "ERROR: \[dry run\] vivado was given no -source: $argv"
    exit 1
}
set dry::script [lindex $argv $dry::at+1]

set argv {}
set argc 0
dry::run $dry::script
