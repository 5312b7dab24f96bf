// Integer neurons on a stream of sums.
#ifndef SPIKEFOLD_NEURON_BANK_HPP
#define SPIKEFOLD_NEURON_BANK_HPP

#include <hls_stream.h>

#include "integers.hpp"
#include "lanes.hpp"
#include "neuron.hpp"
#include "trip_count.hpp"

namespace spikefold {

// P is a struct of constants:
//   CHANNELS, PE           channels, channels per word (divides CHANNELS)
//   T, TP                  time steps, time steps per cycle (divides T)
//   VECTORS                vectors (pixels) per frame
//   STATIC_SUMS            one sum per channel, the same at every step; else T of them
//   SUM_BITS               width of a sum, which is signed
//   NEURON                 NEURON_IF, NEURON_LIF, NEURON_LATEIF or NEURON_DELAYEDLIF
//   LEAK_SHIFT, SOFT_RESET see neuron.hpp
//   HALF_START             potentials start at half the threshold, else at 0 (neuron.hpp)
//   FRAC_BITS              fractional bits of bias, threshold and potential
//   POTENTIAL_BITS         width of the potential, from exact range analysis
// sign, bias, threshold [channel]: a step adds (sign * sum << FRAC_BITS) + bias; a sign is -1, 0 or 1.
// One call reads and writes VECTORS*CHANNELS/PE words, of sums (lane channel*T + step) and of spike trains.
template <typename P, int SUM_WORD, typename Constant>
void neuron_bank(hls::stream<ap_uint<SUM_WORD>>& in, hls::stream<ap_uint<P::PE * P::T>>& out,
                 const signed char (&sign)[P::CHANNELS], const Constant (&bias)[P::CHANNELS],
                 const Constant (&threshold)[P::CHANNELS]) {
    constexpr int NF = P::CHANNELS / P::PE;
    constexpr int TF = P::T / P::TP;
    constexpr int STEPS = P::STATIC_SUMS ? 1 : P::T;
    constexpr bool LATE = P::NEURON == NEURON_LATEIF;
    using Potential = signed_int<P::POTENTIAL_BITS>;
    using Train = unsigned_int<P::T>;

    Potential potential[P::PE];
#pragma HLS ARRAY_PARTITION variable = potential complete
    Train train[P::PE];
#pragma HLS ARRAY_PARTITION variable = train complete
    ap_uint<SUM_WORD> word = 0;

    int nf = 0;
    int tf = 0;

    for (long fold = 0; fold < static_cast<long>(P::VECTORS) * NF * TF; ++fold) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        if (tf == 0) {
            word = in.read();
        }
        ap_uint<P::PE * P::T> result = 0;
        for (int pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
            const int channel = nf * P::PE + pe;
            if (tf == 0) {
                potential[pe] = initial_potential<P::NEURON, P::LEAK_SHIFT, P::HALF_START, P::POTENTIAL_BITS>(threshold[channel]);
                train[pe] = 0;
            }
            for (int t = 0; t < P::TP; ++t) {
#pragma HLS UNROLL
                const int step = tf * P::TP + t;
                Potential current = 0;
                for (int given = 0; given < (LATE ? P::T : 1); ++given) {
#pragma HLS UNROLL
                    const Potential sum = static_cast<Potential>(lane_value<P::SUM_BITS, true>(
                        word, pe * STEPS + (P::STATIC_SUMS ? 0 : LATE ? given : step)));
                    const Potential drive = static_cast<Potential>(
                        sign[channel] * sum * (Potential(1) << P::FRAC_BITS) + bias[channel]);
                    current = static_cast<Potential>(!LATE ? drive : step > 0 ? Potential(0) : current + drive);
                }
                const bool spike = neuron_step<P::NEURON, P::LEAK_SHIFT, P::SOFT_RESET, P::POTENTIAL_BITS>(
                    potential[pe], current, threshold[channel]);
                train[pe] = static_cast<Train>(train[pe] | (static_cast<Train>(spike) << step));
            }
            result.range((pe + 1) * P::T - 1, pe * P::T) = ap_uint<P::T>(train[pe]);
        }
        if (tf < TF - 1) {
            ++tf;
        } else {
            tf = 0;
            nf = nf < NF - 1 ? nf + 1 : 0;
            out.write(result);
        }
    }
}

}  // namespace spikefold

#endif
