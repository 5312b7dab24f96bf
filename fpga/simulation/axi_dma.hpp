// Cycle-accurate model of the Xilinx AXI DMA in simple (register direct) mode, both channels, and of the memory behind it.
//
// Registers and their behaviour are those of PG021 (AXI DMA v7.1, direct register mode): DMACR (run, reset), DMASR (halted,
// idle, error bits, IOC and error interrupts, written 1 to clear), the address in two words, LENGTH, whose write starts a
// transfer in a running channel, and which S2MM overwrites with the bytes it received. A channel halts with an error
// bit where the memory decodes no address, where an error is injected, and where S2MM receives more than LENGTH. S2MM
// flags each of these as an internal error too; MM2S has no internal error in this mode.
//
// Timing: memory is read and written in bursts of 16 beats of 8 bytes, two bursts under way, after latencies that
// vary from a seed; a FIFO lies between memory and stream. All stream signals are registers; the stream pauses at
// random with a given probability. TVALID once high stays until TREADY, but for a reset.
//
// Faults are injected into the next transfer that they fit, once.
#ifndef SPIKEFOLD_AXI_DMA_HPP
#define SPIKEFOLD_AXI_DMA_HPP

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

namespace spikefold {

/// Memory of the board from a base address on.
class Memory {
  public:
    Memory(std::uint64_t base, std::size_t size) : base_(base), bytes_(size) {}
    bool holds(std::uint64_t address, std::uint64_t count) const {
        return address >= base_ && count <= bytes_.size() && address - base_ <= bytes_.size() - count;
    }
    std::uint8_t* at(std::uint64_t address) { return bytes_.data() + (address - base_); }

  private:
    std::uint64_t base_;
    std::vector<std::uint8_t> bytes_;
};

/// What is injected into the next transfer. The argument of all but the last four counts bytes of it.
enum class Fault : std::uint8_t {
    kNone = 0,
    kSendStall = 1,          // MM2S gives nothing more after so many bytes, until a reset
    kSendTruncated = 2,      // MM2S ends, with TLAST, after so many bytes
    kSendLonger = 3,         // MM2S sends so many bytes more
    kSendSlaveError = 4,     // the memory refuses a read after so many bytes
    kReceiveStall = 5,       // S2MM takes nothing more after so many bytes, until a reset
    kReceiveLength = 6,      // S2MM believes that LENGTH is so many bytes
    kReceiveSlaveError = 7,  // the memory refuses a write after so many bytes
    kReceiveMiscounted = 8,  // S2MM reports so many bytes fewer
    kSendNoLast = 9,         // MM2S sends no TLAST
    kResetStuck = 10,        // the next soft reset does not end
};

struct DmaOptions {
    unsigned send_bytes = 1;     // of a stream word, MM2S
    unsigned receive_bytes = 1;  // of a stream word, S2MM
    unsigned length_bits = 26;
    double stall = 0.0;
    std::uint64_t seed = 0;
};

class AxiDma {
  public:
    AxiDma(Memory& memory, const DmaOptions& options)
        : memory_(memory),
          options_(options),
          generator_(options.seed),
          send_word_(options.send_bytes),
          capacity_(std::max<std::size_t>(1024, 8 * std::max(options.send_bytes, options.receive_bytes))) {
        power_up();
    }

    /// As after the FPGA has been loaded.
    void power_up() {
        soft_reset();
        reset_left_ = 0;
        fault_ = Fault::kNone;
    }

    // Stream outputs, as they are in this cycle.
    bool send_valid() const { return send_valid_; }
    bool send_last() const { return send_last_; }
    const std::uint8_t* send_word() const { return send_word_.data(); }
    bool receive_ready() const { return receive_ready_; }

