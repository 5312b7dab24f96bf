# The IP packager: interfaces inferred from the ports of the top module, and the core that a repository then offers.

namespace eval ipx {}
namespace eval packager {
    variable core ""
    variable root ""
}

# Text of a Verilog file without comments and attributes, whose parentheses and commas are none of a list of ports
proc packager::plain {text} {
    regsub -all {/\*.*?\*/} $text "" text
    regsub -all {//[^\n]*} $text "" text
    regsub -all {\(\*.*?\*\)} $text "" text
    return $text
}

# What stands in the parentheses that open at an index
proc packager::inside {text open} {
    set depth 0
    for {set at $open} {$at < [string length $text]} {incr at} {
        switch [string index $text $at] {
            ( {incr depth}
            ) {
                if {[incr depth -1] == 0} {
                    return [string range $text $open+1 $at-1]
                }
            }
        }
    }
    return ""
}

# A constant expression of numbers and parameters
proc packager::evaluate {text parameters what} {
    for {set depth 0} {$depth < 8} {incr depth} {
        set words [lsort -unique [regexp -all -inline {[A-Za-z_]\w*} $text]]
        if {$words eq ""} {
            if {[catch {expr $text} value]} {
                dry::finding "$what is $text, which is not understood"
            }
            return $value
        }
        foreach word $words {
            if {![dict exists $parameters $word]} {
                dry::finding "$what depends on $word, which is not known"
            }
            regsub -all "\\m$word\\M" $text "([dict get $parameters $word])" text
        }
    }
    dry::finding "$what depends on itself"
}

# Ports of a Verilog module, {name direction bits} each; widths are numbers and parameters with a number as default.
proc packager::ports_of {file module} {
    set text [plain [dry::read_file $file]]
    if {![regexp -indices "\\mmodule\\s+${module}\\M\\s*#?\\s*\\(" $text found]} {
        dry::finding "there is no module $module with a list of ports in $file"
    }
    set open [lindex $found 1]
    set parameters {}
    foreach {_ name value} [regexp -all -inline {\m(?:local)?param(?:eter)?\s+(?:\w+\s+)?(\w+)\s*=\s*([^;,]+);} $text] {
        dict set parameters $name $value
    }
    if {[string first "#" [string range $text {*}$found]] >= 0} {
        set list [inside $text $open]
        foreach {_ name value} [regexp -all -inline {(\w+)\s*=\s*([^,]+)(?:,|$)} $list] {
            dict set parameters $name $value
        }
        set open [string first "(" $text [expr {$open + [string length $list] + 2}]]
    }
    set ports {}
    set direction ""
    foreach part [split [inside $text $open] ,] {
        if {![regexp {^\s*(input|output|inout)?\s*(?:wire|reg|logic)?\s*(?:signed)?\s*(?:\[([^:\]]+):\s*0\s*\])?\s*(\w+)\s*$} $part \
                _ its high name]} {
            dry::finding "port [string trim $part] of $module is not understood"
        }
        if {$its ne ""} {
            set direction $its
        }
        set bits 1
        if {$high ne ""} {
            set high [evaluate $high $parameters "the width of $name of $module"]
            set bits [expr {$high + 1}]
        }
        lappend ports [list $name $direction $bits]
    }
    return $ports
}

