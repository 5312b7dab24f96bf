# The processing system of a Zynq-7000 on Pynq-Z1 and Pynq-Z2, whose board files need not be installed.
#
# On the board nothing of this reaches the processor: the FSBL of PYNQ's SD image has set up DDR, MIO and PLLs, and PYNQ
# sets FCLK0 to what the .hwh says when it loads the overlay. What the programmable logic sees must be right: the ports,
# their widths, FCLK0, and how much DDR there is. The DDR and MIO settings are those of the boards all the same, so that
# the design can also be started without PYNQ.

set ps(cell) processing_system7_0
create_bd_cell -type ip -vlnv [catalog_ip processing_system7 5] $ps(cell)
set_property -dict [list \
    CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50 \
    CONFIG.PCW_APU_PERIPHERAL_FREQMHZ 650 \
    CONFIG.PCW_UIPARAM_DDR_FREQ_MHZ 525 \
    CONFIG.PCW_UIPARAM_DDR_MEMORY_TYPE {DDR 3} \
    CONFIG.PCW_UIPARAM_DDR_PARTNO {MT41J256M16 RE-125} \
    CONFIG.PCW_UIPARAM_DDR_BUS_WIDTH {16 Bit} \
    CONFIG.PCW_UIPARAM_DDR_BOARD_DELAY0 0.223 \
    CONFIG.PCW_UIPARAM_DDR_BOARD_DELAY1 0.212 \
    CONFIG.PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_0 0.040 \
    CONFIG.PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_1 0.058 \
    CONFIG.PCW_PRESET_BANK0_VOLTAGE {LVCMOS 3.3V} \
    CONFIG.PCW_PRESET_BANK1_VOLTAGE {LVCMOS 1.8V} \
    CONFIG.PCW_QSPI_PERIPHERAL_ENABLE 1 \
    CONFIG.PCW_QSPI_GRP_SINGLE_SS_ENABLE 1 \
    CONFIG.PCW_ENET0_PERIPHERAL_ENABLE 1 \
    CONFIG.PCW_ENET0_ENET0_IO {MIO 16 .. 27} \
    CONFIG.PCW_ENET0_GRP_MDIO_ENABLE 1 \
    CONFIG.PCW_ENET0_GRP_MDIO_IO {MIO 52 .. 53} \
    CONFIG.PCW_ENET0_RESET_ENABLE 1 \
    CONFIG.PCW_ENET0_RESET_IO {MIO 9} \
    CONFIG.PCW_SD0_PERIPHERAL_ENABLE 1 \
    CONFIG.PCW_SD0_SD0_IO {MIO 40 .. 45} \
    CONFIG.PCW_SD0_GRP_CD_ENABLE 1 \
    CONFIG.PCW_SD0_GRP_CD_IO {MIO 47} \
    CONFIG.PCW_UART0_PERIPHERAL_ENABLE 1 \
    CONFIG.PCW_UART0_UART0_IO {MIO 14 .. 15} \
    CONFIG.PCW_USB0_PERIPHERAL_ENABLE 1 \
    CONFIG.PCW_USB0_USB0_IO {MIO 28 .. 39} \
    CONFIG.PCW_USB0_RESET_ENABLE 1 \
    CONFIG.PCW_USB0_RESET_IO {MIO 46} \
    CONFIG.PCW_GPIO_MIO_GPIO_ENABLE 1 \
    CONFIG.PCW_EN_CLK0_PORT 1 \
    CONFIG.PCW_EN_RST0_PORT 1 \
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $settings(clock_mhz) \
    CONFIG.PCW_USE_M_AXI_GP0 1 \
    CONFIG.PCW_USE_S_AXI_HP0 1 \
    CONFIG.PCW_S_AXI_HP0_DATA_WIDTH $settings(port_bits) \
] [get_bd_cells $ps(cell)]

foreach name {DDR FIXED_IO} {
    make_bd_intf_pins_external -name $name [get_bd_intf_pins $ps(cell)/$name]
}

# Weights have a port of their own: HP0 and HP1 share one of the memory controller, and HP2 has another.
if {$settings(weights)} {
    set_property -dict [list \
        CONFIG.PCW_USE_S_AXI_HP2 1 \
        CONFIG.PCW_S_AXI_HP2_DATA_WIDTH $settings(port_bits) \
    ] [get_bd_cells $ps(cell)]
}

set ps(clock) $ps(cell)/FCLK_CLK0
set ps(locked) ""
set ps(reset) $ps(cell)/FCLK_RESET0_N
set ps(control) $ps(cell)/M_AXI_GP0
set ps(memory) $ps(cell)/S_AXI_HP0
set ps(clock_pins) [list $ps(cell)/M_AXI_GP0_ACLK $ps(cell)/S_AXI_HP0_ACLK]
set ps(segments) $ps(cell)/S_AXI_HP0
set ps(memory_segment) HP0_DDR_LOWOCM
set ps(weights) $ps(cell)/S_AXI_HP2
set ps(weights_clock) $ps(cell)/S_AXI_HP2_ACLK
set ps(weights_segments) $ps(cell)/S_AXI_HP2
set ps(weights_segment) HP2_DDR_LOWOCM
set ps(memory_range) 512M
set ps(dma_offset) 0x40400000
set ps(spikefold_offset) 0x43C00000
