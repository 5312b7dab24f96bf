// Matrix-vector product of spike trains, counts or a static image: with integer neurons, as read-out, or its sums.
#ifndef SPIKEFOLD_SPIKING_MVAU_HPP
#define SPIKEFOLD_SPIKING_MVAU_HPP

#include <hls_stream.h>

#include "integers.hpp"
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

// Integers of a result that is no spike train.
template <typename P>
constexpr int result_steps() {
    return P::NEURON == NEURON_SUMS && !P::STATIC_INPUT ? P::T : 1;
}

// Width of a result.
template <typename P>
constexpr int result_bits() {
    return P::NEURON == NEURON_NONE || P::NEURON == NEURON_SUMS ? result_steps<P>() * P::OUTPUT_BITS : P::T;
}

template <typename P, int STEP_BITS = 1, typename Constant>
void spiking_mvau(hls::stream<ap_uint<P::SIMD * (P::STATIC_INPUT     ? P::INPUT_BITS
                                                 : P::MAP_PIXELS > 1 ? P::COUNT_BITS
                                                                     : P::T * STEP_BITS)>>& in,
                  hls::stream<ap_uint<P::PE * result_bits<P>()>>& out,
                  const std::uint64_t (&weights)[(P::MW / P::SIMD) * (P::MH / P::PE)][P::WEIGHT_WORDS],
                  const Constant (&initial)[P::MH], const Constant (&threshold)[P::MH]) {
    constexpr int SF = P::MW / P::SIMD;
    constexpr int NF = P::MH / P::PE;
    constexpr int TF = P::T / P::TP;
    constexpr bool READ_OUT = P::NEURON == NEURON_NONE;
    constexpr bool SUMS = P::NEURON == NEURON_SUMS;
    constexpr bool LATE = P::NEURON == NEURON_LATEIF;
    constexpr bool COUNTS = READ_OUT || LATE;            // spikes of all steps, unless the input is static
    constexpr bool SUMS_ONCE = P::STATIC_INPUT || COUNTS;
    constexpr int LANES = SUMS_ONCE ? 1 : P::TP;         // sums per row and fold
    constexpr int BUFFER_LANES = SUMS_ONCE ? 1 : P::T;   // factors per element
    constexpr bool COUNTED = P::MAP_PIXELS > 1;
    constexpr int ELEMENT_BITS = P::STATIC_INPUT ? P::INPUT_BITS : COUNTED ? P::COUNT_BITS : P::T * STEP_BITS;
    constexpr int RESULT_BITS = result_bits<P>();
    constexpr int FACTOR_BITS = P::STATIC_INPUT || COUNTED ? ELEMENT_BITS + 1 : (SUMS_ONCE ? P::COUNT_BITS : STEP_BITS) + 1;
    using Factor = factor_int<FACTOR_BITS>;
    using Weight = factor_int<P::WEIGHT_BITS>;
    using Sum = signed_int<P::ACC_BITS>;
    // Of a product, where the machine's int could not hold it.
    using Wide = typename std::conditional<(P::WEIGHT_BITS + FACTOR_BITS > 32), Sum, Weight>::type;
    using Potential = signed_int<P::POTENTIAL_BITS>;
    using Train = unsigned_int<P::T>;

    Factor buffer[SF][BUFFER_LANES][P::SIMD];
#pragma HLS ARRAY_PARTITION variable = buffer complete dim = 2
#pragma HLS ARRAY_PARTITION variable = buffer complete dim = 3
    Sum sums[P::PE][LANES];
#pragma HLS ARRAY_PARTITION variable = sums complete dim = 0
    Potential potential[P::PE];
#pragma HLS ARRAY_PARTITION variable = potential complete
    ap_uint<P::PE * RESULT_BITS> result = 0;
    Train train[P::PE];
#pragma HLS ARRAY_PARTITION variable = train complete

    int sf = 0;
    int tf = 0;
    int nf = 0;

    for (long fold = 0; fold < static_cast<long>(P::VECTORS) * NF * TF * SF; ++fold) {
#pragma HLS PIPELINE II = 1
        if (!COUNTED || NF >= P::MAP_PIXELS) {  // else map_counter's loop is the longer one
            SPIKEFOLD_TRIP();
        }
        if (nf == 0 && tf == 0) {
            const ap_uint<P::SIMD * ELEMENT_BITS> word = in.read();
            for (int i = 0; i < P::SIMD; ++i) {
#pragma HLS UNROLL
                if (P::STATIC_INPUT || COUNTED) {
                    buffer[sf][0][i] =
                        static_cast<Factor>(word.range((i + 1) * ELEMENT_BITS - 1, i * ELEMENT_BITS).to_uint64());
                } else if (COUNTS) {
                    buffer[sf][0][i] = static_cast<Factor>(sum_lanes<P::T, STEP_BITS>(word, i * ELEMENT_BITS));
                } else {
                    unsigned_int<STEP_BITS> step[BUFFER_LANES];
                    unpack_lanes<BUFFER_LANES, STEP_BITS>(word, i * ELEMENT_BITS, step);
                    for (int t = 0; t < BUFFER_LANES; ++t) {
#pragma HLS UNROLL
                        buffer[sf][t][i] = static_cast<Factor>(step[t]);
                    }
                }
            }
        }

        const std::uint64_t* const weight_word = weights[nf * SF + sf];
        for (int pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
            Weight weight[P::SIMD];
#pragma HLS ARRAY_PARTITION variable = weight complete
            for (int i = 0; i < P::SIMD; ++i) {
#pragma HLS UNROLL
                weight[i] = static_cast<Weight>(signed_lane<P::WEIGHT_BITS>(weight_word, pe * P::SIMD + i));
            }
            for (int t = 0; t < LANES; ++t) {
#pragma HLS UNROLL
                const Factor* const factor = buffer[sf][tf * LANES + t];
                Sum sum = sf == 0 ? static_cast<Sum>(0) : sums[pe][t];
                for (int i = 0; i < P::SIMD; ++i) {
#pragma HLS UNROLL
                    sum += static_cast<Wide>(weight[i]) * factor[i];
                }
                sums[pe][t] = sum;
            }
        }

        if (sf == SF - 1) {
            for (int pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
                const int channel = nf * P::PE + pe;
                if (READ_OUT) {
                    const signed_int<P::OUTPUT_BITS> logit =
                        static_cast<signed_int<P::OUTPUT_BITS>>(sums[pe][0] + initial[channel]);
                    result.range((pe + 1) * RESULT_BITS - 1, pe * RESULT_BITS) = ap_int<RESULT_BITS>(logit);
                } else if (SUMS) {
                    for (int t = 0; t < LANES; ++t) {
#pragma HLS UNROLL
                        const int lane = pe * result_steps<P>() + tf * LANES + t;
                        result.range((lane + 1) * P::OUTPUT_BITS - 1, lane * P::OUTPUT_BITS) =
                            ap_int<P::OUTPUT_BITS>(sums[pe][t]);
                    }
                } else {
                    if (tf == 0) {
                        potential[pe] = initial_potential<P::NEURON, P::LEAK_SHIFT, P::HALF_START, P::POTENTIAL_BITS>(threshold[channel]);
                        train[pe] = 0;
                    }
                    for (int t = 0; t < P::TP; ++t) {
#pragma HLS UNROLL
                        const Potential sum = sums[pe][SUMS_ONCE ? 0 : t];
                        Potential current =
                            static_cast<Potential>(sum * (Potential(1) << P::FRAC_BITS) + initial[channel]);
                        if (LATE) {
                            current = static_cast<Potential>(t > 0 ? 0 : current * (P::STATIC_INPUT ? P::T : 1));
                        }
                        const bool spike =
                            neuron_step<P::NEURON, P::LEAK_SHIFT, P::SOFT_RESET, P::POTENTIAL_BITS>(
                                potential[pe], current, threshold[channel]);
                        train[pe] = static_cast<Train>(train[pe] | (static_cast<Train>(spike) << (tf * P::TP + t)));
                    }
                    result.range((pe + 1) * RESULT_BITS - 1, pe * RESULT_BITS) = ap_uint<RESULT_BITS>(train[pe]);
                }
            }
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
void spiking_mvau(hls::stream<ap_uint<P::SIMD * (P::STATIC_INPUT ? P::INPUT_BITS : P::T * STEP_BITS)>>& in,
                  hls::stream<ap_uint<P::PE * result_bits<P>()>>& out,
                  const std::uint64_t (&weights)[(P::MW / P::SIMD) * (P::MH / P::PE)][P::WEIGHT_WORDS]) {
    static const std::int32_t unused[P::MH] = {};
    spiking_mvau<P, STEP_BITS>(in, out, weights, unused, unused);
}

}  // namespace spikefold

#endif