    std::uint32_t read(std::uint32_t offset) const {
        const Channel& channel = offset < kReceive ? send_ : receive_;
        switch (offset % kReceive) {
            case kControl: return channel.control | (reset_left_ != 0 ? kControlReset : 0);
            case kStatus: return channel.status;
            case kAddress: return static_cast<std::uint32_t>(channel.address);
            case kAddressHigh: return static_cast<std::uint32_t>(channel.address >> 32);
            case kLength: return channel.length;
            default: return 0;
        }
    }

    void write(std::uint32_t offset, std::uint32_t value) {
        Channel& channel = offset < kReceive ? send_ : receive_;
        switch (offset % kReceive) {
            case kControl:
                if (value & kControlReset) {
                    reset_left_ = kResetCycles;
                } else if (reset_left_ == 0) {
                    channel.control = value & (kControlRun | kControlInterrupts);
                }
                break;
            case kStatus: channel.status &= ~(value & kStatusInterrupts); break;
            case kAddress: channel.address = (channel.address & ~0xFFFFFFFFULL) | value; break;
            case kAddressHigh:
                channel.address = (channel.address & 0xFFFFFFFFULL) | (static_cast<std::uint64_t>(value) << 32);
                break;
            case kLength: start(channel, value & ((1U << options_.length_bits) - 1)); break;
            default: break;
        }
    }

    void inject(Fault fault, std::uint64_t argument) {
        fault_ = fault;
        argument_ = argument;
    }

    /// The rising edge of the clock, with what the streams' other ends said in the cycle before it.
    void edge(bool send_ready, bool receive_valid, const std::uint8_t* receive_word, bool receive_last) {
        ++cycle_;
        if (reset_left_ != 0) {
            soft_reset();
            if (fault_ != Fault::kResetStuck) --reset_left_;
            return;
        }
        for (Channel* channel : {&send_, &receive_}) {
            if (channel->control & kControlRun) {
                channel->status &= ~kHalted;
            } else if (!channel->active) {
                channel->status = (channel->status | kHalted) & ~kIdle;
            }
        }
        edge_of_send(send_ready);
        edge_of_receive(receive_valid, receive_word, receive_last);
    }

  private:
    static constexpr std::uint32_t kReceive = 0x30;  // registers of S2MM from here on
    static constexpr std::uint32_t kControl = 0x00, kStatus = 0x04, kAddress = 0x18, kAddressHigh = 0x1C, kLength = 0x28;
    static constexpr std::uint32_t kControlRun = 1U << 0, kControlReset = 1U << 2, kControlInterrupts = 0xFFFF7000U;
    static constexpr std::uint32_t kHalted = 1U << 0, kIdle = 1U << 1;
    static constexpr std::uint32_t kInternalError = 1U << 4, kSlaveError = 1U << 5, kDecodeError = 1U << 6;
    static constexpr std::uint32_t kCompleted = 1U << 12, kErrorInterrupt = 1U << 14, kStatusInterrupts = 0x7000U;
    static constexpr unsigned kResetCycles = 12, kStartCycles = 14, kCompletionCycles = 6;
    static constexpr unsigned kReadLatency = 24, kWriteLatency = 12, kLatencySpread = 16;
    static constexpr unsigned kBeatBytes = 8, kBurstBytes = 16 * kBeatBytes, kBursts = 2;

    struct Channel {
        std::uint32_t control = 0, status = kHalted, length = 0;
        std::uint64_t address = 0;
        bool active = false;
        std::uint64_t total = 0, asked = 0, moved = 0, streamed = 0;  // bytes: of the transfer, of bursts begun, of
                                                                      // memory accesses done, of the stream
        std::uint64_t ready_at = 0;  // the cycle of the next step of the transfer
        std::uint64_t done_at = 0;   // 0: not yet known
        std::deque<std::uint8_t> fifo;
    };
    struct Burst {
        std::uint64_t ready_at, bytes;
    };

    void soft_reset() {
        send_ = Channel();
        receive_ = Channel();
        bursts_.clear();
        send_valid_ = send_last_ = receive_ready_ = last_received_ = false;
        send_stall_ = receive_stall_ = no_last_ = false;
        send_error_at_ = receive_error_at_ = send_stall_at_ = receive_stall_at_ = kNever;
        miscounted_ = 0;
    }

