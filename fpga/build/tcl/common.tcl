# What all steps share: the settings of this build, the accepted versions of Vivado, and the newest version of an IP core.
#
# Vivado runs in the folder of the plan, so that relative paths are those of the plan.

source [file join [file dirname [file normalize [info script]]] settings.tcl]

# The step ends here where this is no version that the plan was written for.
proc check_version {} {
    global settings
    set found [version -short]
    foreach accepted $settings(vivado_versions) {
        if {$found eq $accepted || [string match "$accepted.*" $found]} {
            return
        }
    }
    error "Vivado [join $settings(vivado_versions) {, }] is needed, and this is $found"
}

# VLNV of a core in the catalog of this Vivado; a version has a new major number where ports or parameters changed, so
# that the one is named here and the minor number is the catalog's.
proc catalog_ip {name major} {
    set found [lsort -dictionary [get_ipdefs -all "xilinx.com:ip:$name:$major.*"]]
    if {$found eq ""} {
        error "the catalog of Vivado [version -short] has no $name of version $major"
    }
    return [lindex $found end]
}

# Run synthesis or implementation to its end, or end the step with what Vivado says of it.
proc finish_run {run args} {
    global settings
    reset_run $run
    launch_runs $run -jobs $settings(jobs) {*}$args
    wait_on_run $run
    if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
        error "$run did not finish: [get_property STATUS [get_runs $run]]; its log is [get_property DIRECTORY [get_runs $run]]/runme.log"
    }
}

check_version
