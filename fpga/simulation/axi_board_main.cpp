// A board with an AXI DMA: the Verilated module spikefold_axi, the DMA of axi_dma.hpp and memory, spoken to by pipes.
//
// Every access to a register of the accelerator is an AXI-Lite handshake. After each access the clock goes on for
// ACCESS_CYCLES, since a processor's accesses are that far apart; otherwise time stands still.
//
// Arguments: SEND_BYTES RECEIVE_BYTES LENGTH_BITS STALL SEED ACCESS_CYCLES MEMORY_BASE MEMORY_BYTES
// Standard input holds commands, numbers little endian; each is answered on standard output by a byte, 0 for success,
// and what stands behind the arrow:
//   'r' space:u8 offset:u32              -> value:u32       space 0: the accelerator, 1: the DMA
//   'w' space:u8 offset:u32 value:u32    ->
//   'M' address:u64 count:u32            -> bytes           memory, without time passing
//   'm' address:u64 count:u32 bytes      ->
//   'a' cycles:u64                       -> cycle:u64       the clock goes on
//   'f' fault:u8 argument:u64            ->                 see axi_dma.hpp, and weight_reads.hpp
//   'R'                                  ->                 reset of all, as by loading the bitstream
// The program ends with its input. Answer 1: no such command, address, fault or answer on the bus.
// With SPIKEFOLD_WEIGHTS the accelerator reads weights from the memory, through the port of weight_reads.hpp.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "Vboard.h"
#include "axi_dma.hpp"
#include "verilated.h"
#ifdef SPIKEFOLD_WEIGHTS
#include "weight_reads.hpp"
#endif

namespace {

constexpr int kResetCycles = 16;
constexpr int kBusCycles = 1000;  // after which an AXI-Lite access without an answer is given up
constexpr std::uint8_t kSuccess = 0, kFailure = 1;

template <typename Port>
void put(Port& port, const std::uint8_t* word, std::size_t bytes) {
    std::memset(static_cast<void*>(&port), 0, sizeof(port));
    std::memcpy(static_cast<void*>(&port), word, bytes);
}

template <typename Port>
void get(const Port& port, std::uint8_t* word, std::size_t bytes) {
    std::memcpy(word, static_cast<const void*>(&port), bytes);
}

template <typename Number>
Number take() {
    Number number;
    if (std::fread(&number, sizeof(number), 1, stdin) != 1) std::exit(0);
    return number;
}

template <typename Number>
void give(Number number) {
    std::fwrite(&number, sizeof(number), 1, stdout);
}

class Board {
  public:
    Board(int argc, char** argv, spikefold::Memory& memory, const spikefold::DmaOptions& options)
        : options_(options),
          dma_(memory, options),
#ifdef SPIKEFOLD_WEIGHTS
          weights_(memory, options.stall, ~options.seed),
#endif
          word_(options.receive_bytes) {
        context_.commandArgs(argc, argv);
        model_ = std::make_unique<Vboard>(&context_, "");
        reset();
    }
    ~Board() { model_->final(); }

    std::uint64_t cycle() const { return cycle_; }
    spikefold::AxiDma& dma() { return dma_; }

    bool inject(std::uint8_t fault, std::uint64_t argument) {
        if (fault <= static_cast<std::uint8_t>(spikefold::Fault::kResetStuck)) {
            dma_.inject(static_cast<spikefold::Fault>(fault), argument);
            return true;
        }
#ifdef SPIKEFOLD_WEIGHTS
        weights_.inject(static_cast<spikefold::WeightFault>(fault), argument);
        return fault <= static_cast<std::uint8_t>(spikefold::WeightFault::kStall);
#else
        return false;
#endif
    }

    void reset() {
        dma_.power_up();
#ifdef SPIKEFOLD_WEIGHTS
        weights_.power_up();
#endif
        model_->aresetn = 0;
        model_->s_axi_awvalid = model_->s_axi_wvalid = model_->s_axi_bready = 0;
        model_->s_axi_arvalid = model_->s_axi_rready = 0;
        model_->s_axi_awprot = model_->s_axi_arprot = 0;
        model_->s_axi_wstrb = 0xF;
        run(kResetCycles);
        model_->aresetn = 1;
        run(kResetCycles);
    }

    void run(std::uint64_t cycles) {
        for (; cycles != 0; --cycles) tick();
    }

    bool write(std::uint32_t offset, std::uint32_t value) {
        model_->s_axi_awaddr = offset;
        model_->s_axi_wdata = value;
        model_->s_axi_awvalid = model_->s_axi_wvalid = model_->s_axi_bready = 1;
        for (int left = kBusCycles; left != 0; --left) {
            settle();
            const bool address = model_->s_axi_awvalid && model_->s_axi_awready;
            const bool data = model_->s_axi_wvalid && model_->s_axi_wready;
            const bool answered = model_->s_axi_bvalid;
            const bool right = model_->s_axi_bresp == 0;
            finish();
            if (address) model_->s_axi_awvalid = 0;
            if (data) model_->s_axi_wvalid = 0;
            if (answered) {
                model_->s_axi_bready = 0;
                return right;
            }
        }
        return false;
    }

