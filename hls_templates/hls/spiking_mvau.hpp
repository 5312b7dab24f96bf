// Matrix-vector product of spike trains, counts or a static image: with integer neurons, as read-out, or its sums.
#ifndef SPIKEFOLD_SPIKING_MVAU_HPP
#define SPIKEFOLD_SPIKING_MVAU_HPP

#include <hls_stream.h>

#include "integers.hpp"
#include "mvau_fold.hpp"
#include "neuron.hpp"
#include "trip_count.hpp"

namespace spikefold {

// P is a struct of constants:
//   MW, MH                 inputs of a vector, output channels
//   SIMD, PE               inputs and output channels per cycle; they divide MW and MH
//   T, TP                  time steps, time steps per cycle (divides T; T for a static input, the read-out and late
//                          neurons)
//   VECTORS                vectors (output pixels) per frame
//   MAP_PIXELS             1; above, the read-out's vectors are the COUNT_BITS spike counts of map_counter.hpp
//   STATIC_INPUT           elements are unsigned INPUT_BITS integers, the same at every step; else T integers
//                          of STEP_BITS (a template argument of its own): 1 are spike trains, more are counts
//   INPUT_BITS             width of a static element
//   NEURON                 NEURON_NONE (read-out), NEURON_SUMS (the sums are the results), NEURON_IF, NEURON_LIF,
//                          NEURON_LATEIF or NEURON_DELAYEDLIF
//   LEAK_SHIFT, SOFT_RESET see neuron.hpp
//   HALF_START             potentials start at half the threshold, else at 0 (neuron.hpp)
//   FRAC_BITS              fractional bits of bias, threshold and potential
//   WEIGHT_BITS            2, 4 or 8
//   ACC_BITS, POTENTIAL_BITS, OUTPUT_BITS   widths of sums, potentials and logits (or sums that are results), from
//                          exact range analysis
//   WEIGHT_WORDS           64-bit words per weight word of PE*SIMD lanes
// weights[nf*SF + sf]: lane pe*SIMD + simd, packed from the low bits up. initial[channel]: the bias, or for the
// read-out and for late neurons without a static input T*bias. threshold[channel]: not used by the read-out. Sums as
// results use neither.
// One call reads VECTORS*SF words of SIMD elements and writes VECTORS*NF words of PE results: spike trains, logits, or
// the sums of all steps beside each other, step 0 in the low bits (one sum where the input is static).

template <typename P, int STEP_BITS = 1, typename Constant>
void spiking_mvau(hls::stream<ap_uint<mvau_fold<P, STEP_BITS>::WORD_BITS>>& in,
                  hls::stream<ap_uint<P::PE * result_bits<P>()>>& out,
                  const std::uint64_t (&weights)[(P::MW / P::SIMD) * (P::MH / P::PE)][P::WEIGHT_WORDS],
                  const Constant (&initial)[P::MH], const Constant (&threshold)[P::MH]) {
    using Fold = mvau_fold<P, STEP_BITS>;
    using Factor = typename Fold::Factor;
    using Weight = typename Fold::Weight;
    using Sum = typename Fold::Sum;
    constexpr int SF = Fold::SF;
    constexpr int NF = Fold::NF;
    constexpr int TF = Fold::TF;
    constexpr int LANES = Fold::LANES;

    Factor buffer[SF][Fold::BUFFER_LANES][P::SIMD];
#pragma HLS ARRAY_PARTITION variable = buffer complete dim = 2
#pragma HLS ARRAY_PARTITION variable = buffer complete dim = 3
    Sum sums[P::PE][LANES];
#pragma HLS ARRAY_PARTITION variable = sums complete dim = 0
    typename Fold::Potential potential[P::PE];
#pragma HLS ARRAY_PARTITION variable = potential complete
    ap_uint<P::PE * Fold::RESULT_BITS> result = 0;
    typename Fold::Train train[P::PE];
#pragma HLS ARRAY_PARTITION variable = train complete

    int sf = 0;
    int tf = 0;
    int nf = 0;

    for (long fold = 0; fold < static_cast<long>(P::VECTORS) * NF * TF * SF; ++fold) {
#pragma HLS PIPELINE II = 1
        if (!Fold::COUNTED || NF >= P::MAP_PIXELS) {  // else map_counter's loop is the longer one
            SPIKEFOLD_TRIP();
        }
        if (nf == 0 && tf == 0) {
            const ap_uint<Fold::WORD_BITS> word = in.read();
            for (int i = 0; i < P::SIMD; ++i) {
#pragma HLS UNROLL
                Factor factors[Fold::BUFFER_LANES];
#pragma HLS ARRAY_PARTITION variable = factors complete
                Fold::unpack(word, i, factors);
                for (int t = 0; t < Fold::BUFFER_LANES; ++t) {
#pragma HLS UNROLL
                    buffer[sf][t][i] = factors[t];
                }
            }
        }

        const std::uint64_t* const weight_word = weights[nf * SF + sf];
        for (int pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
            Weight weight[P::SIMD];
#pragma HLS ARRAY_PARTITION variable = weight complete
            signed_lanes<P::WEIGHT_BITS>(weight_word, pe * P::SIMD, weight);
            for (int t = 0; t < LANES; ++t) {
#pragma HLS UNROLL
                const Factor* const factor = buffer[sf][tf * LANES + t];
                Sum sum = sf == 0 ? static_cast<Sum>(0) : sums[pe][t];
                for (int i = 0; i < P::SIMD; ++i) {
#pragma HLS UNROLL
                    sum += static_cast<typename Fold::Wide>(weight[i]) * factor[i];
                }
                sums[pe][t] = sum;
            }
        }

        if (sf == SF - 1) {
            Fold::end(nf, tf, sums, potential, train, result, initial, threshold);
            if (tf == TF - 1) {
                out.write(result);
            }
        }

        if (sf < SF - 1) {
            ++sf;
        } else {
            sf = 0;
            if (tf < TF - 1) {
                ++tf;
            } else {
                tf = 0;
                nf = nf < NF - 1 ? nf + 1 : 0;
            }
        }
    }
}

// The same where the sums are the results.
template <typename P, int STEP_BITS = 1>
void spiking_mvau(hls::stream<ap_uint<mvau_fold<P, STEP_BITS>::WORD_BITS>>& in,
                  hls::stream<ap_uint<P::PE * result_bits<P>()>>& out,
                  const std::uint64_t (&weights)[(P::MW / P::SIMD) * (P::MH / P::PE)][P::WEIGHT_WORDS]) {
    static const std::int32_t unused[P::MH] = {};
    spiking_mvau<P, STEP_BITS>(in, out, weights, unused, unused);
}

}  // namespace spikefold

#endif
