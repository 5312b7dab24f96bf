# Block designs: cells, pins, interfaces, nets and addresses. Names are paths: /cell, /cell/pin.

namespace eval bd {
    variable name ""
    # By pin or interface: the net it is on. By net: its members.
    array set net {}
    array set members {}
    variable nets 0
    # {space segment offset range}, and {space segment} of the excluded
    variable assigned {}
    variable excluded {}
}

proc bd::forget {} {
    variable name ""
    variable net
    variable members
    variable assigned {}
    variable excluded {}
    array unset net
    array unset members
}

proc bd::path {given} {
    return [expr {[string match /* $given] ? $given : "/$given"}]
}

# {port CELL SPEC} of a pin or interface, empty where there is none.
proc bd::port {path kind} {
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

command create_bd_cell {-quiet} {-type -vlnv} {1 1} {
    if {$::bd::name eq ""} {
        dry::finding "create_bd_cell: there is no block design"
    }
    set cell [bd::path [lindex $operands 0]]
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
command get_bd_intf_pins {-quiet} {} {1 1} {
    return [bd::find_ports [lindex $operands 0] interface [info exists option(-quiet)]]
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
    foreach item $items {
        if {![bd::drives $item] && [info exists ::bd::net($item)]} {
            dry::finding "connect_bd_net: $item is connected already"
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

command make_bd_intf_pins_external {-quiet} {-name} {1 1} {
    foreach item [lindex $operands 0] {
        if {[info exists ::bd::net($item)]} {
            dry::finding "make_bd_intf_pins_external: $item is connected already"
        }
        bd::join_net [list $item external]
        unset ::bd::net(external)
    }
}

# Addresses

proc bd::all_spaces {} {
    set found {}
    foreach cell [dry::all cell] {
        foreach spec [catalog::ports $cell] {
            if {[lindex $spec 0] eq "interface" && [dict get [lindex $spec 4] space] ne ""} {
                lappend found $cell/[dict get [lindex $spec 4] space]
            }
        }
    }
    return [lsort -unique $found]
}

# By path: {interface offset range fixed}
proc bd::all_segments {} {
    set found {}
    foreach cell [dry::all cell] {
        foreach spec [catalog::ports $cell] {
            if {[lindex $spec 0] eq "interface"} {
                foreach segment [dict get [lindex $spec 4] segments] {
                    lassign $segment name offset range fixed
                    dict set found $cell/$name [list $cell/[lindex $spec 1] $offset $range $fixed]
                }
            }
        }
    }
    return $found
}

command get_bd_addr_spaces {-quiet} {-of_objects} {0 1} {
    set pattern [bd::path [lindex $operands 0]]
    set found [lsearch -all -inline -glob [bd::all_spaces] $pattern]
    if {$found eq ""} {
        dry::finding "there is no address space $pattern"
    }
    return $found
}

command get_bd_addr_segs {-quiet} {-of_objects} {0 1} {
    set pattern [bd::path [lindex $operands 0]]
    set found [lsearch -all -inline -glob [dict keys [bd::all_segments]] $pattern]
    if {$found eq "" && ![info exists option(-quiet)]} {
        dry::finding "there is no address segment $pattern"
    }
    return $found
}

proc bd::bytes {range} {
    if {[regexp {^(\d+)([KMG])$} $range _ count unit]} {
        return [expr {$count << [dict get {K 10 M 20 G 30} $unit]}]
    }
    return [expr {$range}]
}

command assign_bd_address {-force -quiet} {-offset -range -target_address_space} {1 1} {
    foreach needed {-offset -range -target_address_space} {
        if {![info exists option($needed)]} {
            dry::finding "assign_bd_address has no $needed"
        }
    }
    lappend ::bd::assigned [list $option(-target_address_space) [lindex $operands 0] [expr {$option(-offset)}] \
        [bd::bytes $option(-range)]]
}

command exclude_bd_addr_seg {-quiet} {-target_address_space} {1 1} {
    lappend ::bd::excluded [list $option(-target_address_space) [lindex $operands 0]]
}

command save_bd_design {-force -quiet} {} {0 1} {return ""}
command validate_bd_design {-force -quiet} {} {0 0} {
    check::design
    set ::dry::state(validated) 1
}
