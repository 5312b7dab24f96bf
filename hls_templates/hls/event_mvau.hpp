// The event-driven form of spiking_mvau.hpp: elements that are zero at all steps are left out.
#ifndef SPIKEFOLD_EVENT_MVAU_HPP
#define SPIKEFOLD_EVENT_MVAU_HPP

#include <hls_stream.h>

#include "integers.hpp"
#include "mvau_fold.hpp"
#include "trip_count.hpp"

namespace spikefold {

// P is the struct of constants of spiking_mvau.hpp, with MAP_PIXELS 1 and no static input, and
//   ROTATE_WORDS   words after which elements move on to the next bank; 0: never
//   FOLD_STRIDE    weight words of a bank for each input word, MH/PE or more
//   SHORTEST_SCAN  fewest trips of a fold
//   WEIGHT_WORDS   64-bit words per weight word of PE lanes

// The non-zero elements of a vector in queues, one for each bank: SF words are read, of which a bank takes an element each,
// element s for bank (s + tap) mod SIMD. lengths[bank] elements follow each other; places are the numbers of their words.
template <typename P, int STEP_BITS>
void event_queues(hls::stream<ap_uint<mvau_fold<P, STEP_BITS>::WORD_BITS>>& in,
                  typename mvau_fold<P, STEP_BITS>::Factor (&elements)[P::SIMD][P::MW / P::SIMD]
                                                                     [mvau_fold<P, STEP_BITS>::BUFFER_LANES],
                  int (&places)[P::SIMD][P::MW / P::SIMD], int (&lengths)[P::SIMD]) {
    using Fold = mvau_fold<P, STEP_BITS>;
    int length[P::SIMD] = {};
#pragma HLS ARRAY_PARTITION variable = length complete
    int tap = 0;
    int group = 0;
    for (int place = 0; place <= Fold::SF; ++place) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        ap_uint<Fold::WORD_BITS> word = 0;
        if (place < Fold::SF) {
            word = in.read();
        }
        for (int bank = 0; bank < P::SIMD; ++bank) {
#pragma HLS UNROLL
            typename Fold::Factor factors[Fold::BUFFER_LANES];
#pragma HLS ARRAY_PARTITION variable = factors complete
            Fold::unpack(word, bank < tap ? bank + P::SIMD - tap : bank - tap, factors);
            bool nonzero = false;
            for (int t = 0; t < Fold::BUFFER_LANES; ++t) {
#pragma HLS UNROLL
                nonzero = nonzero || factors[t] != 0;
            }
            if (nonzero) {
                places[bank][length[bank]] = place;
                for (int t = 0; t < Fold::BUFFER_LANES; ++t) {
#pragma HLS UNROLL
                    elements[bank][length[bank]][t] = factors[t];
                }
                ++length[bank];
            }
            lengths[bank] = length[bank];
        }
        if (P::ROTATE_WORDS > 0 && ++group == P::ROTATE_WORDS) {
            group = 0;
            tap = tap < P::SIMD - 1 ? tap + 1 : 0;
        }
    }
}

