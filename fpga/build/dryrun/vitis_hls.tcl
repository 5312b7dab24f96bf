# A stand-in for Vitis HLS that checks a script's commands and files, and exports a core with the ports of its top.
#
#   tclsh vitis_hls.tcl -version | -f SCRIPT | SCRIPT

namespace eval dry {
    variable here [file dirname [file normalize [info script]]]
    variable expected [dict create release 2023.1 part "" clock_mhz ""]
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
    puts "Vitis HLS v$dry::release (dry run)"
    exit 0
}
set dry::script [lindex $argv end]
foreach dry::part {commands catalog project} {
    source [file join $dry::here $dry::part.tcl]
}

namespace eval hls {
    variable project ""
    variable solution ""
    variable top ""
    variable files {}
    variable part ""
    variable period ""
    variable synthesised 0
}

proc hls::need_solution {what} {
    if {$::hls::solution eq ""} {
        dry::finding "$what: no solution is open"
    }
}

command open_project {-reset} {} {1 1} {set ::hls::project [lindex $operands 0]}
command open_solution {-reset} {-flow_target} {1 1} {
    if {$::hls::project eq ""} {
        dry::finding "open_solution: no project is open"
    }
    if {[info exists option(-flow_target)] && $option(-flow_target) ni {vivado vitis}} {
        dry::finding "open_solution: there is no flow target $option(-flow_target)"
    }
    set ::hls::solution [lindex $operands 0]
}
command set_top {} {} {1 1} {set ::hls::top [lindex $operands 0]}
command add_files {-tb} {-cflags -csimflags} {1 1} {
    if {$::hls::project eq ""} {
        dry::finding "add_files: no project is open"
    }
    foreach path [lindex $operands 0] {
        if {![file exists $path]} {
            dry::finding "add_files: there is no file $path"
        }
        if {![info exists option(-tb)]} {
            lappend ::hls::files $path
        }
    }
}
command set_part {} {} {1 1} {
    hls::need_solution set_part
    set part [dict get $::dry::expected part]
    if {$part ne "" && [lindex $operands 0] ne $part} {
        dry::finding "set_part: [lindex $operands 0] is not the board's part, $part"
    }
    set ::hls::part [lindex $operands 0]
}
command create_clock {} {-period -name} {0 1} {
    hls::need_solution create_clock
    set mhz [dict get $::dry::expected clock_mhz]
    if {$mhz ne "" && abs($option(-period) - 1000.0 / $mhz) > 1e-6} {
        dry::finding "create_clock: a period of $option(-period) ns is not the board's clock, $mhz MHz"
    }
    set ::hls::period $option(-period)
}
command set_param {} {} {2 2} {return ""}
foreach name {config_compile config_interface config_rtl config_storage config_dataflow} {
    command $name {-disable_unroll_code_size_check -m_axi_addr64 -module_auto_prefix} \
        {-pipeline_style -deadlock_detection -default_slave_interface} {0 0} {hls::need_solution a\ configuration}
}
command csim_design {} {-argv -ldflags} {0 0} {hls::need_solution csim_design}
command csynth_design {} {} {0 0} {
    if {$::hls::files eq "" || $::hls::top eq "" || $::hls::part eq "" || $::hls::period eq ""} {
        dry::finding "csynth_design: sources, top, part and clock are not all set"
    }
    set found 0
    foreach path $::hls::files {
        if {[regexp "void\\s+$::hls::top\\s*\\(" [dry::read_file $path]]} {
            set found 1
        }
    }
    if {!$found} {
        dry::finding "csynth_design: no source has the function $::hls::top"
    }
    set ::hls::synthesised 1
}

# Bits of a type, a number or a constant that a header beside the source defines
proc hls::bits {text} {
    if {[string is integer -strict $text]} {
        return $text
    }
    set name [lindex [split $text :] end]
    foreach header [glob -nocomplain *.hpp] {
        if {[regexp "\\m$name\\s*=\\s*(\\d+)" [dry::read_file $header] _ bits]} {
            return $bits
        }
    }
    dry::finding "the width $text of a port is not known"
}

# Ports of the exported core, as the pragmas and the parameters of the top's source say.
proc hls::component_ports {} {
    set ports [list [catalog::pin ap_clk clk I] [catalog::pin ap_rst_n rst I polarity ACTIVE_LOW]]
    set text ""
    foreach path $::hls::files {
        append text [dry::read_file $path] "\n"
    }
    regexp "void\\s+$::hls::top\\s*(\\(\[^)\]*\\))" $text _ header
    set control 0
    foreach line [split $text \n] {
        if {![regexp {^\s*#pragma HLS INTERFACE\s+(.*)$} $line _ words]} {
            continue
        }
        regsub -all {\s*=\s*} $words = words
        regexp {port=(\w+)} $words _ port
        if {[regexp {\maxis\M} $words]} {
            if {![regexp "ap_uint<(\[\\w:\]+)>\\s*>\\s*&\\s*$port\\M" $header _ width]} {
                dry::finding "the stream $port is no parameter of $::hls::top"
            }
            set mode [expr {[string match in* $port] || [string match s_* $port] ? "Slave" : "Master"}]
            lappend ports [catalog::interface $port axis $mode width [expr {([bits $width] + 7) / 8 * 8}] clock ap_clk]
        } elseif {[regexp {\mm_axi\M} $words]} {
            if {![regexp "ap_uint<(\\d+)>\\s*\\*\\s*$port\\M" $header _ width]} {
                dry::finding "the memory $port is no parameter of $::hls::top"
            }
            lappend ports [catalog::interface m_axi_gmem aximm Master width $width clock ap_clk \
                space Data_m_axi_gmem aperture {0 0x10000000000000000}]
        } elseif {[regexp {\ms_axilite\M} $words]} {
            set control 1
        }
    }
    if {$control} {
        lappend ports [catalog::interface s_axi_control aximm Slave width 32 clock ap_clk \
            segments {{s_axi_control/Reg 0 0x10000 0}} address_bits 6]
    }
    return $ports
}

command export_design {-rtl} {-format -ipname -vendor -version -library -display_name -description} {0 0} {
    if {!$::hls::synthesised} {
        dry::finding "export_design: nothing has been synthesised"
    }
    if {![info exists option(-format)] || $option(-format) ne "ip_catalog"} {
        dry::finding "export_design exports no ip_catalog"
    }
    array set its [list -vendor xilinx.com -library hls -ipname $::hls::top -version 1.0 {*}[array get option]]
    set vlnv $its(-vendor):$its(-library):$its(-ipname):$its(-version)
    dry::write_file [file join $::hls::project $::hls::solution impl ip component.xml] \
        [list vlnv $vlnv ports [hls::component_ports]]
}
# The script's own exit is its end.
rename exit dry::leave
proc exit {{status 0}} {
    if {$status == 0} {
        dry::say "dry run: $dry::commands commands of [file tail $dry::script] checked"
    }
    dry::leave $status
}
dry::run $dry::script
