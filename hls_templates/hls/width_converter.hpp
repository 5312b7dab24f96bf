// Converts a stream of IN_BITS words to OUT_BITS words, first bits in the least significant place
// (FINN op StreamingDataWidthConverter_rtl). Any pair of widths whose frame is a whole number of both words.
//
// Template parameters
//   IN_BITS, OUT_BITS    width of the input and output words
//   IN_WORDS, OUT_WORDS  words per frame; IN_BITS * IN_WORDS == OUT_BITS * OUT_WORDS
// Trips per frame: max(IN_WORDS, OUT_WORDS) when one width divides the other, at most one more per frame otherwise
#ifndef SPIKEFOLD_WIDTH_CONVERTER_HPP
#define SPIKEFOLD_WIDTH_CONVERTER_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "trip_count.hpp"

template <unsigned IN_BITS, unsigned OUT_BITS, unsigned IN_WORDS, unsigned OUT_WORDS>
void width_converter(hls::stream<ap_uint<IN_BITS> >& in, hls::stream<ap_uint<OUT_BITS> >& out) {
    static_assert(IN_BITS * IN_WORDS == OUT_BITS * OUT_WORDS, "a frame is a whole number of input and output words");
    const unsigned BUFFER_BITS = IN_BITS + OUT_BITS;
    ap_uint<BUFFER_BITS> buffer = 0;  // waiting bits, oldest at the bottom
    unsigned filled = 0;              // number of waiting bits
    unsigned taken = 0;
    unsigned given = 0;
    while (given < OUT_WORDS) {
#pragma HLS PIPELINE II=1
        SPIKEFOLD_TRIP();
        if (filled < OUT_BITS && taken < IN_WORDS) {
            const ap_uint<BUFFER_BITS> word = in.read();
            // Constant shifts where the ratio is whole; a barrel shifter only where it is not.
            if (IN_BITS % OUT_BITS == 0) buffer = word;
            else if (OUT_BITS % IN_BITS == 0) buffer = (buffer >> IN_BITS) | (word << (OUT_BITS - IN_BITS));
            else buffer |= word << filled;
            filled += IN_BITS;
            ++taken;
        }
        if (filled >= OUT_BITS) {
            out.write(ap_uint<OUT_BITS>(buffer));
            buffer >>= OUT_BITS;
            filled -= OUT_BITS;
            ++given;
        }
    }
}

#endif
