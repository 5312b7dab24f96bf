# Block designs: cells, pins, interfaces, nets and ports. Names are paths: /cell, /cell/pin.

namespace eval bd {
    variable name ""
    # By pin or interface: the net it is on. By net: its members.
    array set net {}
    array set members {}
    variable nets 0
    # {space segment offset range}, and {space segment} of the excluded
    variable assigned {}
    variable excluded {}
    # By port of the design: what it is for the net inside, as the catalog describes the ports of cells
    array set external {}
    # Whether Vivado was told to place what has no address
    variable automatic 0
}

proc bd::forget {} {
    variable name ""
    variable net
    variable members
    variable external
    variable automatic 0
    variable assigned {}
    variable excluded {}
    array unset net
    array unset members
    array unset external
}

proc bd::path {given} {
    return [expr {[string match /* $given] ? $given : "/$given"}]
}

# {port CELL SPEC} of a pin or interface, empty where there is none.
proc bd::port {path kind} {
    variable external
    if {[info exists external($path)]} {
        return [expr {[lindex $external($path) 0] eq $kind ? [list "" $external($path)] : ""}]
    }
    set cell [file dirname $path]
    if {[dry::kind_of $cell] ne "cell"} {
        return ""
    }
    foreach spec [catalog::ports $cell] {
        if {[lindex $spec 0] eq $kind && [lindex $spec 1] eq [file tail $path]} {
            return [list $cell $spec]
        }
    }
    return ""
}

proc bd::find_ports {given kind quiet} {
    set found {}
    foreach pattern $given {
        set pattern [path $pattern]
        foreach cell [dry::all cell [file dirname $pattern]] {
            foreach spec [catalog::ports $cell] {
                if {[lindex $spec 0] eq $kind && [string match [file tail $pattern] [lindex $spec 1]]} {
                    lappend found $cell/[lindex $spec 1]
                }
            }
        }
    }
    if {$found eq "" && !$quiet} {
        dry::finding "there is no [expr {$kind eq "pin" ? "pin" : "interface"}] $given in the block design"
    }
    return $found
}

command create_bd_design {} {} {1 1} {
    dry::need_project create_bd_design
    bd::forget
    set ::bd::name [lindex $operands 0]
    set path [file join $::dry::state(folder) $::dry::state(name).srcs sources_1 bd $::bd::name $::bd::name.bd]
    dry::write_file $path "dry run: block design $::bd::name"
    lappend ::dry::state(files) [file normalize $path]
    dry::create file [file normalize $path]
    set ::dry::state(validated) 0
    return $::bd::name
}

command create_bd_cell {-quiet} {-type -vlnv -reference} {1 1} {
    if {$::bd::name eq ""} {
        dry::finding "create_bd_cell: there is no block design"
    }
    set cell [bd::path [lindex $operands 0]]
    if {[info exists option(-type)] && $option(-type) eq "module" && [info exists option(-reference)]} {
        if {[dry::kind_of $cell] ne ""} {
            dry::finding "create_bd_cell: there is a cell $cell already"
        }
        set vlnv xilinx.com:module_ref:$option(-reference):1.0
        set ::dry::packaged($vlnv) [list vlnv $vlnv ports [packager::reference $option(-reference)]]
        return [dry::create cell $cell VLNV $vlnv]
    }
    if {![info exists option(-type)] || $option(-type) ne "ip" || ![info exists option(-vlnv)]} {
        dry::finding "create_bd_cell $cell is no -type ip with a -vlnv"
    }
    if {[dry::kind_of $cell] ne ""} {
        dry::finding "create_bd_cell: there is a cell $cell already"
    }
    set found [catalog::find $option(-vlnv)]
    if {[llength $found] != 1} {
        set name [lindex [split $option(-vlnv) :] 2]
        dry::finding "the catalog of Vivado $::dry::release has no IP $option(-vlnv)[catalog::hint $name]"
    }
    return [dry::create cell $cell VLNV [lindex $found 0]]
}

proc catalog::hint {name} {
    set version [version_of $name]
    return [expr {$version eq "" ? "" : ", but $name:$version"}]
}

command get_bd_cells {-quiet} {} {0 1} {
    set pattern [expr {$operands eq "" ? "/*" : [bd::path [lindex $operands 0]]}]
    set found [dry::all cell $pattern]
    if {$found eq "" && ![info exists option(-quiet)]} {
        dry::finding "there is no cell $pattern in the block design"
    }
    return $found
}

command get_bd_pins {-quiet} {} {1 1} {return [bd::find_ports [lindex $operands 0] pin [info exists option(-quiet)]]}
command get_bd_intf_pins {-quiet} {-of_objects -filter} {0 1} {
    if {![info exists option(-of_objects)]} {
        return [bd::find_ports [lindex $operands 0] interface [info exists option(-quiet)]]
    }
    set found {}
    foreach object $option(-of_objects) {
        if {[dry::kind_of $object] eq "cell"} {
            lappend found {*}[bd::find_ports $object/* interface 1]
        } elseif {[info exists ::bd::members($object)]} {
            foreach item $::bd::members($object) {
                if {![info exists ::bd::external($item)]} {
                    lappend found $item
                }
            }
        }
    }
    if {[info exists option(-filter)]} {
        set found [lmap item $found {expr {[dry::passes $item $option(-filter)] ? $item : [continue]}}]
    }
    return $found
}

# What a pin, an interface or a core of the catalog is, for get_property and filters
proc bd::describe {path key} {
    foreach kind {interface pin} {
        if {[set found [port $path $kind]] ne ""} {
            lassign [lindex $found 1] _ name type mode attributes
            switch -glob $key {
                NAME {return [file tail $path]}
                MODE {return $mode}
                DIR - DIRECTION {return $mode}
                CONFIG.PROTOCOL {return [expr {[dict get $attributes segments] eq "" ? "AXI4" : "AXI4LITE"}]}
                CONFIG.ADDR_WIDTH {
                    set range [expr {int([lindex [dict get $attributes segments] 0 2])}]
                    return [expr {round(log($range) / log(2))}]
                }
                CONFIG.FREQ_HZ {return [expr {$type eq "clk" ? [check::frequency $path] : ""}]}
            }
            return ""
        }
    }
    if {[llength [split $path :]] == 4} {
        switch $key {
            NAME {return [lindex [split $path :] 2]}
            VLNV {return $path}
            design_tool_contexts {return IPI}
        }
    }
    return ""
}

# Nets

proc bd::join_net {items} {
    variable net
    variable members
    variable nets
    set found {}
    foreach item $items {
        if {[info exists net($item)] && $net($item) ni $found} {
            lappend found $net($item)
        }
    }
    if {[llength $found] > 1} {
        dry::finding "[join $items { and }] are on two nets already"
    }
    if {$found eq ""} {
        set found net_[incr nets]
        set members($found) {}
    }
    foreach item $items {
        if {$item ni $members($found)} {
            lappend members($found) $item
            set net($item) $found
        }
    }
}

proc bd::drives {path} {
    return [expr {[lindex [lindex [port $path pin] 1] 3] eq "O"}]
}

command connect_bd_net {-quiet} {-net} {2 64} {
    set items [concat {*}$operands]
    foreach item $items {
        if {[bd::port $item pin] eq ""} {
            dry::finding "connect_bd_net: there is no pin $item"
        }
    }
    # A pin that is on a net brings the others onto it; it is not taken from its own driver to another one.
    foreach item $items {
        if {![bd::drives $item] && [set driver [check::driver $item]] ne ""} {
            foreach other $items {
                if {[bd::drives $other] && $other ne $driver} {
                    dry::finding "connect_bd_net: $item is connected already, to $driver"
                }
            }
        }
    }
    bd::join_net $items
    set drivers [lsearch -all -inline -not -exact [lmap item $::bd::members($::bd::net([lindex $items 0])) {
        expr {[bd::drives $item] ? $item : ""}
    }] ""]
    if {[llength $drivers] > 1} {
        dry::finding "connect_bd_net: [join $drivers { and }] drive one net"
    }
}

command connect_bd_intf_net {-quiet} {-intf_net -boundary_type} {2 2} {
    foreach item $operands {
        if {[bd::port $item interface] eq ""} {
            dry::finding "connect_bd_intf_net: there is no interface $item"
        }
        if {[info exists ::bd::net($item)]} {
            dry::finding "connect_bd_intf_net: $item is connected already"
        }
    }
    bd::join_net $operands
}

# Ports of the design: a pin or interface made one, under a name of its own. Inside, it is the other end of the net.

proc bd::make_external {item kind name} {
    variable external
    variable net
    if {[info exists net($item)]} {
        dry::finding "$item is to be external and is connected already"
    }
    set port /[expr {$name eq "" ? "[file tail $item]_0" : $name}]
    if {[info exists external($port)]} {
        dry::finding "there is a port $port already"
    }
    lassign [lindex [port $item $kind] 1] _ _ type mode attributes
    set other [dict get {I O O I Master Slave Slave Master} $mode]
    set external($port) [list $kind [string range $port 1 end] $type $other $attributes]
    dry::create port $port
    join_net [list $item $port]
}

proc bd::rename_port {port name} {
    variable external
    variable net
    variable members
    set new /$name
    if {[info exists external($new)]} {
        dry::finding "there is a port $new already"
    }
    set external($new) [lreplace $external($port) 1 1 $name]
    unset external($port)
    set net($new) $net($port)
    unset net($port)
    set members($net($new)) [lreplace $members($net($new)) {*}[lrepeat 2 [lsearch -exact $members($net($new)) $port]] $new]
    unset ::dry::kind($port)
    dry::create port $new
}

command make_bd_intf_pins_external {-quiet} {-name} {1 1} {
    foreach item [lindex $operands 0] {
        bd::make_external $item interface [expr {[info exists option(-name)] ? $option(-name) : ""}]
    }
}

command make_bd_pins_external {-quiet} {-name} {1 1} {
    foreach item [lindex $operands 0] {
        bd::make_external $item pin [expr {[info exists option(-name)] ? $option(-name) : ""}]
    }
}

proc bd::find_external {pattern kind filter} {
    variable external
    set found {}
    foreach {port spec} [array get external] {
        if {[lindex $spec 0] eq $kind && [string match [path $pattern] $port] && ($filter eq "" || [dry::passes $port $filter])} {
            lappend found $port
        }
    }
    if {$found eq "" && $pattern ne "*"} {
        dry::finding "the block design has no port $pattern"
    }
    return [lsort $found]
}

command get_bd_ports {-quiet} {} {0 1} {
    return [bd::find_external [expr {$operands eq "" ? "*" : [lindex $operands 0]}] pin ""]
}
command get_bd_intf_ports {-quiet} {-filter} {0 1} {
    return [bd::find_external [expr {$operands eq "" ? "*" : [lindex $operands 0]}] interface \
        [expr {[info exists option(-filter)] ? $option(-filter) : ""}]]
}
command get_bd_intf_nets {-quiet} {-of_objects -boundary_type} {0 1} {
    return [lmap item $option(-of_objects) {expr {[info exists ::bd::net($item)] ? $::bd::net($item) : [continue]}}]
}

command save_bd_design {-force -quiet} {} {0 1} {return ""}
command validate_bd_design {-force -quiet} {} {0 0} {
    check::design
    set ::dry::state(validated) 1
}
