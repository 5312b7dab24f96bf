# The IP catalog: versions by Vivado release, parameters with their allowed values, and the ports that follow from them.
#
# Only what this project's designs use. Facts from AMD's product guides (PG082, PG201, PG021, PG247, PG164, PG065), none
# of them from a Vivado run here.

namespace eval catalog {
    # {vendor:library:name {release version ...}}, * for all releases
    variable versions {
        processing_system7 {* 5.5}
        zynq_ultra_ps_e {2022.2 3.4 * 3.5}
        axi_dma {* 7.1}
        smartconnect {* 1.0}
        axi_interconnect {* 2.1}
        proc_sys_reset {* 5.0}
        clk_wiz {* 6.0}
        axi_gpio {* 2.0}
        xlconstant {* 1.1}
        axis_register_slice {* 1.1}
        axis_data_fifo {* 2.0}
        axis_dwidth_converter {* 1.1}
    }
    # name {default check}; check is: any, range LOW HIGH, or one of the words
    variable parameters
    array set parameters {
        axi_dma {
            C_INCLUDE_SG {1 0 1} C_SG_INCLUDE_STSCNTRL_STRM {1 0 1} C_SG_LENGTH_WIDTH {14 range 8 26}
            C_ADDR_WIDTH {32 range 32 64} C_MICRO_DMA {0 0 1} C_SINGLE_INTERFACE {0 0 1}
            C_INCLUDE_MM2S {1 0 1} C_INCLUDE_MM2S_DRE {0 0 1} C_MM2S_BURST_SIZE {16 2 4 8 16 32 64 128 256}
            C_M_AXI_MM2S_DATA_WIDTH {32 32 64 128 256 512 1024}
            C_M_AXIS_MM2S_TDATA_WIDTH {32 8 16 32 64 128 256 512 1024}
            C_INCLUDE_S2MM {1 0 1} C_INCLUDE_S2MM_DRE {0 0 1} C_S2MM_BURST_SIZE {16 2 4 8 16 32 64 128 256}
            C_M_AXI_S2MM_DATA_WIDTH {32 32 64 128 256 512 1024}
            C_S_AXIS_S2MM_TDATA_WIDTH {32 8 16 32 64 128 256 512 1024}
        }
        smartconnect {NUM_SI {1 range 1 16} NUM_MI {1 range 1 16} NUM_CLKS {1 range 1 16}}
        axi_interconnect {NUM_SI {1 range 1 16} NUM_MI {2 range 1 64}}
        proc_sys_reset {C_EXT_RESET_HIGH {0 0 1} C_AUX_RESET_HIGH {0 0 1} C_NUM_PERP_ARESETN {1 range 1 16}}
        clk_wiz {
            PRIM_IN_FREQ {100 any} PRIM_IN_FREQ.VALUE_SRC {USER USER PROPAGATED} PRIMITIVE {MMCM MMCM PLL}
            PRIM_SOURCE {Single_ended_clock_capable_pin Single_ended_clock_capable_pin No_buffer Global_buffer}
            CLKOUT1_REQUESTED_OUT_FREQ {100 range 10 600} USE_LOCKED {true true false} USE_RESET {true true false}
            RESET_TYPE {ACTIVE_HIGH ACTIVE_HIGH ACTIVE_LOW} RESET_PORT {reset reset resetn}
        }
        processing_system7 {
            PCW_CRYSTAL_PERIPHERAL_FREQMHZ {33.333333 any} PCW_APU_PERIPHERAL_FREQMHZ {666.666666 range 50 1000}
            PCW_UIPARAM_DDR_FREQ_MHZ {533.333333 range 200 667} PCW_UIPARAM_DDR_MEMORY_TYPE {{DDR 3} any}
            PCW_UIPARAM_DDR_PARTNO {{MT41J256M8 HX-15E} any} PCW_UIPARAM_DDR_BUS_WIDTH {{32 Bit} {16 Bit} {32 Bit}}
            PCW_UIPARAM_DDR_BOARD_DELAY0 {0.25 any} PCW_UIPARAM_DDR_BOARD_DELAY1 {0.25 any}
            PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_0 {0.0 any} PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_1 {0.0 any}
            PCW_PRESET_BANK0_VOLTAGE {{LVCMOS 3.3V} any} PCW_PRESET_BANK1_VOLTAGE {{LVCMOS 3.3V} any}
            PCW_QSPI_PERIPHERAL_ENABLE {0 0 1} PCW_QSPI_GRP_SINGLE_SS_ENABLE {0 0 1}
            PCW_ENET0_PERIPHERAL_ENABLE {0 0 1} PCW_ENET0_ENET0_IO {<Select> {MIO 16 .. 27} EMIO}
            PCW_ENET0_GRP_MDIO_ENABLE {0 0 1} PCW_ENET0_GRP_MDIO_IO {<Select> {MIO 52 .. 53} EMIO}
            PCW_ENET0_RESET_ENABLE {0 0 1} PCW_ENET0_RESET_IO {<Select> any}
            PCW_SD0_PERIPHERAL_ENABLE {0 0 1} PCW_SD0_SD0_IO {<Select> {MIO 16 .. 21} {MIO 28 .. 33} {MIO 40 .. 45} EMIO}
            PCW_SD0_GRP_CD_ENABLE {0 0 1} PCW_SD0_GRP_CD_IO {<Select> any}
            PCW_UART0_PERIPHERAL_ENABLE {0 0 1} PCW_UART0_UART0_IO {<Select> any}
            PCW_USB0_PERIPHERAL_ENABLE {0 0 1} PCW_USB0_USB0_IO {<Select> {MIO 28 .. 39}}
            PCW_USB0_RESET_ENABLE {0 0 1} PCW_USB0_RESET_IO {<Select> any} PCW_GPIO_MIO_GPIO_ENABLE {0 0 1}
            PCW_EN_CLK0_PORT {1 0 1} PCW_EN_RST0_PORT {1 0 1} PCW_FPGA0_PERIPHERAL_FREQMHZ {50 range 0.1 250}
            PCW_USE_M_AXI_GP0 {1 0 1} PCW_USE_M_AXI_GP1 {0 0 1} PCW_USE_S_AXI_HP0 {0 0 1}
            PCW_S_AXI_HP0_DATA_WIDTH {64 32 64} PCW_USE_S_AXI_HP2 {0 0 1} PCW_S_AXI_HP2_DATA_WIDTH {64 32 64}
        }
        zynq_ultra_ps_e {
            PSU__PSS_REF_CLK__FREQMHZ {33.333 range 27 60} PSU__FPGA_PL0_ENABLE {1 0 1}
            PSU__CRL_APB__PL0_REF_CTRL__SRCSEL {IOPLL IOPLL RPLL DPLL}
            PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {100 range 1 333} PSU__OVERRIDE__BASIC_CLOCK {0 0 1}
            PSU__USE__FABRIC__RST {1 0 1} PSU__USE__M_AXI_GP0 {1 0 1} PSU__USE__M_AXI_GP1 {1 0 1}
            PSU__USE__M_AXI_GP2 {0 0 1} PSU__USE__S_AXI_GP2 {0 0 1} PSU__USE__S_AXI_GP3 {0 0 1}
            PSU__MAXIGP0__DATA_WIDTH {128 32 64 128} PSU__MAXIGP1__DATA_WIDTH {128 32 64 128}
            PSU__SAXIGP2__DATA_WIDTH {128 32 64 128}
            PSU__USE__S_AXI_GP4 {0 0 1} PSU__SAXIGP4__DATA_WIDTH {128 32 64 128}
        }
        axi_gpio {C_ALL_OUTPUTS {0 0 1} C_DOUT_DEFAULT {0 any} C_GPIO_WIDTH {32 range 1 32}}
    }
}

