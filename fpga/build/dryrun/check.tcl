# What validate_bd_design checks of a whole block design.

namespace eval check {}

proc check::design {} {
    foreach part {connected widths clocks resets dma addresses} {
        $part
    }
    dry::end_check
}

proc check::each {kind} {
    set found {}
    foreach cell [dry::all cell] {
        foreach spec [catalog::ports $cell] {
            if {[lindex $spec 0] eq $kind} {
                lappend found [list $cell/[lindex $spec 1] {*}[lrange $spec 2 4]]
            }
        }
    }
    return $found
}

proc check::spec {path} {
    foreach kind {interface pin} {
        if {[set found [bd::port $path $kind]] ne ""} {
            return [lrange [lindex $found 1] 2 4]
        }
    }
    return ""
}

# {master slave} of each interface net inside the design
proc check::links {} {
    set found {}
    foreach {net items} [array get ::bd::members] {
        if {[llength $items] != 2 || [bd::port [lindex $items 0] interface] eq ""} {
            continue
        }
        lassign $items one other
        if {[info exists ::bd::external($one)] || [info exists ::bd::external($other)]} {
            continue
        }
        lappend found [expr {[lindex [spec $one] 1] eq "Master" ? [list $one $other] : [list $other $one]}]
    }
    return $found
}

proc check::connected {} {
    foreach its [each interface] {
        lassign $its path bus mode attributes
        if {![info exists ::bd::net($path)] && [dict get $attributes required]} {
            dry::collect "interface $path ($bus, [string tolower $mode]) is not connected"
        }
    }
    foreach its [each pin] {
        lassign $its path type direction attributes
        if {$direction eq "I" && [dict get $attributes required] && $type ni {clk rst} && [driver $path] eq ""} {
            dry::collect "pin $path is not connected"
        }
    }
    # A connection to a port that later settings took away
    foreach item [array names ::bd::net] {
        if {[spec $item] eq ""} {
            dry::collect "$item was connected, and its cell has no such port any more"
        }
    }
}

proc check::widths {} {
    foreach link [links] {
        lassign $link master slave
        lassign [spec $master] bus mode attributes
        lassign [spec $slave] its_bus its_mode its_attributes
        if {$bus ne $its_bus} {
            dry::collect "$master ($bus) is connected to $slave ($its_bus)"
        } elseif {$mode eq $its_mode} {
            dry::collect "$master and $slave are both [string tolower $mode]s"
        } else {
            set width [dict get $attributes width]
            set its_width [dict get $its_attributes width]
            # An interconnect takes the width of its other end.
            if {$width ne "" && $its_width ne "" && $width != $its_width} {
                dry::collect "$master is $width bits wide, and $slave $its_width"
            }
        }
    }
    set port [dict get $::dry::expected port_bits]
    foreach its [each interface] {
        lassign $its path bus mode attributes
        if {$port ne "" && [string match *S_AXI_HP* $path] && [dict get $attributes width] != $port} {
            dry::collect "$path is [dict get $attributes width] bits wide, and the board's is $port"
        }
    }
}

# The pin that drives a net with this one on it
proc check::driver {path} {
    if {![info exists ::bd::net($path)]} {
        return ""
    }
    foreach item $::bd::members($::bd::net($path)) {
        if {$item ne $path && [bd::drives $item]} {
            return $item
        }
    }
    return ""
}

# Frequency in Hz of a clock that a cell makes
proc check::frequency {path} {
    if {[info exists ::bd::external($path)]} {
        return [dry::value $path CONFIG.FREQ_HZ]
    }
    set cell [file dirname $path]
    switch [catalog::name_of $cell] {
        processing_system7 {set mhz [divided $path 1000 [catalog::parameter $cell PCW_FPGA0_PERIPHERAL_FREQMHZ]]}
        zynq_ultra_ps_e {
            set source [catalog::parameter $cell PSU__CRL_APB__PL0_REF_CTRL__SRCSEL]
            if {$source ne "IOPLL"} {
                dry::collect "$path comes from $source, which PYNQ's SD images set up in their own way"
            }
            set mhz [divided $path 1500 [catalog::parameter $cell PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ]]
        }
        clk_wiz {set mhz [catalog::parameter $cell CLKOUT1_REQUESTED_OUT_FREQ]}
        default {return ""}
    }
    return [expr {round($mhz * 1e6)}]
}