// All folds of a vector in its queues.
template <typename P, int STEP_BITS, typename Constant>
void event_folds(const typename mvau_fold<P, STEP_BITS>::Factor (&elements)[P::SIMD][P::MW / P::SIMD]
                                                                           [mvau_fold<P, STEP_BITS>::BUFFER_LANES],
                 const int (&places)[P::SIMD][P::MW / P::SIMD], const int (&lengths)[P::SIMD],
                 hls::stream<ap_uint<P::PE * result_bits<P>()>>& out,
                 const std::uint64_t (&weights)[P::SIMD][(P::MW / P::SIMD) * P::FOLD_STRIDE][P::WEIGHT_WORDS],
                 const Constant (&initial)[P::MH], const Constant (&threshold)[P::MH]) {
    using Fold = mvau_fold<P, STEP_BITS>;
    typename Fold::Sum sums[P::PE][Fold::LANES];
#pragma HLS ARRAY_PARTITION variable = sums complete dim = 0
    typename Fold::Potential potential[P::PE];
#pragma HLS ARRAY_PARTITION variable = potential complete
    typename Fold::Train train[P::PE];
#pragma HLS ARRAY_PARTITION variable = train complete
    ap_uint<P::PE * Fold::RESULT_BITS> result = 0;

    int longest = P::SHORTEST_SCAN;
    for (int bank = 0; bank < P::SIMD; ++bank) {
#pragma HLS UNROLL
        longest = lengths[bank] > longest ? lengths[bank] : longest;
    }
    int position = 0;
    int tf = 0;
    int nf = 0;
    for (long trip = 0; trip < static_cast<long>(Fold::NF) * Fold::TF * longest; ++trip) {
#pragma HLS PIPELINE II = 1
        if (trip > Fold::SF) {  // else the loop that queues the next vector is the longer one
            SPIKEFOLD_TRIP();
        }
        for (int pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
            for (int t = 0; t < Fold::LANES; ++t) {
#pragma HLS UNROLL
                typename Fold::Sum sum = position == 0 ? static_cast<typename Fold::Sum>(0) : sums[pe][t];
                for (int bank = 0; bank < P::SIMD; ++bank) {
#pragma HLS UNROLL
                    if (position < lengths[bank]) {
                        const std::uint64_t* const word = weights[bank][places[bank][position] * P::FOLD_STRIDE + nf];
                        const auto weight = static_cast<typename Fold::Weight>(signed_lane<P::WEIGHT_BITS>(word, pe));
                        sum += static_cast<typename Fold::Wide>(weight) * elements[bank][position][tf * Fold::LANES + t];
                    }
                }
                sums[pe][t] = sum;
            }
        }
        if (position < longest - 1) {
            ++position;
        } else {
            position = 0;
            Fold::end(nf, tf, sums, potential, train, result, initial, threshold);
            if (tf < Fold::TF - 1) {
                ++tf;
            } else {
                tf = 0;
                ++nf;
                out.write(result);
            }
        }
    }
}

// One call reads VECTORS*SF words of SIMD elements and writes VECTORS*NF words of PE results, those of spiking_mvau.
// weights[bank][place*FOLD_STRIDE + nf]: lane pe, of the element that the bank takes of word `place`.
template <typename P, int STEP_BITS = 1, typename Constant>
void event_mvau(hls::stream<ap_uint<mvau_fold<P, STEP_BITS>::WORD_BITS>>& in,
                hls::stream<ap_uint<P::PE * result_bits<P>()>>& out,
                const std::uint64_t (&weights)[P::SIMD][(P::MW / P::SIMD) * P::FOLD_STRIDE][P::WEIGHT_WORDS],
                const Constant (&initial)[P::MH], const Constant (&threshold)[P::MH]) {
    using Fold = mvau_fold<P, STEP_BITS>;
    for (int vector = 0; vector < P::VECTORS; ++vector) {
#pragma HLS DATAFLOW
        typename Fold::Factor elements[P::SIMD][Fold::SF][Fold::BUFFER_LANES];
#pragma HLS ARRAY_PARTITION variable = elements complete dim = 1
#pragma HLS ARRAY_PARTITION variable = elements complete dim = 3
        int places[P::SIMD][Fold::SF];
#pragma HLS ARRAY_PARTITION variable = places complete dim = 1
        int lengths[P::SIMD];
#pragma HLS ARRAY_PARTITION variable = lengths complete
        event_queues<P, STEP_BITS>(in, elements, places, lengths);
        event_folds<P, STEP_BITS>(elements, places, lengths, out, weights, initial, threshold);
    }
}

// The same where the sums are the results.
template <typename P, int STEP_BITS = 1>
void event_mvau(hls::stream<ap_uint<mvau_fold<P, STEP_BITS>::WORD_BITS>>& in,
                hls::stream<ap_uint<P::PE * result_bits<P>()>>& out,
                const std::uint64_t (&weights)[P::SIMD][(P::MW / P::SIMD) * P::FOLD_STRIDE][P::WEIGHT_WORDS]) {
    static const std::int32_t unused[P::MH] = {};
    event_mvau<P, STEP_BITS>(in, out, weights, unused, unused);
}

}  // namespace spikefold

#endif
