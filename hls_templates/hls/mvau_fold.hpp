// What dense and event-driven matrix-vector products share: types, elements of the stream, and what ends a fold.
#ifndef SPIKEFOLD_MVAU_FOLD_HPP
#define SPIKEFOLD_MVAU_FOLD_HPP

#include "integers.hpp"
#include "neuron.hpp"

namespace spikefold {

// Integers of a result that is no spike train. P is the struct of constants of spiking_mvau.hpp.
template <typename P>
constexpr int result_steps() {
    return P::NEURON == NEURON_SUMS && !P::STATIC_INPUT ? P::T : 1;
}

// Width of a result.
template <typename P>
constexpr int result_bits() {
    return P::NEURON == NEURON_NONE || P::NEURON == NEURON_SUMS ? result_steps<P>() * P::OUTPUT_BITS : P::T;
}

template <typename P, int STEP_BITS>
struct mvau_fold {
    static constexpr int SF = P::MW / P::SIMD;
    static constexpr int NF = P::MH / P::PE;
    static constexpr int TF = P::T / P::TP;
    static constexpr bool LATE = P::NEURON == NEURON_LATEIF;
    static constexpr bool COUNTS = P::NEURON == NEURON_NONE || LATE;  // spikes of all steps, unless the input is static
    static constexpr bool SUMS_ONCE = P::STATIC_INPUT || COUNTS;
    static constexpr int LANES = SUMS_ONCE ? 1 : P::TP;        // sums per row and fold
    static constexpr int BUFFER_LANES = SUMS_ONCE ? 1 : P::T;  // factors per element
    static constexpr bool COUNTED = P::MAP_PIXELS > 1;
    static constexpr int ELEMENT_BITS = P::STATIC_INPUT ? P::INPUT_BITS : COUNTED ? P::COUNT_BITS : P::T * STEP_BITS;
    static constexpr int WORD_BITS = P::SIMD * ELEMENT_BITS;
    static constexpr int RESULT_BITS = result_bits<P>();
    static constexpr int FACTOR_BITS =
        P::STATIC_INPUT || COUNTED ? ELEMENT_BITS + 1 : (SUMS_ONCE ? P::COUNT_BITS : STEP_BITS) + 1;
    using Factor = factor_int<FACTOR_BITS>;
    using Weight = factor_int<P::WEIGHT_BITS>;
    using Sum = signed_int<P::ACC_BITS>;
    // Of a product, where the machine's int could not hold it.
    using Wide = typename std::conditional<(P::WEIGHT_BITS + FACTOR_BITS > 32), Sum, Weight>::type;
    using Potential = signed_int<P::POTENTIAL_BITS>;
    using Train = unsigned_int<P::T>;

    // The factors of element `index` of a word.
    static void unpack(const ap_uint<WORD_BITS>& word, int index, Factor (&factors)[BUFFER_LANES]) {
#pragma HLS INLINE
        const int low = index * ELEMENT_BITS;
        if (P::STATIC_INPUT || COUNTED) {
            factors[0] = static_cast<Factor>(word.range(low + ELEMENT_BITS - 1, low).to_uint64());
        } else if (COUNTS) {
            factors[0] = static_cast<Factor>(sum_lanes<P::T, STEP_BITS>(word, low));
        } else {
            unsigned_int<STEP_BITS> step[BUFFER_LANES];
            unpack_lanes<BUFFER_LANES, STEP_BITS>(word, low, step);
            for (int t = 0; t < BUFFER_LANES; ++t) {
#pragma HLS UNROLL
                factors[t] = static_cast<Factor>(step[t]);
            }
        }
    }

    // Takes the sums of fold (nf, tf) to the results of its channels: their potentials and trains go on in the next
    // time fold.
    template <typename Constant>
    static void end(int nf, int tf, const Sum (&sums)[P::PE][LANES], Potential (&potential)[P::PE], Train (&train)[P::PE],
                    ap_uint<P::PE * RESULT_BITS>& result, const Constant (&initial)[P::MH],
                    const Constant (&threshold)[P::MH]) {
#pragma HLS INLINE
        for (int pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
            const int channel = nf * P::PE + pe;
            if (P::NEURON == NEURON_NONE) {
                const signed_int<P::OUTPUT_BITS> logit =
                    static_cast<signed_int<P::OUTPUT_BITS>>(sums[pe][0] + initial[channel]);
                result.range((pe + 1) * RESULT_BITS - 1, pe * RESULT_BITS) = ap_int<RESULT_BITS>(logit);
            } else if (P::NEURON == NEURON_SUMS) {
                for (int t = 0; t < LANES; ++t) {
#pragma HLS UNROLL
                    const int lane = pe * result_steps<P>() + tf * LANES + t;
                    result.range((lane + 1) * P::OUTPUT_BITS - 1, lane * P::OUTPUT_BITS) =
                        ap_int<P::OUTPUT_BITS>(sums[pe][t]);
                }
            } else {
                if (tf == 0) {
                    potential[pe] = initial_potential<P::NEURON, P::LEAK_SHIFT, P::HALF_START, P::POTENTIAL_BITS>(
                        threshold[channel]);
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
                    const bool spike = neuron_step<P::NEURON, P::LEAK_SHIFT, P::SOFT_RESET, P::POTENTIAL_BITS>(
                        potential[pe], current, threshold[channel]);
                    train[pe] = static_cast<Train>(train[pe] | (static_cast<Train>(spike) << (tf * P::TP + t)));
                }
                result.range((pe + 1) * RESULT_BITS - 1, pe * RESULT_BITS) = ap_uint<RESULT_BITS>(train[pe]);
            }
        }
    }
};

}  // namespace spikefold

#endif