# The frequency, where the PLL of so many MHz can be divided to it
proc check::divided {path pll mhz} {
    if {abs($pll / double($mhz) - round($pll / double($mhz))) > 1e-6} {
        dry::collect "$path cannot be $mhz MHz: the PLL of $pll MHz is divided by whole numbers"
    }
    return $mhz
}

proc check::clocks {} {
    set mhz [dict get $::dry::expected clock_mhz]
    set hertz [expr {$mhz eq "" ? "" : $mhz * 1000000}]
    foreach its [each pin] {
        lassign $its path type direction
        if {$type ne "clk" || $direction ne "I"} {
            continue
        }
        set source [driver $path]
        if {$source eq ""} {
            dry::collect "clock pin $path has no clock"
        } elseif {[lindex [spec $source] 0] ne "clk"} {
            dry::collect "clock pin $path is driven by $source, which is no clock"
        } else {
            set runs [frequency $source]
            if {$hertz ne "" && [catalog::name_of [file dirname $path]] ne "clk_wiz" && $runs != $hertz} {
                dry::collect "$path runs at $runs Hz, and the board's clock is $hertz Hz"
            }
        }
    }
    foreach link [links] {
        lassign $link master slave
        set clocks {}
        foreach path $link {
            set pin [dict get [lindex [spec $path] 2] clock]
            if {$pin ne ""} {
                lappend clocks [driver [file dirname $path]/$pin]
            }
        }
        if {[llength [lsort -unique $clocks]] > 1} {
            dry::collect "$master and $slave have two clocks: [join $clocks { and }]"
        }
    }
}

proc check::resets {} {
    foreach its [each pin] {
        lassign $its path type direction attributes
        if {$type ne "rst" || $direction ne "I"} {
            continue
        }
        set source [driver $path]
        if {$source eq ""} {
            if {[dict get $attributes required]} {
                dry::collect "reset pin $path has no reset"
            }
            continue
        }
        lassign [spec $source] its_type _ its_attributes
        set wanted [dict get $attributes polarity]
        if {$its_type ne "rst"} {
            dry::collect "reset pin $path is driven by $source, which is no reset"
        } elseif {$wanted ne "ANY" && [dict get $its_attributes polarity] ne $wanted} {
            dry::collect "reset pin $path is $wanted, and $source is [dict get $its_attributes polarity]"
        }
        # Released by the clock that it resets: one that a reset core makes belongs to its clock.
        set cell [file dirname $source]
        if {[catalog::name_of $cell] eq "proc_sys_reset"} {
            set clock [driver $cell/slowest_sync_clk]
            foreach other [each pin] {
                lassign $other pin pin_type pin_direction
                if {[file dirname $pin] eq [file dirname $path] && $pin_type eq "clk" && $pin_direction eq "I"
                        && [driver $pin] ne "" && [driver $pin] ne $clock} {
                    dry::collect "reset $source of $path is released by $clock, and $pin runs at [driver $pin]"
                }
            }
        }
    }
}

proc check::dma {} {
    foreach cell [dry::all cell] {
        if {[catalog::name_of $cell] ne "axi_dma"} {
            continue
        }
        if {[catalog::parameter $cell C_INCLUDE_SG]} {
            dry::collect "$cell has scatter-gather, which the driver does not use"
        }
        set most [expr {(1 << [catalog::parameter $cell C_SG_LENGTH_WIDTH]) - 1}]
        foreach {way stream key} {MM2S M_AXIS_MM2S input_frame_bytes S2MM S_AXIS_S2MM output_frame_bytes} {
            set frame [dict get $::dry::expected $key]
            if {$frame ne "" && $frame > $most} {
                dry::collect "$cell moves at most $most bytes, and a frame of its $way channel has $frame"
            }
            if {[catalog::parameter $cell C_M_AXI_${way}_DATA_WIDTH] < [catalog::parameter $cell C_${stream}_TDATA_WIDTH]} {
                dry::collect "$cell: the memory side of $way is narrower than its stream"
            }
        }
    }
}

