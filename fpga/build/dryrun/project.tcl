# Projects, files, runs and reports. A project is kept in its .xpr, so that the next step of the plan opens it again.

namespace eval dry {
    variable project ""
    array set state {}
    array set packaged {}
}

proc dry::need_project {what} {
    variable project
    if {$project eq ""} {
        finding "$what: no project is open"
    }
}

proc dry::write_file {path text} {
    file mkdir [file dirname $path]
    set channel [open $path w]
    puts $channel $text
    close $channel
}

proc dry::read_file {path} {
    set channel [open $path]
    set text [read $channel]
    close $channel
    return $text
}

proc dry::open_new {name folder part} {
    variable project
    variable state
    if {$project ne ""} {
        finding "a project is open already: $project"
    }
    if {![regexp {^(xc7z|xczu|xck)[0-9a-z]+-[a-zA-Z0-9]+-?[0-9A-Za-z-]*$} $part] && ![regexp {^xc7z\d+[a-z]+\d+-\d$} $part]} {
        finding "$part is no part of Zynq"
    }
    set project $name
    array unset state
    array set state [list name $name folder $folder part $part files {} top "" validated 0 wrapper "" generated 0 \
        synthesised 0 implemented 0 open_run ""]
    create project $name PART $part DIRECTORY [file normalize $folder]
    create fileset sources_1
    create fileset constrs_1
    create fileset sim_1
    foreach run {synth_1 impl_1} {
        create run $run PROGRESS 0% STATUS "Not started" DIRECTORY [file join $folder $name.runs $run]
    }
}

proc dry::save_project {} {
    variable state
    set state(top) [value sources_1 TOP $state(top)]
    write_file [file join $state(folder) $state(name).xpr] [array get state]
}

command version {-short} {} {0 0} {
    return [expr {[info exists option(-short)] ? $::dry::release : "Vivado v$::dry::release (dry run)"}]
}

command create_project {-force -in_memory} {-part} {1 2} {
    lassign $operands name folder
    if {$folder eq ""} {
        set folder .
    }
    if {![info exists option(-part)]} {
        dry::finding "create_project $name has no -part"
    }
    if {[file exists [file join $folder $name.xpr]] && ![info exists option(-force)]} {
        dry::finding "create_project: there is a project in $folder already"
    }
    if {[dict get $::dry::expected part] ne "" && $option(-part) ne [dict get $::dry::expected part]} {
        dry::finding "create_project: part $option(-part) is not the board's, [dict get $::dry::expected part]"
    }
    dry::open_new $name $folder $option(-part)
    dry::save_project
    return $name
}

command open_project {} {} {1 1} {
    set file [lindex $operands 0]
    if {![file exists $file]} {
        dry::finding "open_project: there is no $file"
    }
    set kept [dry::read_file $file]
    dry::open_new [dict get $kept name] [dict get $kept folder] [dict get $kept part]
    array set ::dry::state $kept
    foreach path $::dry::state(files) {
        dry::create file $path
    }
    return $::dry::state(name)
}

command close_project {-quiet} {} {0 0} {
    dry::need_project close_project
    dry::save_project
    set ::dry::project ""
    array unset ::dry::kind
    array unset ::dry::property
    catch {bd::forget}
}

command current_project {} {} {0 0} {
    dry::need_project current_project
    return $::dry::project
}

command current_fileset {} {} {0 0} {
    dry::need_project current_fileset
    return sources_1
}

command get_filesets {-quiet} {} {1 1} {return [dry::all fileset [lindex $operands 0]]}
command get_runs {} {} {0 1} {return [dry::all run [expr {$operands eq "" ? "*" : [lindex $operands 0]}]]}

command add_files {-norecurse -quiet} {-fileset} {1 1} {
    dry::need_project add_files
    foreach path [lindex $operands 0] {
        if {![file exists $path]} {
            dry::finding "add_files: there is no file $path"
        }
        set path [file normalize $path]
        # One that is in the project already stays as it is.
        if {$path ni $::dry::state(files)} {
            lappend ::dry::state(files) $path
            dry::create file $path
        }
    }
}

command get_files {-quiet -all} {-of_objects -filter} {0 1} {
    dry::need_project get_files
    set name [lindex $operands 0]
    set found {}
    foreach path $::dry::state(files) {
        if {$name eq "" || $path eq $name || [file tail $path] eq $name || [string match $name $path]} {
            lappend found $path
        }
    }
    if {$found eq "" && ![info exists option(-quiet)]} {
        dry::finding "get_files: there is no file $name in the project"
    }
    return $found
}

