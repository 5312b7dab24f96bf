# The processing system of a Zynq UltraScale+ on any board, whose board files need not be installed.
#
# On the board nothing of this reaches the processor: the FSBL of PYNQ's SD image has set up DDR, MIO and PLLs, and PYNQ
# sets the divisors of PL0 and the widths of the AXI ports to what the .hwh says when it loads the overlay. It leaves the
# PLL that PL0 divides as the FSBL chose it: the I/O PLL at 1,500 MHz on these boards, which gives 100 MHz exactly and
# 200 MHz not at all. So PL0 is 100 MHz, and a clocking wizard makes the board's clock of it.
#
# The DMA sees the lower 2 GB of DDR: Linux keeps the memory of its buffers (CMA) there.

set ps(cell) zynq_ultra_ps_e_0
create_bd_cell -type ip -vlnv [catalog_ip zynq_ultra_ps_e 3] $ps(cell)
set_property -dict [list \
    CONFIG.PSU__PSS_REF_CLK__FREQMHZ 33.333 \
    CONFIG.PSU__FPGA_PL0_ENABLE 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 100 \
    CONFIG.PSU__USE__FABRIC__RST 1 \
    CONFIG.PSU__USE__M_AXI_GP0 1 \
    CONFIG.PSU__USE__M_AXI_GP1 0 \
    CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__MAXIGP0__DATA_WIDTH 128 \
    CONFIG.PSU__USE__S_AXI_GP2 1 \
    CONFIG.PSU__SAXIGP2__DATA_WIDTH $settings(port_bits) \
] [get_bd_cells $ps(cell)]

# Weights have a port of their own: HP2 (GP4) shares none of the memory controller with HP0.
if {$settings(weights)} {
    set_property -dict [list \
        CONFIG.PSU__USE__S_AXI_GP4 1 \
        CONFIG.PSU__SAXIGP4__DATA_WIDTH $settings(port_bits) \
    ] [get_bd_cells $ps(cell)]
}

create_bd_cell -type ip -vlnv [catalog_ip clk_wiz 6] clk_wiz_0
set_property -dict [list \
    CONFIG.PRIM_IN_FREQ.VALUE_SRC PROPAGATED \
    CONFIG.PRIM_SOURCE No_buffer \
    CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $settings(clock_mhz) \
    CONFIG.USE_LOCKED true \
    CONFIG.USE_RESET true \
    CONFIG.RESET_TYPE ACTIVE_LOW \
    CONFIG.RESET_PORT resetn \
] [get_bd_cells clk_wiz_0]
connect_bd_net [get_bd_pins $ps(cell)/pl_clk0] [get_bd_pins clk_wiz_0/clk_in1]
connect_bd_net [get_bd_pins $ps(cell)/pl_resetn0] [get_bd_pins clk_wiz_0/resetn]

set ps(clock) clk_wiz_0/clk_out1
set ps(locked) clk_wiz_0/locked
set ps(reset) $ps(cell)/pl_resetn0
set ps(control) $ps(cell)/M_AXI_HPM0_FPD
set ps(memory) $ps(cell)/S_AXI_HP0_FPD
set ps(clock_pins) [list $ps(cell)/maxihpm0_fpd_aclk $ps(cell)/saxihp0_fpd_aclk]
set ps(segments) $ps(cell)/SAXIGP2
set ps(memory_segment) HP0_DDR_LOW
set ps(weights) $ps(cell)/S_AXI_HP2_FPD
set ps(weights_clock) $ps(cell)/saxihp2_fpd_aclk
set ps(weights_segments) $ps(cell)/SAXIGP4
set ps(weights_segment) HP2_DDR_LOW
set ps(memory_range) 2G
set ps(dma_offset) 0xA0000000
set ps(spikefold_offset) 0xA0010000