proc catalog::version_of {name} {
    variable versions
    if {![dict exists $versions $name]} {
        return ""
    }
    foreach {release version} [dict get $versions $name] {
        if {$release eq $dry::release || $release eq "*"} {
            return $version
        }
    }
}

# VLNVs that match a pattern: AMD's, then those of the project's repositories.
proc catalog::find {pattern} {
    variable versions
    set found {}
    dict for {name _} $versions {
        lappend found xilinx.com:ip:$name:[version_of $name]
    }
    foreach {vlnv _} [array get dry::packaged] {
        lappend found $vlnv
    }
    if {[llength [split $pattern :]] == 3} {
        append pattern :*
    }
    return [lsort [lsearch -all -inline -glob $found $pattern]]
}

proc catalog::name_of {cell} {
    return [lindex [split [dry::value $cell VLNV] :] 2]
}

proc catalog::is_amd {cell} {
    return [string match xilinx.com:ip:* [dry::value $cell VLNV]]
}

proc catalog::check_parameter {cell key value} {
    variable parameters
    set name [name_of $cell]
    if {![is_amd $cell] || ![info exists parameters($name)]} {
        dry::finding "$cell ([dry::value $cell VLNV]) has no parameters, so no $key"
    }
    if {![string match CONFIG.* $key]} {
        dry::finding "$cell: $key is no parameter (CONFIG....)"
    }
    set parameter [string range $key 7 end]
    if {![dict exists $parameters($name) $parameter]} {
        dry::finding "$name has no parameter $parameter"
    }
    set allowed [lrange [dict get $parameters($name) $parameter] 1 end]
    if {[lindex $allowed 0] eq "range"} {
        lassign $allowed _ low high
        if {![string is double -strict $value] || $value < $low || $value > $high} {
            dry::finding "$name: $parameter is $value, and must be $low to $high"
        }
    } elseif {$allowed ne "any" && $value ni $allowed} {
        dry::finding "$name: $parameter is $value, and must be one of $allowed"
    }
}