command update_ip_catalog {-rebuild -scan_changes -quiet} {} {0 0} {
    dry::need_project update_ip_catalog
    array unset ::dry::packaged
    foreach repository [dry::value $::dry::project IP_REPO_PATHS] {
        if {![file isdirectory $repository]} {
            dry::finding "update_ip_catalog: there is no folder $repository"
        }
        set components [concat [glob -nocomplain $repository/component.xml] [glob -nocomplain $repository/*/component.xml]]
        foreach component $components {
            set content [dry::read_file $component]
            set ::dry::packaged([dict get $content vlnv]) $content
        }
    }
}

command get_ipdefs {-all -quiet} {-filter} {0 1} {
    set pattern [expr {$operands eq "" ? "*" : [lindex $operands 0]}]
    set found [catalog::find $pattern]
    if {[info exists option(-filter)]} {
        set found [lmap vlnv $found {expr {[dry::passes $vlnv $option(-filter)] ? $vlnv : [continue]}}]
    }
    return $found
}

command update_compile_order {-quiet} {-fileset} {0 0} {
    dry::need_project update_compile_order
}

command generate_target {-force -quiet} {} {2 2} {
    dry::need_project generate_target
    if {[lindex $operands 1] eq ""} {
        dry::finding "generate_target: no design is given"
    }
    if {!$::dry::state(validated)} {
        dry::finding "generate_target: the block design has not been validated"
    }
    set name [file rootname [file tail [lindex $operands 1]]]
    set folder [file join $::dry::state(folder) $::dry::state(name).gen sources_1 bd $name]
    dry::write_file [file join $folder hw_handoff $name.hwh] "dry run: no hand-off"
    set ::dry::state(generated) 1
}

command make_wrapper {-top -import -force} {-files -fileset} {0 0} {
    dry::need_project make_wrapper
    if {![info exists option(-files)] || $option(-files) eq ""} {
        dry::finding "make_wrapper: -files names no block design"
    }
    if {!$::dry::state(validated)} {
        dry::finding "make_wrapper: the block design has not been validated"
    }
    set name [file rootname [file tail $option(-files)]]
    set path [file join $::dry::state(folder) $::dry::state(name).gen sources_1 bd $name hdl ${name}_wrapper.v]
    dry::write_file $path "module ${name}_wrapper; endmodule"
    # Where FINN's scripts look for it
    set older [file join $::dry::state(folder) $::dry::state(name).srcs sources_1 bd $name hdl ${name}_wrapper.v]
    dry::write_file $older "module ${name}_wrapper; endmodule"
    dry::write_file [file join $::dry::state(folder) $::dry::state(name).gen sources_1 bd $name hw_handoff $name.hwh] \
        "dry run: no hand-off"
    set ::dry::state(wrapper) ${name}_wrapper
    return [file normalize $path]
}

# Runs

command reset_run {-quiet} {} {1 1} {
    if {[dry::kind_of [lindex $operands 0]] ne "run"} {
        dry::finding "reset_run: there is no run [lindex $operands 0]"
    }
    dry::create run [lindex $operands 0] PROGRESS 0% STATUS "Not started"
}

command launch_runs {-quiet} {-jobs -to_step} {1 1} {
    dry::need_project launch_runs
    set run [lindex $operands 0]
    if {[dry::kind_of $run] ne "run"} {
        dry::finding "launch_runs: there is no run $run"
    }
    if {[info exists option(-to_step)] && $option(-to_step) ni {write_bitstream route_design place_design opt_design}} {
        dry::finding "launch_runs: there is no step $option(-to_step)"
    }
    foreach other [dry::all run] {
        if {[string match *ERROR* [dry::value $other STATUS]]} {
            dry::finding "launch_runs $run: $other failed and needs to be reset before"
        }
    }
    set top [dry::top_module]
    set folder [dry::value $run DIRECTORY]
    if {$run eq "synth_1"} {
        if {!$::dry::state(generated)} {
            dry::finding "launch_runs synth_1: the block design has not been generated"
        }
        dry::write_file [file join $folder $top.dcp] "dry run: no checkpoint"
        set ::dry::state(synthesised) 1
    } else {
        if {!$::dry::state(validated)} {
            dry::finding "launch_runs impl_1: the block design has not been validated"
        }
        if {[info exists option(-to_step)] && $option(-to_step) eq "write_bitstream"} {
            dry::write_file [file join $folder $top.bit] "dry run: no bitstream"
        }
        set ::dry::state(implemented) 1
    }
    dry::create run $run PROGRESS 100% STATUS "dry run"
}

command wait_on_run {-quiet} {-timeout} {1 1} {
    if {[dry::kind_of [lindex $operands 0]] ne "run"} {
        dry::finding "wait_on_run: there is no run [lindex $operands 0]"
    }
}

proc dry::top_module {} {
    variable state
    set state(top) [value sources_1 TOP $state(top)]
    if {$state(top) eq ""} {
        finding "the project has no top module"
    }
    if {$state(wrapper) ne "" && $state(top) ne $state(wrapper)} {
        finding "the top module is $state(top) and not the wrapper of the block design, $state(wrapper)"
    }
    return $state(top)
}

command open_run {-quiet} {-name} {1 1} {
    if {[lindex $operands 0] ne "impl_1" || !$::dry::state(implemented)} {
        dry::finding "open_run: [lindex $operands 0] has not been run"
    }
    set ::dry::state(open_run) [lindex $operands 0]
}

proc dry::write_report {name optionVar} {
    upvar 1 $optionVar option
    variable state
    if {$state(open_run) eq ""} {
        finding "$name: no design is open"
    }
    if {![info exists option(-file)]} {
        finding "$name writes no file"
    }
    if {![file isdirectory [file dirname $option(-file)]]} {
        finding "$name: there is no folder [file dirname $option(-file)]"
    }
    write_file $option(-file) "dry run: no figures"
}

command report_utilization {-hierarchical -quiet} {-file -format -hierarchical_depth} {0 0} {
    dry::write_report report_utilization option
}
command report_timing_summary {-quiet -warn_on_violation} {-file -max_paths} {0 0} {
    dry::write_report report_timing_summary option
}
command report_power {-quiet} {-file -format} {0 0} {dry::write_report report_power option}
command set_param {} {} {2 2} {return ""}