    bool take(Fault fault) {
        if (fault_ != fault) return false;
        fault_ = Fault::kNone;
        return true;
    }

    void start(Channel& channel, std::uint32_t length) {
        if (!(channel.control & kControlRun) || channel.active || reset_left_ != 0 || (channel.status & kHalted)) return;
        channel.length = length;
        if (length == 0) return;
        channel.status &= ~kIdle;
        channel.active = true;
        channel.total = length;
        channel.asked = channel.moved = channel.streamed = channel.done_at = 0;
        channel.fifo.clear();
        channel.ready_at = cycle_ + kStartCycles;
        if (&channel == &send_) {
            bursts_.clear();
            if (take(Fault::kSendTruncated)) channel.total = std::min<std::uint64_t>(channel.total, argument_);
            if (take(Fault::kSendLonger)) channel.total += argument_;
            if (take(Fault::kSendSlaveError)) send_error_at_ = argument_;
            if (take(Fault::kSendStall)) send_stall_at_ = argument_;
            if (take(Fault::kSendNoLast)) no_last_ = true;
        } else {
            last_received_ = false;
            if (take(Fault::kReceiveLength)) channel.total = argument_;
            if (take(Fault::kReceiveSlaveError)) receive_error_at_ = argument_;
            if (take(Fault::kReceiveStall)) receive_stall_at_ = argument_;
            if (take(Fault::kReceiveMiscounted)) miscounted_ = static_cast<std::uint32_t>(argument_);
        }
    }

    void fail(Channel& channel, std::uint32_t error) {
        channel.status = (channel.status | error | kErrorInterrupt | kHalted) & ~kIdle;
        channel.control &= ~kControlRun;
        channel.active = false;
    }

    void complete(Channel& channel) {
        channel.status |= kIdle | kCompleted;
        channel.active = false;
    }

    bool pauses() { return options_.stall > 0 && uniform_(generator_) < options_.stall; }
    std::uint64_t latency(unsigned least) { return least + generator_() % kLatencySpread; }

    void edge_of_send(bool ready) {
        Channel& channel = send_;
        if (send_valid_ && ready) {
            send_valid_ = false;
            channel.streamed += std::min<std::uint64_t>(options_.send_bytes, channel.total - channel.streamed);
            if (channel.active && channel.streamed == channel.total) channel.done_at = cycle_ + kCompletionCycles;
        }
        if (!channel.active) return;
        if (channel.done_at != 0) {
            if (cycle_ >= channel.done_at) complete(channel);
            return;
        }
        // Bursts are asked for while the FIFO has room for them.
        const std::uint64_t burst = std::min<std::uint64_t>(kBurstBytes, channel.total - channel.asked);
        const std::uint64_t under_way = channel.asked - channel.moved;
        if (burst != 0 && bursts_.size() < kBursts && cycle_ >= channel.ready_at &&
            channel.fifo.size() + under_way + burst <= capacity_) {
            bursts_.push_back({cycle_ + latency(kReadLatency), burst});
            channel.asked += burst;
        }
        if (!bursts_.empty() && cycle_ >= bursts_.front().ready_at) {
            Burst& front = bursts_.front();
            const std::uint64_t beat = std::min<std::uint64_t>(kBeatBytes, front.bytes);
            const std::uint64_t address = channel.address + channel.moved;
            if (!memory_.holds(address, beat)) return fail(channel, kDecodeError);
            if (channel.moved + beat > send_error_at_) return fail(channel, kSlaveError);
            const std::uint8_t* bytes = memory_.at(address);
            channel.fifo.insert(channel.fifo.end(), bytes, bytes + beat);
            channel.moved += beat;
            front.bytes -= beat;
            if (front.bytes == 0) bursts_.pop_front();
        }
        const std::uint64_t word = std::min<std::uint64_t>(options_.send_bytes, channel.total - channel.streamed);
        if (channel.streamed + word > send_stall_at_) send_stall_ = true;
        if (word != 0 && !send_valid_ && !send_stall_ && channel.fifo.size() >= word && !pauses()) {
            std::fill(send_word_.begin(), send_word_.end(), 0);
            std::copy_n(channel.fifo.begin(), word, send_word_.begin());
            channel.fifo.erase(channel.fifo.begin(), channel.fifo.begin() + static_cast<std::ptrdiff_t>(word));
            send_valid_ = true;
            send_last_ = channel.streamed + word == channel.total && !no_last_;
        }
    }

