# The IP packager: interfaces inferred from the ports of the top module, and the core that a repository then offers.

namespace eval ipx {}
namespace eval packager {
    variable core ""
    variable root ""
}

# Ports of a Verilog module whose header lists them with constant widths: {name direction bits} each.
proc packager::ports_of {file module} {
    set text [dry::read_file $file]
    regsub -all {/\*.*?\*/} $text "" text
    regsub -all {//[^\n]*} $text "" text
    # Attributes: the parentheses and commas in them are none of the list.
    regsub -all {\(\*.*?\*\)} $text "" text
    if {![regexp -indices "module\\s+${module}\\s*\\(" $text found]} {
        dry::finding "there is no module $module with a plain list of ports in $file"
    }
    set begin [expr {[lindex $found 1] + 1}]
    set header [string range $text $begin [string first ")" $text $begin]-1]
    set ports {}
    foreach part [split $header ,] {
        if {![regexp {^\s*(input|output|inout)\s+(?:wire|reg|logic)?\s*(?:\[\s*(\d+)\s*:\s*0\s*\])?\s*(\w+)\s*$} $part \
                _ direction high name]} {
            dry::finding "port [string trim $part] of $module is not understood"
        }
        lappend ports [list $name $direction [expr {$high eq "" ? 1 : $high + 1}]]
    }
    return $ports
}

# What the packager infers from names: streams, AXI-Lite, clocks and resets.
proc packager::infer {ports} {
    variable core
    foreach port $ports {
        lassign $port name direction bits
        set signal($name) [list $direction $bits]
    }
    foreach {name its} [array get signal] {
        lassign $its direction bits
        if {[regexp {^(.+)_tvalid$} $name _ bus]} {
            foreach needed {tdata tready} {
                if {![info exists signal(${bus}_$needed)]} {
                    dry::finding "the stream $bus has no ${bus}_$needed"
                }
            }
            add $bus axis [expr {$direction eq "input" ? "slave" : "master"}] \
                WIDTH [lindex $signal(${bus}_tdata) 1] LAST [info exists signal(${bus}_tlast)]
        } elseif {[regexp {^(.+)_awvalid$} $name _ bus]} {
            add $bus aximm [expr {$direction eq "input" ? "slave" : "master"}] \
                WIDTH [lindex $signal(${bus}_wdata) 1] ADDRESS_BITS [lindex $signal(${bus}_awaddr) 1]
            dry::create memorymap $core/map/$bus
            dry::create addressblock $core/map/$bus/reg0 RANGE [expr {1 << [lindex $signal(${bus}_awaddr) 1]}] USAGE register
        } elseif {[regexp {(^|_)a?clk$} $name]} {
            add $name clock [expr {$direction eq "input" ? "slave" : "master"}]
        } elseif {[regexp {(^|_)a?(reset|rst)_?n?$} $name]} {
            add $name reset [expr {$direction eq "input" ? "slave" : "master"}]
            if {[string match *n $name]} {
                dry::create busparameter $core/bus/$name/POLARITY VALUE ACTIVE_LOW
            }
        }
    }
}

proc packager::add {name bus mode args} {
    variable core
    dry::create businterface $core/bus/$name INTERFACE_MODE $mode BUS $bus {*}$args
}

command ipx::package_project {-force -import_files} {-root_dir -vendor -library -taxonomy -set_current -module} {0 0} {
    dry::need_project ipx::package_project
    foreach needed {-root_dir -vendor -library} {
        if {![info exists option($needed)]} {
            dry::finding "ipx::package_project has no $needed"
        }
    }
    set top [dry::value sources_1 TOP]
    set found ""
    foreach path $::dry::state(files) {
        if {[file rootname [file tail $path]] eq $top} {
            set found $path
        }
    }
    if {$found eq ""} {
        dry::finding "ipx::package_project: no file of the project holds the top module $top"
    }
    packager::check_memories
    foreach path $::dry::state(files) {
        if {![string match [file normalize $option(-root_dir)]/* $path] && ![info exists option(-import_files)]} {
            dry::finding "ipx::package_project: $path lies outside of the core's folder $option(-root_dir)"
        }
    }
    set ::packager::core ipx:$top
    set ::packager::root $option(-root_dir)
    dry::create core $::packager::core NAME $top VERSION 1.0 VENDOR $option(-vendor) LIBRARY $option(-library)
    packager::infer [packager::ports_of $found $top]
    return $::packager::core
}

# Every memory file that a source names is in the project, as one, or synthesis would fill the memory with zeros.
proc packager::check_memories {} {
    set memories {}
    foreach path $::dry::state(files) {
        if {[dry::value $path FILE_TYPE] eq "Memory Initialization Files"} {
            lappend memories [file tail $path]
        }
    }
    foreach path $::dry::state(files) {
        if {[file extension $path] ni {.v .sv}} {
            continue
        }
        # Defaults of parameters are no files that are read.
        regsub -all {parameter[^\n]*\n} [dry::read_file $path] "" text
        foreach {_ name} [regexp -all -inline {"([^"]+\.hex)"} $text] {
            if {$name ni $memories} {
                dry::finding "[file tail $path] reads $name, which is not among the memory files of the core"
            }
        }
    }
}

command ipx::current_core {} {} {0 1} {
    if {$::packager::core eq ""} {
        dry::finding "ipx::current_core: no core is being packaged"
    }
    return $::packager::core
}

proc packager::child {option folder name} {
    upvar 1 $option its
    if {![info exists its(-of_objects)] || [dry::kind_of $its(-of_objects)] eq ""} {
        dry::finding "$name: -of_objects names no object"
    }
    set path $its(-of_objects)$folder$name
    return [expr {[dry::kind_of $path] eq "" ? "" : $path}]
}

command ipx::get_bus_interfaces {} {-of_objects} {1 1} {return [packager::child option /bus/ [lindex $operands 0]]}
command ipx::get_bus_parameters {} {-of_objects} {1 1} {return [packager::child option / [lindex $operands 0]]}
command ipx::get_memory_maps {} {-of_objects} {1 1} {return [packager::child option /map/ [lindex $operands 0]]}
command ipx::get_address_blocks {} {-of_objects} {1 1} {return [packager::child option / [lindex $operands 0]]}
command ipx::add_bus_parameter {} {} {2 2} {
    lassign $operands name interface
    if {[dry::kind_of $interface] ne "businterface"} {
        dry::finding "ipx::add_bus_parameter $name: there is no interface $interface"
    }
    return [dry::create busparameter $interface/$name]
}
command ipx::remove_bus_parameter {} {} {2 2} {return ""}
command ipx::add_memory_map {} {} {2 2} {return [dry::create memorymap [lindex $operands 1]/map/[lindex $operands 0]]}
command ipx::add_address_block {} {} {2 2} {return [dry::create addressblock [lindex $operands 1]/[lindex $operands 0]]}
foreach name {ipx::create_xgui_files ipx::update_checksums ipx::check_integrity} {
    command $name {-quiet} {} {1 1} {
        if {[dry::kind_of [lindex $operands 0]] ne "core"} {
            dry::finding "there is no core [lindex $operands 0]"
        }
    }
}

command ipx::save_core {} {} {1 1} {
    set core [lindex $operands 0]
    set vlnv [join [list [dry::value $core VENDOR] [dry::value $core LIBRARY] [dry::value $core NAME] [dry::value $core VERSION]] :]
    dry::write_file [file join $::packager::root component.xml] [list vlnv $vlnv ports [packager::component_ports $core]]
}

# The saved core as the catalog's ports: clocks and resets by ASSOCIATED_BUSIF, ASSOCIATED_RESET and POLARITY.
proc packager::component_ports {core} {
    set ports {}
    set clocked {}
    foreach path [dry::all businterface $core/bus/*] {
        set name [file tail $path]
        set mode [dry::value $path INTERFACE_MODE]
        set direction [expr {$mode eq "slave" ? "I" : "O"}]
        switch [dry::value $path BUS] {
            clock {
                lappend ports [catalog::pin $name clk $direction]
                foreach bus [split [dry::value $path/ASSOCIATED_BUSIF VALUE] :] {
                    if {[dry::kind_of $core/bus/$bus] eq ""} {
                        dry::finding "ASSOCIATED_BUSIF of $name names $bus, which is no interface of the core"
                    }
                    dict set clocked $bus $name
                }
                foreach reset [split [dry::value $path/ASSOCIATED_RESET VALUE] :] {
                    if {[dry::kind_of $core/bus/$reset] eq ""} {
                        dry::finding "ASSOCIATED_RESET of $name names $reset, which is no reset of the core"
                    }
                }
            }
            reset {
                set polarity [dry::value $path/POLARITY VALUE]
                if {$polarity eq ""} {
                    dry::finding "the reset $name of the core has no POLARITY"
                }
                lappend ports [catalog::pin $name rst $direction polarity $polarity]
            }
        }
    }
    foreach path [dry::all businterface $core/bus/*] {
        set name [file tail $path]
        set bus [dry::value $path BUS]
        if {$bus in {clock reset}} {
            continue
        }
        if {![dict exists $clocked $name]} {
            dry::finding "interface $name of the core belongs to no clock (ASSOCIATED_BUSIF)"
        }
        set segments {}
        if {$bus eq "aximm"} {
            foreach block [dry::all addressblock $core/map/$name/*] {
                lappend segments [list $name/[file tail $block] 0 [dry::value $block RANGE] 0]
            }
        }
        lappend ports [catalog::interface $name $bus [string totitle [dry::value $path INTERFACE_MODE]] \
            width [dry::value $path WIDTH] clock [dict get $clocked $name] segments $segments]
    }
    return $ports
}
