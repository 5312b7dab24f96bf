# Step package: the shell (and for IMPL=rtl the accelerator in it) as an IP-XACT core in ip/<name>.
#
# The sources lie in the core's own folder already, flat: $readmemh looks a bare file name up beside the source that
# calls it and in the folders of memory files, so both find it, also in the copy that a block design synthesises.

source [file join [file dirname [file normalize [info script]]] common.tcl]

set root [file join ip $settings(ip)]
create_project -force package package -part $settings(part)

proc source_paths {names} {
    global root
    set paths {}
    foreach name $names {
        lappend paths [file normalize [file join $root src $name]]
    }
    return $paths
}

add_files -norecurse [source_paths $settings(sources)]
if {$settings(memories) ne ""} {
    add_files -norecurse [source_paths $settings(memories)]
    foreach path [source_paths $settings(memories)] {
        set_property file_type {Memory Initialization Files} [get_files $path]
    }
}
set_property top $settings(ip) [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir $root -vendor spikefold -library ip -taxonomy /UserIP -force
set core [ipx::current_core]
set_property name $settings(ip) $core
set_property version 1.0 $core
set_property display_name "spikefold accelerator" $core
set_property description "Spiking neural network with AXI4-Stream in and out and AXI-Lite control" $core

# Vivado infers the interfaces from the names of the ports. One that it did not infer would be missing in the block
# design much later, under another name.
foreach {name mode} $settings(interfaces) {
    set interface [ipx::get_bus_interfaces $name -of_objects $core]
    if {$interface eq ""} {
        error "no interface $name was inferred from the ports of $settings(ip)"
    }
    if {[get_property interface_mode $interface] ne $mode} {
        error "interface $name of $settings(ip) is a [get_property interface_mode $interface] and not a $mode"
    }
}

# Value of a parameter of an interface, whether the packager has inferred it or not.
proc set_parameter {interface name value} {
    set parameter [ipx::get_bus_parameters $name -of_objects $interface]
    if {$parameter eq ""} {
        set parameter [ipx::add_bus_parameter $name $interface]
    }
    set_property value $value $parameter
}

set buses {}
foreach {name mode} $settings(interfaces) {
    lappend buses $name
}
set clock [ipx::get_bus_interfaces aclk -of_objects $core]
set_parameter $clock ASSOCIATED_BUSIF [join $buses :]
set_parameter $clock ASSOCIATED_RESET [join $settings(resets) :]
# The block design says what the clock is; a frequency kept here would contradict it.
if {[ipx::get_bus_parameters FREQ_HZ -of_objects $clock] ne ""} {
    ipx::remove_bus_parameter FREQ_HZ $clock
}
foreach reset $settings(resets) {
    set_parameter [ipx::get_bus_interfaces $reset -of_objects $core] POLARITY ACTIVE_LOW
}

set map [ipx::get_memory_maps s_axi -of_objects $core]
if {$map eq ""} {
    set map [ipx::add_memory_map s_axi $core]
    set_property slave_memory_map_ref s_axi [ipx::get_bus_interfaces s_axi -of_objects $core]
}
set block [ipx::get_address_blocks reg0 -of_objects $map]
if {$block eq ""} {
    set block [ipx::add_address_block reg0 $map]
}
set_property usage register $block
set_property base_address 0 $block
set_property range 65536 $block
set_property width 32 $block

# The master's addresses, below 4 GB: more than the design assigns.
if {$settings(weights) && [ipx::get_address_spaces m_axi_weights -of_objects $core] eq ""} {
    set space [ipx::add_address_space m_axi_weights $core]
    set_property range 4294967296 $space
    set_property width 64 $space
    set_property master_address_space_ref m_axi_weights [ipx::get_bus_interfaces m_axi_weights -of_objects $core]
}

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
