// The memory that the accelerator reads weights from, as its AXI port sees it: data in the order of the addresses, LATENCY
// cycles behind these at first, and then so many beats a cycle as the bus gives.
#ifndef SPIKEFOLD_WEIGHT_MEMORY_HPP
#define SPIKEFOLD_WEIGHT_MEMORY_HPP

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

class WeightMemory {
  public:
    static constexpr std::uint32_t kBase = 0x10000000;

    WeightMemory(std::vector<std::uint8_t> content, double beats_per_cycle)
        : content_(std::move(content)), beats_per_cycle_(beats_per_cycle) {}

    /// Drives the port, before the model is evaluated for the cycle; a stalled memory takes and offers nothing new.
    template <typename Model>
    void drive(Model& model, bool stalled = false) {
        credit_ = std::min(credit_ + beats_per_cycle_, kMostCredit);
        if (!stalled && !offered_ && !bursts_.empty() && bursts_.front().due <= cycle_ && credit_ >= 1) {
            offered_ = true;
            credit_ -= 1;
        }
        model.weights_base = kBase;
        model.weights_enable = 1;
        model.m_axi_weights_arready = !stalled && bursts_.size() < kMostBursts;
        model.m_axi_weights_rvalid = offered_;
        model.m_axi_weights_rlast = offered_ && bursts_.front().beats == 1;
        if (offered_) std::memcpy(&model.m_axi_weights_rdata, &content_[bursts_.front().place], kBeatBytes);
    }

    /// Takes what the model asked for in the cycle; before the clock rises.
    template <typename Model>
    void take(const Model& model) {
        if (model.m_axi_weights_rvalid && model.m_axi_weights_rready) {
            Burst& burst = bursts_.front();
            burst.place += kBeatBytes;
            offered_ = false;
            ++beats_;
            if (--burst.beats == 0) bursts_.pop_front();
        }
        if (model.m_axi_weights_arvalid && model.m_axi_weights_arready) {
            const std::size_t place = std::size_t(model.m_axi_weights_araddr) - kBase;
            const unsigned beats = model.m_axi_weights_arlen + 1u;
            if (place % kBeatBytes || place + beats * kBeatBytes > content_.size()) {
                std::fprintf(stderr, "%u beats of weights were read at byte %zu of %zu\n", beats, place, content_.size());
                std::exit(1);
            }
            bursts_.push_back({place, beats, cycle_ + kLatency});
        }
        ++cycle_;
    }

    /// Beats that were read.
    std::uint64_t beats() const { return beats_; }

  private:
    static constexpr std::size_t kBeatBytes = 8;
    static constexpr std::size_t kMostBursts = 16;
    static constexpr std::uint64_t kLatency = 40;
    static constexpr double kMostCredit = 16;

    struct Burst {
        std::size_t place;
        unsigned beats;
        std::uint64_t due;
    };

    std::vector<std::uint8_t> content_;
    double beats_per_cycle_;
    double credit_ = 0;
    bool offered_ = false;
    std::deque<Burst> bursts_;
    std::uint64_t cycle_ = 0, beats_ = 0;
};

#endif