# What the packager infers from names: streams, AXI-Lite, AXI4 masters that read, clocks and resets.
proc packager::infer {ports} {
    variable core
    foreach port $ports {
        lassign $port name direction bits
        set signal([string tolower $name]) [list $direction $bits]
    }
    foreach port $ports {
        lassign $port name direction bits
        if {[regexp -nocase {^(.+)_tvalid$} $name _ bus]} {
            foreach needed {tdata tready} {
                if {![info exists signal([string tolower ${bus}_$needed])]} {
                    dry::finding "the stream $bus has no $needed"
                }
            }
            add $bus axis [expr {$direction eq "input" ? "slave" : "master"}] \
                WIDTH [lindex $signal([string tolower ${bus}_tdata]) 1]
        } elseif {[regexp -nocase {^(.+)_awvalid$} $name _ bus]} {
            set address [lindex $signal([string tolower ${bus}_awaddr]) 1]
            add $bus aximm [expr {$direction eq "input" ? "slave" : "master"}] \
                WIDTH [lindex $signal([string tolower ${bus}_wdata]) 1] ADDRESS_BITS $address
            dry::create memorymap $core/map/$bus
            dry::create addressblock $core/map/$bus/reg0 RANGE [expr {1 << $address}] USAGE register
        } elseif {[regexp -nocase {^(.+)_arvalid$} $name _ bus]
                && ![info exists signal([string tolower ${bus}_awvalid])]} {
            foreach needed {araddr arlen arsize arburst arready rdata rresp rlast rvalid rready} {
                if {![info exists signal([string tolower ${bus}_$needed])]} {
                    dry::finding "the memory port $bus has no $needed"
                }
            }
            add $bus aximm [expr {$direction eq "input" ? "slave" : "master"}] \
                WIDTH [lindex $signal([string tolower ${bus}_rdata]) 1]
            dry::create addressspace $core/space/$bus \
                RANGE [expr {1 << [lindex $signal([string tolower ${bus}_araddr]) 1]}]
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

# Ports of a module that a block design references: its file must be plain Verilog, its clock says which streams it has.
proc packager::reference {module} {
    variable core
    set found ""
    foreach path $::dry::state(files) {
        if {[file extension $path] in {.v .sv} && [regexp "\\mmodule\\s+${module}\\M" [plain [dry::read_file $path]]]} {
            set found $path
        }
    }
    if {$found eq ""} {
        dry::finding "create_bd_cell -reference: no file of the project has a module $module"
    }
    if {[file extension $found] ne ".v"} {
        dry::finding "create_bd_cell -reference: $module lies in a file of SystemVerilog, which a block design does not take"
    }
    set text [dry::read_file $found]
    set ports [ports_of $found $module]
    set kept $core
    set core ref:$module
    infer $ports
    set buses {}
    foreach path [dry::all businterface $core/bus/*] {
        if {[dry::value $path BUS] ni {clock reset}} {
            lappend buses [file tail $path]
        }
    }
    if {$buses ne ""} {
        if {![regexp {ASSOCIATED_BUSIF\s+([\w:]+)} $text _ named]} {
            dry::finding "the clock of module $module names no streams (ASSOCIATED_BUSIF)"
        }
        dry::create busparameter $core/bus/[lindex [clocks $core] 0]/ASSOCIATED_BUSIF VALUE $named
    }
    # FINN's padding has an AXI-Lite port that is left open where sizes do not change.
    set result [lmap spec [component_ports $core] {
        lset spec 4 [expr {[lindex $spec 2] eq "aximm" ? [dict replace [lindex $spec 4] required 0] : [lindex $spec 4]}]
    }]
    foreach port $ports {
        lassign $port name direction bits
        if {[dry::kind_of $core/bus/$name] eq "" && ![regexp -nocase {_(t|aw|ar|w|r|b)[a-z]+$} $name]} {
            lappend result [catalog::pin $name data [expr {$direction eq "input" ? "I" : "O"}] required 0]
        }
    }
    foreach path [array names ::dry::kind $core/*] {
        unset ::dry::kind($path)
    }
    set core $kept
    return $result
}

proc packager::clocks {core} {
    set found {}
    foreach path [dry::all businterface $core/bus/*] {
        if {[dry::value $path BUS] eq "clock"} {
            lappend found [file tail $path]
        }
    }
    return $found
}

# A block design as a core: its ports, seen from outside
proc packager::infer_design {} {
    variable core
    set buses {}
    foreach {port spec} [array get ::bd::external] {
        lassign $spec kind name type mode attributes
        if {$kind eq "interface"} {
            add $name $type [expr {$mode eq "Master" ? "slave" : "master"}] WIDTH [dict get $attributes width]
            lappend buses $name
        } elseif {$type in {clk rst}} {
            add $name [dict get {clk clock rst reset} $type] [expr {$mode eq "O" ? "slave" : "master"}]
            if {$type eq "rst"} {
                dry::create busparameter $core/bus/$name/POLARITY VALUE [dict get $attributes polarity]
            } else {
                dry::create busparameter $core/bus/$name/FREQ_HZ VALUE [dry::value $port CONFIG.FREQ_HZ]
            }
        }
    }
    foreach clock [clocks $core] {
        dry::create busparameter $core/bus/$clock/ASSOCIATED_BUSIF VALUE [join $buses :]
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
    set ::packager::root $option(-root_dir)
    if {[info exists option(-module)]} {
        if {$option(-module) ne $::bd::name || !$::dry::state(validated)} {
            dry::finding "ipx::package_project -module $option(-module): there is no validated block design of that name"
        }
        set ::packager::core ipx:$option(-module)
        dry::create core $::packager::core NAME $option(-module) VERSION 1.0 VENDOR $option(-vendor) \
            LIBRARY $option(-library)
        packager::infer_design
        file mkdir $option(-root_dir)
        return $::packager::core
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
        # A rendered module's memories have its name; other names are defaults that it replaces.
        foreach {_ name} [regexp -all -inline {"([^"]+\.hex)"} [dry::read_file $path]] {
            if {[string match [file rootname [file tail $path]]_* $name] && $name ni $memories} {
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

command ipx::get_bus_interfaces {} {-of_objects} {0 1} {
    if {$operands eq ""} {
        return [dry::all businterface $option(-of_objects)/bus/*]
    }
    return [packager::child option /bus/ [lindex $operands 0]]
}
command ipx::get_bus_parameters {} {-of_objects} {0 1} {
    if {$operands eq ""} {
        return [concat {*}[lmap interface $option(-of_objects) {dry::all busparameter $interface/*}]]
    }
    return [packager::child option / [lindex $operands 0]]
}
command ipx::get_memory_maps {} {-of_objects} {1 1} {return [packager::child option /map/ [lindex $operands 0]]}
command ipx::get_address_spaces {} {-of_objects} {1 1} {return [packager::child option /space/ [lindex $operands 0]]}
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
command ipx::add_address_space {} {} {2 2} {return [dry::create addressspace [lindex $operands 1]/space/[lindex $operands 0]]}
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
        set space ""
        set aperture {}
        if {$bus eq "aximm" && [dry::value $path INTERFACE_MODE] eq "master"} {
            set space $name
            if {[dry::kind_of $core/space/$name] ne ""} {
                set aperture [list 0 [dry::value $core/space/$name RANGE]]
            }
        } elseif {$bus eq "aximm"} {
            foreach block [dry::all addressblock $core/map/$name/*] {
                lappend segments [list $name/[file tail $block] 0 [dry::value $block RANGE] 0]
            }
        }
        lappend ports [catalog::interface $name $bus [string totitle [dry::value $path INTERFACE_MODE]] \
            width [dry::value $path WIDTH] clock [dict get $clocked $name] segments $segments space $space aperture $aperture]
    }
    return $ports
}