proc catalog::parameter {cell key} {
    variable parameters
    set default [lindex [dict get $parameters([name_of $cell]) $key] 0]
    return [dry::value $cell CONFIG.$key $default]
}

# The ports of a cell: {pin NAME TYPE DIRECTION ATTRIBUTES} and {interface NAME BUS MODE ATTRIBUTES}. Attributes of pins:
# polarity, required. Of interfaces: width, clock, required, segments ({path name offset range fixed} of a slave), space
# (a master's address space), aperture ({base size} pairs that this space reaches).
proc catalog::ports {cell} {
    set name [name_of $cell]
    if {[is_amd $cell]} {
        if {[info procs ports_of_$name] eq ""} {
            return {}
        }
        return [ports_of_$name $cell]
    }
    return [dict get $dry::packaged([dry::value $cell VLNV]) ports]
}

proc catalog::pin {name type direction args} {
    return [list pin $name $type $direction [dict merge {required 1 polarity ""} $args]]
}

proc catalog::interface {name bus mode args} {
    return [list interface $name $bus $mode [dict merge {required 1 width "" clock "" segments {} space "" aperture {}} $args]]
}

proc catalog::ports_of_processing_system7 {cell} {
    set ports [list [interface DDR ddrx Master required 1] [interface FIXED_IO fixedio Master required 1]]
    if {[parameter $cell PCW_EN_CLK0_PORT]} {
        lappend ports [pin FCLK_CLK0 clk O]
    }
    if {[parameter $cell PCW_EN_RST0_PORT]} {
        lappend ports [pin FCLK_RESET0_N rst O polarity ACTIVE_LOW]
    }
    if {[parameter $cell PCW_USE_M_AXI_GP0]} {
        lappend ports [pin M_AXI_GP0_ACLK clk I] [interface M_AXI_GP0 aximm Master width 32 clock M_AXI_GP0_ACLK \
            space Data aperture {0x40000000 0x40000000}]
    }
    # Half a gigabyte: what two chips of 16 bits, or one as on these boards, give.
    set range [expr {[parameter $cell PCW_UIPARAM_DDR_BUS_WIDTH] eq "16 Bit" ? 0x20000000 : 0x40000000}]
    foreach port {HP0 HP2} {
        if {[parameter $cell PCW_USE_S_AXI_$port]} {
            lappend ports [pin S_AXI_${port}_ACLK clk I] [interface S_AXI_$port aximm Slave \
                width [parameter $cell PCW_S_AXI_${port}_DATA_WIDTH] clock S_AXI_${port}_ACLK \
                segments [list [list S_AXI_$port/${port}_DDR_LOWOCM 0 $range 1]]]
        }
    }
    return $ports
}

proc catalog::ports_of_zynq_ultra_ps_e {cell} {
    set ports {}
    if {[parameter $cell PSU__FPGA_PL0_ENABLE]} {
        lappend ports [pin pl_clk0 clk O]
    }
    if {[parameter $cell PSU__USE__FABRIC__RST]} {
        lappend ports [pin pl_resetn0 rst O polarity ACTIVE_LOW]
    }
    foreach {number port base} {0 HPM0_FPD 0xA0000000 1 HPM1_FPD 0xB0000000} {
        if {[parameter $cell PSU__USE__M_AXI_GP$number]} {
            set clock [string tolower maxi${port}_aclk]
            lappend ports [pin $clock clk I] [interface M_AXI_$port aximm Master clock $clock \
                width [parameter $cell PSU__MAXIGP${number}__DATA_WIDTH] space Data aperture [list $base 0x10000000]]
        }
    }
    foreach {number port} {2 HP0 4 HP2} {
        if {[parameter $cell PSU__USE__S_AXI_GP$number]} {
            set clock [string tolower saxi${port}_fpd_aclk]
            lappend ports [pin $clock clk I] [interface S_AXI_${port}_FPD aximm Slave clock $clock \
                width [parameter $cell PSU__SAXIGP${number}__DATA_WIDTH] segments [list \
                    [list SAXIGP$number/${port}_DDR_LOW 0 0x80000000 1] \
                    [list SAXIGP$number/${port}_QSPI 0xC0000000 0x20000000 1] \
                    [list SAXIGP$number/${port}_LPS_OCM 0xFF000000 0x1000000 1]]]
        }
    }
    return $ports
}