    void edge_of_receive(bool valid, const std::uint8_t* word, bool last) {
        Channel& channel = receive_;
        if (receive_ready_ && valid && channel.active) {
            if (channel.streamed + options_.receive_bytes > channel.total) {
                receive_ready_ = false;
                return fail(channel, kInternalError);
            }
            channel.fifo.insert(channel.fifo.end(), word, word + options_.receive_bytes);
            channel.streamed += options_.receive_bytes;
            last_received_ = last;
        }
        if (channel.streamed + options_.receive_bytes > receive_stall_at_) receive_stall_ = true;
        receive_ready_ = channel.active && !last_received_ && !receive_stall_ && cycle_ >= channel.ready_at &&
                         channel.fifo.size() + 2 * options_.receive_bytes <= capacity_ && !pauses();
        if (!channel.active) return;
        if (channel.done_at != 0) {
            if (cycle_ < channel.done_at) return;
            channel.length = static_cast<std::uint32_t>(channel.streamed) - miscounted_;
            return complete(channel);
        }
        // A burst begins when it is full, or at the end of the packet; its beats follow each other.
        if (channel.asked == channel.moved && cycle_ >= channel.ready_at &&
            (channel.fifo.size() >= kBurstBytes || (last_received_ && !channel.fifo.empty()))) {
            channel.asked += std::min<std::uint64_t>(kBurstBytes, channel.fifo.size());
        }
        if (channel.asked > channel.moved) {
            const std::uint64_t beat = std::min<std::uint64_t>(kBeatBytes, channel.asked - channel.moved);
            const std::uint64_t address = channel.address + channel.moved;
            if (!memory_.holds(address, beat)) return fail(channel, kDecodeError | kInternalError);
            if (channel.moved + beat > receive_error_at_) return fail(channel, kSlaveError | kInternalError);
            std::copy_n(channel.fifo.begin(), beat, memory_.at(address));
            channel.fifo.erase(channel.fifo.begin(), channel.fifo.begin() + static_cast<std::ptrdiff_t>(beat));
            channel.moved += beat;
            if (channel.asked == channel.moved) channel.ready_at = cycle_ + latency(kWriteLatency);
        } else if (last_received_ && channel.fifo.empty() && cycle_ >= channel.ready_at) {
            channel.done_at = cycle_ + kCompletionCycles;
        }
    }

    static constexpr std::uint64_t kNever = ~0ULL >> 1;

    Memory& memory_;
    const DmaOptions options_;
    std::mt19937_64 generator_;
    std::uniform_real_distribution<double> uniform_{0.0, 1.0};
    std::vector<std::uint8_t> send_word_;
    std::size_t capacity_;
    std::uint64_t cycle_ = 0;
    unsigned reset_left_ = 0;
    Channel send_, receive_;
    std::deque<Burst> bursts_;
    bool send_valid_ = false, send_last_ = false, receive_ready_ = false, last_received_ = false;
    Fault fault_ = Fault::kNone;
    std::uint64_t argument_ = 0;
    bool send_stall_ = false, receive_stall_ = false, no_last_ = false;
    std::uint64_t send_error_at_ = kNever, receive_error_at_ = kNever, send_stall_at_ = kNever, receive_stall_at_ = kNever;
    std::uint32_t miscounted_ = 0;
};

}  // namespace spikefold

#endif
