# Step design: processing system, one DMA and the accelerator, connected, with addresses, as a block design with wrapper.
#
#   processing system -- control -- DMA registers, accelerator registers          (AXI-Lite)
#   processing system <- memory -- DMA -- accelerator -- DMA                       (AXI, AXI4-Stream)
#   processing system <- weights -- accelerator               (AXI; where weights are not on the chip)
#
# Everything runs at one clock. The driver finds the cells by their names: axi_dma_0 and spikefold_0.

source [file join [file dirname [file normalize [info script]]] common.tcl]

create_project -force spikefold project -part $settings(part)
set_property ip_repo_paths $settings(ip_repositories) [current_project]
update_ip_catalog -rebuild
create_bd_design spikefold

source [file join [file dirname [file normalize [info script]]] $settings(processing_system).tcl]

# Cores

create_bd_cell -type ip -vlnv [catalog_ip proc_sys_reset 5] reset_0
create_bd_cell -type ip -vlnv [catalog_ip smartconnect 1] control_0
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 2] [get_bd_cells control_0]
create_bd_cell -type ip -vlnv [catalog_ip smartconnect 1] memory_0
set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 1] [get_bd_cells memory_0]

# Simple mode: one transfer at a time in each direction, started by registers. Without realignment: the driver's buffers
# begin at a page. Bursts of 16 beats are the longest that the AXI3 ports of a Zynq-7000 take.
create_bd_cell -type ip -vlnv [catalog_ip axi_dma 7] axi_dma_0
set_property -dict [list \
    CONFIG.c_include_sg 0 \
    CONFIG.c_sg_include_stscntrl_strm 0 \
    CONFIG.c_sg_length_width $settings(dma_length_bits) \
    CONFIG.c_addr_width 32 \
    CONFIG.c_include_mm2s 1 \
    CONFIG.c_include_mm2s_dre 0 \
    CONFIG.c_m_axi_mm2s_data_width $settings(mm2s_bits) \
    CONFIG.c_m_axis_mm2s_tdata_width $settings(input_bits) \
    CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_include_s2mm 1 \
    CONFIG.c_include_s2mm_dre 0 \
    CONFIG.c_m_axi_s2mm_data_width $settings(s2mm_bits) \
    CONFIG.c_s_axis_s2mm_tdata_width $settings(output_bits) \
    CONFIG.c_s2mm_burst_size 16 \
] [get_bd_cells axi_dma_0]

create_bd_cell -type ip -vlnv spikefold:ip:$settings(ip):1.0 spikefold_0

# Interfaces

proc connect_interfaces {from to} {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}
connect_interfaces $ps(control) control_0/S00_AXI
connect_interfaces control_0/M00_AXI axi_dma_0/S_AXI_LITE
connect_interfaces control_0/M01_AXI spikefold_0/s_axi
connect_interfaces axi_dma_0/M_AXI_MM2S memory_0/S00_AXI
connect_interfaces axi_dma_0/M_AXI_S2MM memory_0/S01_AXI
connect_interfaces memory_0/M00_AXI $ps(memory)
connect_interfaces axi_dma_0/M_AXIS_MM2S spikefold_0/s_axis
connect_interfaces spikefold_0/m_axis axi_dma_0/S_AXIS_S2MM

# Clock and reset

set clocked [concat $ps(clock_pins) {
    reset_0/slowest_sync_clk control_0/aclk memory_0/aclk spikefold_0/aclk
    axi_dma_0/s_axi_lite_aclk axi_dma_0/m_axi_mm2s_aclk axi_dma_0/m_axi_s2mm_aclk
}]
set reset {control_0/aresetn memory_0/aresetn spikefold_0/aresetn axi_dma_0/axi_resetn}

# IMPL=hls: the accelerator is the core of Vitis HLS beside the shell, which resets it
if {$settings(impl) eq "hls"} {
    create_bd_cell -type ip -vlnv spikefold:hls:accelerator:1.0 accelerator_0
    connect_interfaces spikefold_0/acc_s_axis accelerator_0/s_axis_0
    connect_interfaces accelerator_0/m_axis_0 spikefold_0/acc_m_axis
    connect_bd_net [get_bd_pins spikefold_0/acc_aresetn] [get_bd_pins accelerator_0/ap_rst_n]
    lappend clocked accelerator_0/ap_clk
}

# Weights in memory: a port of the processing system for them alone. Its width and AXI3 are SmartConnect's business.
if {$settings(weights)} {
    create_bd_cell -type ip -vlnv [catalog_ip smartconnect 1] weights_0
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] [get_bd_cells weights_0]
    connect_interfaces spikefold_0/m_axi_weights weights_0/S00_AXI
    connect_interfaces weights_0/M00_AXI $ps(weights)
    lappend clocked weights_0/aclk $ps(weights_clock)
    lappend reset weights_0/aresetn
}

foreach pin $clocked {
    connect_bd_net [get_bd_pins $ps(clock)] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins $ps(reset)] [get_bd_pins reset_0/ext_reset_in]
if {$ps(locked) ne ""} {
    connect_bd_net [get_bd_pins $ps(locked)] [get_bd_pins reset_0/dcm_locked]
}
foreach pin $reset {
    connect_bd_net [get_bd_pins reset_0/peripheral_aresetn] [get_bd_pins $pin]
}

# Addresses

proc assign_address {space segment offset range} {
    assign_bd_address -offset $offset -range $range -target_address_space [get_bd_addr_spaces $space] \
        [get_bd_addr_segs $segment] -force
}
assign_address $ps(cell)/Data axi_dma_0/S_AXI_LITE/Reg $ps(dma_offset) 64K
assign_address $ps(cell)/Data spikefold_0/s_axi/reg0 $ps(spikefold_offset) 64K
proc assign_memory {space segments memory} {
    assign_address $space $segments/$memory 0x00000000 $::ps(memory_range)
    # What else lies behind the port (flash, on-chip memory) is no place for frames or weights.
    foreach segment [get_bd_addr_segs $segments/*] {
        if {[file tail $segment] ne $memory} {
            exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs $segment]
        }
    }
}
foreach space {axi_dma_0/Data_MM2S axi_dma_0/Data_S2MM} {
    assign_memory $space $ps(segments) $ps(memory_segment)
}
if {$settings(weights)} {
    assign_memory spikefold_0/m_axi_weights $ps(weights_segments) $ps(weights_segment)
}

validate_bd_design
save_bd_design

# Wrapper and hand-off

set wrapper [make_wrapper -files [get_files spikefold.bd] -top]
add_files -norecurse $wrapper
set_property top spikefold_wrapper [current_fileset]
generate_target all [get_files spikefold.bd]
update_compile_order -fileset sources_1

set handoff project/spikefold.gen/sources_1/bd/spikefold/hw_handoff/spikefold.hwh
if {![file exists $handoff]} {
    error "Vivado wrote no $handoff"
}
file copy -force $handoff spikefold.hwh
close_project