proc catalog::ports_of_axi_dma {cell} {
    set ports [list [pin s_axi_lite_aclk clk I] [pin axi_resetn rst I polarity ACTIVE_LOW] \
        [interface S_AXI_LITE aximm Slave width 32 clock s_axi_lite_aclk segments {{S_AXI_LITE/Reg 0 0x10000 0}}]]
    if {[parameter $cell C_INCLUDE_SG]} {
        lappend ports [pin m_axi_sg_aclk clk I] \
            [interface M_AXI_SG aximm Master width 32 clock m_axi_sg_aclk space Data_SG]
    }
    set addresses [list 0 [expr {1 << [parameter $cell C_ADDR_WIDTH]}]]
    foreach {way stream mode} {MM2S M_AXIS_MM2S Master S2MM S_AXIS_S2MM Slave} {
        if {[parameter $cell C_INCLUDE_$way]} {
            set clock [string tolower m_axi_${way}_aclk]
            lappend ports [pin $clock clk I] [pin [string tolower ${way}_introut] intr O required 0] \
                [interface M_AXI_$way aximm Master width [parameter $cell C_M_AXI_${way}_DATA_WIDTH] clock $clock \
                    space Data_$way aperture $addresses] \
                [interface $stream axis $mode width [parameter $cell C_${stream}_TDATA_WIDTH] clock $clock]
        }
    }
    return $ports
}

proc catalog::ports_of_smartconnect {cell} {
    set ports [list [pin aclk clk I] [pin aresetn rst I polarity ACTIVE_LOW]]
    for {set number 1} {$number < [parameter $cell NUM_CLKS]} {incr number} {
        lappend ports [pin aclk$number clk I]
    }
    foreach {letter mode} {S Slave M Master} {
        for {set number 0} {$number < [parameter $cell NUM_${letter}I]} {incr number} {
            lappend ports [interface [format %s%02d_AXI $letter $number] aximm $mode clock aclk]
        }
    }
    return $ports
}

proc catalog::ports_of_axi_interconnect {cell} {
    set ports [list [pin ACLK clk I] [pin ARESETN rst I polarity ACTIVE_LOW]]
    foreach {letter mode} {S Slave M Master} {
        for {set number 0} {$number < [parameter $cell NUM_${letter}I]} {incr number} {
            set prefix [format %s%02d $letter $number]
            lappend ports [pin ${prefix}_ACLK clk I] [pin ${prefix}_ARESETN rst I polarity ACTIVE_LOW] \
                [interface ${prefix}_AXI aximm $mode clock ${prefix}_ACLK]
        }
    }
    return $ports
}

proc catalog::ports_of_proc_sys_reset {cell} {
    set ports [list [pin slowest_sync_clk clk I] [pin ext_reset_in rst I polarity ANY] \
        [pin aux_reset_in rst I polarity ANY required 0] [pin dcm_locked data I required 0]]
    foreach name {mb_reset bus_struct_reset peripheral_reset} {
        lappend ports [pin $name rst O polarity ACTIVE_HIGH]
    }
    foreach name {interconnect_aresetn peripheral_aresetn} {
        lappend ports [pin $name rst O polarity ACTIVE_LOW]
    }
    return $ports
}

proc catalog::ports_of_clk_wiz {cell} {
    set ports [list [pin clk_in1 clk I] [pin clk_out1 clk O]]
    if {[parameter $cell USE_LOCKED]} {
        lappend ports [pin locked data O]
    }
    if {[parameter $cell USE_RESET]} {
        lappend ports [pin [parameter $cell RESET_PORT] rst I polarity [parameter $cell RESET_TYPE]]
    }
    return $ports
}
