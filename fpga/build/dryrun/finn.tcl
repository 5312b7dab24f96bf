# Commands that only the scripts of FINN's back end give, beside those of this project's own.

foreach name {set_msg_config reset_msg_config} {
    command $name {-suppress -quiet} {-id -severity -new_severity} {0 0} {return ""}
}
command get_param {} {} {1 1} {return ""}

# Presets of the board files: what matters here is that DDR and MIO become ports of the design.
command apply_bd_automation {-quiet} {-rule -config -dict} {0 1} {
    set cell [lindex $operands 0]
    if {$option(-rule) ni {xilinx.com:bd_rule:processing_system7 xilinx.com:bd_rule:zynq_ultra_ps_e}} {
        dry::finding "apply_bd_automation: the rule $option(-rule) is not known"
    }
    if {[dry::value $::dry::project BOARD_PART] eq ""} {
        dry::finding "apply_bd_automation: the project has no board, so no preset"
    }
    if {[catalog::name_of $cell] eq "processing_system7"} {
        dry::set_one CONFIG.PCW_UIPARAM_DDR_BUS_WIDTH {16 Bit} $cell
        foreach name {DDR FIXED_IO} {
            bd::make_external $cell/$name interface $name
        }
    }
}

# The packager's file groups

command ipx::find_open_core {} {} {1 1} {
    if {[lindex [split [lindex $operands 0] :] 2] ne [dry::value $::packager::core NAME]} {
        dry::finding "ipx::find_open_core: there is no open core [lindex $operands 0]"
    }
    return $::packager::core
}
command ipx::get_address_spaces {} {-of_objects} {0 1} {return ""}
command ipx::remove_segment {-quiet} {} {0 2} {return ""}
command ipx::add_file_group {} {-type} {2 2} {return [dry::create filegroup [lindex $operands 1]/files]}
command ipx::get_file_groups {} {-of_objects} {0 1} {return $option(-of_objects)/files}
command ipx::get_files {} {-of_objects} {0 1} {return ""}
command ipx::remove_file {} {} {2 2} {return ""}
command ipx::add_file {} {} {2 2} {
    if {![file exists [file join $::packager::root [lindex $operands 0]]] && ![file exists [lindex $operands 0]]} {
        dry::finding "ipx::add_file: there is no file [lindex $operands 0]"
    }
    return [dry::create packagedfile [lindex $operands 1]/[lindex $operands 0]]
}