    bool read(std::uint32_t offset, std::uint32_t& value) {
        model_->s_axi_araddr = offset;
        model_->s_axi_arvalid = model_->s_axi_rready = 1;
        for (int left = kBusCycles; left != 0; --left) {
            settle();
            const bool address = model_->s_axi_arvalid && model_->s_axi_arready;
            const bool answered = model_->s_axi_rvalid;
            value = model_->s_axi_rdata;
            const bool right = model_->s_axi_rresp == 0;
            finish();
            if (address) model_->s_axi_arvalid = 0;
            if (answered) {
                model_->s_axi_rready = 0;
                return right;
            }
        }
        return false;
    }

  private:
    void tick() {
        settle();
        finish();
    }

    /// The first half of a cycle: inputs are driven, outputs settle.
    void settle() {
        put(model_->s_axis_tdata, dma_.send_word(), options_.send_bytes);
        model_->s_axis_tvalid = dma_.send_valid();
        model_->s_axis_tlast = dma_.send_last();
        model_->m_axis_tready = dma_.receive_ready();
#ifdef SPIKEFOLD_WEIGHTS
        weights_.drive(*model_);
#endif
        model_->aclk = 0;
        model_->eval();
        context_.timeInc(1);
        send_ready_ = model_->s_axis_tready;
        receive_valid_ = model_->m_axis_tvalid;
        receive_last_ = model_->m_axis_tlast;
        get(model_->m_axis_tdata, word_.data(), word_.size());
    }

    /// The second half: the rising edge.
    void finish() {
#ifdef SPIKEFOLD_WEIGHTS
        if (model_->aresetn) weights_.edge(*model_);
#endif
        model_->aclk = 1;
        model_->eval();
        context_.timeInc(1);
        dma_.edge(send_ready_, receive_valid_, word_.data(), receive_last_);
        ++cycle_;
    }

    VerilatedContext context_;
    std::unique_ptr<Vboard> model_;
    const spikefold::DmaOptions options_;
    spikefold::AxiDma dma_;
#ifdef SPIKEFOLD_WEIGHTS
    spikefold::WeightReads weights_;
#endif
    std::vector<std::uint8_t> word_;
    bool send_ready_ = false, receive_valid_ = false, receive_last_ = false;
    std::uint64_t cycle_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 9) {
        std::fprintf(stderr, "8 arguments or more expected, %d given\n", argc - 1);
        return 1;
    }
    spikefold::DmaOptions options;
    options.send_bytes = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
    options.receive_bytes = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
    options.length_bits = static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10));
    options.stall = std::atof(argv[4]);
    options.seed = std::strtoull(argv[5], nullptr, 10);
    const std::uint64_t access_cycles = std::strtoull(argv[6], nullptr, 10);
    spikefold::Memory memory(std::strtoull(argv[7], nullptr, 0), std::strtoull(argv[8], nullptr, 0));
    Board board(argc, argv, memory, options);

    for (int command; (command = std::getchar()) != EOF; std::fflush(stdout)) {
        switch (command) {
            case 'r': {
                const auto space = take<std::uint8_t>();
                const auto offset = take<std::uint32_t>();
                std::uint32_t value = 0;
                const bool right = space == 1 || board.read(offset, value);
                if (space == 1) value = board.dma().read(offset);
                give(right ? kSuccess : kFailure);
                give(value);
                board.run(access_cycles);
                break;
            }
            case 'w': {
                const auto space = take<std::uint8_t>();
                const auto offset = take<std::uint32_t>();
                const auto value = take<std::uint32_t>();
                const bool right = space == 1 || board.write(offset, value);
                if (space == 1) board.dma().write(offset, value);
                give(right ? kSuccess : kFailure);
                board.run(access_cycles);
                break;
            }
            case 'M': {
                const auto address = take<std::uint64_t>();
                const auto count = take<std::uint32_t>();
                std::vector<std::uint8_t> bytes(count);
                const bool right = memory.holds(address, count);
                if (right) std::memcpy(bytes.data(), memory.at(address), count);
                give(right ? kSuccess : kFailure);
                std::fwrite(bytes.data(), 1, count, stdout);
                break;
            }
            case 'm': {
                const auto address = take<std::uint64_t>();
                std::vector<std::uint8_t> bytes(take<std::uint32_t>());
                if (std::fread(bytes.data(), 1, bytes.size(), stdin) != bytes.size()) return 0;
                const bool right = memory.holds(address, bytes.size());
                if (right) std::memcpy(memory.at(address), bytes.data(), bytes.size());
                give(right ? kSuccess : kFailure);
                break;
            }
            case 'a':
                board.run(take<std::uint64_t>());
                give(kSuccess);
                give(board.cycle());
                break;
            case 'f': {
                const auto fault = take<std::uint8_t>();
                const auto argument = take<std::uint64_t>();
                give(board.inject(fault, argument) ? kSuccess : kFailure);
                break;
            }
            case 'R':
                board.reset();
                give(kSuccess);
                break;
            default: give(kFailure);
        }
    }
    return 0;
}
