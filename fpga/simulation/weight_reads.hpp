// The memory port that an accelerator reads weights through, as the processing system answers it: AXI4 reads, one ID.
//
// Up to 8 addresses wait; data follow in their order, after latencies that vary from a seed, with pauses at random on both
// channels. What lies outside of the memory is answered with DECERR. Faults come from an injected place on, once:
// a beat with SLVERR, or no further data until the board is powered up again.
#ifndef SPIKEFOLD_WEIGHT_READS_HPP
#define SPIKEFOLD_WEIGHT_READS_HPP

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>

#include "axi_dma.hpp"

namespace spikefold {

/// What is injected into reads of weights; the argument counts beats from then on.
enum class WeightFault : std::uint8_t { kSlaveError = 11, kStall = 12 };

class WeightReads {
  public:
    WeightReads(Memory& memory, double stall, std::uint64_t seed) : memory_(memory), stall_(stall), generator_(seed) {}

    /// As after the FPGA has been loaded: nothing is under way.
    void power_up() {
        bursts_.clear();
        offered_ = false;
        error_at_ = stall_at_ = kNever;
    }

    void inject(WeightFault fault, std::uint64_t beats) {
        (fault == WeightFault::kSlaveError ? error_at_ : stall_at_) = beats_ + beats;
    }

    /// Drives the port for a cycle; what was offered stays until it is taken.
    template <typename Model>
    void drive(Model& model) {
        model.m_axi_weights_arready = bursts_.size() < kBursts && !pauses();
        if (!offered_ && !bursts_.empty() && cycle_ >= bursts_.front().ready_at && beats_ < stall_at_ && !pauses()) offer();
        model.m_axi_weights_rvalid = offered_;
        model.m_axi_weights_rdata = data_;
        model.m_axi_weights_rresp = response_;
        model.m_axi_weights_rlast = !bursts_.empty() && bursts_.front().beats == 1;
    }

    /// The rising edge, with what the model says before it.
    template <typename Model>
    void edge(const Model& model) {
        ++cycle_;
        if (model.m_axi_weights_rvalid && model.m_axi_weights_rready) {
            offered_ = false;
            ++beats_;
            bursts_.front().address += kBeatBytes;
            if (--bursts_.front().beats == 0) bursts_.pop_front();
        }
        if (model.m_axi_weights_arvalid && model.m_axi_weights_arready) {
            const std::uint64_t latency = kLatency + generator_() % kLatencySpread;
            bursts_.push_back({model.m_axi_weights_araddr, model.m_axi_weights_arlen + 1U, cycle_ + latency});
        }
    }

  private:
    static constexpr std::size_t kBursts = 8;
    static constexpr unsigned kBeatBytes = 8, kLatency = 24, kLatencySpread = 16;
    static constexpr std::uint8_t kOkay = 0, kSlaveError = 2, kDecodeError = 3;
    static constexpr std::uint64_t kNever = ~0ULL;

    struct Burst {
        std::uint64_t address;
        unsigned beats;
        std::uint64_t ready_at;
    };

    bool pauses() { return stall_ > 0 && uniform_(generator_) < stall_; }

    void offer() {
        const std::uint64_t address = bursts_.front().address;
        offered_ = true;
        data_ = 0;
        response_ = memory_.holds(address, kBeatBytes) ? kOkay : kDecodeError;
        if (response_ == kOkay) std::memcpy(&data_, memory_.at(address), kBeatBytes);
        if (beats_ >= error_at_) {
            error_at_ = kNever;
            data_ = ~data_;
            response_ = kSlaveError;
        }
    }

    Memory& memory_;
    const double stall_;
    std::mt19937_64 generator_;
    std::uniform_real_distribution<double> uniform_{0.0, 1.0};
    std::deque<Burst> bursts_;
    bool offered_ = false;
    std::uint64_t data_ = 0;
    std::uint8_t response_ = kOkay;
    std::uint64_t cycle_ = 0, beats_ = 0, error_at_ = kNever, stall_at_ = kNever;
};

}  // namespace spikefold

#endif