# Slave interfaces that a master reaches, through interconnects
proc check::reached {master} {
    if {![info exists ::bd::net($master)]} {
        return {}
    }
    set found {}
    foreach item $::bd::members($::bd::net($master)) {
        if {$item eq $master || [info exists ::bd::external($item)]} {
            continue
        }
        set cell [file dirname $item]
        if {[catalog::name_of $cell] in {smartconnect axi_interconnect}} {
            foreach its [each interface] {
                if {[file dirname [lindex $its 0]] eq $cell && [lindex $its 2] eq "Master"} {
                    lappend found {*}[reached [lindex $its 0]]
                }
            }
        } else {
            lappend found $item
        }
    }
    return $found
}

# Address spaces that reach a segment
proc check::spaces_of {segment} {
    set interface [lindex [dict get [bd::all_segments] $segment] 0]
    set found {}
    foreach its [each interface] {
        lassign $its path bus mode attributes
        if {[dict get $attributes space] ne "" && $interface in [reached $path]} {
            lappend found [file dirname $path]/[dict get $attributes space]
        }
    }
    return $found
}

proc check::addresses {} {
    set segments [bd::all_segments]
    foreach its [each interface] {
        lassign $its path bus mode attributes
        if {[dict get $attributes space] eq ""} {
            continue
        }
        set space [file dirname $path]/[dict get $attributes space]
        set slaves [reached $path]
        set placed {}
        dict for {segment about} $segments {
            lassign $about interface base size fixed
            if {$interface ni $slaves} {
                continue
            }
            set mine [lsearch -all -inline -index 1 [lsearch -all -inline -index 0 $::bd::assigned $space] $segment]
            if {$mine eq "" && !$::bd::automatic && [list $space $segment] ni $::bd::excluded} {
                dry::collect "address segment $segment is not assigned in $space"
            }
            foreach assigned $mine {
                lassign $assigned _ _ offset range
                lappend placed [list $segment $offset $range]
                check_place $space $segment $offset $range [dict get $attributes aperture]
                if {$fixed && ($offset != $base || $range > $size)} {
                    dry::collect "$segment lies at [hex $base], [hex $size] bytes, and is assigned at [hex $offset], [hex $range]"
                }
            }
        }
        foreach assigned [lsearch -all -inline -index 0 $::bd::assigned $space] {
            set segment [lindex $assigned 1]
            if {[lindex [dict get $segments $segment] 0] ni $slaves} {
                dry::collect "address segment $segment is assigned in $space, which does not reach it"
            }
        }
        overlaps $space $placed
    }
}

proc check::check_place {space segment offset range aperture} {
    if {$range <= 0 || ($range & ($range - 1)) || $offset % $range} {
        dry::collect "$segment at [hex $offset] is not aligned to its range [hex $range]"
    }
    foreach {base size} $aperture {
        if {$offset >= $base && $offset + $range <= $base + $size} {
            return
        }
    }
    dry::collect "$segment at [hex $offset] is outside of what $space reaches"
}

proc check::overlaps {space placed} {
    set placed [lsort -integer -index 1 $placed]
    foreach one [lrange $placed 0 end-1] other [lrange $placed 1 end] {
        if {$other ne "" && [lindex $one 1] + [lindex $one 2] > [lindex $other 1]} {
            dry::collect "[lindex $one 0] and [lindex $other 0] overlap in $space at [hex [lindex $other 1]]"
        }
    }
}

proc check::hex {number} {
    return [format 0x%llX $number]
}
