// Streams images through the Verilated accelerator and measures when words move.
//
// Images are streamed back to back; with stall probabilities above zero the source pauses before a word, as a memory of
// weights does, and the sink stalls, at random cycles. Valid, once raised, stays until the word has moved.
//
// Arguments: IMAGES RESULTS TIMES COUNT IN_WORDS IN_BYTES OUT_WORDS OUT_BYTES STALL_IN STALL_OUT SEED TIMEOUT PACE TRACE
//   WEIGHTS BYTES SHARE, then the model's own (+NAME=VALUE)
//   IMAGES   file of COUNT * IN_WORDS input words of IN_BYTES bytes
//   RESULTS  file to write COUNT * OUT_WORDS output words of OUT_BYTES bytes to
//   TIMES    file to write, per image, the cycle of its first input word and of its last output word to (2 x uint64)
//   TIMEOUT  cycles without any word moving after which the run is given up
//   PACE     cycles over which the words of an image are spread evenly before they are offered; 0: all at once
//   TRACE    file of the kind that the model is built for, a waveform (FST, with the reset) or toggle counts (SAIF, from
//            the end of the reset on); - for none
//   WEIGHTS  file of BYTES bytes that a model with weights in memory reads at SHARE beats a cycle (weight_memory.hpp)
// Standard output: "progress IMAGES_DONE CYCLES" lines, then "cycles CYCLES", and of weights "beats BEATS". Exit status 3:
// gave up.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "Vaccelerator.h"
#include "verilated.h"
#ifdef SPIKEFOLD_WEIGHTS
#include "weight_memory.hpp"
#endif
#if VM_TRACE_SAIF
#include "verilated_saif_c.h"
using Trace = VerilatedSaifC;
#elif VM_TRACE
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#endif

namespace {

constexpr int kResetCycles = 16;
constexpr int kGaveUp = 3;
#ifdef SPIKEFOLD_WEIGHTS
constexpr std::uint64_t kMemorySeed = std::uint64_t{1} << 32;
#endif
constexpr std::uint64_t kCyclesBetweenClockReads = 1024;
constexpr double kSecondsBetweenReports = 0.5;

/// Copies a word into a port of any width; Verilator's ports are little-endian integers or arrays of 32-bit words.
template <typename Port>
void put(Port& port, const std::uint8_t* word, std::size_t bytes) {
    std::memset(static_cast<void*>(&port), 0, sizeof(port));
    std::memcpy(static_cast<void*>(&port), word, bytes);
}

template <typename Port>
void get(const Port& port, std::uint8_t* word, std::size_t bytes) {
    std::memcpy(word, static_cast<const void*>(&port), bytes);
}

/// Says yes with a given probability; never touches the generator when the probability is zero.
class Coin {
  public:
    Coin(double probability, std::uint64_t seed) : probability_(probability), generator_(seed) {}
    bool toss() { return probability_ > 0 && uniform_(generator_) < probability_; }

