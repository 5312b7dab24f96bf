// Adds two streams of integers, step by step: out = FIRST_FACTOR * first + SECOND_FACTOR * second.
//
// P is a struct of constants, with FIRST_ and SECOND_ for the two inputs:
//   WORDS        words per frame
//   PE           channels per word
//   STEPS        steps of a result
//   .._STEPS     of an input; 1 where it is the same at all steps
//   .._BITS      width of one step
//   .._SIGNED    whether it is signed
//   .._FACTOR    power of two
//   OUT_BITS     width of a result, which is signed and holds every sum
// Lane channel*steps + step, packed from the low bits up. Trips per frame: WORDS
#ifndef SPIKEFOLD_RESIDUAL_ADD_HPP
#define SPIKEFOLD_RESIDUAL_ADD_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "lanes.hpp"
#include "trip_count.hpp"

namespace spikefold {

template <typename P, int FIRST_WORD, int SECOND_WORD, int OUT_WORD>
void residual_add(hls::stream<ap_uint<FIRST_WORD>>& first, hls::stream<ap_uint<SECOND_WORD>>& second,
                  hls::stream<ap_uint<OUT_WORD>>& out) {
    for (unsigned index = 0; index < P::WORDS; ++index) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        const ap_uint<FIRST_WORD> first_word = first.read();
        const ap_uint<SECOND_WORD> second_word = second.read();
        ap_uint<OUT_WORD> result = 0;
        for (unsigned pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
            for (unsigned t = 0; t < P::STEPS; ++t) {
#pragma HLS UNROLL
                const std::int64_t a = lane_value<P::FIRST_BITS, P::FIRST_SIGNED != 0>(
                    first_word, pe * P::FIRST_STEPS + (P::FIRST_STEPS == 1 ? 0 : t));
                const std::int64_t b = lane_value<P::SECOND_BITS, P::SECOND_SIGNED != 0>(
                    second_word, pe * P::SECOND_STEPS + (P::SECOND_STEPS == 1 ? 0 : t));
                const signed_int<P::OUT_BITS> sum = static_cast<signed_int<P::OUT_BITS>>(
                    a * static_cast<std::int64_t>(P::FIRST_FACTOR) + b * static_cast<std::int64_t>(P::SECOND_FACTOR));
                const unsigned lane = pe * P::STEPS + t;
                result.range((lane + 1) * P::OUT_BITS - 1, lane * P::OUT_BITS) = ap_int<P::OUT_BITS>(sum);
            }
        }
        out.write(result);
    }
}

}  // namespace spikefold

#endif
