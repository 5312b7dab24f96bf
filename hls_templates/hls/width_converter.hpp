// Converts a stream of IN_BITS words to OUT_BITS words, first bits in the least significant place
// (FINN op StreamingDataWidthConverter_rtl). Any pair of widths whose frame is a whole number of both words.
//
// P is a struct of constants
//   IN_BITS, OUT_BITS    width of the input and output words
//   IN_WORDS, OUT_WORDS  words per frame; IN_BITS * IN_WORDS == OUT_BITS * OUT_WORDS
// Trips per frame: max(IN_WORDS, OUT_WORDS) when one width divides the other, at most one more per frame otherwise
#ifndef SPIKEFOLD_WIDTH_CONVERTER_HPP
#define SPIKEFOLD_WIDTH_CONVERTER_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "trip_count.hpp"

namespace spikefold {

template <typename P>
void width_converter(hls::stream<ap_uint<P::IN_BITS>>& in, hls::stream<ap_uint<P::OUT_BITS>>& out) {
    static_assert(P::IN_BITS * P::IN_WORDS == P::OUT_BITS * P::OUT_WORDS, "a frame is a whole number of input and output words");
    constexpr unsigned BUFFER_BITS = P::IN_BITS + P::OUT_BITS;
    ap_uint<BUFFER_BITS> buffer = 0;  // waiting bits, oldest at the bottom
    unsigned filled = 0;              // number of waiting bits
    unsigned taken = 0;
    unsigned given = 0;
    while (given < P::OUT_WORDS) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        if (filled < P::OUT_BITS && taken < P::IN_WORDS) {
            const ap_uint<BUFFER_BITS> word = in.read();
            // Constant shifts where the ratio is whole; a barrel shifter only where it is not.
            if (P::IN_BITS % P::OUT_BITS == 0) buffer = word;
            else if (P::OUT_BITS % P::IN_BITS == 0) buffer = (buffer >> P::IN_BITS) | (word << (P::OUT_BITS - P::IN_BITS));
            else buffer |= word << filled;
            filled += P::IN_BITS;
            ++taken;
        }
        if (filled >= P::OUT_BITS) {
            out.write(ap_uint<P::OUT_BITS>(buffer));
            buffer >>= P::OUT_BITS;
            filled -= P::OUT_BITS;
            ++given;
        }
    }
}

}  // namespace spikefold

#endif