  private:
    double probability_;
    std::mt19937_64 generator_;
    std::uniform_real_distribution<double> uniform_{0.0, 1.0};
};

std::vector<std::uint8_t> read_file(const char* name, std::size_t size) {
    std::vector<std::uint8_t> content(size);
    std::FILE* file = std::fopen(name, "rb");
    if (!file || std::fread(content.data(), 1, size, file) != size) {
        std::fprintf(stderr, "cannot read %zu bytes from %s\n", size, name);
        std::exit(1);
    }
    std::fclose(file);
    return content;
}

void write_file(const char* name, const void* content, std::size_t size) {
    std::FILE* file = std::fopen(name, "wb");
    if (!file || std::fwrite(content, 1, size, file) != size || std::fclose(file) != 0) {
        std::fprintf(stderr, "cannot write %zu bytes to %s\n", size, name);
        std::exit(1);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 18) {
        std::fprintf(stderr, "17 arguments or more expected, %d given\n", argc - 1);
        return 1;
    }
    const std::size_t count = std::strtoull(argv[4], nullptr, 10);
    const std::size_t in_words = std::strtoull(argv[5], nullptr, 10);
    const std::size_t in_bytes = std::strtoull(argv[6], nullptr, 10);
    const std::size_t out_words = std::strtoull(argv[7], nullptr, 10);
    const std::size_t out_bytes = std::strtoull(argv[8], nullptr, 10);
    const std::uint64_t seed = std::strtoull(argv[11], nullptr, 10);
    Coin pause(std::atof(argv[9]), 2 * seed), stall(std::atof(argv[10]), 2 * seed + 1);
    const std::uint64_t timeout = std::strtoull(argv[12], nullptr, 10);
    const std::uint64_t pace = std::strtoull(argv[13], nullptr, 10);

    const std::vector<std::uint8_t> images = read_file(argv[1], count * in_words * in_bytes);
    std::vector<std::uint8_t> results(count * out_words * out_bytes);
    std::vector<std::uint64_t> times(2 * count);
#ifdef SPIKEFOLD_WEIGHTS
    WeightMemory weights(read_file(argv[15], std::strtoull(argv[16], nullptr, 10)), std::atof(argv[17]));
    Coin wait(std::atof(argv[9]), seed + kMemorySeed);
#endif

    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vaccelerator model(&context, "");
#if VM_TRACE
    Trace trace;
    const bool traces = std::strcmp(argv[14], "-") != 0;
    if (traces) {
        context.traceEverOn(true);
        model.trace(&trace, 99);
#if !VM_TRACE_SAIF
        trace.open(argv[14]);
#endif
    }
#endif
    const auto step = [&](int clock) {
        model.ap_clk = clock;
        model.eval();
#if VM_TRACE
        if (trace.isOpen()) trace.dump(context.time());
#endif
        context.timeInc(1);
    };

    model.ap_rst_n = 0;
    model.s_axis_0_tvalid = 0;
    model.m_axis_0_tready = 0;
#ifdef SPIKEFOLD_WEIGHTS
    weights.drive(model);
#endif
    for (int cycle = 0; cycle < kResetCycles; ++cycle) {
        step(0);
        step(1);
    }
    model.ap_rst_n = 1;
#if VM_TRACE_SAIF
    if (traces) trace.open(argv[14]);
#endif

    std::size_t sent = 0, received = 0;  // words
    std::uint64_t cycle = 0, last_move = 0;
    auto reported = std::chrono::steady_clock::now();
    bool gave_up = false;
    while (received < count * out_words) {
        // Drive after the rising edge, sample before the next one.
        const bool offered = sent < count * in_words && cycle >= sent * pace / in_words;
        if (!model.s_axis_0_tvalid && offered && !pause.toss()) {
            put(model.s_axis_0_tdata, &images[sent * in_bytes], in_bytes);
            model.s_axis_0_tvalid = 1;
        }
        model.m_axis_0_tready = !stall.toss();
#ifdef SPIKEFOLD_WEIGHTS
        weights.drive(model, wait.toss());
#endif
        step(0);
        const bool takes = model.s_axis_0_tvalid && model.s_axis_0_tready;
        const bool gives = model.m_axis_0_tvalid && model.m_axis_0_tready;
        if (takes && sent % in_words == 0) times[2 * (sent / in_words)] = cycle;
        if (gives) {
            get(model.m_axis_0_tdata, &results[received * out_bytes], out_bytes);
            if (++received % out_words == 0) times[2 * (received / out_words - 1) + 1] = cycle;
        }
#ifdef SPIKEFOLD_WEIGHTS
        weights.take(model);
#endif
        step(1);
        if (takes) {
            ++sent;
            model.s_axis_0_tvalid = 0;
        }
        if (takes || gives) last_move = cycle;
        if (cycle - last_move > timeout) {
            gave_up = true;
            break;
        }
        if (++cycle % kCyclesBetweenClockReads == 0) {
            const auto now = std::chrono::steady_clock::now();
            if (std::chrono::duration<double>(now - reported).count() >= kSecondsBetweenReports) {
                reported = now;
                std::printf("progress %zu %llu\n", received / out_words, static_cast<unsigned long long>(cycle));
                std::fflush(stdout);
            }
        }
        if (context.gotFinish()) {
            std::fprintf(stderr, "the model ended the simulation at cycle %llu\n", static_cast<unsigned long long>(cycle));
            return 1;
        }
    }
    model.final();
#if VM_TRACE
    if (trace.isOpen()) trace.close();
#endif
    std::printf("cycles %llu\n", static_cast<unsigned long long>(cycle));
#ifdef SPIKEFOLD_WEIGHTS
    std::printf("beats %llu\n", static_cast<unsigned long long>(weights.beats()));
#endif
    if (gave_up) return kGaveUp;
    write_file(argv[2], results.data(), results.size());
    write_file(argv[3], times.data(), times.size() * sizeof(std::uint64_t));
    return 0;
}
