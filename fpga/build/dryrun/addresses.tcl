# Addresses of a block design: what spaces and segments there are, and which are assigned or excluded.

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
    # Of an external slave, once addresses have been assigned
    if {[regexp {^(.+)/SEG_(\w+)_Reg$} $pattern _ space port]} {
        if {!$::bd::automatic || $space ni [bd::all_spaces] || ![info exists ::bd::external(/$port)]} {
            dry::finding "there is no address segment $pattern"
        }
        return [dry::create segment $pattern]
    }
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
    if {![string is integer -strict [expr {int($range)}]] && ![string is entier -strict [expr {int($range)}]]} {
        dry::finding "$range is no range of addresses"
    }
    return [expr {int($range)}]
}

command assign_bd_address {-force -quiet} {-offset -range -target_address_space} {0 1} {
    if {$operands eq ""} {
        set ::bd::automatic 1
        return
    }
    foreach needed {-offset -range} {
        if {![info exists option($needed)]} {
            dry::finding "assign_bd_address has no $needed"
        }
    }
    set segment [lindex $operands 0]
    set spaces [expr {[info exists option(-target_address_space)] ? $option(-target_address_space) : [check::spaces_of $segment]}]
    if {$spaces eq ""} {
        dry::finding "assign_bd_address: no address space reaches $segment"
    }
    foreach space $spaces {
        lappend ::bd::assigned [list $space $segment [expr {int($option(-offset))}] [bd::bytes $option(-range)]]
    }
}

proc bd::move_segment {segment key value} {
    if {$key eq "RANGE"} {
        bytes $value
    }
}

command exclude_bd_addr_seg {-quiet} {-target_address_space} {1 1} {
    lappend ::bd::excluded [list $option(-target_address_space) [lindex $operands 0]]
}
